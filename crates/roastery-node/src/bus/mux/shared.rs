//! What a mux and its channels share: the state behind its lock, and what each of them does to it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::RandomState;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use super::clock::{ClockMessage, ClockOffset};
use super::error::{MOST_MEMBERS, OpenChannelError};
use super::limits::MuxLimits;
use super::state::{ChannelId, ChannelState, State};
use super::stats::MuxStats;
use super::topic::Topic;
use crate::bus::queue::{Inbox, QueueLimits, QueuedMessage};
use crate::bus::{BusEvent, BusStats, Destination, PeerId, SendError};

#[derive(Debug)]
pub(super) struct Shared {
    own: PeerId,
    limits: MuxLimits,
    hasher: RandomState,
    state: Mutex<State>,
    /// Notified when a message is to be handed to the bus, or the last handle and channel are gone.
    changed: Notify,
}

impl Shared {
    /// The state with one handle.
    pub(super) fn new(own: PeerId, limits: MuxLimits) -> Self {
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

/// Called by the mux's task.
impl Shared {
    pub(super) fn connect(&self, name: &PeerId, question: ClockMessage) {
        let mut state = self.lock();
        let peer = state.peer(name);
        (peer.connected, peer.since) = (true, Instant::now());
        peer.clock.ask(question);
        let readers = state.channels_of(name).filter_map(|channel| channel.inbox.connect(name));
        let readers: Vec<Waker> = readers.collect();
        drop(state);
        readers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn disconnect(&self, name: &PeerId) {
        let mut state = self.lock();
        let peer = state.peer(name);
        (peer.connected, peer.since) = (false, Instant::now());
        peer.clock.forget();
        let readers = state.channels_of(name).filter_map(|channel| channel.inbox.disconnect(name));
        let readers: Vec<Waker> = readers.collect();
        drop(state);
        readers.into_iter().for_each(Waker::wake);
    }

    /// Puts a message into the queue of its channel.
    pub(super) fn deliver(&self, from: &PeerId, bytes: Bytes) {
        let (topics, too_large) =
            (Topic::of(&bytes), bytes.len() > self.queues().max_message_bytes);
        // Hashed before the lock is taken.
        let queued = QueuedMessage::of_delivered(bytes, &self.hasher);
        let mut state = self.lock();
        let Some(channel) = state.channel_for(from, topics) else { return };
        let reader = match too_large {
            true => channel.inbox.refuse_too_large(from),
            false => channel.inbox.push(from, &queued, self.queues()),
        };
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Waits for the next message that is to be handed to the bus; `None` when every handle and
    /// channel is gone.
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
            let Some(channel) = state.channels.get_mut(&id) else { continue };
            let (event, topic) = (channel.outbox.pop(), channel.topic);
            if !channel.outbox.is_empty() {
                state.turns.push_back(id);
            } else if state.topics.get(&topic) != Some(&id) {
                state.channels.remove(&id);
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
        let due = state.peers.iter_mut().filter(|(_, peer)| peer.connected && peer.clock.is_due());
        due.map(|(name, peer)| {
            peer.clock.ask(question);
            name.clone()
        })
        .collect()
    }

    /// Records the clock difference that an answer shows.
    pub(super) fn note_clock(&self, name: &PeerId, answer: ClockMessage, now: u64) {
        let mut state = self.lock();
        let peer = state.peer(name);
        if peer.connected {
            peer.clock.note(answer, now);
        }
    }

    /// Whether this node's clock is to be sent to a peer that asks: not if it was sent just now.
    pub(super) fn may_answer_clock(&self, name: &PeerId) -> bool {
        self.lock().peer(name).clock.may_answer()
    }

    pub(super) fn refresh(&self, stats: BusStats) {
        self.lock().bus = stats;
    }

    /// Closes it. Each channel gets its queued events, and then `None`.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let readers: Vec<Waker> =
            state.channels.values_mut().filter_map(|channel| channel.inbox.wake()).collect();
        drop(state);
        readers.into_iter().for_each(Waker::wake);
    }
}

/// Called by the channels.
impl Shared {
    pub(super) fn open(
        &self,
        topic: Topic,
        members: BTreeSet<PeerId>,
    ) -> Result<ChannelId, OpenChannelError> {
        let mut state = self.lock();
        if state.closed {
            return Err(OpenChannelError::Closed);
        }
        if state.topics.contains_key(&topic) {
            return Err(OpenChannelError::AlreadyOpen(topic));
        }
        let max_channels = self.limits.max_channels;
        if state.channels.len() >= max_channels {
            return Err(OpenChannelError::TooManyChannels { max_channels });
        }
        let mut inbox = Inbox::default();
        for member in members.iter().filter(|member| state.is_connected(member)) {
            // It has no reader yet, so there is no waker.
            inbox.connect(member);
        }
        let id = state.next_id();
        state.topics.insert(topic, id);
        let opened = Instant::now();
        let channel = ChannelState { topic, members, opened, inbox, outbox: Inbox::default() };
        state.channels.insert(id, channel);
        Ok(id)
    }

    pub(super) fn close_channel(&self, id: ChannelId) {
        let mut state = self.lock();
        let Some(channel) = state.channels.get_mut(&id) else { return };
        let (topic, inbox) = (channel.topic, std::mem::take(&mut channel.inbox));
        // A closed channel receives nothing.
        channel.members.clear();
        let nothing_waits = channel.outbox.is_empty();
        state.topics.remove(&topic);
        state.further.retain(|_, channel| *channel != id);
        if nothing_waits {
            state.channels.remove(&id);
        }
        drop(state);
        // It holds a waker, whose drop may run any code.
        drop(inbox);
        self.changed.notify_one();
    }

    /// Puts a message into the queues of its receivers.
    pub(super) fn send(
        &self,
        id: ChannelId,
        to: &Destination,
        message: &[u8],
    ) -> Result<(), SendError> {
        let (bytes, max) = (message.len(), self.queues().max_message_bytes);
        // Copied and hashed before the lock is taken.
        let queued = (bytes <= max).then(|| QueuedMessage::new(message, &self.hasher));
        let mut state = self.lock();
        let State { closed, channels, turns, peers, .. } = &mut *state;
        // The channel exists as long as its handle does. Without it no message could be sent.
        let Some(channel) = channels.get_mut(&id).filter(|_| !*closed) else {
            return Err(SendError::Closed);
        };
        let is_connected = |peer: &PeerId| peers.get(peer).is_some_and(|peer| peer.connected);
        if let Destination::Peer(peer) = to {
            if *peer == self.own {
                return Err(SendError::ToSelf(peer.clone()));
            }
            if !channel.members.contains(peer) {
                return Err(SendError::UnknownPeer(peer.clone()));
            }
            if !is_connected(peer) {
                return Err(SendError::NotConnected(peer.clone()));
            }
        }
        let had_a_turn = !channel.outbox.is_empty();
        let outbox = &mut channel.outbox;
        let mut push = |peer: &PeerId| match &queued {
            Some(queued) => outbox.push(peer, queued, &self.limits.queues),
            None => outbox.refuse_too_large(peer),
        };
        // The outbox has no waker: the mux's task is notified below.
        match to {
            Destination::Peer(peer) => drop(push(peer)),
            Destination::Everyone => {
                let connected = channel.members.iter().filter(|member| is_connected(member));
                connected.for_each(|member| drop(push(member)));
            }
        }
        if !had_a_turn && !channel.outbox.is_empty() {
            turns.push_back(id);
        }
        drop(state);
        self.changed.notify_one();
        if bytes > max { Err(SendError::TooLarge { bytes, max }) } else { Ok(()) }
    }

    pub(super) fn poll_receive(
        &self,
        id: ChannelId,
        context: &Context<'_>,
    ) -> Poll<Option<BusEvent>> {
        // A waker's clone, wake and drop may run any code: never under the lock.
        let reader = context.waker().clone();
        let mut state = self.lock();
        let closed = state.closed;
        let Some(channel) = state.channels.get_mut(&id) else { return Poll::Ready(None) };
        if let Some(event) = channel.inbox.pop() {
            return Poll::Ready(Some(event));
        }
        if closed {
            return Poll::Ready(None);
        }
        let stale = channel.inbox.wait(reader);
        drop(state);
        drop(stale);
        Poll::Pending
    }

    /// As the bus below has measured it, as it was at most a second ago.
    pub(super) fn round_trip(&self, peer: &PeerId) -> Option<Duration> {
        self.lock().bus.link(peer)?.round_trip
    }

    pub(super) fn channel_stats(&self, id: ChannelId) -> BusStats {
        let state = self.lock();
        state.channels.get(&id).map(|channel| state.channel_stats(channel)).unwrap_or_default()
    }
}

/// Called by the handles.
impl Shared {
    /// Adds members to the channel of a topic, and a further topic to it. Returns whether it has
    /// such a channel with room for them; if not, nothing is added.
    pub(super) fn extend(
        &self,
        topic: Topic,
        members: &BTreeSet<PeerId>,
        further: Option<Topic>,
    ) -> bool {
        let mut state = self.lock();
        let State { topics, further: all, channels, peers, .. } = &mut *state;
        let Some(id) = topics.get(&topic) else { return false };
        let Some(channel) = channels.get_mut(id) else { return false };
        let new: Vec<&PeerId> =
            members.iter().filter(|one| !channel.members.contains(*one)).collect();
        if channel.members.len() + new.len() > MOST_MEMBERS {
            return false;
        }
        let mut readers = Vec::new();
        for member in new {
            channel.members.insert(member.clone());
            if peers.get(member).is_some_and(|peer| peer.connected) {
                readers.extend(channel.inbox.connect(member));
            }
        }
        all.extend(further.map(|further| (further, *id)));
        drop(state);
        readers.into_iter().for_each(Waker::wake);
        true
    }

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

    pub(super) fn free_channels(&self) -> usize {
        self.limits.max_channels.saturating_sub(self.lock().channels.len())
    }

    pub(super) fn stats(&self) -> MuxStats {
        let state = self.lock();
        let open = state.topics.iter().filter_map(|(topic, id)| {
            let channel = state.channels.get(id)?;
            Some((*topic, state.channel_stats(channel)))
        });
        let misdirected = state.peers.iter().map(|(name, peer)| (name.clone(), peer.misdirected));
        MuxStats {
            bus: state.bus.clone(),
            channels: open.collect(),
            clocks: state.clocks(),
            misdirected: misdirected.collect(),
        }
    }
}
