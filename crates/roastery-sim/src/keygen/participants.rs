use std::{collections::BTreeMap, sync::Arc};

use rand_chacha::{ChaCha8Rng, rand_core::Rng as _};
use roastery_frost::SigningKey;
use roastery_protocol::{
    KeygenId, Seat, TranscriptHash,
    clock::Moment,
    group::{Member, NamedMember},
    keygen::{
        Invitation, Keygen, NodeKeygen, NodeOpening, Opening, SeatOpening, Seed, Settings,
        SignedTranscript,
        message::{Header, Kind},
    },
    keys::{HostKey, IdentityKey},
    tags::{Tag, VERSION},
};
use zeroize::Zeroizing;

use crate::members::peer;

/// The keys and seeds of all members: no node of a real key generation ever has all of them.
#[derive(Debug)]
pub struct Participants {
    /// The invitation that all members have agreed on.
    pub invitation: Invitation,
    /// The seats of each node, by its first seat.
    nodes: BTreeMap<Seat, Vec<Seat>>,
    identities: Vec<Arc<IdentityKey>>,
    /// The identity keys once more, for messages that no honest code makes.
    pens: Vec<SigningKey>,
    hosts: Vec<SigningKey>,
    seeds: Vec<Zeroizing<[u8; 32]>>,
}

impl Participants {
    /// A threshold of t and nodes that hold so many seats each, with keys from this generator.
    ///
    /// # Panics
    ///
    /// If t and the number of seats are not those of a group: 2 <= t <= n <= 128.
    pub fn make(t: usize, seats: &[usize], rng: &mut ChaCha8Rng) -> Self {
        let n = seats.iter().sum();
        let nodes = nodes_of(seats);
        let first = |at: usize| {
            let of = nodes.iter().find(|(_, own)| own.iter().any(|seat| seat.index() == at));
            of.map_or(at, |(first, _)| first.index())
        };
        let (mut identities, mut pens, mut hosts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut members, mut seeds) = (Vec::new(), Vec::new());
        for at in 0..n {
            // A generator made of a seed does not fail.
            let mut key = || SigningKey::generate(rng).expect("a seeded generator does not fail");
            let (host, pen) = (key(), key());
            let identity = IdentityKey::new(copy(&pen));
            let (identity_key, peer) = (identity.public_key(), peer(first(at)));
            let binding = HostKey::new(copy(&host)).bind(&identity_key, &peer, 0);
            let host_key = host.plain_public_key();
            let member = Member { host_key, identity_key, peer, sequence: 0, binding };
            let name = format!("member {}", first(at)).parse().expect("letters, a space, digits");
            members.push(NamedMember { name, member });
            identities.push(Arc::new(identity));
            pens.push(pen);
            hosts.push(host);
            let mut seed = Zeroizing::new([0; 32]);
            rng.fill_bytes(seed.as_mut());
            seeds.push(seed);
        }
        let invitation = Invitation::new("simulated", 0, t, members).expect("t and n of a group");
        Self { invitation, nodes, identities, pens, hosts, seeds }
    }

    /// The seats of each node, by its first seat.
    pub fn nodes(&self) -> &BTreeMap<Seat, Vec<Seat>> {
        &self.nodes
    }

    /// The first seat of the node that holds this seat.
    pub fn node_of(&self, seat: Seat) -> Seat {
        self.nodes.range(..=seat).next_back().map_or(seat, |(first, _)| *first)
    }

    /// The seats of a node, by its first one.
    pub fn seats_of(&self, node: Seat) -> &[Seat] {
        self.nodes.get(&node).map_or(&[], Vec::as_slice)
    }

    /// The key generation's id.
    pub fn id(&self) -> KeygenId {
        self.invitation.id()
    }

    /// All seats in order.
    pub fn seats(&self) -> impl ExactSizeIterator<Item = Seat> + use<> {
        self.invitation.seats()
    }

    /// A seat's host key.
    pub fn host(&self, seat: Seat) -> HostKey {
        HostKey::new(copy(&self.hosts[seat.index()]))
    }

    /// A seat's host key, for signatures that no honest code makes.
    pub fn host_pen(&self, seat: Seat) -> &SigningKey {
        &self.hosts[seat.index()]
    }

    /// A seat's identity key, for signing with it outside of the key generation.
    pub fn pen(&self, seat: Seat) -> &SigningKey {
        &self.pens[seat.index()]
    }

    /// A seat's identity key.
    pub fn identity(&self, seat: Seat) -> &Arc<IdentityKey> {
        &self.identities[seat.index()]
    }

    /// A seat's seed, as its store gives it back after a restart.
    pub fn seed(&self, seat: Seat) -> Seed {
        Seed::from_bytes(self.seeds[seat.index()].clone())
    }

    /// Opens the key generation at a seat, which remembers this.
    pub fn open(
        &self,
        seat: Seat,
        signed: Option<TranscriptHash>,
        settings: Settings,
        now: Moment,
    ) -> Keygen {
        let opening = Opening {
            invitation: self.invitation.clone(),
            host: self.host(seat),
            identity: self.identity(seat).clone(),
            seed: self.seed(seat),
            signed,
            settings,
        };
        Keygen::open(opening, now).expect("a member opens with its own keys")
    }

    /// Opens the key generation at a node with what it has stored.
    pub fn open_node(
        &self,
        node: Seat,
        stored: &[SignedTranscript],
        settings: Settings,
        now: Moment,
    ) -> NodeKeygen {
        let seats = self.seats_of(node).iter().map(|&seat| {
            let signed = stored.iter().rev().find(|record| record.seat == seat);
            SeatOpening {
                host: self.host(seat),
                identity: self.identity(seat).clone(),
                seed: self.seed(seat),
                signed: signed.map(|record| record.transcript),
            }
        });
        let (invitation, seats) = (self.invitation.clone(), seats.collect());
        let opening = NodeOpening { invitation, seats, settings };
        NodeKeygen::open(opening, now).expect("a node opens with its own keys")
    }

    /// The bytes of a seat's secrets: host key and seed.
    pub fn secrets(&self, seat: Seat) -> [Zeroizing<[u8; 32]>; 2] {
        [self.hosts[seat.index()].expose_bytes(), self.seeds[seat.index()].clone()]
    }

    /// The transcript's name in this key generation, from its bytes.
    pub fn name_of(&self, transcript: &[u8]) -> TranscriptHash {
        TranscriptHash::from_bytes(Tag::Transcript.hash(&[self.id().as_bytes(), transcript]))
    }

    /// An envelope of this key generation around bytes that no encoder has made, signed by this
    /// seat as a message of this kind.
    pub fn seal(&self, seat: Seat, kind: Kind, content: &[u8]) -> Arc<[u8]> {
        self.seal_in(self.id(), seat, kind, content)
    }

    /// The same in any key generation.
    pub fn seal_in(&self, keygen: KeygenId, seat: Seat, kind: Kind, content: &[u8]) -> Arc<[u8]> {
        let mut body = Vec::with_capacity(Header::LENGTH + content.len());
        body.extend([VERSION, kind as u8]);
        body.extend(keygen.as_bytes());
        body.extend(seat.to_u16().to_le_bytes());
        body.extend(content);
        let signature = self.pen(seat).sign(&kind.tag().hash(&[&body]), &[0; 32]);
        [&signature.to_bytes()[..], &body].concat().into()
    }
}

/// The seats of each node, by its first seat.
pub(super) fn nodes_of(seats: &[usize]) -> BTreeMap<Seat, Vec<Seat>> {
    let mut next = 0..;
    let nodes = seats.iter().filter_map(|count| {
        let own: Vec<Seat> =
            next.by_ref().take(*count).filter_map(|at| Seat::new(at).ok()).collect();
        Some((*own.first()?, own))
    });
    nodes.collect()
}

pub(super) fn copy(key: &SigningKey) -> SigningKey {
    SigningKey::from_bytes(key.expose_bytes()).expect("the bytes of a key")
}
