//! What became of the messages for one reader.

use std::collections::BTreeMap;

use super::PeerId;

/// What became of the messages for one reader, by sender.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusStats {
    senders: BTreeMap<PeerId, SenderStats>,
}

impl BusStats {
    /// What became of this sender's messages: all zero for one that never sent anything.
    pub fn of(&self, sender: &PeerId) -> SenderStats {
        self.senders.get(sender).copied().unwrap_or_default()
    }

    /// All senders that the reader has seen, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&PeerId, SenderStats)> {
        self.senders.iter().map(|(sender, stats)| (sender, *stats))
    }
}

impl FromIterator<(PeerId, SenderStats)> for BusStats {
    fn from_iter<I: IntoIterator<Item = (PeerId, SenderStats)>>(senders: I) -> Self {
        Self { senders: senders.into_iter().collect() }
    }
}

/// What became of one sender's messages for one reader. Each message counts in exactly one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderStats {
    /// Messages handed to the reader.
    pub delivered: u64,
    /// Messages not queued because the same bytes were waiting already.
    pub repeats_suppressed: u64,
    /// Messages lost because this sender's queue was full, in messages or in bytes.
    pub dropped_queue_full: u64,
    /// Messages lost because they were longer than the bus allows.
    pub dropped_too_large: u64,
    /// Messages that wait for the reader now.
    pub waiting_messages: usize,
    /// The bytes of the messages that wait for the reader now.
    pub waiting_bytes: usize,
}
