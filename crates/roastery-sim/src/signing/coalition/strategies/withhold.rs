use roastery_protocol::member::frame::Content;

use super::{Strategy, at_once};
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// Gives no share and no signature.
#[derive(Debug)]
pub struct Withhold;

impl Strategy for Withhold {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        match kit.read(&packet) {
            Some((_, Content::SignatureShare(_) | Content::Signature(_))) => Vec::new(),
            _ => at_once(packet),
        }
    }
}
