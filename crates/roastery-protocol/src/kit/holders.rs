//! Who keeps a kit: what the node that has made it sends to whom, and what their answers show.

use std::collections::BTreeMap;

use super::{Kit, KitContent};
use crate::{
    Seat,
    group::{Group, PeerId},
};

/// After how long a member is asked again whether it still has the kit, in milliseconds: a week.
const ASKED_AGAIN_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// For how long a member that has shown that it has the kit counts when the host key is to leave,
/// in milliseconds: an hour. What it has shown long ago says nothing of whether it is still there.
const COUNTS_MS: u64 = 60 * 60 * 1000;

/// The pause after a message without an answer that shows the kit; each further one is twice as
/// long.
const FIRST_PAUSE_MS: u64 = 2_000;

/// The longest pause: ten minutes.
const LONGEST_PAUSE_MS: u64 = 600_000;

/// Who keeps one kit of this node.
#[derive(Debug)]
pub struct Holders {
    kit: Kit,
    /// How many seats of others must keep it.
    needed: usize,
    others: BTreeMap<PeerId, Other>,
}

#[derive(Debug, Default)]
struct Other {
    seats: Vec<Seat>,
    /// When it has shown last that it has the kit, in milliseconds since 1970.
    held_ms: Option<u64>,
    /// The same, of what was shown to these holders: it was not read from the store.
    proven_ms: Option<u64>,
    /// Whether its last answer was that it lacks the kit.
    lacks: bool,
    /// The nonce of the question that is open.
    nonce: Option<[u8; 32]>,
    next_ms: u64,
    pause_ms: u64,
}

/// What an answer has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The member has the kit.
    Holds,
    /// It says that it lacks the kit, or has another one; it is sent again.
    Lacks,
    /// The same as it has said last.
    StillLacks,
    /// It answers no question that is open.
    Nothing,
}

impl Holders {
    /// The holders of a kit of a group, with those that have shown before that they keep it, and
    /// when: they are told of, and do not count for [`Holders::are_enough`].
    pub fn new(kit: Kit, group: &Group, own: &PeerId, held: &[(Seat, u64)]) -> Self {
        let mut others: BTreeMap<PeerId, Other> = BTreeMap::new();
        for (seat, member) in group.seats().zip(group.members()) {
            if member.peer == *own {
                continue;
            }
            let other = others.entry(member.peer.clone()).or_default();
            other.seats.push(seat);
            other.pause_ms = FIRST_PAUSE_MS;
            let shown = held.iter().find(|(known, _)| *known == seat).map(|(_, at)| *at);
            other.held_ms = other.held_ms.max(shown);
        }
        let seats: usize = others.values().map(|other| other.seats.len()).sum();
        let needed = group.threshold().min(seats);
        Self { kit, needed, others }
    }

    /// The kit.
    pub fn kit(&self) -> &Kit {
        &self.kit
    }

    /// How many seats of others must keep it: as many as must sign, so that one of them is honest,
    /// or all.
    pub fn needed(&self) -> usize {
        self.needed
    }

    /// The seats of those that have shown that they keep it, and when.
    pub fn held(&self) -> impl Iterator<Item = (Seat, u64)> {
        let shown = |other: &Other| {
            let seats = other.seats.clone();
            other.held_ms.map(|at| seats.into_iter().map(move |seat| (seat, at)))
        };
        self.others.values().filter_map(shown).flatten().collect::<Vec<_>>().into_iter()
    }

    /// Whether enough of them have shown within the last hour that they keep it.
    pub fn are_enough(&self, now_ms: u64) -> bool {
        let counting =
            self.others.values().filter(|other| is_within(other.proven_ms, now_ms, COUNTS_MS));
        counting.map(|other| other.seats.len()).sum::<usize>() >= self.needed
    }

    /// A member is connected: it is asked at once if anything is to be asked.
    pub fn connected(&mut self, peer: &PeerId) {
        if let Some(other) = self.others.get_mut(peer) {
            (other.next_ms, other.pause_ms) = (0, FIRST_PAUSE_MS);
        }
    }

    /// What is to be sent now, each with a nonce of its own. While the host key is to leave, a
    /// member is asked again as soon as it does not count any more.
    pub fn due(
        &mut self,
        now_ms: u64,
        is_leaving: bool,
        mut nonce: impl FnMut() -> Option<[u8; 32]>,
    ) -> Vec<(PeerId, KitContent)> {
        let mut due = Vec::new();
        for (peer, other) in &mut self.others {
            let is_fresh = if is_leaving {
                is_within(other.proven_ms, now_ms, COUNTS_MS)
            } else {
                is_within(other.held_ms, now_ms, ASKED_AGAIN_MS)
            };
            let waits = other.next_ms > now_ms && other.next_ms - now_ms <= LONGEST_PAUSE_MS;
            if is_fresh || waits {
                continue;
            }
            let Some(drawn) = nonce() else { return due };
            other.nonce = Some(drawn);
            other.next_ms = now_ms + other.pause_ms;
            other.pause_ms = (2 * other.pause_ms).min(LONGEST_PAUSE_MS);
            let nonce = drawn;
            let content = match other.held_ms {
                Some(_) => KitContent::Ask { nonce, kit: self.kit.id() },
                None => KitContent::Keep { nonce, kit: Box::new(self.kit.clone()) },
            };
            due.push((peer.clone(), content));
        }
        due
    }

    /// Takes a member's answer.
    pub fn handle(&mut self, from: &PeerId, content: &KitContent, now_ms: u64) -> Heard {
        let (nonce, proof) = match content {
            KitContent::Held { nonce, proof } => (nonce, Some(proof)),
            KitContent::Lacking { nonce } => (nonce, None),
            _ => return Heard::Nothing,
        };
        let Some(other) = self.others.get_mut(from).filter(|other| other.nonce == Some(*nonce))
        else {
            return Heard::Nothing;
        };
        other.nonce = None;
        if proof == Some(&self.kit.held(nonce)) {
            (other.held_ms, other.proven_ms) = (Some(now_ms), Some(now_ms));
            (other.lacks, other.pause_ms) = (false, FIRST_PAUSE_MS);
            return Heard::Holds;
        }
        (other.held_ms, other.proven_ms) = (None, None);
        // The pause goes on growing: one that always says so is not sent it in a loop.
        if std::mem::replace(&mut other.lacks, true) { Heard::StillLacks } else { Heard::Lacks }
    }
}

/// Whether this was at most so long ago. A clock that was set back asks at once.
fn is_within(at: Option<u64>, now_ms: u64, longest_ms: u64) -> bool {
    at.is_some_and(|at| at <= now_ms && now_ms - at < longest_ms)
}
