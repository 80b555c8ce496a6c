use std::{fmt, sync::Arc, time::Duration};

use roastery_frost::{TweakContext, XOnlyPublicKey};
use thiserror::Error;

use super::{DerivationError, MAX_LIFETIME_SECONDS, SigningRequest};
use crate::{GroupId, SessionId, clock::Moment, group::Group, request::RefusalReason};

/// The rules of one node: what it signs. Asked before the node takes part in a session, and again
/// before each share leaves it, because what was right when the session began may not be right any
/// more.
pub trait Policy: Send + Sync {
    /// Whether this node signs this request. An error is shown to the proposer and to the operators
    /// of the others as its reason code, nothing more.
    fn judge(&self, request: &SigningRequest, step: Step) -> Result<(), RefusalReason>;
}

/// The point at which a policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Before the session is opened.
    Join,
    /// Before a share is released.
    Release,
}

/// A message with the key that signs it, derived by this node from the group file.
#[derive(Clone, Debug)]
pub struct MessageKey {
    /// The message, 32 bytes.
    pub message: [u8; 32],
    /// The group's key, tweaked as the derivation says.
    pub tweaks: TweakContext,
}

impl MessageKey {
    /// The key that the signature verifies under (BIP-340).
    pub fn public_key(&self) -> XOnlyPublicKey {
        self.tweaks.x_only_public_key()
    }
}

/// A request that this node's own policy approved: the only thing that a session can be opened
/// with.
///
/// There is no other way to make one than [`ApprovedRequest::obtain`], and nothing about it can be
/// changed afterwards.
#[derive(Clone)]
pub struct ApprovedRequest(Arc<Approved>);

struct Approved {
    request: SigningRequest,
    session: SessionId,
    keys: Vec<MessageKey>,
    policy: Arc<dyn Policy>,
    expires_at: Duration,
}

/// Why a node does not take part in a request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// The request names another group.
    #[error("the request is for group {requested:#}; this is group {group:#}")]
    OtherGroup {
        /// The group that the request names.
        requested: GroupId,
        /// This group.
        group: GroupId,
    },
    /// The request has expired.
    #[error("the request expired at {expiry}; it is {now} (seconds since 1970)")]
    Expired {
        /// The request's expiry, in seconds since 1970.
        expiry: u64,
        /// The wall clock, in seconds since 1970.
        now: u64,
    },
    /// The request's lifetime is longer than allowed.
    #[error("the request expires in {seconds} seconds; at most {most} are allowed", most = MAX_LIFETIME_SECONDS)]
    TooLong {
        /// The remaining lifetime, in seconds.
        seconds: u64,
    },
    /// A message's key cannot be derived.
    #[error("message {message}: {source}")]
    Derivation {
        /// The message's position, from 0.
        message: usize,
        /// The error of the derivation.
        source: DerivationError,
    },
    /// The policy refuses.
    #[error("refused by this node's policy: {0}")]
    Refused(RefusalReason),
}

impl ApprovalError {
    /// The reason that the other members receive.
    pub fn reason(&self) -> RefusalReason {
        match self {
            ApprovalError::Expired { .. } => RefusalReason::Expired,
            ApprovalError::Refused(reason) => *reason,
            ApprovalError::OtherGroup { .. }
            | ApprovalError::TooLong { .. }
            | ApprovalError::Derivation { .. } => RefusalReason::Unacceptable,
        }
    }
}

impl ApprovedRequest {
    /// Has the policy evaluate the request, field by field. The expiry is read against the wall
    /// clock once, here; from then on it is a deadline on the monotonic clock, however long the
    /// session takes to be opened.
    ///
    /// # Errors
    ///
    /// [`ApprovalError`] names why this node does not take part.
    pub fn obtain(
        request: SigningRequest,
        group: &Group,
        policy: Arc<dyn Policy>,
        now: Moment,
    ) -> Result<Self, ApprovalError> {
        if request.group() != group.id() {
            let (requested, group) = (request.group(), group.id());
            return Err(ApprovalError::OtherGroup { requested, group });
        }
        let (expiry, seconds_now) = (request.expiry(), now.wall_seconds());
        match expiry.checked_sub(seconds_now) {
            None | Some(0) => return Err(ApprovalError::Expired { expiry, now: seconds_now }),
            Some(seconds) if seconds > MAX_LIFETIME_SECONDS => {
                return Err(ApprovalError::TooLong { seconds });
            }
            Some(_) => {}
        }
        let remaining = Duration::from_secs(expiry).saturating_sub(now.wall);
        let keys = message_keys(&request, group)
            .map_err(|(message, source)| ApprovalError::Derivation { message, source })?;
        policy.judge(&request, Step::Join).map_err(ApprovalError::Refused)?;
        Ok(Self(Arc::new(Approved {
            session: request.session_id(),
            request,
            keys,
            policy,
            expires_at: now.monotonic.saturating_add(remaining),
        })))
    }

    /// The session that signs it.
    pub fn session_id(&self) -> SessionId {
        self.0.session
    }

    /// The request as it was approved.
    pub fn request(&self) -> &SigningRequest {
        &self.0.request
    }

    /// The messages with their keys.
    pub fn keys(&self) -> &[MessageKey] {
        &self.0.keys
    }

    /// When the request expires, on the monotonic clock of the node that approved it.
    pub fn expires_at(&self) -> Duration {
        self.0.expires_at
    }

    /// Whether the policy still agrees.
    pub(crate) fn still_approved(&self) -> Result<(), RefusalReason> {
        self.0.policy.judge(&self.0.request, Step::Release)
    }
}

impl fmt::Debug for ApprovedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApprovedRequest").field("request", &self.0.request).finish_non_exhaustive()
    }
}

/// Every message of a request with its key in this group; the error names the message's position.
pub(crate) fn message_keys(
    request: &SigningRequest,
    group: &Group,
) -> Result<Vec<MessageKey>, (usize, DerivationError)> {
    request
        .messages()
        .iter()
        .enumerate()
        .map(|(position, entry)| {
            let tweaks = entry.derivation.tweaks(group).map_err(|error| (position, error))?;
            Ok(MessageKey { message: entry.message, tweaks })
        })
        .collect()
}
