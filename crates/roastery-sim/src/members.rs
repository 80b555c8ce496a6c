//! A group with all its keys, made from a seed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rand_chacha::ChaCha8Rng;
use roastery_frost::{SecretShare, SigningKey, danger_trusted_dealer};
use roastery_protocol::{
    Seat, SessionId,
    group::{Group, Member, PeerId},
    keys::{HostKey, IdentityKey},
    member::frame::{Content, Control, ControlContent, Statement, StatementKind},
    request::{Derivation, MessageToSign, SigningRequest, Taproot},
};
use zeroize::Zeroizing;

/// When every simulation begins, by the wall clock.
pub const DAWN: Duration = Duration::from_secs(1_800_000_000);

/// How long a simulated request lives.
pub const LIFETIME: Duration = Duration::from_secs(5 * 24 * 60 * 60);

/// The keys of all members: no node of a real group ever has all of them.
#[derive(Debug)]
pub struct Members {
    /// The group.
    pub group: Arc<Group>,
    /// The seats of each node, by its first seat.
    nodes: BTreeMap<Seat, Vec<Seat>>,
    identities: Vec<Arc<IdentityKey>>,
    /// The identity keys once more, for messages that no honest code makes.
    pens: Vec<SigningKey>,
    shares: Vec<Zeroizing<[u8; 32]>>,
}

impl Members {
    /// A group of threshold t whose nodes hold so many seats each, with keys from this generator.
    ///
    /// # Panics
    ///
    /// If t and the number of seats are not those of a group: 2 <= t <= n <= 128.
    pub fn make(t: usize, seats: &[usize], rng: &mut ChaCha8Rng) -> Self {
        let n = seats.iter().sum();
        let (keys, shares) = danger_trusted_dealer::deal(t, n, rng).expect("t and n of a group");
        let mut identities = Vec::with_capacity(n);
        let mut pens = Vec::with_capacity(n);
        let mut members = Vec::with_capacity(n);
        let mut nodes = BTreeMap::new();
        for count in seats {
            let first = members.len();
            let own: Vec<Seat> = (first..first + count).filter_map(seat).collect();
            nodes.extend(own.first().copied().map(|seat| (seat, own)));
            for _ in 0..*count {
                // A generator made of a seed does not fail.
                let mut key =
                    || SigningKey::generate(rng).expect("a seeded generator does not fail");
                let (host, pen) = (HostKey::new(key()), key());
                let identity = IdentityKey::new(copy(&pen));
                let (peer, identity_key) = (peer(first), identity.public_key());
                let binding = host.bind(&identity_key, &peer, 0);
                let host_key = host.public_key();
                members.push(Member { host_key, identity_key, peer, sequence: 0, binding });
                identities.push(Arc::new(identity));
                pens.push(pen);
            }
        }
        let group = Group::new(keys, [7; 32], members).expect("keys of a dealer make a group");
        let shares = shares.iter().map(SecretShare::expose_bytes).collect();
        Self { group: Arc::new(group), nodes, identities, pens, shares }
    }

    /// A group whose nodes hold these seats, by their first one, with the identity keys and the
    /// secret shares of all seats in their order.
    pub fn of(
        group: Arc<Group>,
        nodes: BTreeMap<Seat, Vec<Seat>>,
        pens: Vec<SigningKey>,
        shares: Vec<Zeroizing<[u8; 32]>>,
    ) -> Self {
        Self {
            nodes,
            identities: pens.iter().map(|pen| Arc::new(IdentityKey::new(copy(pen)))).collect(),
            pens,
            shares,
            group,
        }
    }

    /// The first seat of each node, ascending.
    pub fn nodes(&self) -> Vec<Seat> {
        self.nodes.keys().copied().collect()
    }

    /// The seats of a node, by its first one.
    pub fn seats_of(&self, node: Seat) -> &[Seat] {
        self.nodes.get(&node).map_or(&[], Vec::as_slice)
    }

    /// The first seat of the node that holds this seat.
    pub fn node_of(&self, seat: Seat) -> Seat {
        self.nodes.range(..=seat).next_back().map_or(seat, |(first, _)| *first)
    }

    /// A seat's secret share.
    pub fn share(&self, seat: Seat) -> SecretShare {
        SecretShare::from_bytes(self.shares[seat.index()].clone()).expect("a dealer's share")
    }

    /// A seat's identity key.
    pub fn identity(&self, seat: Seat) -> &Arc<IdentityKey> {
        &self.identities[seat.index()]
    }

    /// A statement of this seat.
    pub fn state(&self, session: SessionId, seat: Seat, content: &Content) -> Arc<[u8]> {
        let statement =
            Statement::seal(self.group.id(), session, seat, content, self.identity(seat));
        statement.as_bytes().clone()
    }

    /// A control frame of one seat to another.
    pub fn tell(
        &self,
        session: SessionId,
        from: Seat,
        to: Seat,
        content: &ControlContent,
    ) -> Arc<[u8]> {
        Control::new(self.group.id(), session, from, to, content).as_bytes().clone()
    }

    /// A statement with this body, which no encoder has made, signed by this seat as one of this
    /// kind.
    pub fn seal_bytes(&self, seat: Seat, kind: StatementKind, body: &[u8]) -> Arc<[u8]> {
        let signature = self.pens[seat.index()].sign(&kind.tag().hash(&[body]), &[0; 32]);
        [&[1], &signature.to_bytes()[..], body].concat().into()
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
}

/// The peer of the node whose first seat has this number.
pub fn peer(at: usize) -> PeerId {
    PeerId::new(format!("peer {at}")).expect("a short name")
}

fn seat(at: usize) -> Option<Seat> {
    Seat::new(at as u32).ok()
}

fn copy(key: &SigningKey) -> SigningKey {
    SigningKey::from_bytes(key.expose_bytes()).expect("the bytes of a key")
}
