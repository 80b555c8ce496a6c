//! Every message has exactly one length, and the sender of another length is at fault.

use roastery_frost::chilldkg::{
    Certificate, CoordinatorError, CoordinatorFault, CoordinatorInvestigationMsg, CoordinatorMsg1,
    Fault, Field, MessageError, ParticipantFault, ParticipantMsg1, ParticipantMsg2, RecoveryData,
    RecoveryDataError, SessionParamsError, Step2Error, Transcript, coordinator_finalize,
    coordinator_investigate, coordinator_step1, participant_finalize, participant_investigate,
};

use crate::key_generation::support::{Session, seat};

/// Asserts that `parse` takes `bytes` but neither less nor more.
fn assert_only_this_length<T>(bytes: &[u8], parse: impl Fn(&[u8]) -> Result<T, MessageError>) {
    let expected = bytes.len();
    assert!(parse(bytes).is_ok());
    let longer = [bytes, &[0]].concat();
    for bytes in [&bytes[..expected - 1], &longer, &[]] {
        let error = parse(bytes).err().unwrap();
        assert_eq!(error, MessageError::Length { got: bytes.len(), expected });
        let participant = seat(1);
        let fault = ParticipantFault::Message(error);
        assert_eq!(error.of_participant(participant), Fault::Participant { participant, fault });
        let fault = CoordinatorFault::Message(error);
        assert_eq!(error.of_coordinator(), Fault::Coordinator(fault));
    }
}

#[test]
fn a_message_is_read_at_its_exact_length_only() {
    for (t, n) in [(1, 1), (1, 3), (2, 3), (3, 3), (3, 5)] {
        let session = Session::new(t, n);
        let params = &session.params;
        let pmsgs1 = session.pmsgs1();
        let (cmsg1, cmsg2) = session.cmsgs();
        let pmsg2 = session.step2(0, &cmsg1).unwrap().1;
        let cinv = &coordinator_investigate(&pmsgs1, params).unwrap()[0];

        assert_only_this_length(&pmsgs1[0].to_bytes(), |b| ParticipantMsg1::parse(b, params));
        assert_eq!(pmsgs1[0].to_bytes().len(), 33 * t + 64 + 33 + 32 * n);
        assert_only_this_length(&pmsg2.to_bytes(), ParticipantMsg2::parse);
        assert_only_this_length(&cmsg1.to_bytes(), |b| CoordinatorMsg1::parse(b, params));
        assert_eq!(cmsg1.to_bytes().len(), 33 * (t - 1) + 162 * n);
        assert_only_this_length(&cmsg2.to_bytes(), |b| Certificate::parse(b, params));
        assert_eq!(cmsg2.to_bytes().len(), 64 * n);
        let parse_cinv = |b: &[u8]| CoordinatorInvestigationMsg::parse(b, params);
        assert_only_this_length(&cinv.to_bytes(), parse_cinv);
        assert_eq!(cinv.to_bytes().len(), 65 * n);
    }
}

#[test]
fn what_is_written_is_what_was_read() {
    let session = Session::new(2, 3);
    let params = &session.params;
    let (cmsg1, cmsg2) = session.cmsgs();
    for pmsg1 in session.pmsgs1() {
        assert_eq!(ParticipantMsg1::parse(&pmsg1.to_bytes(), params), Ok(pmsg1));
    }
    assert_eq!(CoordinatorMsg1::parse(&cmsg1.to_bytes(), params), Ok(cmsg1));
    assert_eq!(Certificate::parse(&cmsg2.to_bytes(), params), Ok(cmsg2));
}

#[test]
fn recovery_data_is_read_at_its_exact_length_only() {
    let session = Session::new(2, 3);
    let (state, cmsg1) = session.coordinator_step1();
    let (.., data) = coordinator_finalize(state, &session.pmsgs2(&cmsg1)).unwrap();
    let data = data.to_bytes();
    assert_eq!(data.len(), 4 + 33 * 2 + 162 * 3);
    for bytes in [&data[..data.len() - 1], &[&data[..], &[0]].concat(), &data[..3], &[]] {
        let error = RecoveryData::parse(bytes).unwrap_err();
        assert_eq!(error, RecoveryDataError::Length { got: bytes.len() });
    }
}

#[test]
fn recovery_data_that_claims_too_much_is_refused_before_it_is_read() {
    let huge_t = [&[0xff; 4][..], &[0; 162]].concat();
    assert_eq!(RecoveryData::parse(&huge_t), Err(RecoveryDataError::Length { got: 166 }));
    let bounds = |t, n| Err(SessionParamsError::ThresholdOrCount { t, n }.into());
    let no_participants = [0, 0, 0, 0];
    assert_eq!(RecoveryData::parse(&no_participants), bounds(0, 0));
    let many = [&[0, 0, 0, 1][..], &[0xff; 33 + 162 * 129]].concat();
    assert_eq!(RecoveryData::parse(&many), bounds(1, 129));
    let large_t = [&[0, 0, 0, 129][..], &[0xff; 33 * 129 + 162 * 128]].concat();
    assert_eq!(RecoveryData::parse(&large_t), bounds(129, 128));
}

#[test]
fn entries_that_are_no_points_or_scalars_are_named() {
    let session = Session::new(2, 3);
    let params = &session.params;
    let at = session.cmsg1_layout();
    let (cmsg1, _) = session.cmsgs();
    let with = |start: usize, part: &[u8]| {
        let mut bytes = cmsg1.to_bytes();
        bytes[start..start + part.len()].copy_from_slice(part);
        CoordinatorMsg1::parse(&bytes, params).unwrap_err()
    };
    let no_point = MessageError::Point { field: Field::ComsToSecrets, index: 2 };
    assert_eq!(with(at.coms.start + 66, &[4]), no_point);
    let no_point = MessageError::Point { field: Field::SumComsToNonconstTerms, index: 0 };
    assert_eq!(with(at.sum_coms.start, &[0]), no_point);
    let no_scalar = MessageError::Scalar { field: Field::EncSecshares, index: 1 };
    assert_eq!(with(at.enc_secshares.start + 32, &[0xff; 32]), no_scalar);
}

#[test]
fn a_message_of_a_session_of_another_size_is_refused_and_nothing_is_computed() {
    let (session, larger) = (Session::new(2, 3), Session::new(3, 4));
    let params = &session.params;
    let (large_cmsg1, large_cmsg2) = larger.cmsgs();
    let (cmsg1, _) = session.cmsgs();
    let of_coordinator = MessageError::OtherSize.of_coordinator();

    let error = session.step2(0, &large_cmsg1).unwrap_err();
    assert!(matches!(error, Step2Error::Fault(fault) if fault == of_coordinator), "{error}");
    let (state2, _) = session.step2(0, &cmsg1).unwrap();
    assert_eq!(participant_finalize(state2, &large_cmsg2).unwrap_err(), of_coordinator);
    assert_eq!(Transcript::new(params, &large_cmsg1), Err(MessageError::OtherSize));

    let mut pmsgs1 = session.pmsgs1();
    pmsgs1[1] = larger.step1(1).1;
    let expected = CoordinatorError::Fault(MessageError::OtherSize.of_participant(seat(1)));
    assert_eq!(coordinator_step1(&pmsgs1, params).unwrap_err(), expected);
    assert_eq!(coordinator_investigate(&pmsgs1, params).unwrap_err(), expected);

    let bad_share = with_bad_share(&session);
    let Err(Step2Error::Unknown(investigation)) = session.step2(0, &bad_share) else {
        panic!("the share is not wrong");
    };
    let cinv = &coordinator_investigate(&larger.pmsgs1(), &larger.params).unwrap()[0];
    assert_eq!(participant_investigate(&investigation, cinv), of_coordinator);
}

#[test]
fn one_message_of_each_participant_is_needed() {
    let session = Session::new(2, 3);
    let pmsgs1 = session.pmsgs1();
    let (state, cmsg1) = session.coordinator_step1();
    let pmsgs2 = session.pmsgs2(&cmsg1);
    let count = CoordinatorError::Count { got: 2, expected: 3 };
    assert_eq!(coordinator_step1(&pmsgs1[..2], &session.params).unwrap_err(), count);
    assert_eq!(coordinator_investigate(&pmsgs1[..2], &session.params).unwrap_err(), count);
    assert_eq!(coordinator_finalize(state, &pmsgs2[..2]).unwrap_err(), count);
}

fn with_bad_share(session: &Session) -> CoordinatorMsg1 {
    let bytes = session.cmsgs().0.to_bytes();
    let at = session.cmsg1_layout().enc_secshares;
    let bytes = crate::key_generation::support::with_scalar_raised(bytes, &at, 0);
    CoordinatorMsg1::parse(&bytes, &session.params).unwrap()
}
