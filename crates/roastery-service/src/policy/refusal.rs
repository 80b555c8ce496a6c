use roastery_bitcoin::{message::TextError, policy, psbt::PsbtError, spend::Mismatch};
use roastery_protocol::request::{RefusalReason, SubjectError};
use thiserror::Error;

/// The rule that a request breaks: one line, with the numbers.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The subject is not what is signed.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// The requested message is not what signs the text as an address of the group.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The subject is not a valid transaction.
    #[error("no transaction: {0}")]
    NoTransaction(#[source] PsbtError),
    /// The requested messages are not those that the transaction needs.
    #[error("not what the transaction takes: {0}")]
    Mismatch(#[from] Mismatch),
    /// A rule for transactions refuses it.
    #[error("policy.transactions: {0}")]
    Transaction(#[from] policy::Refusal),
    /// Another request pays the same.
    #[error(
        "policy.transactions: pay once: {0} If it is to take the other's place, spend one of the other's coins (--input), \
         so that only one can be confirmed; or reject the other before it is signed"
    )]
    PaidElsewhere(String),
    /// Not a kind that this node signs.
    #[error("policy.kinds: this node does not sign a {kind}")]
    Kind {
        /// The kind of the subject.
        kind: &'static str,
    },
    /// It lives too long.
    #[error("policy.longest_life_seconds: it lives {seconds} seconds; at most {most} are allowed")]
    Life {
        /// Its life after it was received, in seconds.
        seconds: u64,
        /// The limit, in seconds.
        most: u64,
    },
    /// Too many requests in an hour.
    #[error(
        "policy.most_per_hour: {count} were signed within an hour or are approved and open; at most {most} may be"
    )]
    Rate {
        /// The number of other requests.
        count: usize,
        /// The most requests within an hour.
        most: u32,
    },
    /// The examination panicked or was cancelled.
    #[error("the rules could not be applied")]
    Unavailable,
}

impl Refusal {
    /// Whether it concerns the subject, for which another member may show a valid one.
    pub fn is_about_what_is_shown(&self) -> bool {
        matches!(
            self,
            Refusal::Subject(_)
                | Refusal::Text(_)
                | Refusal::NoTransaction(_)
                | Refusal::Mismatch(_)
                | Refusal::Kind { .. }
        )
    }

    /// The reason that the others receive.
    pub fn reason(&self) -> RefusalReason {
        match self {
            Refusal::Subject(_)
            | Refusal::Text(_)
            | Refusal::NoTransaction(_)
            | Refusal::Mismatch(_) => RefusalReason::Unacceptable,
            Refusal::Transaction(refusal) => refusal.reason(),
            Refusal::Unavailable => RefusalReason::Fault,
            Refusal::PaidElsewhere(_)
            | Refusal::Kind { .. }
            | Refusal::Life { .. }
            | Refusal::Rate { .. } => RefusalReason::Policy,
        }
    }
}
