//! What cannot be decided: for each of the six claims, everything that makes it prove nothing.

use roastery_protocol::{
    member::{
        frame::StatementKind,
        proof::{FaultKind, Indeterminate, Verdict},
    },
    tags::Tag,
};
use roastery_testkit::forge::SigningKeyOf;

use super::{
    proofs::{Stage, Table, run, signed_anew, stage},
    *,
};

fn undecided(reason: Indeterminate) -> Verdict {
    Verdict::Indeterminate(reason)
}

/// The same claim with each of its statements in turn replaced.
fn with_each_statement(fault: &Fault, replace: impl Fn(&Statement) -> Statement) -> Vec<Fault> {
    match fault.clone() {
        Fault::PackageConflict { first, second } => vec![
            Fault::PackageConflict { first: replace(&first), second: second.clone() },
            Fault::PackageConflict { second: replace(&second), first },
        ],
        Fault::SlotAssignedTwice { first, second } => vec![
            Fault::SlotAssignedTwice { first: replace(&first), second: second.clone() },
            Fault::SlotAssignedTwice { second: replace(&second), first },
        ],
        Fault::WrongAggregateNonce { package, slots } => {
            vec![Fault::WrongAggregateNonce { package: replace(&package), slots }]
        }
        Fault::ShareConflict { first, second } => vec![
            Fault::ShareConflict { first: replace(&first), second: second.clone() },
            Fault::ShareConflict { second: replace(&second), first },
        ],
        Fault::InvalidShare { package, nonces, share, message } => vec![
            Fault::InvalidShare {
                package: replace(&package),
                nonces: nonces.clone(),
                share: share.clone(),
                message,
            },
            Fault::InvalidShare { package, nonces, share: replace(&share), message },
        ],
        Fault::MalformedMessage { message } => {
            vec![Fault::MalformedMessage { message: replace(&message) }]
        }
    }
}

#[test]
fn a_proof_of_version_2_for_another_group_or_session_proves_nothing() {
    let stage = stage();
    let (fixture, other) = (&stage.table.fixture, Table::new(3, 5).fixture);
    for (fault, _) in stage.true_claims() {
        let proof = Proof::new(fixture.signing_request(1), fault.clone());
        let (named, group) = (fixture.group.id(), other.group.id());
        let reason = Indeterminate::OtherGroup { proof: named, group };
        assert_eq!(proof.verify(&other.group), undecided(reason));
        // With a request of the other group the statements do not fit.
        let proof = Proof::new(other.signing_request(1), fault.clone());
        assert_eq!(proof.verify(&other.group), undecided(Indeterminate::OtherSession));
        // Nor with another request of this one.
        let proof = Proof::new(fixture.signing_request(2), fault);
        assert_eq!(proof.verify(&fixture.group), undecided(Indeterminate::OtherSession));
    }
}

#[test]
fn a_statement_that_its_sender_did_not_sign_proves_nothing() {
    let stage = stage();
    let forged = |statement: &Statement| {
        let mut bytes = statement.as_bytes().to_vec();
        bytes[64] ^= 1;
        Statement::parse(&bytes).unwrap()
    };
    // Signed by a seat that is not in the group, by another seat, or as another kind.
    let of_no_seat = |statement: &Statement| {
        let mut bytes = statement.as_bytes().to_vec();
        bytes[65 + 66..65 + 68].copy_from_slice(&5u16.to_le_bytes());
        Statement::parse(&bytes).unwrap()
    };
    let of_another = |statement: &Statement| {
        let key = SigningKeyOf(1).at(stage.outsider.index());
        signed_anew(statement, &key, statement.kind().tag(), 0)
    };
    let as_other_kind = |statement: &Statement| {
        let key = SigningKeyOf(1).at(statement.header().sender.into());
        signed_anew(statement, &key, Tag::RefusalStatement, 0)
    };
    for (fault, _) in stage.true_claims() {
        let altered = [
            with_each_statement(&fault, forged),
            with_each_statement(&fault, of_no_seat),
            with_each_statement(&fault, of_another),
            with_each_statement(&fault, as_other_kind),
        ];
        for claim in altered.concat() {
            let verdict = stage.table.verdict(claim.clone());
            assert_eq!(verdict, undecided(Indeterminate::NotSigned), "{claim:?}");
        }
    }
}

#[test]
fn a_statement_of_another_kind_or_without_form_proves_nothing_but_its_own_form() {
    let stage = stage();
    let refused = Content::Refusal(refusal(RefusalReason::Policy));
    let refused = stage.table.seal(1, stage.signers[0], &refused);
    let short = stage.short_share();
    for (fault, _) in stage.true_claims() {
        if fault.kind() == FaultKind::MalformedMessage {
            continue;
        }
        for other in [&refused, &short] {
            for claim in with_each_statement(&fault, |_| other.clone()) {
                let verdict = stage.table.verdict(claim.clone());
                assert_eq!(verdict, undecided(Indeterminate::NotOfTheKind), "{claim:?}");
            }
        }
    }
    // The form of a proposal, a refusal or a proof is not a matter of proof.
    for kind in [StatementKind::Proposal, StatementKind::Refusal, StatementKind::Evidence] {
        let mut body = short.body().to_vec();
        body[1] = kind as u8;
        let unsigned = Statement::parse(&[&[1], &[0; 64][..], &body].concat()).unwrap();
        let key = SigningKeyOf(1).at(stage.signers[0].index());
        let message = signed_anew(&unsigned, &key, kind.tag(), 0);
        let verdict = stage.table.verdict(Fault::MalformedMessage { message });
        assert_eq!(verdict, undecided(Indeterminate::FormNotProvable));
    }
}

#[test]
fn two_statements_that_are_not_about_the_same_thing_are_not_compared() {
    let stage = stage();
    let first = stage.package.clone();
    let of_other_run = stage.other_package(|package| package.run = run(2));
    let copy_of_memory = Run::new(1 << 20, [9; 8]);
    let of_other_bytes = stage.other_package(|package| package.run = copy_of_memory);
    let of_other_number = stage.other_package(|package| package.number = 1);
    let content = Content::SigningPackage(stage.content.clone());
    let of_other_sender = stage.table.seal(1, stage.outsider, &content);
    let not_compared = undecided(Indeterminate::NotComparable);
    for second in [&of_other_run, &of_other_bytes, &of_other_number, &of_other_sender] {
        let claim = Fault::PackageConflict { first: first.clone(), second: second.clone() };
        assert_eq!(stage.table.verdict(claim), not_compared);
    }
    for second in [&of_other_run, &of_other_bytes, &of_other_sender] {
        let claim = Fault::SlotAssignedTwice { first: first.clone(), second: second.clone() };
        assert_eq!(stage.table.verdict(claim), not_compared);
    }
    let first = stage.shares[0].clone();
    let elsewhere = Content::SignatureShare(stage.share_content());
    for second in [
        stage.shares[1].clone(),
        stage.other_share(|share| share.package = BodyHash::from_bytes([1; 32])),
        stage.table.seal(1, stage.signers[1], &elsewhere),
    ] {
        let claim = Fault::ShareConflict { first: first.clone(), second };
        assert_eq!(stage.table.verdict(claim), not_compared);
    }
    // Of another session it is no statement of this one at all.
    let content = Content::SigningPackage(stage.content.clone());
    let second = stage.table.seal(2, stage.coordinator, &content);
    for claim in [
        Fault::PackageConflict { first: stage.package.clone(), second: second.clone() },
        Fault::SlotAssignedTwice { first: stage.package.clone(), second },
    ] {
        assert_eq!(stage.table.verdict(claim), undecided(Indeterminate::OtherSession));
    }
}

#[test]
fn nonces_other_than_those_that_the_package_names_prove_nothing_in_version_2() {
    let stage = stage();
    let package = stage.wrong_sum(0);
    let strange = stage.table.draw(stage.signers[0], 8).nonces();
    let twice = [&stage.nonces[..], &stage.nonces[..]].concat();
    let mut lists = vec![Vec::new(), stage.nonces[..2].to_vec(), twice];
    lists.push(vec![stage.nonces[1].clone(), stage.nonces[0].clone(), stage.nonces[2].clone()]);
    for at in 0..3 {
        for other in [&strange, &NamedSlots(Vec::new()), &stage.nonces[(at + 1) % 3]] {
            let mut slots = stage.nonces.clone();
            slots[at] = other.clone();
            lists.push(slots);
        }
        let mut slots = stage.nonces.clone();
        slots[at].0.push([2; 66]);
        lists.push(slots);
        let mut slots = stage.nonces.clone();
        slots[at].0.swap(0, 1);
        lists.push(slots);
    }
    for slots in lists {
        let claim = Fault::WrongAggregateNonce { package: package.clone(), slots };
        assert_eq!(stage.table.verdict(claim), undecided(Indeterminate::OtherNonces));
    }
    for nonces in [strange, stage.nonces[1].clone(), NamedSlots(Vec::new())] {
        let (package, share) = (stage.package.clone(), stage.bad_share(0));
        let claim = Fault::InvalidShare { package, nonces, share, message: 0 };
        assert_eq!(stage.table.verdict(claim), undecided(Indeterminate::OtherNonces));
    }
}

#[test]
fn nonces_of_another_number_than_the_request_has_messages_prove_nothing_whatever_the_package_names()
{
    let stage = stage();
    let pairs = &stage.nonces[0].0;
    for named in [vec![], vec![pairs[0]], vec![pairs[0], pairs[1], pairs[0]]] {
        let named = NamedSlots(named);
        let hash = stage.table.hash(stage.coordinator, stage.signers[0], &named);
        let package = stage.other_package(|package| package.signers[0].hash = hash);
        let share = stage.other_share(|share| share.package = package.body_hash());
        let mut slots = stage.nonces.clone();
        slots[0] = named.clone();
        for claim in [
            Fault::WrongAggregateNonce { package: package.clone(), slots },
            Fault::InvalidShare { package, nonces: named, share, message: 0 },
        ] {
            assert_eq!(stage.table.verdict(claim), undecided(Indeterminate::OtherNonces));
        }
    }
}

#[test]
fn slots_that_were_shown_to_another_coordinator_are_not_those_that_a_package_names() {
    let stage = stage();
    // The outsider names what was shown to the coordinator, by the name that it has there.
    let content = Content::SigningPackage(stage.content.clone());
    let package = stage.table.seal(1, stage.outsider, &content);
    let slots = stage.nonces.clone();
    let claim = Fault::WrongAggregateNonce { package: package.clone(), slots };
    assert_eq!(stage.table.verdict(claim), undecided(Indeterminate::OtherNonces));
    let share = stage.other_share(|share| share.package = package.body_hash());
    let nonces = stage.nonces[0].clone();
    let claim = Fault::InvalidShare { package, nonces, share, message: 0 };
    assert_eq!(stage.table.verdict(claim), undecided(Indeterminate::OtherNonces));
}

#[test]
fn a_message_that_the_request_does_not_have_proves_nothing_in_version_2() {
    let stage = stage();
    for message in [2, 3, 255] {
        let claim = stage.invalid_share(stage.bad_share(0), message);
        let reason = Indeterminate::NoSuchMessage { message, count: 2 };
        assert_eq!(stage.table.verdict(claim), undecided(reason));
    }
}

fn substitutes(stage: &Stage) -> [Statement; 5] {
    let content = Content::SigningPackage(stage.content.clone());
    [
        stage.wrong_sum(0),
        stage.other_package(|package| package.number = 1),
        stage.other_package(|package| package.run = run(2)),
        stage.other_package(|package| package.signers[0].first += 1),
        stage.table.seal(1, stage.outsider, &content),
    ]
}

#[test]
fn a_share_convicts_no_member_under_another_package_than_the_one_that_it_answers() {
    let stage = stage();
    for package in substitutes(&stage) {
        let (nonces, share) = (stage.nonces[0].clone(), stage.shares[0].clone());
        let claim = Fault::InvalidShare { package, nonces, share, message: 0 };
        assert_eq!(stage.table.verdict(claim), undecided(Indeterminate::OtherPackage));
    }
}

#[test]
fn a_package_that_omits_the_accused_convicts_no_member() {
    let stage = stage();
    let mut content = stage.share_content();
    content.scalars.swap(0, 1);
    // Its content is invalid, but no package asked this member for a share.
    let share = stage.table.seal(1, stage.outsider, &Content::SignatureShare(content));
    let claim = stage.invalid_share(share, 0);
    assert_eq!(stage.table.verdict(claim), undecided(Indeterminate::AccusedNotInPackage));
}
