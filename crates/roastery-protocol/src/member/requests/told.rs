use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use roastery_frost::Seat;

use crate::SessionId;

/// What a member is told at once, and how much more in a second, in units of 64 bytes: half of what
/// the allowance of a link takes that is made of Signatures only.
const AT_ONCE: u64 = 1_024;
const EACH_SECOND: u64 = 256;

/// How long after a member was told an outcome it is not told it again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The most bytes that wait for one member.
const MOST_WAITING: usize = 1024 * 1024;

/// The signatures that members are told because they lack them. What is over the allowance of a
/// member waits for it: one that opens a thousand sessions again asks for all of them at once, and
/// gets one after the other.
#[derive(Debug, Default)]
pub(crate) struct OutcomeAnswers {
    members: BTreeMap<Seat, Member>,
}

#[derive(Debug, Default)]
struct Member {
    /// Thousandths of units that are used of the allowance.
    used: u64,
    counted: Duration,
    waiting: VecDeque<(SessionId, Arc<[u8]>)>,
    waiting_bytes: usize,
    /// The sessions of what waits.
    asked: BTreeSet<SessionId>,
    lately: VecDeque<(Duration, SessionId)>,
}

impl OutcomeAnswers {
    /// Whether this member is to be told this outcome: it does not wait, and was not told lately.
    pub(crate) fn lacks(&mut self, to: Seat, session: SessionId, now: Duration) -> bool {
        let Some(member) = self.members.get_mut(&to) else { return true };
        member.forget(now);
        !member.asked.contains(&session) && member.lately.iter().all(|(_, told)| *told != session)
    }

    /// A member lacks an outcome, which this statement shows: it is told as soon as its allowance
    /// lets it. Gives `false`, and keeps nothing, if too much waits for the member already.
    pub(crate) fn add(
        &mut self,
        to: Seat,
        session: SessionId,
        bytes: Arc<[u8]>,
        now: Duration,
    ) -> bool {
        if !self.lacks(to, session, now) {
            return true;
        }
        let member = self.members.entry(to).or_default();
        let after = member.waiting_bytes.saturating_add(bytes.len());
        if after > MOST_WAITING {
            return false;
        }
        member.waiting_bytes = after;
        member.asked.insert(session);
        member.waiting.push_back((session, bytes));
        true
    }

    /// The link to a member has ended: what waits for it is dropped, and what it was told last may
    /// be lost. It asks again when it links.
    pub(crate) fn unlinked(&mut self, member: Seat) {
        if let Some(member) = self.members.get_mut(&member) {
            member.waiting.clear();
            member.asked.clear();
            member.lately.clear();
            member.waiting_bytes = 0;
        }
    }

    /// The next outcome that a member is told now.
    pub(crate) fn due(&mut self, now: Duration) -> Option<(Seat, Arc<[u8]>)> {
        self.members.iter_mut().find_map(|(seat, member)| Some((*seat, member.next(now)?)))
    }

    /// When [`OutcomeAnswers::due`] has something again, on the monotonic clock.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.members.values().filter_map(Member::next_due).min()
    }
}

fn cost(bytes: &[u8]) -> u64 {
    1_000 * (1 + bytes.len() as u64 / 64)
}

impl Member {
    fn next(&mut self, now: Duration) -> Option<Arc<[u8]>> {
        let cost = cost(&self.waiting.front()?.1);
        let passed = now.saturating_sub(self.counted).as_millis();
        let regained = u64::try_from(passed).unwrap_or(u64::MAX).saturating_mul(EACH_SECOND);
        if regained > 0 {
            self.used = self.used.saturating_sub(regained);
            self.counted = now;
        }
        if self.used.saturating_add(cost) > 1_000 * AT_ONCE {
            return None;
        }
        self.used += cost;
        let (session, bytes) = self.waiting.pop_front()?;
        self.waiting_bytes -= bytes.len();
        self.asked.remove(&session);
        self.lately.push_back((now, session));
        Some(bytes)
    }

    fn next_due(&self) -> Option<Duration> {
        let cost = cost(&self.waiting.front()?.1);
        let over = self.used.saturating_add(cost).saturating_sub(1_000 * AT_ONCE);
        Some(self.counted.saturating_add(Duration::from_millis(over.div_ceil(EACH_SECOND))))
    }

    fn forget(&mut self, now: Duration) {
        while self.lately.front().is_some_and(|(at, _)| now >= at.saturating_add(AGAIN_AFTER)) {
            self.lately.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: usize) -> SessionId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        SessionId::from_bytes(bytes)
    }

    fn told(answers: &mut OutcomeAnswers, now: Duration) -> usize {
        std::iter::from_fn(|| answers.due(now)).count()
    }

    #[test]
    fn what_is_over_the_allowance_waits_and_comes_in_its_order() {
        let (mut answers, seat) = (OutcomeAnswers::default(), Seat::new(1).unwrap());
        let mut now = Duration::from_secs(1);
        for number in 0..1_000 {
            assert!(answers.add(seat, session(number), Arc::from([number as u8; 200]), now));
        }
        let mut count = told(&mut answers, now);
        assert_eq!(count, 256, "four units each");
        assert!(answers.add(seat, session(999), Arc::from([0; 200]), now), "it waits already");
        while let Some(due) = answers.next_due() {
            assert!(due > now);
            now = due;
            let (_, bytes) = answers.due(now).unwrap();
            assert_eq!(bytes[0], count as u8);
            count += 1;
        }
        assert_eq!(count, 1_000);
        assert!(now <= Duration::from_secs(13), "{now:?}");
    }

    #[test]
    fn what_a_member_was_told_counts_for_nothing_once_its_link_has_ended() {
        let (mut answers, seat) = (OutcomeAnswers::default(), Seat::new(1).unwrap());
        let now = Duration::from_secs(1);
        for number in 0..300 {
            answers.add(seat, session(number), Arc::from([0; 200]), now);
        }
        assert_eq!(told(&mut answers, now), 256);
        assert!(!answers.lacks(seat, session(0), now) && !answers.lacks(seat, session(299), now));
        answers.unlinked(seat);
        assert!(answers.lacks(seat, session(0), now) && answers.lacks(seat, session(299), now));
        assert_eq!(answers.next_due(), None);
    }

    #[test]
    fn signatures_count_and_not_messages() {
        let (mut answers, seat) = (OutcomeAnswers::default(), Seat::new(1).unwrap());
        let now = Duration::from_secs(1);
        let added = (0..1_000).filter(|number| {
            answers.add(seat, session(*number), Arc::from(vec![0; 64 * 64 + 160]), now)
        });
        assert_eq!(added.count(), MOST_WAITING / (64 * 64 + 160));
        assert_eq!(told(&mut answers, now), 15, "67 units each");
        let other = Seat::new(2).unwrap();
        assert!(answers.add(other, session(0), Arc::from([0; 200]), now), "another member");
        assert_eq!(told(&mut answers, now), 1);
    }

    #[test]
    fn an_outcome_is_told_once_in_half_a_second() {
        let (mut answers, seat) = (OutcomeAnswers::default(), Seat::new(1).unwrap());
        let now = Duration::from_secs(1);
        for _ in 0..2 {
            answers.add(seat, session(0), Arc::from([0; 200]), now);
        }
        assert_eq!(told(&mut answers, now), 1);
        answers.add(seat, session(0), Arc::from([0; 200]), now + AGAIN_AFTER / 2);
        assert_eq!(told(&mut answers, now + AGAIN_AFTER / 2), 0);
        answers.add(seat, session(0), Arc::from([0; 200]), now + AGAIN_AFTER);
        assert_eq!(told(&mut answers, now + AGAIN_AFTER), 1);
    }
}
