//! Choices of dealings, and the one transcript that is signed for each coordinator.

use roastery_frost::{
    Seat, Signature,
    change::{Dealing, Transcript},
};

use super::{Change, Engine, Event, Record};
use crate::{
    ChangeTranscriptHash,
    change::{
        EpochOrder, Party,
        message::{Body, DealingName, Envelope, TranscriptSignature},
    },
    clock::Moment,
};

/// What a coordinator has chosen, and what this node has done about it.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) names: Vec<DealingName>,
    transcript: Option<Transcript>,
    /// Those of all new seats of this node, or none.
    signatures: Vec<(Seat, Signature)>,
    /// The messages with them, once they have left.
    released: Vec<Envelope>,
    /// It is never signed here.
    is_hopeless: bool,
}

impl Choice {
    pub(super) fn new(names: Vec<DealingName>) -> Self {
        let (signatures, released) = (Vec::new(), Vec::new());
        Self { names, transcript: None, signatures, released, is_hopeless: false }
    }

    /// One whose transcript is made already.
    pub(super) fn with(names: Vec<DealingName>, transcript: Transcript) -> Self {
        Self { transcript: Some(transcript), ..Self::new(names) }
    }

    /// The transcript, once it was made and is signed here.
    pub(super) fn signed(&self) -> Option<&Transcript> {
        self.transcript.as_ref().filter(|_| !self.released.is_empty())
    }

    /// The messages with the signatures of this node's seats, once they have left.
    pub(super) fn released(&self) -> &[Envelope] {
        &self.released
    }

    /// The signatures of this node's seats.
    pub(super) fn signatures(&self) -> &[(Seat, Signature)] {
        &self.signatures
    }

    /// Whether another one may take its place: it was not signed.
    pub(super) fn is_open(&self) -> bool {
        self.signatures.is_empty()
    }

    pub(super) fn is_hopeless(&self) -> bool {
        self.is_hopeless
    }
}

impl<E: Engine> Change<E> {
    /// Signs what can be signed: of each coordinator one transcript, with all new seats.
    pub(super) fn sign(&mut self, now: Moment) {
        if self.fixed.new.is_empty() || !self.may_sign(now) {
            return;
        }
        let open = self
            .choices
            .iter()
            .filter(|(_, choice)| !choice.is_hopeless && choice.released.is_empty());
        let open: Vec<Seat> = open.map(|(coordinator, _)| *coordinator).collect();
        for coordinator in open {
            let Some(mut choice) = self.choices.remove(&coordinator) else { continue };
            self.sign_one(coordinator, &mut choice, now);
            self.choices.insert(coordinator, choice);
        }
    }

    fn sign_one(&mut self, coordinator: Seat, choice: &mut Choice, now: Moment) {
        if choice.signatures.is_empty() && !self.take(coordinator, choice) {
            return;
        }
        let Some(transcript) = &choice.transcript else { return };
        let hash = ChangeTranscriptHash::from_bytes(*transcript.hash());
        // A greater epoch may have become current while the record waited.
        if !self.is_current(transcript) {
            choice.is_hopeless = true;
            return;
        }
        let record = Record::Signed { coordinator, transcript: hash, choice: choice.names.clone() };
        self.may_be_open(now);
        if !self.keep(record) {
            return;
        }
        let sealed = choice.signatures.iter().filter_map(|(seat, signature)| {
            let content = TranscriptSignature { transcript: hash, signature: *signature };
            self.seal(Party::new(*seat), &Body::Signature(content))
        });
        choice.released = sealed.collect();
        self.event(Event::Signed(hash));
        for envelope in &choice.released {
            self.send_to(Party::new(coordinator), envelope);
        }
        self.has_signed = true;
        if self.is_own(Party::new(coordinator)) {
            self.show(coordinator, choice, now);
        }
    }

    /// Makes the transcript of a choice and takes the share of each new seat, if all of it is here
    /// and right. Returns whether there are signatures, which must not leave before their record is
    /// stored.
    fn take(&mut self, coordinator: Seat, choice: &mut Choice) -> bool {
        let wrong =
            |name: &DealingName| self.dealings.is_wrong(*name) || self.dealings.contradicts(*name);
        if choice.names.iter().any(wrong)
            || self.is_superseded()
            || self.refused.contains(&choice.names)
            || self.has_signed_another(coordinator, &choice.names)
        {
            choice.is_hopeless = true;
            return false;
        }
        let dealings: Option<Vec<&Dealing>> =
            choice.names.iter().map(|name| self.dealings.get(*name)).collect();
        let Some(dealings) = dealings else { return false };
        let own = self.own_new();
        let made = choice.transcript.take().map(Ok);
        let made = made.unwrap_or_else(|| Transcript::new(&self.fixed.params, &dealings)).ok();
        let made = made.filter(|transcript| self.is_current(transcript));
        let engine = &mut self.engine;
        let taken = made.and_then(|transcript| {
            let sign =
                |seat: &Seat| Some((*seat, engine.take(&transcript, &dealings, *seat).ok()?));
            let signatures = own.iter().map(sign).collect::<Option<Vec<_>>>()?;
            Some((transcript, signatures))
        });
        let Some((transcript, signatures)) = taken else {
            choice.is_hopeless = true;
            self.refused.insert(choice.names.clone());
            let trials = self.trials.entry(coordinator).or_default();
            *trials = trials.saturating_add(1);
            return false;
        };
        (choice.transcript, choice.signatures) = (Some(transcript), signatures);
        true
    }

    /// Whether anything may be signed now: this node has accepted, and the roll is complete; after
    /// the expiry it must have signed before.
    pub(super) fn may_sign(&self, now: Moment) -> bool {
        self.journal.has(&Record::Accepted)
            && self.running.is_some()
            && (self.has_signed || !self.is_late(now))
    }

    /// Whether every transcript of the plan is below the current epoch.
    pub(super) fn is_superseded(&self) -> bool {
        EpochOrder::last_of(&self.fixed.plan) < self.current
    }

    fn is_current(&self, transcript: &Transcript) -> bool {
        let hash = ChangeTranscriptHash::from_bytes(*transcript.hash());
        EpochOrder::of(&self.fixed.plan, hash) >= self.current
    }

    /// Whether another choice was signed for the same coordinator, or may have been. Names stand
    /// for the whole of a dealing, so that two choices have two transcripts. A restored store does
    /// not say what was signed after the backup.
    fn has_signed_another(&self, of: Seat, names: &[DealingName]) -> bool {
        let signed = self.journal.records().filter_map(|record| match record {
            Record::Signed { coordinator, choice, .. } if *coordinator == of => Some(choice),
            _ => None,
        });
        let signed: Vec<_> = signed.collect();
        let unknown = signed.is_empty() && self.is_restored();
        unknown || signed.into_iter().any(|choice| choice != names)
    }

    /// Whether this node has signed a transcript of the plan, or may have.
    pub(super) fn may_have_signed(&self) -> bool {
        let restored = self.is_restored() && !self.fixed.new.is_empty();
        restored || self.journal.records().any(|record| matches!(record, Record::Signed { .. }))
    }

    /// Whether this node has dealt, or may have.
    pub(super) fn may_have_dealt(&self) -> bool {
        let restored = self.is_restored() && self.journal.has(&Record::Approved);
        let restored = restored && !self.fixed.old.is_empty();
        restored || self.journal.records().any(|record| matches!(record, Record::Dealt(_)))
    }

    /// Whether the dealing of this old seat is stored: what counts is its own record. One that the
    /// store has refused, or has not answered about, has not left.
    pub(super) fn has_dealt(&self, seat: Seat) -> bool {
        let is_its_own =
            |record: &Record| matches!(record, Record::Dealt(name) if name.dealer == seat);
        self.journal.kept().any(is_its_own)
    }

    /// Whether the store is from a backup: what was done after that is not in it.
    pub(super) fn is_restored(&self) -> bool {
        self.journal.has(&Record::Restored)
    }
}
