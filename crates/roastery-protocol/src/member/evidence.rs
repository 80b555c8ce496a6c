//! The members that are proven faulty, and the evidence broadcast: who shows a proof to all, and
//! when (section 10).
//!
//! Many members find the same fault at the same moment, or receive its proof from the one that
//! found it. If each showed it to all, one fault would cost n times n messages. So they do so in an
//! order that begins behind the seat at fault: the first after no time, the next two a step later,
//! the next four another step later, and so on. A member that has received a proof from two other
//! peers by then puts its own showing off, by a longer step for each rank. It shows nothing only
//! once n - t + 1 other peers have: as many cannot all be hostile, and an honest one shows a proof
//! to all.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use roastery_frost::Seat;

use super::proof::{Proof, ProvenFault};
use crate::group::PeerId;

/// From one rank of the order to the next.
const STEP: Duration = Duration::from_millis(125);

/// When so many other peers have shown a proof, this node puts its own showing off.
const ENOUGH_FOR_NOW: usize = 2;

/// From one rank of the order to the next, for showings that were put off.
const LATER_STEP: Duration = Duration::from_secs(8);

/// Proofs of one author that proved nothing, before no more of it are checked.
const MOST_FALSE_PROOFS: u8 = 4;

/// The least time between two showings of one proof to one peer whose link comes up.
const SHOWN_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// How a node came to know of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// No other member can have found it.
    Locally,
    /// Many members can have found it, at the same moment.
    ByMany,
    /// Another member has shown its proof.
    Shown,
    /// Its proof was stored by this node in an earlier process.
    Before,
}

/// The proofs against members of one group: the first one against each. They hold in all sessions
/// and are never dropped.
#[derive(Debug, Default)]
pub struct Evidence {
    proven: BTreeMap<Seat, Known>,
    false_proofs: BTreeMap<Seat, u8>,
}

#[derive(Debug)]
struct Known {
    fault: ProvenFault,
    proof: Arc<Proof>,
    /// When this node shows it to all; absent once it has, or need not.
    due: Option<Duration>,
    /// How many steps its place in the order is behind the first.
    steps: u32,
    is_put_off: bool,
    /// The peers that have shown a proof against this member.
    shown_by: BTreeSet<PeerId>,
    /// When it was last shown to each peer whose link came up.
    shown_to: BTreeMap<PeerId, Duration>,
}

impl Evidence {
    /// Records a verified proof. `rank` is this node's place in the order that begins behind the
    /// seat at fault, from 0. Gives whether it is the first proof against that seat.
    pub fn record(
        &mut self,
        fault: ProvenFault,
        proof: Arc<Proof>,
        observed: Observed,
        rank: usize,
        now: Duration,
    ) -> bool {
        if self.proven.contains_key(&fault.accused) {
            return false;
        }
        // Ranks 0, 1 to 2, 3 to 6, 7 to 14, ...: n is at most 128, so there are at most 7 steps.
        let steps = (rank + 1).ilog2();
        let due = match observed {
            Observed::Locally => Some(now),
            Observed::ByMany => Some(now.saturating_add(STEP * steps)),
            // The members that found it come first.
            Observed::Shown => Some(now.saturating_add(STEP * (steps + 1))),
            Observed::Before => None,
        };
        let known = Known {
            fault,
            proof,
            due,
            steps,
            is_put_off: false,
            shown_by: BTreeSet::new(),
            shown_to: BTreeMap::new(),
        };
        self.proven.insert(fault.accused, known);
        true
    }

    /// Whether this seat is proven faulty.
    pub fn is_proven(&self, seat: Seat) -> bool {
        self.proven.contains_key(&seat)
    }

    /// How many seats are proven faulty.
    pub fn len(&self) -> usize {
        self.proven.len()
    }

    /// Whether no seat is proven faulty.
    pub fn is_empty(&self) -> bool {
        self.proven.is_empty()
    }

    /// The proofs, with what they prove.
    pub fn proofs(&self) -> impl Iterator<Item = (ProvenFault, &Arc<Proof>)> {
        self.proven.values().map(|known| (known.fault, &known.proof))
    }

    /// Whether a proof against this seat from this peer means anything here: there is none yet, or
    /// the peer's counts among the two that make this node's own showing needless.
    pub fn awaits(&self, accused: Seat, peer: &PeerId) -> bool {
        let known = self.proven.get(&accused);
        known.is_none_or(|known| known.due.is_some() && !known.shown_by.contains(peer))
    }

    /// A peer has shown a valid proof against this seat. `most_packages` is n - t + 1, so many of
    /// which one at least is honest. Two hostile ones may have shown it to this node only: they put
    /// its showing off and do not end it.
    pub fn shown(&mut self, accused: Seat, peer: &PeerId, most_packages: usize, now: Duration) {
        let Some(known) = self.proven.get_mut(&accused) else { return };
        known.shown_by.insert(peer.clone());
        let shown = known.shown_by.len();
        if shown >= most_packages.max(ENOUGH_FOR_NOW) {
            known.due = None;
        } else if shown >= ENOUGH_FOR_NOW && !known.is_put_off && known.due.is_some() {
            known.is_put_off = true;
            known.due = Some(now.saturating_add(LATER_STEP * (known.steps + 1)));
        }
    }

    /// Takes the proofs that this node shows to all now.
    pub fn take_due(&mut self, now: Duration) -> Vec<(ProvenFault, Arc<Proof>)> {
        let due = self.proven.values_mut().filter(|known| known.due.is_some_and(|due| due <= now));
        due.map(|known| {
            known.due = None;
            (known.fault, known.proof.clone())
        })
        .collect()
    }

    /// When [`Evidence::take_due`] gives something, on the monotonic clock.
    pub fn next_timeout(&self) -> Option<Duration> {
        self.proven.values().filter_map(|known| known.due).min()
    }

    /// The proofs for a peer whose link has come up: those that it has not shown itself, each at
    /// most once a minute, however often its link comes up.
    pub fn for_link(&mut self, peer: &PeerId, now: Duration) -> Vec<(ProvenFault, Arc<Proof>)> {
        let missing = self.proven.values_mut().filter(|known| {
            let last = known.shown_to.get(peer);
            let is_recent = last.is_some_and(|at| now < at.saturating_add(SHOWN_AGAIN_AFTER));
            !is_recent && !known.shown_by.contains(peer)
        });
        missing
            .map(|known| {
                known.shown_to.insert(peer.clone(), now);
                (known.fault, known.proof.clone())
            })
            .collect()
    }

    /// Whether another proof of this author is checked: after four that proved nothing, none is.
    pub fn may_show(&self, author: Seat) -> bool {
        self.false_proofs.get(&author).is_none_or(|count| *count < MOST_FALSE_PROOFS)
    }

    /// A proof that this author has signed proves nothing.
    pub fn note_false(&mut self, author: Seat) {
        let count = self.false_proofs.entry(author).or_default();
        *count = count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
