use roastery_protocol::keygen::{AwaitedThing, Misbehaviour, Suspect};
use roastery_sim::keygen::{Fault, Scenario};

use super::{all_done, blames, finds, played, refused_because_of, with_first_coordinator};

#[test]
fn without_a_silent_member_there_is_no_key_and_all_await_it() {
    let (scenario, silent) = with_first_coordinator(Fault::Silent);
    let played = played(&scenario);
    assert!(played.done.is_empty() && played.found.is_empty());
    assert!(played.reports.values().all(|report| {
        report
            .awaited
            .iter()
            .any(|one| one.seat == silent && one.thing == AwaitedThing::FirstMessage)
    }));
}

#[test]
fn a_member_that_does_not_sign_prevents_the_key_and_is_awaited_for_its_signature() {
    let (mut scenario, _) = with_first_coordinator(Fault::SilentAfterFirst);
    let silent = *scenario.order().last().unwrap();
    scenario.faults = [(silent, Fault::SilentAfterFirst)].into();
    let played = played(&scenario);
    assert!(played.done.is_empty() && played.found.is_empty());
    assert!(played.reports.values().any(|report| {
        report
            .awaited
            .iter()
            .any(|one| one.seat == silent && matches!(one.thing, AwaitedThing::Signature(_)))
    }));
}

#[test]
fn who_gets_a_wrong_share_ends_the_ceremony_and_names_its_sender() {
    for fault in [Fault::BadShareToOne, Fault::BadShareToAll] {
        let (scenario, suspect) = with_first_coordinator(fault);
        // Its own transcripts hold its right message; here an honest member puts the wrong one
        // together.
        let mut scenario = scenario;
        let last = *scenario.order().last().unwrap();
        scenario.faults = [(last, fault)].into();
        let played = played(&scenario);
        assert_ne!(last, suspect);
        assert!(played.done.is_empty(), "{fault}");
        assert!(refused_because_of(&played, last), "{fault}");
    }
}

#[test]
fn a_first_message_of_no_use_is_found_by_who_coordinates() {
    for fault in [Fault::BadProof, Fault::BadNonce, Fault::BadCommitment] {
        let (mut scenario, _) = with_first_coordinator(fault);
        let last = *scenario.order().last().unwrap();
        scenario.faults = [(last, fault)].into();
        let played = played(&scenario);
        assert!(
            blames(&played, last, |misbehaviour| matches!(
                misbehaviour,
                Misbehaviour::FirstMessage(_)
            )),
            "{fault}"
        );
    }
}

#[test]
fn a_wrong_signature_is_found() {
    let (mut scenario, _) = with_first_coordinator(Fault::BadSignature);
    let last = *scenario.order().last().unwrap();
    scenario.faults = [(last, Fault::BadSignature)].into();
    let played = played(&scenario);
    assert!(blames(&played, last, |misbehaviour| matches!(
        misbehaviour,
        Misbehaviour::Signature(_)
    )));
}

#[test]
fn a_right_signature_counts_after_a_wrong_one() {
    let (mut scenario, _) = with_first_coordinator(Fault::WrongThenRight);
    let last = *scenario.order().last().unwrap();
    scenario.faults = [(last, Fault::WrongThenRight)].into();
    let played = played(&scenario);
    assert!(blames(&played, last, |misbehaviour| matches!(
        misbehaviour,
        Misbehaviour::Signature(_)
    )));
    assert!(all_done(&scenario, &played));
}

#[test]
fn different_first_messages_to_different_members_give_no_two_certificates() {
    // The first two coordinators get different ones.
    let differ = |one: &Scenario| one.order()[0].index() % 2 != one.order()[1].index() % 2;
    let mut scenario = (0..).map(|seed| Scenario::heal(seed, 3, 4)).find(differ).unwrap();
    let last = *scenario.order().last().unwrap();
    scenario.faults = [(last, Fault::Equivocates)].into();
    // More of them coordinate before anything is signed.
    scenario.settings.interval = scenario.links.round_trip / 4;
    let played = played(&scenario);
    assert!(finds(&played, |finding| matches!(
        finding.misbehaviour,
        Misbehaviour::OtherTranscript { .. }
            | Misbehaviour::TwoFirstMessages
            | Misbehaviour::TwoSignatures { .. }
    )));
}

#[test]
fn two_first_messages_with_one_nonce_name_their_sender_where_two_coordinators_have_used_them() {
    let differ = |one: &Scenario| one.order()[0].index() % 2 != one.order()[1].index() % 2;
    let mut scenario = (0..).map(|seed| Scenario::heal(seed, 3, 4)).find(differ).unwrap();
    let last = *scenario.order().last().unwrap();
    scenario.faults = [(last, Fault::EquivocatesInShares)].into();
    scenario.settings.interval = scenario.links.round_trip / 4;
    let played = played(&scenario);
    assert!(played.done.is_empty());
    assert!(
        blames(&played, last, |misbehaviour| *misbehaviour == Misbehaviour::TwoFirstMessages),
        "{:?}",
        played.found
    );
}

#[test]
fn two_transcripts_for_two_halves_are_signed_by_no_member_twice() {
    let (scenario, _) = with_first_coordinator(Fault::SplitsTranscripts);
    let played = played(&scenario);
    assert!(played.done.is_empty() && !played.found.is_empty());
}

#[test]
fn a_coordinator_that_changes_a_share_is_one_of_two_that_are_named_or_named_alone() {
    for fault in [Fault::AltersShare, Fault::FramesInInvestigation] {
        let (scenario, suspect) = with_first_coordinator(fault);
        let played = played(&scenario);
        assert!(played.done.is_empty(), "{fault}");
        let named = |finding: &roastery_protocol::keygen::Suspicion| match finding.suspect {
            Suspect::Seat(seat) => seat == suspect,
            Suspect::Either { coordinator, .. } => coordinator == suspect,
            Suspect::Unknown => false,
        };
        if fault == Fault::FramesInInvestigation {
            assert!(finds(&played, named));
        }
    }
}

#[test]
fn a_certificate_that_lacks_one_signature_is_none() {
    let (scenario, suspect) = with_first_coordinator(Fault::ForgesCertificate);
    let played = played(&scenario);
    assert!(blames(&played, suspect, |misbehaviour| matches!(
        misbehaviour,
        Misbehaviour::Certificate
    )));
    assert!(played.done.is_empty());
}

#[test]
fn coordinators_that_take_part_rightly_are_passed_by() {
    for fault in [
        Fault::SilentCoordinator,
        Fault::CrashesHalfWay,
        Fault::WithholdsCertificate,
        Fault::Garbage,
        Fault::Slanders,
        Fault::Replays,
    ] {
        let (scenario, _) = with_first_coordinator(fault);
        assert!(all_done(&scenario, &played(&scenario)), "{fault}");
    }
}

#[test]
fn changed_sums_and_changed_proofs_are_found_and_the_next_coordinator_makes_the_key() {
    for fault in [Fault::AltersSums, Fault::AltersProof] {
        let (scenario, suspect) = with_first_coordinator(fault);
        let played = played(&scenario);
        assert!(all_done(&scenario, &played), "{fault}");
        if fault == Fault::AltersProof {
            let found =
                |misbehaviour: &Misbehaviour| matches!(misbehaviour, Misbehaviour::Transcript(_));
            assert!(blames(&played, suspect, found));
        }
    }
}

#[test]
fn two_wrong_transcripts_of_a_coordinator_do_not_keep_out_the_right_one_that_a_member_passes_on() {
    let (scenario, suspect) = with_first_coordinator(Fault::AltersProofTwice);
    let played = played(&scenario);
    assert!(all_done(&scenario, &played));
    assert!(blames(&played, suspect, |misbehaviour| matches!(
        misbehaviour,
        Misbehaviour::Transcript(_)
    )));
}

#[test]
fn changed_bits_blame_no_honest_member() {
    let (scenario, _) = with_first_coordinator(Fault::Mutates);
    played(&scenario);
}

#[test]
fn a_coalition_of_all_but_one_gets_no_member_blamed_and_no_two_certificates() {
    let (mut scenario, _) = with_first_coordinator(Fault::Silent);
    let order = scenario.order();
    for (at, fault) in Fault::ALL.into_iter().enumerate() {
        let second = Fault::ALL[(at + 7) % Fault::ALL.len()];
        scenario.faults =
            [(order[0], fault), (order[1], second), (order[2], Fault::Equivocates)].into();
        played(&scenario);
    }
}
