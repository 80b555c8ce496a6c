//! Choices of dealings, and the one transcript that is signed for each coordinator.

use roastery_frost::{
    Seat, Signature,
    change::{Dealing, Transcript},
};

use super::{Change, Engine, Event, Record};
use crate::{
    ChangeTranscriptHash,
    change::{
        EpochOrder, Party, Role,
        message::{Body, DealingName, Envelope, TranscriptSignature},
    },
    clock::Moment,
};

/// What a coordinator has chosen, and what this node has done about it.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) names: Vec<DealingName>,
    transcript: Option<Transcript>,
    signature: Option<Signature>,
    released: Option<Envelope>,
    /// It is never signed here.
    is_hopeless: bool,
}

impl Choice {
    pub(super) fn new(names: Vec<DealingName>) -> Self {
        Self { names, transcript: None, signature: None, released: None, is_hopeless: false }
    }

    /// The transcript, once it was made and is signed here.
    pub(super) fn signed(&self) -> Option<&Transcript> {
        self.released.as_ref().and(self.transcript.as_ref())
    }

    /// The message with this node's signature, once it has left.
    pub(super) fn released(&self) -> Option<&Envelope> {
        self.released.as_ref()
    }

    /// Whether another one may take its place: it was not signed.
    pub(super) fn is_open(&self) -> bool {
        self.signature.is_none()
    }

    pub(super) fn is_hopeless(&self) -> bool {
        self.is_hopeless
    }
}

impl<E: Engine> Change<E> {
    /// Signs what can be signed: of each coordinator one transcript.
    pub(super) fn sign(&mut self, now: Moment) {
        let Some(own) = self.own_new() else { return };
        let open = self
            .choices
            .iter()
            .filter(|(_, choice)| !choice.is_hopeless && choice.released.is_none());
        let open: Vec<Seat> = open.map(|(coordinator, _)| *coordinator).collect();
        for coordinator in open {
            let Some(mut choice) = self.choices.remove(&coordinator) else { continue };
            self.sign_one(own, coordinator, &mut choice, now);
            self.choices.insert(coordinator, choice);
        }
    }

    fn sign_one(&mut self, own: Seat, coordinator: Seat, choice: &mut Choice, now: Moment) {
        if choice.signature.is_none() && !self.take(coordinator, choice, now) {
            return;
        }
        let (Some(transcript), Some(signature)) = (&choice.transcript, choice.signature) else {
            return;
        };
        let hash = ChangeTranscriptHash::from_bytes(*transcript.hash());
        let record = Record::Signed { coordinator, transcript: hash, choice: choice.names.clone() };
        if !self.keep(record) {
            return;
        }
        let content = TranscriptSignature { transcript: hash, signature };
        let Some(envelope) = self.seal(Role::New, &Body::Signature(content)) else { return };
        self.event(Event::Signed(hash));
        self.send_to(Party::new(coordinator), &envelope);
        choice.released = Some(envelope);
        if coordinator == own {
            self.show(own, signature, &choice.names, now);
        }
    }

    /// Makes the transcript of a choice and takes the share, if all of it is here and right.
    /// Returns whether there is a signature, which must not leave before its record is stored.
    fn take(&mut self, coordinator: Seat, choice: &mut Choice, now: Moment) -> bool {
        let wrong =
            |name: &DealingName| self.dealings.is_wrong(*name) || self.dealings.contradicts(*name);
        if choice.names.iter().any(wrong) {
            choice.is_hopeless = true;
            return false;
        }
        let dealings: Option<Vec<&Dealing>> =
            choice.names.iter().map(|name| self.dealings.get(*name)).collect();
        let Some(dealings) = dealings else { return false };
        let Ok(transcript) = Transcript::new(&self.fixed.params, &dealings) else {
            choice.is_hopeless = true;
            return false;
        };
        let hash = ChangeTranscriptHash::from_bytes(*transcript.hash());
        if !self.may_sign(coordinator, hash) {
            choice.is_hopeless = true;
            return false;
        }
        if now.monotonic >= self.fixed.deadline && !self.has_signed() {
            return false;
        }
        let Ok(signature) = self.engine.take(&transcript, &dealings) else {
            choice.is_hopeless = true;
            return false;
        };
        (choice.transcript, choice.signature) = (Some(transcript), Some(signature));
        true
    }

    /// Whether this transcript may be signed for this coordinator: it is not below the current
    /// epoch, and no other one was signed for the same coordinator.
    fn may_sign(&self, coordinator: Seat, hash: ChangeTranscriptHash) -> bool {
        let other = self.journal.records().any(|record| {
            matches!(record, Record::Signed { coordinator: of, transcript, .. }
                if *of == coordinator && *transcript != hash)
        });
        !other && EpochOrder::of(&self.fixed.plan, hash) >= self.current
    }

    /// Whether this node may have signed a transcript of the plan.
    pub(super) fn has_signed(&self) -> bool {
        self.journal.records().any(|record| matches!(record, Record::Signed { .. }))
    }
}
