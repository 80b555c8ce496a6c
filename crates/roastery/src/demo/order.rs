//! Orders the events of many nodes so that each comes after its cause.
//!
//! Each node reports its events through its own task, so an effect at one node may be received
//! before its cause at another.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use roastery_protocol::{Seat, member::machine::Event};

use super::outcome::NodeEvent;

/// Holds back events that are received before their cause.
#[derive(Default)]
pub(super) struct Order {
    /// The members that were asked for a share.
    asked: BTreeSet<Seat>,
    /// The members that have given a share.
    given: BTreeSet<Seat>,
    threshold: usize,
    waiting: VecDeque<NodeEvent>,
    last: Duration,
}

impl Order {
    pub(super) fn new(threshold: usize) -> Self {
        Self { threshold, ..Self::default() }
    }

    /// The events that can be shown after this one is received, in order.
    pub(super) fn receive(&mut self, event: NodeEvent) -> Vec<NodeEvent> {
        self.waiting.push_back(event);
        let mut ordered = Vec::new();
        while let Some(at) = self.waiting.iter().position(|one| self.is_caused(one)) {
            let Some(one) = self.waiting.remove(at) else { break };
            ordered.push(self.record(one));
        }
        ordered
    }

    /// The events that were held back and whose cause was never received.
    pub(super) fn rest(mut self) -> Vec<NodeEvent> {
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_iter().map(|one| self.record(one)).collect()
    }

    fn is_caused(&self, event: &NodeEvent) -> bool {
        match &event.event {
            Event::ShareReleased { seat, .. } => self.asked.contains(seat),
            Event::Signed(_) => self.given.len() >= self.threshold,
            _ => true,
        }
    }

    fn record(&mut self, mut event: NodeEvent) -> NodeEvent {
        match &event.event {
            Event::PackageIssued { signers, .. } => self.asked.extend(signers),
            Event::ShareReleased { seat, .. } => {
                self.given.insert(*seat);
            }
            _ => {}
        }
        // No event is shown with an earlier time than the one before it.
        self.last = self.last.max(event.at);
        event.at = self.last;
        event
    }
}

#[cfg(test)]
mod tests {
    use roastery_protocol::{BodyHash, SessionId, member::Run};

    use super::*;

    fn seat(number: u32) -> Seat {
        Seat::new(number).unwrap()
    }

    fn package() -> Event {
        let (session, run) = (SessionId::from_bytes([1; 32]), Run::new(1, [0; 8]));
        Event::PackageIssued { session, run, number: 0, signers: vec![seat(0), seat(1)] }
    }

    fn share(of: u32) -> Event {
        let (session, package) = (SessionId::from_bytes([1; 32]), BodyHash::from_bytes([7; 32]));
        Event::ShareReleased { session, seat: seat(of), package }
    }

    #[test]
    fn no_share_is_told_before_the_package_that_asks_for_it_whatever_is_heard_of_first() {
        let events = [(0, share(0)), (1, share(1)), (0, package())];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut causes = Order::new(2);
            let mut ordered = Vec::new();
            for (at, which) in (1..).zip(order) {
                let (by, event) = events[which].clone();
                let at = Duration::from_millis(at);
                ordered.extend(causes.receive(NodeEvent { at, seat: seat(by), event }));
            }
            assert!(matches!(ordered[0].event, Event::PackageIssued { .. }), "{order:?}");
            assert_eq!(ordered.len(), 3);
            assert!(ordered.is_sorted_by_key(|one| one.at));
            assert!(causes.rest().is_empty());
        }
    }

    #[test]
    fn what_has_no_cause_that_is_heard_of_is_told_in_the_end() {
        let mut causes = Order::new(2);
        let lonely = NodeEvent { at: Duration::from_millis(1), seat: seat(3), event: share(3) };
        assert!(causes.receive(lonely).is_empty());
        assert_eq!(causes.rest().len(), 1);
    }
}
