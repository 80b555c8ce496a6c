//! The state that an exchange and its lines share: the queues, and which peers are connected.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::RandomState;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{
    ClockOffset, ExchangeLimits, ExchangeStats, Misdirected, OpenLineError, Topic,
    clock::ClockMessage,
};
use crate::bus::queue::{Inbox, QueueLimits, QueuedMessage};
use crate::bus::{BusEvent, BusStats, Destination, LinkStats, PeerId, SendError};

/// The time between two questions to a peer for its clock.
const ASK_AGAIN: Duration = Duration::from_secs(600);

/// How long the answer to a question is waited for before another one is sent.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// The minimum time between two answers to one peer about this node's clock.
const ANSWER_AGAIN: Duration = Duration::from_secs(1);

/// A line's number, which no other line of the exchange ever has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LineId(u64);

#[derive(Debug)]
pub(super) struct Shared {
    own: PeerId,
    limits: ExchangeLimits,
    hasher: RandomState,
    state: Mutex<State>,
    /// Notified when a message is to be handed to the bus, or the last handle and line are gone.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    handles: usize,
    opened: u64,
    topics: BTreeMap<Topic, LineId>,
    /// The open lines, and those that are closed and have unsent messages.
    lines: BTreeMap<LineId, LineState>,
    /// The lines with unsent messages, each once, the next one first.
    turns: VecDeque<LineId>,
    /// Every peer that the bus has named.
    peers: BTreeMap<PeerId, Peer>,
    /// The last copy of the bus's counters.
    bus: BusStats,
}

#[derive(Debug)]
struct LineState {
    topic: Topic,
    members: BTreeSet<PeerId>,
    opened: Instant,
    /// The queues to the line's reader, one for each member.
    inbox: Inbox,
    /// The queues to the bus, one for each member.
    outbox: Inbox,
}

#[derive(Debug)]
struct Peer {
    connected: bool,
    /// When it last connected or disconnected.
    since: Instant,
    misdirected: Misdirected,
    clock: Option<ClockOffset>,
    /// When it was asked for its clock.
    asked: Instant,
    /// The question that it has not answered yet.
    question: Option<ClockMessage>,
    /// When this node's clock was last sent to it.
    answered: Option<Instant>,
}

impl State {
    fn peer(&mut self, name: &PeerId) -> &mut Peer {
        match self.peers.entry(name.clone()) {
            Entry::Occupied(peer) => peer.into_mut(),
            Entry::Vacant(place) => place.insert(Peer {
                connected: false,
                since: Instant::now(),
                misdirected: Misdirected::default(),
                clock: None,
                asked: Instant::now(),
                question: None,
                answered: None,
            }),
        }
    }

    /// The lines that a peer is a member of.
    fn lines_of(&mut self, peer: &PeerId) -> impl Iterator<Item = &mut LineState> {
        self.lines.values_mut().filter(move |line| line.members.contains(peer))
    }

    /// The line of a message; if there is none, counts the message as misdirected.
    fn line_for(&mut self, from: &PeerId, topic: Option<Topic>) -> Option<&mut LineState> {
        let Some(id) = topic.and_then(|topic| self.topics.get(&topic)) else {
            self.peer(from).misdirected.no_such_topic += 1;
            return None;
        };
        if !self.lines.get(id).is_some_and(|line| line.members.contains(from)) {
            self.peer(from).misdirected.not_a_member += 1;
            return None;
        }
        self.lines.get_mut(id)
    }

    fn is_connected(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|peer| peer.connected)
    }

    fn clocks(&self) -> BTreeMap<PeerId, ClockOffset> {
        let known = |(name, peer): (&PeerId, &Peer)| Some((name.clone(), peer.clock?));
        self.peers.iter().filter_map(known).collect()
    }

    fn line_stats(&self, line: &LineState) -> BusStats {
        let of = |outbox: &Inbox| outbox.stats().collect::<BTreeMap<_, _>>();
        let mut outbound = of(&line.outbox);
        let links = line.members.iter().map(|member| {
            let awaited_since = match self.peers.get(member) {
                Some(peer) if peer.connected => None,
                Some(peer) => Some(peer.since),
                None => Some(line.opened),
            };
            let below = self.bus.link(member).unwrap_or_default();
            let outbound = outbound.remove(member).unwrap_or_default();
            (member.clone(), LinkStats { awaited_since, outbound, ..below })
        });
        let inbound: BusStats = line.inbox.stats().collect();
        inbound.with_links(links, self.bus.refusals())
    }
}

impl Shared {
    /// The state with one handle.
    pub(super) fn new(own: PeerId, limits: ExchangeLimits) -> Self {
        let state = State { handles: 1, ..State::default() };
        Self {
            own,
            limits,
            hasher: RandomState::new(),
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    pub(super) fn local_peer(&self) -> &PeerId {
        &self.own
    }

    pub(super) fn queues(&self) -> &QueueLimits {
        &self.limits.queues
    }

    /// No step under the lock runs foreign code or can panic half way, so a task that panicked
    /// leaves a usable state, and must not take the others down.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Called by the exchange's task.
impl Shared {
    pub(super) fn connect(&self, name: &PeerId, question: ClockMessage) {
        let mut state = self.lock();
        let peer = state.peer(name);
        (peer.connected, peer.since) = (true, Instant::now());
        (peer.asked, peer.question) = (peer.since, Some(question));
        let readers = state.lines_of(name).filter_map(|line| line.inbox.connect(name));
        let readers: Vec<Waker> = readers.collect();
        drop(state);
        readers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn disconnect(&self, name: &PeerId) {
        let mut state = self.lock();
        let peer = state.peer(name);
        (peer.connected, peer.since) = (false, Instant::now());
        peer.clock = None;
        let readers = state.lines_of(name).filter_map(|line| line.inbox.disconnect(name));
        let readers: Vec<Waker> = readers.collect();
        drop(state);
        readers.into_iter().for_each(Waker::wake);
    }

    /// Puts a message into the queue of its line.
    pub(super) fn deliver(&self, from: &PeerId, bytes: Bytes) {
        let (topic, too_large) = (Topic::of(&bytes), bytes.len() > self.queues().max_message_bytes);
        // Hashed before the lock is taken.
        let parcel = QueuedMessage::of_delivered(bytes, &self.hasher);
        let mut state = self.lock();
        let Some(line) = state.line_for(from, topic) else { return };
        let reader = match too_large {
            true => line.inbox.refuse_too_large(from),
            false => line.inbox.push(from, &parcel, self.queues()),
        };
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Waits for the next message that is to be handed to the bus; `None` when every handle and
    /// line is gone.
    pub(super) async fn outgoing(&self) -> Option<(PeerId, Bytes)> {
        loop {
            if let Poll::Ready(outgoing) = self.next() {
                return outgoing;
            }
            // `Notify` stores a notification that comes before this call.
            self.changed.notified().await;
        }
    }

    fn next(&self) -> Poll<Option<(PeerId, Bytes)>> {
        let mut state = self.lock();
        while let Some(id) = state.turns.pop_front() {
            let Some(line) = state.lines.get_mut(&id) else { continue };
            let (event, topic) = (line.outbox.pop(), line.topic);
            if !line.outbox.is_empty() {
                state.turns.push_back(id);
            } else if state.topics.get(&topic) != Some(&id) {
                state.lines.remove(&id);
            }
            // The outbox holds messages only.
            if let Some(BusEvent::Message { from: to, bytes }) = event {
                return Poll::Ready(Some((to, bytes)));
            }
        }
        match state.handles == 0 && state.topics.is_empty() {
            true => Poll::Ready(None),
            false => Poll::Pending,
        }
    }

    /// The peers that are to be asked for their clocks now, with this question.
    pub(super) fn to_ask_for_the_time(&self, question: ClockMessage) -> Vec<PeerId> {
        let mut state = self.lock();
        let due = |peer: &Peer| {
            let pause = if peer.clock.is_some() { ASK_AGAIN } else { ANSWER_PATIENCE };
            peer.connected && peer.asked.elapsed() >= pause
        };
        let peers = state.peers.iter_mut().filter(|(_, peer)| due(peer));
        peers
            .map(|(name, peer)| {
                (peer.asked, peer.question) = (Instant::now(), Some(question));
                name.clone()
            })
            .collect()
    }

    /// Records the clock difference: only the first answer to the open question counts.
    pub(super) fn note_clock(&self, name: &PeerId, answer: ClockMessage, now: u64) {
        let mut state = self.lock();
        let peer = state.peer(name);
        if !peer.connected || !peer.question.is_some_and(|question| answer.is_to(question)) {
            return;
        }
        peer.question = None;
        if let Some(offset) = answer.offset(now) {
            peer.clock = Some(offset);
        }
    }

    /// Whether this node's clock is to be sent to a peer that asks: not if it was sent just now.
    pub(super) fn may_answer_clock(&self, name: &PeerId) -> bool {
        let mut state = self.lock();
        let peer = state.peer(name);
        let may = peer.answered.is_none_or(|last| last.elapsed() >= ANSWER_AGAIN);
        if may {
            peer.answered = Some(Instant::now());
        }
        may
    }

    pub(super) fn refresh(&self, stats: BusStats) {
        self.lock().bus = stats;
    }

    /// Closes it. Each line gets its queued events, and then `None`.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let readers: Vec<Waker> =
            state.lines.values_mut().filter_map(|line| line.inbox.wake()).collect();
        drop(state);
        readers.into_iter().for_each(Waker::wake);
    }
}

/// Called by the lines.
impl Shared {
    pub(super) fn open(
        &self,
        topic: Topic,
        members: BTreeSet<PeerId>,
    ) -> Result<LineId, OpenLineError> {
        let mut state = self.lock();
        if state.closed {
            return Err(OpenLineError::Closed);
        }
        if state.topics.contains_key(&topic) {
            return Err(OpenLineError::AlreadyOpen(topic));
        }
        let max_lines = self.limits.max_lines;
        if state.lines.len() >= max_lines {
            return Err(OpenLineError::TooManyLines { max_lines });
        }
        let mut inbox = Inbox::default();
        for member in members.iter().filter(|member| state.is_connected(member)) {
            // It has no reader yet, so there is no waker.
            inbox.connect(member);
        }
        let id = LineId(state.opened);
        state.opened += 1;
        state.topics.insert(topic, id);
        let opened = Instant::now();
        let line = LineState { topic, members, opened, inbox, outbox: Inbox::default() };
        state.lines.insert(id, line);
        Ok(id)
    }

    pub(super) fn close_line(&self, id: LineId) {
        let mut state = self.lock();
        let Some(line) = state.lines.get_mut(&id) else { return };
        let (topic, inbox) = (line.topic, std::mem::take(&mut line.inbox));
        // A closed line receives nothing.
        line.members.clear();
        let nothing_waits = line.outbox.is_empty();
        state.topics.remove(&topic);
        if nothing_waits {
            state.lines.remove(&id);
        }
        drop(state);
        // It holds a waker, whose drop may run any code.
        drop(inbox);
        self.changed.notify_one();
    }

    /// Puts a message into the queues of its receivers.
    pub(super) fn send(
        &self,
        id: LineId,
        to: &Destination,
        message: &[u8],
    ) -> Result<(), SendError> {
        let (bytes, max) = (message.len(), self.queues().max_message_bytes);
        // Copied and hashed before the lock is taken.
        let parcel = (bytes <= max).then(|| QueuedMessage::new(message, &self.hasher));
        let mut state = self.lock();
        let State { closed, lines, turns, peers, .. } = &mut *state;
        // The line exists as long as its handle does. Without it no message could be sent.
        let Some(line) = lines.get_mut(&id).filter(|_| !*closed) else {
            return Err(SendError::Closed);
        };
        let is_connected = |peer: &PeerId| peers.get(peer).is_some_and(|peer| peer.connected);
        if let Destination::Peer(peer) = to {
            if *peer == self.own {
                return Err(SendError::ToSelf(peer.clone()));
            }
            if !line.members.contains(peer) {
                return Err(SendError::UnknownPeer(peer.clone()));
            }
            if !is_connected(peer) {
                return Err(SendError::NotConnected(peer.clone()));
            }
        }
        let had_a_turn = !line.outbox.is_empty();
        let outbox = &mut line.outbox;
        let mut push = |peer: &PeerId| match &parcel {
            Some(parcel) => outbox.push(peer, parcel, &self.limits.queues),
            None => outbox.refuse_too_large(peer),
        };
        // The outbox has no waker: the exchange's task is notified below.
        match to {
            Destination::Peer(peer) => drop(push(peer)),
            Destination::Everyone => {
                let connected = line.members.iter().filter(|member| is_connected(member));
                connected.for_each(|member| drop(push(member)));
            }
        }
        if !had_a_turn && !line.outbox.is_empty() {
            turns.push_back(id);
        }
        drop(state);
        self.changed.notify_one();
        if bytes > max { Err(SendError::TooLarge { bytes, max }) } else { Ok(()) }
    }

    pub(super) fn poll_receive(&self, id: LineId, context: &Context<'_>) -> Poll<Option<BusEvent>> {
        // A waker's clone, wake and drop may run any code: never under the lock.
        let reader = context.waker().clone();
        let mut state = self.lock();
        let closed = state.closed;
        let Some(line) = state.lines.get_mut(&id) else { return Poll::Ready(None) };
        if let Some(event) = line.inbox.pop() {
            return Poll::Ready(Some(event));
        }
        if closed {
            return Poll::Ready(None);
        }
        let stale = line.inbox.wait(reader);
        drop(state);
        drop(stale);
        Poll::Pending
    }

    pub(super) fn line_stats(&self, id: LineId) -> BusStats {
        let state = self.lock();
        state.lines.get(&id).map(|line| state.line_stats(line)).unwrap_or_default()
    }
}

/// Called by the handles.
impl Shared {
    pub(super) fn add_handle(&self) {
        self.lock().handles += 1;
    }

    pub(super) fn drop_handle(&self) {
        self.lock().handles -= 1;
        self.changed.notify_one();
    }

    pub(super) fn clocks(&self) -> BTreeMap<PeerId, ClockOffset> {
        self.lock().clocks()
    }

    pub(super) fn free_lines(&self) -> usize {
        self.limits.max_lines.saturating_sub(self.lock().lines.len())
    }

    pub(super) fn stats(&self) -> ExchangeStats {
        let state = self.lock();
        let open = state.topics.iter().filter_map(|(topic, id)| {
            let line = state.lines.get(id)?;
            Some((*topic, state.line_stats(line)))
        });
        let misdirected = state.peers.iter().map(|(name, peer)| (name.clone(), peer.misdirected));
        ExchangeStats {
            bus: state.bus.clone(),
            lines: open.collect(),
            clocks: state.clocks(),
            misdirected: misdirected.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_taken_from_the_first_answer_to_the_question_that_is_open_and_from_no_other() {
        let peer = |name: &str| PeerId::new(name).unwrap();
        let shared = Shared::new(peer("anna"), ExchangeLimits::default());
        let (ben, question) = (peer("ben"), ClockMessage::question(1000));
        let ahead = || shared.lock().peer(&ben).clock.map(|offset| offset.ahead_ms);
        let said = |question: ClockMessage, at| shared.note_clock(&ben, question.answer(at), 1000);
        // An answer without a question.
        said(question, 9000);
        assert_eq!(ahead(), None);
        shared.connect(&ben, question);
        // Another question than the one that is open.
        said(ClockMessage::question(999), 9000);
        assert_eq!(ahead(), None);
        said(question, 1500);
        assert_eq!(ahead(), Some(500));
        // The same question again.
        said(question, 9000);
        assert_eq!(ahead(), Some(500));
    }
}
