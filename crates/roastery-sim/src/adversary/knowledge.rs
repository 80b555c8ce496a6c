//! What a coalition has seen and shares.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use roastery_frost::PartialSignature;
use roastery_protocol::{
    Attempt, BodyHash, Incarnation, Seat, SlotHash,
    message::{Body, Envelope, SigningPackage, Slot},
};

use super::{Packet, View};

/// Messages of honest members that are remembered, of each sort.
const REMEMBERED: usize = 96;

/// A slot as its signer showed it.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) run: Incarnation,
    pub(super) index: u32,
    pub(super) slot: Slot,
}

/// A package as its coordinator sent it.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) attempt: Attempt,
    pub(super) envelope: Envelope,
    pub(super) content: SigningPackage,
}

/// A share as its signer gave it.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) package: BodyHash,
    pub(super) envelope: Envelope,
}

/// All messages that the coalition has seen; of its own members those of their honest code.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    last: Option<Arc<[u8]>>,
    /// The newest slots, in the order in which their signers came first.
    slots: BTreeMap<Attempt, Vec<(Seat, Shown)>>,
    by_name: BTreeMap<SlotHash, Slot>,
    /// Honest coordinators' packages.
    pub(super) packages: VecDeque<Said>,
    /// Honest signers' shares.
    pub(super) shares: VecDeque<Given>,
    /// Honest members' messages of all kinds.
    pub(super) messages: VecDeque<Envelope>,
    /// Messages of the honest code of the coalition's members.
    pub(super) own: VecDeque<Envelope>,
    /// The runs of the coalition's members.
    pub(super) runs: BTreeMap<Seat, Incarnation>,
    /// The right shares of the coalition's members.
    pub(super) right: BTreeMap<(Seat, BodyHash), Vec<PartialSignature>>,
}

impl Knowledge {
    /// Takes a message. Returns it if it is new and sound, with whether an honest member sent it.
    pub(super) fn hear(
        &mut self,
        view: View<'_>,
        packet: &Packet,
        is_own: impl Fn(Seat) -> bool,
    ) -> Option<(Envelope, Attempt, Body)> {
        // One message for many receivers is taken once.
        if self.last.as_ref().is_some_and(|last| Arc::ptr_eq(last, &packet.bytes)) {
            return None;
        }
        self.last = Some(packet.bytes.clone());
        let (envelope, attempt, body) = view.read(&packet.bytes)?;
        let sender = envelope.sender(&view.members.group)?;
        let own = is_own(sender);
        // What the coalition itself has made comes back in answers and proofs.
        if own != is_own(packet.from) {
            return None;
        }
        match &body {
            Body::Commitments(content) => {
                let (run, index, slot) = (content.run, content.index, content.slot.clone());
                self.show(view, attempt, sender, Shown { run, index, slot });
                if own {
                    self.runs.insert(sender, content.run);
                }
            }
            Body::SigningPackage(content) if !own => {
                let said = Said { attempt, envelope: envelope.clone(), content: content.clone() };
                push(&mut self.packages, said);
            }
            Body::SignatureShare(content) => {
                if let Some(next) = &content.next {
                    let (run, index, slot) = (next.run, next.index, next.slot.clone());
                    self.show(view, attempt, sender, Shown { run, index, slot });
                }
                if own {
                    self.right.insert((sender, content.package), content.scalars.clone());
                } else {
                    let given = Given { package: content.package, envelope: envelope.clone() };
                    push(&mut self.shares, given);
                }
            }
            _ => {}
        }
        push(if own { &mut self.own } else { &mut self.messages }, envelope.clone());
        Some((envelope, attempt, body))
    }

    fn show(&mut self, view: View<'_>, attempt: Attempt, seat: Seat, shown: Shown) {
        self.by_name.insert(view.slot_hash(attempt, seat, &shown.slot), shown.slot.clone());
        let of_attempt = self.slots.entry(attempt).or_default();
        match of_attempt.iter_mut().find(|(known, _)| *known == seat) {
            Some((_, newest)) => *newest = shown,
            None => of_attempt.push((seat, shown)),
        }
    }

    /// The newest slots of an attempt, in the order in which their signers came first.
    pub(super) fn slots(&self, attempt: Attempt) -> &[(Seat, Shown)] {
        self.slots.get(&attempt).map_or(&[], Vec::as_slice)
    }

    /// The attempts in which a member has shown a slot.
    pub(super) fn attempts(&self) -> impl Iterator<Item = Attempt> + '_ {
        self.slots.keys().copied()
    }

    /// The slot with this hash.
    pub(super) fn named(&self, name: SlotHash) -> Option<&Slot> {
        self.by_name.get(&name)
    }
}

fn push<T>(to: &mut VecDeque<T>, what: T) {
    if to.len() == REMEMBERED {
        to.pop_front();
    }
    to.push_back(what);
}
