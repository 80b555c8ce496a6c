use std::time::Duration;

use roastery_frost::Seat;

use super::{Outcome, Phase, Session, StopReason};
use crate::{
    Attempt, SessionId, engine::EngineSession, message::RefusalReason, proof::ProvenFault,
};

/// What a node knows of a session: its state, and which members are awaited since when.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The session.
    pub session: SessionId,
    /// Whether it runs, has signatures or has stopped.
    pub phase: ReportPhase,
    /// The number of attempts that are live at this node.
    pub live_attempts: usize,
    /// Members that are awaited, in the order of attempts and seats. Waiting is no blame: a slow
    /// member is not at fault.
    pub awaited: Vec<Awaited>,
    /// The members that have refused to take part, with their reasons.
    pub refusals: Vec<(Seat, RefusalReason)>,
    /// The faults that are proven, one per member.
    pub proven: Vec<ProvenFault>,
}

/// The state of a session at this node.
#[derive(Clone, Debug, PartialEq)]
pub enum ReportPhase {
    /// It runs.
    Running,
    /// The signatures are there.
    Signed(Outcome),
    /// It has stopped here without them.
    Stopped(StopReason),
}

/// A member for whose message the session waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// The attempt that needs the message.
    pub attempt: Attempt,
    /// The member's seat.
    pub seat: Seat,
    /// The message that is awaited from it.
    pub thing: AwaitedThing,
    /// Start of the wait, on the caller's monotonic clock.
    pub since: Duration,
}

/// The kind of message that is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwaitedThing {
    /// Its slot: it has sent none in this attempt.
    Slot,
    /// Its share for the package of this number.
    Share {
        /// The package's number.
        package: u16,
    },
    /// The coordinator's package.
    Package,
    /// The coordinator's signature: this node has given its share.
    Signature,
}

impl std::fmt::Display for AwaitedThing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AwaitedThing::Slot => f.write_str("commitments"),
            AwaitedThing::Share { package } => write!(f, "a share for package {package}"),
            AwaitedThing::Package => f.write_str("a signing package"),
            AwaitedThing::Signature => f.write_str("the signature"),
        }
    }
}

impl<E: EngineSession> Session<E> {
    /// What this node knows of the session now. After a stop it still names the members that were
    /// awaited when it stopped.
    pub fn report(&self) -> Report {
        let phase = match &self.phase {
            Phase::Running => ReportPhase::Running,
            Phase::Signed { outcome, .. } => ReportPhase::Signed(outcome.clone()),
            Phase::Stopped(reason) => ReportPhase::Stopped(*reason),
        };
        let awaited = match &self.phase {
            Phase::Running => self.awaited(),
            Phase::Stopped(_) => self.awaited_at_stop.clone(),
            Phase::Signed { .. } => Vec::new(),
        };
        Report {
            session: self.fixed.session,
            phase,
            live_attempts: self.schedule.live(),
            awaited,
            refusals: self.refusals.iter().map(|(seat, reason)| (*seat, *reason)).collect(),
            proven: self.collector.proofs().values().map(|(finding, _)| *finding).collect(),
        }
    }

    pub(super) fn awaited(&self) -> Vec<Awaited> {
        let mut awaited = Vec::new();
        for (&attempt, coordinated) in &self.coordinated {
            let Some(begun) = coordinated.coordinator.begun() else {
                continue;
            };
            for seat in coordinated.coordinator.unseen() {
                awaited.push(Awaited { attempt, seat, thing: AwaitedThing::Slot, since: begun });
            }
            for (seat, number) in coordinated.coordinator.owing() {
                let thing = AwaitedThing::Share { package: number as u16 };
                let since = coordinated.coordinator.packages()[number].issued;
                awaited.push(Awaited { attempt, seat, thing, since });
            }
        }
        for (&attempt, signer) in &self.signers {
            let seat = signer.coordinator;
            if seat == self.fixed.seat {
                continue;
            }
            let (thing, since) = match signer.answered_at() {
                Some(at) => (AwaitedThing::Signature, at),
                None => (AwaitedThing::Package, signer.entered),
            };
            awaited.push(Awaited { attempt, seat, thing, since });
        }
        awaited.sort_by_key(|one| (one.attempt, one.seat));
        awaited
    }
}
