//! The audit log, as it is exported, and the records of its cuts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// An entry of the audit log as a line of an export: all that the store has of it and nothing else,
/// so that the line is the same each time. Its fields keep their names and their order
/// (`docs/store.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// Its number; the very first entry has number 0.
    pub number: u64,
    /// When the share left.
    pub time: Time,
    /// The group id, as hexadecimal digits.
    pub group: String,
    /// The session id, as hexadecimal digits.
    pub session: String,
    /// The seat of this node whose share it is.
    pub seat: u16,
    /// The seat of the coordinator that gets it.
    pub coordinator: u16,
    /// The hash of the package that the share answers.
    pub package: String,
    /// The signed messages, 32 bytes each.
    pub messages: Vec<String>,
    /// The x-only group key.
    pub key: String,
    /// Who decided.
    pub decided_by: DecidedBy,
    /// The first line that the approval command printed; empty for another decider.
    pub said: String,
    /// The hash of the examination that the decision refers to.
    pub about: String,
    /// The revision of the request that the decision refers to.
    pub revision: u64,
    /// When it was decided.
    pub decided: Time,
    /// The amount that it spends from the group's wallet, in satoshi, fee included.
    pub satoshi: u64,
    /// The coins that it spends, as transaction id, colon and index of the output.
    pub coins: Vec<String>,
}

/// Who decided about a request.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecidedBy {
    /// The operator.
    Operator,
    /// The rules alone.
    Rules,
    /// The approval command.
    Command,
}

/// A cut: entries that were removed from the beginning of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogCut {
    /// The number of the first entry that was cut.
    pub first: u64,
    /// The number of the last entry that was cut.
    pub last: u64,
    /// How many entries were cut.
    pub count: u64,
    /// The SHA-256 of their exported lines, each with its line end.
    pub sha256: String,
    /// When they were cut.
    pub time: Time,
}

/// The cuts of the audit log, and what can be cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogCuts {
    /// The number of the first entry in the log.
    pub begin: u64,
    /// The number of the next entry.
    pub end: u64,
    /// Entries of this time and later cannot be cut yet.
    pub kept_since: Time,
    /// All cuts, the oldest first.
    pub cuts: Vec<LogCut>,
}

/// A request to cut the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CutLog {
    /// The entries before this number are cut.
    #[schema(minimum = 1)]
    pub before: u64,
    /// The SHA-256 of their exported lines, each with its line end: it shows that the client has
    /// exported them.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    pub sha256: String,
}

/// Who has asked the node for something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Principal {
    /// Of which kind it is.
    pub kind: PrincipalKind,
    /// The number of the user, or the name of the token or the passkey; empty for the node.
    pub name: String,
}

/// A kind of client.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalKind {
    /// A user of the machine, at the node's socket.
    User,
    /// A program with a token.
    Token,
    /// The node itself, which makes good what was asked for before it was stopped.
    Node,
    /// A person elsewhere, with a passkey.
    Passkey,
}

/// What was asked for.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ActKind {
    /// A request for signatures was made here.
    Proposed,
    /// A request was approved.
    Approved,
    /// A request was rejected.
    Rejected,
    /// A passkey has signed that a request is to be approved or rejected.
    Asserted,
    /// Another operation.
    Asked,
}

/// What a client has asked this node to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordedAct {
    /// Its number; the very first act has number 0.
    pub number: u64,
    /// When.
    pub time: Time,
    /// Who.
    pub by: Principal,
    /// What.
    pub act: ActKind,
    /// The name of the group at this node, if it is about a request and the group is here.
    pub group: String,
    /// The session of the request that it is about; empty if it is about none.
    pub session: String,
    /// The hash of what was seen, if the decision named it.
    pub seen: Option<String>,
    /// The reason of a rejection, or the operation and what it is about; what a passkey has
    /// signed: approve or reject.
    pub text: String,
    /// What a passkey has signed, by which it can be verified again; absent for other acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion: Option<AssertedBy>,
    /// How many shares had left before: the number that the next one got.
    pub shares: u64,
    /// The hash of all acts and shares before it.
    pub before: String,
}

/// What a passkey has signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AssertedBy {
    /// The id of the credential.
    pub credential: String,
    /// The ticket, of which the challenge is a hash.
    pub ticket: String,
    /// clientDataJSON.
    pub client_data: String,
    /// authenticatorData.
    pub authenticator_data: String,
    /// The signature.
    pub signature: String,
}

/// What clients have asked this node to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordedActs {
    /// The acts.
    pub acts: Vec<RecordedAct>,
    /// How many there are.
    pub count: u64,
    /// The hash of all acts, and of all shares that have left.
    pub hash: String,
}

/// The chain of acts and shares, which was computed anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Chain {
    /// The number of acts.
    pub acts: u64,
    /// The hash of all acts, and of all shares that have left.
    pub hash: String,
}
