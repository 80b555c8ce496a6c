use roastery_protocol::{GroupId, SessionId, request::MAX_LIFETIME_SECONDS};

use super::{
    Decider, Durability, KeptRequest, Part, RequestState, StateKind, Store, StoreError,
    Transaction,
    index::{ChangeRecord, Changes},
};

/// How many requests are removed in one change: other writes wait for it.
const REMOVED_AT_ONCE: usize = 256;

/// A page ends when the subjects of its requests have this many bytes together.
const MOST_BYTES_LISTED: usize = 4 * 1024 * 1024;

/// A query for requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The groups.
    pub groups: Vec<GroupId>,
    /// The states.
    pub states: Vec<StateKind>,
    /// Only requests whose last change is before this position: the next page begins at the
    /// position of the last request of the page before.
    pub before: u64,
    /// The most requests of a page.
    pub limit: usize,
}

/// The requests of a group that wait for a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many.
    pub count: usize,
    /// When the first of them came, in seconds since 1970.
    pub oldest: Option<u64>,
}

impl Store {
    /// Requests, by their last change, the latest first. The cost depends on the page, not on how
    /// many are kept. A page with large requests is shorter than its limit; the last one is empty.
    pub fn list(&self, which: &Listing) -> Result<Vec<KeptRequest>, StoreError> {
        let snapshot = self.vault.snapshot()?;
        let mut sources = Vec::new();
        for group in &which.groups {
            for state in &which.states {
                let mut changes = snapshot.changes(*group, *state, which.before)?;
                sources.extend(Source::of(&mut changes)?.map(|head| (head, changes)));
            }
        }
        let (mut listed, mut bytes) = (Vec::new(), 0);
        while listed.len() < which.limit && bytes < MOST_BYTES_LISTED {
            // There are five states, and few groups.
            let latest = sources.iter().enumerate().max_by_key(|(_, (head, _))| head.position);
            let Some(at) = latest.map(|(at, _)| at) else { break };
            let (head, changes) = &mut sources[at];
            let kept = snapshot.request(head.session)?;
            // An entry without its request: the index is damaged.
            let kept = kept.ok_or(StoreError::Damaged(Part::Index))?;
            bytes += kept.size();
            listed.push(kept);
            match Source::of(changes)? {
                Some(next) => *head = next,
                None => drop(sources.swap_remove(at)),
            }
        }
        Ok(listed)
    }

    /// The number of requests of a group that are in a state and have not expired by `now` (seconds
    /// since 1970).
    pub fn count(&self, group: GroupId, state: StateKind, now: u64) -> Result<usize, StoreError> {
        let mut count = 0;
        for change in self.vault.snapshot()?.changes(group, state, u64::MAX)? {
            count += usize::from(change?.1.expiry > now);
        }
        Ok(count)
    }

    /// How many requests of a group wait for a decision and have not expired by `now`, and when the
    /// first of them came (both in seconds since 1970).
    pub fn waiting(&self, group: GroupId, now: u64) -> Result<Waiting, StoreError> {
        let mut waiting = Waiting::default();
        for change in self.vault.snapshot()?.changes(group, StateKind::Proposed, u64::MAX)? {
            let (_, change) = change?;
            if change.expiry > now {
                waiting.count += 1;
                waiting.oldest = Some(waiting.oldest.unwrap_or(u64::MAX).min(change.changed));
            }
        }
        Ok(waiting)
    }

    /// The sessions of the requests that begin with these 4 bytes. There may be several: a member
    /// can produce another one.
    pub fn sessions_named(&self, first: [u8; 4]) -> Result<Vec<SessionId>, StoreError> {
        let records = self.vault.snapshot()?.requests_named(first)?;
        records.map(|found| Ok(found?.1.read()?.request.session_id())).collect()
    }

    /// The requests of a group that were approved here at this time (seconds since 1970) or later,
    /// whatever their state now, in no particular order.
    pub fn approved_since(
        &self,
        group: GroupId,
        since: u64,
        mut take: impl FnMut(KeptRequest),
    ) -> Result<(), StoreError> {
        let snapshot = self.vault.snapshot()?;
        for state in StateKind::ALL {
            for change in snapshot.changes(group, state, u64::MAX)?.rev() {
                let (_, change) = change?;
                // A request that has not changed since was not approved since.
                if change.changed < since {
                    break;
                }
                if change.approved.is_some_and(|at| at >= since) {
                    snapshot.request(change.session)?.into_iter().for_each(&mut take);
                }
            }
        }
        Ok(())
    }

    /// Forgets the requests of a group that have expired by `now` (seconds since 1970) and were
    /// never more than proposed or refused. A request that the operator has rejected is kept for
    /// the longest life of a request more, so that a clock that was ahead for a while deletes no
    /// rejection. Returns how many.
    pub fn forget_expired(&self, group: GroupId, now: u64) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        for state in [StateKind::Proposed, StateKind::Refused] {
            let changes = self.vault.snapshot()?.changes(group, state, u64::MAX)?;
            let dead = changes
                .filter(|change| change.as_ref().map_or(true, |(_, change)| change.is_dead(now)));
            forgotten += self.remove(dead, |kept| {
                matches!(kept.state.kind(), StateKind::Proposed | StateKind::Refused)
                    && kept.change().is_dead(now)
                    && !kept.is_rejected_within(now)
            })?;
        }
        Ok(forgotten)
    }

    /// Forgets the requests of a group whose state is older than `before` and that have expired
    /// before it as well (seconds since 1970); those that the operator has rejected not earlier
    /// than [`Store::forget_expired`] does. The audit log keeps its entries. Returns how many.
    pub fn forget_ended(&self, group: GroupId, before: u64) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        for state in StateKind::ALL {
            let changes = self.vault.snapshot()?.changes(group, state, u64::MAX)?;
            let old = changes
                .take_while(|change| {
                    change.as_ref().map_or(true, |(_, change)| change.changed < before)
                })
                .filter(|change| change.as_ref().map_or(true, |(_, change)| change.is_old(before)));
            forgotten += self.remove(old, |kept| {
                kept.change().is_old(before) && !kept.is_rejected_within(before)
            })?;
        }
        Ok(forgotten)
    }

    /// Removes the requests of these changes for which `gone` still holds in the transaction.
    fn remove(
        &self,
        changes: impl Iterator<Item = Result<(u64, ChangeRecord), StoreError>>,
        gone: impl Fn(&KeptRequest) -> bool,
    ) -> Result<usize, StoreError> {
        let mut changes = changes.peekable();
        let mut removed = 0;
        while changes.peek().is_some() {
            let some = changes.by_ref().take(REMOVED_AT_ONCE);
            let sessions: Vec<SessionId> =
                some.map(|change| Ok(change?.1.session)).collect::<Result<_, StoreError>>()?;
            removed += self.write(Durability::Deferred, |transaction| {
                remove_some(transaction, &sessions, &gone)
            })?;
        }
        Ok(removed)
    }
}

fn remove_some(
    transaction: &mut Transaction<'_>,
    sessions: &[SessionId],
    gone: impl Fn(&KeptRequest) -> bool,
) -> Result<usize, StoreError> {
    let mut removed = 0;
    for session in sessions {
        if let Some(kept) = transaction.request(*session)?.filter(&gone) {
            transaction.remove_request(&kept);
            removed += 1;
        }
    }
    Ok(removed)
}

impl KeptRequest {
    /// Whether the operator has rejected it, and at `now` less than the longest life of a request
    /// has passed since its expiry.
    fn is_rejected_within(&self, now: u64) -> bool {
        let rejected = match &self.state {
            RequestState::Refused(rejection) => rejection.decision.by == Decider::Operator,
            _ => false,
        };
        rejected && self.request.expiry().saturating_add(MAX_LIFETIME_SECONDS) > now
    }
}

impl ChangeRecord {
    /// Whether it was never approved here, and cannot be any more.
    fn is_dead(&self, now: u64) -> bool {
        self.approved.is_none() && self.expiry <= now
    }

    fn is_old(&self, before: u64) -> bool {
        self.changed < before && self.expiry < before
    }
}

/// The iterator over the requests of one group in one state.
struct Source {
    position: u64,
    session: SessionId,
}

impl Source {
    fn of(changes: &mut Changes) -> Result<Option<Self>, StoreError> {
        let next = changes.next_back().transpose()?;
        Ok(next.map(|(position, change)| Self { position, session: change.session }))
    }
}
