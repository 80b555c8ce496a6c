use std::{collections::BTreeSet, time::Duration};

use roastery_frost::Seat;

use super::{by_author::ByAuthor, seat_set::SeatSet, walks::Walks};
use crate::{SessionId, request::RefusalReason, request::SigningRequest};

/// The most requests that are watched for their outcome.
const MOST: usize = 4096;

/// How long the outcome is asked for after the request has expired, in seconds: the last signature
/// may have been made just before.
const LINGER: u64 = 60 * 60;

/// The pause before the other members are first asked; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// The longest pause: a request that lives a week costs a peer that does not answer some two
/// hundred questions.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The pause between two questions to a member that has just linked: longer than the one in which
/// it answers one more.
const STEP: Duration = Duration::from_millis(40);

/// The requests that this node knows and does not sign, and whose outcome it wants.
#[derive(Debug)]
pub(crate) struct Watches {
    all: ByAuthor<Watched>,
    due: BTreeSet<(Duration, SessionId)>,
    walks: Walks,
    /// Members over whose links wrong signatures came since they came up. No more of theirs are
    /// verified, for verifying costs more than making.
    muted: SeatSet,
}

#[derive(Debug)]
struct Watched {
    request: SigningRequest,
    refusals: BTreeSet<(Seat, RefusalReason)>,
    due: Duration,
    pause: Duration,
}

impl Default for Watches {
    fn default() -> Self {
        Self {
            all: ByAuthor::new(MOST),
            due: BTreeSet::new(),
            walks: Walks::default(),
            muted: SeatSet::default(),
        }
    }
}

impl Watches {
    /// Watches a request; `author` is whose proposal of it came first. If there are too many,
    /// evicts one of the author that has the most: the one whose watch ends first. Returns whether
    /// one was evicted.
    pub(crate) fn add(
        &mut self,
        author: Option<Seat>,
        request: SigningRequest,
        now: Duration,
        wall_seconds: u64,
    ) -> bool {
        self.expire(wall_seconds);
        let session = request.session_id();
        let end = request.expiry().saturating_add(LINGER);
        if self.contains(session) || end <= wall_seconds {
            return false;
        }
        let due = now.saturating_add(FIRST_PAUSE);
        let watched = Watched { request, refusals: BTreeSet::new(), due, pause: FIRST_PAUSE };
        self.due.insert((due, session));
        let evicted = self.all.insert(session, author, end, watched);
        let Some((evicted, watched)) = evicted else { return false };
        self.due.remove(&(watched.due, evicted));
        true
    }

    pub(crate) fn remove(&mut self, session: SessionId) {
        if let Some(watched) = self.all.remove(session) {
            self.due.remove(&(watched.due, session));
        }
    }

    pub(crate) fn contains(&self, session: SessionId) -> bool {
        self.all.get(session).is_some()
    }

    pub(crate) fn request(&self, session: SessionId) -> Option<&SigningRequest> {
        self.all.get(session).map(|watched| &watched.request)
    }

    /// A member does not take part in a watched request. Returns whether this reason of it is new.
    pub(crate) fn refused(
        &mut self,
        session: SessionId,
        seat: Seat,
        reason: RefusalReason,
    ) -> bool {
        self.all.get_mut(session).is_some_and(|watched| watched.refusals.insert((seat, reason)))
    }

    /// Whether signatures that this member brings are verified.
    pub(crate) fn is_muted(&self, via: Seat) -> bool {
        self.muted.contains(via)
    }

    /// A member has brought wrong signatures.
    pub(crate) fn mute(&mut self, via: Seat) {
        self.muted.insert(via);
    }

    /// A member has linked that may know more: it is asked for all outcomes, one after the other.
    pub(crate) fn linked(&mut self, seat: Seat, now: Duration) {
        self.muted.remove(seat);
        self.walks.begin(seat, now);
    }

    /// The next question to a member that has linked, if one is due.
    pub(crate) fn due_after_link(&mut self, now: Duration) -> Option<(Seat, SessionId)> {
        while let Some((seat, last)) = self.walks.due(now) {
            let next = self.all.after(last);
            self.walks.step(seat, next, STEP, now);
            if let Some(session) = next {
                return Some((seat, session));
            }
        }
        None
    }

    /// A request whose outcome all others are to be asked for now.
    pub(crate) fn due(&mut self, now: Duration) -> Option<SessionId> {
        let (due, session) = self.due.first().copied().filter(|(due, _)| now >= *due)?;
        self.due.remove(&(due, session));
        let watched = self.all.get_mut(session)?;
        watched.pause = watched.pause.saturating_mul(2).min(LONGEST_PAUSE);
        watched.due = now.saturating_add(watched.pause);
        self.due.insert((watched.due, session));
        Some(session)
    }

    /// When a question is due next, on the monotonic clock.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let questions = self.due.first().map(|(due, _)| *due);
        questions.into_iter().chain(self.walks.next_due()).min()
    }

    /// Ends the watches whose time is over. `now` are seconds since 1970.
    pub(crate) fn expire(&mut self, now: u64) {
        while let Some((session, watched)) = self.all.take_ended(now) {
            self.due.remove(&(watched.due, session));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::test_group::{group, request, seat},
        *,
    };

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_outcome_is_asked_for_after_5_s_doubling_to_10_minutes_until_an_hour_after_the_expiry() {
        let (mut watches, request) = (Watches::default(), request(&group(), 1, 1_000));
        assert!(!watches.add(None, request.clone(), secs(0), 900));
        let mut times = Vec::new();
        for second in 0..3_200 {
            times.extend(watches.due(secs(second)).map(|_| second));
        }
        assert_eq!(times, [5, 15, 35, 75, 155, 315, 635, 1_235, 1_835, 2_435, 3_035]);
        watches.expire(1_000 + LINGER - 1);
        assert!(watches.contains(request.session_id()));
        watches.expire(1_000 + LINGER);
        assert!(!watches.contains(request.session_id()));
        assert_eq!(watches.next_due(), None);
    }

    #[test]
    fn a_member_that_links_is_asked_for_one_outcome_after_the_other() {
        let (mut watches, group) = (Watches::default(), group());
        for number in 0..3 {
            watches.add(None, request(&group, number, 1_000), secs(0), 900);
        }
        watches.linked(seat(1), secs(1));
        let mut asked = 0;
        for step in 0..10 {
            let mut due = std::iter::from_fn(|| watches.due_after_link(secs(1) + step * STEP));
            assert!(due.next().is_some() == (step < 3) && due.next().is_none());
            asked += u32::from(step < 3);
        }
        assert_eq!(asked, 3);
    }

    #[test]
    fn a_reason_of_a_member_is_new_once() {
        let (mut watches, request) = (Watches::default(), request(&group(), 1, 1_000));
        let session = request.session_id();
        assert!(!watches.refused(session, seat(1), RefusalReason::Policy), "it is not watched");
        watches.add(None, request, secs(0), 900);
        assert!(watches.refused(session, seat(1), RefusalReason::Policy));
        assert!(!watches.refused(session, seat(1), RefusalReason::Policy));
        assert!(watches.refused(session, seat(1), RefusalReason::Operator));
        assert!(watches.refused(session, seat(2), RefusalReason::Policy));
    }

    #[test]
    fn a_member_that_brought_wrong_signatures_is_muted_until_it_links_again() {
        let mut watches = Watches::default();
        watches.mute(seat(1));
        assert!(watches.is_muted(seat(1)) && !watches.is_muted(seat(2)));
        watches.linked(seat(1), secs(1));
        assert!(!watches.is_muted(seat(1)));
    }

    #[test]
    fn an_evicted_watch_leaves_nothing_behind() {
        let (mut watches, group) = (Watches::default(), group());
        let over = (0..MOST + 5)
            .filter(|at| watches.add(Some(seat(1)), request(&group, *at, 1_000), secs(0), 900));
        assert_eq!(over.count(), 5);
        assert_eq!(watches.due.len(), MOST);
    }
}
