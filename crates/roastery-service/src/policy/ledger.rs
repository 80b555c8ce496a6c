//! What has left, and what may leave: counted by key and by coin, over all groups that share a key.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bitcoin::Amount;
use roastery_bitcoin::policy;
use roastery_node::store::{Coin, Spending};
use roastery_protocol::SessionId;

use super::Refusal;

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// What left longer ago than this counts for no limit, in seconds.
pub const LOOKS_BACK: u64 = DAY;

/// An x-only group key.
pub type Key = [u8; 32];

/// When something is, by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Seconds since 1970, by a clock that can be set.
    pub wall: u64,
    /// By a clock that cannot be set, of this process only.
    pub steady: Instant,
}

/// What may leave in a time. A limit that is absent is not applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// The most requests within an hour.
    pub most_per_hour: Option<u32>,
    /// The most satoshi within 24 hours.
    pub most_per_day: Option<u64>,
}

impl Caps {
    /// Whether nothing is limited.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What shares that left have spent, and what approved requests may still spend, for each key that
/// has a limit.
///
/// Money is counted by coin. Of two payments that spend the same coin only one can take place, so
/// that a replacement adds only what it takes more. For each payment its coins together are charged
/// with at least its amount: whichever payments take place, they take at most what all coins are
/// charged with.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<BTreeMap<Key, Account>>);

#[derive(Debug, Default)]
struct Account {
    released: Totals,
    /// Approved and open, by the number of the reservation.
    open: BTreeMap<u64, (SessionId, Spending)>,
    next: u64,
}

/// What counts: by coin, and by request.
#[derive(Clone, Debug, Default)]
struct Totals {
    coins: BTreeMap<Coin, Charge>,
    requests: BTreeMap<SessionId, Noted>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Charge {
    /// When the last payment that spends the coin was released.
    at: Noted,
    satoshi: u64,
}

/// When something was released last.
#[derive(Clone, Copy, Debug, Default)]
struct Noted {
    /// In seconds since 1970.
    wall: u64,
    /// None if it was read from the log.
    steady: Option<Instant>,
}

impl Noted {
    fn again(&mut self, at: Self) {
        self.wall = self.wall.max(at.wall);
        self.steady = self.steady.max(at.steady);
    }

    /// Whether it was less than so many seconds ago. What this process has seen is so until both
    /// clocks say otherwise: one that is ahead for a while takes no charge away.
    fn is_within(self, seconds: u64, now: Now) -> bool {
        let steady = self.steady.is_some_and(|at| {
            now.steady.saturating_duration_since(at) < Duration::from_secs(seconds)
        });
        // By a clock that was set back nothing is old.
        steady || self.wall.saturating_add(seconds) > now.wall
    }
}

impl From<Now> for Noted {
    fn from(now: Now) -> Self {
        Self { wall: now.wall, steady: Some(now.steady) }
    }
}

impl Totals {
    fn forget_old(&mut self, now: Now) {
        self.coins.retain(|_, charge| charge.at.is_within(DAY, now));
        self.requests.retain(|_, at| at.is_within(HOUR, now));
    }

    fn spent(&self) -> u64 {
        self.coins.values().fold(0, |sum, charge| sum.saturating_add(charge.satoshi))
    }

    /// What a payment adds to what its coins are charged with.
    fn adds(&self, spending: &Spending) -> u64 {
        let charged = spending.coins.iter().filter_map(|coin| self.coins.get(coin));
        let charged = charged.fold(0, |sum: u64, charge| sum.saturating_add(charge.satoshi));
        spending.amount.saturating_sub(charged)
    }

    fn note(&mut self, session: SessionId, spending: &Spending, at: Noted) {
        self.requests.entry(session).or_default().again(at);
        let adds = self.adds(spending);
        for (number, coin) in spending.coins.iter().enumerate() {
            let charge = self.coins.entry(*coin).or_default();
            charge.at.again(at);
            if number == 0 {
                charge.satoshi = charge.satoshi.saturating_add(adds);
            }
        }
    }

    fn check(&self, session: SessionId, spending: &Spending, caps: Caps) -> Result<(), Refusal> {
        if let Some(most) = caps.most_per_hour {
            let count = self.requests.keys().filter(|other| **other != session).count();
            if count >= most as usize {
                return Err(Refusal::Rate { count, most });
            }
        }
        if let Some(most) = caps.most_per_day {
            let (adds, before) = (self.adds(spending), self.spent());
            if adds > 0 && before.checked_add(adds).is_none_or(|sum| sum > most) {
                let sat = Amount::from_sat;
                let (amount, before, most) = (sat(adds), sat(before), sat(most));
                return Err(policy::Refusal::PerDay { amount, before, most }.into());
            }
        }
        Ok(())
    }
}

impl Account {
    /// What was released, and what is approved and open.
    fn all(&self, now: Now) -> Totals {
        let mut all = self.released.clone();
        all.forget_old(now);
        for (session, spending) in self.open.values() {
            all.note(*session, spending, now.into());
        }
        all
    }
}

impl Ledger {
    /// Counts for this key from now on, beginning with what was released before: session, time in
    /// seconds since 1970, and what it spends. A key for which nothing is counted has no limits.
    pub fn open(&self, key: Key, before: impl IntoIterator<Item = (SessionId, u64, Spending)>) {
        let mut accounts = self.lock();
        let account = accounts.entry(key).or_default();
        for (session, at, spending) in before {
            account.released.note(session, &spending, Noted { wall: at, steady: None });
        }
    }

    /// Whether a request may be approved: with what was released and what is approved and open.
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
        let accounts = self.lock();
        let Some(account) = accounts.get(&key) else { return Ok(()) };
        account.all(now).check(session, spending, caps)
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
        account.all(now).check(session, &spending, caps)?;
        let number = account.next;
        account.next += 1;
        account.open.insert(number, (session, spending));
        Ok(Reservation { ledger: self.clone(), key, number: Some(number) })
    }

    /// Whether a share of this request may leave now, with what has left; if so it counts from now
    /// on. To be called by the one writer of the audit log only, in the order in which shares
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
        account.released.check(session, spending, caps)?;
        account.released.note(session, spending, now.into());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Account>> {
        // A panic between two entries leaves one of a payment's coins uncharged at worst, and a
        // panic ends the process.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An approved and open request counts as long as this is there.
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
mod tests {
    use std::sync::LazyLock;

    use super::*;

    const KEY: Key = [1; 32];

    /// Both clocks agree, in seconds after the start of one and of the other.
    fn by_both(seconds: u64) -> Now {
        by(seconds, seconds)
    }

    fn by(wall: u64, steady: u64) -> Now {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        Now { wall, steady: *START + Duration::from_secs(steady) }
    }

    fn session(name: u8) -> SessionId {
        SessionId::from_bytes([name; 32])
    }

    fn spend(amount: u64, coins: &[u8]) -> Spending {
        let coin = |name: &u8| Coin { transaction: [*name; 32], output: 0 };
        Spending { amount, coins: coins.iter().map(coin).collect() }
    }

    fn per_day(most: u64) -> Caps {
        Caps { most_per_day: Some(most), ..Caps::default() }
    }

    fn ledger() -> Arc<Ledger> {
        let ledger = Ledger::default();
        ledger.open(KEY, []);
        Arc::new(ledger)
    }

    #[test]
    fn what_leaves_within_a_day_counts_when_it_leaves() {
        let ledger = ledger();
        let release = |name: u8, amount: u64, at: u64| {
            ledger
                .release(KEY, session(name), &spend(amount, &[name]), per_day(100), by_both(at))
                .is_ok()
        };
        assert!(release(1, 60, 1000));
        assert!(!release(2, 41, 2000));
        assert!(release(2, 40, 2000));
        assert!(!release(3, 1, 1000 + DAY - 1));
        // A further share of the same request takes nothing more.
        assert!(release(2, 40, 3000));
        assert!(release(3, 60, 1000 + DAY));
        // By a clock that was set back nothing is forgotten.
        assert!(!release(4, 1, 5));
    }

    #[test]
    fn a_clock_that_is_ahead_for_a_while_takes_no_charge_away() {
        let ledger = ledger();
        let caps = Caps { most_per_hour: Some(1), most_per_day: Some(100) };
        let release = |name: u8, caps, now| {
            ledger.release(KEY, session(name), &spend(60, &[name]), caps, now).is_ok()
        };
        assert!(release(1, caps, by(1000, 0)));
        // It jumps ahead by a week, and back.
        assert!(!release(2, caps, by(1000 + 7 * DAY, 60)));
        assert!(!release(2, caps, by(1060, 60)));
        // An hour and a day by both end it.
        assert!(!release(2, per_day(100), by(1000 + DAY, DAY - 1)));
        assert!(!release(2, per_day(100), by(1000 + DAY - 1, DAY)));
        assert!(release(2, caps, by(1000 + DAY, DAY)));
    }

    #[test]
    fn a_replacement_counts_once_with_the_greater_amount() {
        let ledger = ledger();
        let release = |name: u8, amount: u64, coins: &[u8]| {
            ledger
                .release(KEY, session(name), &spend(amount, coins), per_day(100), by_both(9))
                .is_ok()
        };
        assert!(release(1, 80, &[1]));
        // The fee is raised twice, then a coin is added; a lower amount takes nothing back.
        assert!(release(2, 85, &[1]));
        assert!(release(3, 90, &[1, 2]));
        assert!(release(4, 50, &[1]));
        assert!(!release(5, 101, &[1]));
        assert!(!release(5, 11, &[3]));
        assert!(release(5, 10, &[3]));
    }

    #[test]
    fn a_small_payment_that_spends_the_coins_of_two_others_hides_neither() {
        let ledger = ledger();
        let release = |name: u8, amount: u64, coins: &[u8]| {
            ledger
                .release(KEY, session(name), &spend(amount, coins), per_day(100), by_both(9))
                .is_ok()
        };
        assert!(release(1, 50, &[1]));
        assert!(release(2, 1, &[1, 2]));
        // The second coin's own payment can take place beside the first.
        assert!(release(3, 50, &[2]));
        assert!(!release(4, 1, &[4]));
    }

    #[test]
    fn what_is_approved_and_open_counts_until_it_is_over() {
        let ledger = ledger();
        let reserve = |name: u8, amount: u64| {
            ledger.reserve(KEY, session(name), spend(amount, &[name]), per_day(100), by_both(9))
        };
        let first = reserve(1, 60).unwrap();
        let refusal = reserve(2, 41).unwrap_err();
        assert!(refusal.to_string().starts_with("policy.transactions: limit per day: "));
        // It may still leave: only what has left counts then.
        ledger.release(KEY, session(3), &spend(50, &[3]), per_day(100), by_both(9)).unwrap();
        ledger.release(KEY, session(1), &spend(60, &[1]), per_day(100), by_both(9)).unwrap_err();
        drop(first);
        reserve(2, 41).unwrap();
    }

    #[test]
    fn requests_within_an_hour_are_counted_over_all_groups_of_one_key() {
        let ledger = ledger();
        let caps = Caps { most_per_hour: Some(2), ..Caps::default() };
        let release = |name: u8, caps: Caps, at: u64| {
            ledger.release(KEY, session(name), &Spending::default(), caps, by_both(at))
        };
        // Another group of this key, without a limit.
        release(1, Caps::default(), 1000).unwrap();
        release(2, caps, 2000).unwrap();
        release(2, caps, 2500).unwrap();
        let refusal = release(3, caps, 3000).unwrap_err();
        assert_eq!(refusal, Refusal::Rate { count: 2, most: 2 });
        release(3, caps, 1000 + HOUR).unwrap();
        // Another key has nothing to do with it.
        ledger.release([2; 32], session(4), &Spending::default(), caps, by_both(3000)).unwrap();
    }

    #[test]
    fn what_leaves_while_the_log_is_read_counts_and_counts_once() {
        let ledger = ledger();
        // It may be among what is read, or not.
        let (first, second) = (spend(60, &[1]), spend(30, &[2]));
        ledger.release(KEY, session(1), &first, per_day(100), by_both(1000)).unwrap();
        ledger.release(KEY, session(2), &second, per_day(100), by_both(1000)).unwrap();
        ledger.open(KEY, [(session(1), 1000, first)]);
        let release = |amount| {
            ledger
                .release(KEY, session(3), &spend(amount, &[3]), per_day(100), by_both(2000))
                .is_ok()
        };
        assert!(!release(11));
        assert!(release(10));
    }

    #[test]
    fn what_left_before_the_start_counts() {
        let ledger = Ledger::default();
        ledger.open(KEY, [(session(1), 1000, spend(60, &[1])), (session(2), 500, spend(30, &[2]))]);
        let release = |amount, at| {
            ledger.release(KEY, session(3), &spend(amount, &[3]), per_day(100), by_both(at)).is_ok()
        };
        assert!(!release(11, 2000));
        assert!(release(40, 500 + DAY));
    }
}
