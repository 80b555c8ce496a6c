use std::{collections::BTreeMap, sync::Arc, time::Duration};

use roastery_protocol::{Seat, keygen::Report};

use super::{Invariant, Participants};
use crate::{violation::Violation, world::Packet};

/// An honest node sends one message to one receiver a few times within a minimum reply interval at
/// most, and records each kind of finding once for each member at fault.
#[derive(Debug)]
pub(super) struct Bounded {
    floor: Duration,
    window: u128,
    repeats: BTreeMap<(Seat, Seat, Arc<[u8]>), usize>,
}

/// How often the same bytes may go to the same seat within a minimum reply interval (a window of
/// one may cut between them): when they are first sent, as a retransmission, and in answer to
/// a message; before and after a restart. Of and to each seat of the two nodes.
const TIMES: usize = 8;

impl Bounded {
    pub(super) fn new(floor: Duration) -> Self {
        Self { floor, window: 0, repeats: BTreeMap::new() }
    }

    pub(super) fn sent(
        &mut self,
        at: Duration,
        participants: &Participants,
        packet: &Packet,
    ) -> Result<(), Violation<Invariant>> {
        let window = at.as_nanos() / self.floor.as_nanos().max(1);
        if window != self.window {
            self.window = window;
            self.repeats.clear();
        }
        let key = (packet.from, packet.to, packet.bytes.clone());
        let times = self.repeats.entry(key).or_default();
        *times += 1;
        let Packet { from, to, .. } = packet;
        let seats = |node| participants.seats_of(node).len().max(1);
        if *times <= TIMES * seats(*from) * seats(*to) {
            return Ok(());
        }
        violation(format!("seat {from} sends seat {to} one thing {times} times within the floor"))
    }

    /// What a report of a node with so many seats holds at most: of each, eight kinds for each
    /// other member, four that name it as the coordinator of a pair, and three that name no member.
    pub(super) fn report(
        n: usize,
        (seat, seats): (Seat, usize),
        report: &Report,
    ) -> Result<(), Violation<Invariant>> {
        let most = seats * (12 * (n - 1) + 3);
        let found = report.findings.len();
        if found > most || report.refusals.len() > n {
            return violation(format!(
                "seat {seat} has noted {found} findings; {most} are allowed"
            ));
        }
        Ok(())
    }
}

fn violation(what: String) -> Result<(), Violation<Invariant>> {
    Err(Violation::of(Invariant::Bounded, what))
}
