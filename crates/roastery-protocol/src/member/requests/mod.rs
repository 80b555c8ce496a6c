//! Requests at one node: proposed to it and by it, refused, watched for their outcome, signed; and
//! which sessions are kept where there are too many. Each part is a value that is given what has
//! happened and the time.

mod allowance;
mod answers;
mod by_author;
mod inbox;
mod outbox;
mod outcomes;
mod places;
mod refusals;
mod seat_set;
#[cfg(test)]
mod test_group;
mod told;
mod walks;
mod watches;

pub use self::inbox::Proposed;
pub(crate) use self::{
    allowance::Allowance,
    answers::AnswerLimiter,
    inbox::{Intake, Original, ProposalInbox},
    outbox::ProposalOutbox,
    outcomes::Outcomes,
    places::{Places, Rank, Room},
    refusals::RefusalCache,
    seat_set::SeatSet,
    told::OutcomeAnswers,
    watches::Watches,
};

/// What a node knows of requests beside its sessions.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// The proposals that it has received.
    pub(crate) inbox: ProposalInbox,
    /// The proposals that it makes or passes on.
    pub(crate) outbox: ProposalOutbox,
    /// The requests whose outcome it wants to know.
    pub(crate) watches: Watches,
    /// The signatures of requests that have no session here.
    pub(crate) outcomes: Outcomes,
    /// Which sessions run and which have ended.
    pub(crate) places: Places,
    /// Answers to proposals that are not taken.
    pub(crate) answers: AnswerLimiter,
    /// Questions for outcomes that are passed on to the owner.
    pub(crate) questions: Allowance,
    /// Acknowledgements of what members repeat.
    pub(crate) acknowledgements: Allowance,
}

/// The most requests of one member that wait for a decision, and the most proposals that wait to
/// be shown of those that one link has brought.
pub const MOST_WAITING: usize = 1024;

/// The most bytes in the proposals of one member whose requests wait for a decision, and in those
/// that wait to be shown of one link.
pub const MOST_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// The most decided requests of one member that are remembered, so that a repeated proposal costs
/// nothing.
const MOST_DECIDED: usize = 1024;

/// The most proposals that one node repeats.
pub const MOST_OFFERED: usize = 1024;

/// The most sessions that have not ended.
pub const MOST_RUNNING: usize = 1024;

/// The most sessions that have ended and are kept to answer with.
pub const MOST_ENDED: usize = 1024;

/// The most signed sessions that are kept whole, to take late evidence: each takes about 15 KiB. Of
/// older ones the outcome is kept.
pub const MOST_WHOLE: usize = 128;
