//! What is sent: through the coalition's hands, and over the network.

use std::time::Duration;

use roastery_protocol::message::Envelope;

use super::{Item, Watch, World, view};
use crate::{
    adversary::{Adversary, Delayed, Parcel, View},
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

    pub(super) fn dispatch(&mut self, parcel: Parcel, leaves: Duration) {
        let view = view!(self);
        self.adversary.observe(view, &parcel);
        if !self.adversary.controls(parcel.from) {
            return self.carry(parcel, leaves);
        }
        let said = self.adversary.send(view, parcel);
        self.carry_all(said, leaves);
    }

    /// What the coalition sends leaves on the links of its own seats; nobody speaks on another's.
    fn carry_all(&mut self, said: Vec<Delayed>, leaves: Duration) {
        for Delayed { after, parcel } in said {
            if self.adversary.controls(parcel.from) {
                self.carry(parcel, leaves + after);
            }
        }
    }

    fn carry(&mut self, parcel: Parcel, leaves: Duration) {
        if let Ok(envelope) = Envelope::parse(&parcel.bytes) {
            self.counts.messages[envelope.kind() as usize] += 1;
        }
        self.counts.bytes += parcel.bytes.len();
        self.watch.sent(leaves, &parcel);
        for after in self.network.carry(parcel.from, parcel.to) {
            self.queue.push(leaves + after, Item::Deliver(parcel.clone()));
        }
    }
}
