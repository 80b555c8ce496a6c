use std::{collections::BTreeMap, time::Duration};

use roastery_protocol::{
    Seat,
    keygen::{Report, Suspicion},
};

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
    /// Its duration in virtual time.
    pub virtual_time: Duration,
    /// When each honest member first held the certificate.
    pub done: BTreeMap<Seat, Duration>,
    /// The reports of the honest members in the end.
    pub reports: BTreeMap<Seat, Report>,
    /// Messages sent, one for each receiver.
    pub messages: usize,
    /// How often a node was opened again.
    pub restarts: usize,
    /// The findings of honest members, each with the seat of its finder.
    pub found: Vec<(Seat, Suspicion)>,
    /// The same by kind.
    pub misbehaviours: BTreeMap<&'static str, usize>,
    /// Whether the key has signed in a real session.
    pub session: bool,
}
