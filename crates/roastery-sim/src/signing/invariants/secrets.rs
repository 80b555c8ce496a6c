use std::{collections::BTreeMap, rc::Rc, time::Duration};

use roastery_protocol::Seat;

use super::{Case, Found, Invariant, Step};
use crate::{
    signing::{Injection, Ledger, Node},
    violation::Violation,
};

/// How long a secret lives at most, by the specification (section 4).
const LIFETIME: Duration = Duration::from_secs(600);

/// How late a node may be with the end of a secret: its timer is what ends it.
const LATE: Duration = Duration::from_secs(2);

/// How long the slots for a coordinator live whose link has ended.
const AFTER_LINK: Duration = Duration::from_secs(30);

/// The most slots that are held for one coordinator and own seat.
const MOST_FOR_ONE: usize = 192;

/// Secret nonces live ten minutes at most by the monotonic clock, thirty seconds after their
/// coordinator's link has ended, and there are never more than three batches for each coordinator.
#[derive(Debug)]
pub(super) struct SecretsEnd {
    case: Rc<Case>,
    /// Since when nodes are down.
    down: BTreeMap<Seat, Duration>,
    looked: BTreeMap<Seat, Duration>,
}

impl SecretsEnd {
    pub(super) fn new(case: Rc<Case>) -> Self {
        Self { case, down: BTreeMap::new(), looked: BTreeMap::new() }
    }

    /// Something happens to a node.
    pub(super) fn injection(&mut self, at: Duration, injection: &Injection) {
        match injection {
            Injection::Crash(seat) => drop(self.down.entry(*seat).or_insert(at)),
            Injection::Open(seat) | Injection::Restore(seat) => drop(self.down.remove(seat)),
            _ => {}
        }
    }

    /// A step of an honest node is over.
    pub(super) fn step(
        &mut self,
        step: &Step<'_>,
        node: &Node,
        ledger: &Ledger,
    ) -> Result<(), Found> {
        // Looked at twice a second: nothing begins and ends between.
        let looked = self.looked.entry(node.seat).or_default();
        if step.at < *looked + Duration::from_millis(500) {
            return Ok(());
        }
        *looked = step.at;
        let Some(life) = step.lives.get(&node.seat) else { return Ok(()) };
        let now = node.monotonic(step.at);
        let entries = ledger.entries();
        let (count, oldest) = entries.held(*life);
        let own = self.case.nodes.get(&node.seat).map_or(1, Vec::len);
        let most = MOST_FOR_ONE * own * self.case.group.size();
        if count > most {
            let what = format!("seat {} holds {count} secret nonces", node.seat);
            return Err(Violation::of(Invariant::SecretsEnd, what));
        }
        if let Some(oldest) = oldest.filter(|oldest| now > *oldest + LIFETIME + LATE) {
            let what = format!("seat {} holds a nonce for {:?}", node.seat, now - oldest);
            return Err(Violation::of(Invariant::SecretsEnd, what));
        }
        // The thirty seconds are of the node's own clock, which stands still while it sleeps.
        let most = AFTER_LINK + LATE + (step.at - now);
        for coordinator in entries.coordinators(*life) {
            let of = self.case.node_of(coordinator);
            let gone = self.down.get(&of).filter(|since| step.at > **since + most);
            // A node that has just come up learns of its links when they are made.
            if gone.is_some() && of != node.seat {
                let what = format!("seat {} holds nonces for seat {of}, which is gone", node.seat);
                return Err(Violation::of(Invariant::SecretsEnd, what));
            }
        }
        Ok(())
    }
}
