//! This node's turn: it chooses, collects signatures, and makes the certificate.

use std::collections::BTreeMap;

use roastery_frost::{
    Seat, Signature,
    change::{Certificate, Dealing, Transcript},
};

use super::{Change, Choice, Engine, Event, Record, SaidOnce};
use crate::{
    ChangeTranscriptHash,
    change::{
        Party,
        message::{Body, DealingName, Envelope},
    },
    clock::Moment,
    machine::{Backoff, Destination},
};

/// What a signature of a transcript is beside this node's own choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collected {
    /// It is of a choice of this node, and new.
    New,
    /// It is there already.
    Known,
    /// It does not verify.
    Wrong,
    /// No seat of this node has made a choice with this transcript.
    OfNoChoice,
}

/// The turn of a new seat of this node, from when it has come.
#[derive(Debug, Default)]
pub(super) struct Coordinating {
    /// The choice as it was shown, and when it is shown again to those that have not signed.
    shown: Option<(Envelope, Backoff)>,
    signatures: BTreeMap<Seat, Signature>,
}

impl Coordinating {
    pub(super) fn shown(&mut self) -> Option<(&Envelope, &mut Backoff)> {
        self.shown.as_mut().map(|(envelope, repeat)| (&*envelope, repeat))
    }

    pub(super) fn due(&self) -> Option<std::time::Duration> {
        self.shown.as_ref().map(|(_, repeat)| repeat.due())
    }

    pub(super) fn has_signed(&self, seat: Seat) -> bool {
        self.signatures.contains_key(&seat)
    }
}

impl<E: Engine> Change<E> {
    /// Chooses t dealings that are right here and without complaints, for each own seat whose turn
    /// has come. A choice that this node has signed for another coordinator comes first, so that
    /// few transcripts are signed.
    pub(super) fn choose(&mut self, now: Moment) {
        if !self.may_sign(now) || self.is_superseded() {
            return;
        }
        let turns = self.coordinating.keys().copied();
        let turns: Vec<Seat> = turns.filter(|own| self.may_choose(*own)).collect();
        for own in turns {
            self.choose_one(own);
        }
    }

    fn choose_one(&mut self, own: Seat) {
        let sound: Vec<DealingName> = self.dealings.sound().collect();
        let signed = self.choices.values().filter(|choice| choice.signed().is_some());
        let signed = signed.filter(|one| one.names.iter().all(|name| sound.contains(name)));
        let signed = signed.map(|choice| &choice.names[..]);
        let all = signed.chain(sound.windows(self.fixed.parent.threshold()));
        let all = all.filter(|names| !self.refused.contains(*names)).map(<[_]>::to_vec);
        let all: Vec<Vec<DealingName>> = all.collect();
        for names in all {
            let dealings: Vec<&Dealing> =
                names.iter().filter_map(|name| self.dealings.get(*name)).collect();
            match Transcript::new(&self.fixed.params, &dealings) {
                Ok(transcript) => {
                    self.choices.insert(own, Choice::with(names, transcript));
                    return;
                }
                Err(_) => self.refused.insert(names),
            };
        }
    }

    /// Whether there is no choice of this seat of this node, or one that comes to nothing and is
    /// not signed.
    fn may_choose(&self, own: Seat) -> bool {
        let is_own = |record: &Record| matches!(record, Record::Signed { coordinator, .. } if *coordinator == own);
        let chosen = self.choices.get(&own);
        // A restored store does not say what was shown after the backup.
        !self.is_restored()
            && chosen.is_none_or(|choice| choice.is_hopeless() && choice.is_open())
            && !self.journal.records().any(is_own)
    }

    /// This node has signed the choice of one of its seats: from now on the others see it.
    pub(super) fn show(&mut self, own: Seat, choice: &Choice, now: Moment) {
        let shown = Body::Choice(choice.names.clone());
        let Some(envelope) = self.seal(Party::new(own), &shown) else { return };
        let (min, max) = (self.fixed.settings.repeat_min, self.fixed.settings.repeat_max);
        let repeat = Backoff::new(now.monotonic, min, max);
        // After a restart it may be shown before its turn has come again.
        let coordinating = self.coordinating.entry(own).or_default();
        coordinating.signatures.extend(choice.signatures().iter().copied());
        coordinating.shown = Some((envelope.clone(), repeat));
        self.event(Event::Coordinating);
        self.send_to_new(&envelope);
    }

    /// A signature of a choice of this node. Two of its seats may have made the same one: it counts
    /// for both.
    pub(super) fn collect(
        &mut self,
        sender: Seat,
        hash: ChangeTranscriptHash,
        signature: Signature,
    ) -> Collected {
        let turns = self.coordinating.iter_mut().filter_map(|(own, turn)| {
            let transcript = self.choices.get(own)?.signed()?;
            (transcript.hash() == hash.as_bytes()).then_some((transcript, turn))
        });
        let mut turns: Vec<(&Transcript, &mut Coordinating)> = turns.collect();
        let Some((transcript, _)) = turns.first() else { return Collected::OfNoChoice };
        if turns.iter().all(|(_, turn)| turn.has_signed(sender)) {
            return Collected::Known;
        }
        if !transcript.verify_signature(sender, &signature) {
            return Collected::Wrong;
        }
        for (_, turn) in &mut turns {
            turn.signatures.insert(sender, signature);
        }
        Collected::New
    }

    /// With the signatures of all this node has the certificate.
    pub(super) fn certify(&mut self) {
        let all = self.fixed.plan.size();
        let complete = self.coordinating.iter().filter(|(_, turn)| turn.signatures.len() == all);
        let made = complete.filter_map(|(own, turn)| {
            let transcript = self.choices.get(own).and_then(Choice::signed)?;
            let signatures = turn.signatures.values().copied().collect();
            // Each signature was verified when it came.
            Certificate::new(transcript.clone(), signatures).ok()
        });
        let made: Vec<Certificate> = made.collect();
        for certificate in made {
            self.enter_certificate(certificate);
        }
    }

    /// Takes a certificate, unless one of the same or a greater epoch is there. Returns whether it
    /// was taken.
    pub(super) fn enter_certificate(&mut self, certificate: Certificate) -> bool {
        let hash = *certificate.transcript().hash();
        if self.certificate().is_some_and(|known| *known.transcript().hash() >= hash) {
            return false;
        }
        let envelope = self.seal_as_any(&Body::Certificate(certificate.to_bytes()));
        self.certificate = Some((certificate, envelope));
        self.said.remove(&SaidOnce::Certificate);
        true
    }

    /// The certificate is stored: the caller learns of it, and all others if this node has made it
    /// or begins again with it.
    pub(super) fn tell_certificate(&mut self) {
        let Some((certificate, envelope)) = &self.certificate else { return };
        let hash = ChangeTranscriptHash::from_bytes(*certificate.transcript().hash());
        let envelope = envelope.clone();
        if self.said.contains(&SaidOnce::Certificate) || !self.keep(Record::Certified(hash)) {
            return;
        }
        self.said.insert(SaidOnce::Certificate);
        self.event(Event::Certified(hash));
        let all = self.fixed.plan.size();
        let made = self.coordinating.values().any(|turn| turn.signatures.len() == all);
        if made || self.tells_stored {
            self.send(Destination::Everyone, &envelope);
        }
    }
}
