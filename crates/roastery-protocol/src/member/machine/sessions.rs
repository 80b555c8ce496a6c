//! All sessions of a group at this node: which are to be looked at, and when which is due.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::session::Session;
use crate::SessionId;

/// The sessions by id. An input concerns few of them: what is taken out to be changed is looked at
/// afterwards, and so costs an input nothing for the other sessions.
pub(super) struct Sessions<P> {
    all: BTreeMap<SessionId, Entry<P>>,
    /// Those that run.
    running: BTreeSet<SessionId>,
    /// How many of those that run have so many messages.
    lengths: BTreeMap<usize, usize>,
    /// Those that were changed, or that may act for another reason, since they were looked at last.
    touched: BTreeSet<SessionId>,
    due: BTreeSet<(Duration, SessionId)>,
}

struct Entry<P> {
    session: Session<P>,
    due: Option<Duration>,
}

impl<P> Default for Sessions<P> {
    fn default() -> Self {
        Self {
            all: BTreeMap::new(),
            running: BTreeSet::new(),
            lengths: BTreeMap::new(),
            touched: BTreeSet::new(),
            due: BTreeSet::new(),
        }
    }
}

impl<P> Sessions<P> {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session<P>> {
        self.all.get(&id).map(|entry| &entry.session)
    }

    /// A session to be changed: it is looked at afterwards.
    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session<P>> {
        let entry = self.all.get_mut(&id)?;
        self.touched.insert(id);
        Some(&mut entry.session)
    }

    /// A session of which only something that is kept is dropped: there is nothing to act on.
    pub(super) fn get_to_drop(&mut self, id: SessionId) -> Option<&mut Session<P>> {
        self.all.get_mut(&id).map(|entry| &mut entry.session)
    }

    pub(super) fn insert(&mut self, session: Session<P>) {
        let id = session.id;
        self.touched.insert(id);
        self.note_phase(id, session.m, session.is_running());
        self.all.insert(id, Entry { session, due: None });
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<Session<P>> {
        let Entry { session, due } = self.all.remove(&id)?;
        self.note_phase(id, session.m, false);
        self.touched.remove(&id);
        due.map(|due| self.due.remove(&(due, id)));
        Some(session)
    }

    /// Changes every session that runs: what has happened concerns all of them.
    pub(super) fn change_running(&mut self, mut change: impl FnMut(&mut Session<P>)) {
        for id in &self.running {
            if let Some(entry) = self.all.get_mut(id) {
                change(&mut entry.session);
                self.touched.insert(*id);
            }
        }
    }

    /// The sessions that run and of which this holds are looked at: something that they share has
    /// changed.
    pub(super) fn touch_running(&mut self, concerns: impl Fn(&Session<P>) -> bool) {
        let running = self
            .running
            .iter()
            .filter(|id| self.all.get(id).is_some_and(|entry| concerns(&entry.session)));
        self.touched.extend(running);
    }

    /// Takes out one of those that are to be looked at.
    pub(super) fn next_touched(&mut self) -> Option<SessionId> {
        self.touched.pop_first()
    }

    /// Those that are due now are looked at. Gives them.
    pub(super) fn touch_due(&mut self, now: Duration) -> Vec<SessionId> {
        let due = self.due.iter().take_while(|(due, _)| *due <= now);
        let due: Vec<SessionId> = due.map(|(_, id)| *id).collect();
        self.touched.extend(&due);
        due
    }

    /// A session was looked at: it is looked at again when it is due, or is changed before.
    pub(super) fn settle(&mut self, id: SessionId, due: Option<Duration>) {
        let Some(entry) = self.all.get_mut(&id) else { return };
        self.touched.remove(&id);
        let (m, is_running) = (entry.session.m, entry.session.is_running());
        let before = std::mem::replace(&mut entry.due, due);
        if before != due {
            before.map(|before| self.due.remove(&(before, id)));
            self.due.extend(due.map(|due| (due, id)));
        }
        self.note_phase(id, m, is_running);
    }

    /// When the next one is due, on the monotonic clock.
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Those that run, in the order of their ids.
    pub(super) fn running(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.running.iter().copied()
    }

    /// How many run.
    pub(super) fn running_count(&self) -> usize {
        self.running.len()
    }

    pub(super) fn has_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// The number of messages of the longest request that is open; 1 without any.
    pub(super) fn most_messages(&self) -> usize {
        self.lengths.last_key_value().map_or(1, |(m, _)| *m)
    }

    fn note_phase(&mut self, id: SessionId, m: usize, is_running: bool) {
        let count = self.lengths.entry(m).or_default();
        if is_running && self.running.insert(id) {
            *count += 1;
        } else if !is_running && self.running.remove(&id) {
            *count -= 1;
        }
        if *count == 0 {
            self.lengths.remove(&m);
        }
    }
}
