//! Which requests are answered, and whose evidence is accepted.

use std::collections::BTreeMap;

use roastery_frost::Seat;

use crate::{Attempt, message::Want};

/// What a session answers with, each kept to the back-off floor by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    To(Attempt, Want),
    Outcome,
    Share(Attempt),
}

/// How often who has sent a proof that proved nothing.
#[derive(Debug, Default)]
pub(super) struct FalseAccusations(BTreeMap<Seat, u8>);

impl FalseAccusations {
    /// Whether another proof of this sender is looked at: after four that proved nothing, none is.
    pub(super) fn may_accuse(&self, sender: Seat) -> bool {
        self.0.get(&sender).is_none_or(|count| *count < 4)
    }

    pub(super) fn note(&mut self, sender: Seat) {
        *self.0.entry(sender).or_default() += 1;
    }
}
