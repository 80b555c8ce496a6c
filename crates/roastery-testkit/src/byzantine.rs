//! Members driven by the test, with real keys and nonces, that may break the protocol; and a
//! random generator that repeats.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use rand_core::{TryCryptoRng, TryRng};
use roastery_frost::{
    NonceGenInputs, PartialSignature, Scalar, SecretNonce, SecretShare, SessionContext, SigningKey,
    danger, danger_trusted_dealer, nonce_agg, nonce_gen, sign,
};
use roastery_protocol::{
    Attempt, BodyHash, Incarnation, Seat, SlotHash,
    engine::{Engine, EngineSession, FakeEngine, FakeSession, FrostSession},
    group::Group,
    keys::IdentityKey,
    message::{
        Body, Commitments, Envelope, Kind, Malformation, NextSlot, Shape, SignatureShare,
        SignerSlot, SigningPackage, Slot,
    },
    proof::{Fault, Proof, ProvenFault, Verdict},
    signing::{Event, Rejected, Session, Settings},
};
use zeroize::Zeroizing;

use super::{Fixture, World, member, seat};

/// A small generator (splitmix64) from which schedules and test keys are drawn.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Chance(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, most: usize) -> usize {
        (self.number() % most as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

impl TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.number() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.number())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.chunks_mut(8).for_each(|chunk| {
            let drawn = self.number().to_le_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        });
        Ok(())
    }
}

impl TryCryptoRng for Chance {}

/// A slot with its secret nonces, as only its signer has it.
#[derive(Debug)]
pub struct OwnSlot {
    pub seat: Seat,
    pub attempt: u32,
    pub run: Incarnation,
    pub index: u32,
    pub secret: Vec<SecretNonce>,
    pub slot: Slot,
}

impl OwnSlot {
    pub fn shown(&self) -> (Seat, Slot) {
        (self.seat, self.slot.clone())
    }

    pub fn next(&self) -> NextSlot {
        NextSlot { run: self.run, index: self.index, slot: self.slot.clone() }
    }
}

/// An incarnation with a distinct value for each `which`; the greater is the newer.
pub fn run(which: u64) -> Incarnation {
    Incarnation::new(1_900_000_000_000 + which, [0; 8])
}

pub fn attempt(number: u32) -> Attempt {
    Attempt::new(number).unwrap()
}

/// The same scalars with a wrong one among them.
pub fn spoiled(scalars: &[PartialSignature]) -> Vec<PartialSignature> {
    spoiled_at(scalars, 0)
}

/// Another scalar in the message of this position.
pub fn spoiled_at(scalars: &[PartialSignature], position: usize) -> Vec<PartialSignature> {
    let mut scalars = scalars.to_vec();
    let mut bytes = scalars[position].to_bytes();
    bytes[31] ^= 1;
    scalars[position] = PartialSignature::from_bytes(&bytes).unwrap();
    scalars
}

/// Nonces whose secrets are these: k and k + 1 times `factor`, for each message.
pub fn chosen_nonces(k: u128, factor: Scalar, messages: usize) -> (Vec<SecretNonce>, Slot) {
    let scalar = |k: u128| Scalar::try_from(k).unwrap() * factor;
    let secret: Vec<SecretNonce> = (0..messages as u128)
        .map(|at| {
            let mut bytes = Zeroizing::new([0; 64]);
            bytes[..32].copy_from_slice(&scalar(k + 2 * at).serialize());
            bytes[32..].copy_from_slice(&scalar(k + 2 * at + 1).serialize());
            danger::secret_nonce_from_bytes(&bytes).unwrap()
        })
        .collect();
    let slot = Slot(secret.iter().map(|nonce| nonce.public_nonce().clone()).collect());
    (secret, slot)
}

impl Fixture {
    /// A group whose keys are drawn from a seed.
    pub fn seeded(t: usize, n: usize, seed: u64) -> Self {
        let mut fixture = Fixture::new(2, 2);
        let (keys, shares) = danger_trusted_dealer::deal(t, n, &mut Chance::new(seed)).unwrap();
        fixture.identities =
            (0..n).map(|at| Arc::new(IdentityKey::new(identity_secret(at)))).collect();
        let members = (0..n).map(|at| member(at, &fixture.identities[at])).collect();
        fixture.group = Arc::new(Group::new(keys, [7; 32], members).unwrap());
        fixture.shares = shares.iter().map(SecretShare::expose_bytes).collect();
        fixture
    }

    pub fn n(&self) -> usize {
        self.group.size()
    }

    pub fn coordinator_of(&self, attempt: u32) -> Seat {
        self.coordinator(&self.request(1), attempt)
    }

    /// All seats but these.
    pub fn seats_but(&self, not: &[Seat]) -> Vec<Seat> {
        self.group.seats().filter(|seat| !not.contains(seat)).collect()
    }

    /// Draws a slot as an engine does (BIP-445, NonceGen).
    pub fn draw(&self, seat: Seat, attempt: u32, run: Incarnation, index: u32) -> OwnSlot {
        self.draw_from(&mut getrandom::SysRng, seat, attempt, run, index)
    }

    pub fn draw_from<R: TryCryptoRng>(
        &self,
        rng: &mut R,
        seat: Seat,
        attempt: u32,
        run: Incarnation,
        index: u32,
    ) -> OwnSlot {
        let drawn = (0..self.messages).map(|_| nonce_gen(rng, &NonceGenInputs::default()).unwrap());
        let (secret, public) = drawn.unzip();
        OwnSlot { seat, attempt, run, index, secret, slot: Slot(public) }
    }

    pub fn slot_hash(&self, attempt_number: u32, seat: Seat, slot: &Slot) -> SlotHash {
        let session = self.signing_request(1).session_id();
        slot.to_nonces().hash(self.group.id(), session, attempt(attempt_number), seat)
    }

    pub fn commitments(&self, own: &OwnSlot) -> Envelope {
        let content = Commitments { run: own.run, index: own.index, slot: own.slot.clone() };
        self.seal(own.seat, own.attempt, &Body::Commitments(content))
    }

    /// The package of an honest coordinator that picks these slots.
    pub fn package(
        &self,
        attempt: u32,
        run: Incarnation,
        number: u16,
        slots: &[(Seat, Slot)],
    ) -> SigningPackage {
        let mut slots = slots.to_vec();
        slots.sort_by_key(|(seat, _)| *seat);
        let signers = slots
            .iter()
            .map(|(seat, slot)| SignerSlot {
                seat: *seat,
                slot: self.slot_hash(attempt, *seat, slot),
            })
            .collect();
        let aggregates = (0..self.messages)
            .map(|at| nonce_agg(slots.iter().map(|(_, slot)| &slot.0[at])))
            .collect();
        SigningPackage { run, number, signers, aggregates }
    }

    /// A package as the attempt's coordinator signs it.
    pub fn seal_package(&self, attempt: u32, package: &SigningPackage) -> Envelope {
        let coordinator = self.coordinator_of(attempt);
        self.seal(coordinator, attempt, &Body::SigningPackage(package.clone()))
    }

    /// Signs without an engine: the right scalars of this slot's signer for this package.
    pub fn sign(&self, own: OwnSlot, package: &SigningPackage) -> Vec<PartialSignature> {
        let signers = self.group.keys().signers(&package.seats()).unwrap();
        let request = self.request(1);
        own.secret
            .into_iter()
            .zip(request.keys().iter().zip(&package.aggregates))
            .map(|(nonce, (key, aggregate))| {
                let context =
                    SessionContext::new(&signers, aggregate, &key.tweaks, &key.message).unwrap();
                sign(nonce, &self.share(own.seat), own.seat, &context).unwrap()
            })
            .collect()
    }

    /// A share for a package, with the slot for the next one.
    pub fn seal_share(
        &self,
        sender: Seat,
        attempt: u32,
        package: BodyHash,
        scalars: Vec<PartialSignature>,
        next: Option<&OwnSlot>,
    ) -> Envelope {
        let content = SignatureShare { package, scalars, next: next.map(OwnSlot::next) };
        self.seal(sender, attempt, &Body::SignatureShare(content))
    }

    /// The content of a sound message of request 1.
    pub fn read(&self, envelope: &Envelope) -> Body {
        self.try_read(envelope).unwrap()
    }

    pub fn try_read(&self, envelope: &Envelope) -> Result<Body, Malformation> {
        let session = self.signing_request(1).session_id();
        Ok(Shape::new(&self.group, session, self.messages).read(envelope)?.1)
    }

    /// The slot that a message shows, if it shows one.
    pub fn slot_in(&self, envelope: &Envelope) -> Option<Slot> {
        match self.read(envelope) {
            Body::Commitments(content) => Some(content.slot),
            Body::SignatureShare(content) => content.next.map(|next| next.slot),
            _ => None,
        }
    }

    /// The verdict of a third party with the group file on a claim about request 1.
    pub fn verdict(&self, fault: Fault) -> Verdict {
        Proof::new(self.signing_request(1), fault).verify(&self.group)
    }
}

/// The secret identity key of a seat of [`Fixture::new`] and [`Fixture::seeded`].
pub fn identity_secret(at: usize) -> SigningKey {
    let mut bytes = [1; 32];
    bytes[31] = at as u8;
    SigningKey::from_bytes(Zeroizing::new(bytes)).unwrap()
}

/// A body that no encoder has made, signed by its sender as a message of this kind.
pub fn sealed_bytes(kind: Kind, sender: Seat, body: &[u8], randomness: [u8; 32]) -> Envelope {
    let digest = kind.tag().hash(&[body]);
    let signature = identity_secret(sender.index()).sign(&digest, &randomness);
    Envelope::parse(&[&signature.to_bytes()[..], body].concat()).unwrap()
}

impl World<FrostSession> {
    /// Sessions with the real engine at all seats but those that the test drives by hand.
    pub fn frost(fixture: Fixture, by_hand: &[Seat]) -> Self {
        let engines: Vec<_> = fixture
            .group
            .seats()
            .map(|seat| (!by_hand.contains(&seat)).then(|| fixture.frost(seat)))
            .collect();
        World::open(fixture, engines, Settings::default())
    }
}

impl World<FakeSession> {
    /// Sessions with the fake engine at all seats but those that the test drives by hand.
    pub fn fake(fixture: Fixture, by_hand: &[Seat]) -> (Self, Vec<FakeEngine>) {
        let engines = fixture.fake_engines();
        let present: Vec<_> = engines
            .iter()
            .map(|engine| {
                let seat = engine.seat();
                (!by_hand.contains(&seat)).then(|| engine.clone())
            })
            .collect();
        (World::open(fixture, present, Settings::default()), engines)
    }
}

impl<S: EngineSession> World<S> {
    /// What was sent to a seat, of one kind, in order.
    pub fn mail(&self, to: Seat, kind: Kind) -> Vec<Envelope> {
        let to_it = self.sent.iter().filter(|packet| packet.to == to && packet.kind() == kind);
        to_it.map(|packet| packet.envelope()).collect()
    }

    /// The newest slot that each signer has shown to a seat in an attempt.
    pub fn slots_shown(&self, to: Seat, attempt: u32) -> BTreeMap<Seat, Slot> {
        let shown = self.sent.iter().filter(|packet| {
            let kind = packet.kind();
            packet.to == to && matches!(kind, Kind::Commitments | Kind::SignatureShare)
        });
        shown
            .map(|packet| packet.envelope())
            .filter(|envelope| envelope.header().attempt == attempt)
            .filter_map(|envelope| {
                let slot = self.fixture.slot_in(&envelope)?;
                Some((seat(envelope.header().sender.into()), slot))
            })
            .collect()
    }

    /// The slots that these signers have shown to the coordinator of an attempt.
    pub fn slots_of(&self, attempt: u32, signers: &[Seat]) -> Vec<(Seat, Slot)> {
        let shown = self.slots_shown(self.fixture.coordinator_of(attempt), attempt);
        signers.iter().map(|signer| (*signer, shown[signer].clone())).collect()
    }

    /// A new session at a seat, in place of the one that was there if any: a restart, or a late
    /// start.
    pub fn open_again<E: Engine<Session = S>>(&mut self, seat: Seat, engine: &E, run: u64) {
        let request = self.fixture.request(1);
        let opening = self.fixture.opening(seat, &request, run, Settings::default());
        self.sessions[seat.index()] = Some(Session::open(opening, engine, self.now).unwrap());
        self.collect(seat);
    }

    /// Gives a message to a session on the link of the seat that it names as its sender.
    pub fn hand(&mut self, envelope: &Envelope, to: Seat) -> Result<(), Rejected> {
        self.deliver(seat(envelope.header().sender.into()), to, envelope.as_bytes())
    }

    /// As [`World::hand`], to all sessions.
    pub fn hand_to_all(&mut self, envelope: &Envelope) {
        for to in self.fixture.group.seats() {
            let _ = self.hand(envelope, to);
        }
    }

    pub fn findings(&self, at: Seat) -> Vec<ProvenFault> {
        self.session(at.index()).proofs().map(|(finding, _)| *finding).collect()
    }

    /// Whether no member is blamed anywhere.
    pub fn no_member_is_blamed(&self) -> bool {
        self.sessions.iter().flatten().all(|session| session.proofs().len() == 0)
    }

    /// The packages that a seat has issued: attempt, number, signers.
    pub fn issued_by(&self, by: Seat) -> Vec<(u32, u16, Vec<Seat>)> {
        let events = self.events.iter().filter(|(seat, _)| *seat == by);
        events
            .filter_map(|(_, event)| match event {
                Event::PackageIssued { attempt, number, signers } => {
                    Some((attempt.number(), *number, signers.clone()))
                }
                _ => None,
            })
            .collect()
    }
}
