//! A node that knows a request and does not sign it learns what becomes of it.

use roastery_frost::Signature;
use roastery_protocol::{
    BodyHash,
    message::{Body, Envelope, FinalSignature, Kind, RefusalReason, Want},
    signing::{Outcome, Rejected, Settings, Told, Watch},
};
use roastery_testkit::*;

/// A group that has signed request 1: the outcome, and the message that carries it.
fn signed(messages: usize) -> (Fixture, Outcome, Envelope) {
    let fixture = Fixture::new(2, 3).messages(messages);
    let engines = fixture.frost_engines();
    let mut world = World::open(fixture, engines, Settings::default());
    world.run();
    let told = world.sent.iter().find(|packet| packet.kind() == Kind::Signature).unwrap();
    let (outcome, told) = (world.session(0).outcome().unwrap().clone(), told.envelope());
    (world.fixture, outcome, told)
}

fn watch(fixture: &Fixture) -> Watch {
    Watch::new(fixture.group.clone(), fixture.signing_request(1))
}

#[test]
fn signatures_of_all_messages_are_believed_of_any_member() {
    for messages in [1, 3] {
        let (fixture, known, told) = signed(messages);
        // Passed on by a member that did not make them.
        let other = fixture.group.seats().find(|seat| told.sender(&fixture.group) != Some(*seat));
        let Told::Signed(outcome) =
            watch(&fixture).hear(&peer(other.unwrap()), told.as_bytes()).unwrap()
        else {
            panic!("the signatures are valid");
        };
        assert_eq!(outcome.signatures.len(), messages);
        assert_eq!((outcome.signatures, outcome.package), (known.signatures, known.package));
    }
}

#[test]
fn a_peer_that_brings_wrong_signatures_is_not_listened_to_and_the_right_ones_are_believed_of_others()
 {
    let (fixture, _, told) = signed(1);
    let mut watch = watch(&fixture);
    let wrong = Signature::from_bytes(&[1; 64]);
    let package = BodyHash::from_bytes([3; 32]);
    let body = Body::Signature(FinalSignature { package, signatures: vec![wrong] });
    let wrong = fixture.seal(seat(1), 0, &body);
    let refused = watch.hear(&peer(seat(1)), wrong.as_bytes());
    assert_eq!(refused, Err(Rejected::WrongSignatures { sender: seat(1) }));
    // To check more of its signatures would cost more than to make them.
    assert_eq!(watch.hear(&peer(seat(1)), told.as_bytes()), Err(Rejected::Repeat));
    assert!(matches!(watch.hear(&peer(seat(2)), told.as_bytes()), Ok(Told::Signed(_))));
}

#[test]
fn signatures_for_another_request_or_of_another_number_are_not_believed() {
    let (fixture, known, told) = signed(2);
    let mut other = Watch::new(fixture.group.clone(), fixture.signing_request(2));
    assert_eq!(other.hear(&peer(seat(0)), told.as_bytes()), Err(Rejected::OtherSession));
    for signatures in [vec![], known.signatures[..1].to_vec()] {
        let body = Body::Signature(FinalSignature { package: known.package, signatures });
        let short = fixture.seal(seat(0), 0, &body);
        let said = watch(&fixture).hear(&peer(seat(0)), short.as_bytes());
        assert!(matches!(said, Err(Rejected::Malformed { .. })), "{said:?}");
    }
    let mut swapped = known.signatures.clone();
    swapped.swap(0, 1);
    let body = Body::Signature(FinalSignature { package: known.package, signatures: swapped });
    let swapped = fixture.seal(seat(0), 0, &body);
    let said = watch(&fixture).hear(&peer(seat(0)), swapped.as_bytes());
    assert_eq!(said, Err(Rejected::WrongSignatures { sender: seat(0) }));
}

#[test]
fn a_refusal_counts_once_for_each_reason_and_only_with_its_members_signature() {
    let fixture = Fixture::new(2, 3);
    let mut watch = watch(&fixture);
    let no = |who: usize, reason| fixture.seal(seat(who), 0, &Body::Refusal(reason));
    let refusal = no(1, RefusalReason::Operator);
    let told = Told::Refused { seat: seat(1), reason: RefusalReason::Operator };
    // Passed on by another member.
    assert_eq!(watch.hear(&peer(seat(2)), refusal.as_bytes()), Ok(told));
    assert_eq!(watch.hear(&peer(seat(1)), refusal.as_bytes()), Err(Rejected::Repeat));
    let busy = no(1, RefusalReason::Busy);
    assert!(matches!(watch.hear(&peer(seat(1)), busy.as_bytes()), Ok(Told::Refused { .. })));
    // In another member's name.
    let mut forged = no(2, RefusalReason::Policy).as_bytes().to_vec();
    forged[0] ^= 1;
    let said = watch.hear(&peer(seat(1)), &forged);
    assert_eq!(said, Err(Rejected::NotSigned { sender: seat(2) }));
    let said = watch.hear(&peer(seat(2)), &forged);
    assert_eq!(said, Err(Rejected::NotSigned { sender: seat(2) }));
}

#[test]
fn what_tells_nothing_of_the_end_and_what_strangers_say_has_no_effect() {
    let fixture = Fixture::new(2, 3);
    let mut watch = watch(&fixture);
    let question = fixture.seal(seat(1), 0, &Body::Want(Want::Outcome));
    assert_eq!(watch.hear(&peer(seat(1)), question.as_bytes()), Err(Rejected::Repeat));
    let refusal = fixture.seal(seat(1), 0, &Body::Refusal(RefusalReason::Operator));
    let said = watch.hear(&peer(seat(7)), refusal.as_bytes());
    assert_eq!(said, Err(Rejected::NotAMember));
    assert!(watch.hear(&peer(seat(1)), &refusal.as_bytes()[..40]).is_err());
}
