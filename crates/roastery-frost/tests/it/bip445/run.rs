//! One function per file; each returns the number of cases that it ran.

use roastery_frost::danger::{nonce_gen_with, secret_nonce_from_bytes, secret_nonce_to_bytes};
use roastery_frost::{
    Contribution, GroupKeys, InvalidContribution, NonceGenInputs, PartialSigError,
    PartialSignature, PublicNonce, Seat, SecretShare, SessionContext, Signature, Signers, Tweak,
    TweakContext, decode_aggregate_nonce, decode_nonces, decode_partial_signatures, decode_point,
    sign,
};
use zeroize::Zeroizing;

use crate::bip445::failure::Failure;
use crate::bip445::format::{
    Case, Group, GroupFile, Hex, NonceAggCase, NonceAggFile, NonceGenFile,
};

pub(crate) fn nonce_gen(file: &NonceGenFile) -> usize {
    for case in &file.valid_tests {
        let name = format!("nonce_gen {}", case.tc_id);
        let share = case.secshare.as_ref().map(|share| {
            SecretShare::from_bytes(Zeroizing::new(share.array().expect(&name))).expect(&name)
        });
        let public_share = case.pubshare.as_ref().map(|share| share.array().expect(&name));
        let seat = case.signer_id.map(|id| Seat::new(id).expect(&name));
        let key = case.thresh_pk_xonly.as_ref().map(|key| key.array().expect(&name));
        let inputs = NonceGenInputs {
            secret_share: share.as_ref(),
            seat,
            public_share: public_share.as_ref(),
            threshold_public_key: key.as_ref(),
            message: case.msg.as_ref().map(|message| message.0.as_slice()),
            extra_in: case.extra_in.as_ref().map(|extra| extra.0.as_slice()),
        };
        let random = case.rand.array().expect(&name);
        let (secret, public) = nonce_gen_with(&random, &inputs).expect(&name);
        assert_eq!(secret_nonce_to_bytes(&secret).to_vec(), case.expected[0].0, "{name}");
        assert_eq!(public.to_bytes().to_vec(), case.expected[1].0, "{name}");
        assert_eq!(secret.public_nonce(), &public, "{name}");
    }
    file.valid_tests.len()
}

pub(crate) fn nonce_agg(file: &NonceAggFile) -> usize {
    let aggregate = |case: &NonceAggCase| {
        let chosen = pick(&file.pubnonces, &case.pubnonce_indices);
        public_nonces(&chosen).map(|nonces| roastery_frost::nonce_agg(&nonces).to_bytes())
    };
    for case in &file.valid_tests {
        let name = format!("nonce_agg {}", case.tc_id);
        let expected = case.expected.as_ref().expect(&name);
        assert_eq!(aggregate(case).expect(&name).to_vec(), expected.0, "{name}");
    }
    for case in &file.error_tests {
        let name = format!("nonce_agg {}", case.tc_id);
        let failure = aggregate(case).expect_err(&name);
        failure.assert_is(case.error.as_ref().expect(&name), &name);
    }
    file.valid_tests.len() + file.error_tests.len()
}

pub(crate) fn sign_verify(file: &GroupFile) -> usize {
    let mut cases = 0;
    for group in &file.test_groups {
        assert_group_is_sound(group);
        let named = |case: &Case| format!("sign_verify {} {}", group.tg_id, case.tc_id);
        for case in &group.valid_tests {
            let name = &named(case);
            assert_signs_and_verifies(group, case, name);
        }
        for case in &group.sign_error_tests {
            let name = &named(case);
            let failure = run_sign(group, case).expect_err(name);
            failure.assert_is(case.error.as_ref().expect(name), name);
        }
        for case in &group.verify_fail_tests {
            let name = &named(case);
            let psig = case.psig.as_ref().expect(name);
            let valid = run_verify(group, case, case.signer_index, psig).expect(name);
            assert!(!valid, "{} verified", name);
        }
        for case in &group.verify_error_tests {
            let name = &named(case);
            let psig = case.psig.as_ref().expect(name);
            let failure = run_verify(group, case, case.signer_index, psig).expect_err(name);
            failure.assert_is(case.error.as_ref().expect(name), name);
        }
        cases += group.valid_tests.len()
            + group.sign_error_tests.len()
            + group.verify_fail_tests.len()
            + group.verify_error_tests.len();
    }
    cases
}

pub(crate) fn tweak(file: &GroupFile) -> usize {
    let mut cases = 0;
    for group in &file.test_groups {
        assert_group_is_sound(group);
        let named = |case: &Case| format!("tweak {} {}", group.tg_id, case.tc_id);
        for case in &group.valid_tests {
            let name = &named(case);
            assert_signs_and_verifies(group, case, name);
        }
        for case in &group.error_tests {
            let name = &named(case);
            let failure = run_sign(group, case).expect_err(name);
            failure.assert_is(case.error.as_ref().expect(name), name);
        }
        cases += group.valid_tests.len() + group.error_tests.len();
    }
    cases
}

pub(crate) fn sig_agg(file: &GroupFile) -> usize {
    let mut cases = 0;
    for group in &file.test_groups {
        assert_group_is_sound(group);
        let named = |case: &Case| format!("sig_agg {} {}", group.tg_id, case.tc_id);
        let aggregate = |case: &Case| -> Result<(SessionContext, Signature), Failure> {
            let session =
                session(group, case, case.aggnonce.as_ref().expect("an aggregate nonce"))?;
            let psigs = arrays(&case.psigs, Contribution::PartialSignature)?;
            let signature = session.aggregate(&decode_partial_signatures(&psigs)?)?;
            assert_eq!(
                session.aggregate_verified(&decode_partial_signatures(&psigs)?),
                Ok(signature)
            );
            Ok((session, signature))
        };
        for case in &group.valid_tests {
            let name = &named(case);
            let (session, signature) = aggregate(case).expect(name);
            let expected = case.expected.as_ref().expect(name);
            assert_eq!(signature.to_bytes().to_vec(), expected.0, "{}", name);
            assert!(signature.verify(&session.public_key(), &case.msg.0), "{}", name);
        }
        for case in &group.error_tests {
            let name = &named(case);
            let failure = aggregate(case).expect_err(name);
            failure.assert_is(case.error.as_ref().expect(name), name);
        }
        cases += group.valid_tests.len() + group.error_tests.len();
    }
    cases
}

/// *Sign* of the reference implementation, its checks in its order.
fn run_sign(group: &Group, case: &Case) -> Result<PartialSignature, Failure> {
    let session = session(group, case, case.aggnonce.as_ref().expect("an aggregate nonce"))?;
    let secnonce = group.secnonces[case.secnonce_index].array().expect("64 bytes");
    let secnonce = secret_nonce_from_bytes(&Zeroizing::new(secnonce))
        .map_err(|error| Failure::SecretNonce(error.half()))?;
    let share = group.secshares[case.secshare_index].array().expect("32 bytes");
    let share = SecretShare::from_bytes(Zeroizing::new(share)).map_err(|_| Failure::SecretShare)?;
    // The reference implementation looks for the public share before the identifier.
    let mut seats = session.signers().seats().iter();
    if !seats.any(|&seat| session.signers().public_share(seat) == Some(share.public_share())) {
        return Err(Failure::OtherShare);
    }
    let seat = Seat::new(id(case.my_id)).map_err(|_| Failure::NoSeat)?;
    Ok(sign(secnonce, &share, seat, &session)?)
}

/// *PartialSigVerify* of the reference implementation.
fn run_verify(group: &Group, case: &Case, index: usize, psig: &Hex) -> Result<bool, Failure> {
    let signers = signers(group, case)?;
    if case.pubnonce_indices.len() != case.ids.len() {
        return Err(Failure::NonceCount);
    }
    let nonces = public_nonces(&pick(&group.pubnonces, &case.pubnonce_indices))?;
    let aggregate = roastery_frost::nonce_agg(&nonces);
    let tweaks = tweak_context(group, case)?;
    let session =
        SessionContext::new(&signers, &aggregate, &tweaks, &case.msg.0).expect("a session");
    let Some(psig) = psig.array().and_then(|psig| PartialSignature::from_bytes(&psig).ok()) else {
        return Ok(false);
    };
    let seat = signers.seats()[index];
    match session.verify(&psig, &nonces[index], seat) {
        Ok(()) => Ok(true),
        Err(error) => {
            assert_eq!(error, PartialSigError::Invalid { seat });
            Ok(false)
        }
    }
}

fn assert_signs_and_verifies(group: &Group, case: &Case, name: &str) {
    let nonces = public_nonces(&pick(&group.pubnonces, &case.pubnonce_indices)).expect(name);
    let aggregate = roastery_frost::nonce_agg(&nonces).to_bytes().to_vec();
    assert_eq!(Some(&Hex(aggregate)), case.aggnonce.as_ref(), "{name}");
    let expected = case.expected.as_ref().expect(name);
    let psig = run_sign(group, case).expect(name);
    assert_eq!(psig.to_bytes().to_vec(), expected.0, "{name}");
    let index = case.ids.iter().position(|id| *id == case.my_id).expect(name);
    assert!(run_verify(group, case, index, expected).expect(name), "{name}");
}

/// The keys of a group pass the check that groups pass when they are loaded.
fn assert_group_is_sound(group: &Group) {
    let point = |hex: &Hex| decode_point(&hex.array().expect("33 bytes")).expect("a point");
    let shares: Vec<_> = group.pubshares[..group.n].iter().map(point).collect();
    for (share, secret) in shares.iter().zip(&group.secshares) {
        let secret = SecretShare::from_bytes(Zeroizing::new(secret.array().expect("32 bytes")));
        assert_eq!(*share, secret.expect("a share").public_share());
    }
    GroupKeys::new(group.t, point(&group.thresh_pk), shares).expect(&group.tg_id);
}

/// *GetSessionValues* of the reference implementation.
fn session(group: &Group, case: &Case, aggregate: &Hex) -> Result<SessionContext, Failure> {
    let signers = signers(group, case)?;
    let tweaks = tweak_context(group, case)?;
    let coordinator =
        InvalidContribution { signer_index: None, contribution: Contribution::AggregateNonce };
    let aggregate = decode_aggregate_nonce(&aggregate.array().ok_or(coordinator)?)?;
    Ok(SessionContext::new(&signers, &aggregate, &tweaks, &case.msg.0).expect("a session"))
}

fn signers(group: &Group, case: &Case) -> Result<Signers, Failure> {
    let ids: Vec<u32> = case.ids.iter().map(|&number| id(number)).collect();
    let shares: Vec<[u8; 33]> = pick(&group.pubshares, &case.pubshare_indices)
        .iter()
        .map(|share| share.array().expect("33 bytes"))
        .collect();
    let key = group.thresh_pk.array().expect("33 bytes");
    Ok(Signers::validate(group.n, group.t, &ids, &shares, &key)?)
}

fn tweak_context(group: &Group, case: &Case) -> Result<TweakContext, Failure> {
    if case.tweak_indices.len() != case.is_xonly.len() {
        return Err(Failure::TweakModes);
    }
    let key = decode_point(&group.thresh_pk.array().expect("33 bytes")).expect("a point");
    let mut context = TweakContext::new(key);
    for (tweak, is_xonly) in pick(&group.tweaks, &case.tweak_indices).iter().zip(&case.is_xonly) {
        let bytes = tweak.array().ok_or(Failure::TweakLength)?;
        let tweak = if *is_xonly { Tweak::XOnly(bytes) } else { Tweak::Plain(bytes) };
        context = context.apply(&tweak)?;
    }
    Ok(context)
}

fn public_nonces(nonces: &[Hex]) -> Result<Vec<PublicNonce>, Failure> {
    Ok(decode_nonces(&arrays(nonces, Contribution::PublicNonce)?)?)
}

/// Contributions as arrays; one of another length is invalid, and its sender is to blame.
fn arrays<const N: usize>(
    items: &[Hex],
    contribution: Contribution,
) -> Result<Vec<[u8; N]>, Failure> {
    let blame = |index| InvalidContribution { signer_index: Some(index), contribution };
    let arrays = items.iter().enumerate().map(|(index, item)| item.array().ok_or(blame(index)));
    Ok(arrays.collect::<Result<_, _>>()?)
}

fn pick(items: &[Hex], indices: &[usize]) -> Vec<Hex> {
    indices.iter().map(|&index| items[index].clone()).collect()
}

/// An identifier; what is not a 32-bit number is as far out of range as the largest one.
fn id(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
