//! A small group with a coalition in it, played to its end.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_frost::hash::tagged_hash;
use roastery_protocol::{
    Attempt, Seat, SlotHash,
    election::Order,
    engine::FrostEngine,
    message::{Body, Envelope, Kind, Shape, SigningPackage, SlotNonces},
    proof::FaultKind,
    signing::Event,
};
use roastery_sim::{
    adversary::{Behaviour, Coalition, Packet},
    invariants::Violation,
    members::Members,
    signing::{Injection, Setup, Step, Watch, World},
};

pub type Played = World<FrostEngine<ChaCha8Rng>, Coalition, Record>;

/// Everything that was sent, in order: its hash, and the packages.
pub struct Record {
    shape: Shape,
    pub trace: [u8; 32],
    pub packages: Vec<(Envelope, SigningPackage)>,
    /// The nonces that members have shown, by the slot's name.
    pub slots: BTreeMap<SlotHash, SlotNonces>,
    /// How many messages of each kind came from whom.
    pub kinds: BTreeMap<(Seat, Kind), usize>,
}

impl Watch<FrostEngine<ChaCha8Rng>> for Record {
    fn sent(&mut self, at: Duration, packet: &Packet) {
        let at = at.as_nanos().to_le_bytes();
        let ends = [packet.from.to_u16().to_le_bytes(), packet.to.to_u16().to_le_bytes()].concat();
        self.trace = tagged_hash("trace", &[&self.trace, &at, &ends, &packet.bytes]);
        let Ok(envelope) = Envelope::parse(&packet.bytes) else { return };
        *self.kinds.entry((packet.from, envelope.kind())).or_default() += 1;
        let (group, session) = (envelope.header().group, envelope.header().session);
        match self.shape.read(&envelope) {
            Ok((_, Body::SigningPackage(package))) => self.packages.push((envelope, package)),
            Ok((attempt, Body::Commitments(content))) => {
                let nonces = content.slot.to_nonces();
                if let Ok(signer) = Seat::new(envelope.header().sender.into()) {
                    self.slots.insert(nonces.hash(group, session, attempt, signer), nonces);
                }
            }
            _ => {}
        }
    }

    fn event(&mut self, _: Duration, _: usize, _: Seat, _: &Event) {}

    fn step(&mut self, _: &Step<'_, FrostEngine<ChaCha8Rng>>) -> Result<(), Violation> {
        Ok(())
    }
}

/// A group of t-of-n in which the coordinators at these places of the order are faulty.
#[derive(Clone, Debug)]
pub struct Case {
    pub t: usize,
    pub n: usize,
    pub seed: u64,
    pub messages: usize,
    pub faulty: Vec<(usize, Behaviour)>,
    /// The coordinator at this place in the order opens its session this late.
    pub late: Option<(usize, Duration)>,
}

impl Case {
    pub fn new(t: usize, n: usize, seed: u64, faulty: &[(usize, Behaviour)]) -> Self {
        Case { t, n, seed, messages: 1, faulty: faulty.to_vec(), late: None }
    }

    /// All n - t places from this one on.
    pub fn all_from(t: usize, n: usize, seed: u64, place: usize, what: Behaviour) -> Self {
        let faulty: Vec<_> = (place..place + n - t).map(|place| (place, what)).collect();
        Self::new(t, n, seed, &faulty)
    }

    pub fn play(&self) -> Played {
        let mut world = self.open();
        world.run_until_signed(Duration::from_secs(120)).unwrap();
        // Delayed messages still arrive, and noisy members send.
        let end = world.now().max(Duration::from_secs(4)) + Duration::from_secs(1);
        world.run_until(end).unwrap();
        assert!(world.all_signed(), "{self:?}");
        world
    }

    fn open(&self) -> Played {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let members = Members::make(self.t, self.n, &mut rng);
        let session = members.request(self.seed, self.messages).session_id();
        let order = Order::of(session, members.group.seats());
        let seat = |place: usize| order.coordinator(Attempt::new(place as u32).unwrap());
        let faulty: BTreeMap<Seat, Behaviour> =
            self.faulty.iter().map(|(place, what)| (seat(*place), *what)).collect();
        let mut setup = Setup::heal(self.seed, Duration::from_millis(100));
        setup.messages = self.messages;
        // The seed decides which message comes first.
        setup.links.jitter = Duration::from_millis(20);
        if let Some((place, at)) = self.late {
            setup.late.push(seat(place));
            setup.script.push((at, Injection::Open(seat(place))));
        }
        let shape = Shape::new(&members.group, session, self.messages);
        let record = Record {
            shape,
            trace: [0; 32],
            packages: Vec::new(),
            slots: BTreeMap::new(),
            kinds: BTreeMap::new(),
        };
        World::of_signing(members, Coalition::new(faulty, self.seed), record, setup)
    }
}

/// What honest nodes have proven.
pub fn proven(world: &Played) -> BTreeMap<Seat, BTreeSet<FaultKind>> {
    let mut proven: BTreeMap<Seat, BTreeSet<FaultKind>> = BTreeMap::new();
    for session in world.honest().filter_map(|node| node.session()) {
        for (finding, proof) in session.proofs() {
            assert_eq!(
                proof.verify(&world.hooks.members.group),
                roastery_protocol::proof::Verdict::Invalid(*finding)
            );
            proven.entry(finding.accused).or_default().insert(finding.fault);
        }
    }
    proven
}

/// Every fault that an honest node could prove is proven, and no member that follows the protocol
/// is blamed. Returns what is proven.
pub fn blame_is_right(world: &Played) -> BTreeMap<Seat, BTreeSet<FaultKind>> {
    let proven = proven(world);
    for seat in proven.keys() {
        assert!(
            world.hooks.adversary.members().contains_key(seat),
            "seat {seat} is honest: {proven:?}"
        );
    }
    // One proof per member at fault is kept: it may be of a fault that was found before.
    for (seat, faults) in world.hooks.adversary.committed() {
        assert!(proven.contains_key(seat), "seat {seat}: {faults:?}");
    }
    proven
}

pub fn acts(world: &Played) -> u64 {
    world.hooks.adversary.acts().values().sum()
}

/// Each of the coalition's members is proven to have done this, and no other member anything.
pub fn all_are_proven(world: &Played, fault: FaultKind) {
    let (proven, committed) = (proven(world), world.hooks.adversary.committed());
    assert!(proven.keys().eq(world.hooks.adversary.members().keys()), "{proven:?}");
    for (seat, faults) in &proven {
        assert!(faults.contains(&fault), "seat {seat}: {faults:?}");
        // Some have seen another fault first, and keep the proof of that.
        assert!(faults.is_subset(&committed[seat]), "seat {seat}: {faults:?} of {committed:?}");
    }
}

pub fn no_member_is_blamed(world: &Played) {
    assert!(acts(world) > 0, "it never took effect");
    assert!(
        world.hooks.adversary.committed().is_empty(),
        "{:?}",
        world.hooks.adversary.committed()
    );
    assert!(proven(world).is_empty(), "{:?}", proven(world));
}

impl Case {
    /// The coordinator at this place of the order.
    pub fn seat_at(&self, world: &Played, place: usize) -> Seat {
        world.shape().order().coordinator(Attempt::new(place as u32).unwrap())
    }
}
