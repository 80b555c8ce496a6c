//! The handles of sessions: their events, ends and deadlines.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use roastery_frost::MAX_SEATS;
use roastery_protocol::{SessionId, member::machine::Event};
use tokio::sync::{mpsc, watch};

use super::{
    clock::Clock,
    handle::{Command, Ended, FinalReport, SessionHandle, SessionWatcher},
};

/// How many events of a session wait for their reader before further ones are dropped.
const MOST_WAITING_EVENTS: usize = 4096;

/// There is always room for the events that are never dropped: a session ends at most twice,
/// stopped and then signed, and proves one fault at most of each seat.
const NEVER_DROPPED: usize = 2 + MAX_SEATS;

/// The sessions of which a program may hold a handle.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    all: BTreeMap<SessionId, Entry>,
    deadlines: BTreeSet<(Duration, SessionId)>,
}

/// The node's end of a session's handles.
#[derive(Debug)]
struct Entry {
    events: mpsc::Sender<Event>,
    ended: watch::Sender<Option<Ended>>,
    final_report: Arc<OnceLock<FinalReport>>,
    deadline: Duration,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Published {
    /// The handle has it, or is dropped.
    Taken,
    /// Too many events wait for their reader.
    Lost,
    /// The session has no handle.
    NoHandle,
}

impl Sessions {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The handle of a session that is open from now on, until this monotonic time at the latest.
    pub(super) fn add(
        &mut self,
        id: SessionId,
        deadline: Duration,
        clock: Clock,
        commands: mpsc::Sender<Command>,
    ) -> SessionHandle {
        let (events, waiting) = mpsc::channel(MOST_WAITING_EVENTS + NEVER_DROPPED);
        let (ended, end) = watch::channel(None);
        let final_report = Arc::new(OnceLock::new());
        let last = final_report.clone();
        let watcher = SessionWatcher { id, ended: end, final_report: last, commands, clock };
        self.deadlines.insert((deadline, id));
        self.all.insert(id, Entry { events, ended, final_report, deadline });
        SessionHandle { events: waiting, watcher }
    }

    /// A reader that does not read loses events, but never a proof or the end.
    pub(super) fn publish(&mut self, id: SessionId, event: Event) -> Published {
        let Some(entry) = self.all.get_mut(&id) else { return Published::NoHandle };
        let end = match &event {
            Event::Signed(outcome) => Some(Ended::Signed(outcome.clone())),
            Event::Stopped { reason, .. } => Some(Ended::Stopped(*reason)),
            _ => None,
        };
        if end.is_some() {
            self.deadlines.remove(&(entry.deadline, id));
            entry.ended.send_replace(end);
        } else if !matches!(event, Event::Proven { .. }) && entry.events.capacity() <= NEVER_DROPPED
        {
            // A dropped reader needs none.
            let is_read = !entry.events.is_closed();
            return if is_read { Published::Lost } else { Published::Taken };
        }
        // The reader may be dropped.
        let _ = entry.events.try_send(event);
        Published::Taken
    }

    /// When the next deadline of a session is.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Takes out a session whose deadline has come.
    pub(super) fn due(&mut self, now: Duration) -> Option<SessionId> {
        self.deadlines.first().filter(|(deadline, _)| now >= *deadline)?;
        self.deadlines.pop_first().map(|(_, id)| id)
    }

    /// The session is forgotten: its handles have its last report, and no further events come.
    pub(super) fn forget(&mut self, id: SessionId, last: FinalReport) {
        if let Some(entry) = self.all.remove(&id) {
            self.deadlines.remove(&(entry.deadline, id));
            // Set here only, and once.
            let _ = entry.final_report.set(last);
        }
    }

    /// All sessions that have a handle.
    pub(super) fn ids(&self) -> Vec<SessionId> {
        self.all.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use roastery_protocol::{
        BodyHash,
        member::machine::{Outcome, StopReason},
    };

    use super::*;
    use crate::driver::clock;

    fn handle(sessions: &mut Sessions, id: SessionId) -> SessionHandle {
        let (commands, _) = mpsc::channel(1);
        let clock = Clock::start(clock::system);
        sessions.add(id, Duration::from_secs(9), clock, commands)
    }

    #[tokio::test]
    async fn a_reader_that_takes_no_events_finds_proofs_and_the_end_behind_what_waited_for_it() {
        let session = SessionId::from_bytes([1; 32]);
        let mut sessions = Sessions::default();
        let mut reader = handle(&mut sessions, session);
        let package = BodyHash::from_bytes([2; 32]);
        let share =
            Event::ShareReleased { session, seat: roastery_frost::Seat::new(0).unwrap(), package };
        let lost =
            (0..5000).filter(|_| sessions.publish(session, share.clone()) == Published::Lost);
        assert_eq!(lost.count(), 5000 - MOST_WAITING_EVENTS);
        let stopped = Event::Stopped { session, reason: StopReason::Cancelled };
        let (signatures, origin) = (Vec::new(), None);
        let signed = Event::Signed(Outcome { session, signatures, package, origin });
        assert_eq!(sessions.publish(session, stopped.clone()), Published::Taken);
        assert_eq!(sessions.publish(session, signed.clone()), Published::Taken);
        for _ in 0..MOST_WAITING_EVENTS {
            assert_eq!(reader.event().await.unwrap(), share);
        }
        assert_eq!(reader.event().await.unwrap(), stopped);
        assert_eq!(reader.event().await.unwrap(), signed);
        assert!(matches!(reader.ended().await, Some(Ended::Signed(_))));
    }

    #[tokio::test]
    async fn a_session_without_a_handle_is_known_to_have_none_and_one_that_ended_has_no_deadline() {
        let session = SessionId::from_bytes([1; 32]);
        let mut sessions = Sessions::default();
        let stopped = Event::Stopped { session, reason: StopReason::Cancelled };
        assert_eq!(sessions.publish(session, stopped.clone()), Published::NoHandle);
        let _reader = handle(&mut sessions, session);
        assert_eq!(sessions.next_deadline(), Some(Duration::from_secs(9)));
        assert_eq!(sessions.due(Duration::from_secs(8)), None);
        sessions.publish(session, stopped);
        assert_eq!((sessions.next_deadline(), sessions.due(Duration::MAX)), (None, None));
    }
}
