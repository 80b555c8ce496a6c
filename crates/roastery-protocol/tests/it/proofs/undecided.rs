//! What cannot be decided: for each of the six claims, everything that makes it prove nothing (rows
//! 24, 28 and 29).

use roastery_protocol::{
    BodyHash, Seat,
    message::{Body, Envelope, Kind, SlotNonces, Want},
    proof::{Fault, FaultKind, Indeterminate, Proof, Verdict},
};

use super::{Stage, stage, with_each_envelope};
use roastery_testkit::{byzantine::*, *};

fn undecided(reason: Indeterminate) -> Verdict {
    Verdict::Indeterminate(reason)
}

// Row 29.

#[test]
fn a_proof_for_another_group_or_session_proves_nothing() {
    let stage = stage();
    let other = Fixture::new(3, 5).messages(2);
    for (fault, _) in stage.true_claims() {
        let proof = Proof::new(stage.fixture.signing_request(1), fault.clone());
        let (proof_group, group) = (stage.fixture.group.id(), other.group.id());
        let reason = Indeterminate::OtherGroup { proof: proof_group, group };
        assert_eq!(proof.verify(&other.group), undecided(reason));
        // With a request of the other group the messages do not fit.
        let proof = Proof::new(other.signing_request(1), fault.clone());
        assert_eq!(proof.verify(&other.group), undecided(Indeterminate::OtherSession));
        // Nor with another request of this one.
        let proof = Proof::new(stage.fixture.signing_request(2), fault);
        assert_eq!(proof.verify(&stage.fixture.group), undecided(Indeterminate::OtherSession));
    }
}

#[test]
fn a_message_that_its_sender_did_not_sign_proves_nothing() {
    let stage = stage();
    let forged = |envelope: &Envelope| {
        let mut bytes = envelope.as_bytes().to_vec();
        bytes[63] ^= 1;
        Envelope::parse(&bytes).unwrap()
    };
    // Signed with a key that is not in the group, or as another kind of message.
    let of_no_seat = |envelope: &Envelope| {
        let mut bytes = envelope.as_bytes().to_vec();
        bytes[64 + 70..64 + 72].copy_from_slice(&5u16.to_le_bytes());
        Envelope::parse(&bytes).unwrap()
    };
    let as_other_kind = |envelope: &Envelope| {
        let digest = Kind::Want.tag().hash(&[envelope.body()]);
        let sender = usize::from(envelope.header().sender);
        let signature = identity_secret(sender).sign(&digest, &[0; 32]).to_bytes();
        Envelope::parse(&[&signature[..], envelope.body()].concat()).unwrap()
    };
    for (fault, _) in stage.true_claims() {
        let altered = [
            with_each_envelope(&fault, forged),
            with_each_envelope(&fault, of_no_seat),
            with_each_envelope(&fault, as_other_kind),
        ];
        for claim in altered.concat() {
            let verdict = stage.fixture.verdict(claim.clone());
            assert_eq!(verdict, undecided(Indeterminate::NotSigned), "{claim:?}");
        }
    }
}

#[test]
fn a_message_of_another_kind_or_without_form_proves_nothing_but_its_own_form() {
    let stage = stage();
    let want = stage.fixture.seal(stage.signers[0], 0, &Body::Want(Want::Outcome));
    let undecodable = stage.undecodable_share();
    for (fault, _) in stage.true_claims() {
        if fault.kind() == FaultKind::MalformedMessage {
            continue;
        }
        for other in [&want, &undecodable, &stage.fixture.commitments(&own_slot(&stage))] {
            for claim in with_each_envelope(&fault, |_| other.clone()) {
                let verdict = stage.fixture.verdict(claim.clone());
                assert_eq!(verdict, undecided(Indeterminate::NotOfTheKind), "{claim:?}");
            }
        }
    }
    // The form of a proposal or of a proof is not a matter of proof.
    for kind in [Kind::Proposal, Kind::Evidence] {
        let mut body = want.body().to_vec();
        body[1] = kind as u8;
        let message = sealed_bytes(kind, stage.signers[0], &body, [0; 32]);
        let verdict = stage.fixture.verdict(Fault::MalformedMessage { message });
        assert_eq!(verdict, undecided(Indeterminate::FormNotProvable));
    }
}

fn own_slot(stage: &Stage) -> OwnSlot {
    stage.fixture.draw(stage.signers[0], 0, run(1), 0)
}

#[test]
fn two_statements_that_are_not_about_one_thing_are_not_compared() {
    let stage = stage();
    let first = stage.package.clone();
    let next_round = stage.fixture.n() as u32;
    let of_next_round = stage.fixture.seal_package(next_round, &stage.content);
    let of_other_run = stage.other_package(|package| package.run = run(2));
    let of_other_number = stage.other_package(|package| package.number = 1);
    let of_other_attempt = stage.fixture.seal_package(1, &stage.content);
    for second in [&of_next_round, &of_other_run, &of_other_number, &of_other_attempt] {
        let claim = Fault::PackageConflict { first: first.clone(), second: second.clone() };
        assert_eq!(stage.fixture.verdict(claim), undecided(Indeterminate::NotComparable));
    }
    for second in [&of_next_round, &of_other_run, &of_other_attempt] {
        let claim = Fault::SlotAssignedTwice { first: first.clone(), second: second.clone() };
        assert_eq!(stage.fixture.verdict(claim), undecided(Indeterminate::NotComparable));
    }
    let first = stage.shares[0].clone();
    let Body::SignatureShare(content) = stage.fixture.read(&stage.bad_share(0)) else {
        unreachable!()
    };
    let elsewhere = Body::SignatureShare(content);
    for second in [
        stage.shares[1].clone(),
        stage.other_share(|share| share.package = BodyHash::from_bytes([1; 32])),
        stage.fixture.seal(stage.signers[0], 1, &elsewhere),
        stage.fixture.seal(stage.signers[1], 0, &elsewhere),
    ] {
        let claim = Fault::ShareConflict { first: first.clone(), second };
        assert_eq!(stage.fixture.verdict(claim), undecided(Indeterminate::NotComparable));
    }
}

#[test]
fn nonces_other_than_those_that_the_package_names_prove_nothing() {
    let stage = stage();
    let package = stage.wrong_sum(0);
    let strange = own_slot(&stage).slot.to_nonces();
    let twice = [&stage.nonces[..], &stage.nonces[..]].concat();
    let mut lists = vec![Vec::new(), stage.nonces[..2].to_vec(), twice];
    lists.push(vec![stage.nonces[1].clone(), stage.nonces[0].clone(), stage.nonces[2].clone()]);
    for at in 0..3 {
        for other in [&strange, &SlotNonces(Vec::new()), &stage.nonces[(at + 1) % 3]] {
            let mut slots = stage.nonces.clone();
            slots[at] = other.clone();
            lists.push(slots);
        }
        let mut slots = stage.nonces.clone();
        slots[at].0.push([2; 66]);
        lists.push(slots);
    }
    for slots in lists {
        let claim = Fault::WrongAggregateNonce { package: package.clone(), slots };
        assert_eq!(stage.fixture.verdict(claim), undecided(Indeterminate::OtherNonces));
    }
    for nonces in [strange, stage.nonces[1].clone(), SlotNonces(Vec::new())] {
        let (package, share) = (stage.package.clone(), stage.bad_share(0));
        let claim = Fault::InvalidShare { package, nonces, share, message: 0 };
        assert_eq!(stage.fixture.verdict(claim), undecided(Indeterminate::OtherNonces));
    }
}

#[test]
fn a_message_that_the_request_does_not_have_proves_nothing() {
    let stage = stage();
    for message in [2, 3, 255] {
        let claim = stage.invalid_share(stage.bad_share(0), message);
        let reason = Indeterminate::NoSuchMessage { message, count: 2 };
        assert_eq!(stage.fixture.verdict(claim), undecided(reason));
    }
}

// Row 24.

#[test]
fn a_share_convicts_no_member_under_another_package_than_the_one_that_it_answers() {
    let stage = stage();
    let seats = |seats: [Seat; 3]| {
        stage.other_package(|package| {
            package.signers.iter_mut().zip(seats).for_each(|(entry, seat)| entry.seat = seat);
        })
    };
    let mut others = [stage.signers[0], stage.signers[1], stage.outsider];
    others.sort_unstable();
    let substitutes = [
        stage.wrong_sum(0),
        stage.other_package(|package| package.number = 1),
        stage.other_package(|package| package.run = run(2)),
        stage.fixture.seal_package(stage.fixture.n() as u32, &stage.content),
        seats(others),
    ];
    for package in substitutes {
        let (nonces, share) = (stage.nonces[0].clone(), stage.shares[0].clone());
        let claim = Fault::InvalidShare { package, nonces, share, message: 0 };
        assert_eq!(stage.fixture.verdict(claim), undecided(Indeterminate::OtherPackage));
    }
    // A share that names the right package and another attempt.
    let Body::SignatureShare(content) = stage.fixture.read(&stage.bad_share(0)) else {
        unreachable!()
    };
    let share = stage.fixture.seal(stage.signers[0], 1, &Body::SignatureShare(content));
    let claim = stage.invalid_share(share, 0);
    assert_eq!(stage.fixture.verdict(claim), undecided(Indeterminate::OtherPackage));
}

// Row 28.

#[test]
fn a_package_that_omits_the_accused_convicts_no_member() {
    let stage = stage();
    let Body::SignatureShare(content) = stage.fixture.read(&stage.bad_share(0)) else {
        unreachable!()
    };
    // Its content is invalid, but no package asked this member for a share.
    let share = stage.fixture.seal(stage.outsider, 0, &Body::SignatureShare(content));
    let claim = stage.invalid_share(share, 0);
    assert_eq!(stage.fixture.verdict(claim), undecided(Indeterminate::AccusedNotInPackage));
}
