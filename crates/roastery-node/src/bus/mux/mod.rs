//! Several groups, key generations, changes and keys over one bus.
//!
//! A node that belongs to several groups has one transport key and one connection to each peer,
//! whatever they share. A [`Mux`] owns that bus and hands out [`Channel`]s, each of which is a bus
//! for one [`Topic`]: a group, for example, or a key generation. A channel carries the messages of
//! its topic's members about its topic, and no others:
//!
//! * What is sent to everyone goes to the members of the channel that are connected, each by name.
//! * A message reaches a channel only if it names the channel's topic and comes from one of its
//!   members. All else is dropped and counted, by sender ([`Misdirected`]).
//! * The mux itself asks each peer for its wall clock, when it connects and every ten minutes
//!   ([`MuxHandle::clocks`]): requests expire by it.
//! * A member is connected to a channel while it is connected to the bus. Whether it has the topic
//!   open does not show; what is sent before it has is lost, as any message may be.
//!
//! # Queues and scheduling
//!
//! The bus cannot be lent out while it waits for the next event, so [`Bus::send`] on a channel puts
//! the message into a queue of the channel, one for each member that it is for, and the mux's task
//! sends it. These queues have the bounds of all queues here. A full one drops its channel's newest
//! messages for that member, and the channels are served round-robin, one message each, so a
//! channel that floods loses only its own messages. In the other direction each channel has a queue
//! for each of its members, and a channel that is not read loses only its own messages. The task
//! alternates between the two directions and never waits for a channel. All state is behind one
//! lock, which is held for single steps in memory.
//!
//! Below the channels the bus has one queue for each peer, for all topics. A peer that floods in
//! one group may lose its own messages in another.
//!
//! ```
//! use roastery_node::bus::mux::{Mux, MuxLimits, Topic};
//! use roastery_node::bus::{Bus, BusEvent, Destination, Mesh};
//! use roastery_protocol::group::PeerId;
//! # use roastery_protocol::GroupId;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mesh = Mesh::default();
//! # let group = GroupId::from_bytes([1; 32]);
//! let (alice, bob) = (PeerId::new("alice")?, PeerId::new("bob")?);
//! let _bob_bus = mesh.join(bob.clone())?;
//! let (mux, handle) = Mux::new(mesh.join(alice)?, MuxLimits::default())?;
//! tokio::spawn(mux.run());
//!
//! let mut channel = handle.open(Topic::Group(group), [bob.clone()])?;
//! assert_eq!(channel.receive().await, Some(BusEvent::Connected(bob)));
//! channel.send(Destination::Everyone, b"good morning, group")?;
//! # Ok(())
//! # }
//! ```

mod channel;
mod clock;
mod error;
mod limits;
mod peer_clock;
mod shared;
mod state;
mod stats;

mod topic;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::task::coop::consume_budget;
use tokio::time::{MissedTickBehavior, interval};

pub use self::channel::Channel;
pub use self::clock::{CLOCK_TOLERANCE, ClockOffset};
pub use self::error::OpenChannelError;
pub use self::limits::{MuxLimits, MuxLimitsError};
pub use self::stats::{Misdirected, MuxStats};
pub use self::topic::Topic;

use self::clock::{ClockMessage, now_ms};
use self::shared::Shared;
use self::stats::REFRESH;
use super::{Bus, BusEvent, Destination, PeerId};

/// The task that owns a bus and serves the channels over it. The [module](self) says how.
pub struct Mux<B> {
    bus: B,
    shared: Ends,
}

/// When the task ends, for whatever reason, every waiting reader is woken.
struct Ends(Arc<Shared>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<B: Bus> Mux<B> {
    /// A mux and the handle to it. The channels work while [`run`](Self::run) runs.
    ///
    /// # Errors
    ///
    /// [`MuxLimitsError`] when with these limits nothing could be sent.
    pub fn new(bus: B, limits: MuxLimits) -> Result<(Self, MuxHandle), MuxLimitsError> {
        let limits = limits.check()?.within(bus.max_message_bytes());
        let shared = Arc::new(Shared::new(bus.local_peer().clone(), limits));
        shared.refresh(bus.stats());
        Ok((Self { bus, shared: Ends(shared.clone()) }, MuxHandle { shared }))
    }

    /// Runs until the bus ends, or until the last handle and the last channel are dropped and what
    /// they have sent is handed to the bus. Returns the bus, to be closed or used again.
    ///
    /// When this ends, or its future is dropped, all channels end.
    pub async fn run(mut self) -> B {
        let shared = self.shared.0.clone();
        let mut refresh = interval(REFRESH);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // A bus under a flood is always ready: other tasks on this thread must have their turn
            // as well.
            consume_budget().await;
            tokio::select! {
                event = self.bus.receive() => match event {
                    Some(BusEvent::Message { from, bytes }) => match ClockMessage::read(&bytes) {
                        Some(message) => self.hear_clock(&from, message),
                        None => shared.deliver(&from, bytes),
                    },
                    Some(BusEvent::Connected(peer)) => {
                        let question = ClockMessage::question(now_ms());
                        shared.connect(&peer, question);
                        self.say(peer, question);
                    }
                    Some(BusEvent::Disconnected(peer)) => shared.disconnect(&peer),
                    None => return self.bus,
                },
                outgoing = shared.outgoing() => match outgoing {
                    // If the peer has disconnected meanwhile, the message is lost, as any message
                    // may be.
                    Some((to, bytes)) => {
                        let _ = self.bus.send(Destination::Peer(to), &bytes);
                    }
                    None => return self.bus,
                },
                _ = refresh.tick() => {
                    shared.refresh(self.bus.stats());
                    let question = ClockMessage::question(now_ms());
                    for peer in shared.to_ask_for_the_time(question) {
                        self.say(peer, question);
                    }
                }
            }
        }
    }

    fn hear_clock(&mut self, from: &PeerId, message: ClockMessage) {
        let now = now_ms();
        if !message.is_question() {
            self.shared.0.note_clock(from, message, now);
        } else if self.shared.0.may_answer_clock(from) {
            self.say(from.clone(), message.answer(now));
        }
    }

    fn say(&mut self, peer: PeerId, message: ClockMessage) {
        // A peer that has disconnected is asked when it comes back.
        let _ = self.bus.send(Destination::Peer(peer), &message.to_bytes());
    }
}

impl<B> fmt::Debug for Mux<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mux").finish_non_exhaustive()
    }
}

/// Opens channels at a [`Mux`]. The mux ends when the last handle and the last channel are
/// dropped.
pub struct MuxHandle {
    shared: Arc<Shared>,
}

impl MuxHandle {
    /// Opens the bus of one topic, until it is dropped. Members that are connected already are
    /// reported as connected.
    ///
    /// The node itself may be named among the members, and so may peers that the bus does not know
    /// yet: they are members that are not connected.
    ///
    /// # Errors
    ///
    /// [`OpenChannelError`] when the topic is open already, there are too many channels or members,
    /// or the mux has ended.
    pub fn open(
        &self,
        topic: Topic,
        members: impl IntoIterator<Item = PeerId>,
    ) -> Result<Channel, OpenChannelError> {
        Channel::open(&self.shared, topic, members)
    }

    /// Adds members to the open channel of a topic, and lets it have the messages of a further
    /// topic while that has no channel of its own. Members that are connected already are reported
    /// as connected. Returns whether there is such a channel and room for the members in it; if
    /// not, nothing changes.
    pub fn extend(
        &self,
        topic: Topic,
        members: impl IntoIterator<Item = PeerId>,
        further: Option<Topic>,
    ) -> bool {
        let own = self.shared.local_peer();
        let members = members.into_iter().filter(|member| member != own).collect();
        self.shared.extend(topic, &members, further)
    }

    /// How many further channels can be opened now.
    pub fn free_channels(&self) -> usize {
        self.shared.free_channels()
    }

    /// How the wall clocks of the peers that are connected differ from this node's, for those that
    /// have answered.
    pub fn clocks(&self) -> BTreeMap<PeerId, ClockOffset> {
        self.shared.clocks()
    }

    /// The counters of this mux and its channels.
    pub fn stats(&self) -> MuxStats {
        self.shared.stats()
    }
}

impl Clone for MuxHandle {
    fn clone(&self) -> Self {
        self.shared.add_handle();
        Self { shared: self.shared.clone() }
    }
}

impl Drop for MuxHandle {
    fn drop(&mut self) {
        self.shared.drop_handle();
    }
}

impl fmt::Debug for MuxHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MuxHandle").finish_non_exhaustive()
    }
}
