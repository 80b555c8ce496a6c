use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use roastery_frost::Seat;

use super::{MOST_OFFERED, by_author::next_key, seat_set::SeatSet, walks::Walks};
use crate::SessionId;

/// The pause before the first repetition; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// The longest pause: a request that lives a week costs a peer that does not answer some thousand
/// proposals.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The shortest pause between two proposals to a member that has just linked.
const STEP: Duration = Duration::from_millis(10);

/// The pause for each 1,024 bytes of a proposal: half of what a link may cost its receiver in the
/// long run, so that none of them is over its allowance.
const STEP_FOR_KIB: Duration = Duration::from_millis(4);

/// The proposals that this node makes or passes on, repeated until all members know them.
#[derive(Debug)]
pub(crate) struct ProposalOutbox {
    all: BTreeMap<SessionId, Offer>,
    due: BTreeSet<(Duration, SessionId)>,
    expiries: BTreeSet<(u64, SessionId)>,
    walks: Walks,
}

#[derive(Debug)]
struct Offer {
    bytes: Arc<[u8]>,
    author: Seat,
    expiry: u64,
    /// The seats that have shown that they know the request.
    knows: SeatSet,
    due: Duration,
    pause: Duration,
}

/// A proposal that is to be sent now, and the seats that need it no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repeat {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) knows: SeatSet,
}

impl Default for ProposalOutbox {
    fn default() -> Self {
        let (all, due, expiries) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { all, due, expiries, walks: Walks::default() }
    }
}

impl ProposalOutbox {
    /// Whether a further proposal can be repeated. `now` are seconds since 1970.
    pub(crate) fn has_room_for(&mut self, session: SessionId, now: u64) -> bool {
        self.expire(now);
        self.all.len() < MOST_OFFERED || self.all.contains_key(&session)
    }

    /// Adds a proposal that is sent to all others now. `author` is whose proposal of the request
    /// came first.
    pub(crate) fn add(
        &mut self,
        session: SessionId,
        (author, bytes): (Seat, Arc<[u8]>),
        expiry: u64,
        now: Duration,
    ) {
        self.remove(session);
        let due = now.saturating_add(FIRST_PAUSE);
        let knows = SeatSet::default();
        let offer = Offer { bytes, author, expiry, knows, due, pause: FIRST_PAUSE };
        self.all.insert(session, offer);
        self.due.insert((due, session));
        self.expiries.insert((expiry, session));
    }

    /// These seats, of one peer, have sent a frame about a session: they know the request.
    pub(crate) fn heard_of(&mut self, session: SessionId, seats: SeatSet) {
        if let Some(offer) = self.all.get_mut(&session) {
            offer.knows.extend(seats);
        }
    }

    /// A member has linked: it gets what it may lack, one proposal after the other.
    pub(crate) fn linked(&mut self, seat: Seat, now: Duration) {
        if !self.all.is_empty() {
            self.walks.begin(seat, now);
        }
    }

    /// A member has another incarnation: what it knew may be lost, and is shown to it again.
    pub(crate) fn forgotten_by(&mut self, seat: Seat, now: Duration) {
        let mut is_lost = false;
        for offer in self.all.values_mut() {
            is_lost |= offer.knows.contains(seat);
            offer.knows.remove(seat);
        }
        if is_lost {
            self.linked(seat, now);
        }
    }

    /// The next proposal that a member which has linked lacks, if one is due.
    pub(crate) fn due_after_link(&mut self, now: Duration) -> Option<(Seat, Arc<[u8]>)> {
        while let Some((seat, mut last)) = self.walks.due(now) {
            let next = loop {
                last = next_key(&self.all, last);
                let Some(offer) = last.and_then(|session| self.all.get(&session)) else {
                    break None;
                };
                if !offer.knows.contains(seat) {
                    break Some(offer.bytes.clone());
                }
            };
            let pause = next.as_ref().map_or(STEP, |bytes| pause_after(bytes.len()));
            self.walks.step(seat, last, pause, now);
            if let Some(bytes) = next {
                return Some((seat, bytes));
            }
        }
        None
    }

    /// One proposal that is to be repeated now. `others` are all seats that may lack it: once all
    /// of them know it, it is not repeated.
    pub(crate) fn due(&mut self, now: Duration, others: SeatSet) -> Option<Repeat> {
        loop {
            let (due, session) = self.due.first().copied().filter(|(due, _)| now >= *due)?;
            self.due.remove(&(due, session));
            let Some(offer) = self.all.get_mut(&session) else { continue };
            offer.pause = offer.pause.saturating_mul(2).min(LONGEST_PAUSE);
            offer.due = now.saturating_add(offer.pause);
            self.due.insert((offer.due, session));
            if !offer.knows.has_all(others) {
                return Some(Repeat { bytes: offer.bytes.clone(), knows: offer.knows });
            }
        }
    }

    /// When something is due next, on the monotonic clock.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let repeats = self.due.first().map(|(due, _)| *due);
        repeats.into_iter().chain(self.walks.next_due()).min()
    }

    /// Drops what has expired. `now` are seconds since 1970.
    pub(crate) fn expire(&mut self, now: u64) {
        while let Some((_, session)) = self.expiries.first().copied().filter(|due| due.0 <= now) {
            self.remove(session);
        }
    }

    /// No longer needed: the session has ended here.
    pub(crate) fn remove(&mut self, session: SessionId) {
        if let Some(offer) = self.all.remove(&session) {
            self.due.remove(&(offer.due, session));
            self.expiries.remove(&(offer.expiry, session));
        }
    }

    /// Whose proposal of this request came first, if it is repeated.
    pub(crate) fn author(&self, session: SessionId) -> Option<Seat> {
        self.all.get(&session).map(|offer| offer.author)
    }
}

fn pause_after(bytes: usize) -> Duration {
    let units = u32::try_from(1 + bytes / 1024).unwrap_or(u32::MAX);
    STEP.max(STEP_FOR_KIB.saturating_mul(units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: usize) -> SessionId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        SessionId::from_bytes(id)
    }

    fn seat(id: u32) -> Seat {
        Seat::new(id).unwrap()
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn offer(outbox: &mut ProposalOutbox, number: usize, expiry: u64) {
        let bytes = Arc::from(&[number as u8][..]);
        outbox.add(session(number), (seat(0), bytes), expiry, secs(0));
    }

    #[test]
    fn a_proposal_is_repeated_after_2_seconds_doubling_to_10_minutes_until_all_others_know_it() {
        let (mut outbox, others) = (ProposalOutbox::default(), [seat(1), seat(2)]);
        let others: SeatSet = others.into_iter().collect();
        offer(&mut outbox, 1, u64::MAX);
        let mut times = Vec::new();
        for second in 0..3_000 {
            while outbox.due(secs(second), others).is_some() {
                times.push(second);
            }
        }
        assert_eq!(times, [2, 6, 14, 30, 62, 126, 254, 510, 1_022, 1_622, 2_222, 2_822]);
        outbox.heard_of(session(1), [seat(1)].into_iter().collect());
        let repeat = outbox.due(secs(3_422), others).unwrap();
        assert!(repeat.knows.contains(seat(1)) && !repeat.knows.contains(seat(2)));
        outbox.heard_of(session(1), [seat(2)].into_iter().collect());
        assert_eq!(outbox.due(secs(99_999), others), None);
    }

    #[test]
    fn a_member_that_links_gets_what_it_lacks_one_after_the_other() {
        let mut outbox = ProposalOutbox::default();
        (1..=3).for_each(|number| offer(&mut outbox, number, u64::MAX));
        outbox.heard_of(session(2), [seat(1)].into_iter().collect());
        outbox.linked(seat(1), secs(1));
        let mut sent = Vec::new();
        for step in 0..5 {
            let now = secs(1) + step * STEP;
            while let Some((to, bytes)) = outbox.due_after_link(now) {
                assert_eq!(to, seat(1));
                sent.push((step, bytes[0]));
            }
        }
        assert_eq!(sent, [(0, 1), (1, 3)]);
        assert_eq!(outbox.walks.next_due(), None);
    }

    #[test]
    fn long_proposals_go_to_a_member_that_links_no_faster_than_its_link_may_bring_them() {
        let mut outbox = ProposalOutbox::default();
        for number in 0..200 {
            let bytes = Arc::from(vec![0; 60 * 1024]);
            outbox.add(session(number), (seat(0), bytes), u64::MAX, secs(0));
        }
        outbox.linked(seat(1), secs(1));
        let (mut now, mut units, mut sent) = (secs(1), 0, 0);
        while let Some(due) = outbox.walks.next_due() {
            now = due.max(now);
            if let Some((_, bytes)) = outbox.due_after_link(now) {
                units += 1 + bytes.len() / 1024;
                sent += 1;
            }
        }
        assert_eq!(sent, 200);
        let allowed = 512.0 * (now - secs(1)).as_secs_f64();
        assert!((units as f64) < allowed, "{units} units in {now:?}");
    }

    #[test]
    fn a_member_with_another_incarnation_gets_again_what_it_knew_before() {
        let mut outbox = ProposalOutbox::default();
        offer(&mut outbox, 1, u64::MAX);
        let both: SeatSet = [seat(1), seat(2)].into_iter().collect();
        outbox.heard_of(session(1), both);
        outbox.forgotten_by(seat(3), secs(1));
        assert_eq!(outbox.due_after_link(secs(1)), None, "it knew nothing that it could forget");
        outbox.forgotten_by(seat(1), secs(1));
        assert_eq!(outbox.due_after_link(secs(1)).map(|(to, _)| to), Some(seat(1)));
        assert!(outbox.due(secs(2), [seat(2)].into_iter().collect()).is_none());
        assert!(outbox.due(secs(6), both).is_some());
    }

    #[test]
    fn at_most_1024_proposals_are_repeated_and_what_has_expired_makes_room() {
        let mut outbox = ProposalOutbox::default();
        (0..MOST_OFFERED).for_each(|number| offer(&mut outbox, number, 10 + number as u64));
        assert!(!outbox.has_room_for(session(MOST_OFFERED), 9));
        assert!(outbox.has_room_for(session(5), 9), "one that is repeated already has its place");
        assert!(outbox.has_room_for(session(MOST_OFFERED), 10));
        outbox.remove(session(7));
        assert_eq!(outbox.all.len(), MOST_OFFERED - 2);
        assert_eq!((outbox.due.len(), outbox.expiries.len()), (outbox.all.len(), outbox.all.len()));
    }
}
