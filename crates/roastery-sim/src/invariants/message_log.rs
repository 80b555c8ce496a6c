use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};

use roastery_protocol::{
    Attempt, BodyHash, Incarnation, Seat, SlotHash,
    message::{Body, Envelope, Malformation, SignatureShare, SigningPackage, SlotNonces},
};

use super::{Case, ShareCheck};
use crate::adversary::Packet;

/// A message of the session, read once.
#[derive(Debug)]
pub struct Statement {
    /// The signed bytes, as they were sent.
    pub envelope: Envelope,
    /// The hash of its body.
    pub hash: BodyHash,
    /// The sender that its header names.
    pub sender: Seat,
    /// Whether that sender signed it.
    pub signed: bool,
    /// Attempt and body, or the structural rule that it breaks.
    pub read: Result<(Attempt, Body), Malformation>,
}

/// A package that its coordinator signed.
#[derive(Debug)]
pub struct KnownPackage {
    /// The signed bytes, as they were sent.
    pub envelope: Envelope,
    /// The hash of its body.
    pub hash: BodyHash,
    /// The coordinator that issued it.
    pub coordinator: Seat,
    /// The attempt that it belongs to.
    pub attempt: Attempt,
    /// The package's content.
    pub content: SigningPackage,
}

/// Whether a message was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Its sender signed this body, and it was not seen before.
    Said,
    /// It is attributed to its sender without a signature, for the first time.
    Claimed,
    /// It was seen before.
    Old,
}

/// All messages of a session, of all members and all their incarnations.
#[derive(Debug)]
pub struct MessageLog {
    case: Rc<Case>,
    statements: BTreeMap<Arc<[u8]>, Option<Rc<Statement>>>,
    packages: BTreeMap<BodyHash, Rc<KnownPackage>>,
    by_run: BTreeMap<(Attempt, Incarnation), Vec<Rc<KnownPackage>>>,
    slots: BTreeMap<SlotHash, Vec<SlotNonces>>,
    /// The first share of each signer for a package of an honest coordinator that was given to its
    /// node.
    answers: BTreeMap<(BodyHash, Seat), Rc<Statement>>,
    /// Which node issued a package of an honest coordinator: after a crash another one holds its
    /// seat.
    issuers: BTreeMap<BodyHash, usize>,
    /// Bodies that their senders signed.
    signed: BTreeSet<BodyHash>,
}

impl Statement {
    /// The share that it is, with its attempt.
    pub fn share(&self) -> Option<(Attempt, &SignatureShare)> {
        match &self.read {
            Ok((attempt, Body::SignatureShare(share))) => Some((*attempt, share)),
            _ => None,
        }
    }

    /// The package that it is, with its attempt.
    pub fn package(&self) -> Option<(Attempt, &SigningPackage)> {
        match &self.read {
            Ok((attempt, Body::SigningPackage(package))) => Some((*attempt, package)),
            _ => None,
        }
    }

    /// The slot that it shows: run, index and nonces, with the attempt.
    pub fn slot(&self) -> Option<(Attempt, Incarnation, u32, SlotNonces)> {
        match &self.read {
            Ok((attempt, Body::Commitments(shown))) => {
                Some((*attempt, shown.run, shown.index, shown.slot.to_nonces()))
            }
            Ok((attempt, Body::SignatureShare(share))) => {
                let next = share.next.as_ref()?;
                Some((*attempt, next.run, next.index, next.slot.to_nonces()))
            }
            _ => None,
        }
    }
}

impl MessageLog {
    /// An empty log.
    pub fn new(case: Rc<Case>) -> Self {
        Self {
            case,
            statements: BTreeMap::new(),
            packages: BTreeMap::new(),
            by_run: BTreeMap::new(),
            slots: BTreeMap::new(),
            answers: BTreeMap::new(),
            issuers: BTreeMap::new(),
            signed: BTreeSet::new(),
        }
    }

    /// Reads what is sent. `None` if it is no message of this session by a member of this group.
    pub fn hear(&mut self, packet: &Packet) -> (Option<Rc<Statement>>, News) {
        if let Some(known) = self.statements.get(&packet.bytes) {
            return (known.clone(), News::Old);
        }
        let statement = self.read(packet).map(Rc::new);
        self.statements.insert(packet.bytes.clone(), statement.clone());
        let news = statement.as_ref().map_or(News::Old, |one| self.keep(one));
        (statement, news)
    }

    fn read(&self, packet: &Packet) -> Option<Statement> {
        let envelope = Envelope::parse(&packet.bytes).ok()?;
        let header = envelope.header();
        if header.group != self.case.group.id() || header.session != self.case.request.session_id()
        {
            return None;
        }
        let sender = envelope.sender(&self.case.group)?;
        // An honest node signs what it sends itself; any other sender may claim anything.
        let own_word = sender == packet.from && self.case.is_honest(sender);
        let signed = own_word || envelope.is_signed_by_its_sender(&self.case.group);
        let read = self.case.shape.read(&envelope);
        Some(Statement { hash: envelope.body_hash(), envelope, sender, signed, read })
    }

    fn keep(&mut self, statement: &Statement) -> News {
        if !statement.signed {
            return News::Claimed;
        }
        if !self.signed.insert(statement.hash) {
            return News::Old;
        }
        if let Some((attempt, _, _, nonces)) = statement.slot() {
            let (group, session) = (self.case.group.id(), self.case.request.session_id());
            let hash = nonces.hash(group, session, attempt, statement.sender);
            let known = self.slots.entry(hash).or_default();
            if !known.contains(&nonces) {
                known.push(nonces);
            }
        }
        if let Some((attempt, content)) = statement.package() {
            let known = Rc::new(KnownPackage {
                envelope: statement.envelope.clone(),
                hash: statement.hash,
                coordinator: statement.sender,
                attempt,
                content: content.clone(),
            });
            self.by_run.entry((attempt, content.run)).or_default().push(known.clone());
            self.packages.insert(statement.hash, known);
        }
        News::Said
    }

    /// An honest node has issued this package.
    pub fn issued(&mut self, package: BodyHash, node: usize) {
        self.issuers.insert(package, node);
    }

    /// A message is given to an honest node.
    pub fn delivered(&mut self, node: usize, statement: &Rc<Statement>, packet: &Packet) {
        let Some((attempt, share)) = statement.share() else { return };
        let Some(package) = self.packages.get(&share.package) else { return };
        let usable = statement.signed || statement.sender == packet.from;
        let is_for_it = self.issuers.get(&share.package) == Some(&node);
        if usable && is_for_it && package.attempt == attempt {
            self.answers
                .entry((share.package, statement.sender))
                .or_insert_with(|| statement.clone());
        }
    }

    /// The package with this body hash.
    pub fn package(&self, hash: BodyHash) -> Option<&Rc<KnownPackage>> {
        self.packages.get(&hash)
    }

    /// All packages of one run of an attempt, in the order in which they were sent.
    pub fn packages_of(&self, attempt: Attempt, run: Incarnation) -> &[Rc<KnownPackage>] {
        self.by_run.get(&(attempt, run)).map_or(&[], Vec::as_slice)
    }

    /// All nonces that were shown under this name; more than one only if the name does not bind
    /// them.
    pub fn nonces(&self, slot: SlotHash) -> &[SlotNonces] {
        self.slots.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// The share that a coordinator counted for a signer of its package. A coordinator's own share
    /// is never sent and is there at once.
    pub fn answer(&self, package: &KnownPackage, signer: Seat) -> Answer<'_> {
        if package.coordinator == signer {
            return Answer::Own;
        }
        match self.answers.get(&(package.hash, signer)) {
            Some(share) => Answer::Came(share),
            None => Answer::Owed,
        }
    }

    /// Whether a share that was received is right.
    pub fn check(&self, package: &KnownPackage, answer: &Statement) -> ShareCheck {
        let signer = answer.sender;
        let nonces = package.content.slot_of(signer).and_then(|slot| self.nonces(slot).first());
        match (nonces, answer.share()) {
            (Some(nonces), Some((_, share))) => {
                self.case.check_share(&package.content, signer, nonces, share)
            }
            _ => ShareCheck::Unknown,
        }
    }

    /// Whether this node issued the package.
    pub fn is_issuer(&self, node: usize, package: &KnownPackage) -> bool {
        self.issuers.get(&package.hash) == Some(&node)
    }

    /// The bad answers to a package to which all t have answered; `None` while one is owed, or
    /// where it cannot be computed.
    pub fn bad_answers(&self, package: &KnownPackage) -> Option<Vec<Rc<Statement>>> {
        let mut bad = Vec::new();
        for entry in &package.content.signers {
            match self.answer(package, entry.seat) {
                Answer::Own => {}
                Answer::Owed => return None,
                Answer::Came(share) => match self.check(package, share) {
                    ShareCheck::Right => {}
                    ShareCheck::Wrong => bad.push(share.clone()),
                    ShareCheck::Unknown => return None,
                },
            }
        }
        Some(bad)
    }
}

/// The state of a signer's answer to a package.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// It is the coordinator's own share, which is not sent.
    Own,
    /// A share that was given to the coordinator's node.
    Came(&'a Rc<Statement>),
    /// No share was received.
    Owed,
}
