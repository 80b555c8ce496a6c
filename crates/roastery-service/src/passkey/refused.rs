use bitcoin::Amount;
use thiserror::Error;

use super::PasskeyError;

/// Why a person elsewhere is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The challenge was not made by this node since its start, or was altered.
    #[error("this challenge is none of this node's: ask for another one")]
    NoTicket,
    /// It is too old.
    #[error("the challenge has expired: it counts for two minutes; decide anew")]
    TicketExpired,
    /// It was used.
    #[error("the challenge was used already: each counts once; decide anew")]
    TicketUsed,
    /// As many were used as are kept in mind.
    #[error("{0} challenges were used within two minutes, which is the most: wait")]
    TooManyUsed(usize),
    /// It was made for another act.
    #[error("the challenge was made for another act")]
    OtherAct,
    /// What the passkey has signed is not what was asked for.
    #[error(transparent)]
    Passkey(#[from] PasskeyError),
    /// The node does not know the passkey, or it was removed.
    #[error("this passkey is not one of this node's, or was removed: roastery passkey list")]
    UnknownPasskey,
    /// It was signed by another passkey than the one that signed in.
    #[error("the challenge was made for another passkey")]
    OtherPasskey,
    /// The passkey may only read.
    #[error("the passkey {0:?} may read, and decides nothing")]
    ReadsOnly(String),
    /// The counter does not rise.
    #[error(
        "the passkey {name:?} counts {count} signatures after {before}: there may be a copy of it. \
         If it was not reset, remove it: roastery passkey remove {name}"
    )]
    Counter {
        /// Its name.
        name: String,
        /// What it counts now.
        count: u32,
        /// What it counted before.
        before: u32,
    },
    /// It pays nothing that a limit counts.
    #[error("from elsewhere only payments are approved: approve it at the node's terminal")]
    NoPayment,
    /// It was decided or has ended at the node.
    #[error(
        "it does not wait for a decision at this node, or another part of its transaction was \
         refused or has ended: decide it at the node's terminal"
    )]
    Decided,
    /// A warning stops.
    #[error(
        "what is marked as a stop is approved at the node's terminal, where the amount is typed: {0}"
    )]
    Stops(String),
    /// It is above the limit of a request.
    #[error(
        "{amount} leaves with it, and remote_most is {most}: approve it at the node's terminal"
    )]
    AboveRequest {
        /// What leaves.
        amount: Amount,
        /// The limit.
        most: Amount,
    },
    /// It is above the limit of a day.
    #[error(
        "{amount} leaves with it after {before} within 24 hours, and remote_most_per_day is {most}: \
         approve it at the node's terminal"
    )]
    AboveDay {
        /// What leaves.
        amount: Amount,
        /// What was approved from elsewhere before.
        before: Amount,
        /// The limit.
        most: Amount,
    },
    /// As many were approved as are kept.
    #[error(
        "{0} requests were approved from elsewhere within 24 hours, which is the most: approve it \
         at the node's terminal"
    )]
    TooManyApproved(usize),
    /// The code is none.
    #[error(
        "this is not the code that the terminal shows, or it has ended: a code counts for ten \
         minutes, once, and five wrong ones end it (roastery passkey add)"
    )]
    NoCode,
}

impl RemoteError {
    /// Whether the person is known, and a limit refuses what is asked for.
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::NoPayment
                | Self::Decided
                | Self::Stops(_)
                | Self::AboveRequest { .. }
                | Self::AboveDay { .. }
                | Self::TooManyApproved(_)
        )
    }
}
