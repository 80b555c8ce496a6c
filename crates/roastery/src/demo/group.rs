//! A group whose nodes all live in this process.

use std::{
    collections::BTreeSet,
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use getrandom::SysRng;
use roastery_frost::{SecretShare, SigningKey, danger_trusted_dealer};
use roastery_node::{
    bus::{Mesh, MeshBus, MeshLimits},
    driver::{self, KeygenDriver, LocalMember},
};
use roastery_protocol::{
    Seat,
    group::{Group, Member, NamedMember, PeerId},
    keygen::{self, Event, Invitation, NodeOpening, RecoveryFile, SeatOpening, Seed},
    keys::{HostKey, IdentityKey},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use zeroize::Zeroizing;

use super::engine::{Conduct, DemoEngine};

/// A hundred members that all compute on one machine are slow.
const KEYGEN: keygen::Settings = keygen::Settings {
    interval: Duration::from_secs(30),
    repeat_min: Duration::from_secs(5),
    repeat_max: Duration::from_secs(30),
    lifetime: Duration::from_secs(600),
};

/// A member, ready to run.
pub(super) struct Node {
    pub(super) seat: Seat,
    pub(super) bus: MeshBus,
    /// The peers that its bus has reported as connected.
    pub(super) connected: BTreeSet<PeerId>,
    pub(super) member: LocalMember<DemoEngine>,
}

/// A group with all its nodes, and the origin of its key.
pub(super) struct Made {
    pub(super) group: Arc<Group>,
    pub(super) nodes: Vec<Node>,
    pub(super) origin: KeyOrigin,
}

/// How a key was made.
pub(super) enum KeyOrigin {
    /// A trusted dealer made it and has known all of it.
    Dealer,
    /// All members made it together, and each has signed the transcript.
    Keygen(Box<Keygen>),
}

/// The results of a key generation.
pub(super) struct Keygen {
    /// The fingerprint, which members compare before it begins.
    pub(super) fingerprint: String,
    /// When its phases ended.
    pub(super) times: Times,
    /// The recovery file, which is public.
    pub(super) file: RecoveryFile,
    /// Each seat's host key, for files that the user asked for.
    pub(super) host_keys: Vec<Zeroizing<[u8; 32]>>,
}

/// When the phases of a key generation ended, since its beginning.
pub(super) struct Times {
    /// The keys and cards of all members were drawn, before the beginning.
    pub(super) drawn: Duration,
    /// A coordinator had the first messages of all, and sent the transcript.
    pub(super) offered: Duration,
    /// All members had signed it.
    pub(super) signed: Duration,
    /// The first member held the certificate.
    pub(super) first: Duration,
    /// The last member did.
    pub(super) last: Duration,
}

/// One member's keys before there is a group.
struct Keys {
    host: Zeroizing<[u8; 32]>,
    identity: IdentityKey,
    card: Member,
}

/// Makes a key and gives each member a node of its own on one mesh.
pub(super) async fn make(n: usize, t: usize, dealer: bool) -> Result<Made, Box<dyn Error>> {
    let begun = Instant::now();
    let keys = (0..n).map(draw_keys).collect::<Result<Vec<_>, _>>()?;
    let mesh = Mesh::new(MeshLimits::default())?;
    let buses: Vec<MeshBus> =
        keys.iter().map(|keys| mesh.join(keys.card.peer.clone())).collect::<Result<_, _>>()?;
    let drawn = begun.elapsed();
    if dealer { deal(t, keys, buses) } else { generate_key(t, keys, buses, drawn).await }
}

fn draw_keys(number: usize) -> Result<Keys, Box<dyn Error>> {
    let host = SigningKey::generate(&mut SysRng)?;
    let identity = IdentityKey::new(SigningKey::generate(&mut SysRng)?);
    let peer = PeerId::new(format!("node {number}"))?;
    let (sequence, identity_key) = (0, identity.public_key());
    let bytes = host.expose_bytes();
    let host = HostKey::new(host);
    let binding = host.bind(&identity_key, &peer, sequence);
    let card = Member { host_key: host.public_key(), identity_key, peer, sequence, binding };
    Ok(Keys { host: bytes, identity, card })
}

fn deal(t: usize, keys: Vec<Keys>, buses: Vec<MeshBus>) -> Result<Made, Box<dyn Error>> {
    let (public, shares) = danger_trusted_dealer::deal(t, keys.len(), &mut SysRng)?;
    let mut chain_code = [0; 32];
    getrandom::fill(&mut chain_code)?;
    let cards = keys.iter().map(|keys| keys.card.clone()).collect();
    let group = Arc::new(Group::new(public, chain_code, cards)?);
    let members = shares.into_iter().zip(keys).zip(buses);
    let nodes = group
        .seats()
        .zip(members)
        .map(|(seat, ((share, keys), bus))| {
            // Its bus reports the peers to the node itself.
            node(&group, seat, share, Arc::new(keys.identity), (bus, BTreeSet::new()))
        })
        .collect::<Result<_, _>>()?;
    Ok(Made { group, nodes, origin: KeyOrigin::Dealer })
}

/// Each member takes part as a task of its own, as it would on a machine of its own.
async fn generate_key(
    t: usize,
    keys: Vec<Keys>,
    buses: Vec<MeshBus>,
    drawn: Duration,
) -> Result<Made, Box<dyn Error>> {
    let named = |(at, keys): (usize, &Keys)| {
        let name = format!("node-{at}").parse()?;
        Ok::<_, Box<dyn Error>>(NamedMember { name, member: keys.card.clone() })
    };
    let cards = keys.iter().enumerate().map(named).collect::<Result<_, _>>()?;
    let invitation = Invitation::new("demo", 0, t, cards)?;
    let (done, all) = watch::channel(0);
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    let mut host_keys = Vec::new();
    for (keys, bus) in keys.into_iter().zip(buses) {
        host_keys.push(keys.host.clone());
        let invitation = invitation.clone();
        tasks.spawn(take_part(invitation, keys, bus, done.clone(), all.clone(), begun));
    }
    let mut parts = Vec::new();
    while let Some(part) = tasks.join_next().await {
        parts.push(part?.map_err(|line| -> Box<dyn Error> { line.into() })?);
    }
    parts.sort_by_key(|part| part.seat);
    let took = || parts.iter().map(|part| part.took);
    let times = Times {
        drawn,
        offered: parts.iter().filter_map(|part| part.offered).min().unwrap_or_default(),
        signed: parts.iter().filter_map(|part| part.signed).max().unwrap_or_default(),
        first: took().min().unwrap_or_default(),
        last: took().max().unwrap_or_default(),
    };
    let file = parts.first().map(|part| part.file.clone()).ok_or("no members")?;
    let group = file.group().clone();
    let keygen =
        Keygen { fingerprint: invitation.fingerprint().to_string(), times, file, host_keys };
    let nodes = parts
        .into_iter()
        .map(|part| node(&group, part.seat, part.share, part.identity, part.bus))
        .collect::<Result<_, _>>()?;
    Ok(Made { group, nodes, origin: KeyOrigin::Keygen(Box::new(keygen)) })
}

/// The results of a key generation at one member.
struct Part {
    seat: Seat,
    share: SecretShare,
    file: RecoveryFile,
    identity: Arc<IdentityKey>,
    bus: (MeshBus, BTreeSet<PeerId>),
    offered: Option<Duration>,
    signed: Option<Duration>,
    took: Duration,
}

async fn take_part(
    invitation: Invitation,
    keys: Keys,
    bus: MeshBus,
    done: watch::Sender<usize>,
    mut all: watch::Receiver<usize>,
    begun: Instant,
) -> Result<Part, String> {
    let said = |error: &dyn Error| format!("{}: {error}", keys.card.peer);
    let identity = Arc::new(keys.identity);
    let host = SigningKey::from_bytes(keys.host).map_err(|error| said(&error))?;
    let seat = SeatOpening {
        host: HostKey::new(host),
        identity: identity.clone(),
        seed: Seed::generate(&mut SysRng).map_err(|error| said(&error))?,
        signed: None,
    };
    let opening =
        NodeOpening { invitation: invitation.clone(), seats: vec![seat], settings: KEYGEN };
    let before = begun.elapsed();
    let mut keygen = KeygenDriver::open(bus, opening).map_err(|error| said(&error))?;
    let (listener, mut events) = mpsc::unbounded_channel();
    keygen.watch(listener);
    // The demo stores nothing: a member that restarts is another one.
    let made = keygen.finish(|_| Ok(())).await.map_err(|error| said(&error))?;
    let took = begun.elapsed();
    done.send_modify(|done| *done += 1);
    let members = invitation.size();
    tokio::select! {
        // The senders are held by members that have not finished.
        _ = all.wait_for(|done| *done == members) => {}
        () = keygen.serve() => {}
    }
    let driver::GeneratedKey { shares, file } = made;
    let (seat, share) = shares.into_iter().next().ok_or("no such member")?;
    let (mut offered, mut signed) = (None, None);
    while let Ok((at, event)) = events.try_recv() {
        match event.event {
            Event::Coordinating(_) => offered = Some(before + at),
            Event::Signed(_) => signed = Some(before + at),
            _ => {}
        }
    }
    let bus = keygen.into_bus();
    Ok(Part { seat, share, file, identity, bus, offered, signed, took })
}

fn node(
    group: &Arc<Group>,
    seat: Seat,
    share: SecretShare,
    identity: Arc<IdentityKey>,
    (bus, connected): (MeshBus, BTreeSet<PeerId>),
) -> Result<Node, Box<dyn Error>> {
    group.check_seat_keys(seat, &identity, &share)?;
    let LocalMember { group, seats, engine, arithmetic, last_incarnation, proofs } =
        LocalMember::new(group.clone(), [(seat, identity, share)]);
    let engine = DemoEngine { engine, conduct: Conduct::Honest };
    let member = LocalMember { group, seats, engine, arithmetic, last_incarnation, proofs };
    Ok(Node { seat, bus, connected, member })
}
