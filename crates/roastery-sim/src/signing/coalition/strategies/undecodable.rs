use roastery_protocol::member::frame::{ControlContent, Slots};

use super::{Strategy, at_once, with};
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// Slots that are no points, among right ones.
#[derive(Debug)]
pub struct Undecodable;

impl Strategy for Undecodable {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        let Some((session, to, ControlContent::Slots(slots))) = kit.read_control(&packet) else {
            return at_once(packet);
        };
        let mut nonces = slots.nonces.clone();
        nonces.iter_mut().step_by(3).for_each(|nonce| *nonce = [0xff; 66]);
        let content = ControlContent::Slots(Slots { nonces, ..slots });
        let bytes = kit.view.members.tell(session, kit.me, to, &content);
        at_once(with(&packet, bytes))
    }
}
