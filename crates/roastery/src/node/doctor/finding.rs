//! What one check has found.

use roastery_service::text::visible;
use serde::Serialize;

use crate::output::Paint;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Ok,
    /// The node runs, and its operator should know.
    Warning,
    /// The node does not run or does not do its work, or its secrets are open.
    Wrong,
}

impl Level {
    pub(super) fn paint(self) -> Paint {
        match self {
            Self::Ok => Paint::Plain,
            Self::Warning => Paint::Careful,
            Self::Wrong => Paint::Bad,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

/// The result of a check, in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) level: Level,
    /// What is so; if it is wrong, what is allowed and what to do next.
    pub(super) text: String,
}

impl Finding {
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Level::Ok, text)
    }

    pub(super) fn warning(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Level::Warning, text)
    }

    pub(super) fn wrong(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Level::Wrong, text)
    }

    pub(super) fn new(check: &'static str, level: Level, text: impl Into<String>) -> Self {
        // Names of files, and what others have said, are in it.
        Self { check, level, text: visible(&text.into()) }
    }

    pub(super) fn line(&self) -> String {
        format!("{:<8} {:<14} {}", self.level.word(), self.check, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_whatever_a_file_is_called() {
        let finding = Finding::warning("folder", "a\nok  folder\u{202e}");
        assert_eq!(finding.line(), r"warning  folder         a\nok  folder\u{202e}");
    }
}
