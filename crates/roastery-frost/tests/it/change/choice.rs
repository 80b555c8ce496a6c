//! Which dealings make a transcript, and what a member takes from it.

use roastery_frost::change::{
    Dealing, DealingError, NotADealer, OpenError, TakeError, Transcript, TranscriptError, deal,
    open, take,
};

use crate::behaviour::support::seat;
use crate::change::support::{Change, Group, host_keys};

#[test]
fn exactly_t_dealings_make_a_transcript() {
    let old = Group::new(3, 5);
    let change = Change::new(1, &old, 4, 7);
    let dealings = change.deal_all(&old, &[0, 1, 2, 3, 4]);
    for got in 0..6 {
        let chosen: Vec<&Dealing> = dealings.iter().take(got).collect();
        let made = Transcript::new(&change.params, &chosen).map(drop);
        let count = Err(TranscriptError::Count { got, expected: 3 });
        assert_eq!(made, if got == 3 { Ok(()) } else { count });
    }
}

#[test]
fn one_dealer_counts_once() {
    let old = Group::new(3, 5);
    let change = Change::new(1, &old, 4, 7);
    let dealings = change.deal_all(&old, &[3, 1]);
    let [three, one] = [&dealings[0], &dealings[1]];
    for chosen in [[three, one, three], [three, three, one], [one, three, three]] {
        let made = Transcript::new(&change.params, &chosen);
        assert_eq!(made, Err(TranscriptError::Duplicate { dealer: seat(3) }));
    }
}

#[test]
fn an_excluded_or_unknown_seat_neither_deals_nor_is_read() {
    let old = Group::new(3, 5);
    let change = Change::without(1, &old, &[seat(1), seat(4)], 4, 7);
    let everyone = Change::new(1, &old, 4, 7);
    let excluded = NotADealer::Excluded { dealer: seat(4) };
    let dealing = everyone.deal(&old, 4).to_bytes();
    let error = Dealing::parse(&change.params, seat(4), &dealing).unwrap_err();
    assert_eq!(error, DealingError::Dealer(excluded));
    let error = deal(&change.params, seat(4), &old.shares[4], &[0; 32]).unwrap_err();
    assert_eq!(error, roastery_frost::change::DealError::Dealer(excluded));

    let unknown = NotADealer::OutOfRange { dealer: seat(5), n: 5 };
    let error = Dealing::parse(&change.params, seat(5), &dealing).unwrap_err();
    assert_eq!(error, DealingError::Dealer(unknown));
    let error = deal(&change.params, seat(5), &old.shares[4], &[0; 32]).unwrap_err();
    assert_eq!(error, roastery_frost::change::DealError::Dealer(unknown));
}

#[test]
fn a_dealing_that_was_read_for_other_parameters_is_not_summed() {
    let old = Group::new(3, 5);
    let change = Change::new(1, &old, 4, 7);
    // Of the same plan id, so that the signature holds: only the excluded seats differ.
    let other = Change::without(1, &old, &[seat(4)], 4, 7);
    let dealings = change.deal_all(&old, &[0, 1]);
    let foreign = other.deal(&old, 2);
    let made = Transcript::new(&change.params, &[&dealings[0], &dealings[1], &foreign]);
    assert_eq!(made, Err(TranscriptError::OtherChange { dealer: seat(2) }));
}

#[test]
fn a_member_signs_only_what_it_has_opened_of_every_dealing() {
    let old = Group::new(3, 5);
    let change = Change::new(1, &old, 4, 7);
    let dealings = change.deal_all(&old, &[0, 1, 2, 3]);
    let transcript = change.transcript(&dealings[..3]);
    let dealt = change.open_all(5, &dealings);
    assert!(take(&change.keys[5], &transcript, &dealt, &[0; 32]).is_ok(), "one more does no harm");
    for missing in 0..3 {
        let mut dealt = change.open_all(5, &dealings);
        dealt.remove(missing);
        let error = take(&change.keys[5], &transcript, &dealt, &[0; 32]).unwrap_err();
        assert_eq!(error, TakeError::NotOpened { dealer: seat(missing as u32) });
    }
    let error = take(&change.keys[5], &transcript, &change.open_all(4, &dealings), &[0; 32]);
    assert_eq!(error.unwrap_err(), TakeError::NotOpened { dealer: seat(0) });
}

#[test]
fn a_host_key_of_no_new_member_opens_and_takes_nothing() {
    let old = Group::new(3, 5);
    let change = Change::new(1, &old, 4, 7);
    let dealings = change.deal_all(&old, &[0, 1, 2]);
    let stranger = &host_keys(2, 1)[0];
    assert_eq!(open(stranger, &dealings[0]).unwrap_err(), OpenError::NotAMember);
    let transcript = change.transcript(&dealings);
    let dealt = change.open_all(0, &dealings);
    let error = take(stranger, &transcript, &dealt, &[0; 32]).unwrap_err();
    assert_eq!(error, TakeError::NotAMember);
}

#[test]
fn what_was_opened_in_another_plan_counts_in_this_one_no_more() {
    let old = Group::new(2, 3);
    let change = Change::new(1, &old, 2, 3);
    let other = Change::without(1, &old, &[seat(2)], 2, 3);
    let transcript = change.transcript(&change.deal_all(&old, &[0, 1]));
    let dealt = other.open_all(1, &other.deal_all(&old, &[0, 1]));
    let error = take(&change.keys[1], &transcript, &dealt, &[0; 32]).unwrap_err();
    assert_eq!(error, TakeError::NotOpened { dealer: seat(0) });
}

#[test]
fn a_signature_is_that_of_one_member_for_one_transcript() {
    let old = Group::new(3, 5);
    let change = Change::new(1, &old, 4, 7);
    let (transcript, takes) = change.take_all(&change.deal_all(&old, &[0, 1, 2]));
    let other = change.transcript(&change.deal_all(&old, &[0, 1, 3]));
    assert_ne!(transcript.hash(), other.hash());
    for (member, (_, signature)) in takes.iter().enumerate() {
        for claimed in 0..8 {
            let verifies = transcript.verify_signature(seat(claimed), signature);
            assert_eq!(verifies, claimed as usize == member);
            assert!(!other.verify_signature(seat(claimed), signature));
        }
    }
}
