//! What an invariant that does not hold is reported as.

use std::fmt;

/// An invariant that does not hold, and what shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation<I> {
    /// The invariant.
    pub invariant: I,
    /// What was seen.
    pub what: String,
}

impl<I> Violation<I> {
    /// A violation of this invariant.
    pub fn of(invariant: I, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

impl<I: fmt::Display> fmt::Display for Violation<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {}: {}", self.invariant, self.what)
    }
}

impl<I: fmt::Debug + fmt::Display> std::error::Error for Violation<I> {}
