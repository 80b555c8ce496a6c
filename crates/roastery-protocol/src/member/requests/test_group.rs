//! A group and its members' proposals, for the tests beside this file.

use roastery_frost::{Seat, SigningKey, danger_trusted_dealer};
use zeroize::Zeroizing;

use crate::{
    group::{Group, Member, PeerId},
    keys::{HostKey, IdentityKey},
    member::frame::{Content, Statement},
    request::{Derivation, MessageToSign, Proposal, SigningRequest, Subject},
};

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(Zeroizing::new([byte; 32])).unwrap()
}

pub(super) fn seat(id: u32) -> Seat {
    Seat::new(id).unwrap()
}

/// A group of three.
pub(super) fn group() -> Group {
    let members = [1, 2, 3].map(|name| {
        let (host, identity_key) = (HostKey::new(key(name)), key(name + 10).public_key());
        let peer = PeerId::new([name]).unwrap();
        let binding = host.bind(&identity_key, &peer, 0);
        Member { host_key: host.public_key(), identity_key, peer, sequence: 0, binding }
    });
    let (keys, _) = danger_trusted_dealer::deal(2, 3, &mut getrandom::SysRng).unwrap();
    Group::new(keys, [7; 32], members.into()).unwrap()
}

pub(super) fn request(group: &Group, number: usize, expiry: u64) -> SigningRequest {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_le_bytes());
    let derivation = Derivation::key_path_only();
    let messages = vec![MessageToSign { message: [1; 32], derivation }];
    SigningRequest::new(group.id(), id, expiry, messages).unwrap()
}

/// This member's proposal of a request. Its subject is bare hashes if `shown` is 0, else a
/// transaction of so many bytes.
pub(super) fn proposal(
    group: &Group,
    by: u32,
    request: &SigningRequest,
    shown: usize,
) -> Statement {
    let subject = match shown {
        0 => Subject::Hash,
        length => Subject::Transaction(vec![0; length]),
    };
    let content = Content::Proposal(Proposal { request: request.clone(), subject });
    let identity = IdentityKey::new(key(by as u8 + 11));
    Statement::seal(group.id(), request.session_id(), seat(by), &content, &identity)
}
