//! The certificate: what it proves, and to whom it gives a share.

use std::ops::Range;

use roastery_frost::change::{
    Certificate, CertificateError, Dealing, DegenerateChoice, NotADealer, RecoverError, Transcript,
    open, take,
};
use roastery_frost::hash::tagged_hash;
use roastery_frost::{MaybeScalar, SigningKey};
use zeroize::Zeroizing;

use crate::behaviour::support::{order_plus, seat};
use crate::change::support::{
    Change, Forger, Group, bytes, hash_scalar, host_keys, scalar, sign_with_share, weight,
};

/// A change from 3-of-5 to 4-of-7 with dealings of 0, 1 and 3.
fn certified() -> (Group, Change, Vec<u8>) {
    let old = Group::new(3, 5);
    let change = Change::new(1, &old, 4, 7);
    let (_, certificate) = change.run(&old, &[0, 1, 3]);
    (old, change, certificate.to_bytes())
}

fn read(change: &Change, bytes: &[u8]) -> Result<Certificate, CertificateError> {
    Certificate::parse(&change.params, bytes)
}

/// The certificate of a transcript that all new members have signed, whatever it says.
fn signed_unchecked(change: &Change, transcript: &[u8], by_dealers: &[u8]) -> Vec<u8> {
    let hash = tagged_hash("roastery/1/change/transcript", &[transcript]);
    let by_members = (0..change.keys.len()).flat_map(|j| {
        let key = bytes("host key", 1000 + j);
        let key = SigningKey::from_bytes(Zeroizing::new(key)).unwrap();
        key.sign(&hash, &[0; 32]).to_bytes()
    });
    [transcript, by_dealers, &by_members.collect::<Vec<u8>>()].concat()
}

const HEADS: Range<usize> = 32..32 + 67 * 3;
const COMMITMENTS: Range<usize> = HEADS.end..HEADS.end + 33 * 3;
const ENC_SHARES: Range<usize> = COMMITMENTS.end..COMMITMENTS.end + 32 * 7;
const BY_DEALERS: Range<usize> = ENC_SHARES.end..ENC_SHARES.end + 64 * 3;
const BY_MEMBERS: Range<usize> = BY_DEALERS.end..BY_DEALERS.end + 64 * 7;

#[test]
fn a_certificate_is_read_at_its_exact_length_only() {
    let (_, change, certificate) = certified();
    let expected = BY_MEMBERS.end;
    assert_eq!(certificate.len(), expected);
    assert_eq!(Certificate::len_bytes(&change.params), expected);
    for got in [0, 32, expected - 64, expected - 1, expected + 1, expected + 64] {
        let mut bytes = certificate.clone();
        bytes.resize(got, 0);
        let error = CertificateError::Length { got, expected };
        assert_eq!(read(&change, &bytes), Err(error));
    }
}

#[test]
fn of_which_transcript_it_would_be_is_seen_in_the_bytes_of_a_certificate() {
    let (_, change, bytes) = certified();
    let peek = |bytes: &[u8]| Certificate::peek_transcript_hash(&change.params, bytes);
    let hash = *read(&change, &bytes).unwrap().transcript().hash();
    assert_eq!(peek(&bytes), Some(hash));
    let mut other = bytes.clone();
    other[BY_MEMBERS.start] ^= 1;
    assert_eq!(peek(&other), Some(hash));
    other[ENC_SHARES.start] ^= 1;
    assert!(peek(&other).is_some_and(|peeked| peeked != hash));
    assert_eq!(peek(&bytes[1..]), None);
}

#[test]
fn a_flipped_bit_anywhere_in_a_certificate_is_refused() {
    let (_, change, certificate) = certified();
    for at in 0..certificate.len() {
        let mut flipped = certificate.clone();
        flipped[at] ^= 1 << (at % 8);
        let error = read(&change, &flipped).unwrap_err();
        let expected = match error {
            CertificateError::OtherPlan => 0..32,
            CertificateError::Seat { .. }
            | CertificateError::Dealer(_)
            | CertificateError::Order { .. }
            | CertificateError::Nonce { .. } => HEADS,
            CertificateError::Commitment { .. } => COMMITMENTS,
            CertificateError::EncShare { .. } => ENC_SHARES,
            CertificateError::Dealing { .. } if BY_DEALERS.contains(&at) => BY_DEALERS,
            CertificateError::Dealing { .. } => HEADS,
            CertificateError::Signature { .. } if BY_MEMBERS.contains(&at) => BY_MEMBERS,
            CertificateError::Signature { .. } => COMMITMENTS.start..ENC_SHARES.end,
            other => panic!("byte {at}: {other}"),
        };
        assert!(expected.contains(&at), "byte {at}: {error}");
    }
}

#[test]
fn the_certificate_of_another_plan_is_refused_before_it_is_decoded() {
    let (old, _, certificate) = certified();
    let other = Change::new(2, &old, 4, 7);
    assert_eq!(read(&other, &certificate), Err(CertificateError::OtherPlan));
    let mut garbage = vec![0xff; certificate.len()];
    garbage[..32].copy_from_slice(&certificate[..32]);
    assert_eq!(read(&other, &garbage), Err(CertificateError::OtherPlan));
}

#[test]
fn every_new_member_must_have_signed() {
    let (old, change, _) = certified();
    let (transcript, takes) = change.take_all(&change.deal_all(&old, &[0, 1, 3]));
    let signatures: Vec<_> = takes.iter().map(|(_, signature)| *signature).collect();
    let new = |signatures: &[_]| Certificate::new(transcript.clone(), signatures.to_vec());
    for got in [0, 6, 8] {
        let signatures: Vec<_> = signatures.iter().cycle().copied().take(got).collect();
        let error = CertificateError::Count { got, expected: 7 };
        assert_eq!(new(&signatures), Err(error));
    }
    for member in 0..7 {
        let mut signatures = signatures.clone();
        signatures[member] = signatures[(member + 1) % 7];
        let error = CertificateError::Signature { member: seat(member as u32) };
        assert_eq!(new(&signatures), Err(error));
    }
    assert!(new(&signatures).is_ok());
}

#[test]
fn dealers_ascend_are_of_the_old_group_and_are_not_excluded() {
    let (old, change, certificate) = certified();
    let dealers = |change: &Change, ids: [u16; 3]| {
        let mut bytes = certificate.clone();
        for (index, id) in ids.into_iter().enumerate() {
            bytes[32 + 67 * index..][..2].copy_from_slice(&id.to_le_bytes());
        }
        read(change, &bytes).unwrap_err()
    };
    assert_eq!(dealers(&change, [0, 0, 3]), CertificateError::Order { index: 1 });
    assert_eq!(dealers(&change, [0, 3, 3]), CertificateError::Order { index: 2 });
    assert_eq!(dealers(&change, [1, 0, 3]), CertificateError::Order { index: 1 });
    let unknown = NotADealer::OutOfRange { dealer: seat(5), n: 5 };
    assert_eq!(dealers(&change, [0, 1, 5]), CertificateError::Dealer(unknown));
    for id in [128, 256, 257, u16::MAX] {
        assert_eq!(dealers(&change, [0, id, 3]), CertificateError::Seat { index: 1, id });
    }
    let without = Change::without(1, &old, &[seat(3)], 4, 7);
    let excluded = NotADealer::Excluded { dealer: seat(3) };
    assert_eq!(dealers(&without, [0, 1, 3]), CertificateError::Dealer(excluded));
}

#[test]
fn one_dealer_twice_is_refused_though_everybody_has_signed_it() {
    let (_, change, certificate) = certified();
    let mut transcript = certificate[..ENC_SHARES.end].to_vec();
    transcript.copy_within(HEADS.start..HEADS.start + 67, HEADS.start + 67);
    let mut by_dealers = certificate[BY_DEALERS].to_vec();
    by_dealers.copy_within(..64, 64);
    let bytes = signed_unchecked(&change, &transcript, &by_dealers);
    assert_eq!(read(&change, &bytes), Err(CertificateError::Order { index: 1 }));
}

#[test]
fn points_and_scalars_out_of_range_are_named() {
    let (_, change, certificate) = certified();
    let with = |at: usize, part: &[u8]| {
        let mut bytes = certificate.clone();
        bytes[at..at + part.len()].copy_from_slice(part);
        read(&change, &bytes).unwrap_err()
    };
    let nonce = with(HEADS.start + 67 + 2, &[0; 33]);
    assert_eq!(nonce, CertificateError::Nonce { dealer: seat(1) });
    assert_eq!(with(COMMITMENTS.start + 33, &[4]), CertificateError::Commitment { index: 1 });
    let scalar = with(ENC_SHARES.start + 32 * 6, &order_plus(0));
    assert_eq!(scalar, CertificateError::EncShare { member: seat(6) });
    let infinite = with(COMMITMENTS.end - 33, &[0; 33]);
    assert_eq!(infinite, CertificateError::Degenerate(DegenerateChoice::TopCoefficient));
    let infinite = with(COMMITMENTS.start, &[0; 33]);
    assert_eq!(infinite, CertificateError::Signature { member: seat(0) });
}

#[test]
fn a_public_share_at_infinity_is_refused_though_everybody_has_signed_it() {
    let old = Group::new(3, 5);
    let change = Change::new(1, &old, 2, 3);
    let (_, certificate) = change.run(&old, &[0, 1, 3]);
    let certificate = certificate.to_bytes();
    let mut transcript = certificate[..Transcript::len_bytes(&change.params)].to_vec();
    // A line through Y that vanishes at x = 3.
    let slope = -(old.keys.threshold_public_key() * scalar(3).invert());
    transcript[HEADS.end..HEADS.end + 33].copy_from_slice(&slope.serialize());
    let by_dealers = &certificate[transcript.len()..][..64 * 3];
    let bytes = signed_unchecked(&change, &transcript, by_dealers);
    let degenerate = DegenerateChoice::PublicShare { member: seat(2) };
    assert_eq!(read(&change, &bytes), Err(CertificateError::Degenerate(degenerate)));
}

/// What members without any dealing make up: `C_k` of a polynomial through Y whose values they know
/// at three seats, which is as many as they can know of one of degree below 4.
fn made_up(old: &Group, change: &Change) -> (Vec<Forger>, Vec<u8>) {
    let forgers: Vec<Forger> = [0, 1, 3]
        .map(|dealer| {
            let mut forger = Forger::new(change, old, dealer);
            forger.share = hash_scalar("no share", &[&[dealer as u8]]);
            forger.secnonce = hash_scalar("no nonce", &[&[dealer as u8]]);
            forger
        })
        .into();
    // In the exponent: coefficients of the polynomial with the value Y at 0 and chosen ones at
    // 1, 2, 3, as the difference of that and its multiple of Y.
    let secret = old.secret(&[0, 1, 2]);
    let known = [(1, scalar(11)), (2, scalar(22)), (3, scalar(33))];
    let polynomial = through(secret, &known);
    let pads = |j| -> MaybeScalar {
        let xs = [1, 2, 4];
        forgers.iter().map(|f| f.pad(&change.params, j) * weight(&xs, f.dealer + 1)).sum()
    };
    let mut transcript = change.params.plan().to_vec();
    for forger in &forgers {
        transcript.extend_from_slice(&(forger.dealer as u16).to_le_bytes());
        transcript.extend_from_slice(&forger.nonce().serialize());
        transcript.extend_from_slice(&[0; 32]);
    }
    for &coefficient in &polynomial[1..] {
        transcript.extend_from_slice(&(coefficient * secp::G).serialize());
    }
    for j in 0..7 {
        let value = known.iter().find(|(x, _)| *x == j + 1).map_or(scalar(1), |known| known.1);
        transcript.extend_from_slice(&(pads(j) + value).serialize());
    }
    (forgers, transcript)
}

/// The polynomial of degree below 4 with these values at 0 and at three other places.
fn through(at_zero: MaybeScalar, known: &[(usize, roastery_frost::Scalar); 3]) -> Vec<MaybeScalar> {
    // Newton's form, by divided differences over 0 and the known places.
    let places: Vec<MaybeScalar> = [0]
        .into_iter()
        .chain(known.iter().map(|known| known.0))
        .map(|x| MaybeScalar::from(x as u128))
        .collect();
    let mut differences: Vec<MaybeScalar> =
        [at_zero].into_iter().chain(known.iter().map(|known| known.1.into())).collect();
    for order in 1..4 {
        for i in (order..4).rev() {
            let run = (places[i] - places[i - order]).unwrap().invert();
            differences[i] = (differences[i] - differences[i - 1]) * run;
        }
    }
    let mut polynomial = vec![MaybeScalar::Zero; 4];
    for i in (0..4).rev() {
        for k in (1..4).rev() {
            polynomial[k] = polynomial[k - 1] - polynomial[k] * places[i];
        }
        polynomial[0] = differences[i] - polynomial[0] * places[i];
    }
    polynomial
}

#[test]
fn a_transcript_without_the_signatures_of_t_old_shares_is_refused_though_everybody_has_signed_it() {
    let old = Group::new(3, 5);
    let change = Change::new(1, &old, 4, 7);
    let (forgers, transcript) = made_up(&old, &change);
    let by_dealers: Vec<u8> = forgers
        .iter()
        .zip(transcript[HEADS].chunks(67))
        .flat_map(|(forger, head)| {
            let parts: [&[u8]; 2] = [change.params.plan(), head];
            sign_with_share(forger.share, &tagged_hash("roastery/1/change/dealing", &parts))
        })
        .collect();
    let bytes = signed_unchecked(&change, &transcript, &by_dealers);
    assert_eq!(read(&change, &bytes), Err(CertificateError::Dealing { dealer: seat(0) }));

    // With t - 1 true signatures it is refused as well; with t the shares are what was made up.
    let truly = |count: usize| -> Vec<u8> {
        let heads = transcript[HEADS].chunks(67).zip([0, 1, 3]).enumerate();
        heads
            .flat_map(|(index, (head, dealer))| {
                let share = if index < count { old.scalar(dealer) } else { forgers[index].share };
                let parts: [&[u8]; 2] = [change.params.plan(), head];
                sign_with_share(share, &tagged_hash("roastery/1/change/dealing", &parts))
            })
            .collect()
    };
    let bytes = signed_unchecked(&change, &transcript, &truly(2));
    assert_eq!(read(&change, &bytes), Err(CertificateError::Dealing { dealer: seat(3) }));
    let certificate = read(&change, &signed_unchecked(&change, &transcript, &truly(3))).unwrap();
    for (member, key) in change.keys.iter().enumerate() {
        let recovered = certificate.recover(key);
        assert_eq!(recovered.is_ok(), member < 3, "at most t' - 1 members find a share");
    }
}

#[test]
fn a_host_key_of_another_plan_or_member_recovers_nothing() {
    let (_, change, certificate) = certified();
    let certificate = read(&change, &certificate).unwrap();
    for key in &host_keys(2, 7) {
        assert_eq!(certificate.recover(key).unwrap_err(), RecoverError::NotAMember);
    }
}

#[test]
fn a_certified_share_that_does_not_match_its_public_share_is_not_recovered() {
    let (_, change, certificate) = certified();
    let mut transcript = certificate[..ENC_SHARES.end].to_vec();
    *transcript.last_mut().unwrap() ^= 1;
    let bytes = signed_unchecked(&change, &transcript, &certificate[BY_DEALERS]);
    let certificate = read(&change, &bytes).unwrap();
    assert_eq!(certificate.recover(&change.keys[6]).unwrap_err(), RecoverError::Share);
    assert!(certificate.recover(&change.keys[5]).is_ok());
}

#[test]
fn two_certificates_of_one_transcript_give_one_group_and_one_share() {
    let old = Group::new(3, 5);
    let change = Change::new(1, &old, 4, 7);
    let certificate = |aux: [u8; 32]| {
        let dealings: Vec<Dealing> = [0, 1, 3]
            .iter()
            .map(|&i| {
                let share = &old.shares[i];
                let dealer = seat(i as u32);
                roastery_frost::change::deal(&change.params, dealer, share, &aux).unwrap()
            })
            .collect();
        let transcript = change.transcript(&dealings);
        let signatures = change.keys.iter().map(|key| {
            let dealt: Vec<_> = dealings.iter().map(|d| open(key, d).unwrap()).collect();
            take(key, &transcript, &dealt, &aux).unwrap().1
        });
        Certificate::new(transcript.clone(), signatures.collect()).unwrap()
    };
    let (one, two) = (certificate([1; 32]), certificate([2; 32]));
    assert_ne!(one.to_bytes(), two.to_bytes());
    assert_eq!(one.transcript().hash(), two.transcript().hash());
    assert_eq!(one.transcript().group(), two.transcript().group());
    let share = |certificate: &Certificate| {
        *certificate.recover(&change.keys[2]).unwrap().share().expose_bytes()
    };
    assert_eq!(share(&one), share(&two));
}
