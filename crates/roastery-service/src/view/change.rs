//! The status of a change of a group.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// A change of a group: a plan, who has approved and accepted it, and how far it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChangeStatus {
    /// The group's name at this node.
    pub name: String,
    /// The id of the plan.
    pub plan: String,
    /// The plan's fingerprint, which all members compare before they approve or accept.
    pub fingerprint: String,
    /// The key id, which stays.
    pub key: String,
    /// The number of the new epoch.
    pub epoch: u32,
    /// The number of the plan among those of the epoch before.
    pub number: u32,
    /// The threshold before the change.
    pub old_threshold: usize,
    /// The threshold after the change.
    pub threshold: usize,
    /// When the plan ends.
    pub expires: Time,
    /// The members before the change, by old seat.
    pub old_members: Vec<OldMember>,
    /// The members after the change, by new seat.
    pub members: Vec<NewMember>,
    /// How many approvals this node waits for before it deals.
    pub approvals: usize,
    /// Its state at this node.
    pub state: ChangeState,
    /// Details of the state, for people.
    pub text: String,
    /// The id of the group of the new epoch, once it is at this node.
    pub group: Option<String>,
    /// What this node's operator has to do beside, if there is something.
    pub note: Option<String>,
}

/// A member before a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OldMember {
    /// Its name.
    pub name: String,
    /// Its identity key, in hexadecimal: it is told by this, and not by the name.
    #[serde(default)]
    pub identity_key: String,
    /// Its peer.
    #[serde(default)]
    pub peer: String,
    /// Whether it is this node.
    pub own: bool,
    /// Whether it is a member after the change as well.
    pub stays: bool,
    /// Whether the plan excludes it: it does not deal.
    pub excluded: bool,
    /// Whether it has approved.
    pub approved: bool,
}

/// A member after a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewMember {
    /// Its name, which the maker of the plan has chosen if it joins.
    pub name: String,
    /// Its identity key, in hexadecimal: it is told by this, and not by the name.
    #[serde(default)]
    pub identity_key: String,
    /// Its peer.
    #[serde(default)]
    pub peer: String,
    /// Whether it is this node.
    pub own: bool,
    /// Whether it is a member before the change as well.
    pub stays: bool,
    /// Whether it has accepted.
    pub accepted: bool,
}

/// The state of a change at a node.
///
/// Exhaustive: version 1 of the API has no other states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeState {
    /// Approvals or acceptances are missing.
    Waiting,
    /// Members deal.
    Dealing,
    /// This node has signed the outcome.
    Signed,
    /// The new epoch exists, and is here if this node has a seat in it.
    Done,
    /// It has expired without effect.
    Expired,
    /// It has expired, and can still take effect.
    Open,
    /// The new epoch exists, and is not at this node.
    Failed,
}

impl ChangeState {
    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Dealing => "dealing",
            Self::Signed => "signed",
            Self::Done => "done",
            Self::Expired => "expired",
            Self::Open => "open",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for ChangeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A card for a change, with a fresh host key for each seat on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChangeCard {
    /// The card file's content.
    pub card: String,
    /// How many seats it has.
    pub seats: usize,
}

/// The taking up of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeUpPlan {
    /// The plan file's content.
    pub plan: String,
}

/// A decision about a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// The fingerprint, as all members have compared it. Spaces do not matter.
    #[schema(pattern = "^[0-9a-fA-F ]*$")]
    pub fingerprint: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_a_change_is_shown_by_its_word_in_json() {
        use ChangeState as S;
        let all = [S::Waiting, S::Dealing, S::Signed, S::Done, S::Expired, S::Open, S::Failed];
        for state in all {
            assert_eq!(serde_json::to_value(state).unwrap(), state.to_string());
        }
    }
}
