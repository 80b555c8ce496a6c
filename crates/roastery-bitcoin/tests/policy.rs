//! Each rule: a spend at the limit is allowed, one beyond it is refused with one line that names the rule and the numbers.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod common;

use bitcoin::{Address, Amount, Network, Psbt, XOnlyPublicKey, bip32::Fingerprint};
use common::{TestGroup, elsewhere, ordinary};
use roastery_bitcoin::{
    policy::{MAX_DESTINATIONS, Refusal, RuleError, Rules},
    spend::{CannotSign, Spend},
    wallet::Wallet,
};
use roastery_protocol::message::RefusalReason;

/// An ordinary spend: 60 000 to somebody else, 39 000 back, 1000 fee at 10 sat/vB or somewhat less.
fn spend() -> (Spend, Wallet) {
    let wallet = TestGroup::new().wallet();
    (Spend::of(ordinary(&wallet), &wallet), wallet)
}

fn judge(rules: Rules, spend: &Spend, before: u64) -> Result<Amount, Refusal> {
    let judged = rules.check(Network::Bitcoin).unwrap().judge(spend, Amount::from_sat(before));
    if let Err(refusal) = &judged {
        let line = refusal.to_string();
        assert!(!line.contains('\n'), "{line}");
        assert_eq!(refusal.reason(), RefusalReason::Policy);
    }
    judged
}

fn sat(sat: u64) -> Amount {
    Amount::from_sat(sat)
}

#[test]
fn without_rules_everything_that_can_be_signed_is_allowed_and_counted() {
    assert_eq!(judge(Rules::default(), &spend().0, 0), Ok(sat(61_000)));
}

#[test]
fn the_limit_per_transaction_counts_what_leaves_the_group() {
    let rules = |most| Rules { most_per_transaction: Some(most), ..Rules::default() };
    assert!(judge(rules(61_000), &spend().0, 0).is_ok());
    let refusal = judge(rules(60_999), &spend().0, 0).unwrap_err();
    assert_eq!(refusal, Refusal::PerTransaction { amount: sat(61_000), most: sat(60_999) });
    assert_eq!(
        refusal.to_string(),
        "limit per transaction: 0.00061000 BTC would leave the group; at most 0.00060999 BTC may"
    );
}

#[test]
fn the_limit_per_day_counts_what_has_left_before() {
    let rules = || Rules { most_per_day: Some(100_000), ..Rules::default() };
    assert!(judge(rules(), &spend().0, 39_000).is_ok());
    let refusal = judge(rules(), &spend().0, 39_001).unwrap_err();
    let (amount, before, most) = (sat(61_000), sat(39_001), sat(100_000));
    assert_eq!(refusal, Refusal::PerDay { amount, before, most });
    assert!(judge(rules(), &spend().0, u64::MAX).is_err());
}

#[test]
fn only_destinations_on_the_list_and_the_wallets_own_are_paid() {
    let address = |script| Address::from_script(script, Network::Bitcoin).unwrap().to_string();
    let other = "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr";
    let rules = |list: &[&str]| Rules {
        destinations: Some(list.iter().map(|text| (*text).to_owned()).collect()),
        ..Rules::default()
    };
    let paid = address(&elsewhere());
    assert!(judge(rules(&[other, &paid]), &spend().0, 0).is_ok());
    for list in [&[other][..], &[]] {
        let refusal = judge(rules(list), &spend().0, 0).unwrap_err();
        let (amount, destination) = (sat(60_000), paid.clone());
        assert_eq!(refusal, Refusal::Destination { output: 0, amount, destination });
    }
}

#[test]
fn destinations_of_another_network_or_of_none_are_no_rules() {
    let rules =
        |text: &str| Rules { destinations: Some(vec![text.to_owned()]), ..Rules::default() };
    let address = "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr";
    assert!(rules(address).check(Network::Bitcoin).is_ok());
    let error = rules(address).check(Network::Signet).unwrap_err();
    assert_eq!(
        error,
        RuleError::OtherNetwork { address: address.to_owned(), network: Network::Signet }
    );
    let error = rules(&address[..60]).check(Network::Bitcoin).unwrap_err();
    assert!(matches!(error, RuleError::NoAddress { .. }), "{error}");
    let many = vec![address.to_owned(); MAX_DESTINATIONS + 1];
    let error = Rules { destinations: Some(many), ..Rules::default() }.check(Network::Bitcoin);
    let count = MAX_DESTINATIONS + 1;
    assert_eq!(error.unwrap_err(), RuleError::TooManyDestinations { count });
}

#[test]
fn the_fee_is_capped_as_an_amount() {
    let rules = |most| Rules { most_fee: Some(most), ..Rules::default() };
    assert!(judge(rules(1_000), &spend().0, 0).is_ok());
    let refusal = judge(rules(999), &spend().0, 0).unwrap_err();
    assert_eq!(refusal, Refusal::Fee { fee: sat(1_000), most: sat(999) });
}

#[test]
fn the_fee_is_capped_as_a_rate() {
    let rules = |most| Rules { most_fee_rate: Some(most), ..Rules::default() };
    let rate = spend().0.fee_rate().unwrap();
    assert!(judge(rules(rate), &spend().0, 0).is_ok());
    let refusal = judge(rules(rate - 1), &spend().0, 0).unwrap_err();
    assert_eq!(refusal, Refusal::FeeRate { rate, most: rate - 1 });
}

#[test]
fn change_must_be_ours_where_the_rule_says_so() {
    let rules = |change_must_be_ours| Rules { change_must_be_ours, ..Rules::default() };
    let (honest, wallet) = spend();
    assert!(judge(rules(true), &honest, 0).is_ok());
    // The second output becomes somebody else's, and keeps what marks it as change.
    let mut psbt: Psbt = honest.psbt().clone();
    psbt.unsigned_tx.output[1].script_pubkey = elsewhere();
    let theirs = XOnlyPublicKey::from_slice(&[2; 32]).unwrap();
    let source = (Fingerprint::from([1; 4]), Default::default());
    psbt.outputs[1].tap_key_origins.insert(theirs, (vec![], source));
    let stolen = Spend::of(psbt, &wallet);
    assert!(judge(rules(false), &stolen, 0).is_ok());
    let refusal = judge(rules(true), &stolen, 0).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "change must be ours: output 1 is marked as change, and is not this group's"
    );
}

#[test]
fn previous_transactions_must_be_there_where_the_rule_says_so() {
    let rules = || Rules { previous_transactions_required: true, ..Rules::default() };
    let (honest, wallet) = spend();
    assert!(judge(rules(), &honest, 0).is_ok());
    let mut psbt: Psbt = honest.psbt().clone();
    psbt.inputs[0].non_witness_utxo = None;
    let unproven = Spend::of(psbt, &wallet);
    assert!(judge(Rules::default(), &unproven, 0).is_ok());
    let refusal = judge(rules(), &unproven, 0).unwrap_err();
    assert_eq!(refusal, Refusal::PreviousTransaction { input: 0 });
}

#[test]
fn what_cannot_be_signed_is_not_allowed_by_any_rules() {
    let (honest, wallet) = spend();
    let mut psbt: Psbt = honest.psbt().clone();
    psbt.inputs[0].witness_utxo = None;
    psbt.inputs[0].non_witness_utxo = None;
    let unknown = Spend::of(psbt, &wallet);
    let policy = Rules::default().check(Network::Bitcoin).unwrap();
    let refusal = policy.judge(&unknown, Amount::ZERO).unwrap_err();
    assert_eq!(refusal, Refusal::CannotSign(CannotSign::UnknownOutput { input: 0 }));
    assert_eq!(refusal.reason(), RefusalReason::Unacceptable);
}

#[test]
fn rules_are_written_in_toml_and_a_slip_of_the_pen_is_an_error() {
    let text = r#"
        most_per_transaction = 5000000
        most_per_day = 20000000
        destinations = ["bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"]
        most_fee = 50000
        most_fee_rate = 100
        change_must_be_ours = true
        previous_transactions_required = true
    "#;
    let rules: Rules = toml::from_str(text).unwrap();
    assert_eq!(rules.most_per_day, Some(20_000_000));
    assert_eq!(toml::from_str::<Rules>(&toml::to_string(&rules).unwrap()).unwrap(), rules);
    assert_eq!(toml::from_str::<Rules>("").unwrap(), Rules::default());
    assert!(toml::from_str::<Rules>("most_fees = 1").is_err());
    assert!(toml::from_str::<Rules>("most_fee = -1").is_err());
}
