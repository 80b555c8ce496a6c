use std::time::Duration;

use roastery_protocol::member::frame::{Content, SigningPackage};

use super::{Strategy, at_once, with};
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// A second package, with the next number, names the same slots.
#[derive(Debug)]
pub struct SameSlots;

impl Strategy for SameSlots {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        let Some((statement, Content::SigningPackage(package))) = kit.read(&packet) else {
            return at_once(packet);
        };
        if statement.header().sender != kit.me.to_u16() {
            return at_once(packet);
        }
        let next = SigningPackage { number: package.number ^ 1, ..package };
        let bytes = kit.state(statement.header().session, &Content::SigningPackage(next));
        let second = Delayed { after: Duration::from_millis(1), packet: with(&packet, bytes) };
        let mut sends = at_once(packet);
        sends.push(second);
        sends
    }
}
