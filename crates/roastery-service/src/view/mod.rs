//! What the API says and takes, as JSON. Names and meanings of fields stay what they are within
//! version 1.
//!
//! Byte strings are hexadecimal digits in lower case; times are by RFC 3339, in UTC.

mod audit;
mod ceremony;
mod request;
mod time;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::{
    audit::{AuditLine, CutLog, LogCut, LogCuts},
    ceremony::{CeremonyState, CeremonyStatus},
    request::{Message, NoState, Payment, Progress, Request, State, Subject, Summary},
    time::Time,
};

/// How a node stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The node's name.
    pub name: String,
    /// The node's peer, as it stands on its card.
    pub peer: String,
    /// The program's version.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// The time by the node's clock.
    pub now: Time,
    /// How long it has been running, in seconds.
    pub uptime_seconds: u64,
    /// The other nodes.
    pub peers: Vec<PeerStatus>,
    /// Its groups.
    pub groups: Vec<GroupStatus>,
    /// Groups that are to be made, and ceremonies under way.
    pub ceremonies: Vec<CeremonyStatus>,
    /// What is wrong with the configuration, each in a line.
    pub warnings: Vec<String>,
}

/// Another node, as the transport sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeerStatus {
    /// Its peer, as it stands on its card.
    pub peer: String,
    /// Its name, as its card says.
    pub name: String,
    /// Whether it is connected.
    pub connected: bool,
    /// Since how many seconds it is awaited, if it is not connected.
    pub awaited_seconds: Option<u64>,
    /// The last round trip, in milliseconds.
    pub round_trip_ms: Option<f64>,
    /// Where this node calls it; empty if it only waits for its calls.
    pub addresses: Vec<String>,
    /// Messages of it that were lost because its queues were full.
    pub dropped: u64,
    /// How far its wall clock is ahead of this node's, in milliseconds, as it says; negative if it
    /// is behind.
    pub clock_offset_ms: Option<i64>,
    /// Whether the two clocks differ so much that requests may seem to have expired.
    pub clock_differs: bool,
}

/// A group, and what goes on in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GroupStatus {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// This node's seat.
    pub seat: u16,
    /// How many must sign.
    pub threshold: usize,
    /// The threshold public key (33 bytes).
    pub key: String,
    /// The members, by seat.
    pub members: Vec<MemberStatus>,
    /// How many members can be reached, this node included.
    pub reachable: usize,
    /// The sessions that are running.
    pub sessions: Vec<SessionStatus>,
    /// How many requests wait to be approved here; none if that cannot be said.
    pub pending: Option<usize>,
    /// By what this node approves.
    pub policy: Policy,
}

/// The policy in force for a group, as the node has read it at its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// Where it stands in the configuration.
    pub section: String,
    /// Who approves what the rules allow: manual, command or automatic.
    pub approval: String,
    /// What may be signed: text, transaction, hash.
    pub kinds: Vec<String>,
    /// The most requests that are signed in an hour, if there is a limit.
    pub most_per_hour: Option<u32>,
    /// The most satoshi that leave within 24 hours, if there is a limit.
    pub most_per_day: Option<u64>,
    /// Why the command gives no answer, if the last one gave none.
    pub problem: Option<String>,
}

/// Another name for a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The name, of at most 64 bytes.
    pub name: String,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MemberStatus {
    /// Its seat.
    pub seat: u16,
    /// Its name, as its card says.
    pub name: String,
    /// Its peer.
    pub peer: String,
    /// Whether it is this node or connected to it.
    pub reachable: bool,
}

/// A running session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionStatus {
    /// Its id.
    pub session: String,
    /// How many attempts are live here.
    pub live_attempts: usize,
    /// Who is awaited. Waiting is no blame.
    pub awaited: Vec<Awaited>,
    /// Who will not take part, and why.
    pub refusals: Vec<Said>,
    /// Whose fault is proven, and which.
    pub proven: Vec<Said>,
}

/// Somebody who is awaited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Awaited {
    /// Who.
    pub seat: u16,
    /// Its name, as its card says.
    pub name: String,
    /// For what.
    pub thing: String,
    /// Since how many seconds.
    pub seconds: u64,
}

/// Something that is said of a seat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Said {
    /// The seat.
    pub seat: u16,
    /// Its name, as its card says.
    pub name: String,
    /// What.
    pub text: String,
}

/// An invitation that is taken up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The invitation file's text.
    #[schema(min_length = 1, max_length = 1048576)]
    pub invitation: String,
    /// What the group is to be called here, if it is not to have the invitation's name: at most 64
    /// bytes.
    #[serde(default)]
    pub name: Option<String>,
}

/// A member's newer card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddCard {
    /// The card's text.
    #[schema(min_length = 1, max_length = 8192)]
    pub card: String,
}

/// Where a member is called, as its card says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeerAddresses {
    /// Its peer, as it stands on its card.
    pub peer: String,
    /// Its name, as its card says.
    pub name: String,
    /// The addresses on the card at which this node can call it.
    pub addresses: Vec<String>,
    /// What is wrong with each of the others.
    pub skipped: Vec<String>,
    /// Whether the card was newer than what was known here; if not, nothing has changed.
    pub newer: bool,
    /// Whether this node's configuration (transport.peers) names other addresses, which count
    /// instead.
    pub overridden: bool,
}

/// The beginning of a ceremony.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// The fingerprint, as all members have compared it. Spaces do not matter.
    #[schema(pattern = "^[0-9a-fA-F ]*$")]
    pub fingerprint: String,
}

/// Something that is to be signed: a text, a transaction, or hashes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Propose {
    /// A text of at most 4096 bytes.
    #[schema(max_length = 4096)]
    pub text: Option<String>,
    /// A transaction: a PSBT in base64.
    #[schema(max_length = 1048576, pattern = "^[A-Za-z0-9+/]+={0,2}$")]
    pub psbt: Option<String>,
    /// Bare hashes, 1 to 64 of 32 bytes each.
    #[schema(min_items = 1, max_items = 64)]
    pub hashes: Option<Vec<String>>,
    /// The path of the key for a text or for hashes: unhardened steps, 8 at most, like "0/7".
    #[schema(pattern = "^(m|(m/)?[0-9]{1,9}(/[0-9]{1,9}){0,7})?$", default = "")]
    pub path: String,
    /// For a text or for hashes: whether the key is used as it is, without a Taproot tweak.
    #[schema(default = false)]
    pub untweaked: bool,
    /// After how many seconds the request expires; an hour if absent.
    #[schema(minimum = 1, maximum = 604800)]
    pub expires_in: Option<u64>,
}

/// Why a request is rejected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reject {
    /// For the log of this node, at most 512 bytes, without control characters.
    #[schema(max_length = 512, default = "")]
    pub note: String,
}

/// A proof that this node holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// The proof's id, by which it can be had as a file.
    pub id: String,
    /// The group's name.
    pub group: String,
    /// Who is at fault.
    pub accused: u16,
    /// Its name, as its card says.
    pub name: String,
    /// Of what.
    pub fault: String,
    /// In which session.
    pub session: String,
}

/// A share that has left this node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogEntry {
    /// Its number; the first is 0.
    pub number: u64,
    /// When.
    pub time: Time,
    /// The group's id.
    pub group: String,
    /// The group's name; empty if the group is not here any more.
    pub group_name: String,
    /// The session.
    pub session: String,
    /// What it was about; none if the request is not here any more, or could not be read yet.
    pub summary: Option<Summary>,
    /// The attempt.
    pub attempt: u32,
    /// The package's hash.
    pub package: String,
    /// What was signed.
    pub messages: Vec<String>,
    /// What the policy said.
    pub policy: String,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A word that stays the same: not_found, ambiguous, invalid, conflict, name_taken, expired,
    /// refused, not_ready, busy, no_answer, too_large, too_slow, too_many, unrecorded,
    /// unauthorized, forbidden, wrong_host, internal.
    pub code: String,
    /// One line for people.
    pub message: String,
}

/// Whether a node does what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Whether it does.
    pub ok: bool,
    /// What it lacks.
    pub problems: Vec<String>,
}
