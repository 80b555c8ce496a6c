//! The round trips that the bus has measured, as the member learns of them.

use std::{collections::BTreeMap, time::Duration};

use roastery_protocol::group::PeerId;

/// How often the bus is asked: a bus measures a peer every few seconds.
const PAUSE: Duration = Duration::from_secs(1);

/// The peers that are connected, and their round trips as they were last.
#[derive(Debug, Default)]
pub(super) struct Connected {
    peers: BTreeMap<PeerId, Option<Duration>>,
    asked: Option<Duration>,
}

impl Connected {
    pub(super) fn up(&mut self, peer: PeerId) {
        self.peers.insert(peer, None);
        // The bus may know its round trip already.
        self.asked = None;
    }

    pub(super) fn down(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    /// Whether the peer is connected: what came over a connection that has ended counts no more.
    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.peers.contains_key(peer)
    }

    /// The round trips that the bus has measured anew, at most once in a second by this monotonic
    /// time.
    pub(super) fn measured(
        &mut self,
        now: Duration,
        measure: impl Fn(&PeerId) -> Option<Duration>,
    ) -> Vec<(PeerId, Duration)> {
        if self.asked.is_some_and(|asked| now.saturating_sub(asked) < PAUSE) {
            return Vec::new();
        }
        self.asked = Some(now);
        let mut changed = Vec::new();
        for (peer, known) in &mut self.peers {
            if let Some(time) = measure(peer)
                && known.replace(time) != Some(time)
            {
                changed.push((peer.clone(), time));
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_is_told_when_the_bus_has_measured_another_one_and_the_peer_is_connected() {
        let (one, other) = (PeerId::new([1]).unwrap(), PeerId::new([2]).unwrap());
        let (mut connected, start) = (Connected::default(), Duration::from_secs(9));
        let (ms, second) = (Duration::from_millis(1), Duration::from_secs(1));
        assert_eq!(connected.measured(start, |_| Some(ms)), []);
        connected.up(one.clone());
        let of_one = |time| move |peer: &PeerId| (peer.as_bytes() == [1]).then_some(time);
        assert_eq!(connected.measured(start, of_one(ms)), [(one.clone(), ms)]);
        assert_eq!(connected.measured(start + second / 2, of_one(2 * ms)), []);
        assert_eq!(connected.measured(start + second, of_one(ms)), []);
        assert_eq!(connected.measured(start + 2 * second, of_one(2 * ms)), [(one.clone(), 2 * ms)]);
        // One that connects is asked for at once.
        connected.up(other.clone());
        assert_eq!(connected.measured(start + 2 * second, |_| Some(ms)).len(), 2);
        connected.down(&one);
        assert!(!connected.contains(&one) && connected.contains(&other));
        assert_eq!(connected.measured(start + 4 * second, |_| Some(2 * ms)).len(), 1);
    }
}
