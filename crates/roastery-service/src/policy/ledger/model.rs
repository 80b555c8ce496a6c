//! A simple model of the same decisions, which scans everything each time.

use std::{collections::BTreeMap, time::Duration};

use bitcoin::Amount;
use roastery_bitcoin::policy;
use roastery_protocol::SessionId;
use roastery_store::{Coin, Spending};

use super::{
    super::recent::{Noted, Now},
    Caps, DAY, HOUR, Refusal,
};

/// Whether it was less than so many seconds ago, by either clock.
fn is_within(noted: Noted, seconds: u64, now: Now) -> bool {
    let steady = noted
        .steady
        .is_some_and(|at| now.steady.saturating_duration_since(at) < Duration::from_secs(seconds));
    steady || noted.wall.saturating_add(seconds) > now.wall
}

/// The totals by coin, and by request.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    coins: BTreeMap<Coin, Charge>,
    requests: BTreeMap<SessionId, Noted>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Charge {
    /// When the last payment that spends the coin was released.
    at: Noted,
    satoshi: u64,
}

impl Totals {
    pub(super) fn forget_old(&mut self, now: Now) {
        self.coins.retain(|_, charge| is_within(charge.at, DAY, now));
        self.requests.retain(|_, at| is_within(*at, HOUR, now));
    }

    fn spent(&self) -> u64 {
        self.coins.values().fold(0, |sum, charge| sum.saturating_add(charge.satoshi))
    }

    /// By how much a payment raises the charges of its coins.
    fn adds(&self, spending: &Spending) -> u64 {
        let charged = spending.coins.iter().filter_map(|coin| self.coins.get(coin));
        let charged = charged.fold(0, |sum: u64, charge| sum.saturating_add(charge.satoshi));
        spending.amount.saturating_sub(charged)
    }

    pub(super) fn note(&mut self, session: SessionId, spending: &Spending, at: Noted) {
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

    pub(super) fn check(
        &self,
        session: SessionId,
        spending: &Spending,
        caps: Caps,
    ) -> Result<(), Refusal> {
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

/// The ledger of one key.
#[derive(Debug, Default)]
pub(super) struct Model {
    released: Totals,
    /// The approved and open requests, by the number of the reservation.
    pub(super) open: BTreeMap<usize, (SessionId, Spending)>,
}

impl Model {
    pub(super) fn check(
        &mut self,
        session: SessionId,
        spending: &Spending,
        caps: Caps,
        now: Now,
    ) -> Result<(), Refusal> {
        self.released.forget_old(now);
        let mut all = self.released.clone();
        for (session, spending) in self.open.values() {
            all.note(*session, spending, now.into());
        }
        all.check(session, spending, caps)
    }

    pub(super) fn release(
        &mut self,
        session: SessionId,
        spending: &Spending,
        caps: Caps,
        now: Now,
    ) -> Result<(), Refusal> {
        self.released.forget_old(now);
        self.released.check(session, spending, caps)?;
        self.released.note(session, spending, now.into());
        Ok(())
    }

    pub(super) fn before(&mut self, session: SessionId, at: u64, spending: &Spending, now: Now) {
        self.released.note(session, spending, Noted::before(at, now));
    }
}
