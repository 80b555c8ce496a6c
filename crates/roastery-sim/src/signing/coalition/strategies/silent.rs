use super::Strategy;
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// Shows slots, and sends no statement and no Ready.
#[derive(Debug)]
pub struct Silent;

impl Strategy for Silent {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        match kit.read_control(&packet) {
            Some((_, _, roastery_protocol::member::frame::ControlContent::Slots(_))) => {
                super::at_once(packet)
            }
            _ => Vec::new(),
        }
    }
}
