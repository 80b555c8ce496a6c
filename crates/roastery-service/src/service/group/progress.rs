//! The members' approvals and refusals of a request, as far as this node knows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use roastery_protocol::{Seat, SessionId, member::machine::Event, request::RefusalReason};
use roastery_store::{KeptRequest, RequestState};

use crate::service::{group::service::GroupService, now};

/// The most requests whose approvals and refusals are remembered.
const MOST_REMEMBERED: usize = 4096;

/// Which members have approved or refused a request, as far as this node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDecisions {
    /// The number of seats that must approve.
    pub needed: usize,
    /// The number of seats.
    pub members: usize,
    /// The number of seats that have approved.
    pub approved_seats: usize,
    /// The names of the members that have approved.
    pub approved: Vec<String>,
    /// The names of the members that have refused.
    pub refused: Vec<String>,
    /// Whether enough seats are left that have not refused: with this node, which does not sign
    /// with a member that it has barred, or without it.
    pub can_succeed: bool,
    /// What each member has said, in the order of the seats.
    pub said: Vec<MemberDecision>,
}

/// What a member has said of a request, as far as this node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDecision {
    /// The name of the member.
    pub name: String,
    /// Whether it is this node.
    pub here: bool,
    /// Whether it has approved; `None` if it has not said, or does not take part for now.
    pub approved: Option<bool>,
    /// Why it does not take part, or not for now; may be empty.
    pub why: String,
    /// When this node learned of it, in seconds since 1970; `None` before its last start.
    pub at: Option<u64>,
}

/// The members that have approved or refused, by request. In memory only: after a restart the
/// members send it again.
#[derive(Debug, Default)]
pub(in crate::service) struct Progress {
    known: Mutex<BTreeMap<SessionId, Seats>>,
}

#[derive(Clone, Debug, Default)]
struct Seats {
    /// The member whose proposal of the request came first, if this node received one.
    author: Option<Seat>,
    approved: BTreeSet<Seat>,
    refused: BTreeMap<Seat, RefusalReason>,
    /// When the last new word of each was heard, in seconds since 1970.
    heard: BTreeMap<Seat, u64>,
}

impl Seats {
    fn approve(&mut self, seat: Seat) {
        if self.approved.insert(seat) {
            self.heard.insert(seat, now());
        }
    }
}

impl Progress {
    /// A member has proposed a request, its own or one that it has approved.
    pub(in crate::service) fn proposed(&self, session: SessionId, by: Seat) {
        self.change(session, |seats| {
            seats.approve(by);
            seats.author.get_or_insert(by);
        });
    }

    /// Records what a session's event shows about the members.
    pub(in crate::service) fn note(&self, event: &Event) {
        if let Event::TakesPart { session, seat } = event {
            self.change(*session, |seats| seats.approve(*seat));
        }
    }

    /// A member has refused. A final refusal stays. Returns whether this one is new.
    pub(in crate::service) fn refused(
        &self,
        session: SessionId,
        seat: Seat,
        reason: RefusalReason,
    ) -> bool {
        let mut new = false;
        self.change(session, |seats| {
            let known = seats.refused.get(&seat).copied();
            new = known.is_none_or(|known| known != reason && known.is_for_now());
            if new {
                seats.approved.remove(&seat);
                seats.refused.insert(seat, reason);
                seats.heard.insert(seat, now());
            }
        });
        new
    }

    /// The members that have refused finally.
    pub(in crate::service) fn refusals(&self, session: SessionId) -> BTreeMap<Seat, RefusalReason> {
        let mut refused = self.of(session).refused;
        refused.retain(|_, reason| !reason.is_for_now());
        refused
    }

    fn change(&self, session: SessionId, act: impl FnOnce(&mut Seats)) {
        let mut known = self.lock();
        if known.len() >= MOST_REMEMBERED && !known.contains_key(&session) {
            // Evicts one of the member that has the most. Session ids are hashes, so the first is
            // arbitrary.
            let mut counts = BTreeMap::<_, usize>::new();
            known.values().for_each(|seats| *counts.entry(seats.author).or_default() += 1);
            let most = counts.into_iter().max_by_key(|(_, count)| *count).map(|(seat, _)| seat);
            let first = known.iter().find(|(_, seats)| Some(seats.author) == most);
            if let Some(first) = first.map(|(id, _)| *id) {
                known.remove(&first);
            }
        }
        act(known.entry(session).or_default());
    }

    fn of(&self, session: SessionId) -> Seats {
        self.lock().get(&session).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, Seats>> {
        // No step under the lock leaves an entry incomplete.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GroupService {
    /// How many seats have approved a request, and the names of their members.
    pub(in crate::service) fn decisions_on(&self, kept: &KeptRequest) -> MemberDecisions {
        let session = kept.request.session_id();
        let Seats { mut approved, refused: mut reasons, heard, .. } = self.progress.of(session);
        let mut refused: BTreeSet<Seat> = self.progress.refusals(session).into_keys().collect();
        approved.extend(kept.proposer);
        match &kept.state {
            RequestState::Proposed => {}
            RequestState::Approved(..) => {
                approved.extend(self.seats.iter().copied());
            }
            RequestState::Refused(..) => {
                refused.extend(self.seats.iter().copied());
            }
            RequestState::Signed(outcome) => {
                let origin = outcome.origin.as_ref();
                approved.extend(origin.iter().flat_map(|origin| origin.signers.iter().copied()));
            }
            RequestState::Stopped(_) => {}
        }
        approved.retain(|seat| !refused.contains(seat));
        reasons.retain(|seat, _| !approved.contains(seat));
        let said = self.said_of(kept, &approved, &refused, &reasons, &heard);
        let (threshold, size) = (self.group.threshold(), self.group.size());
        let signed = matches!(kept.state, RequestState::Signed(_));
        // A member of several seats is named once.
        let named = |seats: &BTreeSet<Seat>| {
            let mut names: Vec<String> = Vec::new();
            for name in seats.iter().map(|seat| self.shown_as(*seat)) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            names
        };
        MemberDecisions {
            needed: threshold,
            members: size,
            approved_seats: approved.len(),
            approved: named(&approved),
            refused: named(&refused),
            can_succeed: signed || {
                let bars = self.shared.bars.of(self.group.id());
                let barred = bars.into_iter().map(|bar| bar.seat).collect();
                enough_are_left(self.group.seats(), threshold, &refused, &barred, &self.seats)
            },
            said,
        }
    }

    /// What each member has said, each once.
    fn said_of(
        &self,
        kept: &KeptRequest,
        approved: &BTreeSet<Seat>,
        refused: &BTreeSet<Seat>,
        reasons: &BTreeMap<Seat, RefusalReason>,
        heard: &BTreeMap<Seat, u64>,
    ) -> Vec<MemberDecision> {
        let own = |seat: Seat| self.seats.contains(&seat);
        let decided = match &kept.state {
            RequestState::Approved(decision) => Some((decision.at, "")),
            RequestState::Refused(rejection) => Some((rejection.decision.at, &*rejection.text)),
            _ => None,
        };
        let mut said: Vec<MemberDecision> = Vec::new();
        for seat in self.group.seats() {
            let name = self.shown_as(seat);
            if said.iter().any(|one| one.name == name) {
                continue;
            }
            let word = match (approved.contains(&seat), refused.contains(&seat)) {
                (_, true) => Some(false),
                (true, false) => Some(true),
                (false, false) => None,
            };
            let (at, why) = match decided.filter(|_| own(seat)) {
                Some((at, why)) => (Some(at), why.to_owned()),
                None => {
                    let proposed = (kept.proposer == Some(seat)).then_some(kept.since);
                    let why = reasons.get(&seat).map(ToString::to_string).unwrap_or_default();
                    (heard.get(&seat).copied().or(proposed), why)
                }
            };
            said.push(MemberDecision { name, here: own(seat), approved: word, why, at });
        }
        said
    }

    /// A member's name, or its seat if it has none; both if another peer has the same name.
    pub(in crate::service) fn shown_as(&self, seat: Seat) -> String {
        let name = self.name_of(seat);
        if name.is_empty() {
            return format!("seat {seat}");
        }
        let peer = |seat| self.group.member(seat).map(|member| &member.peer);
        let alike = |other: Seat| peer(other) != peer(seat) && self.name_of(other) == name;
        if self.group.seats().any(alike) {
            return format!("{name} (seat {seat})");
        }
        name
    }
}

/// Whether t seats may sign: with the own ones, of those that are not barred here, or without them.
fn enough_are_left(
    seats: impl Iterator<Item = Seat> + Clone,
    threshold: usize,
    refused: &BTreeSet<Seat>,
    barred: &BTreeSet<Seat>,
    own: &[Seat],
) -> bool {
    let left = seats.filter(|seat| !refused.contains(seat));
    let with_own = left.clone().filter(|seat| !barred.contains(seat)).count();
    with_own >= threshold || left.filter(|seat| !own.contains(seat)).count() >= threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_barred_member_is_none_that_may_sign_with_this_node_and_may_sign_without_it() {
        let seat = |id| Seat::new(id).unwrap();
        let set = |ids: &[u32]| ids.iter().copied().map(seat).collect::<BTreeSet<_>>();
        let left = |n, t, refused: &[u32], barred: &[u32]| {
            let seats = (0..n).map(seat);
            enough_are_left(seats, t, &set(refused), &set(barred), &[seat(0)])
        };
        assert!(left(3, 2, &[], &[1]));
        assert!(!left(3, 3, &[], &[1]), "all must sign, and this node does not with one of them");
        assert!(!left(3, 2, &[2], &[1]));
        assert!(left(5, 3, &[], &[1, 2, 3]), "the four others sign without this node");
        assert!(left(5, 3, &[4], &[1, 2, 3]));
        assert!(!left(5, 3, &[3, 4], &[2]));
    }

    #[test]
    fn a_member_of_whose_requests_most_is_heard_turns_over_its_own_only() {
        let (one, other) = (Seat::new(1).unwrap(), Seat::new(2).unwrap());
        let session = |number: usize| {
            let mut id = [0; 32];
            id[24..].copy_from_slice(&number.to_be_bytes());
            SessionId::from_bytes(id)
        };
        let progress = Progress::default();
        // The first of all.
        progress.proposed(session(0), other);
        (1..MOST_REMEMBERED + 100).for_each(|number| progress.proposed(session(number), one));
        assert_eq!(progress.of(session(0)).approved, BTreeSet::from([other]));
        assert_eq!(progress.lock().len(), MOST_REMEMBERED);
    }

    #[test]
    fn a_refusal_for_good_takes_the_place_of_one_for_now_and_of_no_other() {
        let (progress, session) = (Progress::default(), SessionId::from_bytes([1; 32]));
        let seat = Seat::new(2).unwrap();
        assert!(progress.refused(session, seat, RefusalReason::Busy));
        assert!(!progress.refused(session, seat, RefusalReason::Busy));
        assert!(progress.refusals(session).is_empty());
        assert!(progress.refused(session, seat, RefusalReason::Operator));
        assert!(!progress.refused(session, seat, RefusalReason::Busy));
        assert!(!progress.refused(session, seat, RefusalReason::Policy));
        let refusals = BTreeMap::from([(seat, RefusalReason::Operator)]);
        assert_eq!(progress.refusals(session), refusals);
    }
}
