//! Messages as an adversary makes them: every part chosen, signed with any key that it holds, under
//! any tag.
//!
//! Nothing here goes through the encoders of the library, so that a test of these bytes is a test
//! of the format.

pub mod files;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{Point, PublicNonce, Scalar, SigningKey};
use roastery_protocol::{
    GroupId, Incarnation, Seat, SessionId,
    engine::EngineSession,
    keys::IdentityKey,
    machine::Machine,
    message::{Body, Envelope, Header, Kind, Shape, SlotNonces},
    proof::{Fault, Proof, Verdict},
    request::SigningRequest,
    signing::{Rejected, Session},
    tags::Tag,
};
use zeroize::Zeroizing;

use super::{Fixture, World, peer};

/// The order of the group of secp256k1, big-endian: the least number that is no scalar.
pub const ORDER: [u8; 32] = {
    let mut order = [0xff; 32];
    let low: [u8; 17] = [
        0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36,
        0x41, 0x41,
    ];
    let mut at = 0;
    while at < low.len() {
        order[15 + at] = low[at];
        at += 1;
    }
    order
};

/// The greatest scalar.
pub const ORDER_LESS_ONE: [u8; 32] = {
    let mut bytes = ORDER;
    bytes[31] -= 1;
    bytes
};

/// An x coordinate that no point of the curve has.
pub const NO_POINT: [u8; 33] = {
    let mut bytes = [0; 33];
    bytes[0] = 2;
    bytes[32] = 5;
    bytes
};

/// The encoding of the point at infinity, where it is allowed.
pub const INFINITY: [u8; 33] = [0; 33];

/// k times the generator.
pub fn multiple(k: u128) -> Point {
    Scalar::try_from(k).unwrap().base_point_mul()
}

/// A public nonce, distinct for each `k`.
pub fn nonce(k: u128) -> PublicNonce {
    PublicNonce::from_bytes(&pair(
        &multiple(2 * k + 1).serialize(),
        &multiple(2 * k + 2).serialize(),
    ))
    .unwrap()
}

/// Two encodings of points side by side.
pub fn pair(first: &[u8; 33], second: &[u8; 33]) -> [u8; 66] {
    let mut bytes = [0; 66];
    bytes[..33].copy_from_slice(first);
    bytes[33..].copy_from_slice(second);
    bytes
}

/// The secret keys of one sort that fixtures are made with: 1 for the identity keys of
/// [`Fixture::new`], another number for those of another group, 100 for host keys.
pub struct SigningKeyOf(pub u8);

impl SigningKeyOf {
    pub fn at(&self, seat: usize) -> SigningKey {
        let mut bytes = [self.0; 32];
        bytes[31] = seat as u8;
        SigningKey::from_bytes(Zeroizing::new(bytes)).unwrap()
    }
}

/// A message in its parts. Integers are as wide as on the wire.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Raw {
    pub version: u8,
    pub kind: u8,
    pub group: [u8; 32],
    pub session: [u8; 32],
    pub attempt: u32,
    pub sender: u16,
    #[borsh(skip)]
    pub content: Vec<u8>,
}

impl Raw {
    pub fn new(group: GroupId, session: SessionId, kind: Kind, sender: Seat) -> Self {
        Raw {
            version: 1,
            kind: kind as u8,
            group: *group.as_bytes(),
            session: *session.as_bytes(),
            attempt: 0,
            sender: sender.to_u16(),
            content: Vec::new(),
        }
    }

    /// A message of the session of request 1.
    pub fn in_session(fixture: &Fixture, kind: Kind, sender: Seat) -> Self {
        Self::new(fixture.group.id(), fixture.signing_request(1).session_id(), kind, sender)
    }

    /// The parts of a message.
    pub fn of(envelope: &Envelope) -> Self {
        let header = envelope.header();
        Raw {
            version: header.version(),
            kind: header.kind_number(),
            group: *header.group.as_bytes(),
            session: *header.session.as_bytes(),
            attempt: header.attempt,
            sender: header.sender,
            content: envelope.content().to_vec(),
        }
    }

    pub fn content(mut self, content: &impl BorshSerialize) -> Self {
        self.content = borsh::to_vec(content).unwrap();
        self
    }

    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// The content, read as this type.
    pub fn read<T: BorshDeserialize>(&self) -> T {
        borsh::from_slice(&self.content).unwrap()
    }

    pub fn body(&self) -> Vec<u8> {
        let mut body = borsh::to_vec(self).unwrap();
        body.extend(&self.content);
        body
    }

    /// Signed by the sender that it names, under the tag of its kind.
    pub fn sealed(&self) -> Vec<u8> {
        self.signed_by(usize::from(self.sender))
    }

    /// Signed by this seat's key, no matter which sender is named, under the tag of its kind.
    pub fn signed_by(&self, seat: usize) -> Vec<u8> {
        let kind = Kind::from_number(self.kind).unwrap_or(Kind::Want);
        self.signed_under(kind.tag(), &SigningKeyOf(1).at(seat), [0; 32])
    }

    pub fn signed_under(&self, tag: Tag, key: &SigningKey, randomness: [u8; 32]) -> Vec<u8> {
        let body = self.body();
        let signature = key.sign(&tag.hash(&[&body]), &randomness);
        [&signature.to_bytes()[..], &body].concat()
    }

    /// With this signature, which need not be valid.
    pub fn with_signature(&self, signature: &[u8]) -> Vec<u8> {
        [signature, &self.body()].concat()
    }

    pub fn unsigned(&self) -> Vec<u8> {
        self.with_signature(&[0; 64])
    }
}

/// The content of commitments, and the slot that comes with a share.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RawSlot {
    pub run: Incarnation,
    pub index: u32,
    pub nonces: Vec<[u8; 66]>,
}

/// The content of a package.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RawPackage {
    pub run: Incarnation,
    pub number: u16,
    pub signers: Vec<(u16, [u8; 32])>,
    pub aggregates: Vec<[u8; 66]>,
}

/// The content of a share.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RawShare {
    pub package: [u8; 32],
    pub scalars: Vec<[u8; 32]>,
    pub next: Option<RawSlot>,
}

/// The content of final signatures.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RawSignature {
    pub package: [u8; 32],
    pub signatures: Vec<[u8; 64]>,
}

/// A slot, distinct for each `k`, with a nonce for each of so many messages.
pub fn raw_slot(k: u128, messages: usize) -> RawSlot {
    let nonces = (0..messages as u128).map(|at| nonce(100 * k + at).to_bytes()).collect();
    RawSlot { run: Incarnation::new(1, [k as u8; 8]), index: 0, nonces }
}

/// A package that names slots that no member has shown.
pub fn raw_package(seats: &[u16], messages: usize) -> RawPackage {
    let signers = seats.iter().map(|seat| (*seat, [*seat as u8; 32])).collect();
    let aggregates = (0..messages as u128).map(|at| nonce(900 + at).to_bytes()).collect();
    RawPackage { run: Incarnation::new(1, [1; 8]), number: 0, signers, aggregates }
}

/// The name of a slot of the session of request 1, in attempt 0.
pub fn slot_hash(fixture: &Fixture, signer: Seat, nonces: &[[u8; 66]]) -> [u8; 32] {
    let session = fixture.signing_request(1).session_id();
    let slot = SlotNonces(nonces.to_vec());
    *slot.hash(fixture.group.id(), session, roastery_protocol::Attempt::FIRST, signer).as_bytes()
}

/// The verdict of a verifier on one malformed message of this request.
pub fn verdict_on_form(fixture: &Fixture, request: SigningRequest, message: &[u8]) -> Verdict {
    let message = Envelope::parse(message).unwrap();
    Proof::new(request, Fault::MalformedMessage { message }).verify(&fixture.group)
}

/// Reads a message's bytes as a message of this shape and writes the body that was read again.
pub fn rewrite(shape: &Shape, bytes: &[u8], key: &IdentityKey) -> Option<(Body, Vec<u8>)> {
    let envelope = Envelope::parse(bytes).ok()?;
    let (attempt, body) = shape.read(&envelope).ok()?;
    let read = envelope.header();
    let header = Header::new(body.kind(), read.group, read.session, attempt.number(), read.sender);
    let again = Envelope::seal(header, &body, key);
    Some((body, again.body().to_vec()))
}

impl<S: EngineSession> World<S> {
    /// Delivers the messages in transit of this kind; the others stay in transit.
    pub fn deliver_all(&mut self, kind: Kind) {
        for packet in std::mem::take(&mut self.queue) {
            if packet.kind() == kind {
                let _ = self.deliver(packet.from, packet.to, &packet.bytes);
            } else {
                self.queue.push_back(packet);
            }
        }
    }

    /// The first message of this kind that this seat has sent.
    pub fn sent_by(&self, from: Seat, kind: Kind) -> Envelope {
        let sent = self.sent.iter().find(|packet| packet.from == from && packet.kind() == kind);
        sent.unwrap().envelope()
    }

    /// Gives a message to a session and asserts that nothing comes of it: nothing is sent, no event
    /// is reported, no member is blamed, and no secret nonce is used up.
    pub fn deliver_without_effect(&mut self, from: Seat, to: Seat, bytes: &[u8]) -> Rejected {
        let before = trace(self.session(to.index()));
        let (events, sent) = (self.events.len(), self.sent.len());
        let rejected = self.deliver(from, to, bytes).unwrap_err();
        assert_eq!(self.events.len(), events, "{rejected}: {:?}", self.events.last());
        assert_eq!(self.sent.len(), sent, "{rejected}");
        assert_eq!(trace(self.session(to.index())), before, "{rejected}");
        rejected
    }

    /// As [`World::deliver_without_effect`], on the link of a peer that holds no seat.
    pub fn deliver_from_outside(&mut self, name: &str, to: Seat, bytes: &[u8]) -> Rejected {
        let outsider = roastery_protocol::group::PeerId::new(name).unwrap();
        assert!(self.fixture.group.seats().all(|seat| peer(seat) != outsider));
        let now = self.now;
        let before = trace(self.session(to.index()));
        let session = self.session_mut(to.index());
        let rejected = session.handle_message(&outsider, bytes, now).unwrap_err();
        assert_eq!(session.poll_output(), None);
        assert_eq!(trace(self.session(to.index())), before);
        rejected
    }
}

/// The visible state of a session.
fn trace<S: EngineSession>(session: &Session<S>) -> (String, usize, Vec<usize>) {
    let kept = session.group().seats().map(|seat| session.bytes_kept_of(seat)).collect();
    (format!("{:?}", session.report()), session.live_slots(), kept)
}
