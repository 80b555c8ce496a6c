//! Which requests spend which coins, for each key: a coin can be spent once.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use roastery_protocol::{GroupId, SessionId};
use roastery_store::Coin;

use crate::policy::Key;

/// The most requests of each kind and key whose coins are remembered; the oldest are evicted.
pub(in crate::service) const MOST_REMEMBERED: usize = 4096;

/// The most requests that are looked at for one coin when a transaction is made.
const MOST_OF_COIN: usize = 64;

/// The coins of the requests of each key: its epochs have one wallet.
#[derive(Debug, Default)]
pub(in crate::service) struct CoinsOfKeys(Mutex<BTreeMap<Key, Arc<Coins>>>);

impl CoinsOfKeys {
    /// Those of a key.
    pub(in crate::service) fn of(&self, key: Key) -> Arc<Coins> {
        // No step under the lock leaves an entry incomplete.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }
}

/// The coins of the requests that were examined since the start, and of those that were approved
/// here. They are kept separately, so that proposals evict no approved request.
#[derive(Debug, Default)]
pub(in crate::service) struct Coins {
    seen: Mutex<Known>,
    approved: Mutex<Known>,
    /// By group of the key, which of its requests its members do not let succeed any more.
    epochs: Mutex<BTreeMap<GroupId, Failed>>,
}

/// Says whether a request cannot be signed any more.
#[derive(Clone)]
struct Failed(Arc<dyn Fn(SessionId) -> bool + Send + Sync>);

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Failed")
    }
}

#[derive(Debug, Default)]
struct Known {
    spent: BTreeMap<SessionId, Vec<Coin>>,
    spenders: BTreeMap<Coin, BTreeSet<SessionId>>,
    order: VecDeque<SessionId>,
}

impl Coins {
    /// A group of the key has started, and says this of its requests.
    pub(in crate::service) fn started(
        &self,
        group: GroupId,
        has_failed: impl Fn(SessionId) -> bool + Send + Sync + 'static,
    ) {
        self.epochs().insert(group, Failed(Arc::new(has_failed)));
    }

    /// Whether a request of a group of the key cannot be signed any more, as that group has heard.
    pub(in crate::service) fn has_failed(&self, group: GroupId, session: SessionId) -> bool {
        let failed = self.epochs().get(&group).cloned();
        failed.is_some_and(|Failed(failed)| failed(session))
    }

    fn epochs(&self) -> MutexGuard<'_, BTreeMap<GroupId, Failed>> {
        // No step under the lock leaves an entry incomplete.
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the coins of a request that was examined.
    pub(in crate::service) fn note(&self, session: SessionId, coins: &[Coin]) {
        lock(&self.seen).note(session, coins);
    }

    /// Notes the coins of a request that was approved here.
    pub(in crate::service) fn approved(&self, session: SessionId, coins: &[Coin]) {
        lock(&self.approved).note(session, coins);
    }

    /// Requests that were examined and spend a coin, [`MOST_OF_COIN`] at most.
    pub(in crate::service) fn proposed_for(&self, coin: &Coin) -> Vec<SessionId> {
        let seen = lock(&self.seen);
        seen.spenders.get(coin).into_iter().flatten().copied().take(MOST_OF_COIN).collect()
    }

    /// The other requests that spend a coin of this one, those that were approved here first: no
    /// number of proposals keeps them from being read.
    pub(in crate::service) fn others(&self, session: SessionId) -> Vec<SessionId> {
        let (seen, approved) = (lock(&self.seen), lock(&self.approved));
        let coins: BTreeSet<&Coin> = [&seen, &approved]
            .into_iter()
            .filter_map(|known| known.spent.get(&session))
            .flatten()
            .collect();
        let mut others = spenders(&seen, &approved, coins);
        others.retain(|other| *other != session);
        others
    }

    /// The requests that spend one of these coins, in the same order.
    pub(in crate::service) fn spenders(&self, coins: &[Coin]) -> Vec<SessionId> {
        spenders(&lock(&self.seen), &lock(&self.approved), coins)
    }
}

fn spenders<'a>(
    seen: &Known,
    approved: &Known,
    coins: impl IntoIterator<Item = &'a Coin>,
) -> Vec<SessionId> {
    let spenders: BTreeSet<SessionId> = coins
        .into_iter()
        .flat_map(|coin| [seen.spenders.get(coin), approved.spenders.get(coin)])
        .flatten()
        .flatten()
        .copied()
        .collect();
    let mut spenders: Vec<_> = spenders.into_iter().collect();
    spenders.sort_by_key(|session| !approved.spent.contains_key(session));
    spenders
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
