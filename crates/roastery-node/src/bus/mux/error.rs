use super::topic::Topic;

/// The most other members: those of all epochs of a key, each of which has at most 128 seats.
pub(super) const MOST_MEMBERS: usize = 1023;

/// Why a channel cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenChannelError {
    /// The topic has an open channel.
    #[error("{0} has a channel already: it can be opened again when that is dropped")]
    AlreadyOpen(Topic),
    /// The mux has the most channels that it may.
    #[error("{max_channels} channels are open, which is the most at once")]
    TooManyChannels {
        /// The most channels open at a time.
        max_channels: usize,
    },
    /// More members than a channel can have.
    #[error("more than {MOST_MEMBERS} other members in one channel")]
    TooManyMembers,
    /// The mux has ended.
    #[error("the mux has ended: no channel can be opened any more")]
    Closed,
}
