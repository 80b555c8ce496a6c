//! Which requests spend which coins. A coin can be spent once, so the approver of a request is
//! shown the others.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use roastery_bitcoin::spend::{Level, Part};
use roastery_protocol::SessionId;
use roastery_store::{Coin, KeptRequest};

use crate::service::group::{service::GroupService, state::State, warning::RequestWarning};

/// The most requests of each kind whose coins are remembered; the oldest are evicted.
pub(in crate::service) const MOST_REMEMBERED: usize = 4096;

/// The most other requests that are named in one request.
const MOST_NAMED: usize = 8;

/// The most other requests that are read for one request.
const MOST_READ: usize = 64;

/// The coins of the requests that were examined since the start, and of those that were approved
/// here. They are kept separately, so that proposals evict no approved request.
#[derive(Debug, Default)]
pub(in crate::service) struct Coins {
    seen: Mutex<Known>,
    approved: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    spent: BTreeMap<SessionId, Vec<Coin>>,
    spenders: BTreeMap<Coin, BTreeSet<SessionId>>,
    order: VecDeque<SessionId>,
}

impl Coins {
    /// Notes the coins of a request that was examined.
    pub(in crate::service) fn note(&self, session: SessionId, coins: &[Coin]) {
        lock(&self.seen).note(session, coins);
    }

    /// Notes the coins of a request that was approved here.
    pub(in crate::service) fn approved(&self, session: SessionId, coins: &[Coin]) {
        lock(&self.approved).note(session, coins);
    }

    /// The requests that spend a coin.
    pub(in crate::service) fn spenders_of(&self, coin: &Coin) -> BTreeSet<SessionId> {
        let (seen, approved) = (lock(&self.seen), lock(&self.approved));
        let spenders = [seen.spenders.get(coin), approved.spenders.get(coin)];
        spenders.into_iter().flatten().flatten().copied().collect()
    }

    /// The other requests that spend a coin of this one, those that were approved here first: no
    /// number of proposals keeps them from being read.
    fn others(&self, session: SessionId) -> Vec<SessionId> {
        let (seen, approved) = (lock(&self.seen), lock(&self.approved));
        let coins: BTreeSet<&Coin> = [&seen, &approved]
            .into_iter()
            .filter_map(|known| known.spent.get(&session))
            .flatten()
            .collect();
        let others: BTreeSet<SessionId> = coins
            .into_iter()
            .flat_map(|coin| [seen.spenders.get(coin), approved.spenders.get(coin)])
            .flatten()
            .flatten()
            .copied()
            .collect();
        let mut others: Vec<_> = others.into_iter().filter(|other| *other != session).collect();
        others.sort_by_key(|other| !approved.spent.contains_key(other));
        others
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    // At worst a coin of an evicted request stays.
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    fn note(&mut self, session: SessionId, coins: &[Coin]) {
        if coins.is_empty() || self.spent.contains_key(&session) {
            return;
        }
        if self.order.len() >= MOST_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.forget(oldest);
        }
        self.order.push_back(session);
        self.spent.insert(session, coins.to_vec());
        for coin in coins {
            self.spenders.entry(*coin).or_default().insert(session);
        }
    }

    fn forget(&mut self, session: SessionId) {
        for coin in self.spent.remove(&session).into_iter().flatten() {
            if let Some(spenders) = self.spenders.get_mut(&coin) {
                spenders.remove(&session);
                if spenders.is_empty() {
                    self.spenders.remove(&coin);
                }
            }
        }
    }
}

/// Whether two requests are different parts of one transaction, of which both show the same.
fn are_parts_of_one(one: &KeptRequest, other: &KeptRequest) -> bool {
    let (a, b) = (&one.request, &other.request);
    Part::may_be_of_one(a, b) && one.subject == other.subject && a.messages() != b.messages()
}

/// The other requests that spend coins of one, as they are stored.
#[derive(Debug, Default)]
pub(in crate::service) struct CoinsElsewhere {
    known: Vec<KeptRequest>,
    /// The number of those that were not read.
    unread: usize,
}

impl GroupService {
    /// The other requests that spend a coin of this one; `read` gives a request from the store.
    pub(in crate::service) fn elsewhere<E>(
        &self,
        kept: &KeptRequest,
        mut read: impl FnMut(SessionId) -> Result<Option<KeptRequest>, E>,
    ) -> Result<CoinsElsewhere, E> {
        let others = self.coins.others(kept.request.session_id());
        let unread = others.len().saturating_sub(MOST_READ);
        let mut known = Vec::new();
        for other in others.into_iter().take(MOST_READ) {
            known.extend(read(other)?);
        }
        known.retain(|other| !are_parts_of_one(kept, other));
        Ok(CoinsElsewhere { known, unread })
    }

    /// The same where the store does not answer.
    pub(in crate::service) fn elsewhere_unread(&self, kept: &KeptRequest) -> CoinsElsewhere {
        let unread = self.coins.others(kept.request.session_id()).len();
        CoinsElsewhere { known: Vec::new(), unread }
    }

    /// Warnings about other requests that are open or signed and spend the same coins, or were
    /// refused and have the same messages: one for each, those that are approved or signed first.
    pub(in crate::service) fn conflicts(
        &self,
        kept: &KeptRequest,
        elsewhere: &CoinsElsewhere,
    ) -> Conflicts {
        let CoinsElsewhere { known, unread } = elsewhere;
        let mut conflicts = Conflicts { unread: *unread, ..Conflicts::default() };
        for other in known {
            let state = self.current_state(other).state;
            let same = other.request.messages() == kept.request.messages();
            match state {
                State::Approved | State::Signed => {
                    conflicts.decided.push(conflict(other, state, same));
                }
                State::Proposed => conflicts.proposed.push(conflict(other, state, same)),
                // The same messages were refused before.
                State::Refused if same => conflicts.proposed.push(conflict(other, state, same)),
                _ => {}
            }
        }
        conflicts
    }
}

fn conflict(other: &KeptRequest, state: State, same: bool) -> RequestWarning {
    let session = other.request.session_id().to_string();
    let id = &session[..8];
    if same {
        let text = format!("the same transaction as request {id}, which is {state}");
        return RequestWarning { code: "same_transaction", level: Level::Look, text };
    }
    let text = format!(
        "spends a coin that request {id} spends, which is {state}: one replaces the other, and \
         only one can be confirmed"
    );
    RequestWarning { code: "spent_twice", level: Level::Stop, text }
}

/// The warnings about other requests with the same coins.
#[derive(Debug, Default)]
pub(in crate::service) struct Conflicts {
    /// About those that are approved or signed: each is part of what a decision is about.
    pub(in crate::service) decided: Vec<RequestWarning>,
    /// About the others. One member alone can make and end them at any time, so a decision is only
    /// about whether there are some.
    pub(in crate::service) proposed: Vec<RequestWarning>,
    pub(in crate::service) unread: usize,
}

impl Conflicts {
    /// Whether there are some, of each level, that are neither approved nor signed, or were not
    /// read: to look at, and to stop at.
    pub(in crate::service) fn proposed(&self) -> [bool; 2] {
        let some = |level| self.proposed.iter().any(|warning| warning.level == level);
        [some(Level::Look), some(Level::Stop) || self.unread > 0]
    }

    /// The lines to be shown: a bounded number, with the number of those that are left out.
    pub(in crate::service) fn lines(self) -> Vec<RequestWarning> {
        let Self { decided, proposed, unread } = self;
        let mut lines = decided;
        lines.extend(proposed);
        let more = lines.len().saturating_sub(MOST_NAMED);
        lines.truncate(MOST_NAMED);
        let also = |number: usize, text: &str| {
            let text = format!("{number} {text}");
            RequestWarning { code: "spent_twice", level: Level::Stop, text }
        };
        if more > 0 {
            lines.push(also(more, "more requests spend the same coins"));
        }
        if unread > 0 {
            lines.push(also(unread, "further requests have the same coins, and were not read"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u16) -> SessionId {
        let mut name = [0; 32];
        name[..2].copy_from_slice(&number.to_be_bytes());
        SessionId::from_bytes(name)
    }

    fn coin(output: u32) -> Coin {
        Coin { transaction: [7; 32], output }
    }

    #[test]
    fn requests_that_spend_a_coin_of_each_other_know_each_other() {
        let coins = Coins::default();
        coins.note(session(1), &[coin(1), coin(2)]);
        coins.note(session(2), &[coin(2), coin(3)]);
        coins.note(session(3), &[coin(3)]);
        coins.note(session(4), &[]);
        assert_eq!(coins.others(session(1)), [session(2)]);
        assert_eq!(coins.others(session(2)), [session(1), session(3)]);
        assert!(coins.others(session(4)).is_empty());
        coins.approved(session(3), &[coin(3)]);
        assert_eq!(coins.others(session(2)), [session(3), session(1)]);
    }

    #[test]
    fn proposals_without_end_push_out_no_request_that_was_approved() {
        let coins = Coins::default();
        coins.approved(session(0), &[coin(u32::MAX)]);
        for number in 1..=2 * MOST_REMEMBERED as u16 {
            coins.note(session(number), &[coin(number.into())]);
        }
        coins.note(session(u16::MAX), &[coin(u32::MAX)]);
        assert_eq!(coins.others(session(u16::MAX)), [session(0)]);
        assert_eq!(coins.others(session(0)), [session(u16::MAX)]);
    }

    #[test]
    fn of_too_many_requests_those_that_were_looked_at_first_are_forgotten() {
        let coins = Coins::default();
        for number in 0..=MOST_REMEMBERED as u16 {
            coins.note(session(number), &[coin(number.into()), coin(u32::MAX)]);
        }
        assert!(coins.others(session(0)).is_empty());
        assert_eq!(coins.others(session(1)).len(), MOST_REMEMBERED - 1);
        assert_eq!(lock(&coins.seen).spenders.len(), MOST_REMEMBERED + 1);
    }
}
