//! The JSON of the API. Names and meanings of fields do not change within version 1.
//!
//! Byte strings are hexadecimal digits in lower case; times are by RFC 3339, in UTC.

mod audit;
mod change;
mod epochs;
mod event;
mod hook;
mod keygen;
mod kit;
mod pairing;
mod problem;
mod remote;
mod request;
mod returning;
mod settings;
mod timeline;
mod token;
mod wallet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Time,
    config::{ApprovalMode, SubjectKind},
};

pub use self::{
    audit::{
        ActKind, AssertedBy, AuditLine, Chain, CutLog, DecidedBy, LogCut, LogCuts, Principal,
        PrincipalKind, RecordedAct, RecordedActs,
    },
    change::{ChangeCard, ChangeState, ChangeStatus, Compared, NewMember, OldMember, TakeUpPlan},
    epochs::{
        Acknowledge, Backups, ChangeAct, ChangeLine, CheckHostKey, EpochMember, Epochs, Erase,
        HoldingKind, HostKeyFiles, HostKeyVerdict, LowerEpoch, SecondCopy, Word,
    },
    event::ServiceEvent,
    hook::{HookFailure, HookStatus, HookTest},
    keygen::{KeygenState, KeygenStatus},
    kit::{KitHolder, KitStatus, NewKit, TypedWord, TypedWords},
    pairing::{
        ComparedWord, HeardWord, Invite, JoinLine, PairAgain, Pairing, PairingMember, PairingState,
        WordResult,
    },
    problem::{Problem, ProblemCode},
    remote::{
        AddPasskey, AskChallenge, BeginPasskey, BegunPasskey, ComePasskey, DecideWith, KeepPasskey,
        MadePasskey, PasskeyAct, PasskeyChallenge, PasskeyCode, PasskeyEnrolment, PasskeyStatus,
        RemoteStatus, SignedByPasskey,
    },
    request::{
        Approver, Decided, InputLeft, Level, MemberDecision, Message, MissingPart, NoState,
        PaidOutput, Part, Payment, PaymentDetails, Progress, Request, RequestCounts, Ruling,
        SignedTransaction, State, Subject, Summary, TakeUpSignatures, TextSignature, Warning,
    },
    returning::{InviteToReturn, OwnReturn, PaperWords, ReturnLine, Returned, Returns},
    settings::{Configuration, SetOption},
    timeline::TimelineStep,
    token::{AddToken, NewToken, TokenRole, TokenStatus},
    wallet::{
        Broadcast, BroadcastState, ChainSource, LabelCount, LabelFile, MadeTransaction,
        MakeTransaction, Wallet, WalletAddress, WalletCoin, WalletEntry, WalletPayment,
    },
};

/// The status of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The node's name.
    pub name: String,
    /// The node's peer id, as on its card.
    pub peer: String,
    /// The program's version.
    pub version: String,
    /// The id of the process.
    pub pid: u32,
    /// The time by the node's clock.
    pub now: Time,
    /// How long it has been running, in seconds.
    pub uptime_seconds: u64,
    /// The network of its addresses: main, test, testnet4, signet or regtest.
    #[serde(default)]
    pub network: String,
    /// The other nodes.
    pub peers: Vec<PeerStatus>,
    /// The groups of which it is a member.
    pub groups: Vec<GroupStatus>,
    /// Invitations that were joined, and key generations under way.
    #[serde(rename = "ceremonies")]
    pub keygens: Vec<KeygenStatus>,
    /// The chain source; absent if there is none.
    #[serde(default)]
    pub chain_source: Option<ChainSource>,
    /// Warnings about the configuration and the chain source, each in a line.
    pub warnings: Vec<String>,
}

/// Another node, as the transport sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeerStatus {
    /// Its peer id, as on its card.
    pub peer: String,
    /// Its name, from its card.
    pub name: String,
    /// Whether it is connected.
    pub connected: bool,
    /// For how many seconds it has been disconnected, if it is not connected.
    pub awaited_seconds: Option<u64>,
    /// The name of the member through which it is connected; absent if it is connected directly, or
    /// not.
    #[serde(default)]
    pub through: Option<String>,
    /// The last round trip, in milliseconds.
    pub round_trip_ms: Option<f64>,
    /// The addresses at which this node dials it; empty if this node does not dial it.
    pub addresses: Vec<String>,
    /// Messages from it that were lost because a queue was full or they were too long.
    pub dropped: u64,
    /// How far its wall clock is ahead of this node's, in milliseconds, by its own account;
    /// negative if it is behind.
    pub clock_offset_ms: Option<i64>,
    /// Whether the two clocks differ so much that requests may seem to have expired.
    pub clock_differs: bool,
}

/// A group and its sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GroupStatus {
    /// Its name at this node.
    pub name: String,
    /// Its group id: 64 hexadecimal digits.
    pub id: String,
    /// The key id, which stays in every epoch.
    pub key_id: String,
    /// The number of its epoch: 0 after key generation, and one more with each change.
    pub epoch: u32,
    /// This node's seats.
    pub seats: Vec<u16>,
    /// The number of seats that must sign.
    pub threshold: usize,
    /// The threshold public key: 33 bytes, compressed.
    pub key: String,
    /// The members, one for each seat, by seat.
    pub members: Vec<MemberStatus>,
    /// The number of seats whose nodes are connected, this node's included.
    pub reachable: usize,
    /// The first address of its wallet, which is the same at every member; absent if it cannot be
    /// derived.
    #[serde(default)]
    pub address: Option<String>,
    /// The tree of scripts of its wallet, as the node has read it at its start; absent if there is
    /// none.
    #[serde(default)]
    pub scripts: Option<String>,
    /// The sessions that are running.
    pub sessions: Vec<SessionStatus>,
    /// The number of requests that wait for approval here; absent if it cannot be determined.
    pub pending: Option<usize>,
    /// The policy of this node for the group.
    pub policy: Policy,
}

/// The policy for a group, as the node has read it at its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// Its section in the configuration.
    pub section: String,
    /// Who approves what the rules allow.
    pub approval: ApprovalMode,
    /// The kinds of subjects that may be signed.
    pub kinds: Vec<SubjectKind>,
    /// The most requests that are signed in an hour, if there is a limit.
    pub most_per_hour: Option<u32>,
    /// The most satoshi that may be spent within 24 hours, if there is a limit.
    pub most_per_day: Option<u64>,
    /// Why the approval command gave no answer, if the last call gave none.
    pub problem: Option<String>,
}

/// A new name for a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The name, of at most 64 bytes.
    pub name: String,
}

/// A member that this node is not to sign with any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bar {
    /// The member: its name or its peer id, as in the group's status.
    pub member: String,
}

/// A seat of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MemberStatus {
    /// Its seat, from 0.
    pub seat: u16,
    /// Its name, from its card.
    pub name: String,
    /// Its peer id.
    pub peer: String,
    /// Whether it is this node or connected to it.
    pub reachable: bool,
    /// Since when it is barred by this node's operator; absent if it is not.
    pub barred_since: Option<Time>,
}

/// A running session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionStatus {
    /// Its session id: 64 hexadecimal digits.
    pub session: String,
    /// The seats that may coordinate now, as this node sees it, in their order.
    pub coordinators: Vec<u16>,
    /// The members that the session waits for. Waiting is not a fault.
    pub awaited: Vec<Awaited>,
    /// The members that have refused, and why.
    pub refusals: Vec<MemberStatement>,
    /// The members with a proven fault, and which.
    pub proven: Vec<MemberStatement>,
}

/// A member that is waited for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Awaited {
    /// Its seat.
    pub seat: u16,
    /// Its name, from its card.
    pub name: String,
    /// What it is to send.
    pub thing: String,
    /// For how many seconds it has been waited for.
    pub seconds: u64,
}

/// A statement about a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MemberStatement {
    /// The seat.
    pub seat: u16,
    /// Its name, from its card.
    pub name: String,
    /// The reason of a refusal, or the proven fault.
    pub text: String,
}

/// An invitation to join.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The invitation file's text.
    #[schema(min_length = 1, max_length = 1048576)]
    pub invitation: String,
    /// The group's name at this node, if it is not to be the invitation's name: at most 64 bytes.
    #[serde(default)]
    pub name: Option<String>,
}

/// A member's newer card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddCard {
    /// The card's text.
    #[schema(min_length = 1, max_length = 32768)]
    pub card: String,
}

/// The addresses of a member, from its card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeerAddresses {
    /// Its peer id, as on its card.
    pub peer: String,
    /// Its name, from its card.
    pub name: String,
    /// The addresses on the card at which this node can dial it.
    pub addresses: Vec<String>,
    /// What is wrong with each of the others.
    pub skipped: Vec<String>,
    /// Whether the card was newer than the stored addresses; if not, nothing has changed.
    pub newer: bool,
    /// Whether this node's configuration (transport.peers) names other addresses, which take
    /// precedence.
    pub overridden: bool,
}

/// The start of a key generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// The fingerprint, as all members have compared it. Spaces do not matter.
    #[schema(pattern = "^[0-9a-fA-F ]*$")]
    pub fingerprint: String,
}

/// A subject that is to be signed: a text, a transaction, or hashes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Propose {
    /// A text of at most 4096 bytes. It is signed as an address of the group, by BIP-322.
    #[schema(max_length = 4096)]
    pub text: Option<String>,
    /// A transaction: a PSBT in base64.
    #[schema(max_length = 1048576, pattern = "^[A-Za-z0-9+/]+={0,2}$")]
    pub psbt: Option<String>,
    /// Bare hashes, 1 to 64 of 32 bytes each.
    #[schema(min_items = 1, max_items = 64)]
    pub hashes: Option<Vec<String>>,
    /// The path of the key for a text or for hashes: unhardened steps, 8 at most, like "0/7". For a
    /// text it is that of an address of the group: its own (no steps), or one of its wallet.
    #[schema(pattern = "^(m|(m/)?[0-9]{1,9}(/[0-9]{1,9}){0,7})?$", default = "")]
    pub path: String,
    /// For hashes: whether the key is used as it is, without a Taproot tweak.
    #[schema(default = false)]
    pub untweaked: bool,
    /// The request expires after this many seconds; an hour if absent.
    #[schema(minimum = 1, maximum = 604800)]
    pub expires_in: Option<u64>,
    /// For a transaction, at a node with a chain source: whether it is refused if another one that
    /// was approved here, or of which a share has left, and that is in no block yet, pays the same
    /// amount to the same address.
    #[schema(default = false)]
    pub once: bool,
    /// For a transaction: the `seen` of its examination. If it is shown otherwise now, nothing is
    /// asked for, and the answer is `changed`.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    pub seen: Option<String>,
    /// For a transaction, at a node with a chain source: whether this node sends it as soon as it
    /// is signed, also after a restart.
    #[schema(default = false)]
    pub send: bool,
}

/// A transaction that is to be examined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Examine {
    /// The transaction: a PSBT in base64.
    #[schema(max_length = 1048576, pattern = "^[A-Za-z0-9+/]+={0,2}$")]
    pub psbt: String,
}

/// A transaction that was examined. No member is asked to sign it by that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExaminedTransaction {
    /// The PSBT, in base64.
    pub psbt: String,
    /// The description for people, in lines.
    pub report: String,
    /// What it pays; absent if it is a proof of funds.
    pub payment: Option<PaymentDetails>,
    /// The warnings to read before it is asked for.
    pub warnings: Vec<Warning>,
    /// What this node's policy says of it now.
    pub policy: Ruling,
    /// The hash of what is shown here. A proposal that names it is about this and nothing else.
    pub seen: String,
}

/// The rejection of a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reject {
    /// The reason, for this node's log: at most 512 bytes, without control characters.
    #[schema(max_length = 512, default = "")]
    pub note: String,
    /// What was seen of the request. If it is shown with another subject now, it is not rejected,
    /// and the answer is `changed`. A decision in between does not keep it from being rejected.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    pub seen: Option<String>,
}

/// A proof that this node holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// The id of the proof, by which it can be downloaded.
    pub id: String,
    /// The group's name.
    pub group: String,
    /// The seat of the member at fault.
    pub accused: u16,
    /// Its name, from its card.
    pub name: String,
    /// The fault, in words.
    pub fault: String,
    /// The session in which it was committed.
    pub session: String,
}

/// A share that has left this node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogEntry {
    /// Its number; the very first entry has number 0.
    pub number: u64,
    /// When it left.
    pub time: Time,
    /// The group id: 64 hexadecimal digits.
    pub group: String,
    /// The group's name; empty if the group is not in the store any more.
    pub group_name: String,
    /// The session.
    pub session: String,
    /// What it was about; absent if the request is not in the store any more, or could not be
    /// parsed yet.
    pub summary: Option<Summary>,
    /// The seat of this node whose share it is.
    pub seat: u16,
    /// The seat of the coordinator that gets it.
    pub coordinator: u16,
    /// The hash of the package that the share answers.
    pub package: String,
    /// The signed messages, 32 bytes each.
    pub messages: Vec<String>,
    /// The decision of the policy.
    pub policy: String,
}

/// The health or readiness of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Whether there is no problem.
    pub ok: bool,
    /// The problems, each in a line.
    pub problems: Vec<String>,
}
