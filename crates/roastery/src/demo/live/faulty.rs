//! A member that approves everything, and goes silent or sends bad shares.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use roastery_libp2p::{Endpoint, P2pSettings, TransportKey};
use roastery_node::{
    bus::{
        Bus, BusEvent, BusStats, Destination, SendError,
        mux::{Channel, Mux, MuxHandle, MuxLimits, Topic},
    },
    driver::{self, LocalMember, NodeHandle, SessionHandle},
};
use roastery_protocol::{
    group::{Group, PeerId},
    keys::IdentityKey,
    member::{
        frame::{Frame, Kind, StatementKind},
        machine::{Proposed, RequestOrigin},
    },
    request::{ApprovedRequest, Policy, Proposal, RefusalReason, SigningRequest, Step},
};
use roastery_service::{
    config::Config,
    files::{Folder, NodeCard},
};
use roastery_store::{KeptGroup, Store};
use tokio::{sync::mpsc, time::Instant};

use crate::demo::engine::{Conduct, DemoEngine};

/// How long the address of the node before may be in use.
const RELEASE: Duration = Duration::from_secs(20);

/// Until when a session is signed, after its request came.
const DEADLINE: Duration = Duration::from_secs(3600);

/// A member without a policy.
pub(super) struct Faulty {
    group: Arc<Group>,
    handle: NodeHandle,
    silent: Arc<AtomicBool>,
    /// The connections end with it.
    _mux: MuxHandle,
}

/// Approves everything.
#[derive(Debug)]
struct Anything;

impl Policy for Anything {
    fn judge(&self, _: &SigningRequest, _: Step) -> Result<(), RefusalReason> {
        Ok(())
    }
}

/// A bus that takes messages and, while its member is silent, sends nothing but proposals. Its
/// connections stay.
struct QuietBus {
    channel: Channel,
    silent: Arc<AtomicBool>,
}

impl Bus for QuietBus {
    fn local_peer(&self) -> &PeerId {
        self.channel.local_peer()
    }

    fn max_message_bytes(&self) -> usize {
        self.channel.max_message_bytes()
    }

    fn send(&mut self, to: Destination, message: &[u8]) -> Result<(), SendError> {
        let is_proposal = || {
            let kind = Frame::peek(message).map(|(kind, _)| kind);
            kind == Ok(Kind::Statement(StatementKind::Proposal))
        };
        if self.silent.load(Ordering::Relaxed) && !is_proposal() {
            return Ok(());
        }
        self.channel.send(to, message)
    }

    async fn receive(&mut self) -> Option<BusEvent> {
        self.channel.receive().await
    }

    fn round_trip(&self, peer: &PeerId) -> Option<Duration> {
        self.channel.round_trip(peer)
    }

    fn stats(&self) -> BusStats {
        self.channel.stats()
    }
}

impl Faulty {
    /// Runs the member of this store, whose node has ended.
    pub(super) async fn start(
        folder: &Folder,
        store: &Store,
        cards: &[NodeCard],
        conduct: Conduct,
    ) -> anyhow::Result<Self> {
        let keys = store.keys()?.context("the store has no keys")?;
        let KeptGroup { group, seats, .. } =
            store.groups()?.into_iter().next().context("the store has no group")?;
        let identities: Vec<Arc<IdentityKey>> =
            keys.identities.into_iter().map(|key| Arc::new(IdentityKey::new(key))).collect();
        let own = seats.into_iter().map(|(seat, share)| {
            let member = group.member(seat).map(|member| &member.identity_key);
            let identity = identities.iter().find(|one| member == Some(&one.public_key()));
            Ok((seat, identity.cloned().ok_or_else(|| anyhow!("no key of seat {seat}"))?, share))
        });
        let own: Vec<_> = own.collect::<anyhow::Result<_>>()?;
        let LocalMember { group, seats, engine, arithmetic, proofs, .. } =
            LocalMember::new(group, own);
        let engine = DemoEngine { engine, conduct };
        let last_incarnation = store.incarnation(group.id())?;
        let member = LocalMember {
            group: group.clone(),
            seats,
            engine,
            arithmetic,
            last_incarnation,
            proofs,
        };
        let transport = TransportKey::from_secret(&mut keys.transport.expose_bytes());
        let listen = Config::load(folder, |_| None)?.transport.listen;
        let until = Instant::now() + RELEASE;
        let endpoint = loop {
            match Endpoint::bind(transport.clone(), &listen, P2pSettings::default()).await {
                Ok(endpoint) => break endpoint,
                Err(error) if Instant::now() >= until => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        let peers = cards.iter().map(|card| (card.peer().clone(), card.whereabouts().usable().0));
        let (mux, connections) = Mux::new(endpoint.join(peers)?, MuxLimits::default())?;
        tokio::spawn(mux.run());
        let members = group.members().iter().map(|member| member.peer.clone());
        let channel = connections.open(Topic::Group(group.id()), members)?;
        let silent = Arc::new(AtomicBool::new(false));
        let bus = QuietBus { channel, silent: silent.clone() };
        let (mut node, handle) = driver::Node::new(bus, member)?;
        tokio::spawn(approve_all(node.proposals(), group.clone(), handle.clone()));
        tokio::spawn(node.run());
        Ok(Self { group, handle, silent, _mux: connections })
    }

    pub(super) fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// The time of its clock, in seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.handle.now().wall_seconds()
    }

    /// Proposes a request, coordinates it, and goes silent for so long: the others see that it is
    /// connected and hear nothing of it.
    pub(super) async fn propose_and_fall_silent(
        &self,
        proposal: Proposal,
        time: Duration,
    ) -> anyhow::Result<()> {
        self.silent.store(true, Ordering::Relaxed);
        let request = proposal.request.clone();
        // Before the others pass the proposal on, which would come here as theirs.
        sign(&self.handle, &self.group, request, RequestOrigin::Own).await?;
        self.handle.propose(proposal).await?;
        let silent = self.silent.clone();
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            silent.store(false, Ordering::Relaxed);
        });
        Ok(())
    }
}

async fn sign(
    handle: &NodeHandle,
    group: &Arc<Group>,
    request: SigningRequest,
    origin: RequestOrigin,
) -> anyhow::Result<SessionHandle> {
    let approved = ApprovedRequest::obtain(request, group, Arc::new(Anything), handle.now())?;
    Ok(handle.sign(approved, origin, DEADLINE).await?)
}

/// Approves whatever the others propose.
async fn approve_all(mut proposals: mpsc::Receiver<Proposed>, group: Arc<Group>, node: NodeHandle) {
    while let Some(Proposed { proposal, .. }) = proposals.recv().await {
        let session = proposal.request.session_id();
        if sign(&node, &group, proposal.request, RequestOrigin::Proposed).await.is_err() {
            // For example, it has expired on the way.
            node.decided(session).await;
        }
    }
}
