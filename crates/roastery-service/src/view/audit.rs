//! The audit log, as it is exported, and the records of what was cut from it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Time;

/// An entry of the audit log as a line of an export: all that the store has of it and nothing else,
/// so that the line is the same whenever it is written. Its fields keep their names and their order
/// (`docs/store.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// Its number; the first of all is 0.
    pub number: u64,
    /// When.
    pub time: Time,
    /// The group's id.
    pub group: String,
    /// The session.
    pub session: String,
    /// The attempt.
    pub attempt: u32,
    /// The package's hash.
    pub package: String,
    /// What was signed.
    pub messages: Vec<String>,
    /// The x-only group key.
    pub key: String,
    /// Who decided: operator, rules or command.
    pub decided_by: String,
    /// What the command printed; empty if none decided.
    pub said: String,
    /// The hash of what was decided about.
    pub about: String,
    /// The revision of the request that was decided about.
    pub revision: u64,
    /// When it was decided.
    pub decided: Time,
    /// What leaves the group's wallet with it, in satoshi, fee included.
    pub satoshi: u64,
    /// The coins that are spent for it, as transaction id, colon and number of the output.
    pub coins: Vec<String>,
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

/// What was cut from the audit log, and what can be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogCuts {
    /// The number of the first entry that is in the log.
    pub begin: u64,
    /// The number of the next entry.
    pub end: u64,
    /// Entries of this time and later cannot be cut yet.
    pub kept_since: Time,
    /// All cuts, the first one first.
    pub cuts: Vec<LogCut>,
}

/// What is cut from the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CutLog {
    /// The entries before this number are cut.
    #[schema(minimum = 1)]
    pub before: u64,
    /// The SHA-256 of their exported lines, each with its line end: who knows it has had them.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    pub sha256: String,
}
