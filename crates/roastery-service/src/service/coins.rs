//! Which requests spend which coins and pay what, for each key: a coin can be spent once, and what
//! is paid twice from other coins leaves twice.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bitcoin::Txid;
use roastery_protocol::{GroupId, SessionId};
use roastery_store::Coin;

use crate::{
    policy::Key,
    service::{
        now,
        payments::{Payment, Payments, Pays},
    },
};

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
/// here or signed. They are kept separately, so that proposals evict none of these.
#[derive(Debug, Default)]
pub(in crate::service) struct Coins {
    seen: Mutex<Known>,
    approved: Mutex<Known>,
    seen_payments: Payments,
    approved_payments: Payments,
    /// The approved ones of which a share has left.
    released: Mutex<BTreeSet<SessionId>>,
    /// Those that others have signed.
    signed: Mutex<BTreeSet<SessionId>>,
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
    /// The coins of each, and when it was noted.
    spent: BTreeMap<SessionId, (Vec<Coin>, u64)>,
    spenders: BTreeMap<Coin, BTreeSet<SessionId>>,
    order: BTreeMap<u64, SessionId>,
    noted: u64,
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

    /// Notes a request that was examined: its coins, and what it pays. Returns of how many other
    /// requests it is forgotten what they pay.
    pub(in crate::service) fn note(
        &self,
        session: SessionId,
        coins: &[Coin],
        pays: Option<Pays>,
    ) -> u64 {
        let is_payment = pays.as_ref().is_some_and(|pays| !pays.payments.is_empty());
        if is_payment && self.signed_lock().contains(&session) {
            return self.approved(session, coins, pays);
        }
        lock(&self.seen).note(session, coins);
        pays.map_or(0, |pays| self.seen_payments.note(session, pays, now()))
    }

    /// Notes a request that was approved here or signed. Returns the same.
    pub(in crate::service) fn approved(
        &self,
        session: SessionId,
        coins: &[Coin],
        pays: Option<Pays>,
    ) -> u64 {
        lock(&self.approved).note(session, coins);
        pays.map_or(0, |pays| self.approved_payments.note(session, pays, now()))
    }

    /// Notes that others have signed a request. What it was found to pay counts as approved, now or
    /// once it is examined: what its proposer shows alone does not. Returns the same.
    pub(in crate::service) fn signed(&self, session: SessionId) -> u64 {
        let mut signed = self.signed_lock();
        if signed.insert(session) && signed.len() > 2 * MOST_REMEMBERED {
            let approved = lock(&self.approved);
            signed.retain(|one| *one == session || approved.spent.contains_key(one));
        }
        drop(signed);
        let Some(pays) = self.seen_payments.of(session) else { return 0 };
        let spent = pays.coins.clone();
        self.approved(session, &spent, Some(pays))
    }

    fn signed_lock(&self) -> MutexGuard<'_, BTreeSet<SessionId>> {
        self.signed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a share of a request has left.
    pub(in crate::service) fn released(&self, session: SessionId) {
        let mut released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        if released.insert(session) && released.len() > 2 * MOST_REMEMBERED {
            let approved = lock(&self.approved);
            released.retain(|session| approved.spent.contains_key(session));
        }
    }

    /// Whether a share of a request has left.
    pub(in crate::service) fn is_released(&self, session: SessionId) -> bool {
        self.released.lock().unwrap_or_else(PoisonError::into_inner).contains(&session)
    }

    /// The transaction of a request and all coins that it spends, if its payments are known.
    pub(in crate::service) fn spent_by(&self, session: SessionId) -> Option<(Txid, Vec<Coin>)> {
        let approved = self.approved_payments.spent_by(session);
        approved.or_else(|| self.seen_payments.spent_by(session))
    }

    /// Requests that were examined and spend a coin, the latest first, [`MOST_OF_COIN`] at most.
    pub(in crate::service) fn proposed_for(&self, coin: &Coin) -> Vec<SessionId> {
        let seen = lock(&self.seen);
        let mut spenders: Vec<_> = seen.spenders.get(coin).into_iter().flatten().copied().collect();
        spenders.sort_by_key(|session| Reverse(seen.number(*session)));
        spenders.truncate(MOST_OF_COIN);
        spenders
    }

    /// The requests that spend one of these coins, which are all of a transaction, or pay one of
    /// these payments from others. Those that were approved here or signed are first, and of these
    /// and of the others the latest, so that no number of proposals keeps them from being read.
    pub(in crate::service) fn alike(&self, coins: &[Coin], payments: &[Payment]) -> Vec<Alike> {
        let coins: BTreeSet<Coin> = coins.iter().copied().collect();
        let mut found = self.seen_payments.payers(payments, &coins);
        let approved_payers = self.approved_payments.payers(payments, &coins);
        let (seen, approved) = (lock(&self.seen), lock(&self.approved));
        let is_approved = |session: &SessionId| {
            approved.spent.contains_key(session) || approved_payers.contains_key(session)
        };
        found.extend(approved_payers.iter().map(|(session, pays)| (*session, *pays)));
        let spenders = coins
            .iter()
            .flat_map(|coin| [seen.spenders.get(coin), approved.spenders.get(coin)])
            .flatten()
            .flatten();
        found.extend(spenders.map(|session| (*session, None)));
        let mut alike: Vec<_> = found
            .into_iter()
            .map(|(session, pays)| Alike { session, pays, is_approved: is_approved(&session) })
            .collect();
        alike.sort_by_key(|one| {
            let (approved, seen) = (approved.number(one.session), seen.number(one.session));
            (!one.is_approved, Reverse(approved), Reverse(seen))
        });
        alike
    }
}

/// Another request with the same money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) struct Alike {
    pub(in crate::service) session: SessionId,
    /// What it pays too, from other coins; `None` if it spends a coin of the other.
    pub(in crate::service) pays: Option<Payment>,
    /// Whether it was approved here or signed.
    pub(in crate::service) is_approved: bool,
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
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.forget(oldest);
        }
        self.noted += 1;
        self.order.insert(self.noted, session);
        self.spent.insert(session, (coins.to_vec(), self.noted));
        for coin in coins {
            self.spenders.entry(*coin).or_default().insert(session);
        }
    }

    /// When a request was noted: later ones have greater numbers.
    fn number(&self, session: SessionId) -> Option<u64> {
        self.spent.get(&session).map(|(_, number)| *number)
    }

    fn forget(&mut self, session: SessionId) {
        for coin in self.spent.remove(&session).into_iter().flat_map(|(coins, _)| coins) {
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

    fn others(coins: &Coins, number: u16, spent: &[Coin]) -> Vec<SessionId> {
        let found = coins.alike(spent, &[]).into_iter().map(|one| one.session);
        found.filter(|one| *one != session(number)).collect()
    }

    #[test]
    fn requests_that_spend_a_coin_of_each_other_know_each_other() {
        let coins = Coins::default();
        coins.note(session(1), &[coin(1), coin(2)], None);
        coins.note(session(2), &[coin(2), coin(3)], None);
        coins.note(session(3), &[coin(3)], None);
        coins.note(session(4), &[], None);
        assert_eq!(others(&coins, 1, &[coin(1), coin(2)]), [session(2)]);
        assert_eq!(others(&coins, 2, &[coin(2), coin(3)]), [session(3), session(1)]);
        assert!(others(&coins, 4, &[]).is_empty());
        coins.approved(session(1), &[coin(1), coin(2)], None);
        assert_eq!(others(&coins, 2, &[coin(2), coin(3)]), [session(1), session(3)]);
    }

    #[test]
    fn a_request_that_pays_the_same_is_known_with_what_it_pays_unless_it_spends_a_coin_too() {
        let coins = Coins::default();
        let to = bitcoin::ScriptBuf::new();
        let payment = |amount| Payment::new(bitcoin::Amount::from_sat(amount), &to);
        let pays = |amount, spent| {
            let txid = bitcoin::hashes::Hash::all_zeros();
            Some(Pays { txid, payments: vec![payment(amount)], coins: vec![coin(spent)] })
        };
        coins.note(session(1), &[coin(1)], pays(5, 1));
        coins.note(session(2), &[coin(2)], pays(5, 2));
        coins.approved(session(3), &[coin(3)], pays(5, 3));
        coins.note(session(4), &[coin(4)], pays(6, 4));
        // Of this one no coin is this group's, and of the next they were forgotten.
        coins.note(session(5), &[], pays(5, 1));
        coins.approved(session(6), &[], pays(5, 1));
        let found = coins.alike(&[coin(1)], &[payment(5)]);
        let of = |number, pays| Alike {
            session: session(number),
            pays,
            is_approved: [3, 6].contains(&number),
        };
        let paid = Some(payment(5));
        let expected = [of(3, paid), of(6, None), of(2, paid), of(1, None), of(5, None)];
        assert_eq!(found, expected);
        assert!(!coins.is_released(session(3)));
        coins.released(session(3));
        assert!(coins.is_released(session(3)) && !coins.is_released(session(1)));
    }

    #[test]
    fn proposals_without_end_push_out_no_request_that_was_approved() {
        let coins = Coins::default();
        coins.approved(session(0), &[coin(u32::MAX)], None);
        for number in 1..=2 * MOST_REMEMBERED as u16 {
            coins.note(session(number), &[coin(number.into())], None);
        }
        coins.note(session(u16::MAX), &[coin(u32::MAX)], None);
        assert_eq!(others(&coins, u16::MAX, &[coin(u32::MAX)]), [session(0)]);
        assert_eq!(others(&coins, 0, &[coin(u32::MAX)]), [session(u16::MAX)]);
    }

    #[test]
    fn of_too_many_requests_those_that_were_looked_at_first_are_forgotten() {
        let coins = Coins::default();
        for number in 0..=MOST_REMEMBERED as u16 {
            coins.note(session(number), &[coin(number.into()), coin(u32::MAX)], None);
        }
        assert!(others(&coins, u16::MAX, &[coin(0)]).is_empty());
        assert_eq!(others(&coins, 1, &[coin(u32::MAX)]).len(), MOST_REMEMBERED - 1);
        assert_eq!(lock(&coins.seen).spenders.len(), MOST_REMEMBERED + 1);
    }
}
