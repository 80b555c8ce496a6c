use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use roastery_protocol::{
    Seat,
    engine::EngineSession,
    message::{Envelope, Header},
    signing::Session,
};

use super::{Case, Invariant, Violation};
use crate::adversary::Packet;

/// What an honest node keeps of a sender, sends in one step, and repeats to one receiver is bounded
/// by n, t and the number of messages.
#[derive(Debug)]
pub struct Bounded {
    case: Rc<Case>,
    /// The number of messages that each seat sent in this step.
    sent: BTreeMap<Seat, usize>,
    /// In this window of one minimum reply interval: how often one message went from one seat to
    /// another.
    repeats: BTreeMap<(Seat, Seat, Arc<[u8]>), usize>,
    window: u128,
    openings: BTreeMap<Seat, BTreeSet<usize>>,
    senders: BTreeMap<usize, Seat>,
}

/// How often the same bytes may go to the same seat from one node within two minimum reply
/// intervals (a window may cut between them): when they are first sent, as a retransmission, to all
/// as a last share, and in answer to a request, to a repeated package and to an asked-for slot; the
/// answers at most once an interval.
const TIMES: usize = 8;

impl Bounded {
    /// Starts with nothing kept or sent.
    pub fn new(case: Rc<Case>) -> Self {
        Self {
            case,
            sent: BTreeMap::new(),
            repeats: BTreeMap::new(),
            window: 0,
            openings: BTreeMap::new(),
            senders: BTreeMap::new(),
        }
    }

    /// The most bytes that a node keeps of one sender (`docs/protocol.md`, section 9): as the
    /// coordinator of two attempts n - t + 1 packages of each; as a signer one share of each of the
    /// 2 n attempts that are served, and two for unknown packages.
    pub fn most_bytes_kept(&self) -> usize {
        let (n, t) = (self.case.group.size(), self.case.group.threshold());
        let messages = self.case.shape.messages();
        let (run, list, hash, nonces, scalar) = (16, 4, 32, 66, 32);
        let envelope = 64 + Header::LENGTH;
        let package = envelope + run + 2 + list + t * (2 + hash) + list + messages * nonces;
        let share =
            envelope + hash + list + messages * scalar + 1 + run + 4 + list + messages * nonces;
        2 * (n - t + 1) * package + (2 * n + 2) * share
    }

    /// The most messages, one for each receiver, that a node sends in one step: to all others a
    /// package, a share or a retransmission of each of the 2 n attempts that it serves, evidence
    /// against every member, and as the coordinator of two attempts all their packages.
    fn most_sent(&self) -> usize {
        let n = self.case.group.size();
        (n - 1) * (2 * n + n + 2 * self.case.group.most_packages())
    }

    /// An honest seat sends a message.
    pub fn sent(&mut self, at: Duration, packet: &Packet) -> Result<(), Violation> {
        let openings = self.openings.get(&packet.from).map_or(1, BTreeSet::len).max(1);
        let sent = self.sent.entry(packet.from).or_default();
        *sent += 1;
        let sent = *sent;
        if sent > openings * self.most_sent() {
            return Err(violation(format!(
                "seat {} sent {sent} messages in one step",
                packet.from
            )));
        }
        let floor = self.case.settings.repeat_min.as_nanos().max(1);
        if at.as_nanos() / floor != self.window {
            self.window = at.as_nanos() / floor;
            self.repeats.clear();
        }
        let repeats =
            self.repeats.entry((packet.from, packet.to, packet.bytes.clone())).or_default();
        *repeats += 1;
        if *repeats > TIMES * openings {
            let kind = Envelope::parse(&packet.bytes).map(|one| one.kind());
            return Err(violation(format!(
                "seat {} sent one {kind:?} {repeats} times to seat {} within the repeat floor",
                packet.from, packet.to
            )));
        }
        Ok(())
    }

    /// A message is given to an honest node.
    pub fn delivered(&mut self, node: usize, packet: &Packet) {
        self.openings.entry(packet.to).or_default().insert(node);
        if let Ok(envelope) = Envelope::parse(&packet.bytes)
            && let Some(sender) = envelope.sender(&self.case.group)
        {
            self.senders.insert(node, sender);
        }
    }

    /// A step of an honest node is over.
    pub fn step<S: EngineSession>(
        &mut self,
        node: usize,
        session: &Session<S>,
    ) -> Result<(), Violation> {
        self.sent.clear();
        self.openings.entry(session.seat()).or_default().insert(node);
        let Some(sender) = self.senders.remove(&node) else { return Ok(()) };
        self.kept(session.seat(), sender, session.bytes_kept_of(sender))
    }

    /// Checks how many bytes a node keeps of a sender.
    pub fn kept(&self, holder: Seat, sender: Seat, bytes: usize) -> Result<(), Violation> {
        let most = self.most_bytes_kept();
        if bytes <= most {
            return Ok(());
        }
        let what =
            format!("seat {holder} keeps {bytes} bytes of seat {sender}; {most} are allowed");
        Err(violation(what))
    }
}

fn violation(what: String) -> Violation {
    Violation::of(Invariant::Bounded, what)
}
