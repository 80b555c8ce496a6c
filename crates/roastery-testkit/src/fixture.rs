use std::{sync::Arc, time::Duration};

use roastery_frost::{SecretShare, SigningKey, danger_trusted_dealer};
use roastery_protocol::{
    Seat,
    clock::Moment,
    group::{Group, Member, PeerId},
    keys::{HostKey, IdentityKey},
    request::{
        ApprovedRequest, Derivation, MessageToSign, Policy, RefusalReason, SigningRequest, Step,
        Taproot,
    },
};
use zeroize::Zeroizing;

pub fn seat(at: usize) -> Seat {
    Seat::new(at as u32).unwrap()
}

pub fn peer(seat: Seat) -> PeerId {
    PeerId::new(format!("peer {seat}")).unwrap()
}

pub fn later(now: Moment, by: Duration) -> Moment {
    Moment { monotonic: now.monotonic + by, wall: now.wall + by }
}

/// A policy that approves every request.
#[derive(Debug)]
pub struct Willing;

impl Policy for Willing {
    fn judge(&self, _: &SigningRequest, _: Step) -> Result<(), RefusalReason> {
        Ok(())
    }
}

/// A group with all its keys; no node ever has all of them.
pub struct Fixture {
    pub group: Arc<Group>,
    pub identities: Vec<Arc<IdentityKey>>,
    pub shares: Vec<Zeroizing<[u8; 32]>>,
    pub now: Moment,
    pub messages: usize,
    pub policy: Arc<dyn Policy>,
}

fn key(kind: u8, at: usize) -> SigningKey {
    let mut bytes = [kind; 32];
    bytes[31] = at as u8;
    SigningKey::from_bytes(Zeroizing::new(bytes)).unwrap()
}

impl Fixture {
    pub fn new(t: usize, n: usize) -> Self {
        Self::with_identities(t, n, 1)
    }

    /// A group whose identity keys differ by `which` from those of another.
    pub fn with_identities(t: usize, n: usize, which: u8) -> Self {
        let (keys, shares) = danger_trusted_dealer::deal(t, n, &mut getrandom::SysRng).unwrap();
        let identities: Vec<Arc<IdentityKey>> =
            (0..n).map(|at| Arc::new(IdentityKey::new(key(which, at)))).collect();
        let members = (0..n).map(|at| member(at, &identities[at])).collect();
        Fixture {
            group: Arc::new(Group::new(keys, [7; 32], members).unwrap()),
            identities,
            shares: shares.iter().map(SecretShare::expose_bytes).collect(),
            now: Moment {
                monotonic: Duration::from_secs(1000),
                wall: Duration::from_secs(1_800_000_000),
            },
            messages: 1,
            policy: Arc::new(Willing),
        }
    }

    pub fn messages(mut self, count: usize) -> Self {
        self.messages = count;
        self
    }

    pub fn signing_request(&self, id: u8) -> SigningRequest {
        let kinds = [Taproot::KeyPathOnly, Taproot::Untweaked, Taproot::ScriptRoot([9; 32])];
        let messages = (0..self.messages)
            .map(|at| MessageToSign {
                message: [at as u8; 32],
                derivation: Derivation {
                    path: if at % 2 == 1 { vec![0, at as u32] } else { Vec::new() },
                    taproot: kinds[at % 3].clone(),
                },
            })
            .collect();
        let expiry = self.now.wall_seconds() + 3600;
        SigningRequest::new(self.group.id(), [id; 32], expiry, messages).unwrap()
    }

    pub fn request(&self, id: u8) -> ApprovedRequest {
        let request = self.signing_request(id);
        ApprovedRequest::obtain(request, &self.group, self.policy.clone(), self.now).unwrap()
    }

    pub fn share(&self, seat: Seat) -> SecretShare {
        SecretShare::from_bytes(self.shares[seat.index()].clone()).unwrap()
    }
}

pub fn member(at: usize, identity: &IdentityKey) -> Member {
    let host = HostKey::new(key(100, at));
    let (identity_key, peer) = (identity.public_key(), peer(seat(at)));
    let binding = host.bind(&identity_key, &peer, 0);
    Member { host_key: host.public_key(), identity_key, peer, sequence: 0, binding }
}
