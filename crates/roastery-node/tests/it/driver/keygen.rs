//! Key generation over a bus.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use getrandom::SysRng;
use roastery_frost::SigningKey;
use roastery_node::{
    bus::{Bus, Mesh},
    driver::{GeneratedKey, KeygenDriver, KeygenError},
};
use roastery_protocol::{
    group::{Member, NamedMember, PeerId},
    keygen::{
        Invitation, NodeOpening, SeatOpening, Seed, Settings,
        message::{Envelope, Kind},
        recover_group,
    },
    keys::{HostKey, IdentityKey},
};
use roastery_testkit::nodes::{LONG, peer, seat};
use tokio::{task::JoinHandle, time::timeout};
use zeroize::Zeroizing;

use crate::driver::buses::Recorded;

const MEMBERS: usize = 3;

/// The keys of members before key generation, by seat.
struct Keys {
    hosts: Vec<Zeroizing<[u8; 32]>>,
    identities: Vec<Arc<IdentityKey>>,
    /// The node that holds each seat.
    nodes: Vec<usize>,
    invitation: Invitation,
}

impl Keys {
    fn draw() -> Self {
        Self::of_weights(2, &[1; MEMBERS])
    }

    /// Nodes of so many seats each.
    fn of_weights(t: usize, weights: &[usize]) -> Self {
        let nodes =
            weights.iter().enumerate().flat_map(|(node, of)| std::iter::repeat_n(node, *of));
        let nodes: Vec<usize> = nodes.collect();
        let n = nodes.len();
        let draw = || SigningKey::generate(&mut SysRng).unwrap();
        let hosts: Vec<_> = (0..n).map(|_| draw().expose_bytes()).collect();
        let identities: Vec<_> = (0..n).map(|_| Arc::new(IdentityKey::new(draw()))).collect();
        let cards = hosts.iter().zip(&identities).enumerate().map(|(at, (host, identity))| {
            let (host, peer) = (host_key(host), name(nodes[at]));
            let identity_key = identity.public_key();
            let binding = host.bind(&identity_key, &peer, 0);
            let host_key = host.public_key();
            let member = Member { host_key, identity_key, peer, sequence: 0, binding };
            NamedMember { name: format!("member {}", nodes[at]).parse().unwrap(), member }
        });
        let invitation = Invitation::new("treasury", 0, t, cards.collect()).unwrap();
        Self { hosts, identities, nodes, invitation }
    }

    fn open<B: Bus>(&self, at: usize, bus: B) -> KeygenDriver<B> {
        self.open_with(at, bus, Settings::default())
    }

    fn open_with<B: Bus>(&self, at: usize, bus: B, settings: Settings) -> KeygenDriver<B> {
        let seats = self.seats_of(at).into_iter().map(|seat| SeatOpening {
            host: host_key(&self.hosts[seat]),
            identity: self.identities[seat].clone(),
            seed: Seed::generate(&mut SysRng).unwrap(),
            signed: None,
        });
        let (invitation, seats) = (self.invitation.clone(), seats.collect());
        KeygenDriver::open(bus, NodeOpening { invitation, seats, settings }).unwrap()
    }

    fn seats_of(&self, node: usize) -> Vec<usize> {
        (0..self.nodes.len()).filter(|seat| self.nodes[*seat] == node).collect()
    }

    /// A member that finishes, and answers others as long as the test runs.
    fn start(&self, at: usize, mesh: &Mesh) -> JoinHandle<()> {
        let mut keygen = self.open(at, mesh.join(name(at)).unwrap());
        tokio::spawn(async move {
            keygen.finish(|_| Ok(())).await.unwrap();
            keygen.serve().await;
        })
    }

    /// The recovery file restores the share of each seat with its host key, which verifies the
    /// signatures of all.
    fn check(&self, at: usize, made: &GeneratedKey) {
        let file = made.file.encode();
        let group = made.file.group();
        assert_eq!(made.shares.len(), self.seats_of(at).len());
        for ((own, share), at) in made.shares.iter().zip(self.seats_of(at)) {
            let recovered = recover_group(host_key(&self.hosts[at]), &file, Some(group.id()));
            let recovered = recovered.unwrap();
            assert_eq!((recovered.seat, seat(at)), (*own, *own));
            assert_eq!(recovered.share.expose_bytes(), share.expose_bytes());
            group.check_seat_keys(*own, &self.identities[at], share).unwrap();
        }
    }
}

fn name(at: usize) -> PeerId {
    peer(seat(at))
}

fn host_key(bytes: &Zeroizing<[u8; 32]>) -> HostKey {
    HostKey::new(SigningKey::from_bytes(bytes.clone()).unwrap())
}

/// The number of sent messages with the sender's signature of the transcript: the signature alone,
/// or, of a coordinator, the certificate.
fn signed(sent: &Mutex<Vec<Bytes>>) -> usize {
    let sent = sent.lock().unwrap();
    let kinds = sent.iter().map(|bytes| Envelope::parse(bytes).unwrap().kind());
    kinds.filter(|kind| matches!(kind, Kind::Signature | Kind::Certificate)).count()
}

#[tokio::test(start_paused = true)]
async fn three_members_make_a_key_that_all_of_them_have_signed() {
    let (mesh, keys) = (Mesh::default(), Keys::draw());
    let mut keygens: Vec<_> =
        (0..MEMBERS).map(|at| keys.open(at, mesh.join(name(at)).unwrap())).collect();
    let mut tasks = Vec::new();
    for mut keygen in keygens.drain(..) {
        tasks.push(tokio::spawn(async move {
            let made = keygen.finish(|_| Ok(())).await.unwrap();
            // The share can be taken once.
            assert!(matches!(keygen.finish(|_| Ok(())).await, Err(KeygenError::SharesTaken)));
            (made, tokio::spawn(async move { keygen.serve().await }))
        }));
    }
    let mut groups = Vec::new();
    for (at, task) in tasks.into_iter().enumerate() {
        let (made, _serving) = task.await.unwrap();
        keys.check(at, &made);
        groups.push(made.file.group().id());
    }
    assert_eq!(groups, [groups[0]; MEMBERS]);
}

#[tokio::test(start_paused = true)]
async fn a_node_of_three_seats_and_two_others_make_a_key_and_each_seat_stores_what_it_signs() {
    let (mesh, keys) = (Mesh::default(), Keys::of_weights(3, &[3, 1, 1]));
    let _others = [1, 2].map(|at| keys.start(at, &mesh));
    let mut keygen = keys.open(0, mesh.join(name(0)).unwrap());
    let mut stored = Vec::new();
    let made = keygen.finish(|record| {
        stored.push(record);
        Ok(())
    });
    keys.check(0, &timeout(LONG, made).await.unwrap().unwrap());
    stored.sort_by_key(|record| record.seat);
    assert!(stored.iter().map(|record| record.seat).eq([0, 1, 2].map(seat)));
    assert!(stored.iter().all(|record| record.transcript == stored[0].transcript));
}

#[tokio::test(start_paused = true)]
async fn while_the_store_fails_nothing_signed_leaves_and_then_it_is_stored_first() {
    let (mesh, keys) = (Mesh::default(), Keys::draw());
    let (bus, sent) = Recorded::new(mesh.join(name(0)).unwrap());
    let mut keygen = keys.open(0, bus);
    let _others = [1, 2].map(|at| keys.start(at, &mesh));
    let mut refused = Vec::new();
    for _ in 0..3 {
        let full = |transcript| {
            refused.push(transcript);
            Err(io::Error::from(io::ErrorKind::StorageFull))
        };
        let Err(KeygenError::Store(error)) = keygen.finish(full).await else {
            panic!("the store has failed");
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(signed(&sent), 0);
    }
    let mut stored = Vec::new();
    let made = keygen.finish(|transcript| {
        assert_eq!(signed(&sent), 0);
        stored.push(transcript);
        Ok(())
    });
    keys.check(0, &made.await.unwrap());
    assert!(signed(&sent) > 0);
    assert_eq!(refused, [stored[0]; 3]);
    assert_eq!(stored.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_only_serves_never_signs() {
    let (mesh, keys) = (Mesh::default(), Keys::draw());
    let (bus, sent) = Recorded::new(mesh.join(name(0)).unwrap());
    let mut keygen = keys.open(0, bus);
    let others = [1, 2].map(|at| keys.start(at, &mesh));
    for _ in 0..3 {
        // It ends when the transcript would have to be signed.
        timeout(LONG, keygen.serve()).await.expect("it ends");
        assert_eq!(signed(&sent), 0);
    }
    assert!(others.iter().all(|other| !other.is_finished()));
    keys.check(0, &keygen.finish(|_| Ok(())).await.unwrap());
    assert!(signed(&sent) > 0);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_serves_ends_and_gives_its_bus_back_when_the_ceremonys_lifetime_is_over() {
    let (keys, mesh) = (Keys::draw(), Mesh::default());
    let start = tokio::time::Instant::now();
    let members: Vec<_> = (0..MEMBERS).map(|at| keys.start(at, &mesh)).collect();
    for member in members {
        timeout(100 * LONG, member).await.unwrap().unwrap();
    }
    let lifetime = Settings::default().lifetime;
    assert!(start.elapsed() >= lifetime && start.elapsed() < 2 * lifetime);
}

#[tokio::test(start_paused = true)]
async fn a_ceremony_whose_times_are_for_ever_makes_its_key_and_panics_nowhere() {
    let (keys, mesh) = (Keys::draw(), Mesh::default());
    let ever = Duration::MAX;
    let settings = Settings { interval: ever, repeat_min: ever, repeat_max: ever, lifetime: ever };
    let members: Vec<_> = (0..MEMBERS)
        .map(|at| {
            let mut keygen = keys.open_with(at, mesh.join(name(at)).unwrap(), settings);
            tokio::spawn(async move {
                let made = keygen.finish(|_| Ok(())).await.unwrap();
                let _ = timeout(LONG, keygen.serve()).await;
                made
            })
        })
        .collect();
    for (at, member) in members.into_iter().enumerate() {
        keys.check(at, &timeout(LONG + LONG, member).await.unwrap().unwrap());
    }
}
