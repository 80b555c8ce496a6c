//! A group with all its keys, which no node has together, and its nodes on a mesh.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use roastery_frost::{SecretShare, SigningKey, danger_trusted_dealer};
use roastery_node::{
    bus::{Bus, Mesh, MeshBus},
    driver::{Ended, LocalMember, Node, NodeHandle, SessionHandle},
};
use roastery_protocol::{
    Attempt, Incarnation, Seat, SessionId,
    clock::Moment,
    election::Order,
    engine::{Engine, EngineSession, FrostEngine, SlotContext, SlotId},
    group::{Group, Member, PeerId},
    keys::{HostKey, IdentityKey},
    message::{Body, Commitments, Envelope, Header, RefusalReason, Slot},
    request::{ApprovedRequest, Derivation, MessageToSign, Policy, SigningRequest, Step, Taproot},
    signing::{Outcome, Settings},
};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

/// Longer than any test runs.
pub const LONG: Duration = Duration::from_secs(3600);

pub const SECOND: Duration = Duration::from_secs(1);

pub fn seat(at: usize) -> Seat {
    Seat::new(at as u32).unwrap()
}

pub fn peer(seat: Seat) -> PeerId {
    PeerId::new(format!("peer {seat}")).unwrap()
}

/// A policy that allows everything.
pub struct Willing;

impl Policy for Willing {
    fn judge(&self, _: &SigningRequest, _: Step) -> Result<(), RefusalReason> {
        Ok(())
    }
}

pub struct Fixture {
    pub group: Arc<Group>,
    pub settings: Settings,
    pub policy: Arc<dyn Policy>,
    pub now: Moment,
    /// The number of messages of each request: 1 to 3, each under a key of its own.
    pub messages: usize,
    identities: Vec<Arc<IdentityKey>>,
    shares: Vec<Zeroizing<[u8; 32]>>,
}

impl Fixture {
    pub fn new(t: usize, n: usize) -> Self {
        Self::with_peers(t, n, peer)
    }

    /// A group whose members have these names on their network.
    pub fn with_peers(t: usize, n: usize, peer: impl Fn(Seat) -> PeerId) -> Self {
        let (keys, shares) = danger_trusted_dealer::deal(t, n, &mut getrandom::SysRng).unwrap();
        let identities: Vec<Arc<IdentityKey>> =
            (0..n).map(|at| Arc::new(IdentityKey::new(key(1, at)))).collect();
        let members = (0..n).map(|at| member(at, &identities[at], peer(seat(at)))).collect();
        Self {
            group: Arc::new(Group::new(keys, [7; 32], members).unwrap()),
            // The tests' monotonic clock runs ahead of the wall clock.
            settings: Settings { clock_tolerance: 1000 * LONG, ..Settings::default() },
            policy: Arc::new(Willing),
            now: Moment {
                monotonic: Duration::ZERO,
                wall: SystemTime::now().duration_since(UNIX_EPOCH).unwrap(),
            },
            messages: 3,
            identities,
            shares: shares.iter().map(SecretShare::expose_bytes).collect(),
        }
    }

    pub fn request(&self, id: u32) -> ApprovedRequest {
        self.request_for(id, LONG)
    }

    pub fn request_for(&self, id: u32, life: Duration) -> ApprovedRequest {
        let derivations = [
            Derivation { path: Vec::new(), taproot: Taproot::KeyPathOnly },
            Derivation { path: vec![0, 7], taproot: Taproot::Untweaked },
            Derivation { path: vec![1], taproot: Taproot::ScriptRoot([9; 32]) },
        ];
        let messages = derivations.into_iter().take(self.messages).enumerate();
        let messages = messages.map(|(at, derivation)| {
            let message = [at as u8; 32];
            MessageToSign { message, derivation }
        });
        let expiry = self.now.wall_seconds() + life.as_secs();
        let mut name = [0; 32];
        name[..4].copy_from_slice(&id.to_le_bytes());
        let request =
            SigningRequest::new(self.group.id(), name, expiry, messages.collect()).unwrap();
        ApprovedRequest::obtain(request, &self.group, self.policy.clone(), self.now).unwrap()
    }

    pub fn coordinator(&self, request: &ApprovedRequest, attempt: u32) -> Seat {
        let order = Order::of(request.session_id(), self.group.seats());
        order.coordinator(Attempt::new(attempt).unwrap())
    }

    /// All seats but these.
    pub fn all_but(&self, out: &[Seat]) -> Vec<Seat> {
        self.group.seats().filter(|seat| !out.contains(seat)).collect()
    }

    pub fn engine(&self, seat: Seat) -> FrostEngine {
        let share = SecretShare::from_bytes(self.shares[seat.index()].clone()).unwrap();
        FrostEngine::new(seat, self.group.keys().clone(), share)
    }

    pub fn member(&self, seat: Seat) -> LocalMember<FrostEngine> {
        self.member_with(seat, self.engine(seat))
    }

    pub fn member_with<E>(&self, seat: Seat, engine: E) -> LocalMember<E> {
        LocalMember {
            group: self.group.clone(),
            seat,
            identity: self.identities[seat.index()].clone(),
            engine,
            settings: self.settings,
        }
    }

    /// A message of a session, signed by this seat.
    pub fn seal(
        &self,
        sender: Seat,
        request: &ApprovedRequest,
        attempt: u32,
        body: &Body,
    ) -> Envelope {
        let (group, session) = (self.group.id(), request.session_id());
        let header = Header::new(body.kind(), group, session, attempt, sender.to_u16());
        Envelope::seal(header, body, &self.identities[sender.index()])
    }

    /// A message of this seat in any session, as bytes.
    pub fn seal_in(&self, sender: Seat, session: SessionId, body: &Body) -> Arc<[u8]> {
        let header = Header::new(body.kind(), self.group.id(), session, 0, sender.to_u16());
        Envelope::seal(header, body, &self.identities[sender.index()]).as_bytes().clone()
    }

    /// A slot of this seat, made by the test.
    pub fn slot(&self, seat: Seat, request: &ApprovedRequest, attempt: u32, index: u32) -> Slot {
        let mut session = self.engine(seat).open(request).unwrap();
        let slot = SlotId { attempt: Attempt::new(attempt).unwrap(), index };
        let context = SlotContext {
            session: request.session_id(),
            incarnation: self.run(seat),
            now: self.now,
        };
        Slot(session.commit(slot, &context).unwrap())
    }

    /// Commitments of this seat to the first attempt, made by the test.
    pub fn commitments(&self, seat: Seat, request: &ApprovedRequest, index: u32) -> Envelope {
        let slot = self.slot(seat, request, 0, index);
        let content = Commitments { run: self.run(seat), index, slot };
        self.seal(seat, request, 0, &Body::Commitments(content))
    }

    /// The run of this seat's messages that the test makes.
    pub fn run(&self, seat: Seat) -> Incarnation {
        Incarnation::new(self.now.wall.as_millis() as u64, [seat.index() as u8; 8])
    }

    /// The buses of these seats.
    pub fn join(&self, mesh: &Mesh, seats: &[Seat]) -> Vec<MeshBus> {
        seats.iter().map(|seat| mesh.join(peer(*seat)).unwrap()).collect()
    }

    /// A node of this seat, running.
    pub fn start(&self, bus: impl Bus + 'static, seat: Seat) -> Up {
        self.start_with(bus, self.member(seat))
    }

    pub fn start_with<E>(&self, bus: impl Bus + 'static, member: LocalMember<E>) -> Up
    where
        E: Engine<Session: 'static> + Send + Sync + 'static,
    {
        let seat = member.seat;
        let (node, handle) = Node::new(bus, member);
        Up { seat, handle, task: tokio::spawn(node.run()) }
    }

    /// The nodes of these seats, running on a mesh of their own.
    pub fn start_all(&self, seats: &[Seat]) -> (Mesh, Vec<Up>) {
        let mesh = Mesh::default();
        let buses = self.join(&mesh, seats);
        let nodes = buses.into_iter().zip(seats).map(|(bus, seat)| self.start(bus, *seat));
        let nodes = nodes.collect();
        (mesh, nodes)
    }
}

/// A running node.
pub struct Up {
    pub seat: Seat,
    pub handle: NodeHandle,
    pub task: JoinHandle<()>,
}

impl Up {
    pub async fn sign(&self, request: &ApprovedRequest) -> SessionHandle {
        self.handle.sign(request.clone(), LONG).await.unwrap()
    }
}

pub async fn sign_at(nodes: &[Up], request: &ApprovedRequest) -> Vec<SessionHandle> {
    let mut sessions = Vec::new();
    for node in nodes {
        sessions.push(node.sign(request).await);
    }
    sessions
}

/// Waits until a session ends with signatures, and verifies them for this request.
pub async fn signed(session: &SessionHandle, request: &ApprovedRequest) -> Outcome {
    let Some(Ended::Signed(outcome)) = session.ended().await else {
        panic!("not signed: {:?}", session.report().await);
    };
    assert_eq!(outcome.signatures.len(), request.keys().len());
    for (key, signature) in request.keys().iter().zip(&outcome.signatures) {
        assert!(signature.verify(&key.public_key(), &key.message));
    }
    outcome
}

pub async fn all_signed(sessions: &[SessionHandle], request: &ApprovedRequest) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for session in sessions {
        outcomes.push(signed(session, request).await);
    }
    outcomes
}

/// Lets every task run until it waits.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn key(kind: u8, at: usize) -> SigningKey {
    let mut bytes = [kind; 32];
    bytes[31] = at as u8;
    SigningKey::from_bytes(Zeroizing::new(bytes)).unwrap()
}

fn member(at: usize, identity: &IdentityKey, peer: PeerId) -> Member {
    let host = HostKey::new(key(100, at));
    let identity_key = identity.public_key();
    let binding = host.bind(&identity_key, &peer, 0);
    Member { host_key: host.public_key(), identity_key, peer, sequence: 0, binding }
}
