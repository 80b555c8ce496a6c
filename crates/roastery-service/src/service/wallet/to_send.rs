//! Requests whose transactions are to be sent.

use bitcoin::Txid;
use serde::{Deserialize, Serialize};

/// A request whose transaction is to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    /// The session of the request, 64 hexadecimal digits.
    pub session: String,
    /// When it was asked for, in seconds since 1970.
    pub since: u64,
    /// How far it is.
    pub state: SendingState,
}

/// How far the sending of a transaction is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendingState {
    /// It is not signed yet, or the source has not taken it: the last reason, if there is one.
    Waiting(Option<String>),
    /// The source has taken it.
    Sent(Txid),
    /// It will not be sent, for this reason.
    Ended(String),
}
