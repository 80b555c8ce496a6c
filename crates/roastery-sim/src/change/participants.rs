use std::sync::Arc;

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_frost::{SecretShare, SigningKey, XOnlyPublicKey, danger_trusted_dealer};
use roastery_protocol::{
    PlanId, Seat,
    change::{EpochOrder, Parent, Plan, Terms},
    group::{Group, Member, NamedMember},
    keys::{HostKey, IdentityKey},
};
use zeroize::Zeroizing;

use crate::members::peer;

/// All people of a simulation with their keys, the first group, and the plans that were made so
/// far. A person is known by a number, which in the world is the seat of its node.
#[derive(Debug)]
pub struct Participants {
    seed: u64,
    identities: Vec<Arc<IdentityKey>>,
    /// The group of epoch 0.
    pub root: Arc<Group>,
    root_shares: Vec<Zeroizing<[u8; 32]>>,
    plans: Vec<Planned>,
}

/// A plan that was made, with what it changes.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its place in the list of plans.
    pub index: usize,
    /// The plan.
    pub plan: Plan,
    /// The group that it changes.
    pub parent: Arc<Group>,
    /// The place of that group.
    pub place: EpochOrder,
    /// The new members, by new seat.
    pub people: Vec<usize>,
}

/// What a person proposes.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The new members.
    pub people: Vec<usize>,
    /// t'.
    pub threshold: usize,
    /// By how much its number is above the highest one of the plans of its parent.
    pub step: u32,
    /// Who does not deal.
    pub excluded: Vec<usize>,
}

/// How long a plan lives, in seconds.
pub const LIFE: u64 = 60;

impl Participants {
    /// So many people, the first n of which hold a t-of-n in epoch 0.
    ///
    /// # Panics
    ///
    /// If t and n are not those of a group.
    pub fn make(seed: u64, people: usize, t: usize, n: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xc4a6);
        let (keys, shares) =
            danger_trusted_dealer::deal(t, n, &mut rng).expect("t and n of a group");
        let identity = |person| Arc::new(IdentityKey::new(key(seed, 1, person, 0)));
        let identities: Vec<_> = (0..people).map(identity).collect();
        let members = (0..n).map(|person| {
            let host = HostKey::new(key(seed, 2, person, 0));
            card(&identities[person], &host, person)
        });
        let members = members.collect();
        let root = Group::new(keys, [7; 32], members).expect("keys of a dealer make a group");
        let root_shares = shares.iter().map(SecretShare::expose_bytes).collect();
        Self { seed, identities, root: Arc::new(root), root_shares, plans: Vec::new() }
    }

    /// All people.
    pub fn people(&self) -> std::ops::Range<usize> {
        0..self.identities.len()
    }

    /// The identity key of a person, in every epoch.
    pub fn identity(&self, person: usize) -> &Arc<IdentityKey> {
        &self.identities[person]
    }

    /// The host key of a person for a plan.
    pub fn host(&self, person: usize, plan: usize) -> HostKey {
        HostKey::new(key(self.seed, 2, person, plan + 1))
    }

    /// The share of epoch 0 of a person, if it has one.
    pub fn root_share(&self, person: usize) -> Option<&Zeroizing<[u8; 32]>> {
        self.root_shares.get(person)
    }

    /// The person with this identity key.
    pub fn person(&self, identity: &XOnlyPublicKey) -> Option<usize> {
        self.identities.iter().position(|one| one.public_key() == *identity)
    }

    /// The people of a group, by seat.
    pub fn people_of(&self, group: &Group) -> Vec<usize> {
        group.members().iter().filter_map(|one| self.person(&one.identity_key)).collect()
    }

    /// All plans so far.
    pub fn plans(&self) -> &[Planned] {
        &self.plans
    }

    /// The plan of this id.
    pub fn planned(&self, id: PlanId) -> Option<&Planned> {
        self.plans.iter().find(|one| one.plan.id() == id)
    }

    /// Makes a plan of a group. Nothing if what is proposed fits no plan.
    pub fn propose(
        &mut self,
        parent: &Arc<Group>,
        place: EpochOrder,
        proposal: &Proposal,
        wall_seconds: u64,
    ) -> Option<()> {
        let index = self.plans.len();
        let siblings = self.plans.iter().filter(|one| one.place == place);
        let highest = siblings.map(|one| one.plan.number()).max().unwrap_or(0);
        let named = |person: &usize| {
            let member = card(self.identity(*person), &self.host(*person, index), *person);
            Some(NamedMember { name: format!("person {person}").parse().ok()?, member })
        };
        let old = self.people_of(parent);
        let seat_of = |person: &usize| {
            old.iter().position(|one| one == person).and_then(|at| Seat::new(at as u32).ok())
        };
        let mut excluded: Vec<Seat> = proposal.excluded.iter().filter_map(seat_of).collect();
        excluded.sort();
        let terms = Terms {
            number: highest + proposal.step,
            threshold: proposal.threshold,
            expiry: wall_seconds + LIFE,
            excluded,
            members: proposal.people.iter().map(named).collect::<Option<_>>()?,
        };
        let plan = Plan::new(Parent::of(parent), terms).ok()?;
        let (parent, people) = (parent.clone(), proposal.people.clone());
        self.plans.push(Planned { index, plan, parent, place, people });
        Some(())
    }
}

fn card(identity: &IdentityKey, host: &HostKey, person: usize) -> Member {
    let (identity_key, peer) = (identity.public_key(), peer(person));
    let binding = host.bind(&identity_key, &peer, 0);
    Member { host_key: host.public_key(), identity_key, peer, sequence: 0, binding }
}

/// The key of a person of one kind, made for one plan.
fn key(seed: u64, kind: u8, person: usize, plan: usize) -> SigningKey {
    let mut bytes = [kind; 32];
    bytes[1..9].copy_from_slice(&seed.to_le_bytes());
    bytes[9] = person as u8;
    bytes[10..14].copy_from_slice(&(plan as u32).to_le_bytes());
    SigningKey::from_bytes(Zeroizing::new(bytes)).expect("below the group order and not zero")
}

/// How many of a plan's or group's people are among these.
pub fn count(people: &[usize], of: impl Fn(usize) -> bool) -> usize {
    people.iter().filter(|person| of(**person)).count()
}
