//! The returns that are under way at this node.

use std::{collections::BTreeMap, time::Duration};

use roastery_protocol::{
    Seat,
    group::PeerId,
    kit::Kit,
    pairing::Line,
    returning::{Given, ReturnLine},
};

use crate::service::now;

/// The pause after the first call that did not connect; each further one is twice as long.
pub(super) const FIRST_CALL: Duration = Duration::from_millis(500);

/// The returns that are under way at this node.
#[derive(Debug, Default)]
pub(in crate::service) struct Returns {
    /// The lines of this node.
    pub(super) lines: BTreeMap<[u8; 8], OpenLine>,
    /// This node's own return.
    pub(super) own: Option<OwnReturn>,
    /// From which IP address each node has come that is connected for a pairing or a return.
    pub(super) from: BTreeMap<PeerId, Option<String>>,
}

/// A line of this node.
#[derive(Debug)]
pub(super) struct OpenLine {
    pub(super) line: ReturnLine,
    /// From which IP address it was used.
    pub(super) from: Option<String>,
    /// The kits that the others keep of the seat, as they have answered.
    pub(super) copies: BTreeMap<Seat, Vec<Kit>>,
    /// Whether the others are asked for their copies.
    pub(super) is_collecting: bool,
    /// When the node that has used it was last answered.
    pub(super) answered: Option<Duration>,
}

impl OpenLine {
    pub(super) fn new(line: ReturnLine) -> Self {
        let (from, copies, is_collecting, answered) = Default::default();
        Self { line, from, copies, is_collecting, answered }
    }
}

/// This node's return with a line of another one.
#[derive(Debug)]
pub(super) struct OwnReturn {
    pub(super) line: Line,
    pub(super) inviter: PeerId,
    pub(super) given: Given,
    /// Whether the stream to the node that has made the line is open.
    pub(super) is_here: bool,
    /// What stands in its way now, for the operator.
    pub(super) note: String,
    pub(super) next_call: Duration,
    pub(super) pause: Duration,
    pub(super) next_hello: Duration,
}

impl OwnReturn {
    pub(super) fn new(line: Line, inviter: PeerId) -> Self {
        Self {
            line,
            given: Given::new(inviter.clone()),
            inviter,
            is_here: false,
            note: String::new(),
            next_call: Duration::ZERO,
            pause: FIRST_CALL,
            next_hello: Duration::ZERO,
        }
    }

    /// Whether the time of the line was over before its node has answered.
    pub(super) fn is_over(&self) -> bool {
        self.given.offer().is_none() && u64::from(self.line.expiry) <= now()
    }
}
