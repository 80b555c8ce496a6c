//! What the targets share: a group of 3 of 5, an invitation of its members, and a change of
//! another group.

use std::sync::{Arc, LazyLock};

use getrandom::SysRng;
use roastery_frost::{
    GroupKeys, SecretShare, SigningKey, change::ChangeParams, chilldkg::HostSecretKey,
    danger_trusted_dealer,
};
use roastery_protocol::{
    keygen::Invitation,
    group::{Group, Member, NamedMember, PeerId},
    keys::{HostKey, IdentityKey},
};

/// The group. Its key is the same in each run; its shares are not.
pub static GROUP: LazyLock<Arc<Group>> = LazyLock::new(|| {
    let (keys, _) = danger_trusted_dealer::deal_secret(&[0x11; 32].into(), 3, 5, &mut SysRng)
        .expect("numbers within bounds");
    Arc::new(Group::new(keys, [0x22; 32], members()).expect("members of their own keys"))
});

/// An invitation to a key generation of the same members.
pub static INVITATION: LazyLock<Invitation> =
    LazyLock::new(|| Invitation::new("fuzz", 0, 3, named()).expect("numbers within bounds"));

/// A change from 2 of 3 to 3 of 4. All of its keys are the same in each run, so that what was
/// signed in one is signed in the next.
pub static CHANGE: LazyLock<ChangeParams> = LazyLock::new(|| {
    let old_shares = (0..3).map(|seat| old_share(seat).public_share()).collect();
    let old = GroupKeys::new(2, polynomial_at(0).public_share(), old_shares).expect("a line");
    let keys = host_keys().iter().map(HostSecretKey::hostpubkey_gen).collect();
    ChangeParams::new([0x33; 32], &old, &[], keys, 3).expect("numbers within bounds")
});

/// The secret share of a seat of the group that is changed.
pub fn old_share(seat: u8) -> SecretShare {
    polynomial_at(seat + 1)
}

/// A line over small numbers.
fn polynomial_at(x: u8) -> SecretShare {
    let mut bytes = [0; 32];
    bytes[31] = 17 + 5 * x;
    SecretShare::from_bytes(bytes.into()).expect("a scalar below the order")
}

/// The host keys of the new members of the change.
pub fn host_keys() -> Vec<HostSecretKey> {
    (0..4).map(|seat| HostSecretKey::from(key(0x50 + seat))).collect()
}

/// An identity key that signs whatever is written again.
pub static IDENTITY: LazyLock<IdentityKey> = LazyLock::new(|| IdentityKey::new(key(0x40)));

fn named() -> Vec<NamedMember> {
    let name = |at| format!("node {at}").parse().expect("letters, a space, a digit");
    (0..).zip(members()).map(|(at, member): (u8, _)| NamedMember { name: name(at), member }).collect()
}

/// Members whose keys are numbered.
pub fn members() -> Vec<Member> {
    let member = |seat: u8| {
        let host = HostKey::new(key(0x30 + seat));
        let identity_key = IdentityKey::new(key(0x40 + seat)).public_key();
        let peer = PeerId::new(format!("node {seat}")).expect("a short name");
        let binding = host.bind(&identity_key, &peer, 0);
        Member { host_key: host.public_key(), identity_key, peer, sequence: 0, binding }
    };
    (0..5).map(member).collect()
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes([byte; 32].into()).expect("a scalar below the order")
}
