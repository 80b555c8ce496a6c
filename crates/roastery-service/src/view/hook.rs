//! The hooks of a node.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// A hook, and what became of what it was to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HookStatus {
    /// Its name.
    pub name: String,
    /// Whom it tells: a program without its arguments, or a server without its path.
    pub target: String,
    /// What it is told of, as in the configuration.
    pub on: Vec<String>,
    /// How much it is told: none, summary or full.
    pub detail: String,
    /// How many notices wait for it.
    pub waiting: u64,
    /// How many were told, since there is such a hook.
    pub delivered: u64,
    /// How many were dropped, because more waited than are kept.
    pub dropped: u64,
    /// How many were given up, because they were not taken for a day.
    pub given_up: u64,
    /// When one was told last; absent if none was.
    pub last_delivered: Option<Time>,
    /// The last failure since the start; absent if the last call has not failed.
    pub failure: Option<HookFailure>,
}

/// A call of a hook that has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HookFailure {
    /// When.
    pub time: Time,
    /// Why.
    pub reason: String,
}

/// What became of the test of a hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HookTest {
    /// Whether the hook has taken it.
    pub taken: bool,
    /// Why it has not; absent if it has.
    pub reason: Option<String>,
}
