use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use roastery_protocol::{SessionId, group::PeerId};

/// The most outcomes that are kept.
const MOST: usize = 1024;

/// The pause before a peer that goes on sending about a signed request gets the signatures again.
const PAUSE: Duration = Duration::from_millis(500);

/// The signatures of sessions of which nothing else is kept. They answer the peers that still send
/// about one, until its request expires.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    all: BTreeMap<SessionId, Kept>,
    order: VecDeque<SessionId>,
}

#[derive(Debug)]
struct Kept {
    bytes: Arc<[u8]>,
    expires_at: Duration,
    /// The peers that got them within the last pause, and when.
    told: Vec<(PeerId, Duration)>,
}

impl Outcomes {
    /// Keeps the message with the signatures of a session until its request expires (by a monotonic
    /// clock). Returns whether the oldest one was evicted for it before its expiry.
    pub(super) fn add(
        &mut self,
        session: SessionId,
        bytes: Arc<[u8]>,
        expires_at: Duration,
        now: Duration,
    ) -> bool {
        self.all.insert(session, Kept { bytes, expires_at, told: Vec::new() });
        self.order.push_back(session);
        if self.order.len() <= MOST {
            return false;
        }
        let oldest = self.order.pop_front().and_then(|oldest| self.all.remove(&oldest));
        oldest.is_some_and(|oldest| oldest.expires_at > now)
    }

    /// Whether the signatures of this session are kept here.
    pub(super) fn contains(&self, session: SessionId, now: Duration) -> bool {
        self.all.get(&session).is_some_and(|kept| kept.expires_at > now)
    }

    /// The answer to a peer that sends about this session, unless it got one within the pause.
    pub(super) fn answer(
        &mut self,
        session: SessionId,
        peer: &PeerId,
        now: Duration,
    ) -> Option<Arc<[u8]>> {
        let kept = self.all.get_mut(&session).filter(|kept| kept.expires_at > now)?;
        kept.told.retain(|(_, at)| now.saturating_sub(*at) < PAUSE);
        if kept.told.iter().any(|(told, _)| told == peer) {
            return None;
        }
        kept.told.push((peer.clone(), now));
        Some(kept.bytes.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRY: Duration = Duration::from_secs(100);

    fn session(number: usize) -> SessionId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_le_bytes());
        SessionId::from_bytes(id)
    }

    #[test]
    fn each_peer_that_speaks_of_a_session_is_told_at_a_pace_of_its_own_until_the_request_expires() {
        let [one, other] = [1, 2].map(|name| PeerId::new([name]).unwrap());
        let (mut outcomes, start) = (Outcomes::default(), Duration::from_secs(9));
        assert!(!outcomes.add(session(1), Arc::from(&b"signed"[..]), EXPIRY, start));
        let mut told = |peer, now| outcomes.answer(session(1), peer, now).is_some();
        assert!(told(&one, start));
        assert!(!told(&one, start + PAUSE / 2));
        assert!(told(&other, start + PAUSE / 2));
        assert!(told(&one, start + PAUSE));
        assert!(!told(&one, EXPIRY));
        assert!(outcomes.contains(session(1), start));
        assert!(!outcomes.contains(session(1), EXPIRY));
        assert!(!outcomes.contains(session(2), start));
    }

    #[test]
    fn of_too_many_outcomes_the_first_is_forgotten_which_counts_if_its_request_still_lives() {
        let mut outcomes = Outcomes::default();
        let mut add =
            |number, now| outcomes.add(session(number), Arc::from(&b"signed"[..]), EXPIRY, now);
        assert!((0..MOST).all(|number| !add(number, Duration::ZERO)));
        assert!(add(MOST, Duration::ZERO));
        assert!(!add(MOST + 1, EXPIRY));
        assert!(!outcomes.contains(session(1), Duration::ZERO));
        assert!(outcomes.contains(session(2), Duration::ZERO));
        assert_eq!((outcomes.all.len(), outcomes.order.len()), (MOST, MOST));
    }
}
