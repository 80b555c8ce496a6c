//! Loss, duplication and reordering.

use std::collections::BTreeSet;

use proptest::prelude::*;
use roastery_protocol::{
    keygen::message::Kind,
    machine::{Link, Machine},
};

use super::world::*;

#[test]
fn the_first_message_of_each_kind_on_each_link_may_be_lost() {
    for (t, n) in [(2, 2), (2, 3), (3, 5)] {
        let mut world = World::new(t, n);
        let mut lost = BTreeSet::new();
        world.run_for(10 * MINUTE, |_, packet| {
            let first = lost.insert((packet.from, packet.to, packet.kind()));
            (!first).then_some(packet)
        });
        world.assert_one_group();
        (0..n).for_each(|at| assert_eq!(world.findings(at), []));
    }
}

#[test]
fn every_single_message_may_be_lost() {
    let mut honest = World::new(2, 3);
    honest.run();
    for which in 0..honest.sent.len() {
        let mut world = World::new(2, 3);
        let mut count = 0;
        world.run_for(10 * MINUTE, |_, packet| {
            count += 1;
            (count != which + 1).then_some(packet)
        });
        world.assert_one_group();
    }
}

#[test]
fn without_any_first_message_or_signature_nothing_happens_and_no_member_is_blamed() {
    for kind in [Kind::FirstMessage, Kind::Signature] {
        let mut world = World::new(2, 3);
        world.run_for(10 * MINUTE, |_, packet| (packet.kind() != kind).then_some(packet));
        assert_eq!(world.done(), 0, "{kind:?}");
        for at in 0..3 {
            assert_eq!(world.findings(at), []);
            assert_ne!(world.node(at).report().awaited, []);
        }
        // When messages arrive again, the key generation succeeds.
        world.run_for(10 * MINUTE, |_, packet| Some(packet));
        world.assert_one_group();
    }
}

#[test]
fn without_any_transcript_of_another_each_makes_its_own_and_it_is_the_same() {
    for kind in [Kind::Transcript, Kind::Want] {
        let mut world = World::new(2, 3);
        world.run_for(10 * MINUTE, |_, packet| (packet.kind() != kind).then_some(packet));
        world.assert_one_group();
    }
}

#[test]
fn a_connection_that_comes_back_brings_at_once_what_was_lost() {
    let mut world = World::new(2, 3);
    world.run_with(|_, _| None);
    let now = world.now;
    for at in 0..3 {
        for other in world.invitation.seats().filter(|other| other.index() != at) {
            let peer = roastery_testkit::peer(other);
            for connection in [Link::Down, Link::Up] {
                world.node_mut(at).handle_link(&peer, connection, now);
            }
        }
        world.collect(at);
    }
    world.run();
    world.assert_one_group();
    assert_eq!(world.now, now);
}

/// Each message is lost, delivered once or twice, in any order, and members crash and come back
/// with what they stored.
fn storm(t: usize, n: usize, seed: u64, loss: u64) -> World {
    let mut world = World::new(t, n);
    let mut fate = Fate(seed);
    let end = world.now.monotonic + 5 * MINUTE;
    while world.now.monotonic < end && world.done() < n {
        while !world.queue.is_empty() {
            let at = fate.next(world.queue.len() as u64) as usize;
            let packet = world.queue.remove(at).unwrap();
            if fate.next(100) < loss {
                continue;
            }
            let _ = world.deliver(&packet);
            if fate.next(10) == 0 {
                world.queue.push_back(packet);
            }
            if fate.next(60) == 0 {
                world.open(fate.next(n as u64) as usize);
            }
        }
        world.tick();
    }
    world.run_for(10 * MINUTE, |_, packet| Some(packet));
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn loss_repetition_disorder_and_crashes_end_in_one_group_and_blame_no_member(
        seed: u64,
        (t, n) in prop_oneof![Just((2, 2)), Just((2, 3)), Just((3, 4))],
        loss in 0u64..60,
    ) {
        let mut world = storm(t, n, seed, loss);
        (0..n).for_each(|at| assert_eq!(world.findings(at), []));
        world.assert_one_group();
    }
}
