//! The members that do not follow the protocol: one coalition that shares what it knows.

mod coordinating;
mod noise;

use roastery_protocol::machine::Machine;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_frost::{
    Seat,
    chilldkg::{ParticipantMsg1, Transcript},
};
use roastery_protocol::{
    TranscriptHash,
    clock::Moment,
    keygen::{
        Output, Settings,
        message::{Body, Envelope, Kind, Want},
    },
};

use self::noise::Foreign;
use super::{Fault, Participants, forging};
use crate::{members::peer, world::Packet};

/// The faulty members of a key generation, and what they know.
#[derive(Debug)]
pub struct Coalition {
    faults: BTreeMap<Seat, Fault>,
    /// The honest members, by seat.
    honest: Vec<Seat>,
    /// First messages of all, as far as a member of the coalition has received them.
    book: BTreeMap<Seat, ParticipantMsg1>,
    /// The other first messages of those that have two.
    others: BTreeMap<Seat, Arc<[u8]>>,
    /// Transcripts that were received or made, and the signatures of them.
    transcripts: BTreeMap<TranscriptHash, Transcript>,
    /// The messages that fixed them.
    shown: BTreeMap<TranscriptHash, Arc<[u8]>>,
    signed: BTreeMap<TranscriptHash, BTreeMap<Seat, [u8; 64]>>,
    forged: BTreeSet<TranscriptHash>,
    /// Sender and receiver of each wrong signature that was sent.
    wrong_sent: BTreeSet<(Seat, Seat)>,
    /// Members that have made their wrong transcript.
    coordinated: BTreeSet<Seat>,
    recorded: Vec<Arc<[u8]>>,
    foreign: Option<Foreign>,
    rng: ChaCha8Rng,
}

impl Coalition {
    /// A coalition of these members.
    pub fn new(participants: &Participants, faults: BTreeMap<Seat, Fault>, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed.rotate_left(9) ^ 0xc0a1);
        let honest = participants.seats().filter(|seat| !faults.contains_key(seat)).collect();
        let params = participants.invitation.params();
        let mut others = BTreeMap::new();
        for (&seat, fault) in &faults {
            if *fault == Fault::Equivocates
                && let Some(other) =
                    forging::another_first_message(participants.host_pen(seat), params, &mut rng)
            {
                others.insert(seat, participants.seal(seat, Kind::FirstMessage, &other.to_bytes()));
            }
        }
        let replays = faults.values().any(|fault| *fault == Fault::Replays);
        let foreign = if replays { Foreign::make(participants, &mut rng) } else { None };
        Self {
            book: own_messages(participants, &faults),
            faults,
            honest,
            coordinated: BTreeSet::new(),
            others,
            transcripts: BTreeMap::new(),
            shown: BTreeMap::new(),
            signed: BTreeMap::new(),
            forged: BTreeSet::new(),
            wrong_sent: BTreeSet::new(),
            recorded: Vec::new(),
            foreign,
            rng,
        }
    }

    /// Whether this seat is one of the coalition's.
    pub fn controls(&self, seat: Seat) -> bool {
        self.faults.contains_key(&seat)
    }

    /// The faulty members.
    pub fn faults(&self) -> &BTreeMap<Seat, Fault> {
        &self.faults
    }

    /// The honest member that a faulty one attacks, and another honest one, or itself if there is
    /// none.
    fn victims(&self, of: Seat) -> Option<(Seat, Seat)> {
        let victim = *self.honest.first()?;
        let other = self.honest.get(1).copied().unwrap_or(of);
        Some((victim, other))
    }

    /// Replaces a message that the honest code of one of its members sends.
    pub fn send(&mut self, participants: &Participants, packet: Packet) -> Vec<Packet> {
        let (from, to) = (packet.from, packet.to);
        let Some(&fault) = self.faults.get(&from) else { return vec![packet] };
        let Ok(envelope) = Envelope::parse(&packet.bytes) else { return vec![packet] };
        let author = envelope.sender(&participants.invitation).unwrap_or(from);
        self.learn(participants, author, &envelope);
        let kind = envelope.kind();
        if kind == Kind::FirstMessage && author != from && fault != Fault::Silent {
            // What another one has signed is passed on as it is.
            return vec![packet];
        }
        let bytes = match (fault, kind) {
            (Fault::Silent, _) => return Vec::new(),
            (Fault::SilentAfterFirst, kind) if kind != Kind::FirstMessage => return Vec::new(),
            (Fault::Mutates, _) => self.mutated(participants, from, &envelope),
            (_, Kind::FirstMessage) => self.first_message(participants, fault, to, from, &envelope),
            (_, Kind::Signature) => self.signature(participants, fault, to, from, &envelope),
            (_, Kind::Transcript) => {
                return self.transcript(participants, fault, to, from, &envelope);
            }
            (fault, Kind::Certificate) if fault.hides_certificate() => {
                return self.instead_of_certificate(participants, from, to, &envelope);
            }
            _ => packet.bytes,
        };
        vec![Packet { from, to, bytes }]
    }

    /// A member that follows the protocol still owes its signature to all, and the transcript to
    /// members that lack it.
    fn instead_of_certificate(
        &self,
        participants: &Participants,
        from: Seat,
        to: Seat,
        certificate: &Envelope,
    ) -> Vec<Packet> {
        let (content, n) = (certificate.content(), participants.invitation.size());
        let signatures = content.len().saturating_sub(64 * n);
        let own = signatures + 64 * from.index();
        let Some(own) = content.get(own..own + 64) else { return Vec::new() };
        let hash = participants.name_of(&content[..signatures]);
        let content = [hash.as_bytes().as_slice(), own].concat();
        let signature = participants.seal(from, Kind::Signature, &content);
        let packets = self.shown.get(&hash).cloned().into_iter().chain([signature]);
        packets.map(|bytes| Packet { from, to, bytes }).collect()
    }

    fn first_message(
        &mut self,
        participants: &Participants,
        fault: Fault,
        to: Seat,
        from: Seat,
        envelope: &Envelope,
    ) -> Arc<[u8]> {
        use forging::FirstMessage as At;
        let params = participants.invitation.params();
        let mut content = envelope.content().to_vec();
        match fault {
            Fault::BadShareToOne => {
                if let Some((victim, _)) = self.victims(from) {
                    forging::add_one(&mut content, At::share(params, victim));
                }
            }
            Fault::BadShareToAll => {
                for seat in participants.seats().filter(|seat| *seat != from) {
                    forging::add_one(&mut content, At::share(params, seat));
                }
            }
            Fault::BadProof => forging::flip(&mut content, At::proof(params) + 40, 1),
            Fault::BadNonce => forging::spoil_point(&mut content, At::nonce(params)),
            Fault::BadCommitment => forging::to_infinity(&mut content, At::COMMITMENT),
            Fault::Equivocates if to.index() % 2 == 1 => {
                let other = self.others.get(&from);
                return other.unwrap_or(envelope.as_bytes()).clone();
            }
            Fault::EquivocatesInShares if to.index() % 2 == 1 => {
                forging::shift_second_coefficient(&mut content, params);
            }
            _ => return envelope.as_bytes().clone(),
        }
        participants.seal(from, Kind::FirstMessage, &content)
    }

    fn signature(
        &mut self,
        participants: &Participants,
        fault: Fault,
        to: Seat,
        from: Seat,
        envelope: &Envelope,
    ) -> Arc<[u8]> {
        let is_wrong = match fault {
            Fault::BadSignature => true,
            Fault::WrongThenRight => self.wrong_sent.insert((from, to)),
            _ => false,
        };
        if !is_wrong {
            return envelope.as_bytes().clone();
        }
        let mut content = envelope.content().to_vec();
        forging::flip(&mut content, 70, 1);
        participants.seal(from, Kind::Signature, &content)
    }

    /// Whether the honest code of one of its members is given this while it has no certificate.
    pub fn lets_through(&self, packet: &Packet) -> bool {
        let leaves = self.faults.get(&packet.to).is_some_and(|fault| fault.leaves_coordinating());
        let kind = Envelope::parse(&packet.bytes).map(|envelope| envelope.kind());
        !leaves || kind != Ok(Kind::FirstMessage)
    }

    /// One of its members receives a message. Returns what it sends at once in consequence.
    pub fn receive(&mut self, participants: &Participants, packet: &Packet) -> Vec<Packet> {
        let Some(&fault) = self.faults.get(&packet.to) else { return Vec::new() };
        let Ok(envelope) = Envelope::parse(&packet.bytes) else { return Vec::new() };
        if envelope.header().keygen != participants.id()
            || !envelope.is_signed_by_its_sender(&participants.invitation)
        {
            return Vec::new();
        }
        let Some(sender) = envelope.sender(&participants.invitation) else { return Vec::new() };
        self.keep(&packet.bytes);
        let new = self.learn(participants, sender, &envelope);
        let mut packets = Vec::new();
        if let Some(hash) = new
            && fault.signs_everything()
        {
            packets.extend(self.sign(participants, packet.to, hash));
        }
        if fault.leaves_coordinating() && envelope.kind() == Kind::FirstMessage {
            packets.extend(self.coordinate(participants, fault, packet.to));
        }
        if let (Fault::FramesInInvestigation, Kind::Want) = (fault, envelope.kind()) {
            packets.extend(self.answer_falsely(participants, packet.to, sender, &envelope));
        }
        if fault == Fault::ForgesCertificate {
            packets.extend(self.forge_certificates(participants, packet.to));
        }
        packets
    }

    /// Records a message; returns the hash of a transcript that was not known.
    fn learn(
        &mut self,
        participants: &Participants,
        sender: Seat,
        envelope: &Envelope,
    ) -> Option<TranscriptHash> {
        match Body::read(envelope, participants.invitation.params()).ok()? {
            Body::FirstMessage(message) => {
                self.book.entry(sender).or_insert(message);
                None
            }
            Body::Transcript(message) => {
                let transcript =
                    Transcript::new(participants.invitation.params(), &message).ok()?;
                let new = self.meet(participants, transcript)?;
                self.shown.insert(new, envelope.as_bytes().clone());
                Some(new)
            }
            Body::Signature(content) => {
                let signed = self.signed.entry(content.transcript).or_default();
                signed.insert(sender, content.signature.to_bytes());
                None
            }
            _ => None,
        }
    }

    fn meet(
        &mut self,
        participants: &Participants,
        transcript: Transcript,
    ) -> Option<TranscriptHash> {
        let hash = participants.name_of(transcript.as_bytes());
        self.transcripts.insert(hash, transcript).is_none().then_some(hash)
    }

    /// Signs a transcript, and sends the signature to all.
    fn sign(
        &mut self,
        participants: &Participants,
        seat: Seat,
        hash: TranscriptHash,
    ) -> Vec<Packet> {
        let Some(transcript) = self.transcripts.get(&hash) else { return Vec::new() };
        let signature =
            forging::sign_transcript(participants.host_pen(seat), seat, transcript.as_bytes())
                .to_bytes();
        self.signed.entry(hash).or_default().insert(seat, signature);
        let content = [hash.as_bytes().as_slice(), &signature].concat();
        to_all(participants, seat, &participants.seal(seat, Kind::Signature, &content))
    }
}

/// The first messages of these members.
fn own_messages(
    participants: &Participants,
    faults: &BTreeMap<Seat, Fault>,
) -> BTreeMap<Seat, ParticipantMsg1> {
    let now = Moment { monotonic: Duration::ZERO, wall: Duration::ZERO };
    let own = faults.keys().filter_map(|&seat| {
        let mut machine = participants.open(seat, None, Settings::default(), now);
        let asking = participants.seats().find(|other| *other != seat)?;
        let want = Body::Want(Want::FirstMessage);
        let want = Envelope::seal(participants.id(), asking, &want, participants.identity(asking));
        let _ = machine.handle_message(
            &peer(participants.node_of(asking).index()),
            want.as_bytes(),
            now,
        );
        std::iter::from_fn(|| machine.poll_output()).find_map(|output| {
            let Output::Send { bytes, .. } = output else { return None };
            let envelope = Envelope::parse(&bytes).ok()?;
            match Body::read(&envelope, participants.invitation.params()) {
                Ok(Body::FirstMessage(message)) => Some((seat, message)),
                _ => None,
            }
        })
    });
    own.collect()
}

/// The same bytes to all members.
fn to_all(participants: &Participants, from: Seat, bytes: &Arc<[u8]>) -> Vec<Packet> {
    let others = participants.seats().filter(|to| *to != from);
    others.map(|to| Packet { from, to, bytes: bytes.clone() }).collect()
}
