//! A group whose nodes all live in this process.

use std::{error::Error, sync::Arc, time::Duration};

use getrandom::SysRng;
use roastery_frost::{SecretShare, SigningKey, danger_trusted_dealer};
use roastery_node::{
    bus::{Mesh, MeshBus, MeshLimits},
    driver::LocalMember,
};
use roastery_protocol::{
    Seat,
    engine::FrostEngine,
    group::{Group, Member, PeerId},
    keys::{HostKey, IdentityKey},
    session::Settings,
};

use super::engine::{Conduct, DemoEngine};

/// A mesh in one process needs no patience: what is not there after this long is not there.
const SETTINGS: Settings = Settings {
    interval: Duration::from_secs(1),
    patience: Duration::from_millis(500),
    repeat_floor: Duration::from_millis(500),
    repeat_cap: Duration::from_secs(5),
    linger: Duration::from_secs(30),
    slot_age: Duration::from_secs(600),
    clock_tolerance: Duration::from_secs(10),
};

/// A member, ready to run.
pub(super) struct Node {
    pub(super) seat: Seat,
    pub(super) bus: MeshBus,
    pub(super) member: LocalMember<DemoEngine>,
}

/// Has a trusted dealer make a key and hand out its shares, and gives each member a node of its own on one mesh.
pub(super) fn make(n: usize, t: usize) -> Result<(Arc<Group>, Vec<Node>), Box<dyn Error>> {
    let (keys, shares) = danger_trusted_dealer::deal(t, n, &mut SysRng)?;
    let mut identities = Vec::with_capacity(n);
    let mut members = Vec::with_capacity(n);
    for number in 0..n {
        let host = HostKey::new(SigningKey::generate(&mut SysRng)?);
        let identity = IdentityKey::new(SigningKey::generate(&mut SysRng)?);
        let peer = PeerId::new(format!("node {number}"))?;
        let identity_key = identity.public_key();
        let binding = host.bind(&identity_key, &peer, 0);
        members.push(Member {
            host_key: host.public_key(),
            identity_key,
            peer,
            sequence: 0,
            binding,
        });
        identities.push(identity);
    }
    let mut chain_code = [0; 32];
    getrandom::fill(&mut chain_code)?;
    let group = Arc::new(Group::new(keys, chain_code, members)?);
    let mesh = Mesh::new(MeshLimits::default())?;
    let nodes = group
        .seats()
        .zip(shares.into_iter().zip(identities))
        .map(|(seat, (share, identity))| join(&group, &mesh, seat, share, identity))
        .collect::<Result<_, _>>()?;
    Ok((group, nodes))
}

fn join(
    group: &Arc<Group>,
    mesh: &Mesh,
    seat: Seat,
    share: SecretShare,
    identity: IdentityKey,
) -> Result<Node, Box<dyn Error>> {
    group.check_seat_keys(seat, &identity, &share)?;
    let peer = group.member(seat).map(|member| member.peer.clone()).ok_or("no such seat")?;
    let member = LocalMember {
        group: group.clone(),
        seat,
        identity: Arc::new(identity),
        engine: DemoEngine {
            engine: FrostEngine::new(seat, group.keys().clone(), share),
            conduct: Conduct::Honest,
        },
        settings: SETTINGS,
    };
    Ok(Node { seat, bus: mesh.join(peer)?, member })
}
