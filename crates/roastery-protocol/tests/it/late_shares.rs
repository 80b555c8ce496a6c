//! Shares that come late, again, or without a signature: they count for what they are.

use roastery_protocol::{
    engine::FrostSession,
    machine::Machine,
    message::{Body, Kind},
    signing::Settings,
};
use roastery_testkit::{byzantine::*, *};

// Row 70.

#[test]
fn an_old_share_that_is_sent_again_does_not_take_the_place_of_a_new_one() {
    let fixture = Fixture::new(2, 4);
    let coordinator = fixture.coordinator_of(0);
    let others = fixture.seats_but(&[coordinator]);
    let [one, two, observer] = [others[0], others[1], others[2]];
    let mut world = World::frost(fixture, &[coordinator, one, two]);
    let share = |world: &World<FrostSession>, number: u16| {
        let slots = [one, two].map(|seat| world.fixture.draw(seat, 0, run(1), number.into()));
        let shown: Vec<_> = slots.iter().map(|slot| slot.shown()).collect();
        let content = world.fixture.package(0, run(1), number, &shown);
        let package = world.fixture.seal_package(0, &content);
        let [first, second] = slots.map(|slot| world.fixture.sign(slot, &content));
        let seal =
            |seat, scalars| world.fixture.seal_share(seat, 0, package.body_hash(), scalars, None);
        (package.clone(), seal(one, first), seal(two, second))
    };
    let (older, old, _) = share(&world, 0);
    let (newer, new, last) = share(&world, 1);
    for package in [&older, &newer] {
        let _ = world.hand(package, observer);
    }
    for said in [&new, &old] {
        let _ = world.hand(said, observer);
    }
    let _ = world.hand(&last, observer);
    assert!(world.session(observer.index()).outcome().is_some(), "{:?}", world.rejected);
}

// Row 34.

#[test]
fn a_right_share_that_no_member_signed_buys_no_further_place() {
    let fixture = Fixture::new(3, 5);
    let coordinator = fixture.coordinator_of(0);
    let others = fixture.seats_but(&[coordinator]);
    let (member, slow) = (others[0], others[1]);
    let mut world = World::frost(fixture, &[member]);
    let slot = world.fixture.draw(member, 0, run(1), 0);
    world.hand(&world.fixture.commitments(&slot), coordinator).unwrap();
    // The coordinator, the member and the slow one are picked, and the slow one's messages are
    // lost.
    world.run_with(|packet| {
        let first = packet.from == slow && packet.kind() == Kind::Commitments;
        first || packet.from == coordinator
    });
    let package = world.mail(member, Kind::SigningPackage).remove(0);
    let Body::SigningPackage(content) = world.fixture.read(&package) else { unreachable!() };
    let scalars = world.fixture.sign(slot, &content);
    let next = world.fixture.draw(member, 0, run(1), 1);
    let share = world.fixture.seal_share(member, 0, package.body_hash(), scalars, Some(&next));
    let mut bytes = share.as_bytes().to_vec();
    bytes[0] ^= 1;
    let _ = world.deliver(member, coordinator, &bytes);
    // The others show their slots, and time for a second package comes.
    for at in &others[2..] {
        let shown = world.mail(coordinator, Kind::Commitments);
        let theirs = shown.into_iter().find(|one| one.header().sender == at.to_u16()).unwrap();
        let _ = world.hand(&theirs, coordinator);
    }
    world.now = later(world.now, Settings::default().patience);
    let now = world.now;
    world.session_mut(coordinator.index()).handle_timeout(now);
    world.collect(coordinator);
    let issued = world.issued_by(coordinator);
    assert_eq!(issued.len(), 2, "{issued:?}");
    assert!(issued[0].2.contains(&member) && !issued[1].2.contains(&member), "{issued:?}");
}
