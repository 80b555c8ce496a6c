use roastery_protocol::member::frame::Content;

use super::{Strategy, at_once};
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// Packages and signatures reach every second member only.
#[derive(Debug)]
pub struct HoldBack;

impl Strategy for HoldBack {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        let is_held = matches!(
            kit.read(&packet),
            Some((_, Content::SigningPackage(_) | Content::Signature(_)))
        );
        let passes = packet.to.index().is_multiple_of(2);
        if is_held && !passes { Vec::new() } else { at_once(packet) }
    }
}
