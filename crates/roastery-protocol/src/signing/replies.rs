//! Which requests are answered, and whose evidence is accepted.

use std::collections::BTreeMap;

use roastery_frost::Seat;

use crate::{Attempt, message::Want};

/// The answers of a session. Each has a minimum interval of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    To(Attempt, Want),
    Outcome,
    Share(Attempt),
}

/// How many proofs of each sender proved nothing.
#[derive(Debug, Default)]
pub(super) struct InvalidProofs(BTreeMap<Seat, u8>);

impl InvalidProofs {
    /// Whether another proof of this sender is checked: after four that proved nothing, none is.
    pub(super) fn may_send_proof(&self, sender: Seat) -> bool {
        self.0.get(&sender).is_none_or(|count| *count < 4)
    }

    pub(super) fn note(&mut self, sender: Seat) {
        *self.0.entry(sender).or_default() += 1;
    }
}
