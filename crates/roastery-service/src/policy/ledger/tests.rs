use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{model::Model, *};

const KEY: Key = [1; 32];

/// A time at which both clocks agree, in seconds after the start of each.
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
    ledger.open(KEY, [], by_both(0));
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
    // A further share of the same request adds no amount.
    assert!(release(2, 40, 3000));
    assert!(release(3, 60, 1000 + DAY));
    // A clock that was set back lets no entry expire.
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
    // An hour and a day by both clocks end it.
    assert!(!release(2, per_day(100), by(1000 + DAY, DAY - 1)));
    assert!(!release(2, per_day(100), by(1000 + DAY - 1, DAY)));
    assert!(release(2, caps, by(1000 + DAY, DAY)));
}

#[test]
fn a_replacement_counts_once_with_the_greater_amount() {
    let ledger = ledger();
    let release = |name: u8, amount: u64, coins: &[u8]| {
        ledger.release(KEY, session(name), &spend(amount, coins), per_day(100), by_both(9)).is_ok()
    };
    assert!(release(1, 80, &[1]));
    // The fee is raised twice, then a coin is added; a lower amount reduces nothing.
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
        ledger.release(KEY, session(name), &spend(amount, coins), per_day(100), by_both(9)).is_ok()
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
    // Its share may still leave: only what has left counts then.
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
    // Another key is independent of it.
    ledger.release([2; 32], session(4), &Spending::default(), caps, by_both(3000)).unwrap();
}

#[test]
fn what_leaves_while_the_log_is_read_counts_and_counts_once() {
    let ledger = ledger();
    // It may be among the entries that are read, or not.
    let (first, second) = (spend(60, &[1]), spend(30, &[2]));
    ledger.release(KEY, session(1), &first, per_day(100), by_both(1000)).unwrap();
    ledger.release(KEY, session(2), &second, per_day(100), by_both(1000)).unwrap();
    ledger.open(KEY, [(session(1), 1000, first)], by_both(1000));
    let release = |amount| {
        ledger.release(KEY, session(3), &spend(amount, &[3]), per_day(100), by_both(2000)).is_ok()
    };
    assert!(!release(11));
    assert!(release(10));
}

#[test]
fn what_left_before_the_start_counts() {
    let ledger = Ledger::default();
    let before = [(session(1), 1000, spend(60, &[1])), (session(2), 500, spend(30, &[2]))];
    ledger.open(KEY, before, by_both(1000));
    let release = |amount, at| {
        ledger.release(KEY, session(3), &spend(amount, &[3]), per_day(100), by_both(at)).is_ok()
    };
    assert!(!release(11, 2000));
    assert!(release(40, 500 + DAY));
}

#[test]
fn what_was_read_from_the_log_is_not_forgotten_by_a_clock_that_is_ahead_for_a_while() {
    let ledger = Ledger::default();
    ledger.open(KEY, [(session(1), 1000, spend(60, &[1]))], by(2000, 0));
    let release =
        |now| ledger.release(KEY, session(2), &spend(60, &[2]), per_day(100), now).is_ok();
    assert!(!release(by(1000 + 7 * DAY, 60)));
    assert!(!release(by(2060, 60)));
    assert!(!release(by(1000 + DAY, DAY - 1001)));
    assert!(release(by(1000 + DAY, DAY - 1000)));
}

/// A step of a test of the ledger.
#[derive(Clone, Debug)]
enum Step {
    Check(u8, Spending),
    Reserve(u8, Spending),
    /// Drops one of the reservations.
    Drop(usize),
    Release(u8, Spending),
    /// An entry of the log, of so many seconds ago, is read.
    Before(u8, Spending, u64),
    /// Both clocks advance by so many seconds.
    Later(u64),
    /// The wall clock is set.
    Set(u64),
}

fn steps() -> impl Strategy<Value = Step> {
    let amount = prop_oneof![4 => 0..60_u64, 1 => Just(u64::MAX), 1 => Just(u64::MAX / 2)];
    let coins = proptest::collection::btree_set(0..6_u8, 0..4);
    let spending = (amount, coins)
        .prop_map(|(amount, coins)| spend(amount, &coins.into_iter().collect::<Vec<u8>>()));
    let spending = spending.boxed();
    let name = || 0..8_u8;
    prop_oneof![
        (name(), spending.clone()).prop_map(|(name, spent)| Step::Check(name, spent)),
        (name(), spending.clone()).prop_map(|(name, spent)| Step::Reserve(name, spent)),
        any::<usize>().prop_map(Step::Drop),
        (name(), spending.clone()).prop_map(|(name, spent)| Step::Release(name, spent)),
        (name(), spending, 0..2 * DAY)
            .prop_map(|(name, spent, ago)| { Step::Before(name, spent, ago) }),
        prop_oneof![Just(1), Just(HOUR), 0..DAY].prop_map(Step::Later),
        (0..20 * DAY).prop_map(Step::Set),
    ]
}

fn limits() -> impl Strategy<Value = Caps> {
    let per_hour = proptest::option::of(0..6_u32);
    let per_day = proptest::option::of(prop_oneof![4 => 0..200_u64, 1 => Just(u64::MAX)]);
    (per_hour, per_day)
        .prop_map(|(most_per_hour, most_per_day)| Caps { most_per_hour, most_per_day })
}

proptest! {
    #[test]
    fn the_ledger_decides_as_one_that_looks_at_everything_each_time(
        caps in limits(),
        steps in proptest::collection::vec(steps(), 1..60),
    ) {
        let (ledger, mut model) = (ledger(), Model::default());
        let (mut wall, mut steady, mut number) = (10 * DAY, DAY, 0);
        let mut open: BTreeMap<usize, Reservation> = BTreeMap::new();
        for step in steps {
            let now = by(wall, steady);
            match step {
                Step::Check(name, spent) => prop_assert_eq!(
                    ledger.check(KEY, session(name), &spent, caps, now),
                    model.check(session(name), &spent, caps, now)
                ),
                Step::Reserve(name, spent) => {
                    let reserved = ledger.reserve(KEY, session(name), spent.clone(), caps, now);
                    let expected = model.check(session(name), &spent, caps, now);
                    prop_assert_eq!(reserved.as_ref().err(), expected.as_ref().err());
                    if let Ok(reservation) = reserved {
                        open.insert(number, reservation);
                        model.open.insert(number, (session(name), spent));
                        number += 1;
                    }
                }
                Step::Drop(which) => {
                    let which = open.keys().nth(which % open.len().max(1)).copied();
                    if let Some(which) = which {
                        open.remove(&which);
                        model.open.remove(&which);
                    }
                }
                Step::Release(name, spent) => prop_assert_eq!(
                    ledger.release(KEY, session(name), &spent, caps, now),
                    model.release(session(name), &spent, caps, now)
                ),
                Step::Before(name, spent, ago) => {
                    let at = wall.saturating_sub(ago);
                    ledger.open(KEY, [(session(name), at, spent.clone())], now);
                    model.before(session(name), at, &spent, now);
                }
                Step::Later(seconds) => {
                    wall += seconds;
                    steady += seconds;
                }
                Step::Set(to) => wall = to,
            }
        }
    }
}
