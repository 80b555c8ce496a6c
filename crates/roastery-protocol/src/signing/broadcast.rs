//! The evidence broadcast: sending the proof of a fault that was found here to the other members.
//!
//! Many members find the same fault at the same moment, for example an equivocation that all see.
//! If each of n sent the proof at once, one fault would cost n times n messages. So they send in an
//! order that begins after the seat of the member at fault: the first at once, the next two a step
//! later, the next four another step later, and so on. A member that has received it from two
//! others by then does not send. Members that are proven faulty do not count among the two; two
//! that are faulty and not found out can keep one node from sending what it knows. That node keeps
//! the proof all the same, and its application sees it.

use std::{collections::BTreeSet, time::Duration};

use roastery_frost::Seat;

use super::Session;
use crate::{
    Attempt, clock::Moment, engine::EngineSession, machine::Destination, message::Body,
    proof::Proof,
};

/// How many members can have found a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Observed {
    /// This node alone.
    Locally,
    /// Many members, at the same moment.
    ByMany,
}

/// After that many others have broadcast the evidence, this node need not.
const ENOUGH: usize = 2;

/// A proof whose broadcast is pending.
#[derive(Debug)]
pub(super) struct PendingBroadcast {
    accused: Seat,
    proof: Proof,
    due: Duration,
    heard_from: BTreeSet<Seat>,
}

impl PendingBroadcast {
    pub(super) fn due(&self) -> Duration {
        self.due
    }
}

impl<E: EngineSession> Session<E> {
    /// Sends the proof to all: at once if no other member can have found the fault, otherwise when
    /// it is this node's turn.
    pub(super) fn broadcast(
        &mut self,
        accused: Seat,
        proof: Proof,
        observed: Observed,
        now: Moment,
    ) {
        let due = match observed {
            Observed::Locally => now.monotonic,
            Observed::ByMany => now.monotonic.saturating_add(self.turn_after(accused)),
        };
        self.broadcasts.push(PendingBroadcast { accused, proof, due, heard_from: BTreeSet::new() });
        self.broadcast_what_is_due(now);
    }

    fn turn_after(&self, accused: Seat) -> Duration {
        let n = self.fixed.group.size();
        let rank = (self.fixed.seat.index() + n - accused.index() - 1) % n;
        let step = self.fixed.settings.repeat_min / 4;
        // Ranks 0, 1 to 2, 3 to 6, 7 to 14, ...: n is at most 128, so that there are at most 7
        // steps.
        step.saturating_mul((rank + 1).ilog2())
    }

    pub(super) fn broadcast_what_is_due(&mut self, now: Moment) {
        let due = |broadcast: &mut PendingBroadcast| broadcast.due <= now.monotonic;
        let due: Vec<PendingBroadcast> = self.broadcasts.extract_if(.., due).collect();
        for broadcast in due {
            let envelope = self.fixed.seal(Attempt::FIRST, &Body::Evidence(broadcast.proof));
            self.send(Destination::Everyone, &envelope);
        }
    }

    /// Whether a proof of this fault from this sender counts here: this node's own broadcast is
    /// still pending, and the sender is a member whose broadcast counts among the two.
    pub(super) fn awaits_evidence_of(&self, sender: Seat, accused: Seat) -> bool {
        let open = |broadcast: &PendingBroadcast| {
            broadcast.accused == accused && !broadcast.heard_from.contains(&sender)
        };
        !self.collector.is_proven_faulty(sender) && self.broadcasts.iter().any(open)
    }

    /// How many bytes of a member's messages are in proofs whose broadcast is pending.
    pub(super) fn bytes_to_broadcast_of(&self, accused: Seat) -> usize {
        let of_member = self.broadcasts.iter().filter(|broadcast| broadcast.accused == accused);
        of_member.map(|broadcast| broadcast.proof.encode().len()).sum()
    }

    /// Another member has sent evidence of it, with a valid proof.
    pub(super) fn evidence_received(&mut self, accused: Seat, from: Seat) {
        for broadcast in self.broadcasts.iter_mut().filter(|broadcast| broadcast.accused == accused)
        {
            broadcast.heard_from.insert(from);
        }
        self.broadcasts.retain(|broadcast| broadcast.heard_from.len() < ENOUGH);
    }
}
