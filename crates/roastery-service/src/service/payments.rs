//! Which requests pay what, for each key: two that pay the same from other coins can both be
//! confirmed.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bitcoin::{Amount, Script, Txid};
use roastery_bitcoin::{psbt, spend::Spend};
use roastery_frost::hash::tagged_hash;
use roastery_protocol::{SessionId, request::Subject};
use roastery_store::KeptRequest;

/// The most requests whose payments are remembered.
const MOST_REQUESTS: usize = 4096;

/// The most payments of all requests together that are remembered.
const MOST_PAYMENTS: usize = 1 << 17;

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

/// What a transaction pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) struct Pays {
    pub(in crate::service) txid: Txid,
    pub(in crate::service) payments: Vec<Payment>,
}

impl Pays {
    /// What a transaction pays to others.
    pub(in crate::service) fn of(spend: &Spend) -> Self {
        let paid = spend.payments().map(|(_, paid)| Payment::new(paid.amount, &paid.script));
        Self { txid: spend.transaction().compute_txid(), payments: paid.collect() }
    }

    /// What the transaction of a request pays, what returns among it: it is not known here which
    /// that is, and nothing that is compared with it returns. `None` if it shows none.
    pub(in crate::service) fn of_kept(kept: &KeptRequest) -> Option<Self> {
        let Subject::Transaction(bytes) = &kept.subject else { return None };
        let document = psbt::read(bytes).ok()?;
        let transaction = &document.decoded().unsigned_tx;
        let paid = transaction.output.iter();
        let payments = paid.map(|paid| Payment::new(paid.value, &paid.script_pubkey)).collect();
        Some(Self { txid: transaction.compute_txid(), payments })
    }
}

/// The payments of requests. Where they are too many those of the request with the most are
/// forgotten first, so that a member with many keeps out none but its own.
#[derive(Debug, Default)]
pub(in crate::service) struct Payments(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// What each pays, and when it was noted.
    paid: BTreeMap<SessionId, (Pays, u64)>,
    payers: BTreeSet<(Payment, SessionId)>,
    /// By how many payments they have, and when they were noted: those to be forgotten are last.
    order: BTreeSet<(usize, Reverse<u64>, SessionId)>,
    noted: u64,
}

impl Payments {
    /// Notes what a request pays. Returns how many requests are forgotten for it.
    pub(in crate::service) fn note(&self, session: SessionId, pays: Pays) -> u64 {
        self.lock().note(session, pays)
    }

    /// The transaction of a request, if its payments are known.
    pub(in crate::service) fn txid(&self, session: SessionId) -> Option<Txid> {
        self.lock().paid.get(&session).map(|(pays, _)| pays.txid)
    }

    /// The requests that pay one of these, with the first that they pay too.
    pub(in crate::service) fn payers(&self, payments: &[Payment]) -> BTreeMap<SessionId, Payment> {
        let known = self.lock();
        let mut payers = BTreeMap::new();
        for payment in payments {
            let [first, last] = [[0; 32], [255; 32]].map(SessionId::from_bytes);
            for (_, session) in known.payers.range((*payment, first)..=(*payment, last)) {
                payers.entry(*session).or_insert(*payment);
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
    fn note(&mut self, session: SessionId, mut pays: Pays) -> u64 {
        pays.payments.sort_unstable();
        pays.payments.dedup();
        if self.paid.get(&session).is_some_and(|(known, _)| *known == pays) {
            return 0;
        }
        self.forget(session);
        if pays.payments.is_empty() {
            return 0;
        }
        self.noted += 1;
        self.order.insert((pays.payments.len(), Reverse(self.noted), session));
        self.payers.extend(pays.payments.iter().map(|payment| (*payment, session)));
        self.paid.insert(session, (pays, self.noted));
        let mut forgotten = 0;
        while self.paid.len() > MOST_REQUESTS || self.payers.len() > MOST_PAYMENTS {
            let Some((_, _, most)) = self.order.last().copied() else { break };
            self.forget(most);
            forgotten += 1;
        }
        forgotten
    }

    fn forget(&mut self, session: SessionId) {
        if let Some((pays, noted)) = self.paid.remove(&session) {
            self.order.remove(&(pays.payments.len(), Reverse(noted), session));
            for payment in pays.payments {
                self.payers.remove(&(payment, session));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::{ScriptBuf, hashes::Hash as _};

    use super::*;

    fn session(number: u16) -> SessionId {
        let mut name = [0; 32];
        name[..2].copy_from_slice(&number.to_be_bytes());
        SessionId::from_bytes(name)
    }

    fn payment(amount: u64, to: u8) -> Payment {
        Payment::new(Amount::from_sat(amount), &ScriptBuf::from_bytes(vec![to]))
    }

    fn pays(payments: impl IntoIterator<Item = Payment>) -> Pays {
        Pays { txid: Txid::from_byte_array([7; 32]), payments: payments.into_iter().collect() }
    }

    #[test]
    fn requests_that_pay_the_same_amount_to_the_same_script_are_found_and_no_others() {
        let known = Payments::default();
        known.note(session(1), pays([payment(5, 1), payment(6, 2)]));
        known.note(session(2), pays([payment(5, 1)]));
        known.note(session(3), pays([payment(6, 1), payment(5, 2)]));
        assert_eq!(
            known.payers(&[payment(5, 1)]),
            [(session(1), payment(5, 1)), (session(2), payment(5, 1))].into()
        );
        assert_eq!(known.payers(&[payment(6, 2)]), [(session(1), payment(6, 2))].into());
        // What is shown with it was replaced.
        known.note(session(2), pays([payment(7, 1)]));
        assert_eq!(known.payers(&[payment(5, 1)]).len(), 1);
    }

    #[test]
    fn a_request_with_many_payments_is_forgotten_before_those_with_few() {
        let known = Payments::default();
        assert_eq!(known.note(session(0), pays([payment(1, 0)])), 0);
        let most = (MOST_PAYMENTS / 2) as u64;
        let many = |to| pays((0..most).map(move |amount| payment(amount + 9, to)));
        assert_eq!(known.note(session(1), many(1)), 0);
        assert_eq!(known.note(session(2), many(2)), 1);
        assert_eq!(known.txid(session(1)), None, "the oldest of those with as many");
        assert!(known.txid(session(0)).is_some() && known.txid(session(2)).is_some());
        for number in 0..=MOST_REQUESTS as u16 {
            known.note(session(number + 9), pays([payment(2, 3)]));
        }
        assert_eq!(known.lock().paid.len(), MOST_REQUESTS);
        assert_eq!(known.lock().order.len(), MOST_REQUESTS);
    }
}
