use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use super::Time;

/// A request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Request {
    /// The session that signs it.
    pub session: String,
    /// The group's name.
    pub group: String,
    /// What it is about.
    pub subject: Subject,
    /// The same in short; none if it is no text and could not be read yet.
    pub summary: Option<Summary>,
    /// What is signed.
    pub messages: Vec<Message>,
    /// The seat that proposed it; none if it was made here.
    pub proposer: Option<u16>,
    /// The name of the member that proposed it.
    pub proposer_name: String,
    /// Since when it is known here.
    pub since: Time,
    /// When its state became what it is.
    pub changed: Time,
    /// The number of its last change here: lists go on before it.
    pub position: u64,
    /// When it expires.
    pub expiry: Time,
    /// Grows with each change of what is shown or of the state. An approval that names it is of
    /// this request as it is now.
    pub revision: u64,
    /// What has become of it here.
    pub state: State,
    /// More about that: what the policy said, why it stopped, or which members do not take part.
    pub text: String,
    /// Who has approved and refused it.
    pub progress: Progress,
    /// The signatures, one for each message.
    pub signatures: Option<Vec<String>>,
    /// The seats that have signed, if it is known here.
    pub signers: Option<Vec<u16>>,
}

impl Request {
    /// Whether it may still be signed as far as this node is concerned.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Proposed | State::Approved)
    }
}

/// What has become of a request at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It waits to be approved.
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
    /// So many members do not take part that the others are too few. A member may still change its
    /// mind.
    Failed,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Proposed,
        Self::Approved,
        Self::Refused,
        Self::Signed,
        Self::Stopped,
        Self::Expired,
        Self::Failed,
    ];

    /// Its word in JSON.
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

/// A word that is no state.
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
    /// text, transaction or hash.
    pub kind: String,
    /// The text; or the transaction, for people.
    pub text: Option<String>,
    /// The transaction: a PSBT in base64. Not in lists.
    pub psbt: Option<String>,
}

/// What a request is about, in short. Amounts are in satoshi.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// The first words of a text.
    pub words: Option<String>,
    /// What is paid to others, the greatest amounts first; at most 8.
    pub pays: Vec<Payment>,
    /// To how many more others something is paid.
    pub more: usize,
    /// What comes back to the group's own wallet.
    pub returns: Option<u64>,
    /// The fee, if all amounts are known.
    pub fee: Option<u64>,
    /// What to look at before it is approved; at most 16.
    pub warnings: Vec<String>,
    /// How many warnings there are.
    pub warning_count: usize,
}

/// An amount and where it goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Payment {
    /// How much, in satoshi.
    pub amount: u64,
    /// The address, or the script where it has none.
    pub to: String,
}

/// Who has approved or refused a request, as far as this node has heard.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// How many must approve.
    pub needed: usize,
    /// How many members there are.
    pub members: usize,
    /// The names of the members that have approved.
    pub approved: Vec<String>,
    /// The names of the members that have refused.
    pub refused: Vec<String>,
    /// Whether enough members are left that have not refused.
    pub can_succeed: bool,
}

/// One message and its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// The 32 bytes that are signed.
    pub message: String,
    /// The key's path.
    pub path: String,
    /// What is tweaked: untweaked, key-path-only, or the Merkle root of its scripts.
    pub taproot: String,
    /// The x-only public key under which the signature verifies.
    /// Absent in lists, since it takes time to compute.
    pub public_key: Option<String>,
}
