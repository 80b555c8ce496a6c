//! The status of a key generation.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Awaited;

/// A key generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeygenStatus {
    /// The group's name at this node.
    pub name: String,
    /// The id of the key generation.
    #[serde(rename = "ceremony")]
    pub keygen: String,
    /// The fingerprint, which the members compare before it begins.
    pub fingerprint: String,
    /// This node's seats.
    pub seats: Vec<u16>,
    /// The number of seats that will have to sign.
    pub threshold: usize,
    /// The members' names, one for each seat, by seat.
    pub members: Vec<String>,
    /// Its state at this node.
    pub state: KeygenState,
    /// Details of the state, for people.
    pub text: String,
    /// The id of the group that it has made.
    pub group: Option<String>,
    /// The members that it waits for.
    pub awaited: Vec<Awaited>,
    /// The faults that were found.
    pub findings: Vec<String>,
}

/// The state of a key generation at a node.
///
/// Exhaustive: version 1 of the API has no other states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeygenState {
    /// The invitation was joined, and the fingerprint is not confirmed.
    Joined,
    /// It is under way.
    Running,
    /// The key is made, and the group is here.
    Done,
    /// It has ended without a key.
    Ended,
    /// It failed at this node, or the group that was made does not run here.
    Failed,
}

impl KeygenState {
    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Running => "running",
            Self::Done => "done",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for KeygenState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_shown_by_its_word_in_json() {
        use KeygenState as S;
        for state in [S::Joined, S::Running, S::Done, S::Ended, S::Failed] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.to_string());
        }
    }
}
