//! What comes in: messages about the lineage, and those of plans whose epochs exist.

use roastery_frost::change::Certificate;

use super::{Event, Rejected, Reply, Switch};
use crate::{
    change::{
        CertifiedEpoch, EpochFile, EpochOrder, EpochRefused, Party, Question, Receipt, Role,
        message::{Body, Envelope, LineageContent, LineageMessage, Want},
    },
    clock::Moment,
    group::PeerId,
};

/// How many files and certificates of one peer are read that do not verify.
const MOST_WRONG: u8 = 4;

/// How many files of one peer are read that add nothing, and one more for each epoch of the chain:
/// a peer in another branch sends one of each on the way down.
const MOST_USELESS: u32 = 16;

/// How many events are told of one member's receipts for an epoch.
const MOST_TOLD: u8 = 8;

impl Switch {
    pub(super) fn receive(
        &mut self,
        from: &PeerId,
        bytes: &[u8],
        now: Moment,
    ) -> Result<(), Rejected> {
        if !self.knows(from) {
            return Err(Rejected::NotAMember);
        }
        // A message of a plan lies 64 bytes further on; the id of a known plan there is no chance.
        let plan = Envelope::peek_plan(bytes);
        let epoch = plan.and_then(|plan| self.lineage.of_plan(plan).last());
        match epoch.map(CertifiedEpoch::order) {
            Some(epoch) => self.receive_of_plan(from, epoch, bytes, now),
            None => self.receive_of_lineage(from, bytes, now),
        }
    }

    fn receive_of_lineage(
        &mut self,
        from: &PeerId,
        bytes: &[u8],
        now: Moment,
    ) -> Result<(), Rejected> {
        // A file is read only if it was asked for, and once.
        let is_file = LineageMessage::is_epoch(bytes);
        let asked = if is_file {
            let asked = self.asked.remove(from).ok_or(Rejected::NotAsked)?;
            self.has_trials(from)?;
            self.may_send_files(from)?;
            asked
        } else {
            0
        };
        let read = LineageMessage::parse(bytes).map_err(Rejected::from);
        let key = self.lineage.key();
        let read =
            read.and_then(|read| if read.key == key { Ok(read) } else { Err(Rejected::OtherKey) });
        if is_file && read.is_err() {
            self.count_wrong(from);
        }
        let content = read?.content;
        match content {
            LineageContent::Ask { current, epoch } => self.on_ask(from, current, epoch, now),
            LineageContent::Epoch(file) => self.on_file(from, asked, &file, now),
        }
    }

    /// A peer that knows less is sent the file that it asks for; one that knows more is asked; one
    /// that knows the same is told how far this node is.
    fn on_ask(
        &mut self,
        from: &PeerId,
        theirs: EpochOrder,
        epoch: u32,
        now: Moment,
    ) -> Result<(), Rejected> {
        let current = self.current();
        if theirs == current {
            return self.answer_with_receipts(from, None, now);
        }
        if theirs > current {
            let asked = self.ask(from, current.epoch().saturating_add(1), now);
            return if asked { Ok(()) } else { Err(Rejected::NoAnswer) };
        }
        let number = epoch.min(current.epoch());
        let found = self.lineage.chain().find(|one| one.order().epoch() == number);
        let Some((order, file)) = found.map(|one| (one.order(), one.file())) else {
            return Err(Rejected::NoAnswer);
        };
        if !self.may_answer(from, Reply::Epoch(order), now) {
            return Err(Rejected::NoAnswer);
        }
        self.send_lineage(from, LineageContent::Epoch(file));
        Ok(())
    }

    /// A file whose parent is not known leads to a question for that; one that was taken leads to a
    /// question for the next.
    fn on_file(
        &mut self,
        from: &PeerId,
        asked: u32,
        file: &EpochFile,
        now: Moment,
    ) -> Result<(), Rejected> {
        let epoch = file.plan().epoch();
        let result = self.enter(file, now);
        let next = match &result {
            // Of a known one the next may be new: the way up in another branch.
            Ok(()) | Err(EpochRefused::Known) if epoch <= asked => epoch.checked_add(1),
            Err(EpochRefused::UnknownParent { .. }) if epoch <= asked => {
                epoch.checked_sub(1).filter(|before| *before > self.lineage.root_order().epoch())
            }
            _ => None,
        };
        match &result {
            Ok(()) => {}
            Err(EpochRefused::NotCertified(_) | EpochRefused::OtherKey { .. }) => {
                self.count_wrong(from);
            }
            // An honest peer sends such files as well, a few for each epoch.
            Err(EpochRefused::Known | EpochRefused::UnknownParent { .. }) => {
                let useless = self.useless.entry(from.clone()).or_default();
                *useless = useless.saturating_add(1);
            }
        }
        if let Some(next) = next {
            self.ask(from, next, now);
        }
        Ok(result?)
    }

    fn receive_of_plan(
        &mut self,
        from: &PeerId,
        epoch: EpochOrder,
        bytes: &[u8],
        now: Moment,
    ) -> Result<(), Rejected> {
        let envelope = Envelope::parse(bytes)?;
        let Some(known) = self.lineage.get(epoch) else { return Err(Rejected::OtherEpoch) };
        let params = known.certificate().transcript().params().clone();
        let parent = known.parent();
        // An envelope that was read names a sender.
        let sender = envelope.header().party().ok_or(Rejected::NotAMember)?;
        let side = match sender.role {
            Role::Old => parent,
            Role::New => epoch,
        };
        let member = self.roster(side).and_then(|group| group.member(sender.seat));
        let member = member.ok_or(Rejected::NoSuchSeat(sender))?;
        let is_its_link = member.peer == *from;
        if !envelope.is_signed_with(&member.identity_key) {
            return Err(Rejected::NotSigned(sender));
        }
        let body = envelope
            .read(&params)
            .map_err(|malformation| Rejected::Malformed { sender, malformation })?;
        match body {
            Body::Receipt(receipt) if is_its_link => self.on_receipt(sender, receipt),
            Body::Receipt(_) => Err(Rejected::NotItsLink(sender)),
            Body::Want(Want::Receipt(question)) => self.on_want_receipt(from, epoch, question, now),
            Body::Certificate(bytes) => self.on_certificate(from, epoch, &bytes, now),
            _ => self.answer_with_certificate(from, epoch, now),
        }
    }

    fn on_receipt(&mut self, sender: Party, receipt: Receipt) -> Result<(), Rejected> {
        let current = self.current();
        let Some(receipts) = &mut self.receipts else { return Err(Rejected::OtherEpoch) };
        if receipt.transcript != current.transcript() {
            return Err(Rejected::OtherEpoch);
        }
        let seat = sender.seat;
        let before = receipts.get(seat);
        if !receipts.add(seat, receipt) {
            return Err(Rejected::Repeat);
        }
        if let Some(holding) = receipts.get(seat).filter(|holding| Some(*holding) != before) {
            let told = self.told.entry(seat).or_default();
            if *told < MOST_TOLD {
                *told += 1;
                self.event(Event::Receipt { seat, holding });
            }
        }
        Ok(())
    }

    /// How far this node is with the current epoch. A peer that asks about another one learns which
    /// is current.
    fn on_want_receipt(
        &mut self,
        from: &PeerId,
        epoch: EpochOrder,
        question: Question,
        now: Moment,
    ) -> Result<(), Rejected> {
        let current = self.current();
        if epoch.plan() == current.plan() {
            return self.answer(from, question, now);
        }
        let told = self.ask(from, current.epoch().saturating_add(1), now);
        if told { Ok(()) } else { Err(Rejected::NoAnswer) }
    }

    pub(super) fn answer_with_receipts(
        &mut self,
        from: &PeerId,
        answers: Option<Question>,
        now: Moment,
    ) -> Result<(), Rejected> {
        let current = self.current();
        let answered = self.holding().is_some()
            && self.may_answer(from, Reply::Receipt(current, answers), now)
            && self.send_receipts(from, answers);
        if answered { Ok(()) } else { Err(Rejected::NoAnswer) }
    }

    /// Another certificate of a plan that has one: of another transcript it is another epoch.
    fn on_certificate(
        &mut self,
        from: &PeerId,
        epoch: EpochOrder,
        bytes: &[u8],
        now: Moment,
    ) -> Result<(), Rejected> {
        let Some(known) = self.lineage.get(epoch) else { return Err(Rejected::OtherEpoch) };
        let (plan, params) = (known.plan().clone(), known.certificate().transcript().params());
        let hash = Certificate::peek_transcript_hash(params, bytes);
        let is_known = |one: &CertifiedEpoch| Some(*one.order().transcript().as_bytes()) == hash;
        if self.lineage.of_plan(plan.id()).any(is_known) {
            return Err(Rejected::Repeat);
        }
        let params = params.clone();
        self.has_trials(from)?;
        let Ok(certificate) = Certificate::parse(&params, bytes) else {
            self.count_wrong(from);
            return Err(Rejected::NoAnswer);
        };
        Ok(self.certified(&plan, &certificate, now)?)
    }

    /// The change is over: everything else of its plan is answered with the certificate.
    fn answer_with_certificate(
        &mut self,
        from: &PeerId,
        epoch: EpochOrder,
        now: Moment,
    ) -> Result<(), Rejected> {
        let certificate = self.lineage.get(epoch).map(|one| one.certificate().to_bytes());
        let Some(certificate) = certificate else { return Err(Rejected::NoAnswer) };
        if self.may_answer(from, Reply::Certificate(epoch), now)
            && let Some(envelope) = self.seal(epoch, &Body::Certificate(certificate))
        {
            self.send(from, envelope.as_bytes());
        }
        Err(Rejected::Over)
    }

    fn has_trials(&self, peer: &PeerId) -> Result<(), Rejected> {
        let used = self.wrong.get(peer).copied().unwrap_or_default();
        if used < MOST_WRONG { Ok(()) } else { Err(Rejected::TooMany) }
    }

    /// Whether files of this peer are read: not too many in turn have added nothing.
    fn may_send_files(&self, peer: &PeerId) -> Result<(), Rejected> {
        let length = self.current().epoch().saturating_sub(self.lineage.root_order().epoch());
        let used = self.useless.get(peer).copied().unwrap_or_default();
        if used < length.saturating_add(MOST_USELESS) { Ok(()) } else { Err(Rejected::TooMany) }
    }

    fn count_wrong(&mut self, peer: &PeerId) {
        let used = self.wrong.entry(peer.clone()).or_default();
        *used = used.saturating_add(1);
    }
}
