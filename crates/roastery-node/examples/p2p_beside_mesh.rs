//! A whole group on this machine, first on a mesh inside the process and then over real connections, signs the same
//! number of requests: `cargo run --release -p roastery-node --features libp2p --example p2p_beside_mesh -- --signers
//! 100 --threshold 67`. With `--transport quic` the connections are QUIC.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use getrandom::SysRng;
use roastery_frost::{SecretShare, SigningKey, danger_trusted_dealer};
use roastery_node::{
    bus::{
        Bus, BusEvent, Mesh, PeerId,
        p2p::{Endpoint, Multiaddr, P2pSettings, TransportKey},
    },
    driver::{Ended, LocalMember, Node, NodeHandle},
};
use roastery_protocol::{
    engine::FrostEngine,
    group::{Group, Member},
    keys::{HostKey, IdentityKey},
    message::RefusalReason,
    request::{ApprovedRequest, Derivation, MessageToSign, Policy, SigningRequest, Step},
    session::Settings,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How many requests each group signs.
const ROUNDS: u8 = 11;

/// What these nodes sign.
struct SignsAnything;

impl Policy for SignsAnything {
    fn judge(&self, _: &SigningRequest, _: Step) -> std::result::Result<(), RefusalReason> {
        Ok(())
    }
}

struct Asked {
    signers: usize,
    threshold: usize,
    listen: Multiaddr,
}

impl Asked {
    fn from_arguments() -> Result<Self> {
        let listen = "/ip4/127.0.0.1/tcp/0".parse()?;
        let mut asked = Self { signers: 5, threshold: 3, listen };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match (name.as_str(), value.as_str()) {
                ("--signers", number) => asked.signers = number.parse()?,
                ("--threshold", number) => asked.threshold = number.parse()?,
                ("--transport", "tcp") => {}
                ("--transport", "quic") => asked.listen = "/ip4/127.0.0.1/udp/0/quic-v1".parse()?,
                _ => return Err(format!("{name} {value} is not known").into()),
            }
        }
        Ok(asked)
    }
}

/// A group with all its keys, as no node has them.
struct Keys {
    group: Arc<Group>,
    shares: Vec<SecretShare>,
    identities: Vec<Arc<IdentityKey>>,
}

impl Keys {
    /// A dealer who knows all shares, and so could sign alone: for demonstrations only.
    fn deal(asked: &Asked, peers: &[PeerId]) -> Result<Self> {
        let (keys, shares) =
            danger_trusted_dealer::deal(asked.threshold, asked.signers, &mut SysRng)?;
        let (mut members, mut identities) = (Vec::new(), Vec::new());
        for peer in peers {
            let host = HostKey::new(SigningKey::generate(&mut SysRng)?);
            let identity = IdentityKey::new(SigningKey::generate(&mut SysRng)?);
            let (identity_key, peer) = (identity.public_key(), peer.clone());
            let (host_key, binding) = (host.public_key(), host.bind(&identity_key, &peer, 0));
            members.push(Member { host_key, identity_key, peer, sequence: 0, binding });
            identities.push(Arc::new(identity));
        }
        Ok(Self { group: Arc::new(Group::new(keys, [0; 32], members)?), shares, identities })
    }

    /// A node of each seat, on these buses.
    fn start<B: Bus + 'static>(self, buses: Vec<B>) -> Nodes {
        let Self { group, shares, identities } = self;
        let members = group.seats().zip(shares).zip(identities);
        let handles = buses.into_iter().zip(members).map(|(bus, ((seat, share), identity))| {
            let engine = FrostEngine::new(seat, group.keys().clone(), share);
            let (group, settings) = (group.clone(), Settings::default());
            let (node, handle) =
                Node::new(bus, LocalMember { group, seat, identity, engine, settings });
            tokio::spawn(node.run());
            handle
        });
        Nodes { handles: handles.collect(), group: group.clone() }
    }
}

struct Nodes {
    group: Arc<Group>,
    handles: Vec<NodeHandle>,
}

impl Nodes {
    /// From the first node that is asked to the last one that has the signature.
    async fn sign(&self, round: u8) -> Result<Duration> {
        let message =
            MessageToSign { message: [round; 32], derivation: Derivation::key_path_only() };
        let expiry = self.handles[0].now().wall_seconds() + 600;
        let request = SigningRequest::new(self.group.id(), [round; 32], expiry, vec![message])?;
        let mut approved = Vec::new();
        for node in &self.handles {
            let (request, policy) = (request.clone(), Arc::new(SignsAnything));
            approved.push(ApprovedRequest::obtain(request, &self.group, policy, node.now())?);
        }
        let start = Instant::now();
        let mut sessions = Vec::new();
        for (node, approved) in self.handles.iter().zip(approved) {
            sessions.push(node.sign(approved, Duration::from_secs(300)).await?);
        }
        for session in &sessions {
            let Some(Ended::Signed(_)) = session.ended().await else {
                return Err("stopped".into());
            };
        }
        Ok(start.elapsed())
    }

    async fn measure(&self, name: &str) -> Result<()> {
        let mut times = Vec::new();
        for round in 0..ROUNDS {
            times.push(self.sign(round).await?);
        }
        times.sort();
        let (first, median, last) = (times[0], times[times.len() / 2], times[times.len() - 1]);
        println!("{name}: all have signed after {median:.1?} (median; {first:.1?} to {last:.1?})");
        Ok(())
    }
}

async fn on_a_mesh(asked: &Asked) -> Result<()> {
    let peers: Vec<PeerId> = (0..asked.signers)
        .map(|at| PeerId::new(at.to_le_bytes()))
        .collect::<std::result::Result<_, _>>()?;
    let mesh = Mesh::default();
    let buses = peers.iter().map(|peer| mesh.join(peer.clone()));
    let buses = buses.collect::<std::result::Result<Vec<_>, _>>()?;
    Keys::deal(asked, &peers)?.start(buses).measure("inside the process").await
}

async fn over_connections(asked: &Asked) -> Result<()> {
    let (mut endpoints, mut roster) = (Vec::new(), Vec::new());
    for _ in 0..asked.signers {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let key = TransportKey::from_secret(&mut secret);
        let listen = [asked.listen.clone()];
        let endpoint = Endpoint::bind(key, &listen, P2pSettings::default()).await?;
        roster.push((endpoint.peer().clone(), endpoint.addresses().cloned().collect()));
        endpoints.push(endpoint);
    }
    let start = Instant::now();
    let mut connecting = Vec::new();
    for endpoint in endpoints {
        let mut bus = endpoint.join(roster.clone())?;
        let others = asked.signers - 1;
        connecting.push(tokio::spawn(async move {
            let mut connected = 0;
            while connected < others {
                match bus.receive().await {
                    Some(BusEvent::Connected(_)) => connected += 1,
                    Some(BusEvent::Disconnected(_)) => connected -= 1,
                    Some(BusEvent::Message { .. }) | None => {}
                }
            }
            bus
        }));
    }
    let mut buses = Vec::new();
    for bus in connecting {
        buses.push(bus.await?);
    }
    let links = asked.signers * (asked.signers - 1) / 2;
    println!("over {}: {links} connections stand after {:.1?}", asked.listen, start.elapsed());
    let peers: Vec<PeerId> = roster.into_iter().map(|(peer, _)| peer).collect();
    let name = format!("over {}", asked.listen);
    Keys::deal(asked, &peers)?.start(buses).measure(&name).await
}

#[tokio::main]
async fn main() -> Result<()> {
    let asked = Asked::from_arguments()?;
    println!("{}-of-{}, {ROUNDS} requests", asked.threshold, asked.signers);
    on_a_mesh(&asked).await?;
    over_connections(&asked).await
}
