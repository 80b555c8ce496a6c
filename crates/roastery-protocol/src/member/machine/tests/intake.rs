//! What is no statement of its sender, of its session or of this group.

use super::{
    requests::{ms, secs},
    world::World,
};
use crate::{
    BodyHash, GroupId, SessionId,
    group::PeerId,
    machine::Machine,
    member::{
        engine::SignOrder,
        frame::{Content, FinalSignature, FrameError, Refusal, SigningPackage, Statement},
        machine::{Rejected, RequestOrigin},
    },
    request::RefusalReason,
};

/// Where the parts of a statement's header begin: version, kind, group, session, sender.
const HEADER: [usize; 5] = [65, 66, 67, 99, 131];

/// A 3-of-4 whose node 0 coordinates; the test plays the others. With the package that they get.
fn reign() -> (World, SessionId, BodyHash, Vec<usize>) {
    let mut world = World::with_played(3, 4, &[1, 2, 3]);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    world.run_for(ms(60));
    let packages = (1..4).flat_map(|at| world.packages_for(at, 1));
    let (statement, package) = packages.into_iter().next().unwrap();
    let picked = (1..4).filter(|at| package.entry_of(world.seat(*at)).is_some()).collect();
    (world, session, statement.body_hash(), picked)
}

#[test]
fn a_peer_without_a_seat_is_turned_away_before_its_bytes_are_looked_at() {
    let (mut world, session, package, picked) = reign();
    let share = world.garbage_share(picked[0], session, package, 3);
    let (stranger, now) = (PeerId::new("stranger").unwrap(), world.moment(0));
    for bytes in [&share.as_bytes()[..], &[], &[1; 1 << 20]] {
        let member = world.nodes[0].member.as_mut().unwrap();
        assert_eq!(member.handle_message(&stranger, bytes, now), Err(Rejected::NotAMember));
        assert!(member.poll_output().is_none());
    }
    assert_eq!(world.owing(0, session).len(), 2);
}

#[test]
fn a_frame_of_another_group_or_version_is_not_read_whichever_member_brings_it() {
    let (mut world, session, package, picked) = reign();
    let share = world.garbage_share(picked[0], session, package, 3);
    let other = GroupId::from_bytes([7; 32]);
    let content = world.read(session, &share);
    let identity = &world.identities[picked[0]];
    let of_other = Statement::seal(other, session, world.seat(picked[0]), &content, identity);
    let mut of_version_9 = share.as_bytes().to_vec();
    of_version_9[HEADER[0]] = 9;
    for from in 1..4 {
        let group = world.group.id();
        let expected = FrameError::OtherGroup { named: other, group };
        assert_eq!(world.hand(from, 0, of_other.as_bytes()), Err(Rejected::NotAFrame(expected)));
        let expected = FrameError::OtherVersion { version: 9 };
        assert_eq!(world.hand(from, 0, &of_version_9), Err(Rejected::NotAFrame(expected)));
    }
    assert_eq!(world.owing(0, session).len(), 2);
    assert!(world.proven(0).is_empty());
}

#[test]
fn a_share_in_the_name_of_another_member_takes_no_place_and_has_no_member_blamed() {
    let (mut world, session, package, picked) = reign();
    let (victim, forger) = (picked[0], (1..4).find(|at| !picked.contains(at)).unwrap());
    let right = world.garbage_share(victim, session, package, 3);
    let content = world.read(session, &right);
    let (seat, identity) = (world.seat(victim), &world.identities[forger]);
    let forged = Statement::seal(world.group.id(), session, seat, &content, identity);
    let rejected = world.hand(forger, 0, forged.as_bytes());
    assert_eq!(rejected, Err(Rejected::NotSigned { sender: seat }));
    assert!(world.owing(0, session).contains(&seat));
    // What the member has signed counts, whichever link brings it.
    assert_eq!(world.hand(forger, 0, right.as_bytes()), Ok(()));
    assert!(!world.owing(0, session).contains(&seat));
    assert!(world.proven(0).is_empty());
}

#[test]
fn a_peer_with_two_seats_speaks_for_both_and_for_no_third() {
    let mut world = World::new(2, &[1, 2, 1]);
    let incarnation = world.nodes[1].member.as_ref().unwrap().incarnation();
    world.take_over(1);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    let seats: Vec<_> = world.group.seats().collect();
    let refused = [1, 2, 3].map(|at: usize| {
        let refusal = Refusal { incarnation, counter: 9, reason: RefusalReason::Policy };
        let (content, identity) = (Content::Refusal(refusal), &world.identities[1]);
        // Only the key of the peer's first seat signs.
        let seal = Statement::seal(world.group.id(), session, seats[at], &content, identity);
        world.hand(1, 0, seal.as_bytes())
    });
    assert_eq!(refused, [Ok(()), Ok(()), Err(Rejected::NotSigned { sender: seats[3] })]);
}

#[test]
fn a_statement_that_is_re_wrapped_in_any_part_of_its_header_is_not_its_senders() {
    let (mut world, session, package, picked) = reign();
    let other = world.request(1, 7_200);
    let other = world.open(0, &other, RequestOrigin::Proposed);
    let (sender, relay) = (picked[0], (1..4).find(|at| !picked.contains(at)).unwrap());
    let share = world.garbage_share(sender, session, package, 3);
    let change = |at: usize, with: &[u8]| {
        let mut bytes = share.as_bytes().to_vec();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    let another = world.seat(picked[1]);
    let changed = [
        (change(HEADER[1], &[1]), world.seat(sender)),
        (change(HEADER[1], &[3]), world.seat(sender)),
        (change(HEADER[3], other.as_bytes()), world.seat(sender)),
        (change(HEADER[4], &another.to_u16().to_le_bytes()), another),
    ];
    for (bytes, sender) in changed {
        let rejected = world.hand(relay, 0, &bytes);
        assert_eq!(rejected, Err(Rejected::NotSigned { sender }));
    }
    assert_eq!(world.owing(0, session).len(), 2);
    assert!(world.proven(0).is_empty());
}

#[test]
fn a_share_counts_in_its_own_session_and_for_its_own_package_only() {
    let (mut world, session, package, picked) = reign();
    let other = world.request(1, 7_200);
    let other = world.open(0, &other, RequestOrigin::Own);
    world.run_for(ms(60));
    let owing = [session, other].map(|one| world.owing(0, one));
    let wrong_session = world.garbage_share(picked[0], other, package, 3);
    let _ = world.hand(picked[0], 0, wrong_session.as_bytes());
    let no_package = world.garbage_share(picked[1], session, BodyHash::from_bytes([8; 32]), 3);
    let _ = world.hand(picked[1], 0, no_package.as_bytes());
    assert_eq!([session, other].map(|one| world.owing(0, one)), owing);
    let right = world.garbage_share(picked[0], session, package, 3);
    assert_eq!(world.hand(picked[0], 0, right.as_bytes()), Ok(()));
    assert!(world.proven(0).is_empty());
}

#[test]
fn a_statement_cut_short_or_drawn_out_on_its_way_blames_no_member() {
    let (mut world, session, package, picked) = reign();
    let share = world.garbage_share(picked[0], session, package, 3);
    let whole = share.as_bytes().to_vec();
    for from in 1..4 {
        for bytes in [whole[..whole.len() - 1].to_vec(), [&whole[..], &[0]].concat()] {
            let rejected = world.hand(from, 0, &bytes);
            let sender = world.seat(picked[0]);
            assert_eq!(rejected, Err(Rejected::NotSigned { sender }));
        }
    }
    world.run_for(secs(1));
    assert!(world.proven(0).is_empty());
    assert_eq!(world.hand(picked[0], 0, &whole), Ok(()));
}

#[test]
fn final_signatures_that_are_missing_or_of_another_number_end_nothing() {
    let (mut world, session, package, _) = reign();
    let signature = roastery_frost::Signature::from_bytes(&[0; 64]);
    for (at, number) in [(1, 0), (2, 2), (3, 1)] {
        let content = FinalSignature { package, signatures: vec![signature; number] };
        let statement = world.seal(at, session, &Content::Signature(content));
        let sender = world.seat(at);
        match world.hand(at, 0, statement.as_bytes()) {
            Err(Rejected::Malformed { .. }) if number != 1 => {}
            Err(Rejected::WrongSignatures { sender: of }) if number == 1 => assert_eq!(of, sender),
            other => panic!("{number} signatures: {other:?}"),
        }
        assert!(!world.is_signed(0, session));
    }
}

#[test]
fn an_order_to_sign_and_a_package_have_no_room_for_a_message_a_key_or_a_tweak() {
    let world = World::with_played(2, 3, &[2]);
    let package = world.package(2, (1, 0), &[0, 2], 0);
    // A new field makes these not compile.
    let SigningPackage { run: _, number: _, signers: _, aggregates: _ } = &package;
    let _ = |order: SignOrder| {
        let SignOrder {
            session: _,
            seat: _,
            coordinator: _,
            incarnation: _,
            first: _,
            signers: _,
            aggregates: _,
        } = order;
    };
    let session = world.request(1, 3_600).session_id();
    let statement = world.sealed(2, session, &package);
    let length = 16 + 2 + 4 + 2 * (2 + 4 + 32) + 4 + 66;
    assert_eq!(statement.content().len(), length);
}
