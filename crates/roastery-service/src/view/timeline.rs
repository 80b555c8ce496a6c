use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// A step of a request on its way to a signature, as this node saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimelineStep {
    /// When this node saw it.
    pub at: Time,
    /// How many milliseconds after the first step.
    pub ms: u64,
    /// What it is, in a stable word: proposed, approved, ready, coordinates, package, share,
    /// refused, proven, signed or stopped; there may be new ones.
    pub what: String,
    /// The name of the member whose step it is; absent if it is not one member's.
    pub who: Option<String>,
    /// For a package: the names of the members that are asked for their shares.
    pub asked: Vec<String>,
}
