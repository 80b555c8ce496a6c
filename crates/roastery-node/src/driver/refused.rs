use std::{collections::BTreeMap, sync::Arc, time::Duration};

use roastery_protocol::{Seat, SessionId, group::PeerId};

/// The most refused requests that are remembered.
const MOST: usize = 4096;

/// The pause before a peer that goes on asking gets the refusal again.
const PAUSE: Duration = Duration::from_secs(15);

/// The requests that this node refuses, and the refusal that it sends to a peer that asks.
#[derive(Debug, Default)]
pub(super) struct RefusalCache {
    all: BTreeMap<SessionId, Refusal>,
}

#[derive(Debug)]
struct Refusal {
    bytes: Arc<[u8]>,
    /// The member that proposed the request, if that is known.
    author: Option<Seat>,
    expiry: u64,
    /// When it was sent to all.
    since: Duration,
    /// The peers that got it again within the last pause, and when.
    told: BTreeMap<PeerId, Duration>,
}

impl RefusalCache {
    /// Remembers a refusal, which is sent to all now. If there are too many, evicts one of the
    /// author that has the most: the one that expires first. Returns whether one was evicted.
    pub(super) fn add(
        &mut self,
        session: SessionId,
        (author, bytes): (Option<Seat>, Arc<[u8]>),
        expiry: u64,
        now: Duration,
        wall_seconds: u64,
    ) -> bool {
        if self.all.len() >= MOST {
            self.all.retain(|_, refusal| refusal.expiry > wall_seconds);
        }
        let told = BTreeMap::new();
        self.all.insert(session, Refusal { bytes, author, expiry, since: now, told });
        if self.all.len() <= MOST {
            return false;
        }
        let most = largest(self.all.values().map(|refusal| refusal.author));
        let theirs = self.all.iter().filter(|(_, refusal)| Some(refusal.author) == most);
        let first = theirs.min_by_key(|(id, refusal)| (refusal.expiry, **id));
        if let Some(first) = first.map(|(id, _)| *id) {
            self.all.remove(&first);
        }
        true
    }

    /// The refusal to send to a peer that sends about this session. Each peer has a pause of its
    /// own, so one that asks often takes no answer from another.
    pub(super) fn answer(
        &mut self,
        session: SessionId,
        peer: &PeerId,
        now: Duration,
    ) -> Option<Arc<[u8]>> {
        let refusal = self.all.get_mut(&session)?;
        let is_recent = |at: &Duration| now.saturating_sub(*at) < PAUSE;
        refusal.told.retain(|_, at| is_recent(at));
        if is_recent(&refusal.since) || refusal.told.contains_key(peer) {
            return None;
        }
        refusal.told.insert(peer.clone(), now);
        Some(refusal.bytes.clone())
    }

    /// The refusal of a request, if it is remembered.
    pub(super) fn get(&self, session: SessionId) -> Option<Arc<[u8]>> {
        self.all.get(&session).map(|refusal| refusal.bytes.clone())
    }

    /// The request is approved after all.
    pub(super) fn remove(&mut self, session: SessionId) {
        self.all.remove(&session);
    }
}

/// The author that has the most of these.
pub(super) fn largest(authors: impl Iterator<Item = Option<Seat>>) -> Option<Option<Seat>> {
    let mut counts = BTreeMap::<_, usize>::new();
    for author in authors {
        *counts.entry(author).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(author, _)| author)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_asks_often_takes_no_answer_from_another_one() {
        let session = SessionId::from_bytes([1; 32]);
        let peer = |name: u8| PeerId::new([name]).unwrap();
        let (mut refused, start) = (RefusalCache::default(), Duration::from_secs(9));
        refused.add(session, (None, Arc::from(&b"no"[..])), u64::MAX, start, 1);
        // It has just been sent to all.
        assert!(refused.answer(session, &peer(1), start + PAUSE / 2).is_none());
        let later = start + PAUSE;
        assert!(refused.answer(session, &peer(1), later).is_some());
        assert!(refused.answer(session, &peer(1), later + PAUSE / 2).is_none());
        assert!(refused.answer(session, &peer(2), later + PAUSE / 2).is_some());
        assert!(refused.answer(session, &peer(1), later + PAUSE).is_some());
        assert!(refused.answer(session, &peer(2), later + PAUSE).is_none());
    }

    #[test]
    fn a_member_of_whose_requests_most_are_refused_turns_over_its_own_refusals_only() {
        let (one, other) = (Seat::new(1).unwrap(), Seat::new(2).unwrap());
        let session = |number: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_le_bytes());
            SessionId::from_bytes(id)
        };
        let mut refused = RefusalCache::default();
        let mut add = |number: usize, author, expiry| {
            let refusal = (Some(author), Arc::from(&b"no"[..]));
            refused.add(session(number), refusal, expiry, Duration::ZERO, 1)
        };
        // That of the other member expires first.
        assert!(!add(0, other, 2));
        assert_eq!((1..MOST + 100).filter(|number| add(*number, one, 9)).count(), 100);
        assert!(refused.get(session(0)).is_some());
        assert_eq!(refused.all.len(), MOST);
    }
}
