use std::time::Duration;

use super::Invariant;
use crate::violation::Violation;

/// The result of a scenario.
#[derive(Debug)]
pub struct Played {
    /// The invariant that was violated, if any.
    pub violation: Option<Violation<Invariant>>,
    /// The trace's hash: the same scenario always has the same.
    pub hash: String,
    /// The trace's lines, if they were wanted.
    pub lines: Vec<String>,
    /// The number of the greatest epoch.
    pub deepest: u32,
    /// The certified epochs after the first.
    pub epochs: usize,
    /// What was erased.
    pub erased: usize,
    /// Messages sent, one for each receiver.
    pub messages: usize,
    /// How often nodes were opened again.
    pub restarts: usize,
    /// Its duration in virtual time.
    pub virtual_time: Duration,
}
