//! Records that the owner cannot keep, and timers of a machine that is called late.

use std::{sync::Arc, time::Duration};

use super::{
    requests::secs,
    world::{TestMember, World},
};
use crate::{
    clock::Moment,
    machine::{Machine, Output},
    member::{
        frame::{Content, SignatureShare},
        machine::{Event, Record, RequestOrigin},
        proof::{Fault, Proof},
    },
    verdict::Verdict,
};

fn later(now: Moment, by: Duration) -> Moment {
    Moment { monotonic: now.monotonic + by, wall: now.wall + by }
}

/// What the machine asks to keep now, and the events that it gives.
fn records(member: &mut TestMember) -> (Vec<Record>, Vec<Event>) {
    let (mut records, mut events) = (Vec::new(), Vec::new());
    while let Some(output) = member.poll_output() {
        match output {
            Output::Persist(record) => records.push(record),
            Output::Event(event) => events.push(event),
            Output::Send { .. } => {}
        }
    }
    (records, events)
}

#[test]
fn an_incarnation_that_could_not_be_kept_is_kept_later_and_the_node_signs_again() {
    let mut world = World::new(2, &[1; 2]);
    let now = world.moment(0);
    let member = world.nodes[0].member.as_mut().unwrap();
    member.void_stock(now);
    let incarnation = Record::Incarnation(member.incarnation());
    for (at, pause) in [(0, 1), (1, 2), (3, 4)] {
        let (asked, _) = records(member);
        assert_eq!(asked, std::slice::from_ref(&incarnation));
        let now = later(now, secs(at));
        member.persisted(incarnation.clone(), false, now);
        let (_, events) = records(member);
        assert!(matches!(events[..], [Event::IncarnationNotKept(_)]), "{events:?}");
        assert_eq!(member.next_timeout(), Some(now.monotonic + secs(pause)));
        member.handle_timeout(later(now, secs(pause)));
    }
    // The disk works again: the world writes what is asked for now.
    world.now += secs(7);
    world.drain(0);
    let until = world.now + secs(1);
    world.run(until);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    assert!(world.run_until_signed(session, &[0, 1], secs(5)).is_some());
}

#[test]
fn a_proof_that_could_not_be_kept_is_kept_later() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 3_600);
    let content = SignatureShare {
        package: crate::BodyHash::from_bytes([1; 32]),
        scalars: vec![roastery_frost::PartialSignature::from_bytes(&[1; 32]).unwrap(); 2],
    };
    let content = Content::SignatureShare(content);
    let message = world.seal(2, request.session_id(), &content);
    let proof = Arc::new(Proof::new(request, Fault::MalformedMessage { message }));
    assert!(matches!(proof.verify(&world.group), Verdict::Invalid(_)));
    let (now, record) = (world.moment(0), Record::Proof(proof));
    let member = world.nodes[0].member.as_mut().unwrap();
    member.persisted(record.clone(), false, now);
    member.handle_timeout(later(now, secs(1)));
    assert_eq!(records(member).0, [record]);
}

#[test]
fn a_machine_that_is_called_after_its_stock_was_last_due_has_no_timer_that_stays_due() {
    let mut world = World::new(2, &[1; 2]);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    world.run_until_signed(session, &[0, 1], secs(5)).unwrap();
    world.run(secs(700));
    let (seats, now) = (world.group.seats().collect::<Vec<_>>(), world.moment(0));
    let member = world.nodes[0].member.as_mut().unwrap();
    // Its stock is due just before it is idle, and it is called just after that.
    let due = member.core.own_seat(seats[0]).stock.stale_at(seats[1]).unwrap();
    member.core.active = Some(due + Duration::from_millis(1) - secs(900));
    assert_eq!(member.next_timeout(), Some(due));
    member.handle_timeout(later(now, due + Duration::from_millis(2) - now.monotonic));
    assert!(member.next_timeout() > Some(due + Duration::from_millis(2)));
}
