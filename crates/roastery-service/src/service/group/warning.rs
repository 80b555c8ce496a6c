//! Warnings about requests.

use roastery_bitcoin::spend::{Level, Spend};

/// A warning about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestWarning {
    /// A stable word for programs.
    pub code: &'static str,
    /// How much attention it needs.
    pub level: Level,
    /// The warning in one line, for people.
    pub text: String,
}

/// The warnings about a transaction itself.
pub(in crate::service) fn warnings_of(spend: &Spend) -> Vec<RequestWarning> {
    let warnings = spend.warnings().iter();
    warnings
        .map(|warning| RequestWarning {
            code: warning.code(),
            level: warning.level(),
            text: warning.to_string(),
        })
        .collect()
}
