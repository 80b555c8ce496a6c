//! A group with all its keys, made from a seed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use roastery_frost::{SecretShare, SigningKey, danger_trusted_dealer};
use roastery_protocol::{
    Incarnation, Seat,
    clock::Moment,
    engine::{Engine, FakeEngine, FrostEngine},
    group::{Group, Member, PeerId},
    keys::{HostKey, IdentityKey},
    message::{Kind, RefusalReason},
    request::{ApprovedRequest, Derivation, MessageToSign, Policy, SigningRequest, Step, Taproot},
    signing::{Opening, PeerHistory, Session, Settings},
};
use zeroize::Zeroizing;

use crate::keygen::Participants;

/// When every simulation begins, by the wall clock.
pub const DAWN: Duration = Duration::from_secs(1_800_000_000);

/// How long a simulated request lives.
pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The keys of all members: no node of a real group ever has all of them.
#[derive(Debug)]
pub struct Members {
    /// The group.
    pub group: Arc<Group>,
    identities: Vec<Arc<IdentityKey>>,
    /// The identity keys once more, for messages that no honest code makes.
    pens: Vec<SigningKey>,
    shares: Vec<Zeroizing<[u8; 32]>>,
}

/// What an engine for simulations can do: be made of a seat's share and a seed.
pub trait SimulatedEngine: Engine {
    /// Whether its shares and signatures are those of BIP-445, which a third party can check.
    const REAL: bool;

    /// The engine of a seat, whose nonces come from this seed.
    fn make(members: &Members, seat: Seat, seed: u64) -> Self;

    /// How many single shares it was asked to check, if it counts.
    fn share_checks(&self) -> Option<usize>;
}

impl SimulatedEngine for FrostEngine<ChaCha8Rng> {
    const REAL: bool = true;

    fn make(members: &Members, seat: Seat, seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        FrostEngine::with_rng(seat, members.group.keys().clone(), members.share(seat), rng)
    }

    fn share_checks(&self) -> Option<usize> {
        None
    }
}

impl SimulatedEngine for FakeEngine {
    const REAL: bool = false;

    fn make(_: &Members, seat: Seat, _: u64) -> Self {
        FakeEngine::new(seat)
    }

    fn share_checks(&self) -> Option<usize> {
        Some(self.calls().check_share)
    }
}

#[derive(Debug)]
struct Willing;

impl Policy for Willing {
    fn judge(&self, _: &SigningRequest, _: Step) -> Result<(), RefusalReason> {
        Ok(())
    }
}

impl Members {
    /// t of n, with keys from this generator.
    ///
    /// # Panics
    ///
    /// If t and n are not those of a group: 2 <= t <= n <= 128.
    pub fn make(t: usize, n: usize, rng: &mut ChaCha8Rng) -> Self {
        let (keys, shares) = danger_trusted_dealer::deal(t, n, rng).expect("t and n of a group");
        let mut identities = Vec::with_capacity(n);
        let mut pens = Vec::with_capacity(n);
        let mut members = Vec::with_capacity(n);
        for at in 0..n {
            // A generator made of a seed does not fail.
            let mut key = || SigningKey::generate(rng).expect("a seeded generator does not fail");
            let (host, pen) = (HostKey::new(key()), key());
            let identity = SigningKey::from_bytes(pen.expose_bytes()).expect("the bytes of a key");
            let identity = IdentityKey::new(identity);
            let peer = peer(at);
            let identity_key = identity.public_key();
            let binding = host.bind(&identity_key, &peer, 0);
            let host_key = host.public_key();
            members.push(Member { host_key, identity_key, peer, sequence: 0, binding });
            identities.push(Arc::new(identity));
            pens.push(pen);
        }
        let group = Group::new(keys, [7; 32], members).expect("keys of a dealer make a group");
        let shares = shares.iter().map(SecretShare::expose_bytes).collect();
        Self { group: Arc::new(group), identities, pens, shares }
    }

    /// Those whose keys a key generation has made.
    pub fn of_keygen(
        participants: &Participants,
        group: Arc<Group>,
        shares: &BTreeMap<Seat, SecretShare>,
    ) -> Self {
        let copy = |seat| {
            SigningKey::from_bytes(participants.pen(seat).expose_bytes())
                .expect("the bytes of a key")
        };
        Self {
            identities: group.seats().map(|seat| participants.identity(seat).clone()).collect(),
            pens: group.seats().map(copy).collect(),
            shares: shares.values().map(SecretShare::expose_bytes).collect(),
            group,
        }
    }

    /// A seat's secret share.
    pub fn share(&self, seat: Seat) -> SecretShare {
        SecretShare::from_bytes(self.shares[seat.index()].clone()).expect("a dealer's share")
    }

    /// A seat's identity key.
    pub fn identity(&self, seat: Seat) -> &Arc<IdentityKey> {
        &self.identities[seat.index()]
    }

    /// An envelope around bytes that no encoder has made, signed by this seat as a message of this
    /// kind.
    pub fn seal_bytes(&self, seat: Seat, kind: Kind, body: &[u8]) -> Vec<u8> {
        let signature = self.pens[seat.index()].sign(&kind.tag().hash(&[body]), &[0; 32]);
        [&signature.to_bytes()[..], body].concat()
    }

    /// A request for this many messages; `id` tells it from others.
    pub fn request(&self, id: u64, messages: usize) -> SigningRequest {
        let mut request_id = [0; 32];
        request_id[..8].copy_from_slice(&id.to_le_bytes());
        let messages = (0..messages)
            .map(|at| MessageToSign {
                message: [at as u8; 32],
                derivation: Derivation { path: vec![at as u32], taproot: Taproot::KeyPathOnly },
            })
            .collect();
        let expiry = (DAWN + LIFETIME).as_secs();
        SigningRequest::new(self.group.id(), request_id, expiry, messages)
            .expect("1 to 64 messages with unhardened paths")
    }

    /// Opens a session at a seat, as a run of its own.
    pub fn open<E: SimulatedEngine>(
        &self,
        seat: Seat,
        request: &SigningRequest,
        (settings, record): (Settings, PeerHistory),
        now: Moment,
        rng: &mut ChaCha8Rng,
    ) -> (Session<E::Session>, E) {
        let approved =
            ApprovedRequest::obtain(request.clone(), &self.group, Arc::new(Willing), now)
                .expect("a simulated request is the group's and lives");
        let mut random = [0; 8];
        rng.fill_bytes(&mut random);
        let opening = Opening {
            group: self.group.clone(),
            seat,
            identity: self.identity(seat).clone(),
            request: approved,
            incarnation: Incarnation::new(now.wall.as_millis() as u64, random),
            settings,
            record,
        };
        let engine = E::make(self, seat, rng.next_u64());
        let session =
            Session::open(opening, &engine, now).expect("a member opens with its own keys");
        (session, engine)
    }
}

/// The peer that holds the seat of this number.
pub fn peer(at: usize) -> PeerId {
    PeerId::new(format!("peer {at}")).expect("a short name")
}
