use std::{fmt, time::Duration};

use roastery_protocol::Seat;

/// A disturbance of nodes or network.
#[derive(Clone, Debug, PartialEq)]
pub enum Injection {
    /// A seat's node loses everything but its seed and what it has stored.
    Crash(Seat),
    /// A seat's node opens the key generation, with the seed and what it has stored, unless it is
    /// open.
    Open(Seat),
    /// Nothing passes any more between these and all others.
    CutOff(Vec<Seat>),
    /// Every member reaches every other, nothing is lost, doubled or delayed any more, and members
    /// that are down open the key generation, except those that stay away.
    Calm,
}

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
    /// When it must store which transcript it has signed: nothing is stored, and no signature has
    /// left.
    BeforeStoring,
    /// When that is stored, and before the signature leaves.
    AfterStoring,
    /// When it has the certificate, before it sends it to any member.
    Done,
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Injection::Crash(seat) => write!(f, "seat {seat} crashes"),
            Injection::Open(seat) => write!(f, "seat {seat} opens the key generation"),
            Injection::CutOff(few) => {
                let few: Vec<String> = few.iter().map(Seat::to_string).collect();
                write!(f, "cut off: {}", few.join(", "))
            }
            Injection::Calm => f.write_str("the network heals and is calm, and all are up"),
        }
    }
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seat, when, down } = self;
        write!(f, "seat {seat} crashes ")?;
        match when {
            When::Step { after, leaving } => {
                write!(f, "after {after} steps, {leaving} outputs of the last leaving")?;
            }
            When::BeforeStoring => f.write_str("before it stores what it has signed")?,
            When::AfterStoring => {
                f.write_str("between storing and the leaving of the signature")?
            }
            When::Done => f.write_str("when it has the certificate and before it tells")?,
        }
        write!(f, ", and is down for {down:?}")
    }
}
