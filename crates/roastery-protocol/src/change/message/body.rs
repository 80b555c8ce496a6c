use std::{io, sync::Arc};

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{
    Seat, Signature,
    change::{Certificate, ChangeParams, Dealing},
};
use thiserror::Error;

use super::Kind;
use crate::{
    ChangeTranscriptHash, PlanId,
    change::{MAX_PLAN, Parent, Plan, PlanError, Question, Receipt},
    group::{Group, GroupError, MAX_GROUP_FILE},
    wire,
};

/// A dealing by name: its dealer and the hash of its head, which is what the dealer signs. So two
/// dealings of one dealer have two names also where they differ in the nonce alone.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct DealingName {
    /// The old seat that deals.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub dealer: Seat,
    /// The hash of the dealing's head
    /// ([`DealingHead::hash`](roastery_frost::change::DealingHead::hash)).
    pub head: [u8; 32],
}

impl DealingName {
    /// The name of a dealing.
    pub fn of(dealing: &Dealing) -> Self {
        Self { dealer: dealing.dealer(), head: dealing.head().hash(dealing.params().plan()) }
    }

    const LENGTH: usize = 2 + 32;
}

/// An old member's approval in a roll: its seat, and the signature of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RollApproval {
    /// The old seat.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub seat: Seat,
    /// The signature of the approval's envelope.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub signature: Signature,
}

/// What a roll lists. It is not checked: see [`Roll`](crate::change::Roll).
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RollList {
    /// The acceptances of all new members, by new seat.
    #[borsh(serialize_with = "wire::put_list", deserialize_with = "wire::take_list")]
    pub acceptances: Vec<Signature>,
    /// Approvals, at most 128.
    #[borsh(deserialize_with = "wire::take_at_most::<128, _, _>")]
    pub approvals: Vec<RollApproval>,
}

/// A new member's signature of a transcript, with its new host key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TranscriptSignature {
    /// The hash of the transcript that is signed.
    pub transcript: ChangeTranscriptHash,
    /// The signature, 64 bytes.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub signature: Signature,
}

/// What the sender asks for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Want {
    /// The dealing of this name.
    Dealing(DealingName),
    /// The certificate of this plan.
    Certificate,
    /// A receipt of the receiver that answers this question.
    Receipt(Question),
}

/// A plan with the group that it changes.
#[derive(Clone, Debug)]
pub struct PlanMessage {
    /// The plan.
    pub plan: Plan,
    /// The group of its parent. Who joins takes the old roster from here, and compares.
    pub parent: Arc<Group>,
}

/// The content of a message, decoded, and of the size that the change gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// See [`Kind::Approval`]. It has no content.
    Approval,
    /// See [`Kind::Acceptance`]: the host key's signature.
    Acceptance(Signature),
    /// See [`Kind::Withdrawal`]. It has no content, and is final for its plan.
    Withdrawal,
    /// See [`Kind::Roll`].
    Roll(RollList),
    /// See [`Kind::Dealing`]. The dealing's bytes, not yet checked.
    Dealing(Vec<u8>),
    /// See [`Kind::Choice`]: t dealings, of ascending dealers.
    Choice(Vec<DealingName>),
    /// See [`Kind::Complaint`].
    Complaint(DealingName),
    /// See [`Kind::Signature`].
    Signature(TranscriptSignature),
    /// See [`Kind::Certificate`]. The certificate's bytes, not yet checked.
    Certificate(Vec<u8>),
    /// See [`Kind::Receipt`].
    Receipt(Receipt),
    /// See [`Kind::Want`].
    Want(Want),
    /// See [`Kind::Plan`]: the bytes of a plan and of a group file, not yet checked.
    Plan(PlanBytes),
}

/// A plan and the group file of its parent, encoded.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PlanBytes {
    #[borsh(deserialize_with = "wire::take_bytes::<MAX_PLAN, _>")]
    plan: Vec<u8>,
    #[borsh(deserialize_with = "wire::take_bytes::<MAX_GROUP_FILE, _>")]
    parent: Vec<u8>,
}

/// Why a message makes no plan with its parent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlanMessageError {
    /// The plan is none.
    #[error("{0}")]
    Plan(#[from] PlanError),
    /// The group file is none.
    #[error("{0}")]
    Group(#[from] GroupError),
    /// The plan is not the one that the message names.
    #[error("the plan is not the one that the message names")]
    OtherPlan,
    /// The group is not the plan's parent.
    #[error("the group file is not that of the plan's parent")]
    OtherParent,
}

impl PlanMessage {
    /// The bytes that a message carries.
    pub fn encode(&self) -> PlanBytes {
        PlanBytes { plan: self.plan.encode(), parent: self.parent.encode() }
    }

    /// Reads the plan of this id in a message of kind [`Kind::Plan`], which needs no change that is
    /// known. The id is compared before a signature of a card is verified.
    ///
    /// # Errors
    ///
    /// [`PlanMessageError`] names what is wrong.
    pub fn read(id: PlanId, bytes: &PlanBytes) -> Result<Self, PlanMessageError> {
        if Plan::id_of(&bytes.plan) != id {
            return Err(PlanMessageError::OtherPlan);
        }
        let plan = Plan::decode(&bytes.plan)?;
        let parent = Arc::new(Group::decode(&bytes.parent)?);
        if *plan.parent() != Parent::of(&parent) {
            return Err(PlanMessageError::OtherParent);
        }
        Ok(Self { plan, parent })
    }
}

/// Which structural rule a body breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Malformation {
    /// The content does not have the one length that the change gives it.
    #[error("{length} bytes; the messages of this kind have {expected} in this change")]
    Length {
        /// The length in bytes.
        length: usize,
        /// The only length allowed, in bytes.
        expected: usize,
    },
    /// The content does not decode, exactly and to its end.
    #[error("the content does not decode: {0}")]
    Encoding(String),
    /// A choice whose dealers do not ascend.
    #[error("the dealers of the choice do not ascend")]
    ChoiceOrder,
}

impl Body {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Body::Plan(_) => Kind::Plan,
            Body::Approval => Kind::Approval,
            Body::Acceptance(_) => Kind::Acceptance,
            Body::Withdrawal => Kind::Withdrawal,
            Body::Roll(_) => Kind::Roll,
            Body::Dealing(_) => Kind::Dealing,
            Body::Choice(_) => Kind::Choice,
            Body::Complaint(_) => Kind::Complaint,
            Body::Signature(_) => Kind::Signature,
            Body::Certificate(_) => Kind::Certificate,
            Body::Receipt(_) => Kind::Receipt,
            Body::Want(_) => Kind::Want,
        }
    }

    /// How long the content of a kind is in this change, in bytes, for the kinds that have one
    /// length.
    pub fn exact_length(kind: Kind, params: &ChangeParams) -> Option<usize> {
        match kind {
            Kind::Approval | Kind::Withdrawal => Some(0),
            Kind::Acceptance => Some(64),
            Kind::Dealing => Some(Dealing::len_bytes(params)),
            Kind::Choice => Some(DealingName::LENGTH * params.old().threshold()),
            Kind::Complaint => Some(DealingName::LENGTH),
            Kind::Signature => Some(32 + 64),
            Kind::Certificate => Some(Certificate::len_bytes(params)),
            Kind::Plan | Kind::Roll | Kind::Receipt | Kind::Want => None,
        }
    }

    /// Decodes the content of a message and checks its size.
    pub(super) fn read(
        kind: Kind,
        content: &[u8],
        params: &ChangeParams,
    ) -> Result<Self, Malformation> {
        if let Some(expected) = Self::exact_length(kind, params)
            && content.len() != expected
        {
            return Err(Malformation::Length { length: content.len(), expected });
        }
        match kind {
            Kind::Plan => exact(content).map(Body::Plan),
            Kind::Approval => Ok(Body::Approval),
            Kind::Acceptance => exact::<[u8; 64]>(content)
                .map(|bytes| Body::Acceptance(Signature::from_bytes(&bytes))),
            Kind::Withdrawal => Ok(Body::Withdrawal),
            Kind::Roll => exact(content).map(Body::Roll),
            Kind::Dealing => Ok(Body::Dealing(content.to_vec())),
            Kind::Choice => {
                let names = content.chunks(DealingName::LENGTH).map(exact);
                let names: Vec<DealingName> = names.collect::<Result<_, _>>()?;
                if !names.is_sorted_by(|a, b| a.dealer < b.dealer) {
                    return Err(Malformation::ChoiceOrder);
                }
                Ok(Body::Choice(names))
            }
            Kind::Complaint => exact(content).map(Body::Complaint),
            Kind::Signature => exact(content).map(Body::Signature),
            Kind::Certificate => Ok(Body::Certificate(content.to_vec())),
            Kind::Receipt => exact(content).map(Body::Receipt),
            Kind::Want => exact(content).map(Body::Want),
        }
    }

    pub(super) fn write_content(&self, bytes: &mut Vec<u8>) {
        match self {
            Body::Plan(content) => bytes.extend(wire::encode(content)),
            Body::Approval | Body::Withdrawal => {}
            Body::Acceptance(signature) => bytes.extend(signature.to_bytes()),
            Body::Roll(content) => bytes.extend(wire::encode(content)),
            Body::Dealing(content) | Body::Certificate(content) => bytes.extend(content),
            Body::Choice(names) => {
                names.iter().for_each(|name| bytes.extend(wire::encode(name)));
            }
            Body::Complaint(content) => bytes.extend(wire::encode(content)),
            Body::Signature(content) => bytes.extend(wire::encode(content)),
            Body::Receipt(content) => bytes.extend(wire::encode(content)),
            Body::Want(content) => bytes.extend(wire::encode(content)),
        }
    }
}

fn exact<T: BorshDeserialize>(content: &[u8]) -> Result<T, Malformation> {
    wire::decode(content).map_err(|error: io::Error| Malformation::Encoding(error.to_string()))
}
