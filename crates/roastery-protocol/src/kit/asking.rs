//! Asking members until each has answered: with growing pauses, and at once when one connects.

use std::collections::BTreeMap;

use crate::group::PeerId;

/// The pause after a message that was not answered; each further one is twice as long.
const FIRST_PAUSE_MS: u64 = 2_000;

/// The longest pause: ten minutes.
const LONGEST_PAUSE_MS: u64 = 600_000;

/// Members that are asked for something, or told it, until each has answered.
#[derive(Debug, Default)]
pub struct Asking(BTreeMap<PeerId, Asked>);

#[derive(Debug)]
struct Asked {
    /// The nonce of the message that is not answered.
    nonce: Option<[u8; 32]>,
    next_ms: u64,
    pause_ms: u64,
}

impl Asking {
    /// Begins to ask these.
    pub fn new(members: impl IntoIterator<Item = PeerId>) -> Self {
        let asked = || Asked { nonce: None, next_ms: 0, pause_ms: FIRST_PAUSE_MS };
        Self(members.into_iter().map(|peer| (peer, asked())).collect())
    }

    /// Whether all have answered.
    pub fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    /// A member is connected: it is asked at once.
    pub fn connected(&mut self, peer: &PeerId) {
        if let Some(asked) = self.0.get_mut(peer) {
            (asked.next_ms, asked.pause_ms) = (0, FIRST_PAUSE_MS);
        }
    }

    /// Who is to be asked now, each with a nonce of its own.
    pub fn due(
        &mut self,
        now_ms: u64,
        mut nonce: impl FnMut() -> Option<[u8; 32]>,
    ) -> Vec<(PeerId, [u8; 32])> {
        let mut due = Vec::new();
        for (peer, asked) in &mut self.0 {
            // A clock that was set back asks at once.
            let waits = asked.next_ms > now_ms && asked.next_ms - now_ms <= LONGEST_PAUSE_MS;
            if waits {
                continue;
            }
            let Some(drawn) = nonce() else { return due };
            asked.nonce = Some(drawn);
            asked.next_ms = now_ms + asked.pause_ms;
            asked.pause_ms = (2 * asked.pause_ms).min(LONGEST_PAUSE_MS);
            due.push((peer.clone(), drawn));
        }
        due
    }

    /// Takes an answer. Whether it is one, to the open question of this member: the first ends its
    /// asking.
    pub fn answered(&mut self, from: &PeerId, nonce: &[u8; 32]) -> bool {
        let is_open = self.0.get(from).is_some_and(|asked| asked.nonce.as_ref() == Some(nonce));
        is_open && self.0.remove(from).is_some()
    }
}
