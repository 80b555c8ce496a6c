use std::{collections::BTreeMap, time::Duration};

use roastery_frost::Seat;

/// How much of one kind each member may cause at once, and how long it takes until it may cause one
/// more.
const AT_ONCE: u32 = 256;
const ONE_MORE_AFTER: Duration = Duration::from_millis(30);

/// What each member may cause: 256 at once and one more in 30 ms.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    members: BTreeMap<Seat, Left>,
}

#[derive(Debug)]
struct Left {
    left: u32,
    counted: Duration,
}

impl Allowance {
    /// Whether this member may cause one more now; if so it is counted.
    pub(crate) fn try_acquire(&mut self, seat: Seat, now: Duration) -> bool {
        let full = Left { left: AT_ONCE, counted: now };
        let member = self.members.entry(seat).or_insert(full);
        let more = now.saturating_sub(member.counted).as_millis() / ONE_MORE_AFTER.as_millis();
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if more > 0 {
            member.left = member.left.saturating_add(more).min(AT_ONCE);
            member.counted = now;
        }
        let may = member.left > 0;
        member.left = member.left.saturating_sub(1);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_asks_without_end_is_answered_at_a_pace() {
        let (one, other) = (Seat::new(1).unwrap(), Seat::new(2).unwrap());
        let (mut allowance, now) = (Allowance::default(), Duration::from_secs(9));
        for _ in 0..AT_ONCE {
            assert!(allowance.try_acquire(one, now));
        }
        assert!(!allowance.try_acquire(one, now));
        assert!(allowance.try_acquire(other, now));
        let later = now + ONE_MORE_AFTER;
        assert!(allowance.try_acquire(one, later));
        assert!(!allowance.try_acquire(one, later));
        assert!(allowance.try_acquire(one, now + Duration::from_secs(3600)));
    }
}
