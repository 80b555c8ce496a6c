//! Sending: through the coalition, and over the network.

use std::time::Duration;

use roastery_protocol::message::Envelope;

use super::{Item, Watch, World, view};
use crate::{
    adversary::{Adversary, Delayed, Packet, View},
    members::SimulatedEngine,
};

impl<E: SimulatedEngine, A: Adversary, W: Watch<E>> World<E, A, W> {
    pub(super) fn set_adversary_alarm(&mut self) {
        if let Some(due) = self.adversary.due()
            && self.adversary_due.is_none_or(|known| due < known)
        {
            self.adversary_due = Some(due);
            self.queue.push(due.max(self.now), Item::Adversary);
        }
    }

    pub(super) fn let_adversary_act(&mut self) {
        self.adversary_due = None;
        if self.adversary.due().is_some_and(|due| due <= self.now) {
            let view = view!(self);
            let said = self.adversary.act(view);
            self.carry_all(said, self.now);
        }
        self.set_adversary_alarm();
    }

    pub(super) fn dispatch(&mut self, packet: Packet, leaves: Duration) {
        let view = view!(self);
        self.adversary.observe(view, &packet);
        if !self.adversary.controls(packet.from) {
            return self.carry(packet, leaves);
        }
        let said = self.adversary.send(view, packet);
        self.carry_all(said, leaves);
    }

    /// What the coalition sends leaves on the links of its own seats; no seat uses another's link.
    fn carry_all(&mut self, said: Vec<Delayed>, leaves: Duration) {
        for Delayed { after, packet } in said {
            if self.adversary.controls(packet.from) {
                self.carry(packet, leaves + after);
            }
        }
    }

    fn carry(&mut self, packet: Packet, leaves: Duration) {
        if let Ok(envelope) = Envelope::parse(&packet.bytes) {
            self.counts.messages[envelope.kind() as usize] += 1;
        }
        self.counts.bytes += packet.bytes.len();
        self.watch.sent(leaves, &packet);
        for after in self.network.carry(packet.from, packet.to) {
            self.queue.push(leaves + after, Item::Deliver(packet.clone()));
        }
    }
}
