//! What one member of a coalition does, each in a file of its own.

mod bad_share;
mod cannot;
mod drain;
mod dribble;
mod endless_runs;
mod equivocate;
mod equivocate_then_run;
mod false_incarnations;
mod false_proofs;
mod flood;
mod garbage;
mod hold_back;
mod malformed;
mod other_slots;
mod ready_without_end;
mod refuse;
mod relay;
mod repeat_nonces;
mod same_slots;
mod silent;
mod stall;
mod two_shares;
mod undecodable;
mod withhold;
mod wrong_sum;

use std::{fmt, time::Duration};

pub(super) use self::{
    bad_share::BadShare, cannot::Cannot, drain::Drain, dribble::Dribble, endless_runs::EndlessRuns,
    equivocate::Equivocate, equivocate_then_run::EquivocateThenRun,
    false_incarnations::FalseIncarnations, false_proofs::FalseProofs, flood::Flood,
    garbage::Garbage, hold_back::HoldBack, malformed::Malformed, other_slots::OtherSlots,
    ready_without_end::ReadyWithoutEnd, refuse::Refuse, relay::Relay, repeat_nonces::RepeatNonces,
    same_slots::SameSlots, silent::Silent, stall::Stall, two_shares::TwoShares,
    undecodable::Undecodable, withhold::Withhold, wrong_sum::WrongSum,
};
use super::Kit;
use crate::world::{Delayed, Intake, Packet};

/// What one member of a coalition does. Without more it follows the protocol.
pub trait Strategy: fmt::Debug + Send {
    /// What is sent in place of a message of its honest code.
    fn send(&mut self, _kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        at_once(packet)
    }

    /// A message has come.
    fn receive(&mut self, _kit: &mut Kit<'_>, _packet: &Packet) -> Intake {
        Intake { passes: true, sends: Vec::new() }
    }

    /// How often it has a turn of its own, if it has.
    fn every(&self) -> Option<Duration> {
        None
    }

    /// What it sends at its turn.
    fn turn(&mut self, _kit: &mut Kit<'_>) -> Vec<Delayed> {
        Vec::new()
    }
}

/// A message as it is.
fn at_once(packet: Packet) -> Vec<Delayed> {
    vec![Delayed { after: Duration::ZERO, packet }]
}

/// A packet with other bytes.
fn with(packet: &Packet, bytes: std::sync::Arc<[u8]>) -> Packet {
    Packet { bytes, ..packet.clone() }
}
