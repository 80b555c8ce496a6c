//! How often a link that comes up has this node do what is due then (section 9): show slots and
//! proofs, and look at all open sessions.

use std::{collections::BTreeMap, time::Duration};

use roastery_frost::Seat;

/// How many times a link may come up at once, and how long it takes until once more.
const AT_ONCE: u32 = 4;
const ONE_MORE_AFTER: Duration = Duration::from_secs(2);

/// The pace of each peer, which is named by its first seat. A link that comes up too often is not
/// refused: what is due then is done once, when its time has come, if the link is up.
#[derive(Debug, Default)]
pub struct LinkPace {
    peers: BTreeMap<Seat, Peer>,
}

#[derive(Debug)]
struct Peer {
    left: u32,
    /// When one more was last given.
    counted: Duration,
    waits: bool,
}

impl LinkPace {
    /// The link of this peer has come up. Gives whether that is acted on now; if not, it waits.
    pub fn up(&mut self, peer: Seat, now: Duration) -> bool {
        let full = || Peer { left: AT_ONCE, counted: now, waits: false };
        let peer = self.peers.entry(peer).or_insert_with(full);
        peer.regain(now);
        peer.waits = peer.left == 0;
        peer.left = peer.left.saturating_sub(1);
        !peer.waits
    }

    /// The link of this peer has ended: nothing waits for it.
    pub fn down(&mut self, peer: Seat) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.waits = false;
        }
    }

    /// A peer whose link has come up before and is acted on now.
    pub fn due(&mut self, now: Duration) -> Option<Seat> {
        self.peers.iter_mut().find_map(|(seat, peer)| {
            if !peer.waits {
                return None;
            }
            peer.regain(now);
            let left = peer.left.checked_sub(1)?;
            (peer.left, peer.waits) = (left, false);
            Some(*seat)
        })
    }

    /// When [`LinkPace::due`] has one, on the monotonic clock.
    pub fn next_timeout(&self) -> Option<Duration> {
        let waiting = self.peers.values().filter(|peer| peer.waits);
        waiting.map(|peer| peer.counted.saturating_add(ONE_MORE_AFTER)).min()
    }
}

impl Peer {
    fn regain(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.counted).as_millis() / ONE_MORE_AFTER.as_millis();
        let more = u32::try_from(passed).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(more).min(AT_ONCE);
        // A full allowance begins to count when it is used.
        self.counted = match self.left == AT_ONCE {
            true => now,
            false => self.counted.saturating_add(ONE_MORE_AFTER.saturating_mul(more)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_comes_and_goes_is_acted_on_at_a_pace_and_the_last_time_is_not_forgotten() {
        let (mut pace, peer) = (LinkPace::default(), Seat::new(1).unwrap());
        let at = |ms: u64| Duration::from_millis(10_000 + ms);
        let mut acted = 0;
        for ms in (0..1_900).step_by(10) {
            acted += usize::from(pace.up(peer, at(ms)));
            pace.down(peer);
        }
        assert_eq!((acted, pace.next_timeout()), (4, None));
        assert!(!pace.up(peer, at(1_950)));
        assert_eq!((pace.due(at(1_950)), pace.next_timeout()), (None, Some(at(2_000))));
        assert_eq!(pace.due(at(2_000)), Some(peer));
        assert_eq!((pace.due(at(2_000)), pace.next_timeout()), (None, None));
        assert!(pace.up(Seat::new(2).unwrap(), at(2_000)), "another peer");
        assert_eq!((0..9).filter(|_| pace.up(peer, at(60_000))).count(), 4);
    }
}
