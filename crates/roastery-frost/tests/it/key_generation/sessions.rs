//! Sessions without a faulty participant, and what comes out of them.

use roastery_frost::chilldkg::{
    CoordinatorMsg1, CoordinatorMsg2, DkgOutput, HostSeckeyError, HostSecretKey, ParticipantMsg1,
    ParticipantState2, SessionParams, SessionParamsError, Step1Error, Step2Error,
    coordinator_finalize, participant_finalize, participant_step1, participant_step2,
};
use roastery_frost::hash::tagged_hash;
use roastery_frost::{
    GroupKeys, MaybePoint, NonceGenInputs, Seat, SessionContext, Tweak, TweakContext,
    XOnlyPublicKey, decode_point, nonce_agg, nonce_gen, sign,
};

use crate::key_generation::support::{Session, bytes, host_key, seat};

/// Every message goes over the wire.
fn run(t: usize, n: usize) -> (Session, Vec<DkgOutput>) {
    let session = Session::new(t, n);
    let params = &session.params;
    for (participant, pmsg1) in session.pmsgs1().iter().enumerate() {
        let pmsg1 = ParticipantMsg1::parse(&pmsg1.to_bytes(), params).unwrap();
        assert_eq!(pmsg1.check(seat(participant)), Ok(()));
    }
    let (state, cmsg1) = session.coordinator_step1();
    let cmsg1 = CoordinatorMsg1::parse(&cmsg1.to_bytes(), params).unwrap();
    let (states, pmsgs2): (Vec<_>, Vec<_>) =
        (0..n).map(|participant| session.step2(participant, &cmsg1).unwrap()).unzip();
    let (cmsg2, group, recovery_data) = coordinator_finalize(state, &pmsgs2).unwrap();
    let cmsg2 = CoordinatorMsg2::parse(&cmsg2.to_bytes(), params).unwrap();
    let finalize = |state| {
        let (output, data) = participant_finalize(state, &cmsg2).unwrap();
        assert_eq!(*output.group(), group);
        assert_eq!(data, recovery_data);
        output
    };
    let outputs = states.into_iter().map(finalize).collect();
    (session, outputs)
}

#[test]
fn all_hold_shares_of_one_key_and_any_t_of_them_sign_with_it() {
    let message = b"what they agree on";
    for (t, n) in [(1, 1), (1, 3), (2, 2), (2, 3), (3, 3), (3, 5), (7, 10)] {
        let (_, outputs) = run(t, n);
        let group = outputs[0].group().clone();
        let key = group.threshold_public_key();
        let checked = GroupKeys::new(t, key, group.public_shares().to_vec());
        assert_eq!(checked.as_ref(), Ok(&group), "{t}-of-{n}");
        let matches = |(i, output): (usize, &DkgOutput)| output.secshare().matches(&group, seat(i));
        assert!(outputs.iter().enumerate().all(matches));

        for first in 0..=n - t {
            let seats: Vec<_> = (first..first + t).map(seat).collect();
            let inputs = NonceGenInputs { message: Some(message), ..NonceGenInputs::default() };
            let nonces = seats.iter().map(|_| nonce_gen(&mut getrandom::SysRng, &inputs).unwrap());
            let (secrets, publics): (Vec<_>, Vec<_>) = nonces.unzip();
            let signers = group.signers(&seats).unwrap();
            let tweaks = TweakContext::new(key);
            let context =
                SessionContext::new(&signers, &nonce_agg(&publics), &tweaks, message).unwrap();
            let psig = |(secret, &i)| {
                let share = outputs[Seat::index(i)].secshare();
                sign(secret, share, i, &context).unwrap()
            };
            let psigs: Vec<_> = secrets.into_iter().zip(&seats).map(psig).collect();
            let signature = context.aggregate_verified(&psigs).unwrap();
            assert!(signature.verify(&XOnlyPublicKey::from(key), message));
        }
    }
}

#[test]
fn the_largest_group_generates_a_key() {
    let session = Session::new(2, 128);
    let (cmsg1, cmsg2) = session.cmsgs();
    let (state2, _) = session.step2(127, &cmsg1).unwrap();
    let (output, _) = participant_finalize(state2, &cmsg2).unwrap();
    assert!(output.secshare().matches(output.group(), seat(127)));
}

#[test]
fn the_threshold_key_is_the_sum_of_the_secrets_with_an_unspendable_script_path() {
    let (session, outputs) = run(2, 3);
    let com_to_secret = |pmsg1: ParticipantMsg1| {
        let first: [u8; 33] = pmsg1.to_bytes()[..33].try_into().unwrap();
        decode_point(&first).unwrap()
    };
    let sum: MaybePoint = session.pmsgs1().into_iter().map(com_to_secret).sum();
    let sum = sum.unwrap();
    let tweak = Tweak::Plain(tagged_hash("TapTweak", &[&sum.serialize_xonly()]));
    let tweaked = TweakContext::new(sum).apply(&tweak).unwrap();
    assert_eq!(tweaked.plain_public_key(), outputs[0].threshold_pubkey());
}

#[test]
fn step_1_can_be_repeated_after_a_restart_and_differs_with_other_randomness() {
    let session = Session::new(2, 3);
    let (_, cmsg1) = session.coordinator_step1();
    let again = session.step1(0).1;
    assert_eq!(again, session.step1(0).1);
    // `Session::step2` begins from a state that was made anew.
    assert!(session.step2(0, &cmsg1).is_ok());
    let key = &session.keys[0];
    let (_, other) = participant_step1(key, &session.params, &bytes("other", 0)).unwrap();
    for (ours, theirs) in again.to_bytes().chunks(33).zip(other.to_bytes().chunks(33)) {
        assert_ne!(ours, theirs);
    }
}

#[test]
fn a_host_key_that_is_not_of_the_session_is_refused() {
    let session = Session::new(2, 3);
    let error = participant_step1(&host_key(3), &session.params, &[1; 32]).unwrap_err();
    assert_eq!(error, Step1Error::HostSeckey(HostSeckeyError::NotInSession));
    let (_, cmsg1) = session.coordinator_step1();
    let (state1, _) = session.step1(0);
    let error = participant_step2(&session.keys[1], state1, &cmsg1, &[1; 32]).unwrap_err();
    assert!(matches!(error, Step2Error::HostSeckey(HostSeckeyError::NotOfStep1)), "{error}");
}

#[test]
fn parameters_have_their_bounds() {
    let keys: Vec<[u8; 33]> = (0..129).map(|i| host_key(i).hostpubkey_gen()).collect();
    let new = |t, n: usize| SessionParams::new(keys[..n].to_vec(), t);
    for (t, n) in [(1, 1), (1, 128), (127, 128), (128, 128)] {
        assert!(new(t, n).is_ok(), "{t}-of-{n}");
    }
    for (t, n) in [(0, 0), (0, 1), (1, 0), (2, 1), (1, 129), (129, 128), (usize::MAX, 3)] {
        assert_eq!(new(t, n), Err(SessionParamsError::ThresholdOrCount { t, n }));
    }
}

#[test]
fn every_parameter_changes_the_hash_and_the_order_counts() {
    let keys: Vec<[u8; 33]> = (0..4).map(|i| host_key(i).hostpubkey_gen()).collect();
    let hash = |keys: &[[u8; 33]], t| SessionParams::new(keys.to_vec(), t).unwrap().params_hash();
    let hashes = [
        hash(&keys[..3], 2),
        hash(&keys[..3], 3),
        hash(&keys, 2),
        hash(&keys[1..], 2),
        hash(&[keys[1], keys[0], keys[2]], 2),
    ];
    let distinct: std::collections::HashSet<_> = hashes.iter().collect();
    assert_eq!(distinct.len(), hashes.len());
}

/// Compiles only where `T` is not `Clone`: otherwise both implementations apply.
trait NotClone<A> {
    const HOLDS: bool = true;
}
impl<T> NotClone<()> for T {}
impl<T: Clone> NotClone<u8> for T {}

#[test]
fn secrets_cannot_be_copied_and_do_not_show() {
    const { assert!(<HostSecretKey as NotClone<_>>::HOLDS) };
    const { assert!(<ParticipantState2 as NotClone<_>>::HOLDS) };
    const { assert!(<DkgOutput as NotClone<_>>::HOLDS) };

    let session = Session::new(2, 3);
    let (cmsg1, cmsg2) = session.cmsgs();
    let (state2, _) = session.step2(0, &cmsg1).unwrap();
    let shown = format!("{:?} {state2:?}", session.keys[0]);
    let (output, _) = participant_finalize(state2, &cmsg2).unwrap();
    let shown = format!("{shown} {output:?}");
    assert!(shown.contains("HostSecretKey(..)"));
    for secret in [output.secshare().expose_bytes().to_vec(), bytes("host key", 0).to_vec()] {
        assert!(!shown.contains(&format!("{secret:?}")));
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!shown.contains(&hex));
    }
}
