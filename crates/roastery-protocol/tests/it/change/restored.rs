//! Stores that were restored from a backup in the middle of a change.

use roastery_protocol::change::{
    machine::{Change, Event, Record},
    message::Kind,
};

use super::world::*;

/// The store of person 0 is that of a backup with these records; its node begins again.
fn restore(world: &mut World, records: &[Record]) {
    let node = &mut world.nodes[0];
    node.stored = records.iter().cloned().chain([Record::Restored]).collect();
    node.certificate = None;
    world.sent.clear();
    world.queue.clear();
    world.open(0);
}

/// A refresh of a 2-of-3 in which all have decided and such messages are lost, for a minute.
fn without(lost: impl Fn(&Packet) -> bool) -> World {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    world.decide();
    world.run_with(MINUTE, |packet| !lost(packet));
    let signed = |record: &Record| matches!(record, Record::Signed { .. });
    assert!(world.nodes[0].stored.iter().any(signed));
    world
}

fn sent_by_0(world: &World, kind: Kind) -> bool {
    world.sent_of(kind).iter().any(|packet| packet.from == 0)
}

#[test]
fn a_plan_of_a_restored_store_is_open_and_its_node_asks_for_the_certificate() {
    let hidden = |packet: &Packet| {
        packet.kind() == Kind::Certificate && packet.to == 0
            || packet.kind() == Kind::Choice && packet.from == 0
    };
    for records in [&[Record::Accepted][..], &[Record::Approved, Record::Accepted], &[]] {
        let mut world = without(hidden);
        assert_eq!(world.certified(), 2);
        restore(&mut world, records);
        world.run_with(61 * MINUTE, |packet| !hidden(packet));
        let expired = Event::Expired { open: true };
        assert!(world.nodes[0].events.contains(&expired) && world.machine(0).is_open());
        world.run();
        world.assert_one_epoch();
    }
}

#[test]
fn a_node_with_a_restored_store_signs_nothing_but_what_its_records_name() {
    let decided = [Record::Approved, Record::Accepted];
    let mut world = without(|packet| packet.kind() == Kind::Signature);
    let signed = world.nodes[0].stored.iter().find(|one| matches!(one, Record::Signed { .. }));
    let signed = signed.unwrap().clone();
    restore(&mut world, &decided);
    world.run_with(10 * MINUTE, |_| true);
    assert!(!sent_by_0(&world, Kind::Signature) && !sent_by_0(&world, Kind::Choice));
    world.assert_consistent();
    assert_eq!(world.certified(), 0);
    let [approved, accepted] = decided;
    restore(&mut world, &[approved, accepted, signed]);
    world.run();
    world.assert_one_epoch();
}

#[test]
fn a_restored_approval_is_not_taken_back_and_a_restored_plan_is_not_accepted_anew() {
    let mut world = without(|packet| packet.kind() == Kind::Signature);
    restore(&mut world, &[Record::Approved]);
    assert_eq!(world.with(0, Change::withdraw), Some(false));
    world.with(0, Change::accept);
    world.run_with(MINUTE, |_| true);
    assert!(!sent_by_0(&world, Kind::Acceptance));
    assert!(!world.nodes[0].stored.contains(&Record::Accepted));
}

#[test]
fn a_restored_approval_deals_nothing_until_it_is_given_again() {
    let mut world = without(|packet| packet.kind() == Kind::Signature);
    let dealt = world.nodes[0].stored.iter().find(|one| matches!(one, Record::Dealt(_)));
    let dealt = dealt.unwrap().clone();
    restore(&mut world, &[Record::Approved, Record::Accepted]);
    world.run_with(MINUTE, |_| true);
    assert!(!sent_by_0(&world, Kind::Dealing) && !sent_by_0(&world, Kind::Approval));
    world.with(0, Change::approve);
    world.run_with(MINUTE, |_| true);
    assert!(sent_by_0(&world, Kind::Dealing));
    assert!(world.nodes[0].stored.contains(&dealt), "the same as before");

    // What had left before the backup is shown again.
    restore(&mut world, &[Record::Approved, Record::Accepted, dealt]);
    world.run_with(MINUTE, |_| true);
    assert!(sent_by_0(&world, Kind::Dealing));
}

#[test]
fn an_approval_that_is_given_after_a_restore_stands_over_a_restart_and_not_over_another_restore() {
    let with_approval = [Record::Approved, Record::Accepted];
    for (before, again) in
        [(&with_approval[..], Record::ApprovedAgain), (&[Record::Accepted], Record::Approved)]
    {
        let mut world = without(|packet| packet.kind() == Kind::Signature);
        restore(&mut world, before);
        // It hears of no acceptance, so that nothing is dealt yet.
        world.with(0, Change::approve);
        world.run_with(MINUTE, |packet| packet.to != 0);
        assert!(sent_by_0(&world, Kind::Approval) && !sent_by_0(&world, Kind::Dealing));
        assert_eq!(world.nodes[0].stored.last(), Some(&again));
        world.sent.clear();
        world.open(0);
        world.run_with(MINUTE, |_| true);
        assert!(sent_by_0(&world, Kind::Approval) && sent_by_0(&world, Kind::Dealing));

        let mut stored = world.nodes[0].stored.clone();
        let is_kept = |record: &Record| matches!(record, Record::Approved | Record::Accepted);
        stored.retain(is_kept);
        restore(&mut world, &stored);
        world.run_with(MINUTE, |_| true);
        assert!(!sent_by_0(&world, Kind::Approval) && !sent_by_0(&world, Kind::Dealing));
    }
}
