//! The recovery data and a host secret key give all back, and altered data give nothing.

use roastery_frost::SigningKey;
use roastery_frost::chilldkg::{
    CertificateError, DegenerateKey, HostSeckeyError, RecoverError, RecoveryData,
    RecoveryDataError, coordinator_finalize, participant_finalize, recover,
};
use zeroize::Zeroizing;

use crate::key_generation::support::{Session, altered, bytes as seeded, host_key, layout, seat};

fn recovery_data(session: &Session) -> RecoveryData {
    let (state, cmsg1) = session.coordinator_step1();
    coordinator_finalize(state, &session.pmsgs2(&cmsg1)).unwrap().2
}

#[test]
fn every_participant_gets_back_the_share_it_had() {
    for (t, n) in [(1, 1), (1, 3), (2, 3), (3, 5)] {
        let session = Session::new(t, n);
        let data = recovery_data(&session);
        let data = RecoveryData::parse(&data.to_bytes()).unwrap();
        assert_eq!(*data.params(), session.params);
        let (cmsg1, cmsg2) = session.cmsgs();
        for participant in 0..n {
            let (state2, _) = session.step2(participant, &cmsg1).unwrap();
            let (output, _) = participant_finalize(state2, &cmsg2).unwrap();
            let (again, params) = recover(&session.keys[participant], &data).unwrap();
            assert_eq!(params, session.params);
            assert_eq!(again.secshare().expose_bytes(), output.secshare().expose_bytes());
            assert_eq!(again.group(), output.group());
            assert_eq!(again.group(), data.group());
            assert!(again.secshare().matches(data.group(), seat(participant)));
        }
    }
}

#[test]
fn the_data_tell_an_onlooker_all_that_is_public() {
    let session = Session::new(2, 3);
    let data = recovery_data(&session);
    let parsed = RecoveryData::parse(&data.to_bytes()).unwrap();
    assert_eq!(parsed, data);
    assert_eq!(parsed.transcript().verify(parsed.certificate()), Ok(()));
    assert_eq!(parsed.transcript().group().as_ref(), Ok(parsed.group()));
}

#[test]
fn the_data_of_another_session_are_refused_before_their_signatures_are_looked_at() {
    let (session, other) = (Session::new(2, 3), Session::new(3, 3));
    let data = recovery_data(&session);
    let bytes = data.to_bytes();
    assert_eq!(RecoveryData::parse_for(&session.params, &bytes), Ok(data));
    let others = Err(RecoveryDataError::OtherParams);
    assert_eq!(RecoveryData::parse_for(&other.params, &bytes), others);
    let last = bytes.len() - 1;
    let bad = altered(bytes, last);
    assert_eq!(RecoveryData::parse_for(&other.params, &bad), others);
    let error = CertificateError::InvalidSignature { participant: seat(2) };
    assert_eq!(RecoveryData::parse_for(&session.params, &bad), Err(error.into()));
}

#[test]
fn a_host_key_of_no_member_of_the_session_is_refused_with_an_error_of_its_own() {
    let data = recovery_data(&Session::new(2, 3));
    let error = recover(&host_key(3), &data).unwrap_err();
    assert_eq!(error, RecoverError::HostSeckey(HostSeckeyError::NotInSession));
}

#[test]
fn a_flipped_bit_anywhere_in_the_data_is_refused() {
    let session = Session::new(2, 3);
    let data = recovery_data(&session).to_bytes();
    let [t, sum_coms, hostpubkeys, pubnonces, enc_secshares, certificate] =
        layout([4, 33 * 2, 33 * 3, 33 * 3, 32 * 3, 64 * 3]);
    for at in 0..data.len() {
        let error = RecoveryData::parse(&altered(data.clone(), at)).unwrap_err();
        let (length, entry, params, signature) = match error {
            RecoveryDataError::Length { .. } => (true, false, false, false),
            RecoveryDataError::Entry(_) => (false, true, false, false),
            RecoveryDataError::Params(_) => (false, false, true, false),
            RecoveryDataError::Certificate(_) => (false, false, false, true),
            RecoveryDataError::OtherParams | RecoveryDataError::Degenerate(_) => {
                panic!("byte {at}: {error}")
            }
        };
        assert!(!length || t.contains(&at), "byte {at}: {error}");
        let entries = [&sum_coms, &enc_secshares];
        assert!(!entry || entries.iter().any(|list| list.contains(&at)), "byte {at}: {error}");
        assert!(!params || hostpubkeys.contains(&at), "byte {at}: {error}");
        if pubnonces.contains(&at) || certificate.contains(&at) {
            assert!(signature, "byte {at}: {error}");
        }
    }
}

/// Recovery data that all participants have signed although none checked them.
fn signed_unchecked(session: &Session, change: impl FnOnce(&mut [u8])) -> RecoveryData {
    let n = session.params.n();
    let mut bytes = recovery_data(session).to_bytes();
    bytes.truncate(bytes.len() - 64 * n);
    change(&mut bytes);
    let mut prefix = b"BIP DKG/certeq message".to_vec();
    prefix.resize(33, 0);
    let signature = |i: usize| {
        let key = SigningKey::from_bytes(Zeroizing::new(seeded("host key", i)));
        let message = [&prefix[..], &(i as u32).to_be_bytes(), &bytes].concat();
        key.unwrap().sign(&message, &[0; 32]).to_bytes()
    };
    let certificate: Vec<u8> = (0..n).flat_map(signature).collect();
    RecoveryData::parse(&[bytes, certificate].concat()).unwrap()
}

#[test]
fn certified_data_that_give_no_valid_share_are_refused() {
    let session = Session::new(2, 3);
    let [_, pubnonces, _] = layout([4 + 33 * 2 + 33 * 3, 33 * 3, 32 * 3]);
    let wrong_share = signed_unchecked(&session, |bytes| *bytes.last_mut().unwrap() ^= 1);
    assert_eq!(recover(&session.keys[2], &wrong_share).unwrap_err(), RecoverError::Secshare);
    assert!(recover(&session.keys[0], &wrong_share).is_ok());

    let no_nonce = signed_unchecked(&session, |bytes| bytes[pubnonces.start + 33] = 9);
    let error = RecoverError::Pubnonce { participant: seat(1) };
    assert_eq!(recover(&session.keys[0], &no_nonce).unwrap_err(), error);
    assert_eq!(recover(&session.keys[2], &no_nonce).unwrap_err(), error);
}

#[test]
fn certified_data_without_a_key_are_refused() {
    let session = Session::new(1, 1);
    let mut bytes = recovery_data(&session).to_bytes();
    bytes[4..4 + 33].fill(0);
    let unsigned = &bytes[..bytes.len() - 64];
    let message = [b"BIP DKG/certeq message", &[0; 11 + 4][..], unsigned].concat();
    let key = SigningKey::from_bytes(Zeroizing::new(seeded("host key", 0))).unwrap();
    let signature = key.sign(&message, &[0; 32]).to_bytes();
    let bytes = [unsigned, &signature].concat();
    let error = RecoveryDataError::Degenerate(DegenerateKey);
    assert_eq!(RecoveryData::parse(&bytes), Err(error));
}
