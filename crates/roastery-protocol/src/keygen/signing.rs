//! Transcripts: offered, judged, signed once.

use roastery_frost::{
    Seat,
    chilldkg::{
        CoordinatorMsg1, Fault, ParticipantFault, ParticipantMsg2, Step2Error, Transcript,
        participant_step1, participant_step2,
    },
};

use super::{
    Event, Keygen, Misbehaviour, Output, OwnTranscript, Rejected, Secrets, Suspect, Suspicion,
    message::{Body, Envelope, TranscriptSignature},
    seed::Draw,
    transcripts::{Counted, Offer, Offered},
};
use crate::{
    KeygenId, TranscriptHash, clock::Moment, group::PeerId, machine::Backoff, machine::Destination,
    tags::Tag,
};

/// What this node has signed: one transcript in a key generation, whatever happens.
#[derive(Debug)]
pub(super) enum Signing {
    Nothing,
    /// As the caller says; the signature is made anew when the transcript is here.
    Remembered(TranscriptHash),
    /// The signature waits until it is stored that it is made.
    Waiting(TranscriptSignature),
    Released {
        content: TranscriptSignature,
        envelope: Envelope,
        since: std::time::Duration,
    },
}

impl Signing {
    pub(super) fn hash(&self) -> Option<TranscriptHash> {
        match self {
            Signing::Nothing => None,
            Signing::Remembered(hash) => Some(*hash),
            Signing::Waiting(content) | Signing::Released { content, .. } => {
                Some(content.transcript)
            }
        }
    }

    /// Whether this opening has signed nothing yet; what was signed before may be signed again.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Signing::Nothing | Signing::Remembered(_))
    }
}

pub(super) fn transcript_hash(keygen: KeygenId, transcript: &Transcript) -> TranscriptHash {
    let parts: [&[u8]; 2] = [keygen.as_bytes(), transcript.as_bytes()];
    TranscriptHash::from_bytes(Tag::Transcript.hash(&parts))
}

impl Keygen {
    /// Makes the transcript, if this node can and has not signed any. It is checked as any other,
    /// and sent to the others with this node's own signature: what a coordinator offers is bound by
    /// what it has stored, so that it does not offer two, whatever others send it after a restart.
    pub(super) fn try_to_make(&mut self, now: Moment) {
        if self.made.is_some() || !self.signing.is_open() {
            return;
        }
        let message = match self.first_messages.transcript() {
            None => return,
            Some(Ok(message)) => message,
            Some(Err(_)) => return self.suspect(Suspicion::of_unknown(Misbehaviour::NoKey)),
        };
        let envelope = self.seal(&Body::Transcript(message.clone()));
        let transcript = Transcript::new(self.fixed.invitation.params(), &message)
            .expect("the message was made for this ceremony's n and t");
        let hash = transcript_hash(self.id(), &transcript);
        self.made = Some(OwnTranscript { hash, envelope: envelope.clone(), shown: None });
        // That it is known already is no error.
        let _ = self.on_transcript(self.fixed.seat, None, message, &envelope, now);
    }

    /// This node has signed what it has made: it coordinates.
    fn show(&mut self, transcript: TranscriptHash, now: Moment) {
        let settings = &self.fixed.settings;
        let repeat = Backoff::new(now.monotonic, settings.repeat_min, settings.repeat_max);
        let Some(made) = self.made.as_mut().filter(|made| made.hash == transcript) else { return };
        made.shown = Some(repeat);
        let envelope = made.envelope.clone();
        self.event(Event::Coordinating(transcript));
        self.send(Destination::Everyone, &envelope);
    }

    /// The message that fixes what this node has signed. A member passes on no other transcript, so
    /// its receivers get one that this node has checked.
    pub(super) fn signed_transcript(&self) -> Option<Envelope> {
        match &self.signing {
            Signing::Released { content, .. } => {
                self.transcripts.get(content.transcript).map(|known| known.envelope.clone())
            }
            Signing::Nothing | Signing::Remembered(_) | Signing::Waiting(_) => None,
        }
    }

    pub(super) fn on_transcript(
        &mut self,
        coordinator: Seat,
        passer: Option<&PeerId>,
        message: CoordinatorMsg1,
        envelope: &Envelope,
        now: Moment,
    ) -> Result<(), Rejected> {
        let transcript = Transcript::new(self.fixed.invitation.params(), &message)
            .expect("the message was read for this ceremony's n and t");
        let hash = transcript_hash(self.id(), &transcript);
        let offer = Offer { body: envelope.body_hash(), hash, message };
        let since = now.monotonic;
        let noted =
            self.transcripts.offer(coordinator, passer, offer.clone(), transcript, envelope, since);
        match noted {
            Offered::New => {}
            Offered::Repeat => {
                self.show_signature(coordinator, now);
                return Err(Rejected::Repeat);
            }
            // Of its own one was made before a restart and one after it; only one was shown.
            Offered::Second { .. } if coordinator == self.fixed.seat => {}
            Offered::Second { first } => {
                self.suspect(Suspicion::of(
                    coordinator,
                    Misbehaviour::TwoTranscripts { first, second: hash },
                ));
            }
            Offered::TooMany => return Err(Rejected::TooMany { sender: coordinator }),
        }
        for (seat, content) in self.transcripts.take_unplaced(hash) {
            let _ = self.on_signature_of_known(seat, content);
        }
        let result = self.evaluate(coordinator, &offer, envelope, now);
        self.try_to_finish(hash);
        result
    }

    fn on_signature_of_known(
        &mut self,
        seat: Seat,
        content: TranscriptSignature,
    ) -> Result<(), Rejected> {
        let second = content.transcript;
        match self.transcripts.count(seat, content) {
            Counted::Invalid => self.wrong(Suspicion::of(seat, Misbehaviour::Signature(second))),
            Counted::Second { first } => {
                self.wrong(Suspicion::of(seat, Misbehaviour::TwoSignatures { first, second }))
            }
            _ => Ok(()),
        }
    }

    /// Signs a transcript, or returns why not.
    fn evaluate(
        &mut self,
        coordinator: Seat,
        offer: &Offer,
        envelope: &Envelope,
        now: Moment,
    ) -> Result<(), Rejected> {
        let offered = offer.hash;
        match self.signing.hash() {
            Some(signed) if signed != offered => {
                let suspect = self.suspect_of_two([offered, signed]);
                let misbehaviour = Misbehaviour::OtherTranscript { signed, offered };
                self.compare([offered, signed], now);
                return self.wrong(Suspicion { suspect, misbehaviour });
            }
            Some(_) if !self.signing.is_open() => {
                self.show_signature(coordinator, now);
                return Ok(());
            }
            _ => {}
        }
        let Some(secrets) = &self.secrets else { return Err(Rejected::Over) };
        let error = match secrets.second_step(&self.fixed.invitation, &offer.message) {
            Ok(message) => {
                self.transcripts.prefer(offered, envelope);
                self.sign(offered, message, now);
                return Ok(());
            }
            Err(error) => error,
        };
        match error {
            // Of a participant's wrong nonce or proof an honest coordinator makes no transcript.
            Step2Error::Fault(fault) => {
                self.wrong(Suspicion::of(coordinator, Misbehaviour::Transcript(fault)))
            }
            Step2Error::Unknown(_) => {
                self.open_investigation(coordinator, offered, now);
                Ok(())
            }
            Step2Error::Degenerate(_) => self.wrong(Suspicion::of_unknown(Misbehaviour::NoKey)),
            Step2Error::HostSeckey(_) => Ok(()),
        }
    }

    fn sign(&mut self, transcript: TranscriptHash, message: ParticipantMsg2, now: Moment) {
        let content = TranscriptSignature { transcript, signature: *message.signature() };
        let remembered = matches!(self.signing, Signing::Remembered(_));
        self.signing = Signing::Waiting(content);
        self.investigations.clear();
        self.collecting = None;
        if remembered {
            self.release(transcript, now);
        } else {
            self.outbox.push_back(Output::Persist(transcript));
        }
    }

    /// Releases the signature that waits for the store.
    pub(super) fn release(&mut self, transcript: TranscriptHash, now: Moment) {
        let content = match &self.signing {
            Signing::Waiting(content) if content.transcript == transcript => *content,
            _ => return,
        };
        if self.secrets.is_none() {
            return;
        }
        let envelope = self.seal(&Body::Signature(content));
        self.signing =
            Signing::Released { content, envelope: envelope.clone(), since: now.monotonic };
        self.event(Event::Signed(transcript));
        self.show(transcript, now);
        let coordinators: Vec<Seat> = self.links.keys().copied().collect();
        for coordinator in coordinators {
            let _ = self.answer(coordinator, &envelope, now);
        }
        let _ = self.on_signature_of_known(self.fixed.seat, content);
        self.try_to_finish(transcript);
    }

    /// Sends this node's signature to a coordinator of the transcript that it has signed.
    fn show_signature(&mut self, coordinator: Seat, now: Moment) {
        if let Signing::Released { envelope, .. } = &self.signing {
            let envelope = envelope.clone();
            let _ = self.answer(coordinator, &envelope, now);
        }
    }

    /// Whether a coordinator is at fault beyond doubt for this node.
    pub(super) fn is_faulty_coordinator(&self, seat: Seat) -> bool {
        self.findings.iter().any(|finding| {
            let misbehaviour = matches!(
                finding.misbehaviour,
                Misbehaviour::Transcript(_)
                    | Misbehaviour::TwoTranscripts { .. }
                    | Misbehaviour::OtherTranscript { .. }
            );
            misbehaviour && finding.suspect == Suspect::Seat(seat)
        })
    }
}

impl Secrets {
    /// The second step of ChillDKG, from the beginning: the first one has the same outcome each
    /// time, and nothing secret is kept between the two.
    pub(super) fn second_step(
        &self,
        invitation: &super::Invitation,
        message: &CoordinatorMsg1,
    ) -> Result<ParticipantMsg2, Step2Error> {
        let random = self.seed.draw(invitation.id(), Draw::Polynomial);
        let auxiliary = self.seed.draw(invitation.id(), Draw::Signature);
        let (state, own) = participant_step1(&self.host, invitation.params(), &random)
            .expect("it has succeeded with the same input when the ceremony was opened");
        let (_, signed) = participant_step2(&self.host, state, message, &auxiliary)?;
        // Proofs are no part of the transcript, and in ChillDKG no participant checks its own: a
        // member that signed here would send the others a message that they refuse, and there would
        // be no key.
        let own_seat = invitation.params().participant_of(&self.host.hostpubkey_gen());
        if let Some(participant) = own_seat
            && message.proofs().get(participant.index()) != Some(own.proof())
        {
            let fault = ParticipantFault::ProofOfPossession;
            return Err(Fault::ParticipantOrCoordinator { participant, fault }.into());
        }
        Ok(signed)
    }
}
