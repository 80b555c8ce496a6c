use roastery_node::driver::{ProposeError, SignError};
use roastery_protocol::{
    GroupId,
    member::machine::OpenError,
    request::{ApprovalError, RequestError},
};
use roastery_store::StoreError;
use thiserror::Error;

use crate::{files::FolderError, passkey::RemoteError, policy::Refusal};

/// An error of another crate, or a reason in words. The caller can ask for its type with
/// `downcast_ref`.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where a rejection is recorded that could not be written to the store.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordedIn {
    /// In a file of its own, which is read at the next start.
    File,
    /// Nowhere, but at the next start no request that is open now is resumed without the operator.
    Doubt,
    /// Nowhere.
    Nothing,
}

/// Errors of the service. Each carries its cause.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// It does not exist.
    #[error("there is no {what} {name:?} here")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// The name that was looked up.
        name: String,
    },
    /// Several things have this prefix.
    #[error("{name:?} is the beginning of more than one {what}")]
    Ambiguous {
        /// The kind of thing.
        what: &'static str,
        /// The prefix.
        name: String,
    },
    /// The input is invalid.
    #[error(transparent)]
    Invalid(BoxError),
    /// It conflicts with the current state.
    #[error(transparent)]
    Conflict(BoxError),
    /// Another request, with this session, makes the same payment.
    #[error("{reason}")]
    AlreadyPaid {
        /// The session.
        session: String,
        /// Why it is not made again, and how it is all the same.
        reason: String,
    },
    /// It is not what was seen any more: the decision has no effect.
    #[error("the request is not what was seen any more: look at it again")]
    Changed,
    /// The name belongs to another group: the operator must choose another one.
    #[error(
        "the name {name:?} belongs to the group {group} here, now or before, or differs from its name in \
         case only: say what the other group is to be called here, with --name NAME"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// The group that has it.
        group: GroupId,
    },
    /// The request has expired.
    #[error("the request has expired")]
    Expired,
    /// This node's policy refuses.
    #[error("refused by this node's policy: {0}")]
    Refused(#[source] Refusal),
    /// A person elsewhere is refused.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A precondition is missing.
    #[error(transparent)]
    NotReady(BoxError),
    /// The node has the most sessions that it may.
    #[error(transparent)]
    NoRoom(SignError),
    /// The same is being done already, and is done once at a time.
    #[error(transparent)]
    TooMany(BoxError),
    /// The node does not answer.
    #[error("the node does not answer")]
    NoAnswer,
    /// The store has failed.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The operator's rejection is in force, but not in the store.
    #[error("{}", unrecorded(*.recorded, .error))]
    Unrecorded {
        /// Where it is recorded instead.
        recorded: RecordedIn,
        /// The error of the store.
        #[source]
        error: StoreError,
    },
    /// A file of the node's folder cannot be read or written.
    #[error(transparent)]
    File(#[from] FolderError),
    /// An internal error.
    #[error(transparent)]
    Internal(BoxError),
}

fn unrecorded(recorded: RecordedIn, error: &StoreError) -> String {
    let store = format!("the store: {error}");
    match recorded {
        RecordedIn::File => format!(
            "rejected, now and after a restart, by a file in the folder \"rejected\", for the store cannot be written ({store}): mend that and start the node again"
        ),
        RecordedIn::Doubt => format!(
            "rejected while this node runs, but recorded nowhere ({store}): after a restart it takes up none of the requests that are open now, and each that is to be signed must be approved again"
        ),
        RecordedIn::Nothing => format!(
            "rejected while this node runs, but recorded nowhere ({store}), and its folder cannot be written: take the request to be open after a restart, and reject it then"
        ),
    }
}

impl From<RequestError> for ServiceError {
    fn from(error: RequestError) -> Self {
        Self::Invalid(error.into())
    }
}

impl From<ProposeError> for ServiceError {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::Refused(error) => Self::Invalid(error.into()),
            _ => Self::NoAnswer,
        }
    }
}

impl From<ApprovalError> for ServiceError {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::Expired { .. } => Self::Expired,
            other => Self::Invalid(other.into()),
        }
    }
}

impl From<SignError> for ServiceError {
    fn from(error: SignError) -> Self {
        match error {
            SignError::NodeEnded => Self::NoAnswer,
            SignError::OtherPeer { .. } | SignError::Open(OpenError::Known) => {
                Self::Conflict(error.into())
            }
            SignError::Open(OpenError::TooManySessions) => Self::NoRoom(error),
            other => Self::Internal(other.into()),
        }
    }
}

impl From<OpenError> for ServiceError {
    fn from(error: OpenError) -> Self {
        Self::Internal(error.into())
    }
}
