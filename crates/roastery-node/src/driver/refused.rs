use std::{collections::BTreeMap, sync::Arc, time::Duration};

use roastery_protocol::SessionId;

/// The most refused requests that are remembered.
const MOST: usize = 4096;

/// Whoever goes on asking is told again after this long.
const PAUSE: Duration = Duration::from_secs(15);

/// What this node will not sign, and what it says to whoever asks it to.
#[derive(Debug, Default)]
pub(super) struct Refused {
    all: BTreeMap<SessionId, Refusal>,
}

#[derive(Debug)]
struct Refusal {
    bytes: Arc<[u8]>,
    expiry: u64,
    /// Not to be said before.
    again: Duration,
}

impl Refused {
    /// Remembers a refusal, which is said to all now. Returns whether another one had to be
    /// forgotten for it: the one that expires first, which matters to the others the shortest.
    pub(super) fn add(
        &mut self,
        session: SessionId,
        bytes: Arc<[u8]>,
        expiry: u64,
        now: Duration,
        wall_seconds: u64,
    ) -> bool {
        if self.all.len() >= MOST {
            self.all.retain(|_, refusal| refusal.expiry > wall_seconds);
        }
        self.all.insert(session, Refusal { bytes, expiry, again: now.saturating_add(PAUSE) });
        if self.all.len() <= MOST {
            return false;
        }
        let first = self.all.iter().min_by_key(|(id, refusal)| (refusal.expiry, **id));
        if let Some(first) = first.map(|(id, _)| *id) {
            self.all.remove(&first);
        }
        true
    }

    /// What to say to somebody who speaks in this session.
    pub(super) fn answer(&mut self, session: SessionId, now: Duration) -> Option<Arc<[u8]>> {
        let refusal = self.all.get_mut(&session).filter(|refusal| now >= refusal.again)?;
        refusal.again = now.saturating_add(PAUSE);
        Some(refusal.bytes.clone())
    }

    /// The refusal of a request, if it is remembered.
    pub(super) fn get(&self, session: SessionId) -> Option<Arc<[u8]>> {
        self.all.get(&session).map(|refusal| refusal.bytes.clone())
    }

    /// It is taken up after all.
    pub(super) fn remove(&mut self, session: SessionId) {
        self.all.remove(&session);
    }
}
