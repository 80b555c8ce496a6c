//! Quotas in the store for each member's requests that were never approved here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use roastery_protocol::{
    GroupId, Seat, SessionId,
    request::{MAX_LIFETIME_SECONDS, Subject},
};
use roastery_store::{
    Decider, Examination, KeptRequest, Listing, RequestState, StateKind, Store, StoreError,
};

/// The most requests of one member that the store holds and that were never approved here.
const MOST_REQUESTS: usize = 4096;

/// The most bytes in these requests together.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The requests of members that were never approved here, by the member that proposed them.
#[derive(Debug, Default)]
pub(in crate::service) struct Holdings {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<SessionId, Entry>,
    accounts: BTreeMap<Seat, Account>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    by: Seat,
    bytes: usize,
    /// When it is removed as expired.
    expiry: u64,
    /// The position of its last change.
    position: u64,
    class: EvictionClass,
}

#[derive(Debug, Default)]
struct Account {
    requests: usize,
    bytes: usize,
    /// Those that may be evicted, the oldest first.
    forgettable: BTreeSet<(u64, SessionId)>,
}

/// Whether a request may be evicted if its member proposes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EvictionClass {
    /// It waits, or the operator has rejected it: it stays until it expires.
    Kept,
    /// The rules or the command have refused it, and would again.
    Refused,
    /// It was stopped, and is kept beyond its expiry.
    Stopped,
}

/// Whether there is room for one more request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) enum Room {
    /// If these are evicted.
    Without(Vec<SessionId>),
    /// None of this member's requests may be evicted.
    None,
}

impl Holdings {
    /// Counts the requests of a group in the store.
    pub(in crate::service) fn load(&self, store: &Store, group: GroupId) -> Result<(), StoreError> {
        let states = vec![StateKind::Proposed, StateKind::Refused, StateKind::Stopped];
        let mut which =
            Listing { groups: vec![group], states, before: u64::MAX, limit: MOST_REQUESTS };
        loop {
            let page = store.list(&which)?;
            let Some(last) = page.last() else { return Ok(()) };
            which.before = last.position;
            page.iter().for_each(|kept| self.note(kept));
        }
    }

    /// Counts a request in its current state.
    pub(in crate::service) fn note(&self, kept: &KeptRequest) {
        let (session, mut state) = (kept.request.session_id(), self.lock());
        state.remove(session);
        if let Some(entry) = Entry::of(kept) {
            state.add(session, entry);
        }
    }

    /// These were removed from the store.
    pub(in crate::service) fn forgotten(&self, sessions: &[SessionId]) {
        let mut state = self.lock();
        sessions.iter().for_each(|session| state.remove(*session));
    }

    /// The store has removed the requests that have expired by `now` (seconds since 1970).
    pub(in crate::service) fn expired(&self, now: u64) {
        let mut state = self.lock();
        let gone = |entry: &Entry| entry.expiry <= now && entry.class != EvictionClass::Stopped;
        let gone: Vec<SessionId> =
            state.known.iter().filter(|(_, entry)| gone(entry)).map(|(id, _)| *id).collect();
        gone.into_iter().for_each(|session| state.remove(session));
    }

    /// Which requests must be evicted to store one of this size for this member.
    pub(in crate::service) fn room_for(&self, by: Seat, bytes: usize) -> Room {
        let state = self.lock();
        let Some(account) = state.accounts.get(&by) else { return Room::Without(Vec::new()) };
        let (mut requests, mut held) = (account.requests + 1, account.bytes + bytes);
        let mut forgotten = Vec::new();
        let mut oldest = account.forgettable.iter();
        while requests > MOST_REQUESTS || held > MOST_BYTES {
            let Some((_, session)) = oldest.next() else { return Room::None };
            requests -= 1;
            held -= state.known.get(session).map_or(0, |entry| entry.bytes);
            forgotten.push(*session);
        }
        Room::Without(forgotten)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No step under the lock leaves an entry incomplete.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn of(kept: &KeptRequest) -> Option<Self> {
        let by = kept.proposer.filter(|_| kept.approved.is_none())?;
        let class = match &kept.state {
            RequestState::Proposed => EvictionClass::Kept,
            RequestState::Refused(rejection) => match rejection.decision.by {
                Decider::Operator => EvictionClass::Kept,
                Decider::Rules | Decider::Command { .. } => EvictionClass::Refused,
            },
            RequestState::Stopped(_) => EvictionClass::Stopped,
            RequestState::Approved(_) | RequestState::Signed(_) => return None,
        };
        let rejected = match &kept.state {
            RequestState::Refused(rejection) => rejection.decision.by == Decider::Operator,
            _ => false,
        };
        // A rejected request is kept for so much longer.
        let longer = if rejected { MAX_LIFETIME_SECONDS } else { 0 };
        let (bytes, expiry) = (kept.size(), kept.request.expiry().saturating_add(longer));
        Some(Self { by, bytes, expiry, position: kept.position, class })
    }
}

impl State {
    fn add(&mut self, session: SessionId, entry: Entry) {
        let account = self.accounts.entry(entry.by).or_default();
        account.requests += 1;
        account.bytes += entry.bytes;
        if entry.class != EvictionClass::Kept {
            account.forgettable.insert((entry.position, session));
        }
        self.known.insert(session, entry);
    }

    fn remove(&mut self, session: SessionId) {
        let Some(entry) = self.known.remove(&session) else { return };
        let Some(account) = self.accounts.get_mut(&entry.by) else { return };
        account.requests -= 1;
        account.bytes -= entry.bytes;
        account.forgettable.remove(&(entry.position, session));
    }
}

/// Whether the subject of a request was refused and is not kept: the request has bare hashes now,
/// and the decision is about the former subject.
pub(in crate::service) fn is_unshown(kept: &KeptRequest) -> bool {
    let RequestState::Refused(rejection) = &kept.state else { return false };
    let bare = Examination::new(&kept.request, &Subject::Hash, b"");
    kept.subject == Subject::Hash && rejection.decision.about != bare
}

#[cfg(test)]
mod tests {
    use roastery_protocol::{
        request::RefusalReason,
        request::{Derivation, MessageToSign, SigningRequest},
    };
    use roastery_store::{Decision, Rejection};

    use super::*;

    fn seat(seat: u32) -> Seat {
        Seat::new(seat).expect("a small number is a seat's")
    }

    /// A waiting request of a member with so many bytes.
    fn waiting(by: u32, number: u64, bytes: usize) -> KeptRequest {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_le_bytes());
        let derivation = Derivation::key_path_only();
        let messages = vec![MessageToSign { message: [1; 32], derivation }];
        let request = SigningRequest::new(GroupId::from_bytes([2; 32]), id, 9, messages).unwrap();
        let subject = Subject::Transaction(vec![0; bytes]);
        let kept = KeptRequest::proposed(request, subject, Some(seat(by)), 7);
        KeptRequest { position: number, ..kept }
    }

    fn refused(kept: KeptRequest, by: Decider) -> KeptRequest {
        let about = Examination::new(&kept.request, &kept.subject, b"");
        let decision = Decision { by, about, revision: kept.revision, at: 8 };
        let (reason, text) = (RefusalReason::Policy, String::new());
        let state = RequestState::Refused(Rejection { decision, reason, text });
        KeptRequest { state, ..kept }
    }

    #[test]
    fn beyond_its_bytes_a_members_oldest_refused_requests_make_room_and_no_other_members() {
        let (holdings, size) = (Holdings::default(), MOST_BYTES / 8);
        for number in 0..7 {
            let other = refused(waiting(2, 100 + number, size), Decider::Rules);
            holdings.note(&other);
            holdings.note(&refused(waiting(1, number, size), Decider::Rules));
        }
        let first = waiting(1, 0, 0).request.session_id();
        let second = waiting(1, 1, 0).request.session_id();
        assert_eq!(holdings.room_for(seat(1), 1), Room::Without(Vec::new()));
        assert_eq!(holdings.room_for(seat(1), size), Room::Without(vec![first]));
        assert_eq!(holdings.room_for(seat(1), 2 * size), Room::Without(vec![first, second]));
        holdings.forgotten(&[first]);
        assert_eq!(holdings.room_for(seat(1), size), Room::Without(Vec::new()));
    }

    #[test]
    fn beyond_its_number_a_members_oldest_refused_request_makes_room() {
        let holdings = Holdings::default();
        for number in 0..MOST_REQUESTS as u64 {
            holdings.note(&refused(waiting(1, number, 0), Decider::Rules));
        }
        let first = waiting(1, 0, 0).request.session_id();
        assert_eq!(holdings.room_for(seat(1), 0), Room::Without(vec![first]));
        holdings.expired(8);
        assert_eq!(holdings.room_for(seat(1), 0), Room::Without(vec![first]));
        holdings.expired(9);
        assert_eq!(holdings.room_for(seat(1), 0), Room::Without(Vec::new()));
    }

    #[test]
    fn neither_what_waits_nor_what_the_operator_has_rejected_is_forgotten_for_more() {
        let (holdings, size) = (Holdings::default(), MOST_BYTES / 2 - 128);
        holdings.note(&waiting(1, 1, size));
        holdings.note(&refused(waiting(1, 2, size), Decider::Operator));
        assert_eq!(holdings.room_for(seat(1), 1), Room::None);
        assert_eq!(holdings.room_for(seat(2), 1), Room::Without(Vec::new()));
        // An approved request does not count.
        holdings.note(&KeptRequest { approved: Some(8), ..waiting(1, 1, size) });
        assert_eq!(holdings.room_for(seat(1), 1), Room::Without(Vec::new()));
    }

    #[test]
    fn what_was_shown_is_not_kept_if_the_decision_is_about_something_else() {
        let shown = refused(waiting(1, 1, 9), Decider::Rules);
        assert!(!is_unshown(&shown));
        assert!(is_unshown(&KeptRequest { subject: Subject::Hash, ..shown }));
        let bare = KeptRequest { subject: Subject::Hash, ..waiting(1, 1, 9) };
        assert!(!is_unshown(&bare));
        assert!(!is_unshown(&refused(bare, Decider::Rules)));
    }
}
