//! The tokens of programs that call the API.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// What a client may do.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenRole {
    /// All operations that only read.
    Reader,
    /// All operations but those on tokens.
    Operator,
}

impl TokenRole {
    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for TokenRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A token to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddToken {
    /// Its name: 1 to 24 small letters, digits and hyphens.
    #[schema(min_length = 1, max_length = 24)]
    pub name: String,
    /// What it admits to.
    pub role: TokenRole,
    /// For how many seconds it counts; until it is revoked if absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 315_360_000)]
    pub expires_in: Option<u64>,
}

/// A token, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenStatus {
    /// Its name.
    pub name: String,
    /// What it admits to.
    pub role: TokenRole,
    /// When it was made.
    pub made: Time,
    /// From when on it counts no more; absent if it counts until it is revoked.
    pub expires: Option<Time>,
}

/// A token that was made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// Its text, which requests bring as "Authorization: Bearer TOKEN". It is shown once.
    pub token: String,
    /// What it is.
    pub status: TokenStatus,
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken").field("status", &self.status).finish_non_exhaustive()
    }
}
