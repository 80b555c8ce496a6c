use std::collections::{BTreeMap, BTreeSet, VecDeque};

use roastery_protocol::{
    BodyHash, Seat, SessionId,
    group::Group,
    message::{Envelope, Proposal},
    request::MAX_LIFETIME_SECONDS,
};

/// The most requests of one member that wait for a decision here.
const MOST_WAITING: usize = 1024;

/// The most bytes in the proposals of one member whose requests wait for a decision here.
const MOST_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// The most decided requests of one member that are remembered, so that a repeated proposal costs
/// nothing.
const MOST_DECIDED: usize = 1024;

/// A member's proposal, which is not decided yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The member that has signed the proposal. Another one may have forwarded it.
    pub by: Seat,
    /// The request and what it is about.
    pub proposal: Proposal,
}

/// The result of a proposal that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intake {
    /// It is to be delivered.
    Queued,
    /// It was delivered before, or its member has sent another one for the same request.
    Known,
    /// It is no proposal, or is not signed by the member that it names.
    Unreadable,
    /// The quota of this member is used up: of its own proposals, or of those that it has
    /// forwarded.
    TooMany { of: Seat },
    /// By this node's clock its request has expired, or lives longer than any request may.
    OutOfTime { by: Seat, expiry: u64 },
}

/// The proposals that were received, so that each is delivered once and each member has a quota.
///
/// A request is charged to the member whose proposal of it came first, until it is decided or has
/// expired. A proposal of the same request by another member, or over another member's connection,
/// is charged to no member: it is delivered if it differs, once for each connection.
#[derive(Debug, Default)]
pub(super) struct ProposalInbox {
    known: BTreeMap<SessionId, Known>,
    expiries: BTreeSet<(u64, SessionId)>,
    accounts: BTreeMap<Seat, Account>,
    /// The proposals to be delivered, by the member whose connection brought them.
    queues: BTreeMap<Seat, Queue>,
    /// The queue that was served last.
    served: Option<Seat>,
    decisions: u64,
}

#[derive(Debug)]
struct Known {
    author: Seat,
    body: BodyHash,
    signature: [u8; 64],
    length: usize,
    expiry: u64,
    /// The seats whose connections have brought a proposal of it, one bit each.
    brought_by: u128,
    /// The number of the decision, in the order of decisions; `None` before.
    decided: Option<u64>,
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

/// A proposal exactly as its member signed it, to be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Original {
    pub(super) author: Seat,
    pub(super) body: BodyHash,
    pub(super) signature: [u8; 64],
}

impl ProposalInbox {
    /// Handles a proposal that came over the connection of the member at seat `via`.
    pub(super) fn take(&mut self, via: Seat, bytes: &[u8], group: &Group, now: u64) -> Intake {
        self.expire(now);
        let bit = 1 << via.index();
        let session = Envelope::peek_session(bytes);
        let known = session.and_then(|session| self.known.get_mut(&session));
        if known.as_ref().is_some_and(|known| known.brought_by & bit != 0) {
            return Intake::Known;
        }
        let (Some(session), Ok(envelope)) = (session, Envelope::parse(bytes)) else {
            return Intake::Unreadable;
        };
        let body = envelope.body_hash();
        let is_charged = known.is_some();
        if let Some(known) = known
            && known.body == body
        {
            known.brought_by |= bit;
            return Intake::Known;
        }
        let Some(claimed) = envelope.sender(group) else { return Intake::Unreadable };
        // Before the signature is checked: this quota is that of the authenticated connection.
        if self.is_full(via, bytes.len()) {
            return Intake::TooMany { of: via };
        }
        let Ok((by, proposal)) = Proposal::open(bytes, group) else { return Intake::Unreadable };
        let expiry = proposal.request.expiry();
        let life = expiry.checked_sub(now);
        if !life.is_some_and(|life| (1..=MAX_LIFETIME_SECONDS).contains(&life)) {
            return Intake::OutOfTime { by, expiry };
        }
        debug_assert_eq!(by, claimed);
        if !is_charged {
            let account = self.accounts.entry(by).or_default();
            if !account.has_room_for(bytes.len()) {
                return Intake::TooMany { of: by };
            }
            account.waiting += 1;
            account.bytes += bytes.len();
            let (signature, length) = (envelope.signature(), bytes.len());
            let entry =
                Known { author: by, body, signature, length, expiry, brought_by: 0, decided: None };
            self.known.insert(session, entry);
            self.expiries.insert((expiry, session));
        }
        if let Some(known) = self.known.get_mut(&session) {
            known.brought_by |= bit;
        }
        let queue = self.queues.entry(via).or_default();
        queue.bytes += bytes.len();
        queue.proposals.push_back((Proposed { by, proposal }, bytes.len()));
        Intake::Queued
    }

    /// Whether the queue of this member's connection is full.
    fn is_full(&self, via: Seat, length: usize) -> bool {
        self.queues.get(&via).is_some_and(|queue| {
            queue.proposals.len() >= MOST_WAITING || queue.bytes + length > MOST_WAITING_BYTES
        })
    }

    /// Whether a proposal is to be delivered.
    pub(super) fn has_waiting(&self) -> bool {
        !self.queues.is_empty()
    }

    /// Takes out the proposal that is to be delivered next: round-robin over the members.
    pub(super) fn next(&mut self) -> Option<Proposed> {
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
    pub(super) fn decided(&mut self, session: SessionId) {
        let Some(known) = self.known.get_mut(&session).filter(|known| known.decided.is_none())
        else {
            return;
        };
        let account = self.accounts.entry(known.author).or_default();
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

    /// Forgets a request: a further proposal of it is delivered as if it were the first.
    pub(super) fn forget(&mut self, session: SessionId) {
        let Some(known) = self.known.remove(&session) else { return };
        self.expiries.remove(&(known.expiry, session));
        let Some(account) = self.accounts.get_mut(&known.author) else { return };
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
    pub(super) fn original(&self, session: SessionId) -> Option<Original> {
        let known = self.known.get(&session)?;
        let Known { author, body, signature, .. } = *known;
        Some(Original { author, body, signature })
    }
}

impl Account {
    fn has_room_for(&self, length: usize) -> bool {
        self.waiting < MOST_WAITING && self.bytes + length <= MOST_WAITING_BYTES
    }
}
