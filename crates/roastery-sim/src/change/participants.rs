use std::{collections::BTreeMap, sync::Arc};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_frost::{SigningKey, XOnlyPublicKey, danger_trusted_dealer};
use roastery_protocol::{
    PlanId, Seat,
    change::{EpochOrder, Parent, Plan, Terms},
    group::{Group, Member, NamedMember},
    keys::{HostKey, IdentityKey},
};
use zeroize::Zeroizing;

use crate::members::peer;

/// All people of a simulation with their keys, the first group, and the plans that were made so
/// far. A person is known by a number, which in the world is the seat of its node. It may hold
/// several seats of a group: its first one, second one and so on, each with keys of its own.
#[derive(Debug)]
pub struct Participants {
    seed: u64,
    identities: Vec<Vec<Arc<IdentityKey>>>,
    /// The group of epoch 0.
    pub root: Arc<Group>,
    root_shares: BTreeMap<usize, Shares>,
    plans: Vec<Planned>,
}

/// The shares of a person in an epoch, by seat.
pub type Shares = BTreeMap<Seat, Zeroizing<[u8; 32]>>;

/// How many seats of a group a person holds at most.
pub const MOST_SEATS: usize = 3;

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
    /// The new members, by new seat; some of them several times.
    pub people: Vec<usize>,
}

/// What a person proposes.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The new members, by new seat; some of them several times.
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
    /// So many people, some of which hold a t-of-n in epoch 0: these, by seat.
    ///
    /// # Panics
    ///
    /// If t and n are not those of a group, or a person holds more than three seats.
    pub fn make(seed: u64, people: usize, t: usize, root: &[usize]) -> Self {
        let n = root.len();
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xc4a6);
        let (keys, shares) =
            danger_trusted_dealer::deal(t, n, &mut rng).expect("t and n of a group");
        let identity = |person, copy| Arc::new(IdentityKey::new(key(seed, 1, person, 0, copy)));
        let all = |person| (0..MOST_SEATS).map(|copy| identity(person, copy)).collect();
        let identities: Vec<Vec<_>> = (0..people).map(all).collect();
        let members = root.iter().zip(copies(root)).map(|(person, copy)| {
            let host = HostKey::new(key(seed, 2, *person, 0, copy));
            card(&identities[*person][copy], &host, *person)
        });
        let members = members.collect();
        let group = Group::new(keys, [7; 32], members).expect("keys of a dealer make a group");
        let mut root_shares: BTreeMap<usize, Shares> = BTreeMap::new();
        for (person, (seat, share)) in root.iter().zip(seats_to(n).zip(&shares)) {
            root_shares.entry(*person).or_default().insert(seat, share.expose_bytes());
        }
        Self { seed, identities, root: Arc::new(group), root_shares, plans: Vec::new() }
    }

    /// All people.
    pub fn people(&self) -> std::ops::Range<usize> {
        0..self.identities.len()
    }

    /// The identity keys of a person, of its first seat and of further ones, in every epoch.
    pub fn identities(&self, person: usize) -> &[Arc<IdentityKey>] {
        &self.identities[person]
    }

    /// The identity key of a seat of these people.
    pub fn identity(&self, people: &[usize], seat: Seat) -> Option<&Arc<IdentityKey>> {
        let person = people.get(seat.index())?;
        self.identities[*person].get(copies(people)[seat.index()])
    }

    /// The host key of a person for its first seat of a plan, its second one and so on.
    pub fn host(&self, person: usize, plan: usize, copy: usize) -> HostKey {
        HostKey::new(key(self.seed, 2, person, plan + 1, copy))
    }

    /// The shares of epoch 0 of a person, if it has some.
    pub fn root_shares(&self, person: usize) -> Option<&Shares> {
        self.root_shares.get(&person)
    }

    /// The person with this identity key.
    pub fn person(&self, identity: &XOnlyPublicKey) -> Option<usize> {
        let is_its =
            |own: &Vec<Arc<IdentityKey>>| own.iter().any(|one| one.public_key() == *identity);
        self.identities.iter().position(is_its)
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
        let named = |(person, copy): (&usize, usize)| {
            let identity = self.identities[*person].get(copy)?;
            let member = card(identity, &self.host(*person, index, copy), *person);
            Some(NamedMember { name: format!("person {person}").parse().ok()?, member })
        };
        let old = self.people_of(parent);
        let is_excluded = |(_, person): &(Seat, &usize)| proposal.excluded.contains(person);
        let excluded = seats_to(old.len()).zip(&old).filter(is_excluded);
        let excluded: Vec<Seat> = excluded.map(|(seat, _)| seat).collect();
        let terms = Terms {
            number: highest + proposal.step,
            threshold: proposal.threshold,
            expiry: wall_seconds + LIFE,
            excluded,
            members: proposal
                .people
                .iter()
                .zip(copies(&proposal.people))
                .map(named)
                .collect::<Option<_>>()?,
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

/// The seats of so many members.
fn seats_to(n: usize) -> impl Iterator<Item = Seat> {
    (0..n as u32).filter_map(|at| Seat::new(at).ok())
}

/// Which seat of its person each of these is: the first one is 0.
fn copies(people: &[usize]) -> Vec<usize> {
    let before = |at: usize| people[..at].iter().filter(|one| **one == people[at]).count();
    (0..people.len()).map(before).collect()
}

/// The seats of a person among these, each with its place among the person's own.
pub fn seats_of(people: &[usize], person: usize) -> Vec<(Seat, usize)> {
    let seats = seats_to(people.len()).zip(people);
    let own = seats.filter(|(_, one)| **one == person).map(|(seat, _)| seat);
    own.enumerate().map(|(copy, seat)| (seat, copy)).collect()
}

/// The key of a person of one kind, made for one plan and one of its seats.
fn key(seed: u64, kind: u8, person: usize, plan: usize, copy: usize) -> SigningKey {
    let mut bytes = [kind; 32];
    bytes[1..9].copy_from_slice(&seed.to_le_bytes());
    bytes[9] = person as u8;
    bytes[10..14].copy_from_slice(&(plan as u32).to_le_bytes());
    bytes[14] = bytes[14].wrapping_add(copy as u8);
    SigningKey::from_bytes(Zeroizing::new(bytes)).expect("below the group order and not zero")
}

/// How many of a plan's or group's seats are of these people.
pub fn count(people: &[usize], of: impl Fn(usize) -> bool) -> usize {
    people.iter().filter(|person| of(**person)).count()
}
