use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use roastery_protocol::{SessionId, group::PeerId};

/// Messages for sessions that this node has not opened: kept, unread, within a small quota for each
/// peer. When it is full the peer's oldest message is dropped; the protocol retransmits it.
#[derive(Debug, Default)]
pub(super) struct EarlyMessages {
    by_peer: BTreeMap<PeerId, VecDeque<(SessionId, Bytes)>>,
}

impl EarlyMessages {
    /// The most messages that are kept for one peer.
    pub(super) const MOST: usize = 256;
    /// The most bytes that are kept for one peer.
    pub(super) const MOST_BYTES: usize = 512 * 1024;

    /// Keeps a message. Returns whether one of this peer was dropped for want of room.
    pub(super) fn keep(&mut self, from: PeerId, session: SessionId, bytes: Bytes) -> bool {
        if bytes.len() > Self::MOST_BYTES {
            return true;
        }
        let kept = self.by_peer.entry(from).or_default();
        if kept.iter().any(|(_, known)| *known == bytes) {
            return false;
        }
        kept.push_back((session, bytes));
        let size = |kept: &VecDeque<(SessionId, Bytes)>| {
            kept.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
        };
        let mut lost = false;
        while kept.len() > Self::MOST || size(kept) > Self::MOST_BYTES {
            kept.pop_front();
            lost = true;
        }
        lost
    }

    /// Takes out the messages for a session, each peer's in the order in which they came.
    pub(super) fn take(&mut self, session: SessionId) -> Vec<(PeerId, Bytes)> {
        let mut taken = Vec::new();
        self.by_peer.retain(|peer, kept| {
            kept.retain(|(of, bytes)| {
                if *of == session {
                    taken.push((peer.clone(), bytes.clone()));
                }
                *of != session
            });
            !kept.is_empty()
        });
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(name: u8) -> PeerId {
        PeerId::new([name]).unwrap()
    }

    fn session(name: u8) -> SessionId {
        SessionId::from_bytes([name; 32])
    }

    #[test]
    fn a_message_that_comes_before_its_session_is_given_to_it_and_to_no_other() {
        let mut early = EarlyMessages::default();
        early.keep(peer(1), session(1), Bytes::from_static(b"one"));
        early.keep(peer(1), session(1), Bytes::from_static(b"one"));
        early.keep(peer(2), session(2), Bytes::from_static(b"two"));
        assert_eq!(early.take(session(1)), [(peer(1), Bytes::from_static(b"one"))]);
        assert_eq!(early.take(session(1)), []);
        assert_eq!(early.take(session(2)).len(), 1);
        assert!(early.by_peer.is_empty());
    }

    #[test]
    fn a_peer_that_sends_too_much_loses_its_own_oldest_messages_only() {
        let mut early = EarlyMessages::default();
        early.keep(peer(2), session(1), Bytes::from_static(b"quiet"));
        for number in 0..=EarlyMessages::MOST {
            let lost =
                early.keep(peer(1), session(1), (number as u32).to_le_bytes().to_vec().into());
            assert_eq!(lost, number == EarlyMessages::MOST);
        }
        let taken = early.take(session(1));
        assert_eq!(taken.len(), EarlyMessages::MOST + 1);
        assert_eq!(taken[0], (peer(1), Bytes::from(vec![1, 0, 0, 0])));
        assert_eq!(taken.last(), Some(&(peer(2), Bytes::from_static(b"quiet"))));
        for number in 0..3 {
            early.keep(peer(1), session(1), vec![number; EarlyMessages::MOST_BYTES / 2].into());
        }
        assert_eq!(early.take(session(1)).len(), 2);
        // One that is longer than the quota evicts no other.
        early.keep(peer(1), session(1), Bytes::from_static(b"short"));
        early.keep(peer(1), session(1), vec![0; EarlyMessages::MOST_BYTES + 1].into());
        assert_eq!(early.take(session(1)), [(peer(1), Bytes::from_static(b"short"))]);
    }
}
