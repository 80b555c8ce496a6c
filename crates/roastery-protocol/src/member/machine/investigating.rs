//! Why t shares of a package of another coordinator make no signature (section 10): nonces are
//! asked for, shown and judged. What a statement names and is not known here is asked for as well.
//!
//! Only a node that reigns begins an investigation: it must know which signers to pick, and if all
//! others did it too, each fault would cost n times t messages.

use std::collections::VecDeque;

use roastery_frost::{PartialSignature, PublicNonce, Seat};

use super::{
    Limit, Rejected,
    core::{Core, Reply},
    receiving::Via,
    session::{REPEATED_AFTER, Session},
};
use crate::{
    BodyHash, SlotHash,
    clock::Moment,
    member::{
        engine::{Arithmetic, Engine, Verdict},
        frame::{ControlContent, NamedSlots, Nonces, Want, slot_hash},
        investigation::{Investigation, Suspect},
        proof::Fault,
    },
};

/// Failed packages that wait for the place of an investigation.
const MOST_WAITING: usize = 16;

impl<E: Engine, A: Arithmetic> Core<E, A> {
    /// A package of another coordinator makes no signature. It is investigated now, or when this
    /// node reigns and has room.
    pub(super) fn failed(
        &mut self,
        session: &mut Session<A::Package>,
        hash: BodyHash,
        via: Seat,
        now: Moment,
    ) {
        let is_waiting = session.failed.iter().any(|(waiting, _)| *waiting == hash);
        if is_waiting || session.retained.is_investigated(hash) {
            return;
        }
        if session.failed.len() == MOST_WAITING
            && let Some((_, via)) = take_of_most(&mut session.failed)
        {
            self.limited(Limit::Investigations, via, now);
        }
        session.failed.push_back((hash, via));
        self.investigate_failures(session, now);
    }

    /// Investigates what has failed, as far as this node reigns and has room.
    pub(super) fn investigate_failures(&mut self, session: &mut Session<A::Package>, now: Moment) {
        while session.turn.is_some()
            && session.investigations.has_room()
            && let Some((hash, via)) = session.failed.pop_front()
        {
            self.investigate(session, hash, via, now);
        }
    }

    fn investigate(
        &mut self,
        session: &mut Session<A::Package>,
        hash: BodyHash,
        via: Seat,
        now: Moment,
    ) {
        if !self.is_genuine(session, hash) {
            return;
        }
        let Some(kept) = session.retained.investigate(hash) else { return };
        let (coordinator, package) = (kept.sender, kept.statement.clone());
        let (seats, aggregates) = (kept.content.seats(), kept.content.aggregates.clone());
        let is_explained = |seat: &Seat| self.evidence.is_proven(*seat);
        if is_explained(&coordinator) || seats.iter().any(is_explained) {
            return;
        }
        let mut suspects: Vec<Suspect> = kept.content.signers.iter().map(Suspect::new).collect();
        for suspect in &mut suspects {
            let share = session.retained.share_for(hash, suspect.seat);
            suspect.share = share.map(|one| (one.statement.clone(), one.content.scalars.clone()));
        }
        let keys = session.request.keys();
        // A package that cannot be prepared here is an error of this node, and no verdict.
        let Ok(prepared) = self.arithmetic.prepare(keys, &seats, &aggregates) else { return };
        let (package, now_at) = ((hash, package), now.monotonic);
        session.investigations.begin(Investigation::new(
            package,
            coordinator,
            prepared,
            suspects,
            via,
            now_at,
            REPEATED_AFTER,
        ));
        for own in self.own_seats() {
            let known = session.retained.spent_in(hash, own).cloned();
            if let Some((slot, nonces)) = known {
                self.learn(session, slot, nonces, now);
            }
        }
        self.question(session, hash);
    }

    /// Asks for the nonces that are missing: one question for each signer.
    fn question(&mut self, session: &mut Session<A::Package>, hash: BodyHash) {
        let Some(investigation) = session.investigations.find_mut(hash) else { return };
        let may_ask =
            |seat: Seat| self.links.is_up(seat) && !self.own.iter().any(|own| own.seat == seat);
        let asked = investigation.questions(may_ask);
        let (id, seat) = (session.id, session.seat);
        for (to, slot) in asked {
            self.want(id, seat, to, Want::Nonces(slot));
        }
    }

    /// Asks again for what was not answered.
    pub(super) fn question_again(&mut self, session: &mut Session<A::Package>, now: Moment) {
        for hash in session.investigations.due(now.monotonic) {
            self.question(session, hash);
        }
        let (id, seat) = (session.id, session.seat);
        for (link, package) in session.questions.due(now.monotonic) {
            if self.links.is_up(link) {
                self.want(id, seat, link, Want::Package(package));
            }
        }
    }

    /// A statement names a package that is not known here: the link that brought it is asked.
    pub(super) fn ask_for_package(
        &mut self,
        session: &mut Session<A::Package>,
        package: BodyHash,
        via: Via,
        now: Moment,
    ) {
        if session.questions.ask(package, via.seat, now.monotonic, REPEATED_AFTER) {
            let (id, seat) = (session.id, session.seat);
            self.want(id, seat, via.seat, Want::Package(package));
        }
    }

    /// Nonces that a member shows. They count only where they were asked for: that their signer has
    /// made them is shown by the slot hash, which the coordinator has signed.
    pub(super) fn on_nonces(
        &mut self,
        session: &mut Session<A::Package>,
        sender: Seat,
        shown: Nonces,
        now: Moment,
    ) -> Result<(), Rejected> {
        let Nonces { hash, nonces } = shown;
        let Some((investigation, at)) = session.investigations.awaiting(hash) else {
            return Err(Rejected::NotAsked { sender });
        };
        let signer = investigation.suspects[at].seat;
        let named = slot_hash(self.group.id(), investigation.coordinator, signer, &nonces.0);
        if named != hash || nonces.0.len() != session.m {
            return Err(Rejected::NotAsked { sender });
        }
        self.learn(session, hash, nonces, now);
        Ok(())
    }

    /// The nonces of these slots are known: the share of their signer is checked, and once all are
    /// known the sum of the nonces.
    fn learn(
        &mut self,
        session: &mut Session<A::Package>,
        slot: SlotHash,
        nonces: NamedSlots,
        now: Moment,
    ) {
        let Some((investigation, at)) = session.investigations.awaiting(slot) else { return };
        let suspect = &mut investigation.suspects[at];
        let signer = suspect.seat;
        suspect.nonces = Some(nonces.clone());
        // Nonces that are no points are their coordinator's fault, which shows when all are known.
        let decoded: Option<Vec<PublicNonce>> = match self.arithmetic.decode_nonces(&nonces.0) {
            Ok(Verdict::Right(points)) => Some(points),
            Ok(Verdict::Wrong { .. }) | Err(_) => None,
        };
        let position = decoded.zip(suspect.share.as_ref()).and_then(|(points, (_, scalars))| {
            self.wrong_position(&investigation.prepared, signer, &points, scalars)
        });
        let bad = position.zip(suspect.share.as_ref()).map(|(message, (share, _))| {
            let (package, share) = (investigation.package.clone(), share.clone());
            Fault::InvalidShare { package, nonces, share, message }
        });
        let (hash, is_complete) = (investigation.hash, investigation.is_complete());
        if let Some(fault) = bad {
            self.report_locally(session, fault, now);
        }
        if !is_complete {
            return;
        }
        if let Some(ended) = session.investigations.end(hash) {
            let slots = ended.suspects.into_iter().filter_map(|suspect| suspect.nonces);
            let (package, slots) = (ended.package, slots.collect());
            // The judge finds whether the sum is another one; if it is not, no member is blamed.
            self.report_locally(session, Fault::WrongAggregateNonce { package, slots }, now);
        }
        self.investigate_failures(session, now);
    }

    /// The position of the first message whose equation fails.
    fn wrong_position(
        &self,
        package: &A::Package,
        signer: Seat,
        nonces: &[PublicNonce],
        scalars: &[PartialSignature],
    ) -> Option<u8> {
        match self.arithmetic.check_share(package, signer, nonces, scalars) {
            Ok(Verdict::Wrong { position }) => u8::try_from(position).ok(),
            // What this machine could not compute blames no member.
            Ok(Verdict::Right(())) | Err(_) => None,
        }
    }

    /// Answers a question for nonces: with those of own slots that were used, of a package of this
    /// node's own, or that an investigation here has learned.
    pub(super) fn show_nonces(
        &mut self,
        session: &Session<A::Package>,
        own: Seat,
        slot: SlotHash,
        to: Seat,
        now: Moment,
    ) -> bool {
        let learned = || session.investigations.nonces(slot).cloned();
        let used = session.retained.spent(slot).cloned();
        let Some(nonces) = used.or_else(|| named_by_own(session, slot)).or_else(learned) else {
            return false;
        };
        if !self.may_reply(to, Reply::Nonces(slot), now) {
            return false;
        }
        let content = ControlContent::Nonces(Nonces { hash: slot, nonces });
        self.control(session.id, own, to, &content);
        true
    }
}

/// Takes out the oldest of the link that has brought the most: it crowds out its own only.
fn take_of_most(failed: &mut VecDeque<(BodyHash, Seat)>) -> Option<(BodyHash, Seat)> {
    let of_link = |link: Seat| failed.iter().filter(|(_, via)| *via == link).count();
    // Of two that have brought as many, the one whose oldest is the older.
    let (at, _) = failed.iter().enumerate().rev().max_by_key(|(_, (_, via))| of_link(*via))?;
    failed.remove(at)
}

/// The nonces of a slot that a package of this node's own names.
fn named_by_own<P>(session: &Session<P>, slot: SlotHash) -> Option<NamedSlots> {
    let turn = session.turn.as_ref()?;
    turn.prepared.values().find_map(|prepared| {
        let package = session.retained.find(prepared.statement.body_hash())?;
        let entry = package.content.signers.iter().find(|entry| entry.hash == slot)?;
        let nonces = prepared.nonces.get(&entry.seat)?;
        Some(NamedSlots(nonces.iter().map(PublicNonce::to_bytes).collect()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_brings_many_failed_packages_crowds_out_its_own() {
        let (one, other) = (Seat::new(1).unwrap(), Seat::new(2).unwrap());
        let package = |id| BodyHash::from_bytes([id; 32]);
        let mut failed: VecDeque<_> = [(package(0), one)].into();
        failed.extend((1..9).map(|id| (package(id), other)));
        assert_eq!(take_of_most(&mut failed), Some((package(1), other)));
        assert_eq!(take_of_most(&mut failed), Some((package(2), other)));
        assert_eq!(failed.front(), Some(&(package(0), one)));
    }
}
