//! The epochs of a key.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// The epochs of a key, as a node knows them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Epochs {
    /// The key id.
    pub key: String,
    /// What the group is called at this node; the key id if it has no name.
    pub name: String,
    /// The number of the current epoch: the greatest certified one that this node knows.
    pub epoch: u32,
    /// Its fingerprint, which all members compare before one acknowledges it; absent for the epoch
    /// of a key generation.
    pub fingerprint: Option<String>,
    /// How many of its members must sign.
    pub threshold: usize,
    /// Its members, by seat.
    pub members: Vec<EpochMember>,
    /// How far this node is with it; absent without a seat in it, and for a key generation.
    pub holding: Option<HoldingKind>,
    /// What this node's person has done for it.
    pub decided: Option<Word>,
    /// The numbers of the epochs before it whose shares or host keys are in this node's store,
    /// ascending.
    pub held: Vec<u32>,
    /// The epochs before it that this node knows, ascending, each with how far its shares are
    /// erased. The shares of a member that has left are worthless once so many are erased in each
    /// epoch in which it had one.
    pub lower: Vec<LowerEpoch>,
    /// Whether this node erases what the epoch supersedes as soon as nothing is missing.
    pub erasing: bool,
    /// What is missing for that, each in a line.
    pub missing: Vec<String>,
    /// Backups of this node that have shares of epochs before, as far as it knows.
    pub backups: Vec<Backups>,
    /// Files that were made at this node with host keys of epochs before.
    #[serde(default)]
    pub host_key_files: Vec<HostKeyFiles>,
    /// Why the last step with an epoch was not done, if that is so.
    pub problem: Option<String>,
}

/// Files with the host key of a seat of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HostKeyFiles {
    /// The number of the epoch.
    pub epoch: u32,
    /// The seat.
    pub seat: u16,
    /// How many were made.
    pub count: u32,
    /// When the last one was made.
    pub last: Time,
}

/// How far the shares of an epoch before the current one are erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LowerEpoch {
    /// The number of the epoch.
    pub epoch: u32,
    /// How many of its shares must be erased, so that fewer are left than sign.
    pub needed: usize,
    /// How many are, as the members of the current epoch say that hold them. Of a member that has
    /// left it is not known.
    pub erased: usize,
}

/// A member of the current epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EpochMember {
    /// Its seat.
    pub seat: u16,
    /// Its name.
    pub name: String,
    /// Whether it is this node.
    pub own: bool,
    /// How far it says that it is; absent if it has said nothing since this node has started.
    pub holding: Option<HoldingKind>,
}

/// How far a member is with an epoch.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldingKind {
    /// It has its share of the epoch.
    Adopted,
    /// It has no share of the epoch.
    Lacking,
    /// It has erased its shares of the epochs before.
    Erased,
    /// It has erased them, and says that the host keys of the epochs before are destroyed.
    ErasedHostKey,
}

/// What a node's person has done for an epoch.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// Approved its plan.
    Approved,
    /// Accepted its plan.
    Accepted,
    /// Acknowledged it after it was certified.
    Acknowledged,
}

/// Backups of a node that have the shares of the same epochs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Backups {
    /// How many there are.
    pub count: u32,
    /// When the first one was made.
    pub first: Time,
    /// When the last one was made.
    pub last: Time,
}

/// The wish to erase what an epoch supersedes, which must be the current one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Erase {
    /// The number of the epoch, as it was shown with what is destroyed.
    pub epoch: u32,
    /// Its fingerprint, as it was shown; absent for the epoch of a key generation. Spaces do not
    /// matter.
    #[schema(pattern = "^[0-9a-fA-F ]*$")]
    pub fingerprint: Option<String>,
    /// The members that are not to be waited for, by name.
    #[serde(default)]
    #[schema(max_items = 128)]
    pub without: Vec<String>,
    /// Where the new share exists a second time.
    pub second_copy: Option<SecondCopy>,
    /// Whether the host keys of the epochs before are destroyed as well, wherever they were kept.
    #[serde(default)]
    pub host_keys_destroyed: bool,
}

/// Where a share exists a second time.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecondCopy {
    /// In a backup of this node that was made since the share is here.
    Backup {
        /// The SHA-256 of the file as it is where it is kept, read there and not where it was made:
        /// 64 hexadecimal digits.
        #[schema(pattern = "^[0-9a-fA-F]{64}$")]
        sha256: String,
    },
    /// In a file with the host key of the epoch, which was opened where it is kept: with the public
    /// recovery file it gives the share.
    HostKey {
        /// The public host keys of all of this node's seats, as their files have them: 66
        /// hexadecimal digits each.
        #[schema(min_items = 1, max_items = 128)]
        host_keys: Vec<String>,
    },
    /// Nowhere; the person has said that one copy is enough.
    SingleCopy,
}

/// An acknowledgement of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// The number of the epoch.
    pub epoch: u32,
    /// Its fingerprint, as all members have compared it. Spaces do not matter.
    #[schema(pattern = "^[0-9a-fA-F ]*$")]
    pub fingerprint: String,
}

/// The question whether a host key may be destroyed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckHostKey {
    /// The public key, compressed: 66 hexadecimal digits.
    #[schema(pattern = "^[0-9a-fA-F]{66}$")]
    pub host_key: String,
}

/// Whether a host key may be destroyed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HostKeyVerdict {
    /// Whether it may; if not it is to be kept.
    pub may_be_destroyed: bool,
    /// The reasons, each in a line.
    pub reasons: Vec<String>,
}

/// An entry of the log of changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChangeLine {
    /// Its number; the very first entry has number 0.
    pub number: u64,
    /// When it was done.
    pub time: Time,
    /// What the group of its key is called at this node now; the key id if it has no name.
    pub name: String,
    /// The key id.
    pub key: String,
    /// The number of the epoch.
    pub epoch: u32,
    /// The id of the plan that makes it; 64 zeros for a key generation.
    pub plan: String,
    /// What was done.
    pub act: ChangeAct,
}

/// What was done in a change.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeAct {
    /// The person has approved the plan.
    Approved,
    /// The person has accepted the plan.
    Accepted,
    /// The person has taken the approval back.
    Withdrawn,
    /// The node has dealt its share to the new members.
    Dealt,
    /// The node has signed the outcome.
    Signed,
    /// The node has its shares of the new epoch.
    Adopted,
    /// The person has acknowledged the epoch.
    Acknowledged,
    /// The shares or host keys of the epoch are erased at this node.
    Erased,
    /// A command of the node has approved the plan, and not its person.
    ApprovedByCommand,
    /// The node has accepted the plan by its rules, and not its person.
    AcceptedByRule,
}
