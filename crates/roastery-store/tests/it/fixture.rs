//! The content of a member's store: a key generation from beginning to end, a request of its group,
//! a proof against a coordinator.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use roastery_frost::{
    AggregateNonce, GroupKeys, SecretShare, SigningKey,
    change::{Certificate, Transcript, deal, open, take},
    chilldkg::HostSecretKey,
};
use roastery_protocol::{
    PlanId, Seat, SlotHash, TranscriptHash,
    change::{CertifiedEpoch, EpochFile, EpochOrder, Lineage, Parent, Plan, Terms},
    clock::Moment,
    election::Order,
    group::{Epoch, Group, Member, NamedMember, PeerId},
    keygen::{Invitation, Keygen, Opening, Output, RecoveryFile, Seed, Settings, SignedTranscript},
    keys::{HostKey, IdentityKey},
    machine::{Destination, Machine},
    member::{
        Run,
        frame::{Content, SignerSlots, SigningPackage, Statement},
        proof::{Fault, Proof},
    },
    request::{Derivation, MessageToSign, SigningRequest},
};
use roastery_store::Erasure;
use zeroize::Zeroizing;

pub const EXPIRY: u64 = 1_800_000_600;

/// Secrets that a search of the file would find.
pub const SEED: [u8; 32] = *b"this seed is never in the clear.";
pub const IDENTITY: [u8; 32] = *b"identity key, never in the clear";
pub const TRANSPORT: [u8; 32] = *b"transport key, not in the clear!";

pub struct Kept {
    pub invitation: Invitation,
    pub transcript: TranscriptHash,
    /// The seats of the member whose store it is, with their shares.
    pub seats: Vec<(Seat, SecretShare)>,
    /// The other member's share, 32 bytes.
    other: Zeroizing<[u8; 32]>,
    pub recovery: RecoveryFile,
    pub proof: Proof,
    pub accused: Seat,
}

impl Kept {
    pub fn new() -> Self {
        let (invitation, mut keygens) = keygens();
        let transcript = run(&invitation, &mut keygens);
        let seats = vec![(keygens[0].seat(), keygens[0].take_share().unwrap())];
        let other = keygens[1].take_share().unwrap().expose_bytes();
        let recovery = keygens[0].recovery_file().unwrap().clone();
        let (proof, accused) = conflict(recovery.group());
        Self { invitation, transcript, seats, other, recovery, proof, accused }
    }

    pub fn group(&self) -> &Arc<Group> {
        self.recovery.group()
    }

    pub fn seed() -> Seed {
        Seed::from_bytes(Zeroizing::new(SEED))
    }

    pub fn seeds() -> BTreeMap<Seat, Seed> {
        BTreeMap::from([(Seat::new(0).unwrap(), Self::seed())])
    }

    /// The seats of both members with their shares.
    pub fn all_seats(&self) -> [(Seat, SecretShare); 2] {
        let shares = [self.seats[0].1.expose_bytes(), self.other.clone()];
        let mut seats = self.group().seats();
        shares.map(|share| (seats.next().unwrap(), SecretShare::from_bytes(share).unwrap()))
    }

    /// What the member's first seat signs.
    pub fn signed(&self) -> SignedTranscript {
        SignedTranscript { seat: self.seats[0].0, transcript: self.transcript }
    }

    /// A request of the group, distinguished by a number.
    pub fn request(&self, number: u8) -> SigningRequest {
        request(self.group(), number)
    }
}

/// A folder of a test's own, removed with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        let name = format!("roastery-store-{:016x}", u64::from_le_bytes(random));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The number of files, but for those in folders.
    pub fn files(&self) -> usize {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().path().is_file()).count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn holds(path: &Path, bytes: &[u8]) -> bool {
    fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes)
}

fn key(kind: u8, at: u8) -> SigningKey {
    let mut bytes = [kind; 32];
    bytes[31] = at;
    if (kind, at) == (1, 0) {
        bytes = IDENTITY;
    }
    SigningKey::from_bytes(Zeroizing::new(bytes)).unwrap()
}

/// The group with a newer binding of its first member: another group with the same key.
pub fn rebound(kept: &Kept) -> Group {
    let mut member = kept.group().members()[0].clone();
    member.sequence += 1;
    let host = HostKey::new(key(100, 0));
    member.binding = host.bind(&member.identity_key, &member.peer, member.sequence);
    kept.group().rebind(member).unwrap()
}

/// The host key with which the member is in the group.
pub fn host_key_of_group() -> SigningKey {
    key(100, 0)
}

/// The host key that the member makes for a plan.
pub fn host_key_of_plan() -> SigningKey {
    key(110, 0)
}

/// A plan of the same members with fresh host keys, distinguished by its number.
pub fn plan(kept: &Kept, number: u32) -> Plan {
    let named = |(at, old): (u8, NamedMember)| {
        let host = HostKey::new(key(110, at));
        let Member { identity_key, peer, sequence, .. } = old.member;
        let binding = host.bind(&identity_key, &peer, sequence);
        let host_key = host.public_key();
        let member = Member { host_key, identity_key, peer, sequence, binding };
        NamedMember { name: old.name, member }
    };
    let members = (0..).zip(kept.invitation.named_members()).map(named).collect();
    let (threshold, expiry, excluded) = (2, EXPIRY, Vec::new());
    let terms = Terms { number, threshold, expiry, excluded, members };
    Plan::new(Parent::of(kept.group()), terms).unwrap()
}

/// The epoch that a plan makes, with the dealings of both members.
pub fn certified(kept: &Kept, plan: &Plan) -> CertifiedEpoch {
    let params = plan.params(kept.group()).unwrap();
    let dealings =
        kept.all_seats().map(|(seat, share)| deal(&params, seat, &share, &[0; 32]).unwrap());
    let transcript = Transcript::new(&params, &dealings.iter().collect::<Vec<_>>()).unwrap();
    let signatures = (0..2).map(|at| {
        let host = HostSecretKey::from(key(110, at));
        let dealt = dealings.iter().map(|dealing| open(&host, dealing).unwrap());
        take(&host, &transcript, &dealt.collect::<Vec<_>>(), &[0; 32]).unwrap().1
    });
    let certificate = Certificate::new(transcript.clone(), signatures.collect()).unwrap();
    let lineage = Lineage::new(kept.recovery.group().clone());
    lineage.verify(&EpochFile::new(plan.clone(), &certificate)).unwrap()
}

/// The group's next epoch, with the same shares.
pub fn later(kept: &Kept) -> Group {
    let group = kept.group();
    let epoch = Epoch::new(1, PlanId::from_bytes([1; 32])).unwrap();
    let (keys, members) = ((**group.keys()).clone(), group.members().to_vec());
    Group::in_epoch(epoch, keys, *group.chain_code(), members).unwrap()
}

/// Another outcome of the plan of [`later`], as another choice of dealings makes it: the same key
/// and epoch, and a share more for each seat by its number and one.
pub fn other_outcome(kept: &Kept) -> (Group, Vec<(Seat, SecretShare)>) {
    let later = later(kept);
    let added = kept.all_seats().map(|(seat, share)| {
        let mut bytes = share.expose_bytes();
        let mut carry = seat.to_u16() + 1;
        for byte in bytes.iter_mut().rev() {
            carry += u16::from(*byte);
            *byte = carry as u8;
            carry >>= 8;
        }
        (seat, SecretShare::from_bytes(bytes).unwrap())
    });
    let public = added.iter().map(|(_, share)| share.public_share()).collect();
    let old = later.keys();
    let keys = GroupKeys::new(old.threshold(), old.threshold_public_key(), public).unwrap();
    let (code, members) = (*later.chain_code(), later.members().to_vec());
    let group = Group::in_epoch(*later.epoch(), keys, code, members).unwrap();
    let [own, _] = added;
    (group, vec![own])
}

fn now() -> Moment {
    Moment { monotonic: Duration::ZERO, wall: Duration::from_secs(EXPIRY - 600) }
}

fn keygens() -> (Invitation, Vec<Keygen>) {
    let mut cards = Vec::new();
    for at in 0..2 {
        let host = HostKey::new(key(100, at));
        let identity_key = IdentityKey::new(key(1, at)).public_key();
        let peer = PeerId::new(format!("peer {at}")).unwrap();
        let binding = host.bind(&identity_key, &peer, 0);
        let host_key = host.public_key();
        let member = Member { host_key, identity_key, peer, sequence: 0, binding };
        cards.push(NamedMember { name: format!("member {at}").parse().unwrap(), member });
    }
    let invitation = Invitation::new("treasury", 0, 2, cards).unwrap();
    let open = |at: u8| {
        let seed = match at {
            0 => Kept::seed(),
            _ => Seed::from_bytes(Zeroizing::new([at; 32])),
        };
        let opening = Opening {
            invitation: invitation.clone(),
            host: HostKey::new(key(100, at)),
            identity: Arc::new(IdentityKey::new(key(1, at))),
            seed,
            signed: None,
            settings: Settings::default(),
        };
        Keygen::open(opening, now()).unwrap()
    };
    let keygens = (0..2).map(open).collect();
    (invitation, keygens)
}

fn run(invitation: &Invitation, keygens: &mut [Keygen]) -> TranscriptHash {
    let (mut network, mut signed) = (VecDeque::new(), None);
    loop {
        for (from, keygen) in invitation.seats().zip(&mut *keygens) {
            while let Some(output) = keygen.poll_output() {
                match output {
                    Output::Persist(transcript) => {
                        signed = Some(transcript);
                        keygen.persisted(transcript, true, now());
                    }
                    Output::Send { to: Destination::Seat(to), bytes } => {
                        network.push_back((from, to, bytes));
                    }
                    Output::Send { to: Destination::Everyone, bytes } => {
                        let others = invitation.seats().filter(|seat| *seat != from);
                        network.extend(others.map(|to| (from, to, bytes.clone())));
                    }
                    Output::Event(_) => {}
                }
            }
        }
        let Some((from, to, bytes)) = network.pop_front() else { return signed.unwrap() };
        let peer = &invitation.member(from).unwrap().peer;
        let _ = keygens[to.index()].handle_message(peer, &bytes, now());
    }
}

fn request(group: &Group, number: u8) -> SigningRequest {
    let message = MessageToSign { message: [9; 32], derivation: Derivation::key_path_only() };
    SigningRequest::new(group.id(), [number; 32], EXPIRY, vec![message]).unwrap()
}

/// Two packages of one coordinator, of one number.
fn conflict(group: &Group) -> (Proof, Seat) {
    let request = request(group, 0);
    let session = request.session_id();
    let coordinator = Order::of(session, group.seats()).into_seats()[0];
    let identity = IdentityKey::new(key(1, coordinator.index() as u8));
    let package = |slot: u8| {
        let slot = SlotHash::from_bytes([slot; 32]);
        let content = SigningPackage {
            run: Run::new(1, [0; 8]),
            number: 0,
            signers: group.seats().map(|seat| SignerSlots { seat, first: 0, hash: slot }).collect(),
            aggregates: vec![AggregateNonce::from_bytes(&[0; 66]).unwrap()],
        };
        let content = Content::SigningPackage(content);
        Statement::seal(group.id(), session, coordinator, &content, &identity)
    };
    let fault = Fault::PackageConflict { first: package(1), second: package(2) };
    (Proof::new(request, fault), coordinator)
}

/// That the epoch of a group is erased for one that is greater.
pub fn erasure(group: &Group) -> Erasure {
    let (what, by) = (EpochOrder::of_root(group), EpochOrder::of_root(group));
    Erasure { key: group.key_id(), what, by, host_key: false, time_ms: 5 }
}
