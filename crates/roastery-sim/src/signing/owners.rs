use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use roastery_protocol::{
    Seat,
    request::RefusalReason,
    request::{Policy, SigningRequest, Step},
};

/// The policy of a node for one request.
#[derive(Debug, Default)]
pub struct Decision {
    pub(super) is_withdrawn: AtomicBool,
}

impl Policy for Decision {
    fn judge(&self, _: &SigningRequest, _: Step) -> Result<(), RefusalReason> {
        let is_withdrawn = self.is_withdrawn.load(Ordering::Relaxed);
        if is_withdrawn { Err(RefusalReason::Policy) } else { Ok(()) }
    }
}

/// What one node's owner has decided.
#[derive(Debug, Default)]
pub struct Owner {
    /// The policies of the requests that are approved.
    pub(super) approved: BTreeMap<usize, Arc<Decision>>,
    /// The requests that were approved at any time, and not withdrawn or stopped since.
    pub(super) allowed: BTreeSet<usize>,
    /// By how much its wall clock is wrong, in milliseconds.
    pub(super) clock_error_ms: i64,
    /// Whether its disk keeps nothing.
    pub(super) disk_fails: bool,
}

/// What the owners of all nodes have decided, by the first seats of their nodes.
#[derive(Debug, Default)]
pub struct Owners(BTreeMap<Seat, Owner>);

impl Owners {
    /// A node's owner.
    pub fn get(&self, node: Seat) -> Option<&Owner> {
        self.0.get(&node)
    }

    /// A node's owner, to change what it has decided.
    pub fn of(&mut self, node: Seat) -> &mut Owner {
        self.0.entry(node).or_default()
    }

    /// The requests that a node has approved and not withdrawn.
    pub fn approved_by(&self, node: Seat) -> BTreeSet<usize> {
        let approved = self.0.get(&node).into_iter().flat_map(|owner| &owner.approved);
        let stands = approved.filter(|(_, one)| !one.is_withdrawn.load(Ordering::Relaxed));
        stands.map(|(request, _)| *request).collect()
    }

    /// The requests that a node has approved at any time, and not withdrawn or stopped since.
    pub fn allowed_by(&self, node: Seat) -> BTreeSet<usize> {
        self.0.get(&node).map(|owner| owner.allowed.clone()).unwrap_or_default()
    }
}
