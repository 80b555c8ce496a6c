//! The coordinator is faulty: no participant is named for certain, and no two keys come out.

use proptest::prelude::*;
use roastery_frost::chilldkg::{
    CoordinatorFault, CoordinatorInvestigationMsg, CoordinatorMsg1, CoordinatorMsg2, Fault,
    ParticipantFault, Step2Error, Transcript, coordinator_investigate, participant_finalize,
    participant_investigate,
};
use roastery_frost::{MaybeScalar, decode_point};

use crate::key_generation::support::{
    Session, layout, seat, with_point_negated, with_scalar_raised,
};

/// What participant 0 finds in the message that `alter` makes of the honest one.
fn found(session: &Session, alter: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Option<Fault> {
    let bytes = alter(session.cmsgs().0.to_bytes());
    let cmsg1 = CoordinatorMsg1::parse(&bytes, &session.params).unwrap();
    session.blamed(0, &cmsg1, &session.pmsgs1())
}

fn relayed(participant: usize, fault: ParticipantFault) -> Option<Fault> {
    Some(Fault::ParticipantOrCoordinator { participant: seat(participant), fault })
}

#[test]
fn every_altered_part_of_the_first_message_is_found() {
    let session = Session::new(3, 4);
    let at = session.cmsg1_layout();
    let coordinator = |fault| Some(Fault::Coordinator(fault));
    let another = Session::new(3, 5).step1(4).1.to_bytes();
    let copy = |start: usize, part: Vec<u8>| {
        move |mut bytes: Vec<u8>| {
            bytes[start..start + part.len()].copy_from_slice(&part);
            bytes
        }
    };

    let own_com = found(&session, |bytes| with_point_negated(bytes, &at.coms, 0));
    assert_eq!(own_com, coordinator(CoordinatorFault::OwnCommitment));
    let other_com = found(&session, copy(at.coms.start + 33, another[..33].to_vec()));
    assert_eq!(other_com, relayed(1, ParticipantFault::ProofOfPossession));
    let no_com = found(&session, copy(at.coms.start + 33, vec![0; 33]));
    assert_eq!(no_com, relayed(1, ParticipantFault::Commitment));

    for coefficient in 0..2 {
        let sum = found(&session, |bytes| with_point_negated(bytes, &at.sum_coms, coefficient));
        assert_eq!(sum, coordinator(CoordinatorFault::PubshareSum));
    }

    let other_pop = found(&session, copy(at.pops.start + 64 * 2, vec![7; 64]));
    assert_eq!(other_pop, relayed(2, ParticipantFault::ProofOfPossession));

    let own_nonce = found(&session, |bytes| with_point_negated(bytes, &at.pubnonces, 0));
    assert_eq!(own_nonce, coordinator(CoordinatorFault::OwnPubnonce));
    let other_nonce = found(&session, copy(at.pubnonces.start + 33 * 3, another[..33].to_vec()));
    assert_eq!(other_nonce, relayed(3, ParticipantFault::PartialSecshare));
    let no_nonce = found(&session, copy(at.pubnonces.start + 33 * 3, vec![9; 33]));
    assert_eq!(no_nonce, relayed(3, ParticipantFault::Pubnonce));

    let own_share = found(&session, |bytes| with_scalar_raised(bytes, &at.enc_secshares, 0));
    assert_eq!(own_share, coordinator(CoordinatorFault::SecshareSum));
}

#[test]
fn a_share_altered_for_another_shows_in_the_transcript() {
    let session = Session::new(2, 3);
    let (cmsg1, _) = session.cmsgs();
    let at = session.cmsg1_layout().enc_secshares;
    let bytes = with_scalar_raised(cmsg1.to_bytes(), &at, 1);
    let altered = CoordinatorMsg1::parse(&bytes, &session.params).unwrap();
    let (state2, pmsg2) = session.step2(0, &altered).unwrap();
    let transcript = Transcript::new(&session.params, &cmsg1).unwrap();
    assert_ne!(*state2.transcript(), transcript);
    assert!(!transcript.verify_signature(seat(0), pmsg2.signature()));
}

#[test]
fn every_altered_part_of_an_investigation_is_found() {
    let session = Session::new(2, 3);
    let pmsgs1 = session.pmsgs1();
    let at = session.cmsg1_layout().enc_secshares;
    let bytes = with_scalar_raised(session.cmsgs().0.to_bytes(), &at, 0);
    let cmsg1 = CoordinatorMsg1::parse(&bytes, &session.params).unwrap();
    let Err(Step2Error::Unknown(investigation)) = session.step2(0, &cmsg1) else {
        panic!("the share is not wrong");
    };
    let cinv = coordinator_investigate(&pmsgs1, &session.params).unwrap()[0].to_bytes();
    let [shares, pubshares] = layout([32 * 3, 33 * 3]);
    let found = |bytes: Vec<u8>| {
        let cinv = CoordinatorInvestigationMsg::parse(&bytes, &session.params).unwrap();
        participant_investigate(&investigation, &cinv)
    };
    assert_eq!(found(cinv.clone()), Fault::Coordinator(CoordinatorFault::SecshareSum));
    let pubshare = found(with_point_negated(cinv.clone(), &pubshares, 1));
    assert_eq!(pubshare, Fault::Coordinator(CoordinatorFault::PubshareSum));
    // From here on the sums agree with the altered share.
    let own = found(with_scalar_raised(cinv.clone(), &shares, 0));
    assert_eq!(own, Fault::Coordinator(CoordinatorFault::OwnPartialSecshare));
    // This coordinator cannot be told from a participant that sent a wrong share.
    let others = found(with_scalar_raised(cinv, &shares, 2));
    assert_eq!(Some(others), relayed(2, ParticipantFault::PartialSecshare));
}

#[test]
fn a_public_share_at_infinity_blames_no_member() {
    // The sums of the other commitments are chosen so that the value at 1 stays what it was, and so
    // the share of participant 0 fits, and the value at 2 is infinity. A participant could do that
    // as well as the coordinator.
    let session = Session::new(3, 3);
    let (cmsg1, _) = session.cmsgs();
    let at = session.cmsg1_layout().sum_coms;
    let mut bytes = cmsg1.to_bytes();
    let [first, second] = [0, 33].map(|offset| {
        let start = at.start + offset;
        decode_point(bytes[start..start + 33].try_into().unwrap()).unwrap()
    });
    let group = Transcript::new(&session.params, &cmsg1).unwrap().group().unwrap();
    let sum = (first + second).unwrap();
    let [two, four] = [2u128, 4].map(|x| MaybeScalar::from(x).unwrap());
    let first = (group.threshold_public_key() + sum * four).unwrap() * two.invert();
    let second = (sum - first).unwrap();
    bytes[at].copy_from_slice(&[first.serialize(), second.serialize()].concat());
    let cmsg1 = CoordinatorMsg1::parse(&bytes, &session.params).unwrap();
    let error = session.step2(0, &cmsg1).unwrap_err();
    assert!(matches!(error, Step2Error::Degenerate(_)), "{error}");
}

#[test]
fn a_certificate_with_an_invalid_signature_is_the_coordinators_fault() {
    let session = Session::new(2, 3);
    let (cmsg1, cmsg2) = session.cmsgs();
    for participant in 0..3 {
        let bytes =
            crate::key_generation::support::altered(cmsg2.to_bytes(), 64 * participant + 40);
        let cmsg2 = CoordinatorMsg2::parse(&bytes, &session.params).unwrap();
        let (state2, _) = session.step2(0, &cmsg1).unwrap();
        let fault = CoordinatorFault::Certificate { participant: seat(participant) };
        assert_eq!(participant_finalize(state2, &cmsg2).unwrap_err(), Fault::Coordinator(fault));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_the_coordinator_sends_no_participant_is_blamed_alone(
        (t, n) in (1usize..=4).prop_flat_map(|n| (1..=n, Just(n))),
        at in any::<prop::sample::Index>(),
        mask in 1u8..=255,
    ) {
        let session = Session::new(t, n);
        let (cmsg1, _) = session.cmsgs();
        let mut bytes = cmsg1.to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
        let altered = match CoordinatorMsg1::parse(&bytes, &session.params) {
            Ok(altered) => altered,
            Err(error) => {
                prop_assert!(matches!(error.of_coordinator(), Fault::Coordinator(_)));
                return Ok(());
            }
        };
        match session.blamed(0, &altered, &session.pmsgs1()) {
            Some(Fault::Participant { .. }) => prop_assert!(false, "a participant alone"),
            Some(Fault::ParticipantOrCoordinator { participant, .. }) => {
                prop_assert_ne!(participant, seat(0));
            }
            Some(Fault::Coordinator(_)) => {}
            // No participant checks its own proof, and no key depends on it.
            None if session.cmsg1_layout().pops.contains(&at) => {}
            None => {
                let (state2, _) = session.step2(0, &altered).unwrap();
                let honest = Transcript::new(&session.params, &cmsg1).unwrap();
                prop_assert_ne!(state2.transcript(), &honest);
            }
        }
    }
}
