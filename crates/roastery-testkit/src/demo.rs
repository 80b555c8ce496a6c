//! Shared by the examples: a group with all its keys, which no node has together, and a request
//! that all its nodes sign.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use getrandom::SysRng;
use roastery_frost::{Signature, SigningKey, danger_trusted_dealer};
use roastery_node::{
    bus::Bus,
    driver::{Ended, LocalMember, Node, NodeHandle},
};
use roastery_protocol::{
    group::{Group, Member, PeerId},
    keys::{HostKey, IdentityKey},
    member::{engine::FrostEngine, machine::RequestOrigin},
    request::RefusalReason,
    request::{
        ApprovedRequest, Derivation, MessageKey, MessageToSign, Policy, SigningRequest, Step,
    },
};

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The life of requests, in seconds. A node keeps the outcome of a session for as long, if there is
/// room.
const LIFETIME: u64 = 3600;

/// Names for peers inside one process.
pub fn peers(count: usize) -> Result<Vec<PeerId>> {
    (0..count).map(|at| Ok(PeerId::new(format!("peer {at}"))?)).collect()
}

/// A group, and a member of it for each of these peers. The dealer knows all shares, and could sign
/// alone: for demonstrations only.
pub fn deal(
    threshold: usize,
    peers: &[PeerId],
) -> Result<(Arc<Group>, Vec<LocalMember<FrostEngine>>)> {
    let (keys, shares) = danger_trusted_dealer::deal(threshold, peers.len(), &mut SysRng)?;
    let (mut members, mut identities) = (Vec::new(), Vec::new());
    for peer in peers {
        let host = HostKey::new(SigningKey::generate(&mut SysRng)?);
        let identity = IdentityKey::new(SigningKey::generate(&mut SysRng)?);
        let (identity_key, peer) = (identity.public_key(), peer.clone());
        let (host_key, binding) = (host.public_key(), host.bind(&identity_key, &peer, 0));
        members.push(Member { host_key, identity_key, peer, sequence: 0, binding });
        identities.push(Arc::new(identity));
    }
    let group = Arc::new(Group::new(keys, [0; 32], members)?);
    let seats = group.seats().zip(shares).zip(identities);
    let members = seats.map(|((seat, share), identity)| {
        LocalMember::new(group.clone(), [(seat, identity, share)])
    });
    Ok((group.clone(), members.collect()))
}

/// A node of each member, on the bus of its peer.
pub fn start<B: Bus + 'static>(
    members: Vec<LocalMember<FrostEngine>>,
    buses: Vec<B>,
) -> Result<Vec<NodeHandle>> {
    let nodes = members.into_iter().zip(buses).map(|(member, bus)| {
        let (node, handle) = Node::new(bus, member)?;
        tokio::spawn(node.run());
        Ok(handle)
    });
    nodes.collect()
}

/// The same, of members that are all connected: the buses have reported it already.
pub fn start_connected<B: Bus + 'static>(
    members: Vec<LocalMember<FrostEngine>>,
    buses: Vec<B>,
) -> Result<Vec<NodeHandle>> {
    let peers: Vec<PeerId> = buses.iter().map(|bus| bus.local_peer().clone()).collect();
    let nodes = members.into_iter().zip(buses).map(|(member, bus)| {
        let own = bus.local_peer().clone();
        let (node, handle) = Node::new(bus, member)?;
        let others = peers.iter().filter(|peer| **peer != own).cloned();
        tokio::spawn(node.with_connected(others).run());
        Ok(handle)
    });
    nodes.collect()
}

/// The policy of a node here: it allows everything. A real policy checks every field.
struct SignsAnything;

impl Policy for SignsAnything {
    fn judge(&self, _: &SigningRequest, _: Step) -> std::result::Result<(), RefusalReason> {
        Ok(())
    }
}

/// The result of a request.
pub struct Signed {
    /// What was signed, and by which key.
    pub key: MessageKey,
    pub signature: Signature,
    /// From when the first node was asked until the last one had the signature.
    pub took: Duration,
}

/// Has all nodes sign a message of this number.
pub async fn sign(group: &Group, nodes: &[NodeHandle], number: u64) -> Result<Signed> {
    let mut message = [0; 32];
    message[..8].copy_from_slice(&number.to_le_bytes());
    let asked = MessageToSign { message, derivation: Derivation::key_path_only() };
    let expiry = nodes[0].now().wall_seconds() + LIFETIME;
    let request = SigningRequest::new(group.id(), message, expiry, vec![asked])?;
    let mut approved = Vec::new();
    for node in nodes {
        let (request, policy) = (request.clone(), Arc::new(SignsAnything));
        approved.push(ApprovedRequest::obtain(request, group, policy, node.now())?);
    }
    let (key, start) = (approved[0].keys()[0].clone(), Instant::now());
    let mut sessions = Vec::new();
    for (node, approved) in nodes.iter().zip(approved) {
        sessions
            .push(node.sign(approved, RequestOrigin::Proposed, Duration::from_secs(300)).await?);
    }
    let mut signature = None;
    for session in &sessions {
        let Some(Ended::Signed(end)) = session.ended().await else { return Err("stopped".into()) };
        signature = end.signatures.first().copied();
    }
    Ok(Signed { key, signature: signature.ok_or("no nodes")?, took: start.elapsed() })
}
