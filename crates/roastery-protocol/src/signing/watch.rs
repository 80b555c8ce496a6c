//! A request that a node knows and does not sign: it learns the outcome from the messages of
//! others.

use std::{collections::BTreeSet, fmt, sync::Arc};

use roastery_frost::Seat;

use super::{Outcome, Rejected};
use crate::{
    SessionId,
    group::{Group, PeerId},
    message::{Body, Envelope, Kind, RefusalReason, Shape},
    request::{DerivationError, MessageKey, SigningRequest, message_keys},
};

/// Follows a request without taking part in signing it. It holds no secret, sends nothing and
/// blames no member: final signatures prove themselves, and a refusal counts only with the
/// signature of its sender.
pub struct Watch {
    group: Arc<Group>,
    request: SigningRequest,
    session: SessionId,
    /// What is needed to check a message, made when the first one comes.
    reader: Option<Reader>,
    refusals: BTreeSet<(Seat, RefusalReason)>,
    /// Peers that have sent invalid signatures. No more of theirs are checked, for checking costs
    /// more than making.
    unanswered: BTreeSet<PeerId>,
}

struct Reader {
    shape: Shape,
    keys: Vec<MessageKey>,
}

/// What a message shows about a request that is only watched.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// The signatures are there; they were verified here. Final.
    Signed(Outcome),
    /// A member does not take part, for this reason. Reported once for each reason.
    Refused {
        /// The member that refuses.
        seat: Seat,
        /// The reason that it gives.
        reason: RefusalReason,
    },
}

impl Watch {
    /// Watches a request of this group.
    pub fn new(group: Arc<Group>, request: SigningRequest) -> Self {
        let session = request.session_id();
        let (refusals, unanswered) = (BTreeSet::new(), BTreeSet::new());
        Self { group, request, session, reader: None, refusals, unanswered }
    }

    /// The request.
    pub fn request(&self) -> &SigningRequest {
        &self.request
    }

    /// Whether a message of this kind can show anything here.
    pub fn is_of_use(kind: Kind) -> bool {
        matches!(kind, Kind::Signature | Kind::Refusal)
    }

    /// Handles a message of a peer.
    ///
    /// # Errors
    ///
    /// [`Rejected`] states why it has no effect. It is never an error of this node.
    pub fn hear(&mut self, from: &PeerId, bytes: &[u8]) -> Result<Told, Rejected> {
        if !self.group.is_member(from) {
            return Err(Rejected::NotAMember);
        }
        let envelope = Envelope::parse(bytes)?;
        let header = envelope.header();
        if header.group != self.group.id() || header.session != self.session {
            return Err(Rejected::OtherSession);
        }
        let members = self.group.size();
        let sender = envelope
            .sender(&self.group)
            .ok_or(Rejected::NoSuchSeat { sender: header.sender, members })?;
        let muted = envelope.kind() == Kind::Signature && self.unanswered.contains(from);
        if !Self::is_of_use(envelope.kind()) || muted {
            return Err(Rejected::Repeat);
        }
        let reader = match &mut self.reader {
            Some(reader) => reader,
            // Without keys there is nothing that could be signed.
            none => none.insert(
                Reader::new(&self.group, &self.request)
                    .map_err(|_| Rejected::WrongSignatures { sender })?,
            ),
        };
        let (_, body) = reader
            .shape
            .read(&envelope)
            .map_err(|malformation| Rejected::Malformed { sender, malformation })?;
        match body {
            Body::Signature(content) if reader.verify(&content.signatures) => {
                let (signatures, package) = (content.signatures, content.package);
                Ok(Told::Signed(Outcome { signatures, package, origin: None }))
            }
            Body::Signature(_) => {
                self.unanswered.insert(from.clone());
                Err(Rejected::WrongSignatures { sender })
            }
            Body::Refusal(reason) => {
                if self.refusals.contains(&(sender, reason)) {
                    return Err(Rejected::Repeat);
                }
                if !envelope.is_signed_by_its_sender(&self.group) {
                    return Err(Rejected::NotSigned { sender });
                }
                self.refusals.insert((sender, reason));
                Ok(Told::Refused { seat: sender, reason })
            }
            _ => Err(Rejected::Repeat),
        }
    }
}

impl Reader {
    fn new(group: &Group, request: &SigningRequest) -> Result<Self, DerivationError> {
        let keys = message_keys(request, group).map_err(|(_, error)| error)?;
        Ok(Self { shape: Shape::new(group, request.session_id(), keys.len()), keys })
    }

    /// Verifies all signatures. The structural rules ensure one for each message.
    fn verify(&self, signatures: &[roastery_frost::Signature]) -> bool {
        signatures.len() == self.keys.len()
            && signatures
                .iter()
                .zip(&self.keys)
                .all(|(signature, key)| signature.verify(&key.public_key(), &key.message))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("session", &self.session).finish_non_exhaustive()
    }
}
