//! How the making of a group's key stands.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Awaited;

/// A ceremony.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CeremonyStatus {
    /// What the group is called here.
    pub name: String,
    /// The ceremony's id.
    pub ceremony: String,
    /// What the members compare before it begins.
    pub fingerprint: String,
    /// This node's seat.
    pub seat: u16,
    /// How many will have to sign.
    pub threshold: usize,
    /// The members' names, by seat.
    pub members: Vec<String>,
    /// How far it is.
    pub state: CeremonyState,
    /// More about that, for people.
    pub text: String,
    /// The group that it has made.
    pub group: Option<String>,
    /// Who is awaited.
    pub awaited: Vec<Awaited>,
    /// What was found.
    pub findings: Vec<String>,
}

/// How far a ceremony is at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CeremonyState {
    /// The invitation is taken up, and the fingerprint is not confirmed.
    Joined,
    /// It is under way.
    Running,
    /// The key is made, and the group is here.
    Done,
    /// It has ended without a key.
    Ended,
    /// This node could not go on, or the group that was made does not run here.
    Failed,
}

impl CeremonyState {
    /// Its word in JSON.
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

impl fmt::Display for CeremonyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_shown_by_its_word_in_json() {
        use CeremonyState as S;
        for state in [S::Joined, S::Running, S::Done, S::Ended, S::Failed] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.to_string());
        }
    }
}
