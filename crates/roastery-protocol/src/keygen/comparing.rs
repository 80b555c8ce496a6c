//! Bringing two first messages of one member together.
//!
//! Where two transcripts of one key generation are offered, some member has sent two first
//! messages, or a coordinator has altered one. Each first message is signed by its sender, and the
//! coordinators keep what they made their transcripts of: a node that holds two transcripts asks
//! both coordinators for that. Two different messages that one member has signed prove a fault of
//! that member, no matter which peer shows them. Nothing else follows from what a coordinator shows
//! or withholds.

use std::{collections::BTreeSet, time::Duration};

use roastery_frost::Seat;

use super::{
    Keygen,
    message::{Body, Want},
};
use crate::{TranscriptHash, clock::Moment, machine::Backoff, machine::Destination};

/// How many first messages a coordinator is asked for at a time: its answer limit.
const ASKED_AT_ONCE: usize = 8;

/// The messages that one coordinator is asked for.
#[derive(Debug)]
pub(super) struct Comparison {
    /// The members whose first messages it has not sent to this node.
    pub(super) missing: BTreeSet<Seat>,
    pub(super) since: Duration,
    repeat: Backoff,
}

impl Keygen {
    /// Asks the coordinators of these transcripts for the first messages that they were made of,
    /// and all members for their own.
    pub(super) fn compare(&mut self, transcripts: [TranscriptHash; 2], now: Moment) {
        let own = self.fixed.seat;
        let known = transcripts.into_iter().filter_map(|hash| self.transcripts.get(hash));
        let coordinators: Vec<Seat> =
            known.filter_map(|known| known.envelope.sender(&self.fixed.invitation)).collect();
        for coordinator in coordinators {
            if coordinator == own || self.comparisons.contains_key(&coordinator) {
                continue;
            }
            let missing = self.fixed.invitation.seats().filter(|seat| *seat != own).collect();
            let (since, repeat) = (now.monotonic, self.question_pace(now));
            self.comparisons.insert(coordinator, Comparison { missing, since, repeat });
            self.ask_for_first_messages(coordinator);
        }
        if self.collecting.is_none() {
            self.collecting = Some(self.question_pace(now));
            self.collect(now);
        }
    }

    fn question_pace(&self, now: Moment) -> Backoff {
        let settings = &self.fixed.settings;
        Backoff::new(now.monotonic, settings.repeat_min, settings.repeat_max)
    }

    fn ask_for_first_messages(&mut self, coordinator: Seat) {
        let Some(comparison) = self.comparisons.get(&coordinator) else { return };
        let next: Vec<Seat> = comparison.missing.iter().copied().take(ASKED_AT_ONCE).collect();
        for seat in next {
            let want = self.seal(&Body::Want(Want::FirstMessageOf(seat)));
            self.send(Destination::Seat(coordinator), &want);
        }
    }

    /// A coordinator has sent the first message of a member.
    pub(super) fn has_shown(&mut self, coordinator: Seat, member: Seat, now: Moment) {
        let pace = self.question_pace(now);
        if let Some(comparison) = self.comparisons.get_mut(&coordinator)
            && comparison.missing.remove(&member)
        {
            // It answers: the others are asked for at the minimum interval again.
            comparison.repeat = pace;
        }
    }

    pub(super) fn repeat_comparisons(&mut self, now: Moment) {
        let due = self.comparisons.iter_mut().filter_map(|(seat, comparison)| {
            let open = !comparison.missing.is_empty();
            (open && comparison.repeat.fire(now.monotonic)).then_some(*seat)
        });
        let due: Vec<Seat> = due.collect();
        for coordinator in due {
            self.ask_for_first_messages(coordinator);
        }
    }

    pub(super) fn comparison_timers(&self) -> impl Iterator<Item = Duration> + '_ {
        let open = self.comparisons.values().filter(|one| !one.missing.is_empty());
        open.map(|one| one.repeat.due())
    }
}
