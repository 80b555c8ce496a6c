//! Members that the tests play: what they can do to honest ones.

use std::time::Duration;

use roastery_frost::{AggregateNonce, PartialSignature, PublicNonce, nonce_agg};

use super::world::{Disk, World, seat};
use crate::{
    SessionId,
    machine::{Destination, Machine as _},
    member::{
        Run,
        frame::{
            Content, ControlContent, ControlKind, Frame, Kind, Ready, ReadySession, SignatureShare,
            SignerSlots, SigningPackage, Slots, Statement, StatementKind, Want, slot_hash,
        },
        machine::{Event, Record, Rejected, RequestOrigin},
        retained::Retained,
    },
    verdict::FaultKind,
};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A package of the node 2 of a 2-of-3 for itself and node 0, that names these slots of node 0.
fn package(world: &World, run: Run, number: u16, slots: &Slots, index: u32) -> SigningPackage {
    package_with(2, world, run, number, slots, index)
}

/// A package of the node 2 of a 2-of-3 for node 0 and this one.
fn package_with(
    cosigner: usize,
    world: &World,
    run: Run,
    number: u16,
    slots: &Slots,
    index: u32,
) -> SigningPackage {
    let nonce = slots.nonces[(index - slots.first) as usize];
    let point = PublicNonce::from_bytes(&nonce).unwrap();
    let group = world.group.id();
    let seats: Vec<_> = world.group.seats().collect();
    let entry = |seat, first, nonce: [u8; 66]| SignerSlots {
        seat,
        first,
        hash: slot_hash(group, seats[2], seat, &[nonce]),
    };
    // Its own slot has the same nonce: it must only be a point.
    let aggregate: AggregateNonce = nonce_agg([&point, &point]);
    SigningPackage {
        run,
        number,
        signers: vec![entry(seats[0], index, nonce), entry(seats[cosigner], 0, nonce)],
        aggregates: vec![aggregate],
    }
}

/// A 2-of-3 whose node 2 the test plays; the session is open at the nodes 0 and 1.
fn world() -> (World, SessionId) {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    // A link that comes up is shown the stock.
    world.link(0, 2, false);
    world.link(0, 2, true);
    let until = world.now + secs(1);
    world.run(until);
    let session = world.request(1, 3_600).session_id();
    (world, session)
}

#[test]
fn a_member_that_gives_a_bad_share_is_proven_faulty_at_all() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    let seats: Vec<_> = world.group.seats().collect();
    // So node 0 picks seat 2, whose stock it has from when it was honest.
    world.nodes[0].member.as_mut().unwrap().bar(seats[1]);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    let until = world.now + Duration::from_millis(60);
    world.run(until);
    let packages = world.packages_for(2, 1);
    let by_node_0 = |package: &SigningPackage| package.entry_of(seats[0]).is_some();
    let (statement, _) = packages.iter().find(|(_, package)| by_node_0(package)).unwrap();
    let scalars = vec![PartialSignature::from_bytes(&[3; 32]).unwrap()];
    let share = SignatureShare { package: statement.body_hash(), scalars };
    world.say(2, session, &Content::SignatureShare(share));
    let until = world.now + secs(1);
    world.run(until);
    for node in [0, 1] {
        let proven = world.proven(node);
        let proven: Vec<_> = proven.iter().map(|fault| (fault.accused, fault.fault)).collect();
        assert_eq!(proven, [(seats[2], FaultKind::InvalidShare)], "node {node}");
    }
}

#[test]
fn a_coordinator_that_shows_two_packages_of_one_number_is_proven_faulty_and_gets_one_share() {
    let (mut world, session) = world();
    let request = world.request(1, 3_600);
    world.open(0, &request, RequestOrigin::Proposed);
    let slots = world.slots_for(2, 0).pop().unwrap();
    let run = Run::new(u64::MAX - 1, [1; 8]);
    let (first, last) = (slots.first, slots.first + slots.nonces.len() as u32 - 1);
    let one = package(&world, run, 0, &slots, first);
    let other = package(&world, run, 0, &slots, last);
    world.say(2, session, &Content::SigningPackage(one));
    world.say(2, session, &Content::SigningPackage(other));
    let until = world.now + secs(1);
    world.run(until);
    let faults: Vec<FaultKind> = world.proven(0).iter().map(|fault| fault.fault).collect();
    assert_eq!(faults, [FaultKind::PackageConflict]);
    let seat = world.group.seats().nth(2).unwrap();
    let released =
        world.nodes[0].events.iter().filter(|event| matches!(event, Event::ShareReleased { .. }));
    assert!(released.count() <= 2, "one share to it, and one to this node's own package");
    assert!(world.proven(0).iter().all(|fault| fault.accused == seat));
}

#[test]
fn a_coordinator_that_begins_run_after_run_gets_few_shares_in_a_minute() {
    let (mut world, session) = world();
    let request = world.request(1, 3_600);
    world.open(0, &request, RequestOrigin::Proposed);
    let mut next = 0;
    for number in 0..600 {
        let slots = world.slots_for(2, 0);
        let free = slots
            .iter()
            .find(|slots| (slots.first..slots.first + slots.nonces.len() as u32).contains(&next));
        if let Some(slots) = free {
            let run = Run::new(1_000_000 + number, [0; 8]);
            let package = package(&world, run, 0, slots, next);
            world.say(2, session, &Content::SigningPackage(package));
            next += 1;
        }
        let until = world.now + Duration::from_millis(100);
        world.run(until);
    }
    let to_it = world.nodes[2].inbox.iter().filter(|(_, bytes)| bytes[0] == 1);
    let shares = to_it.filter(|(_, bytes)| bytes[66] == 2).count();
    // 125 ms doubling to 8 s: 7 runs in the first 8 s, and then one in 8 s.
    assert!((5..=16).contains(&shares), "{shares} shares in a minute");
}

#[test]
fn slots_that_are_no_points_are_not_named_and_no_member_is_blamed() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    let seat = world.group.seats().nth(2).unwrap();
    let incarnation = world.nodes[0].member.as_ref().unwrap().named_by(seat).unwrap();
    let slots = Slots { incarnation, oldest: 64, first: 64, nonces: vec![[0xff; 66]; 64] };
    world.tell(2, 0, &ControlContent::Slots(slots.clone()));
    world.tell(2, 1, &ControlContent::Slots(slots));
    let until = world.now + secs(1);
    world.run(until);
    world.crash(1);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    let until = world.now + secs(5);
    world.run(until);
    let packages = world.packages_for(2, 1);
    assert!(packages.iter().all(|(_, package)| package.entry_of(seat).is_none()));
    let held = world.nodes[0].member.as_ref().unwrap().core.own[0].shown.held(seat);
    assert_eq!(held, 0, "no later session tries the others");
    world.start(1);
    world.open(1, &request, RequestOrigin::Waited);
    assert!(world.run_until_signed(session, &[0, 1], secs(60)).is_some());
    assert!(world.proven(0).is_empty());
}

#[test]
fn a_run_that_comes_too_soon_is_answered_when_its_time_has_come() {
    let (mut world, session) = world();
    let request = world.request(1, 3_600);
    world.open(0, &request, RequestOrigin::Proposed);
    let slots = world.slots_for(2, 0).pop().unwrap();
    for number in 0..2 {
        let run = Run::new(1_000_000 + u64::from(number), [0; 8]);
        let package = package(&world, run, 0, &slots, slots.first + number);
        world.say(2, session, &Content::SigningPackage(package));
    }
    let shares = |world: &World| {
        let statements = world.nodes[2].inbox.iter().filter(|(_, bytes)| bytes[0] == 1);
        statements.filter(|(_, bytes)| bytes[66] == 2).count()
    };
    let until = world.now + Duration::from_millis(110);
    world.run(until);
    assert_eq!(shares(&world), 1);
    let until = world.now + Duration::from_millis(150);
    world.run(until);
    assert_eq!(shares(&world), 2);
}

#[test]
fn of_two_runs_that_come_too_soon_the_newer_one_is_answered_though_the_older_comes_after_it() {
    let (mut world, session) = world();
    let request = world.request(1, 3_600);
    world.open(0, &request, RequestOrigin::Proposed);
    let slots = world.slots_for(2, 0).pop().unwrap();
    let hashes = [0, 2, 1].map(|number| {
        let run = Run::new(1_000_000 + u64::from(number), [0; 8]);
        let package = package(&world, run, 0, &slots, slots.first + number);
        let package = world.sealed(2, session, &package);
        let _ = world.hand(2, 0, package.as_bytes());
        package.body_hash()
    });
    let until = world.now + secs(1);
    world.run(until);
    let shares = world.nodes[0].events.iter().filter_map(|event| match event {
        Event::ShareReleased { package, .. } => Some(*package),
        _ => None,
    });
    let shares: Vec<_> = shares.collect();
    assert_eq!(hashes.map(|hash| shares.contains(&hash)), [true, true, false]);
}

#[test]
fn a_member_that_asks_again_and_again_is_answered_once_in_half_a_second() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    for node in 0..2 {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    assert!(world.run_until_signed(session, &[0, 1], secs(30)).is_some());
    let until = world.now + secs(1);
    world.run(until);
    world.take_over(2);
    let seat = world.group.seats().nth(2).unwrap();
    let incarnation = world.nodes[0].member.as_ref().unwrap().named_by(seat).unwrap();
    for counter in 0..100 {
        let sessions = vec![ReadySession { session, counter, cannot: None }];
        world.tell(2, 0, &ControlContent::Ready(Ready { incarnation, oldest: 0, sessions }));
        let until = world.now + Duration::from_millis(10);
        world.run(until);
    }
    let until = world.now + Duration::from_millis(200);
    world.run(until);
    let answers = world.nodes[2].inbox.iter().filter(|(from, bytes)| *from == 0 && bytes[0] == 1);
    assert!((2..=3).contains(&answers.count()));
}

#[test]
fn honest_members_sign_though_each_has_barred_another_hostile_member() {
    let mut world = World::new(3, &[1; 5]);
    let seats: Vec<_> = world.group.seats().collect();
    // The first seats are picked first.
    world.take_over(0);
    world.take_over(1);
    world.nodes[2].member.as_mut().unwrap().bar(seats[0]);
    world.nodes[3].member.as_mut().unwrap().bar(seats[1]);
    let request = world.request(1, 3_600);
    for node in [2, 3, 4] {
        let own = node == 2;
        world.open(node, &request, if own { RequestOrigin::Own } else { RequestOrigin::Proposed });
    }
    let session = request.session_id();
    let begun = world.now;
    world.run(begun + Duration::from_millis(120));
    let of_2 = world.nodes[2].member.as_ref().unwrap();
    let known = of_2.core.candidate(of_2.sessions.get(session).unwrap(), seats[3], world.moment(2));
    assert!(known.cannot.is_some(), "node 3 does not sign with seat 1, and says so");
    let took = world.run_until_signed(session, &[2, 3, 4], secs(60)).unwrap();
    assert!(took < secs(10), "{took:?}");
}

#[test]
fn a_package_that_came_too_soon_is_not_signed_once_its_coordinator_is_barred() {
    let (mut world, _) = world();
    // The turn of the coordinator, node 2, has not come.
    let request = world.request_led_by(0, 1, 3_600);
    let session = request.session_id();
    world.open(0, &request, RequestOrigin::Proposed);
    let slots = world.slots_for(2, 0).pop().unwrap();
    for number in 0..2 {
        let run = Run::new(1_000_000 + u64::from(number), [0; 8]);
        // The coordinator is no signer of its own package.
        let package = package_with(1, &world, run, 0, &slots, slots.first + number);
        world.say(2, session, &Content::SigningPackage(package));
    }
    let until = world.now + Duration::from_millis(60);
    world.run(until);
    let seat = world.group.seats().nth(2).unwrap();
    let held = |world: &World| world.nodes[0].member.as_ref().unwrap().core.own[0].stock.held(seat);
    let before = (world.shares_released(0), held(&world));
    world.nodes[0].member.as_mut().unwrap().bar(seat);
    let until = world.now + secs(1);
    world.run(until);
    assert_eq!((world.shares_released(0), held(&world)), before, "no nonce is used");
}

#[test]
fn nothing_that_a_barred_member_sends_is_read() {
    let (mut world, session) = world();
    let request = world.request(1, 3_600);
    world.open(0, &request, RequestOrigin::Proposed);
    let slots = world.slots_for(2, 0).pop().unwrap();
    let package = package(&world, Run::new(1_000_000, [0; 8]), 0, &slots, slots.first);
    let package = world.sealed(2, session, &package);
    let proposal = world.proposal_of(2, &request);
    let share = world.garbage_share(2, session, package.body_hash(), 3);
    let sender = seat(&world, 2);
    world.nodes[0].member.as_mut().unwrap().bar(sender);
    for statement in [package, proposal, share] {
        // Over its own link, and over another one.
        for link in [2, 1] {
            let rejected = world.hand(link, 0, statement.as_bytes());
            assert_eq!(rejected, Err(Rejected::Excluded { sender }));
        }
    }
}

#[test]
fn a_coordinator_that_asks_is_shown_slots_that_it_has_not_seen_though_a_batch_is_left() {
    let (mut world, _) = world();
    let shown = |world: &World| {
        let slots = world.slots_for(2, 0);
        slots.iter().map(|slots| slots.first + slots.nonces.len() as u32).max().unwrap()
    };
    let before = shown(&world);
    for _ in 0..10 {
        let until = world.now + secs(1);
        world.run(until);
        world.tell(2, 0, &ControlContent::Want(Want::Slots));
    }
    let until = world.now + secs(1);
    world.run(until);
    assert!((before + 64..=before + 128).contains(&shown(&world)), "{}", shown(&world));
}

#[test]
fn a_package_that_names_slots_beyond_the_last_index_is_declined_and_the_session_goes_on() {
    let (mut world, session) = world();
    let request = world.request(1, 3_600);
    world.open(0, &request, RequestOrigin::Proposed);
    let seats: Vec<_> = world.group.seats().collect();
    let slots = world.slots_for(2, 0).pop().unwrap();
    let run = Run::new(1_000_000, [0; 8]);
    let mut package = package(&world, run, 0, &slots, slots.first);
    package.signers[0].first = u32::MAX;
    package.signers[0].hash = slot_hash(world.group.id(), seats[2], seats[0], &[]);
    world.say(2, session, &Content::SigningPackage(package));
    let until = world.now + secs(1);
    world.run(until);
    assert_eq!(world.nodes[0].member.as_ref().unwrap().stopped(session), None);
    let failed = world.nodes[0].events.iter().any(|event| matches!(event, Event::EngineFailed(_)));
    assert!(!failed, "the engine is not asked");
    world.open(1, &request, RequestOrigin::Proposed);
    assert!(world.run_until_signed(session, &[0, 1], secs(30)).is_some());
}

#[test]
fn a_link_that_comes_and_goes_without_end_is_acted_on_at_a_pace_and_the_last_time_counts() {
    let mut world = World::new(2, &[1; 3]);
    let requests: Vec<_> = (0..20).map(|at| world.request(1, 3_600 + at)).collect();
    for request in &requests {
        world.open(0, request, RequestOrigin::Waited);
    }
    world.run_for(Duration::from_secs(60));
    world.sent.clear();
    for _ in 0..500 {
        world.link(0, 1, false);
        world.link(0, 1, true);
        world.run_for(Duration::from_millis(120));
    }
    // A link that comes up has each session say Ready, and slots shown.
    let ready = world.count_control(ControlKind::Ready);
    let slots = world.count_control(ControlKind::Slots);
    assert!(ready <= 2 * 120, "{ready} Ready in a minute");
    assert!(slots <= 2 * 120, "{slots} Slots in a minute");
    // What waits when it stays up is done.
    world.run_for(Duration::from_secs(3));
    for request in &requests {
        world.open(1, request, RequestOrigin::Waited);
    }
    for request in &requests {
        let session = request.session_id();
        assert!(world.run_until_signed(session, &[0, 1], secs(10)).is_some());
    }
}

/// How many shares of node 0 have come to node 2.
fn shares(world: &World) -> usize {
    let frames = world.nodes[2].inbox.iter().filter(|(sender, _)| *sender == 0);
    let kinds = frames.filter_map(|(_, bytes)| Frame::peek(bytes).ok());
    kinds.filter(|(kind, _)| *kind == Kind::Statement(StatementKind::SignatureShare)).count()
}

/// What node 0 keeps in this session of what others have signed.
fn retained(world: &mut World, session: SessionId) -> &mut Retained {
    let member = world.nodes[0].member.as_mut().unwrap();
    &mut member.sessions.get_mut(session).unwrap().retained
}

#[test]
fn a_package_that_was_dropped_after_its_answer_is_answered_again_and_another_of_its_number_is_not()
{
    let (mut world, session) = world();
    let request = world.request(1, 3_600);
    world.open(0, &request, RequestOrigin::Waited);
    let slots = world.slots_for(2, 0).pop().unwrap();
    let run = Run::new(1_000_000, [0; 8]);
    let answered = world.seal(
        2,
        session,
        &Content::SigningPackage(package(&world, run, 0, &slots, slots.first)),
    );
    let show = |world: &mut World, statement: &Statement| {
        world.nodes[2].inbox.clear();
        world.send(2, Destination::Everyone, statement.as_bytes());
        let until = world.now + secs(1);
        world.run(until);
        shares(world)
    };
    assert_eq!(show(&mut world, &answered), 1);
    retained(&mut world, session).forget_package(answered.body_hash());
    let other = package(&world, run, 0, &slots, slots.first + 1);
    let other = world.seal(2, session, &Content::SigningPackage(other));
    assert_eq!(show(&mut world, &other), 0);
    retained(&mut world, session).forget_package(other.body_hash());

    assert_eq!(show(&mut world, &answered), 0, "it is taken again first");
    let cannot = world.nodes[2].inbox.iter().filter(|(_, bytes)| {
        matches!(Frame::peek(bytes), Ok((Kind::Control(ControlKind::Ready), _)))
    });
    assert_eq!(cannot.count(), 0, "nothing keeps it from its answer");
    assert_eq!(show(&mut world, &answered), 1);
}

#[test]
fn a_share_that_waits_for_the_disk_while_a_cosigner_or_its_coordinator_is_barred_does_not_leave() {
    [1, 2].into_iter().for_each(barred_while_a_share_waits);
}

/// Bars this node while a share for node 2, with node 1 as cosigner, waits for the disk.
fn barred_while_a_share_waits(barred: usize) {
    let (mut world, session) = world();
    let request = world.request(1, 3_600);
    world.open(0, &request, RequestOrigin::Waited);
    world.nodes[0].disk = Disk::Waits;
    let slots = world.slots_for(2, 0).pop().unwrap();
    let run = Run::new(1_000_000, [0; 8]);
    let package = package_with(1, &world, run, 0, &slots, slots.first);
    world.say(2, session, &Content::SigningPackage(package));
    let until = world.now + secs(1);
    world.run(until);
    let of_package = |record: &Record| matches!(record, Record::Share { coordinator, .. } if *coordinator == seat(&world, 2));
    assert!(world.nodes[0].waiting.iter().any(of_package));
    let (barred, now) = (seat(&world, barred), world.moment(0));
    let waiting = std::mem::take(&mut world.nodes[0].waiting);
    let member = world.nodes[0].member.as_mut().unwrap();
    member.bar(barred);
    waiting.into_iter().for_each(|record| member.persisted(record, true, now));
    world.drain(0);
    let until = world.now + secs(1);
    world.run(until);
    assert_eq!(shares(&world), 0);
}
