//! Challenges. A ticket says what its challenge is for and carries a code that this run of the
//! node alone can make, so none is kept before it is used: those that are asked for and never
//! signed take no memory. Used ones are kept until they expire; each took a right signature.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use roastery_frost::hash::tagged_hash;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::RemoteAct;
use crate::passkey::RemoteError;

const CODE: &str = "roastery/service/1/ticket";
const CHALLENGE: &str = "roastery/service/1/challenge";

/// How long a challenge counts.
pub(in crate::service) const LIFE: Duration = Duration::from_secs(120);

/// The most used ones that are kept in mind.
const MOST_USED: usize = 1024;

/// The most used ones of one passkey: what one signs leaves room for the others.
const MOST_USED_BY_ONE: usize = 32;

/// Act, passkey, session, seen, the last rejection, end, and chance.
const SAID: usize = 1 + 32 + 32 + 32 + 8 + 8 + 16;

/// The length of a ticket, in bytes.
pub(in crate::service) const TICKET: usize = SAID + 32;

/// What a challenge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) struct Purpose {
    pub(in crate::service) act: RemoteAct,
    /// The hash of the credential that is to sign; zeros for any.
    pub(in crate::service) passkey: [u8; 32],
    /// The session of the request; zeros for none.
    pub(in crate::service) session: [u8; 32],
    /// What was seen of it; zeros for none.
    pub(in crate::service) seen: [u8; 32],
    /// The number of the last rejection when it was asked for: a later rejection stays.
    pub(in crate::service) after: u64,
}

/// A ticket of this node that has not expired.
#[derive(Clone, Debug)]
pub(in crate::service) struct Ticket {
    pub(in crate::service) purpose: Purpose,
    pub(in crate::service) challenge: [u8; 32],
    ends: u64,
}

pub(in crate::service) struct Tickets {
    /// The node's name.
    node: Vec<u8>,
    secret: Zeroizing<[u8; 32]>,
    begun: Instant,
    /// The challenges that were used.
    used: Mutex<BTreeMap<[u8; 32], Used>>,
}

struct Used {
    ends: u64,
    /// The hash of the credential that has signed.
    by: [u8; 32],
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tickets").finish_non_exhaustive()
    }
}

impl Tickets {
    pub(in crate::service) fn new(node: Vec<u8>) -> Result<Self, getrandom::Error> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut())?;
        Ok(Self { node, secret, begun: Instant::now(), used: Mutex::default() })
    }

    /// A ticket for this purpose, and its challenge.
    pub(in crate::service) fn issue(
        &self,
        purpose: &Purpose,
        at: Instant,
    ) -> Result<(Vec<u8>, [u8; 32]), getrandom::Error> {
        let mut chance = [0; 16];
        getrandom::fill(&mut chance)?;
        let ends = self.milliseconds(at + LIFE).to_be_bytes();
        let Purpose { act, passkey, session, seen, after } = purpose;
        let after = after.to_be_bytes();
        let said = [&[act.number()][..], passkey, session, seen, &after, &ends, &chance].concat();
        let code = self.code(&said);
        let ticket = [said, code.to_vec()].concat();
        let challenge = self.challenge(&ticket);
        Ok((ticket, challenge))
    }

    /// Reads a ticket of this node.
    pub(in crate::service) fn open(
        &self,
        bytes: &[u8],
        at: Instant,
    ) -> Result<Ticket, RemoteError> {
        if bytes.len() != TICKET {
            return Err(RemoteError::NoTicket);
        }
        let (said, code) = bytes.split_at(SAID);
        if !bool::from(self.code(said)[..].ct_eq(code)) {
            return Err(RemoteError::NoTicket);
        }
        let part = |from: usize| {
            let mut part = [0; 32];
            part.copy_from_slice(&said[from..from + 32]);
            part
        };
        let act = RemoteAct::numbered(said[0]).ok_or(RemoteError::NoTicket)?;
        let number = |from: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&said[from..from + 8]);
            u64::from_be_bytes(number)
        };
        let (after, ends) = (number(97), number(105));
        if self.milliseconds(at) >= ends {
            return Err(RemoteError::TicketExpired);
        }
        let (passkey, session, seen) = (part(1), part(33), part(65));
        let purpose = Purpose { act, passkey, session, seen, after };
        Ok(Ticket { purpose, challenge: self.challenge(bytes), ends })
    }

    /// Notes that a ticket is used, once, with the hash of the credential that has signed.
    pub(in crate::service) fn use_up(
        &self,
        ticket: &Ticket,
        by: [u8; 32],
        at: Instant,
    ) -> Result<(), RemoteError> {
        let now = self.milliseconds(at);
        // No step under the lock leaves an entry incomplete.
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, used| now < used.ends);
        if used.contains_key(&ticket.challenge) {
            return Err(RemoteError::TicketUsed);
        }
        if used.len() >= MOST_USED {
            return Err(RemoteError::TooManyUsed(MOST_USED));
        }
        if used.values().filter(|used| used.by == by).count() >= MOST_USED_BY_ONE {
            return Err(RemoteError::TooManyUsed(MOST_USED_BY_ONE));
        }
        used.insert(ticket.challenge, Used { ends: ticket.ends, by });
        Ok(())
    }

    /// The challenge of a ticket: what it says, at this node.
    fn challenge(&self, ticket: &[u8]) -> [u8; 32] {
        let length = (self.node.len() as u64).to_be_bytes();
        tagged_hash(CHALLENGE, &[&length, &self.node, ticket])
    }

    /// What is said has one length, so that the hash of a secret and it is a code of both.
    fn code(&self, said: &[u8]) -> [u8; 32] {
        tagged_hash(CODE, &[&self.secret[..], said])
    }

    fn milliseconds(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.begun).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purpose() -> Purpose {
        let act = RemoteAct::Approve;
        Purpose { act, passkey: [1; 32], session: [2; 32], seen: [3; 32], after: 4 }
    }

    fn tickets() -> Tickets {
        Tickets::new(b"node".to_vec()).unwrap()
    }

    #[test]
    fn a_ticket_counts_for_two_minutes_and_once() {
        let (tickets, now) = (tickets(), Instant::now());
        let (bytes, challenge) = tickets.issue(&purpose(), now).unwrap();
        let ticket = tickets.open(&bytes, now + LIFE - Duration::from_millis(2)).unwrap();
        assert_eq!((ticket.purpose, ticket.challenge), (purpose(), challenge));
        tickets.use_up(&ticket, [1; 32], now).unwrap();
        assert_eq!(tickets.use_up(&ticket, [1; 32], now), Err(RemoteError::TicketUsed));
        assert_eq!(tickets.open(&bytes, now + LIFE).unwrap_err(), RemoteError::TicketExpired);
        // One for the same purpose at the same time is another one.
        let (other, of_other) = tickets.issue(&purpose(), now).unwrap();
        assert_ne!(of_other, challenge);
        tickets.use_up(&tickets.open(&other, now).unwrap(), [1; 32], now).unwrap();
    }

    #[test]
    fn no_bit_of_a_ticket_can_be_changed_and_one_of_another_run_or_node_is_none() {
        let (tickets, now) = (tickets(), Instant::now());
        let (bytes, _) = tickets.issue(&purpose(), now).unwrap();
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_eq!(tickets.open(&other, now).unwrap_err(), RemoteError::NoTicket, "{at}");
        }
        for other in [&bytes[1..], &bytes[..bytes.len() - 1], &[], &[&bytes[..], &[0]].concat()] {
            assert_eq!(tickets.open(other, now).unwrap_err(), RemoteError::NoTicket);
        }
        let restarted = Tickets::new(b"node".to_vec()).unwrap();
        assert_eq!(restarted.open(&bytes, now).unwrap_err(), RemoteError::NoTicket);
    }

    #[test]
    fn the_challenge_is_another_one_at_another_node_and_for_each_part_of_the_purpose() {
        let tickets = tickets();
        let elsewhere = Tickets::new(b"elsewhere".to_vec()).unwrap();
        let (bytes, challenge) = tickets.issue(&purpose(), Instant::now()).unwrap();
        assert_ne!(elsewhere.challenge(&bytes), challenge);
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_ne!(tickets.challenge(&other), challenge, "{at}");
        }
    }

    #[test]
    fn those_that_are_asked_for_take_no_memory_and_used_ones_are_bounded() {
        let (tickets, now) = (tickets(), Instant::now());
        let use_one = |by: usize, at| {
            let (bytes, _) = tickets.issue(&purpose(), at).unwrap();
            let by = [u8::try_from(by).unwrap(); 32];
            tickets.use_up(&tickets.open(&bytes, at).unwrap(), by, at)
        };
        // What one passkey signs leaves room for another one.
        (0..MOST_USED_BY_ONE).for_each(|_| use_one(0, now).unwrap());
        assert_eq!(use_one(0, now), Err(RemoteError::TooManyUsed(MOST_USED_BY_ONE)));
        (MOST_USED_BY_ONE..MOST_USED)
            .for_each(|number| use_one(number / MOST_USED_BY_ONE, now).unwrap());
        assert_eq!(use_one(99, now), Err(RemoteError::TooManyUsed(MOST_USED)));
        // They make room when they expire.
        use_one(0, now + LIFE + Duration::from_millis(1)).unwrap();
        assert_eq!(tickets.used.lock().unwrap().len(), 1);
    }
}
