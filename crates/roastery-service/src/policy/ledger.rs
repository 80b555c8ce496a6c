//! The amounts and requests of shares that have left or may leave: by key and by coin, over all
//! groups that share a key.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bitcoin::Amount;
use roastery_bitcoin::policy;
use roastery_protocol::SessionId;
use roastery_store::{Coin, Spending};

use super::{
    Refusal,
    recent::{Noted, Now, Recent},
};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// A share that left longer ago than this counts towards no limit, in seconds.
pub const LOOKS_BACK: u64 = DAY;

/// An x-only group key.
pub type Key = [u8; 32];

/// The limits of a key within a time. One that is absent is not applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// The most requests within an hour.
    pub most_per_hour: Option<u32>,
    /// The most satoshi within 24 hours.
    pub most_per_day: Option<u64>,
}

impl Caps {
    /// Whether there is no limit.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The spending of shares that have left, and of approved requests that are open, for each key that
/// has a limit.
///
/// Money is counted by coin. Of two payments that spend the same coin only one can take place, so a
/// replacement adds only the amount by which it is greater. For each payment its coins together are
/// charged with at least its amount: whichever payments take place, they take at most what all
/// coins are charged with.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<BTreeMap<Key, Account>>);

#[derive(Debug, Default)]
struct Account {
    released: Totals,
    /// The approved and open requests, by the number of the reservation.
    open: BTreeMap<u64, (SessionId, Spending)>,
    next: u64,
}

/// The totals by coin, and by request.
#[derive(Debug)]
struct Totals {
    /// What each coin is charged with, in satoshi.
    coins: Recent<Coin, u64>,
    requests: Recent<SessionId, ()>,
    /// The sum of all charges. Unlike these it has no bound.
    spent: u128,
}

impl Default for Totals {
    fn default() -> Self {
        Self { coins: Recent::within(DAY), requests: Recent::within(HOUR), spent: 0 }
    }
}

impl Totals {
    fn forget_old(&mut self, now: Now) {
        let spent = &mut self.spent;
        self.coins.forget_old(now, |satoshi| *spent -= u128::from(satoshi));
        self.requests.forget_old(now, |()| {});
    }

    fn note(&mut self, session: SessionId, spending: &Spending, at: Noted) {
        self.requests.note(session, at);
        let charged = spending.coins.iter().filter_map(|coin| self.coins.get(coin));
        let adds = spending.amount.saturating_sub(sum(charged.copied()));
        for (number, coin) in spending.coins.iter().enumerate() {
            let charge = self.coins.note(*coin, at);
            if number == 0 {
                let before = *charge;
                *charge = before.saturating_add(adds);
                self.spent += u128::from(*charge - before);
            }
        }
    }
}

/// The totals of released shares, together with approved and open requests.
#[derive(Debug)]
struct Tally<'a> {
    released: &'a Totals,
    /// The charges of coins beyond those of released shares, in satoshi.
    coins: BTreeMap<Coin, u64>,
    requests: BTreeSet<SessionId>,
    spent: u128,
}

impl<'a> Tally<'a> {
    fn of(released: &'a Totals) -> Self {
        let (coins, requests, spent) = (BTreeMap::new(), BTreeSet::new(), released.spent);
        Self { released, coins, requests, spent }
    }

    fn charge(&self, coin: &Coin) -> u64 {
        let released = self.released.coins.get(coin).copied().unwrap_or(0);
        released.saturating_add(self.coins.get(coin).copied().unwrap_or(0))
    }

    /// By how much a payment raises the charges of its coins.
    fn adds(&self, spending: &Spending) -> u64 {
        spending.amount.saturating_sub(sum(spending.coins.iter().map(|coin| self.charge(coin))))
    }

    fn add(&mut self, session: SessionId, spending: &Spending) {
        if self.released.requests.get(&session).is_none() {
            self.requests.insert(session);
        }
        let adds = self.adds(spending);
        let Some(first) = spending.coins.first() else { return };
        if adds > 0 {
            *self.coins.entry(*first).or_default() += adds;
            self.spent += u128::from(adds);
        }
    }

    fn count_without(&self, session: SessionId) -> usize {
        let known =
            self.requests.contains(&session) || self.released.requests.get(&session).is_some();
        self.requests.len() + self.released.requests.len() - usize::from(known)
    }

    fn check(&self, session: SessionId, spending: &Spending, caps: Caps) -> Result<(), Refusal> {
        if let Some(most) = caps.most_per_hour {
            let count = self.count_without(session);
            if count >= most as usize {
                return Err(Refusal::Rate { count, most });
            }
        }
        if let Some(most) = caps.most_per_day {
            let (adds, before) = (self.adds(spending), self.spent);
            if adds > 0 && before + u128::from(adds) > u128::from(most) {
                let before = u64::try_from(before).unwrap_or(u64::MAX);
                let sat = Amount::from_sat;
                let (amount, before, most) = (sat(adds), sat(before), sat(most));
                return Err(policy::Refusal::PerDay { amount, before, most }.into());
            }
        }
        Ok(())
    }
}

fn sum(satoshi: impl Iterator<Item = u64>) -> u64 {
    satoshi.fold(0, u64::saturating_add)
}

impl Account {
    /// Whether a request may be approved, given what was released and what is approved and open.
    /// Takes time in proportion to the open requests, of which a group has at most 1024.
    fn check(
        &mut self,
        session: SessionId,
        spending: &Spending,
        caps: Caps,
        now: Now,
    ) -> Result<(), Refusal> {
        self.released.forget_old(now);
        let mut tally = Tally::of(&self.released);
        for (session, spending) in self.open.values() {
            tally.add(*session, spending);
        }
        tally.check(session, spending, caps)
    }
}

impl Ledger {
    /// Starts to count for this key, beginning with what was released before: session, time in
    /// seconds since 1970, and spending. A key that is not counted has no limits.
    pub fn open(
        &self,
        key: Key,
        before: impl IntoIterator<Item = (SessionId, u64, Spending)>,
        now: Now,
    ) {
        let mut accounts = self.lock();
        let account = accounts.entry(key).or_default();
        for (session, at, spending) in before {
            account.released.note(session, &spending, Noted::before(at, now));
        }
    }

    /// Whether a request may be approved, given what was released and what is approved and open.
    ///
    /// # Errors
    ///
    /// [`Refusal`] names the limit.
    pub fn check(
        &self,
        key: Key,
        session: SessionId,
        spending: &Spending,
        caps: Caps,
        now: Now,
    ) -> Result<(), Refusal> {
        let mut accounts = self.lock();
        let Some(account) = accounts.get_mut(&key) else { return Ok(()) };
        account.check(session, spending, caps, now)
    }

    /// The same, and from now on the request counts as approved and open until the reservation is
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`Refusal`] names the limit.
    pub fn reserve(
        self: &Arc<Self>,
        key: Key,
        session: SessionId,
        spending: Spending,
        caps: Caps,
        now: Now,
    ) -> Result<Reservation, Refusal> {
        let mut accounts = self.lock();
        let Some(account) = accounts.get_mut(&key) else {
            return Ok(Reservation { ledger: self.clone(), key, number: None });
        };
        account.check(session, &spending, caps, now)?;
        let number = account.next;
        account.next += 1;
        account.open.insert(number, (session, spending));
        Ok(Reservation { ledger: self.clone(), key, number: Some(number) })
    }

    /// Whether a share of this request may leave now, given what has left; if so it counts from now
    /// on. Must be called by the one writer of the audit log only, in the order in which shares
    /// leave.
    ///
    /// # Errors
    ///
    /// [`Refusal`] names the limit.
    pub fn release(
        &self,
        key: Key,
        session: SessionId,
        spending: &Spending,
        caps: Caps,
        now: Now,
    ) -> Result<(), Refusal> {
        let mut accounts = self.lock();
        let Some(account) = accounts.get_mut(&key) else { return Ok(()) };
        account.released.forget_old(now);
        Tally::of(&account.released).check(session, spending, caps)?;
        account.released.note(session, spending, now.into());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Account>> {
        // A panic between two entries leaves one of a payment's coins uncharged at worst, and a
        // panic ends the process.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While this exists a request counts as approved and open.
#[derive(Debug)]
pub struct Reservation {
    ledger: Arc<Ledger>,
    key: Key,
    number: Option<u64>,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(number) = self.number
            && let Some(account) = self.ledger.lock().get_mut(&self.key)
        {
            account.open.remove(&number);
        }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
