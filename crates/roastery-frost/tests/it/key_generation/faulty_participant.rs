//! A participant is faulty and the coordinator is honest: the others name that participant.

use proptest::collection::vec;
use proptest::prelude::*;
use roastery_frost::chilldkg::{
    CoordinatorError, DegenerateKey, Fault, MessageError, ParticipantFault, ParticipantMsg1,
    coordinator_step1,
};

use crate::key_generation::support::{Session, seat, with_point_negated, with_scalar_raised};

/// What each participant finds when `faulty` sends the first message that `alter` makes of the
/// honest one.
fn found(
    session: &Session,
    faulty: usize,
    alter: impl FnOnce(Vec<u8>) -> Vec<u8>,
) -> Vec<Option<Fault>> {
    let mut pmsgs1 = session.pmsgs1();
    let bytes = alter(pmsgs1[faulty].to_bytes());
    pmsgs1[faulty] = ParticipantMsg1::parse(&bytes, &session.params).unwrap();
    let (_, cmsg1) = coordinator_step1(&pmsgs1, &session.params).unwrap();
    let honest = (0..session.keys.len()).filter(|&participant| participant != faulty);
    honest.map(|participant| session.blamed(participant, &cmsg1, &pmsgs1)).collect()
}

fn relayed(participant: usize, fault: ParticipantFault) -> Option<Fault> {
    Some(Fault::ParticipantOrCoordinator { participant: seat(participant), fault })
}

#[test]
fn a_wrong_share_is_found_by_its_receiver_and_by_no_other_member() {
    let session = Session::new(3, 4);
    let at = session.pmsg1_layout().enc_shares;
    for victim in [0, 1, 3] {
        let found = found(&session, 2, |bytes| with_scalar_raised(bytes, &at, victim));
        for (participant, fault) in [0, 1, 3].into_iter().zip(found) {
            let expected = (participant == victim)
                .then(|| relayed(2, ParticipantFault::PartialSecshare).unwrap());
            assert_eq!(fault, expected, "participant {participant}, victim {victim}");
        }
    }
}

#[test]
fn a_wrong_proof_of_possession_is_found_by_all() {
    let session = Session::new(2, 4);
    let at = session.pmsg1_layout().pop;
    for byte in at.step_by(9) {
        let found = found(&session, 1, |mut bytes| {
            bytes[byte] ^= 0x80;
            bytes
        });
        assert_eq!(found, [relayed(1, ParticipantFault::ProofOfPossession); 3], "byte {byte}");
    }
}

#[test]
fn a_proof_of_possession_of_another_participant_is_wrong() {
    let session = Session::new(2, 3);
    let at = session.pmsg1_layout();
    let other = session.step1(0).1.to_bytes();
    let found = found(&session, 1, |mut bytes| {
        bytes[at.com.start..33].copy_from_slice(&other[at.com.start..33]);
        bytes[at.pop.clone()].copy_from_slice(&other[at.pop]);
        bytes
    });
    assert_eq!(found, [relayed(1, ParticipantFault::ProofOfPossession); 2]);
}

#[test]
fn a_commitment_that_the_shares_do_not_match_is_found_by_all() {
    let session = Session::new(3, 4);
    let at = session.pmsg1_layout().com;
    for coefficient in [1, 2] {
        let negated = found(&session, 3, |bytes| with_point_negated(bytes, &at, coefficient));
        assert_eq!(negated, [relayed(3, ParticipantFault::PartialSecshare); 3]);
        let infinity = found(&session, 3, |mut bytes| {
            bytes[33 * coefficient..33 * (coefficient + 1)].fill(0);
            bytes
        });
        assert_eq!(infinity, [relayed(3, ParticipantFault::PartialSecshare); 3]);
    }
}

#[test]
fn a_negated_commitment_to_the_secret_passes_the_proof_and_fails_the_shares() {
    // BIP-340 signatures hold for both points with an x coordinate.
    let session = Session::new(2, 3);
    let at = session.pmsg1_layout().com;
    let found = found(&session, 0, |bytes| with_point_negated(bytes, &at, 0));
    assert_eq!(found, [relayed(0, ParticipantFault::PartialSecshare); 2]);
}

#[test]
fn a_commitment_to_the_secret_zero_is_found_by_all() {
    let session = Session::new(2, 3);
    let found = found(&session, 1, |mut bytes| {
        bytes[..33].fill(0);
        bytes
    });
    assert_eq!(found, [relayed(1, ParticipantFault::Commitment); 2]);
}

#[test]
fn secrets_that_add_up_to_zero_give_the_coordinator_no_key_and_blame_no_member() {
    let session = Session::new(1, 1);
    let mut bytes = session.step1(0).1.to_bytes();
    bytes[..33].fill(0);
    let pmsg1 = ParticipantMsg1::parse(&bytes, &session.params).unwrap();
    let error = coordinator_step1(&[pmsg1], &session.params).unwrap_err();
    assert_eq!(error, CoordinatorError::Degenerate(DegenerateKey));
}

#[test]
fn a_nonce_that_is_no_point_or_another_point_is_found_by_all() {
    let session = Session::new(2, 3);
    let at = session.pmsg1_layout().pubnonce;
    for first_byte in [0, 4, 0xff] {
        let found = found(&session, 1, |mut bytes| {
            bytes[at.start] = first_byte;
            bytes
        });
        assert_eq!(found, [relayed(1, ParticipantFault::Pubnonce); 2]);
    }
    let another = session.step1(2).1.to_bytes();
    let found = found(&session, 1, |mut bytes| {
        bytes[at.clone()].copy_from_slice(&another[at]);
        bytes
    });
    assert_eq!(found, [relayed(1, ParticipantFault::PartialSecshare); 2]);
}

#[test]
fn a_coordinator_that_checks_names_the_participant_at_once() {
    let session = Session::new(2, 3);
    let at = session.pmsg1_layout();
    let check = |start: usize, part: &[u8]| {
        let mut bytes = session.step1(1).1.to_bytes();
        bytes[start..start + part.len()].copy_from_slice(part);
        ParticipantMsg1::parse(&bytes, &session.params).unwrap().check(seat(1))
    };
    assert_eq!(check(0, &[]), Ok(()));
    assert_eq!(check(at.pubnonce.start, &[5]), Err(ParticipantFault::Pubnonce));
    assert_eq!(check(at.com.start, &[0; 33]), Err(ParticipantFault::Commitment));
    assert_eq!(check(at.pop.start, &[0; 64]), Err(ParticipantFault::ProofOfPossession));
    // A proof is made for one participant.
    let (_, pmsg1) = session.step1(1);
    assert_eq!(pmsg1.check(seat(0)), Err(ParticipantFault::ProofOfPossession));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any bytes of any messages of any participants but participant 0 are changed.
    #[test]
    fn whatever_participants_send_no_honest_one_is_blamed(
        (t, n) in (2usize..=5).prop_flat_map(|n| (1..=n, Just(n))),
        changes in vec((1usize..5, any::<prop::sample::Index>(), 1u8..=255), 1..4),
    ) {
        let session = Session::new(t, n);
        let mut pmsgs1 = session.pmsgs1();
        let mut faulty = Vec::new();
        for (participant, at, mask) in changes {
            let participant = 1 + participant % (n - 1);
            let mut bytes = pmsgs1[participant].to_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
            match ParticipantMsg1::parse(&bytes, &session.params) {
                Ok(pmsg1) => pmsgs1[participant] = pmsg1,
                // The coordinator goes no further, and names the participant.
                Err(error) => {
                    let named = matches!(
                        error,
                        MessageError::Point { .. } | MessageError::Scalar { .. }
                    );
                    prop_assert!(named, "{error}");
                    return Ok(());
                }
            }
            faulty.push(participant);
        }
        let (_, cmsg1) = coordinator_step1(&pmsgs1, &session.params).unwrap();
        for honest in (0..n).filter(|participant| !faulty.contains(participant)) {
            match session.blamed(honest, &cmsg1, &pmsgs1) {
                None => {}
                Some(Fault::ParticipantOrCoordinator { participant, .. }) => {
                    prop_assert!(faulty.contains(&participant.index()));
                }
                Some(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}
