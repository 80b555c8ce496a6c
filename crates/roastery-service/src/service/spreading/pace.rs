//! How many whereabouts of others are taken in a time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use roastery_protocol::group::PeerId;

/// From one member: so many at once, and one more after each pause. A member tells all that it
/// knows each time that it connects.
const OF_SENDER: Rate = Rate { most: 1024, pause: Duration::from_millis(60) };

/// Of one member, as it has signed them. Each is written to the disk and passed on.
const OF_SUBJECT: Rate = Rate { most: 8, pause: Duration::from_secs(60) };

#[derive(Clone, Copy)]
struct Rate {
    most: u32,
    pause: Duration,
}

/// What was taken: the members of the roster are all whose messages come here.
#[derive(Debug, Default)]
pub(super) struct Pace {
    senders: BTreeMap<PeerId, Bucket>,
    subjects: BTreeMap<PeerId, Bucket>,
    /// The latest addresses of this node that a member has told.
    own: u64,
}

#[derive(Debug)]
struct Bucket {
    left: u32,
    since: Instant,
}

impl Pace {
    /// Whether a message of this member is read.
    pub(super) fn sender(&mut self, peer: &PeerId) -> bool {
        take(&mut self.senders, peer, OF_SENDER, Instant::now())
    }

    /// Whether no addresses of this node with so great a number were told before.
    pub(super) fn is_later(&mut self, sequence: u64) -> bool {
        let is_later = sequence > self.own;
        self.own = self.own.max(sequence);
        is_later
    }

    /// Whether new addresses of this member are taken.
    pub(super) fn subject(&mut self, peer: &PeerId) -> bool {
        take(&mut self.subjects, peer, OF_SUBJECT, Instant::now())
    }
}

fn take(of: &mut BTreeMap<PeerId, Bucket>, peer: &PeerId, rate: Rate, now: Instant) -> bool {
    let full = Bucket { left: rate.most, since: now };
    let bucket = of.entry(peer.clone()).or_insert(full);
    let passed = now.saturating_duration_since(bucket.since).as_nanos() / rate.pause.as_nanos();
    let more = u32::try_from(passed).unwrap_or(u32::MAX);
    if more > 0 {
        bucket.left = bucket.left.saturating_add(more).min(rate.most);
        bucket.since = now;
    }
    match bucket.left {
        0 => false,
        left => {
            bucket.left = left - 1;
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_tells_more_than_is_taken_waits_and_others_do_not() {
        let (anna, bert) = (PeerId::new("anna").unwrap(), PeerId::new("bert").unwrap());
        let rate = Rate { most: 3, pause: Duration::from_secs(1) };
        let (mut taken, now) = (BTreeMap::new(), Instant::now());
        for _ in 0..3 {
            assert!(take(&mut taken, &anna, rate, now));
        }
        assert!(!take(&mut taken, &anna, rate, now));
        assert!(take(&mut taken, &bert, rate, now));
        let later = now + Duration::from_secs(1);
        assert!(take(&mut taken, &anna, rate, later));
        assert!(!take(&mut taken, &anna, rate, later));
        let much_later = now + Duration::from_secs(100);
        assert_eq!((0..9).filter(|_| take(&mut taken, &anna, rate, much_later)).count(), 3);
    }

    #[test]
    fn later_addresses_of_this_node_are_noticed_once() {
        let mut pace = Pace::default();
        assert!(pace.is_later(7));
        assert!(!pace.is_later(7) && !pace.is_later(6));
        assert!(pace.is_later(8));
    }
}
