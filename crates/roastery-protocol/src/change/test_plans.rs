//! Groups and plans with fixed keys, for the tests of this module.

use std::time::Duration;

use roastery_frost::{SigningKey, danger_trusted_dealer};
use zeroize::Zeroizing;

use super::{Parent, Plan, Terms};
pub(crate) use crate::Seat;
use crate::{
    clock::Moment,
    group::{Group, Member, NamedMember, PeerId},
    keys::{HostKey, IdentityKey},
};

pub(crate) const NOW: Moment =
    Moment { monotonic: Duration::from_secs(1000), wall: Duration::from_secs(1_800_000_000) };

pub(crate) fn seat(at: u32) -> Seat {
    Seat::new(at).unwrap()
}

fn key(kind: u8, at: u8, generation: u8) -> SigningKey {
    let mut bytes = [kind; 32];
    (bytes[30], bytes[31]) = (generation, at);
    SigningKey::from_bytes(Zeroizing::new(bytes)).unwrap()
}

pub(crate) fn identity(at: u8) -> IdentityKey {
    IdentityKey::new(key(1, at, 0))
}

/// The host key of a member in an epoch or plan, counted from 0.
pub(crate) fn host(at: u8, generation: u8) -> HostKey {
    HostKey::new(key(100, at, generation))
}

pub(crate) fn card(at: u8, generation: u8) -> Member {
    let host = host(at, generation);
    let identity_key = identity(at).public_key();
    let peer = PeerId::new(format!("peer {at}")).unwrap();
    let binding = host.bind(&identity_key, &peer, 0);
    Member { host_key: host.public_key(), identity_key, peer, sequence: 0, binding }
}

/// A further seat of the holder of another card, with keys of its own.
pub(crate) fn at_peer_of(other: &Member, at: u8, generation: u8) -> Member {
    let (host, card) = (host(at, generation), card(at, generation));
    let peer = other.peer.clone();
    let binding = host.bind(&card.identity_key, &peer, 0);
    Member { peer, binding, ..card }
}

pub(crate) fn named(at: u8, generation: u8) -> NamedMember {
    NamedMember { name: format!("member {at}").parse().unwrap(), member: card(at, generation) }
}

pub(crate) fn joiner(at: u8) -> NamedMember {
    named(at, 1)
}

pub(crate) fn group(t: usize, n: u8) -> Group {
    let (keys, _) = danger_trusted_dealer::deal(t, n.into(), &mut getrandom::SysRng).unwrap();
    Group::new(keys, [7; 32], (0..n).map(|at| card(at, 0)).collect()).unwrap()
}

/// A refresh: the same members and threshold.
pub(crate) fn terms(group: &Group) -> Terms {
    Terms {
        number: 1,
        threshold: group.threshold(),
        expiry: NOW.wall_seconds() + 3600,
        excluded: Vec::new(),
        members: (0..group.size() as u8).map(|at| named(at, 1)).collect(),
    }
}

pub(crate) fn plan(group: &Group, change: &dyn Fn(&mut Terms)) -> Plan {
    let mut terms = terms(group);
    change(&mut terms);
    Plan::new(Parent::of(group), terms).unwrap()
}
