//! A group with all its keys, which no node has together, and its nodes on a mesh.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use roastery_frost::{SecretShare, SigningKey, danger_trusted_dealer};
use roastery_node::{
    bus::{Bus, Mesh, MeshBus},
    driver::{Ended, LocalMember, Node, NodeHandle, SessionHandle, SignError},
};
use roastery_protocol::{
    Seat, SessionId,
    clock::Moment,
    election::Order,
    group::{Group, Member, PeerId},
    keys::{HostKey, IdentityKey},
    member::{
        Incarnation,
        engine::{Engine, FrostArithmetic, FrostEngine},
        frame::{Content, Control, ControlContent, Refusal, Statement, Want},
        machine::{Outcome, RequestOrigin},
    },
    request::RefusalReason,
    request::{ApprovedRequest, Derivation, MessageToSign, Policy, SigningRequest, Step, Taproot},
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

/// A wall clock that moves as tokio's clock does, also where a test has stopped that one.
pub fn wall_clock() -> Duration {
    static BASE: OnceLock<(Instant, Duration)> = OnceLock::new();
    let (base, wall) = BASE.get_or_init(|| {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        (Instant::now(), wall)
    });
    *wall + tokio::time::Instant::now().into_std().saturating_duration_since(*base)
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
            policy: Arc::new(Willing),
            now: Moment { monotonic: Duration::ZERO, wall: wall_clock() },
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

    /// The seats in the order in which they coordinate this request.
    pub fn order(&self, request: &ApprovedRequest) -> Vec<Seat> {
        Order::of(request.session_id(), self.group.seats()).into_seats()
    }

    /// The seat of this place in that order.
    pub fn coordinator(&self, request: &ApprovedRequest, place: usize) -> Seat {
        self.order(request)[place]
    }

    /// All seats but these.
    pub fn all_but(&self, out: &[Seat]) -> Vec<Seat> {
        self.group.seats().filter(|seat| !out.contains(seat)).collect()
    }

    pub fn share(&self, seat: Seat) -> SecretShare {
        SecretShare::from_bytes(self.shares[seat.index()].clone()).unwrap()
    }

    pub fn identity(&self, seat: Seat) -> Arc<IdentityKey> {
        self.identities[seat.index()].clone()
    }

    pub fn engine(&self, seat: Seat) -> FrostEngine {
        let arithmetic = FrostArithmetic::new(self.group.keys().clone());
        FrostEngine::new(arithmetic, [(seat, self.share(seat))])
    }

    pub fn member(&self, seat: Seat) -> LocalMember<FrostEngine> {
        self.member_with(seat, self.engine(seat))
    }

    pub fn member_with<E>(&self, seat: Seat, engine: E) -> LocalMember<E> {
        LocalMember {
            group: self.group.clone(),
            seats: vec![(seat, self.identity(seat))],
            engine,
            arithmetic: FrostArithmetic::new(self.group.keys().clone()),
            last_incarnation: None,
            proofs: Vec::new(),
        }
    }

    /// A statement in a session, signed by this seat.
    pub fn seal(&self, sender: Seat, session: SessionId, content: &Content) -> Arc<[u8]> {
        let (group, identity) = (self.group.id(), &self.identities[sender.index()]);
        Statement::seal(group, session, sender, content, identity).as_bytes().clone()
    }

    /// A refusal of this seat in a session.
    pub fn refusal(&self, sender: Seat, session: SessionId, reason: RefusalReason) -> Arc<[u8]> {
        let content = Refusal { incarnation: self.incarnation(sender), counter: 1, reason };
        self.seal(sender, session, &Content::Refusal(content))
    }

    /// A question of one seat to another, in a session or about its stock.
    pub fn want(&self, sender: Seat, to: Seat, session: SessionId, want: Want) -> Arc<[u8]> {
        self.control(sender, to, session, &ControlContent::Want(want))
    }

    /// A control frame of one seat to another.
    pub fn control(
        &self,
        sender: Seat,
        to: Seat,
        session: SessionId,
        content: &ControlContent,
    ) -> Arc<[u8]> {
        let frame = Control::new(self.group.id(), session, sender, to, content);
        frame.as_bytes().clone()
    }

    /// The incarnation of this seat's messages that the test makes.
    pub fn incarnation(&self, seat: Seat) -> Incarnation {
        Incarnation::after(None, self.now.wall.as_millis() as u64, [seat.index() as u8; 8])
    }

    /// The buses of these seats.
    pub fn join(&self, mesh: &Mesh, seats: &[Seat]) -> Vec<MeshBus> {
        seats.iter().map(|seat| mesh.join(peer(*seat)).unwrap()).collect()
    }

    /// A node of this seat, running.
    pub fn start(&self, bus: impl Bus + 'static, seat: Seat) -> Up {
        self.start_with(bus, self.member(seat))
    }

    /// A node whose bus has reported to the test that all other members are connected.
    pub fn start_connected(&self, bus: impl Bus + 'static, seat: Seat) -> Up {
        let others = self.group.members().iter().map(|member| member.peer.clone());
        let others: Vec<PeerId> = others.filter(|peer| peer != bus.local_peer()).collect();
        let (node, handle) = self.node(bus, self.member(seat));
        Up { seat, handle, task: tokio::spawn(node.with_connected(others).run()) }
    }

    pub fn start_with<E: Engine + 'static>(
        &self,
        bus: impl Bus + 'static,
        member: LocalMember<E>,
    ) -> Up {
        let seat = member.seats[0].0;
        let (node, handle) = self.node(bus, member);
        Up { seat, handle, task: tokio::spawn(node.run()) }
    }

    /// A node whose clocks the test moves.
    pub fn node<B: Bus, E: Engine>(
        &self,
        bus: B,
        member: LocalMember<E>,
    ) -> (Node<B, E, FrostArithmetic>, NodeHandle) {
        Node::with_wall_clock(bus, member, wall_clock).unwrap()
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
    pub async fn try_sign(&self, request: &ApprovedRequest) -> Result<SessionHandle, SignError> {
        self.sign_until(request, LONG).await
    }

    /// Signs for so long at most.
    pub async fn sign_until(
        &self,
        request: &ApprovedRequest,
        deadline: Duration,
    ) -> Result<SessionHandle, SignError> {
        self.handle.sign(request.clone(), RequestOrigin::Proposed, deadline).await
    }

    pub async fn sign(&self, request: &ApprovedRequest) -> SessionHandle {
        self.try_sign(request).await.unwrap()
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
