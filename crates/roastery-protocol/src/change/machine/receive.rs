//! What comes in: authenticate, then retain, then act.

use roastery_frost::{
    Seat, Signature,
    change::{Certificate, Dealing},
};

use super::{
    Change, Choice, Engine, Event, Rejected, Reply, coordinating::Collected, dealings::Known,
};
use crate::{
    change::{
        Party, Role,
        message::{Body, DealingName, Envelope, Kind, TranscriptSignature, Want},
    },
    clock::Moment,
    group::PeerId,
    machine::Destination,
};

/// How many choices of one coordinator cost a transcript and come to nothing.
const MOST_REFUSED: u8 = 4;

/// How many invalid certificates of one sender are checked.
const MOST_WRONG_CERTIFICATES: u8 = 4;

impl<E: Engine> Change<E> {
    pub(super) fn receive(
        &mut self,
        from: &PeerId,
        bytes: &[u8],
        now: Moment,
    ) -> Result<(), Rejected> {
        let plan = &self.fixed.plan;
        let is_new = plan.members().iter().any(|member| member.peer == *from);
        if !is_new && !self.fixed.parent.is_member(from) {
            return Err(Rejected::NotAMember);
        }
        let envelope = Envelope::parse(bytes)?;
        let header = *envelope.header();
        if header.plan != plan.id() {
            return Err(Rejected::OtherPlan);
        }
        // An envelope that was read names a sender.
        let sender = header.party().ok_or(Rejected::NotAMember)?;
        let member = match sender.role {
            Role::Old => self.fixed.parent.member(sender.seat),
            Role::New => plan.member(sender.seat),
        };
        let key = member.ok_or(Rejected::NoSuchSeat(sender))?.identity_key;
        if !envelope.is_signed_with(&key) {
            return Err(Rejected::NotSigned(sender));
        }
        if self.certificate.is_some() && envelope.kind() != Kind::Certificate {
            self.answer_with_certificate(sender, now);
            return Err(Rejected::Over);
        }
        let body = envelope
            .read(&self.fixed.params)
            .map_err(|malformation| Rejected::Malformed { sender, malformation })?;
        self.accept_body(from, sender, body, envelope, now)
    }

    fn accept_body(
        &mut self,
        from: &PeerId,
        sender: Party,
        body: Body,
        envelope: Envelope,
        now: Moment,
    ) -> Result<(), Rejected> {
        let seat = sender.seat;
        match body {
            // A plan that is under way is known.
            Body::Plan(_) => Err(Rejected::Repeat),
            // What this node has decided it knows from its own store, and which dealings are wrong
            // from its own engine: others may have an identity key of it.
            Body::Approval | Body::Acceptance(_) | Body::Withdrawal | Body::Complaint(_)
                if self.is_own(sender) =>
            {
                Err(Rejected::Repeat)
            }
            Body::Approval => {
                let counted = self.call.approve(seat, Signature::from_bytes(&envelope.signature()));
                self.answer_with_roll(from, sender, now);
                new_if(counted?)
            }
            Body::Acceptance(signature) => {
                let counted = self.call.accept(seat, signature);
                self.answer_with_roll(from, sender, now);
                new_if(counted?)
            }
            Body::Withdrawal => new_if(self.call.withdraw(seat)),
            Body::Roll(list) => new_if(self.call.read(&list, &self.own_parties())?),
            Body::Dealing(bytes) => self.on_dealing(sender, &bytes, envelope),
            Body::Choice(names) => self.on_choice(seat, names, now),
            Body::Complaint(name) => self.on_complaint(seat, name),
            Body::Signature(content) => self.on_signature(sender, content),
            Body::Certificate(bytes) => self.on_certificate(sender, &bytes),
            Body::Receipt(_) | Body::Want(Want::Receipt(_)) => self.on_receipt(sender, now),
            Body::Want(want) => self.on_want(sender, want, now),
        }
    }

    fn on_dealing(
        &mut self,
        sender: Party,
        bytes: &[u8],
        envelope: Envelope,
    ) -> Result<(), Rejected> {
        let dealing = Dealing::parse(&self.fixed.params, sender.seat, bytes)
            .map_err(|_| Rejected::Wrong { sender })?;
        match self.dealings.compare(&dealing) {
            Known::Same => Err(Rejected::Repeat),
            Known::Different => {
                if self.dealings.deals_twice(sender.seat) {
                    self.event(Event::TwoDealings { dealer: sender.seat });
                }
                Err(Rejected::Wrong { sender })
            }
            Known::New => {
                self.enter_dealing(dealing, envelope);
                Ok(())
            }
        }
    }

    /// The last choice of a coordinator counts, until one is signed. What is missing of it is asked
    /// for, and so is a second dealing of one dealer, so that it is seen. What was signed is
    /// answered with the signature.
    fn on_choice(
        &mut self,
        coordinator: Seat,
        names: Vec<DealingName>,
        now: Moment,
    ) -> Result<(), Rejected> {
        if self.fixed.new.is_empty() || self.is_own(Party::new(coordinator)) {
            return Err(Rejected::Repeat);
        }
        let known = self.choices.get(&coordinator);
        let is_same = known.is_some_and(|known| known.names == names);
        let released = known.map_or(&[][..], Choice::released).to_vec();
        if is_same && !released.is_empty() {
            for envelope in released {
                self.answer(Party::new(coordinator), &envelope, now);
            }
            return Err(Rejected::Repeat);
        }
        if known.is_some_and(|known| !known.is_open()) {
            return Err(Rejected::Repeat);
        }
        if self.trials.get(&coordinator).is_some_and(|trials| *trials >= MOST_REFUSED) {
            return Err(Rejected::TooMany { sender: Party::new(coordinator) });
        }
        self.complain_of(&names, now);
        let is_missing = names.iter().any(|name| self.dealings.lacks(*name));
        let wanted: Vec<DealingName> =
            names.iter().copied().filter(|name| self.dealings.is_wanted(*name)).collect();
        if !is_same {
            self.choices.insert(coordinator, Choice::new(names));
        }
        let to = Party::new(coordinator);
        for name in wanted {
            if self.may_answer(to, Reply::Want(name), now) {
                let want = self.seal_as_any(&Body::Want(Want::Dealing(name)));
                self.send(Destination::Seat(to), &want);
            }
        }
        if !is_missing {
            return if is_same { Err(Rejected::Repeat) } else { Ok(()) };
        }
        Err(Rejected::UnknownDealing { coordinator })
    }

    /// Tells again which dealings of a choice are wrong here: to all new seats, so that the next
    /// coordinators leave them out. One complaint of a node is enough for that.
    fn complain_of(&mut self, names: &[DealingName], now: Moment) {
        let wrong = |name: &&DealingName| {
            self.dealings.is_wrong(**name) || self.dealings.contradicts(**name)
        };
        let wrong: Vec<DealingName> = names.iter().filter(wrong).copied().collect();
        for name in wrong {
            let mut told: Vec<Party> = self.fixed.plan.seats().map(Party::new).collect();
            told.retain(|to| self.may_answer(*to, Reply::Complaint(name), now));
            if told.is_empty() {
                continue;
            }
            let complainer =
                self.own_new().into_iter().find(|own| self.dealings.is_wrong_for(name, *own));
            let complainer = complainer.or_else(|| self.own_new().first().copied());
            let Some(complaint) =
                complainer.and_then(|own| self.seal(Party::new(own), &Body::Complaint(name)))
            else {
                return;
            };
            for to in told {
                self.send(Destination::Seat(to), &complaint);
            }
        }
    }

    fn on_complaint(&mut self, seat: Seat, dealing: DealingName) -> Result<(), Rejected> {
        if !self.dealings.complain(seat, dealing) {
            return Err(Rejected::Repeat);
        }
        self.event(Event::Complaint { seat, dealing });
        Ok(())
    }

    fn on_signature(
        &mut self,
        sender: Party,
        content: TranscriptSignature,
    ) -> Result<(), Rejected> {
        let TranscriptSignature { transcript, signature } = content;
        match self.collect(sender.seat, transcript, signature) {
            Collected::New => Ok(()),
            Collected::Known => Err(Rejected::Repeat),
            Collected::Wrong => Err(Rejected::Wrong { sender }),
            Collected::OfNoChoice => Err(Rejected::NoAnswer { sender }),
        }
    }

    fn on_certificate(&mut self, sender: Party, bytes: &[u8]) -> Result<(), Rejected> {
        // Looked at before anything is verified: one transcript has many valid certificates, and
        // only that of a greater epoch says something new. There are few transcripts: no member
        // signs more than one for each coordinator.
        let hash = Certificate::peek_transcript_hash(&self.fixed.params, bytes);
        let known = self.certificate().map(|known| *known.transcript().hash());
        if known.is_some() && known >= hash {
            return Err(Rejected::Repeat);
        }
        let wrong = self.wrong_certificates.entry(sender).or_default();
        if *wrong >= MOST_WRONG_CERTIFICATES {
            return Err(Rejected::TooMany { sender });
        }
        match Certificate::parse(&self.fixed.params, bytes) {
            Ok(certificate) => new_if(self.enter_certificate(certificate)),
            Err(_) => {
                *wrong += 1;
                Err(Rejected::Wrong { sender })
            }
        }
    }

    /// Receipts, and questions for them, are about an epoch that exists: its sender is asked for
    /// the certificate. Where another epoch is current here the sender may know nothing of that,
    /// since this node does not know its epoch either.
    fn on_receipt(&mut self, sender: Party, now: Moment) -> Result<(), Rejected> {
        let asks = self.may_answer(sender, Reply::Certified, now);
        if asks {
            let want = self.seal_as_any(&Body::Want(Want::Certificate));
            self.send(Destination::Seat(sender), &want);
        }
        new_if(asks)
    }

    fn on_want(&mut self, sender: Party, want: Want, now: Moment) -> Result<(), Rejected> {
        let envelope = match want {
            Want::Dealing(name) => self.dealings.envelope(name).cloned(),
            // With a certificate everything is answered with it before.
            Want::Certificate | Want::Receipt(_) => None,
        };
        match envelope {
            Some(envelope) if self.answer(sender, &envelope, now) => Ok(()),
            _ => Err(Rejected::NoAnswer { sender }),
        }
    }

    fn answer_with_certificate(&mut self, sender: Party, now: Moment) {
        let Some((_, envelope)) = &self.certificate else { return };
        let envelope = envelope.clone();
        self.answer(sender, &envelope, now);
    }

    /// A member that still announces itself lacks the roll; one that hands on what another has said
    /// is not answered.
    fn answer_with_roll(&mut self, from: &PeerId, sender: Party, now: Moment) {
        if !self.called || self.peer_of(sender) != Some(from) {
            return;
        }
        if self.may_answer(sender, Reply::Roll, now)
            && let Some(roll) = self.call.roll(self.fixed.approving)
        {
            let envelope = self.seal_as_any(&Body::Roll(roll.list().clone()));
            self.send(Destination::Seat(sender), &envelope);
        }
    }
}

fn new_if(new: bool) -> Result<(), Rejected> {
    if new { Ok(()) } else { Err(Rejected::Repeat) }
}
