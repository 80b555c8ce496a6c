//! Packages of another coordinator that make no signature: which are investigated, and what is
//! answered about them.

use roastery_frost::PartialSignature;
use roastery_protocol::{
    Seat, SlotHash,
    engine::FrostSession,
    message::{Body, Envelope, Kind, Want},
    signing::{Rejected, Settings},
};
use roastery_testkit::{byzantine::*, *};

/// A 2-of-6 of which only the coordinator of the second attempt is honest, and two others sign for
/// the first one.
struct Scene {
    world: World<FrostSession>,
    first: Seat,
    second: Seat,
    signers: [Seat; 2],
}

/// A package of the first coordinator whose shares are invalid, and the slots of its signers.
struct Failed {
    slots: [OwnSlot; 2],
    hashes: [SlotHash; 2],
}

impl Scene {
    fn new() -> Self {
        let fixture = Fixture::new(2, 6);
        let (first, second) = (fixture.coordinator_of(0), fixture.coordinator_of(1));
        let others = fixture.seats_but(&[first, second]);
        let by_hand = fixture.seats_but(&[second]);
        let mut world = World::frost(fixture, &by_hand);
        world.pass_time(Settings::default().interval);
        Self { world, first, second, signers: [others[0], others[1]] }
    }

    fn hand(&mut self, envelope: &Envelope) -> Result<(), Rejected> {
        self.world.hand(envelope, self.second)
    }

    /// The package of this number and its shares come in.
    fn fail(&mut self, number: u16) -> Failed {
        let fixture = &self.world.fixture;
        let slots = self.signers.map(|seat| fixture.draw(seat, 0, run(1), number.into()));
        let shown: Vec<_> = slots.iter().map(|slot| slot.shown()).collect();
        let package = fixture.seal_package(0, &fixture.package(0, run(1), number, &shown));
        let scalars = vec![PartialSignature::from_bytes(&[1; 32]).unwrap()];
        let shares = self
            .signers
            .map(|seat| fixture.seal_share(seat, 0, package.body_hash(), scalars.clone(), None));
        let hashes = [0, 1].map(|at| fixture.slot_hash(0, shown[at].0, &shown[at].1));
        // It is not this node that is asked to sign.
        let _ = self.hand(&package);
        for share in &shares {
            let _ = self.hand(share);
        }
        Failed { slots, hashes }
    }

    /// Makes this seat one that has proven itself faulty.
    fn prove_faulty(&mut self, seat: Seat) {
        let mut body = self.world.fixture.seal(seat, 0, &Body::Want(Want::Outcome)).body().to_vec();
        body.push(0);
        let malformed = sealed_bytes(Kind::Want, seat, &body, [0; 32]);
        assert!(self.hand(&malformed).is_err());
        assert_eq!(self.world.findings(self.second).len(), 1);
    }

    /// Which slots are asked for from here on, in so much time.
    fn asked(&mut self, during: impl FnOnce(&mut Self)) -> Vec<SlotHash> {
        let before = self.world.sent.len();
        during(self);
        let sent = self.world.sent[before..].iter().map(Packet::envelope);
        let wants = sent.filter(|one| one.kind() == Kind::Want);
        let mut slots: Vec<SlotHash> = wants
            .filter_map(|one| match self.world.fixture.read(&one) {
                Body::Want(Want::Nonces(slot)) => Some(slot),
                _ => None,
            })
            .collect();
        slots.sort_unstable();
        slots
    }

    fn asked_later(&mut self) -> Vec<SlotHash> {
        self.asked(|scene| scene.world.pass_time(Settings::default().repeat_min))
    }
}

fn sorted(slots: impl IntoIterator<Item = SlotHash>) -> Vec<SlotHash> {
    let mut slots: Vec<SlotHash> = slots.into_iter().collect();
    slots.sort_unstable();
    slots
}

#[test]
fn a_package_that_fails_is_looked_into_and_each_bad_share_is_found() {
    let mut scene = Scene::new();
    let mut failed = None;
    let asked = scene.asked(|scene| failed = Some(scene.fail(0)));
    let Failed { slots, hashes } = failed.unwrap();
    assert_eq!(asked, sorted(hashes));
    assert_eq!(scene.asked_later(), sorted(hashes), "and asked again");
    let answers = slots.map(|slot| scene.world.fixture.commitments(&slot));
    scene.hand(&answers[0]).unwrap();
    let accused: Vec<Seat> =
        scene.world.findings(scene.second).iter().map(|finding| finding.accused).collect();
    assert_eq!(accused, [scene.signers[0]]);
}

#[test]
fn a_package_is_not_looked_into_if_its_coordinator_or_a_signer_is_proven_faulty() {
    for which in 0..3 {
        let mut scene = Scene::new();
        let faulty = [scene.first, scene.signers[0], scene.signers[1]][which];
        scene.prove_faulty(faulty);
        assert_eq!(scene.asked(|scene| drop(scene.fail(0))), []);
        assert_eq!(scene.asked_later(), []);
    }
}

#[test]
fn who_is_proven_faulty_ends_the_looking_into_its_packages() {
    for which in 0..3 {
        let mut scene = Scene::new();
        let Failed { slots, hashes } = scene.fail(0);
        assert_eq!(scene.asked_later(), sorted(hashes));
        let faulty = [scene.first, scene.signers[0], scene.signers[1]][which];
        scene.prove_faulty(faulty);
        assert_eq!(scene.asked_later(), []);
        for slot in slots {
            let answer = scene.world.fixture.commitments(&slot);
            let refused = scene.hand(&answer);
            assert!(matches!(refused, Err(Rejected::NotTheCoordinator { .. })), "{refused:?}");
        }
        assert_eq!(scene.world.findings(scene.second).len(), 1);
    }
}

#[test]
fn of_more_than_four_failed_packages_the_oldest_is_not_looked_into_any_more() {
    let mut scene = Scene::new();
    let mut failed: Vec<Failed> = (0..4).map(|number| scene.fail(number)).collect();
    let all = |failed: &[Failed]| sorted(failed.iter().flat_map(|one| one.hashes));
    assert_eq!(scene.asked_later(), all(&failed));
    failed.push(scene.fail(4));
    let oldest = failed.remove(0);
    // The newest was just asked for; the others wait for twice the minimum interval by now.
    let asked = scene.asked(|scene| scene.world.pass_time(Settings::default().repeat_max));
    assert_eq!(asked, all(&failed));
    for slot in &oldest.slots {
        let answer = scene.world.fixture.commitments(slot);
        let refused = scene.hand(&answer);
        assert!(matches!(refused, Err(Rejected::NotTheCoordinator { .. })), "{refused:?}");
    }
    assert!(scene.world.no_member_is_blamed());
    for slot in &failed[0].slots {
        let answer = scene.world.fixture.commitments(slot);
        let _ = scene.hand(&answer);
    }
    assert!(!scene.world.no_member_is_blamed());
}

#[test]
fn the_nonces_of_a_used_slot_are_shown_after_a_later_share() {
    let fixture = Fixture::new(2, 4);
    let coordinator = fixture.coordinator_of(0);
    let others = fixture.seats_but(&[coordinator]);
    let (signer, helper, asking) = (others[0], others[1], others[2]);
    let mut world = World::frost(fixture, &[coordinator, helper, asking]);
    let mut used = Vec::new();
    for number in 0..2 {
        let (seat, slot) = world.slots_of(0, &[signer]).remove(0);
        used.push(world.fixture.slot_hash(0, seat, &slot));
        let beside = world.fixture.draw(helper, 0, run(1), number.into());
        let slots = [(seat, slot), beside.shown()];
        let package = world.fixture.package(0, run(1), number, &slots);
        world.hand(&world.fixture.seal_package(0, &package), signer).unwrap();
    }
    let shares = world.mail(coordinator, Kind::SignatureShare);
    assert_eq!(shares.len(), 2);
    // The first slot came by itself, the second with the first share.
    let shown = [world.mail(coordinator, Kind::Commitments).remove(0), shares[0].clone()];
    for (slot, shown) in used.into_iter().zip(shown) {
        let before = world.sent.len();
        let want = world.fixture.seal(asking, 0, &Body::Want(Want::Nonces(slot)));
        world.hand(&want, signer).unwrap();
        let answers: Vec<_> = world.sent[before..].to_vec();
        assert_eq!(answers.len(), 1);
        assert_eq!((answers[0].to, answers[0].envelope()), (asking, shown));
    }
}
