//! Dealers that break the rules, and what reaches the new members of it.

use roastery_frost::MaybeScalar;
use roastery_frost::change::{
    Dealing, DealingError, DegenerateChoice, OpenError, Transcript, TranscriptError, open, take,
};

use crate::behaviour::support::{order_plus, seat};
use crate::change::support::{Change, Forger, Group, bytes, scalar, weight};

/// Who finds the share that `dealing` holds for it wrong.
fn complaints(change: &Change, dealing: &Dealing) -> Vec<usize> {
    let wrong = OpenError::WrongShare { dealer: dealing.dealer() };
    let complains = |key| open(key, dealing).is_err_and(|error| error == wrong);
    (0..change.keys.len()).filter(|&j| complains(&change.keys[j])).collect()
}

fn setting() -> (Group, Change) {
    let old = Group::new(3, 5);
    let change = Change::new(1, &old, 4, 7);
    (old, change)
}

#[test]
fn an_honest_dealing_has_no_complaint() {
    let (old, change) = setting();
    for dealer in 0..5 {
        assert!(complaints(&change, &change.deal(&old, dealer)).is_empty());
    }
}

#[test]
fn another_constant_term_is_refused_by_every_new_member() {
    let (old, change) = setting();
    for shift in [scalar(1), -scalar(1), -old.scalar(1), scalar(5)] {
        let mut forger = Forger::new(&change, &old, 1);
        forger.polynomial[0] += shift;
        let dealing = forger.deal(&change);
        assert_eq!(complaints(&change, &dealing), [0, 1, 2, 3, 4, 5, 6]);
    }
}

#[test]
fn a_wrong_share_for_one_new_member_is_found_by_that_one_alone() {
    let (old, change) = setting();
    for victim in [0, 3, 6] {
        let forger = Forger::new(&change, &old, 1);
        let mut content = forger.content(&change.params);
        let at = 33 * 3 + 32 * victim;
        let share = MaybeScalar::from_slice(&content[at..at + 32]).unwrap() + scalar(1);
        content[at..at + 32].copy_from_slice(&share.serialize());
        let dealing = change.parse(1, &forger.seal(change.params.plan(), &content));
        assert_eq!(complaints(&change, &dealing), [victim]);
    }
}

#[test]
fn a_polynomial_of_a_lower_degree_that_is_committed_to_honestly_is_harmless() {
    let (old, change) = setting();
    let mut forger = Forger::new(&change, &old, 1);
    forger.polynomial[2] = scalar(1).into();
    let dealings = [change.deal(&old, 0), forger.deal(&change), change.deal(&old, 4)];
    assert!(complaints(&change, &dealings[1]).is_empty());
    let (new, _) = change.run_with(&dealings);
    assert_eq!(new.secret(&[1, 2, 3, 4]), old.secret(&[0, 1, 2]));
}

#[test]
fn a_coefficient_more_or_fewer_is_refused_by_its_length_before_anything_is_decoded() {
    let (old, change) = setting();
    let expected = 64 + 33 * 4 + 32 * 7;
    for coefficients in [0, 1, 3, 5, 200] {
        let mut forger = Forger::new(&change, &old, 1);
        let one = MaybeScalar::one();
        forger.polynomial.resize(coefficients + 1, one);
        let dealing = if coefficients == 3 {
            [forger.seal(change.params.plan(), &forger.content(&change.params)), vec![0]].concat()
        } else {
            forger.seal(change.params.plan(), &forger.content(&change.params))
        };
        let length = DealingError::Length { got: dealing.len(), expected };
        let read = |bytes: &[u8]| Dealing::parse(&change.params, seat(1), bytes);
        assert_eq!(read(&dealing), Err(length));
        // Nothing in these bytes decodes, and the length is what is said to be wrong.
        assert_eq!(read(&vec![0xff; dealing.len()]), Err(length));
    }
    let garbage = Dealing::parse(&change.params, seat(1), &vec![0xff; expected]);
    assert_eq!(garbage, Err(DealingError::Nonce));
}

#[test]
fn an_encrypted_share_more_or_fewer_is_refused_by_its_length() {
    let (old, change) = setting();
    let forger = Forger::new(&change, &old, 1);
    let content = forger.content(&change.params);
    let expected = 64 + 33 * 4 + 32 * 7;
    for content in [&content[..content.len() - 32], &[&content[..], &[1; 32]].concat()] {
        let dealing = forger.seal(change.params.plan(), content);
        let length = DealingError::Length { got: dealing.len(), expected };
        assert_eq!(Dealing::parse(&change.params, seat(1), &dealing), Err(length));
    }
}

#[test]
fn content_that_is_split_anew_at_other_lengths_counts_in_its_own_plan_only() {
    // 33 (t' - 1) + 32 n' bytes are the same for both, and so is the digest.
    let old = Group::new(2, 3);
    let (wide, narrow) = (Change::new(1, &old, 2, 70), Change::new(2, &old, 34, 37));
    assert_eq!(Dealing::len_bytes(&wide.params), Dealing::len_bytes(&narrow.params));
    let honest = wide.deal(&old, 1).to_bytes();
    let read = Dealing::parse(&narrow.params, seat(1), &honest);
    assert!(matches!(read, Err(DealingError::Commitment { .. })), "{read:?}");

    // A dealer can choose content that decodes both ways. It is signed for one plan.
    let forger = Forger::new(&narrow, &old, 1);
    let content = forger.content(&narrow.params);
    let both = |bytes: &[u8]| {
        Dealing::parse(&wide.params, seat(1), &forger.seal(wide.params.plan(), bytes))
    };
    assert!(both(&content).is_ok(), "33 bytes of a point and scalars below the order");
    let for_narrow = forger.seal(narrow.params.plan(), &content);
    assert!(Dealing::parse(&narrow.params, seat(1), &for_narrow).is_ok());
    let read = Dealing::parse(&wide.params, seat(1), &for_narrow);
    assert_eq!(read, Err(DealingError::Signature));
    assert_eq!(complaints(&wide, &both(&content).unwrap()).len(), 70);
}

#[test]
fn a_dealing_of_another_plan_is_refused() {
    let old = Group::new(3, 5);
    let (one, two) = (Change::new(1, &old, 4, 7), Change::new(2, &old, 4, 7));
    let dealing = one.deal(&old, 1).to_bytes();
    let read = Dealing::parse(&two.params, seat(1), &dealing);
    assert_eq!(read, Err(DealingError::Signature));
}

#[test]
fn a_dealing_is_no_other_dealers() {
    let (old, change) = setting();
    let dealing = change.deal(&old, 1).to_bytes();
    for dealer in [0, 2, 3, 4] {
        let read = Dealing::parse(&change.params, seat(dealer), &dealing);
        assert_eq!(read, Err(DealingError::Signature));
    }
}

#[test]
fn no_infinite_commitment_is_read_be_it_the_highest_or_another() {
    let (old, change) = setting();
    for index in 0..3 {
        let mut forger = Forger::new(&change, &old, 1);
        forger.polynomial[index + 1] = MaybeScalar::Zero;
        let dealing = forger.seal(change.params.plan(), &forger.content(&change.params));
        let read = Dealing::parse(&change.params, seat(1), &dealing);
        assert_eq!(read, Err(DealingError::Commitment { index }));
    }
}

#[test]
fn nonce_and_encrypted_shares_out_of_range_are_named() {
    let (old, change) = setting();
    let dealing = change.deal(&old, 1).to_bytes();
    let with = |at: usize, part: &[u8]| {
        let mut dealing = dealing.clone();
        dealing[at..at + part.len()].copy_from_slice(part);
        Dealing::parse(&change.params, seat(1), &dealing).unwrap_err()
    };
    assert_eq!(with(0, &[0; 33]), DealingError::Nonce);
    assert_eq!(with(0, &[4]), DealingError::Nonce);
    for receiver in 0..7 {
        let at = 33 * 4 + 32 * receiver;
        let error = DealingError::EncShare { receiver: seat(receiver as u32) };
        assert_eq!(with(at, &order_plus(0)), error);
        assert_eq!(with(at, &order_plus(-1)), DealingError::Signature);
    }
}

#[test]
fn a_flipped_bit_anywhere_in_a_dealing_is_refused() {
    let (old, change) = setting();
    let dealing = change.deal(&old, 1).to_bytes();
    for bit in 0..8 * dealing.len() {
        let mut flipped = dealing.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Dealing::parse(&change.params, seat(1), &flipped).is_err(), "bit {bit}");
    }
}

/// A dealer whose highest commitment, weighted, is the negative of that of another one.
fn cancelling(change: &Change, old: &Group, dealer: usize, victim: usize, index: usize) -> Forger {
    let victim_forger = Forger::new(change, old, victim);
    let mut forger = Forger::new(change, old, dealer);
    let xs = [dealer + 1, victim + 1];
    let ratio = weight(&xs, victim + 1) * weight(&xs, dealer + 1).invert();
    forger.polynomial[index] = -(victim_forger.polynomial[index] * ratio);
    forger
}

#[test]
fn highest_commitments_that_cancel_lower_no_threshold_and_other_dealers_are_taken() {
    let old = Group::new(2, 3);
    let change = Change::new(1, &old, 3, 4);
    let forged = cancelling(&change, &old, 1, 0, 2).deal(&change);
    assert!(complaints(&change, &forged).is_empty());
    let honest = change.deal_all(&old, &[0, 2]);
    let error = TranscriptError::Degenerate(DegenerateChoice::TopCoefficient);
    assert_eq!(Transcript::new(&change.params, &[&honest[0], &forged]), Err(error));
    assert!(Transcript::new(&change.params, &[&honest[1], &forged]).is_ok());
    assert!(Transcript::new(&change.params, &[&honest[0], &honest[1]]).is_ok());
}

#[test]
fn other_commitments_may_cancel_and_stand_as_33_zero_bytes() {
    let old = Group::new(2, 3);
    let change = Change::new(1, &old, 3, 4);
    let forged = cancelling(&change, &old, 1, 0, 1).deal(&change);
    let (new, certificate) = change.run_with(&[change.deal(&old, 0), forged]);
    assert_eq!(new.secret(&[1, 2, 3]), old.secret(&[0, 1]));
    let at = 32 + 67 * 2;
    assert_eq!(certificate.to_bytes()[at..at + 33], [0; 33]);
    let read = roastery_frost::change::Certificate::parse(&change.params, &certificate.to_bytes());
    assert_eq!(read, Ok(certificate));
}

#[test]
fn a_public_share_at_infinity_is_refused_with_the_seat_and_other_dealers_are_taken() {
    let old = Group::new(2, 3);
    let change = Change::new(1, &old, 2, 4);
    for member in 0..4 {
        // The sum has to vanish at x: the forger knows both polynomials here.
        let x = scalar(member + 1);
        let other = Forger::new(&change, &old, 0);
        let mut forger = Forger::new(&change, &old, 1);
        let [w0, w1] = [1, 2].map(|x| weight(&[1, 2], x));
        let wanted = -(other.value(member + 1) * w0) * w1.invert();
        forger.polynomial[1] = (wanted - forger.share) * x.invert();
        let forged = forger.deal(&change);
        assert!(complaints(&change, &forged).is_empty());
        let honest = change.deal_all(&old, &[0, 2]);
        let degenerate = DegenerateChoice::PublicShare { member: seat(member as u32) };
        let made = Transcript::new(&change.params, &[&honest[0], &forged]);
        assert_eq!(made, Err(TranscriptError::Degenerate(degenerate)));
        assert!(Transcript::new(&change.params, &[&honest[1], &forged]).is_ok());
    }
}

#[test]
fn a_share_of_zero_in_one_dealing_is_opened_and_counts() {
    let old = Group::new(2, 3);
    let change = Change::new(1, &old, 2, 3);
    let mut forger = Forger::new(&change, &old, 1);
    forger.polynomial[1] = -(MaybeScalar::from(forger.share) * scalar(2).invert());
    assert_eq!(forger.value(2), MaybeScalar::Zero);
    let (new, _) = change.run_with(&[change.deal(&old, 0), forger.deal(&change)]);
    assert_eq!(new.secret(&[1, 2]), old.secret(&[0, 1]));
}

#[test]
fn a_dealer_cannot_deal_under_anothers_nonce_or_copy_its_ciphertexts() {
    let (old, change) = setting();
    let (victim, forger) = (Forger::new(&change, &old, 0), Forger::new(&change, &old, 1));
    let (plan, nonce) = (change.params.plan(), victim.nonce().serialize());
    // The nonce of another dealer in the place of its own: the signature covers it, and its pads
    // are those of another key exchange.
    let own = forger.content(&change.params);
    let mut swapped = forger.seal(plan, &own);
    swapped[..33].copy_from_slice(&nonce);
    let read = Dealing::parse(&change.params, seat(1), &swapped);
    assert_eq!(read, Err(DealingError::Signature));
    let signed = change.parse(1, &forger.seal_with_nonce(plan, &nonce, &own));
    assert_eq!(complaints(&change, &signed), [0, 1, 2, 3, 4, 5, 6]);
    // Nonce and content of another dealer, signed as its own: pads name the dealer.
    let content = victim.content(&change.params);
    let copied = change.parse(1, &forger.seal_with_nonce(plan, &nonce, &content));
    assert_eq!(complaints(&change, &copied), [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn two_ciphertexts_that_change_places_are_wrong_for_both_receivers() {
    let (old, change) = setting();
    let forger = Forger::new(&change, &old, 1);
    let mut content = forger.content(&change.params);
    let (one, two) = (33 * 3 + 32 * 2, 33 * 3 + 32 * 5);
    let first: [u8; 32] = content[one..one + 32].try_into().unwrap();
    content.copy_within(two..two + 32, one);
    content[two..two + 32].copy_from_slice(&first);
    let dealing = change.parse(1, &forger.seal(change.params.plan(), &content));
    assert_eq!(complaints(&change, &dealing), [2, 5]);
}

#[test]
fn two_dealings_of_one_dealer_have_two_heads_and_a_share_of_one_is_none_of_the_other() {
    let (old, change) = setting();
    let honest = change.deal_all(&old, &[0, 1, 2]);
    let mut forger = Forger::new(&change, &old, 1);
    forger.polynomial[3] = scalar(7).into();
    let second = forger.deal(&change);
    assert_ne!(honest[1].head(), second.head());
    let to_one = change.open_all(0, &honest);
    let to_another = [honest[0].clone(), second, honest[2].clone()];
    let transcript = change.transcript(&to_another);
    let error = take(&change.keys[0], &transcript, &to_one, &[0; 32]).unwrap_err();
    let dealer = seat(1);
    assert_eq!(error, roastery_frost::change::TakeError::NotOpened { dealer });
    assert!(take(&change.keys[0], &transcript, &change.open_all(0, &to_another), &[0; 32]).is_ok());
}

#[test]
fn without_the_old_share_no_dealing_is_signed() {
    let (old, change) = setting();
    for other in [scalar(5), old.scalar(2), old.scalar(1) * scalar(2)] {
        let mut thief = Forger::new(&change, &old, 1);
        thief.share = other;
        let dealing = thief.seal(change.params.plan(), &thief.content(&change.params));
        let read = Dealing::parse(&change.params, seat(1), &dealing);
        assert_eq!(read, Err(DealingError::Signature));
    }
}

#[test]
fn a_bip_340_signature_with_the_share_signs_no_dealing() {
    let (old, change) = setting();
    let dealing = change.deal(&old, 1);
    let key = roastery_frost::SigningKey::from_bytes(old.shares[1].expose_bytes()).unwrap();
    let head = dealing.head().hash(change.params.plan());
    let signature = key.sign(&head, &bytes("aux", 1)).to_bytes();
    let mut forged = dealing.to_bytes();
    let at = forged.len() - 64;
    forged[at..].copy_from_slice(&signature);
    let read = Dealing::parse(&change.params, seat(1), &forged);
    assert_eq!(read, Err(DealingError::Signature));
}
