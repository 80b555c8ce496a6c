//! What arrives: link, length, sender, signature, structure; then by kind (sections 3 and 9).

use roastery_frost::Seat;

use super::{
    Event, Limit, Member, Rejected,
    core::{Core, Reply},
    session::{Phase, Readiness, Session},
};
use crate::{
    SessionId,
    clock::Moment,
    group::PeerId,
    machine::Destination,
    member::{
        engine::{Arithmetic, Engine, Verdict},
        frame::{
            Content, Control, ControlContent, ControlKind, FinalSignature, Frame, Refusal,
            SignatureShare, Statement, StatementKind, Want,
        },
        proof::Fault,
        retained::{Brought, ShareOutcome},
    },
};

/// The link over which a frame came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Via {
    /// The first seat of its peer: answers go there.
    pub(super) seat: Seat,
    /// How many seats its peer has.
    pub(super) seats: usize,
    /// It is that of the sender's own peer.
    pub(super) is_own: bool,
}

impl<E: Engine, A: Arithmetic> Member<E, A> {
    pub(super) fn receive(
        &mut self,
        from: &PeerId,
        bytes: &[u8],
        now: Moment,
    ) -> Result<(), Rejected> {
        let seats = self.core.seats_of(from);
        let first = seats.first().copied().ok_or(Rejected::NotAMember)?;
        let (sender, frame) = Frame::parse(bytes, &self.core.group)?;
        if self.core.is_own(sender) && matches!(frame, Frame::Control(_)) {
            return Err(Rejected::NotAMember);
        }
        if self.core.is_excluded(sender) {
            return Err(Rejected::Excluded { sender });
        }
        if self.core.evidence.is_proven(sender) && !is_read_of_the_proven(&frame) {
            return Err(Rejected::Excluded { sender });
        }
        let via = Via { seat: first, seats: seats.len(), is_own: seats.contains(&sender) };
        self.core.charge(&frame, via, now)?;
        match frame {
            Frame::Control(control) => self.on_control(from, sender, &control, now),
            Frame::Statement(statement) if statement.kind() == StatementKind::Evidence => {
                self.on_evidence(sender, &statement, now)
            }
            Frame::Statement(statement) => {
                let id = statement.header().session;
                if self.core.is_own(sender) && statement.kind() == StatementKind::Refusal {
                    // What an own seat refuses is known here, or was forgotten with its memory.
                    return Err(Rejected::Repeat);
                }
                if !statement.refuses_for_now() {
                    self.requests.outbox.heard_of(id, seats.into_iter().collect());
                }
                if statement.kind() == StatementKind::Proposal {
                    return self.on_proposal(via.seat, sender, &statement, now);
                }
                let Some(session) = self.sessions.get_mut(id) else {
                    return self.on_statement_unopened(sender, statement, via, now);
                };
                if session.stopped().is_some() && via.is_own {
                    self.core.repeat_refusal(id, sender, now);
                }
                self.core.on_statement(session, sender, statement, via, now)
            }
        }
    }

    fn on_control(
        &mut self,
        from: &PeerId,
        sender: Seat,
        control: &Control,
        now: Moment,
    ) -> Result<(), Rejected> {
        let to = control.addressee(&self.core.group, from, &self.core.own_seats())?;
        let content =
            control.read().map_err(|malformation| Rejected::Malformed { sender, malformation })?;
        match content {
            ControlContent::Slots(slots) => self.on_slots(sender, to, &slots, now),
            ControlContent::Ready(ready) => self.on_ready(from, sender, to, &ready, now),
            ControlContent::Want(Want::Slots) => {
                let m = self.sessions.most_messages();
                self.core.on_want_slots(sender, to, m, now)
            }
            ControlContent::Want(want) => {
                let id = control.header().session;
                let seats = self.core.seats_of(from).into_iter().collect();
                self.requests.outbox.heard_of(id, seats);
                match self.sessions.get_mut(id).filter(|session| session.stopped().is_none()) {
                    Some(session) => self.core.on_want(session, sender, to, want, now),
                    None => self.on_want_unopened(id, sender, want, now),
                }
            }
            ControlContent::Nonces(nonces) => {
                let id = control.header().session;
                let session = self.sessions.get_mut(id).ok_or(Rejected::NotOpen)?;
                self.core.on_nonces(session, sender, nonces, now)
            }
        }
    }
}

/// What is read of a member that is proven faulty: signatures and proofs, which prove themselves,
/// and questions, which are answered so that it learns how a session ended.
fn is_read_of_the_proven(frame: &Frame) -> bool {
    match frame {
        Frame::Statement(statement) => {
            matches!(statement.kind(), StatementKind::Signature | StatementKind::Evidence)
        }
        Frame::Control(control) => control.kind() == ControlKind::Want,
    }
}

impl<E: Engine, A: Arithmetic> Core<E, A> {
    pub(super) fn on_statement(
        &mut self,
        session: &mut Session<A::Package>,
        sender: Seat,
        statement: Statement,
        via: Via,
        now: Moment,
    ) -> Result<(), Rejected> {
        let kind = statement.kind();
        let content = match session.shape.read(&statement) {
            Ok(content) => content,
            Err(malformation) => {
                if !statement.is_signed_by_its_sender(&self.group) {
                    return Err(Rejected::NotSigned { sender });
                }
                if kind as u8 >= StatementKind::SigningPackage as u8
                    && kind as u8 <= StatementKind::Signature as u8
                {
                    self.report(session, Fault::MalformedMessage { message: statement }, now);
                }
                return Err(Rejected::Malformed { sender, malformation });
            }
        };
        if via.is_own && kind != StatementKind::Signature {
            self.answer_with_outcome(session, sender, now);
        }
        match content {
            // They concern the group, and were handled before.
            Content::Proposal(_) | Content::Evidence(_) => Err(Rejected::Repeat),
            Content::SigningPackage(package) => {
                self.on_package(session, sender, statement, package, via, now)
            }
            Content::SignatureShare(share) => {
                self.on_share(session, sender, statement, share, via, now)
            }
            // Final signatures prove themselves.
            Content::Signature(content) => {
                self.on_signature(session, sender, statement, content, via, now)
            }
            Content::Refusal(refusal) => {
                self.on_refusal(session, sender, &statement, refusal, via.is_own)
            }
        }
    }

    fn on_signature(
        &mut self,
        session: &mut Session<A::Package>,
        sender: Seat,
        statement: Statement,
        content: FinalSignature,
        via: Via,
        now: Moment,
    ) -> Result<(), Rejected> {
        if session.outcome().is_some() {
            return Err(Rejected::Repeat);
        }
        let package = content.package;
        match self.arithmetic.verify(session.request.keys(), &content.signatures)? {
            Verdict::Right(()) => {
                self.finish(session, content, statement, now);
                if session.retained.find(package).is_none() {
                    // Another package than those shown here may be an equivocation.
                    self.ask_for_package(session, package, via, now);
                }
                Ok(())
            }
            Verdict::Wrong { .. } => {
                let of_other = session.retained.find(package).map(|one| one.sender);
                let is_other = of_other.is_some_and(|seat| !self.is_own(seat));
                if is_other && statement.is_signed_by_its_sender(&self.group) {
                    self.failed(session, package, via.seat, now);
                }
                Err(Rejected::WrongSignatures { sender })
            }
        }
    }

    fn on_share(
        &mut self,
        session: &mut Session<A::Package>,
        sender: Seat,
        statement: Statement,
        share: SignatureShare,
        via: Via,
        now: Moment,
    ) -> Result<(), Rejected> {
        if session.is_over() {
            return Err(Rejected::Over);
        }
        if !via.is_own && !statement.is_signed_by_its_sender(&self.group) {
            return Err(Rejected::NotSigned { sender });
        }
        let (package, scalars) = (share.package, share.scalars.clone());
        let brought =
            if via.is_own { Brought::BySigner(sender) } else { Brought::Relayed(via.seat) };
        // Of each signer its newest share for a coordinator is kept; what counted for this node's
        // own packages is kept with them.
        let outcome = match session.counted_before(sender, &share) {
            Some(first) => {
                let second = statement.clone();
                ShareOutcome::Fault(Box::new(Fault::ShareConflict { first, second }))
            }
            None => session.retained.share(sender, statement.clone(), share, brought),
        };
        match outcome {
            ShareOutcome::Fault(fault) => {
                let Fault::ShareConflict { first, second } = *fault else {
                    return Err(Rejected::Repeat);
                };
                if !second.is_signed_by_its_sender(&self.group) {
                    return Err(Rejected::NotSigned { sender });
                }
                if first.is_signed_by_its_sender(&self.group) {
                    self.report(session, Fault::ShareConflict { first, second }, now);
                    return Err(Rejected::Conflict { sender });
                }
                // The first one was not its sender's: the second takes its place.
                session.retained.forget_share(sender, package);
                if let Some(turn) = &mut session.turn {
                    turn.reign.retract(sender, package);
                }
                if let Ok(Content::SignatureShare(content)) = session.shape.read(&second) {
                    let _ = session.retained.share(sender, second, content, brought);
                }
            }
            ShareOutcome::UnknownPackage { dropped } => {
                if dropped {
                    self.limited(Limit::UnknownShares, via.seat, now);
                }
                self.ask_for_package(session, package, via, now);
            }
            ShareOutcome::New | ShareOutcome::Repeat => {}
        }
        if via.is_own
            && let Some((incarnation, counter, _)) = session.refused.remove(&sender)
        {
            // It has approved the request after all. Its refusal counts if it comes once more.
            let said = Readiness { incarnation, counter: counter.saturating_sub(1), cannot: None };
            session.said.insert(sender, said);
        }
        let counted = self.count(session, sender, package, scalars, statement, now);
        self.try_to_complete(session, package, via.seat, now)?;
        counted
    }

    fn on_refusal(
        &mut self,
        session: &mut Session<A::Package>,
        sender: Seat,
        statement: &Statement,
        refusal: Refusal,
        is_own_link: bool,
    ) -> Result<(), Rejected> {
        if !is_own_link && !statement.is_signed_by_its_sender(&self.group) {
            return Err(Rejected::NotSigned { sender });
        }
        if is_own_link {
            // It need not be told again that this node is ready.
            session.announcements.values_mut().for_each(|one| one.acknowledged(sender));
        }
        let Refusal { incarnation, counter, reason } = refusal;
        if self.links.incarnation(sender).is_some_and(|present| present != incarnation) {
            return Err(Rejected::Stale { sender });
        }
        let is_below = |known: u32| counter <= known;
        if session.said.get(&sender).is_some_and(|said| is_below(said.counter)) {
            return Err(Rejected::Stale { sender });
        }
        // What a linked member refuses comes over its own link: this is older than what it said.
        if !is_own_link && self.links.is_up(sender) && session.said.contains_key(&sender) {
            return Err(Rejected::Stale { sender });
        }
        let known = session.refused.get(&sender);
        if known.is_some_and(|(of, known, _)| *of == incarnation && is_below(*known)) {
            return Err(Rejected::Repeat);
        }
        session.refused.insert(sender, (incarnation, counter, reason));
        session.said.remove(&sender);
        session.taking_part.remove(&sender);
        self.event(Event::Refused { session: session.id, seat: sender, reason });
        Ok(())
    }

    fn on_want(
        &mut self,
        session: &mut Session<A::Package>,
        sender: Seat,
        own: Seat,
        want: Want,
        now: Moment,
    ) -> Result<(), Rejected> {
        // What is evidence is shown after the end as well, as long as it is kept.
        let is_evidence = match want {
            Want::Nonces(slot) => self.show_nonces(session, own, slot, sender, now),
            Want::Package(hash) => self.is_genuine(session, hash),
            _ => false,
        };
        if !is_evidence && self.answer_with_outcome(session, sender, now) {
            return Ok(());
        }
        let answer = match want {
            Want::Ready => {
                if session.is_running() && self.may_say_ready(sender, session.id, own, now) {
                    self.say_ready(session.id, own, sender);
                    return Ok(());
                }
                None
            }
            Want::Package(hash) => {
                let package = session.retained.find(hash);
                package.map(|package| (Reply::Package(hash), package.statement.as_bytes().clone()))
            }
            Want::Share(hash) => {
                let mut given = session.given.iter().filter(|((of, _), _)| *of == own);
                let given = given.find(|(_, given)| given.package == hash);
                return match given {
                    Some((_, given)) if self.repeat_share(session, (own, sender), given, now) => {
                        Ok(())
                    }
                    _ => Err(Rejected::NoAnswer { sender }),
                };
            }
            Want::Nonces(_) if is_evidence => return Ok(()),
            Want::Outcome => {
                // One node has one session for all its seats.
                self.seats_beside(sender).into_iter().for_each(|seat| session.acknowledged(seat));
                return Ok(());
            }
            Want::Slots | Want::Nonces(_) => None,
        };
        match answer {
            Some((what, bytes)) if self.reply(sender, what, &bytes, now) => Ok(()),
            _ => Err(Rejected::NoAnswer { sender }),
        }
    }

    /// Answers with the signatures, once they are there. Gives whether they are.
    pub(super) fn answer_with_outcome(
        &mut self,
        session: &Session<A::Package>,
        to: Seat,
        now: Moment,
    ) -> bool {
        let Phase::Signed { statement, .. } = &session.phase else { return false };
        self.tell_signatures(to, session.id, statement.as_bytes().clone(), now);
        true
    }

    pub(super) fn broadcast(&mut self, statement: &Statement) {
        self.send(Destination::Everyone, statement.as_bytes().clone());
    }

    /// Says Ready to a coordinator about one session at the end of this input, with all others of
    /// which it is to learn.
    pub(super) fn say_ready(&mut self, session: SessionId, own: Seat, coordinator: Seat) {
        if !self.is_shunned(coordinator) {
            self.to_say.insert((own, coordinator, session));
        }
    }
}
