use std::time::Duration;

use rand::RngExt as _;
use roastery_protocol::member::frame::Content;

use super::{Strategy, at_once};
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// Each share is late, by up to three seconds.
#[derive(Debug)]
pub struct Dribble;

impl Strategy for Dribble {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        match kit.read(&packet) {
            Some((_, Content::SignatureShare(_))) => {
                let after = Duration::from_millis(kit.rng.random_range(100..3_000));
                vec![Delayed { after, packet }]
            }
            _ => at_once(packet),
        }
    }
}
