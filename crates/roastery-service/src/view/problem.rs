//! Errors of the API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Request;

/// An error of the API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What kind of error it is.
    pub code: ProblemCode,
    /// The error in one line, for people.
    pub message: String,
    /// With `changed`: the request as it is now. With `conflict`, if another request makes the same
    /// payment: that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Box<Request>>,
}

/// What kind of error it is: a stable word.
///
/// Exhaustive, but for words of newer nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// It does not exist.
    NotFound,
    /// Several have this prefix.
    Ambiguous,
    /// The input is invalid.
    Invalid,
    /// It conflicts with the current state.
    Conflict,
    /// The request is not what was seen any more; nothing was decided.
    Changed,
    /// The name belongs to another group.
    NameTaken,
    /// The request has expired.
    Expired,
    /// This node's policy refuses.
    Refused,
    /// A precondition is missing.
    NotReady,
    /// The node has the most sessions that it may.
    Busy,
    /// A part of the node does not answer.
    NoAnswer,
    /// The body is too long.
    TooLarge,
    /// The body has not come in time.
    TooSlow,
    /// A quota is used up.
    TooMany,
    /// A rejection is in force, and not in the store.
    Unrecorded,
    /// The token is missing or wrong.
    Unauthorized,
    /// The role may not do that.
    Forbidden,
    /// The host name is none of this machine's.
    WrongHost,
    /// A defect or a failure of the node.
    Internal,
    /// A word that this program does not know.
    #[serde(other)]
    Unknown,
}

impl ProblemCode {
    /// Its word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Ambiguous => "ambiguous",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Changed => "changed",
            Self::NameTaken => "name_taken",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::NotReady => "not_ready",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::TooMany => "too_many",
            Self::Unrecorded => "unrecorded",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::WrongHost => "wrong_host",
            Self::Internal => "internal",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_its_word_in_json_and_an_unknown_word_is_no_error() {
        for word in ["not_found", "changed", "name_taken", "wrong_host", "internal"] {
            let code: ProblemCode = serde_json::from_value(word.into()).unwrap();
            assert_eq!(code.as_str(), word);
        }
        let code: ProblemCode = serde_json::from_value("newer".into()).unwrap();
        assert_eq!(code, ProblemCode::Unknown);
    }
}
