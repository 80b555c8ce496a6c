use std::collections::{BTreeMap, BTreeSet, VecDeque};

use roastery_frost::Seat;

use super::{MOST_DECIDED, MOST_WAITING, MOST_WAITING_BYTES, seat_set::SeatSet};
use crate::{
    BodyHash, SessionId,
    envelope::SIGNATURE,
    group::Group,
    member::frame::{Malformation, Statement, read_proposal},
    request::MAX_LIFETIME_SECONDS,
    request::Proposal,
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
    /// It is to be shown.
    Queued,
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
        Intake::Queued
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

#[cfg(test)]
mod tests {
    use super::{
        super::test_group::{group, proposal, request, seat},
        *,
    };

    const NOW: u64 = 1_000;

    fn take(inbox: &mut ProposalInbox, group: &Group, via: u32, statement: &Statement) -> Intake {
        let author = statement.sender(group).unwrap();
        inbox.take(seat(via), author, statement, group, NOW)
    }

    #[test]
    fn a_proposal_is_shown_once_and_one_that_differs_once_for_each_link() {
        let (mut inbox, group) = (ProposalInbox::default(), group());
        let request = request(&group, 1, NOW + 9);
        let [of_0, of_1] = [0, 1].map(|by| proposal(&group, by, &request, 0));
        let session = request.session_id();
        assert_eq!(take(&mut inbox, &group, 0, &of_0), Intake::Queued);
        assert_eq!(take(&mut inbox, &group, 0, &of_0), Intake::Known);
        assert_eq!(take(&mut inbox, &group, 2, &of_0), Intake::Known, "passed on unchanged");
        assert_eq!(take(&mut inbox, &group, 1, &of_1), Intake::Queued);
        let better = proposal(&group, 1, &request, 8);
        assert_eq!(take(&mut inbox, &group, 1, &better), Intake::Known, "its link has brought one");
        let shown: Vec<Seat> = std::iter::from_fn(|| inbox.next()).map(|one| one.by).collect();
        assert_eq!(shown, [seat(0), seat(1)]);
        assert_eq!(inbox.original(session).map(|original| original.author), Some(seat(0)));
        assert!(inbox.is_waiting(session));
        inbox.decided(session);
        assert!(!inbox.is_waiting(session) && inbox.original(session).is_some());
    }

    #[test]
    fn links_have_their_turns_whatever_waits_of_one() {
        let (mut inbox, group) = (ProposalInbox::default(), group());
        for number in 0..4 {
            let request = request(&group, number, NOW + 9);
            take(&mut inbox, &group, 0, &proposal(&group, 0, &request, 0));
        }
        let other = request(&group, 9, NOW + 9);
        take(&mut inbox, &group, 1, &proposal(&group, 1, &other, 0));
        let shown: Vec<Seat> = std::iter::from_fn(|| inbox.next()).map(|one| one.by).collect();
        assert_eq!(shown, [0, 1, 0, 0, 0].map(seat));
        assert!(!inbox.has_waiting());
    }

    #[test]
    fn a_member_has_a_quota_of_requests_that_wait_which_ends_with_the_decision() {
        let (mut inbox, group) = (ProposalInbox::default(), group());
        let of = |number| proposal(&group, 0, &request(&group, number, NOW + 9), 0);
        for number in 0..MOST_WAITING {
            let intake = take(&mut inbox, &group, 0, &of(number));
            assert_eq!(intake, Intake::Queued);
            inbox.next();
        }
        let further = of(MOST_WAITING);
        assert_eq!(take(&mut inbox, &group, 0, &further), Intake::TooMany { of: seat(0) });
        assert_eq!(
            take(&mut inbox, &group, 1, &further),
            Intake::TooMany { of: seat(0) },
            "whichever link brings it"
        );
        let other = proposal(&group, 1, &request(&group, MOST_WAITING, NOW + 9), 0);
        assert_eq!(take(&mut inbox, &group, 1, &other), Intake::Queued);
        inbox.decided(request(&group, 0, NOW + 9).session_id());
        let next = of(MOST_WAITING + 1);
        assert_eq!(take(&mut inbox, &group, 0, &next), Intake::Queued);
    }

    #[test]
    fn a_link_has_a_quota_of_bytes_that_wait_to_be_shown_and_others_have_their_own() {
        let (mut inbox, group) = (ProposalInbox::default(), group());
        let length = 256 * 1024;
        let of = |by, number| proposal(&group, by, &request(&group, number, NOW + 9), length);
        let fits = MOST_WAITING_BYTES / of(0, 0).as_bytes().len();
        for number in 0..fits {
            // Of several authors, so that no author's own quota is used up.
            let by = (number % 3) as u32;
            let intake = take(&mut inbox, &group, 2, &of(by, number));
            assert_eq!(intake, Intake::Queued);
        }
        assert_eq!(take(&mut inbox, &group, 2, &of(1, fits)), Intake::TooMany { of: seat(2) });
        let over_its_own = take(&mut inbox, &group, 1, &of(1, fits));
        assert_eq!(over_its_own, Intake::Queued);
    }

    #[test]
    fn a_request_that_is_expired_or_lives_too_long_is_out_of_time() {
        let (mut inbox, group) = (ProposalInbox::default(), group());
        let latest = NOW + MAX_LIFETIME_SECONDS;
        for (number, expiry) in [NOW, latest + 1].into_iter().enumerate() {
            let statement = proposal(&group, 0, &request(&group, number, expiry), 0);
            assert_eq!(take(&mut inbox, &group, 0, &statement), Intake::OutOfTime { expiry });
        }
        let statement = proposal(&group, 0, &request(&group, 2, latest), 0);
        let intake = take(&mut inbox, &group, 0, &statement);
        assert_eq!(intake, Intake::Queued);
        // What has expired is forgotten, and charged to no member.
        let session = statement.header().session;
        assert_eq!(inbox.take(seat(0), seat(0), &statement, &group, latest), {
            Intake::OutOfTime { expiry: latest }
        });
        assert!(inbox.original(session).is_none());
        assert_eq!((inbox.accounts[&seat(0)].waiting, inbox.accounts[&seat(0)].bytes), (0, 0));
    }

    #[test]
    fn a_proposal_that_its_sender_has_not_signed_is_not_taken_and_charged_to_no_member() {
        let (mut inbox, group) = (ProposalInbox::default(), group());
        let statement = proposal(&group, 0, &request(&group, 1, NOW + 9), 0);
        let mut bytes = statement.as_bytes().to_vec();
        bytes[5] ^= 1;
        let forged = Statement::parse(&bytes).unwrap();
        assert_eq!(take(&mut inbox, &group, 1, &forged), Intake::NotSigned);
        assert!(inbox.known.is_empty() && inbox.accounts.is_empty() && !inbox.has_waiting());
    }

    #[test]
    fn of_a_members_decided_requests_the_oldest_are_forgotten_first() {
        let (mut inbox, group) = (ProposalInbox::default(), group());
        let sessions: Vec<SessionId> = (0..=MOST_DECIDED)
            .map(|number| {
                let statement = proposal(&group, 0, &request(&group, number, NOW + 9), 0);
                take(&mut inbox, &group, 0, &statement);
                inbox.next();
                inbox.decided(statement.header().session);
                statement.header().session
            })
            .collect();
        assert!(inbox.original(sessions[0]).is_none());
        assert!(sessions[1..].iter().all(|session| inbox.original(*session).is_some()));
    }

    #[test]
    fn a_proposal_that_was_not_taken_is_shown_again() {
        let (mut inbox, group) = (ProposalInbox::default(), group());
        let statement = proposal(&group, 0, &request(&group, 1, NOW + 9), 0);
        take(&mut inbox, &group, 0, &statement);
        inbox.next();
        inbox.forget(statement.header().session);
        let again = take(&mut inbox, &group, 0, &statement);
        assert_eq!(again, Intake::Queued);
    }
}
