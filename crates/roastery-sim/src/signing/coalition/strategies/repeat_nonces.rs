use std::time::Duration;

use roastery_protocol::member::frame::{ControlContent, Slots};

use super::{Strategy, at_once, with};
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// Each second index has the nonce of the first, and the whole batch is said again in reverse.
#[derive(Debug)]
pub struct RepeatNonces;

impl Strategy for RepeatNonces {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        let Some((session, to, ControlContent::Slots(slots))) = kit.read_control(&packet) else {
            return at_once(packet);
        };
        let mut nonces = slots.nonces.clone();
        for pair in nonces.chunks_mut(2) {
            if let [first, second] = pair {
                *second = *first;
            }
        }
        let content = ControlContent::Slots(Slots { nonces: nonces.clone(), ..slots });
        let first = kit.view.members.tell(session, kit.me, to, &content);
        nonces.reverse();
        let content = ControlContent::Slots(Slots { nonces, ..slots });
        let second = kit.view.members.tell(session, kit.me, to, &content);
        let mut sends = at_once(with(&packet, first));
        let after = Duration::from_millis(1);
        sends.push(Delayed { after, packet: with(&packet, second) });
        sends
    }
}
