//! Which requests pay what, for each key: two that pay the same from other coins can both be
//! confirmed.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bitcoin::{Amount, OutPoint, Script, Transaction, Txid, hashes::Hash as _};
use roastery_bitcoin::{psbt, spend::Spend};
use roastery_frost::hash::tagged_hash;
use roastery_protocol::{
    SessionId,
    request::{MAX_LIFETIME_SECONDS, Subject},
};
use roastery_store::{Coin, KeptRequest};

/// The most requests whose payments are remembered.
const MOST_REQUESTS: usize = 4096;

/// The most payments and coins of all requests together that are remembered. One transaction has
/// 3000 at most.
pub(in crate::service) const MOST_PAYMENTS: usize = 1 << 17;

/// How long a signed transaction, and one of which a share has left, counts as a payment that is
/// made, in seconds: four weeks.
pub(in crate::service) const PAYMENT_COUNTS: u64 = 28 * 24 * 60 * 60;

/// A coin, as the store names it.
pub(in crate::service) fn coin_of(outpoint: &OutPoint) -> Coin {
    Coin { transaction: outpoint.txid.to_byte_array(), output: outpoint.vout }
}

/// After how long no payment counts any more, in seconds: a request lives no longer, and what is
/// signed counts for a time after that.
const OLDEST: u64 = PAYMENT_COUNTS + MAX_LIFETIME_SECONDS;

const TO: &str = "roastery/service/1/payment";

/// An amount, and a hash of the script that it is paid to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::service) struct Payment {
    pub(in crate::service) amount: Amount,
    to: [u8; 16],
}

impl Payment {
    pub(in crate::service) fn new(amount: Amount, to: &Script) -> Self {
        let hash = tagged_hash(TO, &[to.as_bytes()]);
        let mut first = [0; 16];
        first.copy_from_slice(&hash[..16]);
        Self { amount, to: first }
    }
}

/// What a transaction pays, and with which coins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) struct Pays {
    pub(in crate::service) txid: Txid,
    pub(in crate::service) payments: Vec<Payment>,
    /// All that it spends, those of others too: of two that spend one coin one is confirmed.
    pub(in crate::service) coins: Vec<Coin>,
}

impl Pays {
    /// What a transaction pays to others.
    pub(in crate::service) fn of(spend: &Spend) -> Self {
        let paid = spend.payments().map(|(_, paid)| Payment::new(paid.amount, &paid.script));
        Self::new(spend.transaction(), paid.collect())
    }

    /// What the transaction of a request pays, what returns among it: it is not known here which
    /// that is, and nothing that is compared with it returns. `None` if it shows none, or pays
    /// nothing: a proof of funds spends no coin.
    pub(in crate::service) fn of_kept(kept: &KeptRequest) -> Option<Self> {
        let Subject::Transaction(bytes) = &kept.subject else { return None };
        let document = psbt::read(bytes).ok()?;
        let transaction = &document.decoded().unsigned_tx;
        let paid = transaction.output.iter().filter(|output| output.value > Amount::ZERO);
        let paid = paid.map(|output| Payment::new(output.value, &output.script_pubkey));
        let payments: Vec<Payment> = paid.collect();
        (!payments.is_empty()).then(|| Self::new(transaction, payments))
    }

    fn new(transaction: &Transaction, payments: Vec<Payment>) -> Self {
        let coins = transaction.input.iter().map(|input| coin_of(&input.previous_output));
        Self { txid: transaction.compute_txid(), payments, coins: coins.collect() }
    }

    /// How many payments and coins it has.
    pub(in crate::service) fn size(&self) -> usize {
        self.payments.len() + self.coins.len()
    }
}

/// The payments of requests, with the coins that they are made with. Of too many requests the
/// oldest are forgotten; of too many payments first those of the request with the most. The one
/// that is noted stays.
#[derive(Debug, Default)]
pub(in crate::service) struct Payments(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    paid: BTreeMap<SessionId, Noted>,
    payers: BTreeSet<(Payment, SessionId)>,
    /// By when they were noted.
    order: BTreeMap<u64, SessionId>,
    /// By how much they have, and when they were noted: of those with as much the oldest is last.
    sizes: BTreeSet<(usize, Reverse<u64>)>,
    /// The payments and coins of all together.
    size: usize,
    noted: u64,
}

#[derive(Debug)]
struct Noted {
    pays: Pays,
    number: u64,
    /// In seconds since 1970.
    at: u64,
}

impl Payments {
    /// Notes what a request pays, at this time, in seconds since 1970. Returns how many requests
    /// are forgotten for it.
    pub(in crate::service) fn note(&self, session: SessionId, pays: Pays, at: u64) -> u64 {
        self.lock().note(session, pays, at)
    }

    /// What a request pays, if that is known.
    pub(in crate::service) fn of(&self, session: SessionId) -> Option<Pays> {
        self.lock().paid.get(&session).map(|noted| noted.pays.clone())
    }

    /// The transaction of a request and all coins that it spends, if its payments are known.
    pub(in crate::service) fn spent_by(&self, session: SessionId) -> Option<(Txid, Vec<Coin>)> {
        let known = self.lock();
        known.paid.get(&session).map(|Noted { pays, .. }| (pays.txid, pays.coins.clone()))
    }

    /// The requests that pay one of these, with the first that they pay too; `None` for those that
    /// spend one of these coins: of both one is confirmed.
    pub(in crate::service) fn payers(
        &self,
        payments: &[Payment],
        coins: &BTreeSet<Coin>,
    ) -> BTreeMap<SessionId, Option<Payment>> {
        let known = self.lock();
        let mut payers = BTreeMap::new();
        for payment in payments {
            let [first, last] = [[0; 32], [255; 32]].map(SessionId::from_bytes);
            for (_, session) in known.payers.range((*payment, first)..=(*payment, last)) {
                let spends_one = || {
                    let spent = known.paid.get(session).map(|noted| &noted.pays.coins);
                    spent.into_iter().flatten().any(|coin| coins.contains(coin))
                };
                payers.entry(*session).or_insert_with(|| (!spends_one()).then_some(*payment));
            }
        }
        payers
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // At worst a payment of a request that was forgotten stays.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn note(&mut self, session: SessionId, mut pays: Pays, at: u64) -> u64 {
        pays.payments.sort_unstable();
        pays.payments.dedup();
        if self.paid.get(&session).is_some_and(|known| known.pays == pays) {
            return 0;
        }
        self.forget(session);
        if pays.payments.is_empty() {
            return 0;
        }
        while let Some(oldest) = self.order.first_entry().map(|oldest| *oldest.get())
            && self.paid.get(&oldest).is_none_or(|old| old.at.saturating_add(OLDEST) < at)
        {
            self.forget(oldest);
        }
        let mut forgotten = 0;
        let size = pays.size();
        while self.paid.len() >= MOST_REQUESTS || self.size + size > MOST_PAYMENTS {
            let is_one_too_many = self.paid.len() >= MOST_REQUESTS;
            let largest = self.sizes.last().map(|(_, Reverse(number))| *number);
            let largest = largest.filter(|_| !is_one_too_many);
            let number = largest.or_else(|| self.order.keys().next().copied());
            let Some(session) = number.and_then(|number| self.order.get(&number).copied()) else {
                break;
            };
            self.forget(session);
            forgotten += 1;
        }
        self.noted += 1;
        let number = self.noted;
        self.order.insert(number, session);
        self.sizes.insert((size, Reverse(number)));
        self.size += size;
        self.payers.extend(pays.payments.iter().map(|payment| (*payment, session)));
        self.paid.insert(session, Noted { pays, number, at });
        forgotten
    }

    fn forget(&mut self, session: SessionId) {
        if let Some(Noted { pays, number, .. }) = self.paid.remove(&session) {
            self.order.remove(&number);
            self.sizes.remove(&(pays.size(), Reverse(number)));
            self.size -= pays.size();
            for payment in pays.payments {
                self.payers.remove(&(payment, session));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::ScriptBuf;

    use super::*;

    const AT: u64 = 1_700_000_000;

    fn session(number: u16) -> SessionId {
        let mut name = [0; 32];
        name[..2].copy_from_slice(&number.to_be_bytes());
        SessionId::from_bytes(name)
    }

    fn payment(amount: u64, to: u8) -> Payment {
        Payment::new(Amount::from_sat(amount), &ScriptBuf::from_bytes(vec![to]))
    }

    fn coin(output: u32) -> Coin {
        Coin { transaction: [7; 32], output }
    }

    fn pays(payments: impl IntoIterator<Item = Payment>) -> Pays {
        let payments = payments.into_iter().collect();
        Pays { txid: Txid::from_byte_array([7; 32]), payments, coins: vec![coin(7)] }
    }

    fn many(number: usize, to: u8) -> Pays {
        pays((0..number as u64).map(move |amount| payment(amount + 9, to)))
    }

    #[test]
    fn requests_that_pay_the_same_amount_to_the_same_script_are_found_and_no_others() {
        let known = Payments::default();
        let none = BTreeSet::new();
        known.note(session(1), pays([payment(5, 1), payment(6, 2)]), AT);
        known.note(session(2), pays([payment(5, 1)]), AT);
        known.note(session(3), pays([payment(6, 1), payment(5, 2)]), AT);
        let by = |number, payment| (session(number), Some(payment));
        let found = known.payers(&[payment(5, 1)], &none);
        assert_eq!(found, [by(1, payment(5, 1)), by(2, payment(5, 1))].into());
        assert_eq!(known.payers(&[payment(6, 2)], &none), [by(1, payment(6, 2))].into());
        // What is shown with it was replaced.
        known.note(session(2), pays([payment(7, 1)]), AT);
        assert_eq!(known.payers(&[payment(5, 1)], &none).len(), 1);
    }

    #[test]
    fn a_request_that_pays_the_same_with_a_coin_of_the_other_is_no_further_payment() {
        let known = Payments::default();
        known.note(session(1), pays([payment(5, 1)]), AT);
        for (spent, paid) in [(7, None), (8, Some(payment(5, 1)))] {
            let found = known.payers(&[payment(5, 1)], &[coin(spent)].into());
            assert_eq!(found, [(session(1), paid)].into());
        }
    }

    #[test]
    fn of_too_many_payments_those_of_the_request_with_the_most_are_forgotten_but_not_what_is_noted()
    {
        let known = Payments::default();
        assert_eq!(known.note(session(0), pays([payment(1, 0)]), AT), 0);
        let half = MOST_PAYMENTS / 2 - 4;
        assert_eq!(known.note(session(1), many(half, 1), AT), 0);
        assert_eq!(known.note(session(2), many(half, 2), AT), 0);
        assert_eq!(known.note(session(3), many(half + 1, 3), AT), 1);
        assert_eq!(known.spent_by(session(1)), None, "the oldest of those with as many");
        for number in [0, 2, 3] {
            assert!(known.spent_by(session(number)).is_some(), "{number}");
        }
        let known = known.lock();
        let sizes = known.paid.values().map(|noted| noted.pays.size());
        assert_eq!(known.size, sizes.sum::<usize>());
    }

    #[test]
    fn of_too_many_requests_the_oldest_is_forgotten_and_a_batch_stays_until_it_is() {
        let known = Payments::default();
        let most = MOST_REQUESTS as u16;
        for number in 0..most {
            assert_eq!(known.note(session(number), pays([payment(2, 3)]), AT), 0);
        }
        assert_eq!(known.note(session(most), many(100, 1), AT), 1);
        for number in 1..most {
            assert_eq!(known.note(session(most + number), pays([payment(2, 3)]), AT), 1);
        }
        assert_eq!(known.spent_by(session(most - 1)), None);
        assert!(known.spent_by(session(most)).is_some(), "the batch");
        assert_eq!(known.note(session(2 * most), pays([payment(2, 3)]), AT), 1);
        assert_eq!(known.spent_by(session(most)), None);
        let known = known.lock();
        let sizes = [known.paid.len(), known.order.len(), known.sizes.len()];
        assert_eq!(sizes, [MOST_REQUESTS; 3]);
    }

    #[test]
    fn what_counts_no_more_is_forgotten_before_anything_else() {
        let known = Payments::default();
        known.note(session(1), pays([payment(5, 1)]), AT);
        known.note(session(2), pays([payment(5, 1)]), AT + OLDEST);
        assert!(known.spent_by(session(1)).is_some());
        assert_eq!(known.note(session(3), pays([payment(5, 1)]), AT + OLDEST + 1), 0);
        assert!(known.spent_by(session(1)).is_none() && known.spent_by(session(2)).is_some());
    }
}
