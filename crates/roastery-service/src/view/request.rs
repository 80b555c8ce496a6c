use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use crate::{Time, config::SubjectKind};

/// A signing request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Request {
    /// The id of the session that signs it: 64 hexadecimal digits.
    pub session: String,
    /// The group's name.
    pub group: String,
    /// The subject: a text, a transaction or bare hashes.
    pub subject: Subject,
    /// A short summary; absent if it is not a text and could not be parsed yet.
    pub summary: Option<Summary>,
    /// What its transaction pays. Absent if it pays nothing, and in lists.
    pub payment: Option<PaymentDetails>,
    /// The messages to sign.
    pub messages: Vec<Message>,
    /// The sessions of all parts of its transaction, in the order of their signatures, this one
    /// among them: a transaction with more than 64 signatures is signed in several sessions. Empty
    /// if this one signs all of it, and in lists.
    pub parts: Vec<String>,
    /// The seat that proposed it; absent if it was made here.
    pub proposer: Option<u16>,
    /// The name of the member that proposed it.
    pub proposer_name: String,
    /// When this node received or made it.
    pub since: Time,
    /// When its state last changed.
    pub changed: Time,
    /// The number of its last change here: the next page of a list begins before it.
    pub position: u64,
    /// When it expires.
    pub expiry: Time,
    /// Grows with each change of the subject or the state. An approval that names it applies to
    /// this revision only.
    pub revision: u64,
    /// Its state at this node.
    pub state: State,
    /// Details of the state: the decision of the policy, why it stopped, or which members refuse.
    pub text: String,
    /// Which members have approved and refused it.
    pub progress: Progress,
    /// The hash of what is shown here: request, subject, revision, state, warnings, and what the
    /// policy says. A decision that names it is about this and nothing else. Absent in lists.
    pub seen: Option<String>,
    /// The warnings to read before it is approved. Empty in lists.
    pub warnings: Vec<Warning>,
    /// What this node's policy says of it now. Absent in lists, and where there is nothing to
    /// decide.
    pub policy: Option<Ruling>,
    /// The signatures, one for each message.
    pub signatures: Option<Vec<String>>,
    /// The signature of a text in the forms of BIP-322. Absent in lists.
    pub text_signature: Option<TextSignature>,
    /// The seats that have signed, if it is known here.
    pub signers: Option<Vec<u16>>,
}

/// How many requests are open, those that have expired not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestCounts {
    /// Those that wait for approval here.
    pub waiting: usize,
    /// Those that are approved here, and not signed yet.
    pub signing: usize,
}

impl Request {
    /// Whether it may still be signed, as far as this node knows.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Proposed | State::Approved)
    }
}

/// A warning about a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// A stable word; there may be new ones.
    pub code: String,
    /// How much attention it needs.
    pub level: Level,
    /// The warning in one line, for people.
    pub text: String,
}

/// How much attention a warning needs.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is shown.
    Look,
    /// Money may go elsewhere than it seems to: a person confirms the amount that leaves.
    Stop,
}

/// What a node's policy says of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ruling {
    /// Whether its rules and limits allow the request now.
    pub allowed: bool,
    /// The rule that it breaks; or, if it is allowed, why only a person approves it. May be empty.
    pub text: String,
    /// Who approves it, if it is allowed.
    pub by: Approver,
}

/// Who approves a request that a node's policy allows.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Approver {
    /// A person.
    Person,
    /// A local command.
    Command,
    /// The rules alone.
    Rules,
}

/// The signature of a text by an address, in the forms of BIP-322.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TextSignature {
    /// The form `simple`, with its prefix `smp`.
    pub simple: String,
    /// The form `simple` without the prefix, for programs that know none.
    pub unprefixed: String,
    /// The form `full`, with its prefix `ful`.
    pub full: String,
}

/// A PSBT that takes up the signatures of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeUpSignatures {
    /// The PSBT in base64: of the transaction that the request signs, whatever its other fields and
    /// its version.
    #[schema(max_length = 1048576, pattern = "^[A-Za-z0-9+/]+={0,2}$")]
    pub psbt: String,
}

/// A signed transaction, and what it lacks before it can be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedTransaction {
    /// The PSBT with the signatures of the group, in base64.
    pub psbt: String,
    /// The inputs that are not complete, in their order; none if the transaction can be sent.
    pub left: Vec<InputLeft>,
}

/// An input of a signed transaction that is not complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InputLeft {
    /// Its index, from 0.
    pub input: u32,
    /// What is missing.
    pub missing: MissingPart,
    /// The same in words: one line.
    pub text: String,
}

/// What an input of a signed transaction is missing.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingPart {
    /// The signature of this group, which does not sign for the input's signature hash type.
    SignatureHashType,
    /// What its leaf asks for besides the signature of this group, which is there.
    Leaf,
    /// The signature of another: the input is not this group's.
    Other,
}

/// The state of a request at a node.
///
/// Exhaustive: version 1 of the API has no other states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It waits for approval.
    Proposed,
    /// It is approved here, and not signed yet.
    Approved,
    /// It is refused here.
    Refused,
    /// It is signed.
    Signed,
    /// It has ended here without signatures.
    Stopped,
    /// It was not signed in time, as far as this node knows.
    Expired,
    /// So many members refuse that the others are fewer than the threshold. A member may still
    /// change its decision.
    Failed,
}

impl State {
    /// All states.
    pub const ALL: [Self; 7] = [
        Self::Proposed,
        Self::Approved,
        Self::Refused,
        Self::Signed,
        Self::Stopped,
        Self::Expired,
        Self::Failed,
    ];

    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Signed => "signed",
            Self::Stopped => "stopped",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("allowed are proposed, approved, refused, signed, stopped, expired and failed")]
pub struct NoState;

impl FromStr for State {
    type Err = NoState;

    fn from_str(word: &str) -> Result<Self, NoState> {
        Self::ALL.into_iter().find(|state| state.as_str() == word).ok_or(NoState)
    }
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Subject {
    /// The kind.
    pub kind: SubjectKind,
    /// The text, or a description of the transaction.
    pub text: Option<String>,
    /// The address as which a text is signed. Absent in lists.
    pub address: Option<String>,
    /// The transaction: a PSBT in base64. Absent in lists.
    pub psbt: Option<String>,
}

/// A summary of the subject. Amounts are in satoshi.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// The first words of a text.
    pub words: Option<String>,
    /// If the transaction is a proof of funds (BIP-322), which pays nothing: the amount that it
    /// shows the group can spend, if a chain has its coins unspent.
    pub proves: Option<u64>,
    /// The payments to others, the greatest amounts first; at most 8.
    pub pays: Vec<Payment>,
    /// The number of further payments to others.
    pub more: usize,
    /// The amount that returns to the group's own wallet.
    pub returns: Option<u64>,
    /// The fee, if all amounts are known.
    pub fee: Option<u64>,
    /// Which part of its transaction the request signs; absent if it signs all of it.
    pub part: Option<Part>,
    /// Warnings to read before it is approved; at most 16.
    pub warnings: Vec<String>,
    /// The number of warnings.
    pub warning_count: usize,
}

/// What a transaction pays. Amounts are in satoshi.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentDetails {
    /// The transaction id.
    pub txid: String,
    /// The outputs, in their order.
    pub outputs: Vec<PaidOutput>,
    /// The number of inputs that the group signs for.
    pub coins: usize,
    /// The sum of these inputs.
    pub spent: u64,
    /// The amount that leaves the group, fee included.
    pub leaves: u64,
    /// The fee, if all amounts are known.
    pub fee: Option<u64>,
    /// The fee rate in satoshi per virtual byte, if the fee is known.
    pub fee_rate: Option<u64>,
    /// The size of the signed transaction, in virtual bytes.
    pub virtual_size: u64,
}

/// An output of a transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaidOutput {
    /// The amount in satoshi.
    pub amount: u64,
    /// The address, or the script where it has none.
    pub to: String,
    /// The path of its key, like 1/0, if it pays the wallet of the group.
    pub own_path: Option<String>,
}

/// A part of a transaction that is signed in several sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Part {
    /// Its number, from 1.
    pub number: usize,
    /// The number of parts.
    pub of: usize,
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Payment {
    /// The amount in satoshi.
    pub amount: u64,
    /// The address, or the script where it has none.
    pub to: String,
}

/// Which members have approved or refused a request, as far as this node knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// The number of seats that must approve.
    pub needed: usize,
    /// The number of seats.
    pub members: usize,
    /// The number of seats that have approved.
    pub approved_seats: usize,
    /// The names of the members that have approved.
    pub approved: Vec<String>,
    /// The names of the members that have refused.
    pub refused: Vec<String>,
    /// Whether enough seats are left that have not refused.
    pub can_succeed: bool,
    /// What each member has said, in the order of the seats.
    pub said: Vec<MemberDecision>,
}

/// What a member has said of a request, as far as this node knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MemberDecision {
    /// The name of the member.
    pub name: String,
    /// Whether it is this node.
    pub here: bool,
    /// What it has said.
    pub said: Decided,
    /// Why it does not take part, or not for now; may be empty. Members send a kind of reason, and
    /// no text.
    pub why: String,
    /// When this node learned of it. Absent if that was before its last start.
    pub at: Option<Time>,
}

/// What a member has said of a request.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decided {
    /// It has approved.
    Approved,
    /// It has refused.
    Refused,
    /// Nothing, or that it does not take part for now.
    Nothing,
}

/// A message and its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// The 32 bytes to sign.
    pub message: String,
    /// The derivation path of the key.
    pub path: String,
    /// The Taproot tweak: untweaked, key-path-only, or the Merkle root of its scripts.
    pub taproot: String,
    /// The x-only public key under which the signature verifies. Absent in lists, since it takes
    /// time to compute.
    pub public_key: Option<String>,
}
