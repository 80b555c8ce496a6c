use std::{fmt, time::Duration};

use roastery_protocol::Seat;

/// A crash at a certain point of what a node does. The node is opened again later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrashPoint {
    /// The seat of the node.
    pub seat: Seat,
    /// The point at which it crashes.
    pub when: When,
    /// How long it is down; at most until the calm.
    pub down: Duration,
}

/// The point at which a node crashes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// After so many steps since the beginning, when only the first few outputs of the last step
    /// have left.
    Step {
        /// The number of steps that it has done.
        after: usize,
        /// How many of its outputs still leave.
        leaving: usize,
    },
    /// When it must store a record: nothing is stored, and nothing that depends on it has left.
    BeforeStoring,
    /// When that is stored, and before what depends on it leaves.
    AfterStoring,
    /// When it has reached its aim, before it tells any member.
    Done,
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seat, when, down } = self;
        write!(f, "seat {seat} crashes ")?;
        match when {
            When::Step { after, leaving } => {
                write!(f, "after {after} steps, {leaving} outputs of the last leaving")?;
            }
            When::BeforeStoring => f.write_str("before it stores a record")?,
            When::AfterStoring => {
                f.write_str("after it has stored a record and before anything leaves")?
            }
            When::Done => f.write_str("when it is done and before it tells")?,
        }
        write!(f, ", and is down for {down:?}")
    }
}
