//! The public messages are enough to check the certificate, without a secret and without having
//! taken part.

use roastery_frost::chilldkg::{
    Certificate, CertificateError, CoordinatorError, Fault, ParticipantFault, ParticipantMsg2,
    Transcript, coordinator_finalize,
};

use crate::key_generation::support::{Session, altered, seat};

#[test]
fn an_onlooker_checks_the_certificate_and_derives_the_keys() {
    let session = Session::new(2, 3);
    let (cmsg1, cmsg2) = session.cmsgs();
    let transcript = Transcript::new(&session.params, &cmsg1).unwrap();
    assert_eq!(transcript.verify(&cmsg2), Ok(()));
    let (state, _) = session.coordinator_step1();
    assert_eq!(*state.transcript(), transcript);
    let (_, group, _) = coordinator_finalize(state, &session.pmsgs2(&cmsg1)).unwrap();
    assert_eq!(transcript.group(), Ok(group));
}

#[test]
fn each_signature_can_be_checked_alone() {
    let session = Session::new(2, 3);
    let (cmsg1, cmsg2) = session.cmsgs();
    let transcript = Transcript::new(&session.params, &cmsg1).unwrap();
    for (i, signature) in cmsg2.signatures().iter().enumerate() {
        for j in 0..128 {
            assert_eq!(transcript.verify_signature(seat(j), signature), i == j, "{i} as {j}");
        }
    }
}

#[test]
fn the_first_invalid_signature_is_named() {
    let session = Session::new(2, 3);
    let (cmsg1, cmsg2) = session.cmsgs();
    let transcript = Transcript::new(&session.params, &cmsg1).unwrap();
    for participant in 0..3 {
        let bytes = altered(cmsg2.to_bytes(), 64 * participant);
        let certificate = Certificate::parse(&bytes, &session.params).unwrap();
        let participant = seat(participant);
        let error = CertificateError::InvalidSignature { participant };
        assert_eq!(transcript.verify(&certificate), Err(error));

        let pmsgs2: Vec<ParticipantMsg2> =
            bytes.chunks(64).map(|sig| ParticipantMsg2::parse(sig).unwrap()).collect();
        let (state, _) = session.coordinator_step1();
        let fault = ParticipantFault::CertificateSignature;
        let fault = CoordinatorError::Fault(Fault::Participant { participant, fault });
        assert_eq!(coordinator_finalize(state, &pmsgs2).unwrap_err(), fault);
    }
}

#[test]
fn a_certificate_of_other_participants_or_another_session_is_none() {
    let (session, other) = (Session::new(2, 3), Session::new(3, 3));
    let (cmsg1, cmsg2) = session.cmsgs();
    let (_, of_other) = other.cmsgs();
    let transcript = Transcript::new(&session.params, &cmsg1).unwrap();
    let first = Err(CertificateError::InvalidSignature { participant: seat(0) });
    assert_eq!(transcript.verify(&of_other), first);
    let mut swapped = session.pmsgs2(&cmsg1);
    swapped.swap(0, 1);
    assert_eq!(transcript.verify(&Certificate::new(&swapped)), first);
    let count = |got| Err(CertificateError::Count { got, expected: 3 });
    assert_eq!(transcript.verify(&Certificate::new(&swapped[..2])), count(2));
    assert_eq!(transcript.verify(&Certificate::new(&[])), count(0));
    assert_eq!(transcript.verify(&cmsg2), Ok(()));
}
