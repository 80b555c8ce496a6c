use std::{fmt, time::Duration};

use roastery_frost::Seat;

use super::{Outcome, StopReason};
use crate::{SessionId, member::proof::ProvenFault, request::RefusalReason};

/// What a node knows of a session: its state, and which members are awaited since when.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The session.
    pub session: SessionId,
    /// Whether it runs, has signatures or has stopped.
    pub phase: ReportPhase,
    /// The seats that are live as coordinators by this node's order, in that order.
    pub coordinators: Vec<Seat>,
    /// Members that are awaited, by coordinator and seat. Waiting is no blame: a slow member is not
    /// at fault.
    pub awaited: Vec<Awaited>,
    /// The members that have refused to take part, with their reasons.
    pub refusals: Vec<(Seat, RefusalReason)>,
    /// The faults that are proven, one for each member.
    pub proven: Vec<ProvenFault>,
}

/// The state of a session at this node.
#[derive(Clone, Debug, PartialEq)]
pub enum ReportPhase {
    /// It runs.
    Running,
    /// The signatures are there.
    Signed(Outcome),
    /// It has stopped here without them.
    Stopped(StopReason),
}

/// A member for which a session waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// The coordinator that needs it: a seat of this node, or the awaited member itself.
    pub coordinator: Seat,
    /// The member's seat.
    pub seat: Seat,
    /// What is awaited from it.
    pub thing: AwaitedThing,
    /// Start of the wait, on the caller's monotonic clock.
    pub since: Duration,
}

/// What is awaited from a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwaitedThing {
    /// Its link, which is down.
    Link,
    /// That it opens the session: its policy or its operator has not approved.
    Ready,
    /// Slots: it has shown fewer than the request needs.
    Slots,
    /// Its share for the package of this number.
    Share {
        /// The package's number in this node's present run.
        package: u16,
    },
    /// The coordinator's package.
    Package,
    /// The coordinator's signature: this node has given its share.
    Signature,
}

impl fmt::Display for AwaitedThing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AwaitedThing::Link => f.write_str("its link"),
            AwaitedThing::Ready => f.write_str("its approval"),
            AwaitedThing::Slots => f.write_str("slots"),
            AwaitedThing::Share { package } => write!(f, "a share for package {package}"),
            AwaitedThing::Package => f.write_str("a signing package"),
            AwaitedThing::Signature => f.write_str("the signature"),
        }
    }
}
