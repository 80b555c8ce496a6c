//! What comes in: authenticate, then retain, then act.

use roastery_frost::{
    Seat,
    chilldkg::{ParticipantFault, ParticipantMsg1},
};

use super::{
    Event, Keygen, Misbehaviour, Phase, Rejected, Suspicion,
    first_messages::Known,
    message::{
        Body, Envelope, Investigated, Kind, Malformation, RefusalReason, TranscriptSignature, Want,
    },
    transcripts::Counted,
};
use crate::{TranscriptHash, clock::Moment, group::PeerId};

impl Keygen {
    pub(super) fn receive(
        &mut self,
        from: &PeerId,
        bytes: &[u8],
        now: Moment,
    ) -> Result<(), Rejected> {
        let invitation = self.fixed.invitation.clone();
        // Membership comes before any costly work.
        if !invitation.is_member(from) {
            return Err(Rejected::NotAMember);
        }
        let envelope = Envelope::parse_up_to(self.fixed.longest_envelope, bytes)?;
        let header = *envelope.header();
        if header.keygen != invitation.id() {
            return Err(Rejected::OtherKeygen);
        }
        let members = invitation.size();
        let sender = envelope
            .sender(&invitation)
            .ok_or(Rejected::NoSuchSeat { sender: header.sender, members })?;
        if !envelope.is_signed_by_its_sender(&invitation) {
            return Err(Rejected::NotSigned { sender });
        }
        match &self.phase {
            Phase::Running => self.accept(from, envelope, sender, now),
            Phase::Done { .. } | Phase::Ended(_) => {
                self.answer_after_the_end(sender, envelope.kind(), now);
                Err(Rejected::Over)
            }
        }
    }

    fn accept(
        &mut self,
        from: &PeerId,
        envelope: Envelope,
        sender: Seat,
        now: Moment,
    ) -> Result<(), Rejected> {
        let body = Body::read(&envelope, self.fixed.invitation.params())
            .map_err(|malformation| self.malformed(sender, envelope.kind(), malformation))?;
        match body {
            Body::FirstMessage(message) => {
                let passers: Vec<Seat> = self.comparisons.keys().copied().collect();
                for passer in passers {
                    if self.fixed.invitation.holds(from, passer) {
                        self.has_shown(passer, sender, now);
                    }
                }
                let is_own = self.fixed.invitation.holds(from, sender);
                let result = self.on_first_message(sender, message, envelope);
                if is_own && let Some(transcript) = self.signed_transcript() {
                    // A rate limit is not an error: the sender retransmits its message.
                    let _ = self.answer(sender, &transcript, now);
                }
                if result.is_ok() {
                    self.try_to_make(now);
                }
                result
            }
            Body::Transcript(message) => {
                let passer = (!self.fixed.invitation.holds(from, sender)).then_some(from);
                self.on_transcript(sender, passer, message, &envelope, now)
            }
            Body::Signature(content) => self.on_signature(sender, content, now),
            Body::Certificate(data) => self.on_certificate(sender, &data),
            Body::Want(want) => self.on_want(sender, want, now),
            Body::Investigation(of, message) => self.on_investigation(sender, of, &message),
            Body::Refusal(reason) => self.on_refusal(sender, reason),
        }
    }

    /// A message of the right sender that breaks a structural rule. What ChillDKG has a name for
    /// is in the report.
    fn malformed(&mut self, sender: Seat, kind: Kind, malformation: Malformation) -> Rejected {
        let error = match malformation {
            Malformation::Message(error) => Some(error),
            Malformation::Length { length, expected } => {
                Some(roastery_frost::chilldkg::MessageError::Length { got: length, expected })
            }
            Malformation::Encoding(_) => None,
        };
        let misbehaviour = match (kind, error) {
            (Kind::FirstMessage, Some(error)) => {
                Some(Misbehaviour::FirstMessage(ParticipantFault::Message(error)))
            }
            (Kind::Transcript | Kind::Investigation, Some(error)) => {
                Some(Misbehaviour::Transcript(error.of_coordinator()))
            }
            (Kind::Certificate, Some(_)) => Some(Misbehaviour::Certificate),
            _ => None,
        };
        if let Some(misbehaviour) = misbehaviour {
            self.suspect(Suspicion::of(sender, misbehaviour));
        }
        Rejected::Malformed { sender, malformation }
    }

    /// A member's first message, whichever member hands it over: all keep the first one.
    fn on_first_message(
        &mut self,
        sender: Seat,
        message: ParticipantMsg1,
        envelope: Envelope,
    ) -> Result<(), Rejected> {
        let known = self.first_messages.compare(sender, &message);
        match known {
            Known::Same => Err(Rejected::Repeat),
            Known::Different => self.wrong(Suspicion::of(sender, Misbehaviour::TwoFirstMessages)),
            Known::New => match message.check(sender) {
                Ok(()) => {
                    self.first_messages.enter(sender, message, envelope);
                    Ok(())
                }
                Err(fault) => self.wrong(Suspicion::of(sender, Misbehaviour::FirstMessage(fault))),
            },
        }
    }

    fn on_signature(
        &mut self,
        sender: Seat,
        content: TranscriptSignature,
        now: Moment,
    ) -> Result<(), Rejected> {
        let hash = content.transcript;
        let counted = self.transcripts.count(sender, content);
        // The hash does not cover the proofs of possession: a transcript that did not pass here may
        // have the hash of one that has passed at the sender.
        let lacks = matches!(counted, Counted::New | Counted::Repeat | Counted::Second { .. })
            && self.signing.is_open();
        if lacks || matches!(counted, Counted::Unknown) {
            self.ask_for_what_was_signed(sender, hash, now);
        }
        match counted {
            Counted::Unknown => Err(Rejected::UnknownTranscript { sender }),
            Counted::Repeat => Err(Rejected::Repeat),
            Counted::TooMany => Err(Rejected::TooMany { sender }),
            Counted::Invalid => self.wrong(Suspicion::of(sender, Misbehaviour::Signature(hash))),
            Counted::New => {
                self.try_to_finish(hash);
                Ok(())
            }
            Counted::Second { first } => {
                self.suspect(Suspicion::of(
                    sender,
                    Misbehaviour::TwoSignatures { first, second: hash },
                ));
                self.try_to_finish(hash);
                Ok(())
            }
        }
    }

    /// Either the transcript or the last first message brings the transcript. A coordinator that
    /// sends its own transcript to no member still has to give one of the two.
    fn ask_for_what_was_signed(&mut self, sender: Seat, hash: TranscriptHash, now: Moment) {
        let want = self.seal(&Body::Want(Want::Transcript(hash)));
        let _ = self.answer(sender, &want, now);
        if self.first_messages.missing().any(|seat| seat == sender) {
            let want = self.seal(&Body::Want(Want::FirstMessage));
            let _ = self.answer(sender, &want, now);
        }
    }

    fn on_want(&mut self, sender: Seat, want: Want, now: Moment) -> Result<(), Rejected> {
        let envelope = match want {
            Want::FirstMessage => Some(self.fixed.first_message.clone()),
            Want::FirstMessageOf(seat) => self.first_messages.envelope(seat).cloned(),
            Want::Transcript(hash) => {
                self.signed_transcript().filter(|_| self.signing.hash() == Some(hash))
            }
            Want::Investigation(hash) => {
                let made_here = self.made.as_ref().is_some_and(|made| made.hash == hash);
                let message = if made_here {
                    self.first_messages.investigation(sender).cloned()
                } else {
                    None
                };
                let investigated = Investigated { transcript: hash, seat: sender };
                message.map(|message| self.seal(&Body::Investigation(investigated, message)))
            }
        };
        let envelope = envelope.ok_or(Rejected::NoAnswer { sender })?;
        self.answer(sender, &envelope, now)
    }

    fn on_refusal(&mut self, sender: Seat, reason: RefusalReason) -> Result<(), Rejected> {
        // A second refusal of a member is not reported again, whatever its reason.
        if self.refusals.contains_key(&sender) {
            return Err(Rejected::Repeat);
        }
        self.refusals.insert(sender, reason);
        self.event(Event::Refused { seat: sender, reason });
        Ok(())
    }

    /// Records a finding; the message has no other effect.
    pub(super) fn wrong(&mut self, finding: Suspicion) -> Result<(), Rejected> {
        self.suspect(finding);
        Err(Rejected::Wrong(finding))
    }
}
