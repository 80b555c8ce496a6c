//! The bus of one topic.

use std::collections::BTreeSet;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;

use super::Topic;
use super::shared::{LineId, Shared};
use crate::bus::{Bus, BusEvent, BusStats, Destination, PeerId, SendError};

/// The most other members: a group has at most 128 seats.
const MOST_MEMBERS: usize = 127;

/// The bus of one topic: a [`Bus`] whose peers are the members of a group or of a key generation.
///
/// Dropping it closes the topic, which may then be opened again, with empty queues and new
/// counters. What it has sent still goes out. In its [`stats`](Bus::stats) the queues are its own,
/// in both directions; the connections are those of the bus below, as they were at most a second
/// ago.
pub struct Line {
    shared: Arc<Shared>,
    id: LineId,
    topic: Topic,
}

impl Line {
    pub(super) fn open(
        shared: &Arc<Shared>,
        topic: Topic,
        members: impl IntoIterator<Item = PeerId>,
    ) -> Result<Self, OpenLineError> {
        let mut others = BTreeSet::new();
        for member in members.into_iter().filter(|member| member != shared.local_peer()) {
            others.insert(member);
            if others.len() > MOST_MEMBERS {
                return Err(OpenLineError::TooManyMembers);
            }
        }
        let id = shared.open(topic, others)?;
        Ok(Self { shared: shared.clone(), id, topic })
    }

    /// The topic of the line.
    pub fn topic(&self) -> Topic {
        self.topic
    }
}

impl Bus for Line {
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

    fn stats(&self) -> BusStats {
        self.shared.line_stats(self.id)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.close_line(self.id);
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// Why a line cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenLineError {
    /// The topic has an open line.
    #[error("{0} has a line already: it can be opened again when that is dropped")]
    AlreadyOpen(Topic),
    /// The exchange has the most lines that it may.
    #[error("{max_lines} groups and key generations are open, which is the most at once")]
    TooManyLines {
        /// The most lines open at a time.
        max_lines: usize,
    },
    /// More members than a group can have.
    #[error("more than {MOST_MEMBERS} other members: no group has as many")]
    TooManyMembers,
    /// The exchange has ended.
    #[error("the exchange has ended: no line can be opened any more")]
    Closed,
}
