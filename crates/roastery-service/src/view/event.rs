use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// An event, for clients that observe the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceEvent {
    /// When it happened.
    pub time: Time,
    /// The name of the group, or of the one that a key generation makes.
    pub group: String,
    /// The id of the session or of the key generation: 64 hexadecimal digits.
    pub session: String,
    /// The kind, in a stable word.
    pub kind: String,
    /// A description for people.
    pub text: String,
}
