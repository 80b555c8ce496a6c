use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use roastery_protocol::{SessionId, engine::EngineSession};

use super::{
    error::SignError,
    running::{Rank, Running},
};

/// The most sessions that have not ended.
const MOST_RUNNING: usize = 1024;

/// The most sessions that have ended and whose outcome is kept to answer with.
const MOST_ENDED: usize = 1024;

/// The most signed sessions that are kept whole, to take late evidence: each takes about 15 KiB. Of
/// older ones the outcome is kept.
const MOST_WHOLE: usize = 128;

/// All sessions of a node, and the order of their timers.
pub(super) struct Sessions<S: EngineSession> {
    all: BTreeMap<SessionId, Entry<S>>,
    /// The timer of each.
    due: BTreeSet<(Duration, SessionId)>,
    /// When those that have ended did.
    ended: BTreeSet<(Duration, SessionId)>,
    /// When those of them ended that are signed and hold no proof.
    signed: BTreeSet<(Duration, SessionId)>,
}

struct Entry<S: EngineSession> {
    running: Running<S>,
    due: Duration,
    ended: Option<Duration>,
}

impl<S: EngineSession> Default for Sessions<S> {
    fn default() -> Self {
        Self {
            all: BTreeMap::new(),
            due: BTreeSet::new(),
            ended: BTreeSet::new(),
            signed: BTreeSet::new(),
        }
    }
}

impl<S: EngineSession> Sessions<S> {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn contains(&self, id: SessionId) -> bool {
        self.all.contains_key(&id)
    }

    /// All of them.
    pub(super) fn ids(&self) -> Vec<SessionId> {
        self.all.keys().copied().collect()
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Running<S>> {
        self.all.get(&id).map(|entry| &entry.running)
    }

    /// Must be followed by [`settle`](Self::settle).
    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Running<S>> {
        self.all.get_mut(&id).map(|entry| &mut entry.running)
    }

    /// The session that must be evicted for a further one, if any: the last in order. Sessions that
    /// have ended do not count.
    pub(super) fn room_for(&self, rank: Rank) -> Result<Option<SessionId>, SignError> {
        if self.all.len() - self.ended.len() < MOST_RUNNING {
            return Ok(None);
        }
        let running = self.all.values().filter(|entry| entry.ended.is_none());
        match running.map(|entry| entry.running.rank).max() {
            Some(last) if rank < last => Ok(Some(last.session)),
            _ => Err(SignError::Busy { most: MOST_RUNNING }),
        }
    }

    pub(super) fn insert(&mut self, running: Running<S>) {
        let (id, due) = (running.rank.session, running.next_wake());
        self.due.insert((due, id));
        self.all.insert(id, Entry { running, due, ended: None });
    }

    /// Updates the indices after a change of a session. Returns whether the outcome of another one
    /// was evicted.
    pub(super) fn settle(&mut self, id: SessionId, now: Duration) -> bool {
        let Some(entry) = self.all.get_mut(&id) else { return false };
        let due = entry.running.next_wake();
        if due != entry.due {
            self.due.remove(&(entry.due, id));
            self.due.insert((due, id));
            entry.due = due;
        }
        if entry.ended.is_none() && entry.running.has_ended() {
            entry.ended = Some(now);
            self.ended.insert((now, id));
        }
        if let Some(ended) = entry.ended
            && entry.running.session.outcome().is_some()
        {
            match entry.running.session.proofs().len() {
                0 => self.signed.insert((ended, id)),
                // A session with a proof stays whole: the proof is broadcast and shown.
                _ => self.signed.remove(&(ended, id)),
            };
        }
        // A peer that lacks the oldest outcome has had the longest time to ask for it.
        let mut forgotten = false;
        while self.ended.len() > MOST_ENDED
            && let Some((_, oldest)) = self.ended.first().copied()
        {
            self.forget(oldest);
            forgotten = true;
        }
        forgotten
    }

    /// Takes out the session that was signed first, if more are kept whole than may be: its outcome
    /// is to be kept.
    pub(super) fn take_beyond_whole(&mut self) -> Option<Running<S>> {
        let first = self.signed.first().filter(|_| self.signed.len() > MOST_WHOLE);
        first.map(|(_, id)| *id).and_then(|id| self.take(id))
    }

    pub(super) fn forget(&mut self, id: SessionId) {
        drop(self.take(id));
    }

    fn take(&mut self, id: SessionId) -> Option<Running<S>> {
        let entry = self.all.remove(&id)?;
        self.due.remove(&(entry.due, id));
        if let Some(ended) = entry.ended {
            self.ended.remove(&(ended, id));
            self.signed.remove(&(ended, id));
        }
        Some(entry.running)
    }

    /// When the next timer of a session is due.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due)
    }

    /// A session whose timer is due now.
    pub(super) fn due(&self, now: Duration) -> Option<SessionId> {
        self.due.first().filter(|(due, _)| now >= *due).map(|(_, id)| *id)
    }
}
