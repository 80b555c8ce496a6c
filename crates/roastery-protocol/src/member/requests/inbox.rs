use std::collections::{BTreeMap, BTreeSet, VecDeque};

use roastery_frost::Seat;

use super::{MOST_DECIDED, MOST_WAITING, MOST_WAITING_BYTES, seat_set::SeatSet};
use crate::{
    BodyHash, SessionId,
    envelope::SIGNATURE,
    group::Group,
    member::frame::{Malformation, Statement, read_proposal},
    message::Proposal,
    request::MAX_LIFETIME_SECONDS,
};

/// A member's proposal, which is not decided yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The member that has signed the proposal. Another one may have passed it on.
    pub by: Seat,
    /// The request and what it is about.
    pub proposal: Proposal,
}

/// What came of a proposal that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Intake {
    /// It is to be shown. `is_first` says that no proposal of its request was known.
    Queued {
        is_first: bool,
    },
    /// It was shown before, or its link has brought another one for the same request.
    Known,
    NotSigned,
    Malformed(Malformation),
    /// The quota of this member is used up: of its own proposals, or of those that its link has
    /// brought.
    TooMany {
        of: Seat,
    },
    /// By this node's clock its request has expired, or lives longer than any request may.
    OutOfTime {
        expiry: u64,
    },
}

/// The proposals that were received, so that each is shown once and each member has a quota.
///
/// A request is charged to the member whose proposal of it came first, until it is decided or has
/// expired. A proposal of the same request by another member, or over another member's link, is
/// charged to that link until it is shown: it is shown if it differs, once for each link.
#[derive(Debug, Default)]
pub(crate) struct ProposalInbox {
    known: BTreeMap<SessionId, Known>,
    expiries: BTreeSet<(u64, SessionId)>,
    accounts: BTreeMap<Seat, Account>,
    /// The proposals to be shown, by the member whose link brought them.
    queues: BTreeMap<Seat, Queue>,
    /// The queue that was served last.
    served: Option<Seat>,
    decisions: u64,
}

#[derive(Debug)]
struct Known {
    original: Original,
    length: usize,
    expiry: u64,
    /// The seats whose links have brought a proposal of it.
    brought_by: SeatSet,
    /// The number of the decision, in the order of decisions; `None` before.
    decided: Option<u64>,
}

/// The proposal of a request that came first, as its author has signed it: enough to pass it on
/// where the same proposal is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Original {
    pub(crate) author: Seat,
    pub(crate) body: BodyHash,
    pub(crate) signature: [u8; SIGNATURE],
}

#[derive(Debug, Default)]
struct Account {
    waiting: usize,
    bytes: usize,
    decided: BTreeSet<(u64, SessionId)>,
}

#[derive(Debug, Default)]
struct Queue {
    proposals: VecDeque<(Proposed, usize)>,
    bytes: usize,
}

impl ProposalInbox {
    /// Takes a proposal of `author`, whom its header names, that came over the link of the member
    /// at seat `via`. `now` are seconds since 1970.
    pub(crate) fn take(
        &mut self,
        via: Seat,
        author: Seat,
        statement: &Statement,
        group: &Group,
        now: u64,
    ) -> Intake {
        self.expire(now);
        let session = statement.header().session;
        let known = self.known.get_mut(&session);
        if known.as_ref().is_some_and(|known| known.brought_by.contains(via)) {
            return Intake::Known;
        }
        let (body, length) = (statement.body_hash(), statement.as_bytes().len());
        let is_first = known.is_none();
        if let Some(known) = known
            && known.original.body == body
        {
            known.brought_by.insert(via);
            return Intake::Known;
        }
        // Before the signature is checked: this quota is that of the authenticated link.
        if self.queues.get(&via).is_some_and(|queue| !queue.has_room_for(length)) {
            return Intake::TooMany { of: via };
        }
        if !statement.is_signed_by_its_sender(group) {
            return Intake::NotSigned;
        }
        let proposal = match read_proposal(statement) {
            Ok(proposal) => proposal,
            Err(malformation) => return Intake::Malformed(malformation),
        };
        let expiry = proposal.request.expiry();
        let life = expiry.checked_sub(now);
        if !life.is_some_and(|life| (1..=MAX_LIFETIME_SECONDS).contains(&life)) {
            return Intake::OutOfTime { expiry };
        }
        if is_first {
            let account = self.accounts.entry(author).or_default();
            if !account.has_room_for(length) {
                return Intake::TooMany { of: author };
            }
            account.waiting += 1;
            account.bytes += length;
            let mut signature = [0; SIGNATURE];
            signature.copy_from_slice(statement.signature());
            let original = Original { author, body, signature };
            let brought_by = SeatSet::default();
            let entry = Known { original, length, expiry, brought_by, decided: None };
            self.known.insert(session, entry);
            self.expiries.insert((expiry, session));
        }
        if let Some(known) = self.known.get_mut(&session) {
            known.brought_by.insert(via);
        }
        let queue = self.queues.entry(via).or_default();
        queue.bytes += length;
        queue.proposals.push_back((Proposed { by: author, proposal }, length));
        Intake::Queued { is_first }
    }

    /// Whether a proposal is to be shown.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.queues.is_empty()
    }

    /// Takes out the proposal that is to be shown next: in turn over the members' links.
    pub(crate) fn next(&mut self) -> Option<Proposed> {
        let later = |served| (std::ops::Bound::Excluded(served), std::ops::Bound::Unbounded);
        let next = self.served.and_then(|served| self.queues.range(later(served)).next());
        let seat = *next.or_else(|| self.queues.first_key_value())?.0;
        self.served = Some(seat);
        let queue = self.queues.get_mut(&seat)?;
        let (proposed, length) = queue.proposals.pop_front()?;
        queue.bytes -= length;
        if queue.proposals.is_empty() {
            self.queues.remove(&seat);
        }
        Some(proposed)
    }

    /// The request is decided here, whatever the decision: it counts towards no quota any more.
    pub(crate) fn decided(&mut self, session: SessionId) {
        let Some(known) = self.known.get_mut(&session).filter(|known| known.decided.is_none())
        else {
            return;
        };
        let account = self.accounts.entry(known.original.author).or_default();
        known.decided = Some(self.decisions);
        account.waiting -= 1;
        account.bytes -= known.length;
        account.decided.insert((self.decisions, session));
        self.decisions += 1;
        if account.decided.len() > MOST_DECIDED
            && let Some((_, oldest)) = account.decided.first().copied()
        {
            self.forget(oldest);
        }
    }

    /// Forgets a request: a further proposal of it is shown as if it were the first.
    pub(crate) fn forget(&mut self, session: SessionId) {
        let Some(known) = self.known.remove(&session) else { return };
        self.expiries.remove(&(known.expiry, session));
        let Some(account) = self.accounts.get_mut(&known.original.author) else { return };
        match known.decided {
            Some(decision) => drop(account.decided.remove(&(decision, session))),
            None => {
                account.waiting -= 1;
                account.bytes -= known.length;
            }
        }
    }

    fn expire(&mut self, now: u64) {
        while let Some((_, session)) = self.expiries.first().copied().filter(|due| due.0 <= now) {
            self.forget(session);
        }
    }

    /// The proposal of this request that came first, if it is remembered.
    pub(crate) fn original(&self, session: SessionId) -> Option<Original> {
        self.known.get(&session).map(|known| known.original)
    }

    /// Whether a proposal of this request waits for a decision.
    pub(crate) fn is_waiting(&self, session: SessionId) -> bool {
        self.known.get(&session).is_some_and(|known| known.decided.is_none())
    }
}

impl Account {
    fn has_room_for(&self, length: usize) -> bool {
        self.waiting < MOST_WAITING && self.bytes + length <= MOST_WAITING_BYTES
    }
}

impl Queue {
    fn has_room_for(&self, length: usize) -> bool {
        self.proposals.len() < MOST_WAITING && self.bytes + length <= MOST_WAITING_BYTES
    }
}
