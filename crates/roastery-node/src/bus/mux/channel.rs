//! The bus of one topic.

use std::collections::BTreeSet;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use super::error::{MOST_MEMBERS, OpenChannelError};
use super::shared::Shared;
use super::state::ChannelId;
use super::topic::Topic;
use crate::bus::{Bus, BusEvent, BusStats, Destination, PeerId, SendError};

/// The bus of one topic: a [`Bus`] whose peers are the members of a group or of a key generation.
///
/// Dropping it closes the topic, which may then be opened again, with empty queues and new
/// counters. What it has sent still goes out. In its [`stats`](Bus::stats) the queues are its own,
/// in both directions; the connections are those of the bus below, as they were at most a second
/// ago.
pub struct Channel {
    shared: Arc<Shared>,
    id: ChannelId,
    topic: Topic,
}

impl Channel {
    pub(super) fn open(
        shared: &Arc<Shared>,
        topic: Topic,
        members: impl IntoIterator<Item = PeerId>,
    ) -> Result<Self, OpenChannelError> {
        let mut others = BTreeSet::new();
        for member in members.into_iter().filter(|member| member != shared.local_peer()) {
            others.insert(member);
            if others.len() > MOST_MEMBERS {
                return Err(OpenChannelError::TooManyMembers);
            }
        }
        let id = shared.open(topic, others)?;
        Ok(Self { shared: shared.clone(), id, topic })
    }

    /// The topic of the channel.
    pub fn topic(&self) -> Topic {
        self.topic
    }
}

impl Bus for Channel {
    fn local_peer(&self) -> &PeerId {
        self.shared.local_peer()
    }

    fn max_message_bytes(&self) -> usize {
        self.shared.queues().max_message_bytes
    }

    fn send(&mut self, to: Destination, message: &[u8]) -> Result<(), SendError> {
        self.shared.send(self.id, &to, message)
    }

    fn receive(&mut self) -> impl Future<Output = Option<BusEvent>> + Send {
        poll_fn(|context| self.shared.poll_receive(self.id, context))
    }

    fn round_trip(&self, peer: &PeerId) -> Option<Duration> {
        self.shared.round_trip(peer)
    }

    fn stats(&self) -> BusStats {
        self.shared.channel_stats(self.id)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.shared.close_channel(self.id);
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("topic", &self.topic).finish_non_exhaustive()
    }
}
