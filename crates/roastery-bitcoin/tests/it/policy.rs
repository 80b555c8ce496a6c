//! Each rule: a spend at the limit is allowed, one beyond it is refused with one line that names
//! the rule and the numbers.

use bitcoin::{
    Address, Amount, Network, Psbt, XOnlyPublicKey,
    bip32::{ChildNumber, DerivationPath, Fingerprint},
};
use roastery_bitcoin::{
    policy::{
        MAX_DESTINATIONS, Refusal, Review, RuleError, Rules, USUAL_FEE_PERCENT, USUAL_FEE_RATE,
    },
    spend::{CannotSign, Spend, Warning},
    wallet::{Branch, USUAL_SEARCH_DEPTH, Wallet},
};
use roastery_protocol::{
    request::RefusalReason,
    request::{Derivation, Taproot},
};
use roastery_testkit::payments::{TestGroup, elsewhere, ordinary, pay, spend_of, spending};

/// An ordinary spend: 60 000 to another party, 39 000 back, 1000 fee at 10 sat/vB or somewhat less.
fn spend() -> (Spend, Wallet) {
    let wallet = TestGroup::three_of_five().wallet();
    (spend_of(ordinary(&wallet), &wallet), wallet)
}

fn evaluate(rules: Rules, spend: &Spend, before: u64) -> Result<Amount, Refusal> {
    evaluate_with(rules, Review::Shown, spend, before)
}

fn evaluate_with(
    rules: Rules,
    review: Review,
    spend: &Spend,
    before: u64,
) -> Result<Amount, Refusal> {
    let policy = rules.check(Network::Bitcoin, review).unwrap();
    let result = policy.evaluate(spend, Amount::from_sat(before));
    if let Err(refusal) = &result {
        let line = refusal.to_string();
        assert!(!line.contains('\n'), "{line}");
        assert_eq!(refusal.reason(), RefusalReason::Policy);
    }
    result
}

fn sat(sat: u64) -> Amount {
    Amount::from_sat(sat)
}

#[test]
fn without_rules_an_ordinary_spend_is_allowed_and_counted() {
    assert_eq!(evaluate(Rules::default(), &spend().0, 0), Ok(sat(61_000)));
}

#[test]
fn the_limit_per_transaction_counts_what_leaves_the_group() {
    let rules = |most| Rules { most_per_transaction: Some(most), ..Rules::default() };
    assert!(evaluate(rules(61_000), &spend().0, 0).is_ok());
    let refusal = evaluate(rules(60_999), &spend().0, 0).unwrap_err();
    assert_eq!(refusal, Refusal::PerTransaction { amount: sat(61_000), most: sat(60_999) });
    assert_eq!(
        refusal.to_string(),
        "limit per transaction: 0.00061000 BTC would leave the group; at most 0.00060999 BTC may"
    );
}

#[test]
fn the_limit_per_day_counts_what_has_left_before() {
    let rules = || Rules { most_per_day: Some(100_000), ..Rules::default() };
    assert!(evaluate(rules(), &spend().0, 39_000).is_ok());
    let refusal = evaluate(rules(), &spend().0, 39_001).unwrap_err();
    let (amount, before, most) = (sat(61_000), sat(39_001), sat(100_000));
    assert_eq!(refusal, Refusal::PerDay { amount, before, most });
    assert!(evaluate(rules(), &spend().0, u64::MAX).is_err());
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
    assert!(evaluate(rules(&[other, &paid]), &spend().0, 0).is_ok());
    for list in [&[other][..], &[]] {
        let refusal = evaluate(rules(list), &spend().0, 0).unwrap_err();
        let (amount, destination) = (sat(60_000), paid.clone());
        assert_eq!(refusal, Refusal::Destination { output: 0, amount, destination });
    }
}

#[test]
fn destinations_of_another_network_or_of_none_are_no_rules() {
    let rules =
        |text: &str| Rules { destinations: Some(vec![text.to_owned()]), ..Rules::default() };
    let address = "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr";
    assert!(rules(address).check(Network::Bitcoin, Review::Shown).is_ok());
    let error = rules(address).check(Network::Signet, Review::Shown).unwrap_err();
    assert_eq!(
        error,
        RuleError::OtherNetwork { address: address.to_owned(), network: Network::Signet }
    );
    let error = rules(&address[..60]).check(Network::Bitcoin, Review::Shown).unwrap_err();
    assert!(matches!(error, RuleError::NoAddress { .. }), "{error}");
    let many = vec![address.to_owned(); MAX_DESTINATIONS + 1];
    let error = Rules { destinations: Some(many), ..Rules::default() }
        .check(Network::Bitcoin, Review::Shown);
    let count = MAX_DESTINATIONS + 1;
    assert_eq!(error.unwrap_err(), RuleError::TooManyDestinations { count });
}

#[test]
fn the_fee_is_capped_as_an_amount() {
    let rules = |most| Rules { most_fee: Some(most), ..Rules::default() };
    assert!(evaluate(rules(1_000), &spend().0, 0).is_ok());
    let refusal = evaluate(rules(999), &spend().0, 0).unwrap_err();
    assert_eq!(refusal, Refusal::Fee { fee: sat(1_000), most: sat(999) });
}

#[test]
fn the_fee_is_capped_as_a_rate() {
    let rules = |most| Rules { most_fee_rate: Some(most), ..Rules::default() };
    let rate = spend().0.fee_rate().unwrap();
    assert!(evaluate(rules(rate), &spend().0, 0).is_ok());
    let refusal = evaluate(rules(rate - 1), &spend().0, 0).unwrap_err();
    assert_eq!(refusal, Refusal::FeeRate { rate, most: rate - 1 });
}

/// A spend of 100 000 sat with this fee; the rest is split between another and the wallet.
fn with_fee(fee: u64) -> Spend {
    let wallet = TestGroup::three_of_five().wallet();
    let ours = |branch| wallet.script(branch, 0).unwrap();
    let rest = 100_000 - fee;
    let paid = vec![pay(rest - rest / 2, elsewhere()), pay(rest / 2, ours(Branch::Change))];
    spend_of(spending(&[pay(100_000, ours(Branch::Receive))], paid), &wallet)
}

fn percent(most: u8) -> Rules {
    Rules { most_fee_percent: Some(most), ..Rules::default() }
}

#[test]
fn without_fee_rules_no_fee_takes_more_than_its_usual_share_or_rate() {
    let most = u64::from(USUAL_FEE_PERCENT) * 1_000;
    assert!(evaluate(Rules::default(), &with_fee(most), 0).is_ok());
    let refusal = evaluate(Rules::default(), &with_fee(most + 1), 0).unwrap_err();
    let (lost, spent) = (sat(most + 1), sat(100_000));
    assert_eq!(refusal, Refusal::FeeShare { lost, spent, most: USUAL_FEE_PERCENT });
    assert!(refusal.to_string().ends_with("at most 20 % may be (most_fee_percent)"), "{refusal}");
    // A list of destinations does not limit the fee.
    let rules = Rules {
        destinations: Some(vec![
            Address::from_script(&elsewhere(), Network::Bitcoin).unwrap().to_string(),
        ]),
        ..Rules::default()
    };
    assert!(matches!(evaluate(rules, &with_fee(99_998), 0), Err(Refusal::FeeShare { .. })));
    // The operator may configure another limit.
    assert!(evaluate(percent(100), &with_fee(99_998), 0).is_ok());
    assert!(evaluate(percent(0), &with_fee(0), 0).is_ok());
    assert!(evaluate(percent(0), &with_fee(1), 0).is_err());
    let error = percent(101).check(Network::Bitcoin, Review::Shown).unwrap_err();
    assert_eq!(error, RuleError::Percent { percent: 101 });
    // A higher rate than blocks have asked for, of a group that spends much.
    let wallet = TestGroup::three_of_five().wallet();
    let ours = wallet.script(Branch::Receive, 0).unwrap();
    let spend = |fee: u64| {
        let paid = vec![pay(1_000_000_000 - fee, ours.clone())];
        spend_of(spending(&[pay(1_000_000_000, ours.clone())], paid), &wallet)
    };
    let size = spend(0).virtual_size();
    assert!(evaluate(Rules::default(), &spend(size * USUAL_FEE_RATE), 0).is_ok());
    let refusal = evaluate(Rules::default(), &spend(size * USUAL_FEE_RATE + 1), 0).unwrap_err();
    assert_eq!(refusal, Refusal::FeeRate { rate: USUAL_FEE_RATE + 1, most: USUAL_FEE_RATE });
    let high = Rules { most_fee_rate: Some(2 * USUAL_FEE_RATE), ..Rules::default() };
    assert!(evaluate(high, &spend(size * USUAL_FEE_RATE + 1), 0).is_ok());
}

#[test]
fn what_the_group_loses_as_fee_is_counted_from_its_own_money_alone() {
    let wallet = TestGroup::three_of_five().wallet();
    let ours = pay(100_000, wallet.script(Branch::Receive, 0).unwrap());
    let theirs = pay(10_000_000, elsewhere());
    // Another brings much, takes all of it back, and the group's whole input becomes the fee.
    let taken = spending(&[ours.clone(), theirs.clone()], vec![theirs.clone()]);
    let refusal = evaluate(Rules::default(), &spend_of(taken, &wallet), 0).unwrap_err();
    let (lost, spent) = (sat(100_000), sat(100_000));
    assert_eq!(refusal, Refusal::FeeShare { lost, spent, most: USUAL_FEE_PERCENT });
    // Another pays a large fee, and the group's money returns.
    let paid = vec![pay(9_950_000, elsewhere()), ours.clone()];
    let generous = spending(&[ours, theirs], paid);
    assert_eq!(evaluate(Rules::default(), &spend_of(generous, &wallet), 0), Ok(sat(0)));
}

#[test]
fn what_is_burnt_counts_like_a_fee() {
    let wallet = TestGroup::three_of_five().wallet();
    let ours = pay(100_000, wallet.script(Branch::Receive, 0).unwrap());
    let burnt = |amount| {
        let unspendable = bitcoin::ScriptBuf::new_op_return([1, 2, 3]);
        let back = wallet.script(Branch::Change, 0).unwrap();
        let paid = vec![pay(amount, unspendable), pay(99_000 - amount, back)];
        spend_of(spending(std::slice::from_ref(&ours), paid), &wallet)
    };
    assert!(evaluate(Rules::default(), &burnt(19_000), 0).is_ok());
    let refusal = evaluate(Rules::default(), &burnt(19_001), 0).unwrap_err();
    let (lost, spent) = (sat(20_001), sat(100_000));
    assert_eq!(refusal, Refusal::FeeShare { lost, spent, most: USUAL_FEE_PERCENT });
}

#[test]
fn a_transaction_without_outputs_is_not_signed_whatever_the_rules_say() {
    let wallet = TestGroup::three_of_five().wallet();
    let ours = pay(100_000, wallet.script(Branch::Receive, 0).unwrap());
    let spend = spend_of(spending(&[ours], vec![]), &wallet);
    assert_eq!(spend.messages(), Err(CannotSign::NoOutputs));
    for rules in [Rules::default(), percent(100)] {
        let policy = rules.check(Network::Bitcoin, Review::Shown).unwrap();
        let refusal = policy.evaluate(&spend, Amount::ZERO).unwrap_err();
        assert_eq!(refusal, Refusal::CannotSign(CannotSign::NoOutputs));
        assert_eq!(refusal.to_string(), "the transaction has no outputs; at least one is needed");
    }
}

#[test]
fn one_transaction_in_two_requests_that_each_hide_an_input_passes_no_limit() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    // Two inputs beyond the search: what they are is known by their derivation fields only.
    let places = [USUAL_SEARCH_DEPTH, USUAL_SEARCH_DEPTH + 1];
    let ours = places.map(|index| pay(50_000, wallet.script(Branch::Receive, index).unwrap()));
    let back = wallet.script(Branch::Change, 0).unwrap();
    let whole = spending(&ours, vec![pay(48_000, elsewhere()), pay(51_000, back)]);
    let shown = |inputs: &[usize]| {
        let mut psbt = whole.clone();
        for input in inputs {
            let steps = [0, places[*input]];
            let path: Vec<ChildNumber> = steps.map(ChildNumber::from).to_vec();
            let origin = (vec![], (wallet.fingerprint(), DerivationPath::from(path)));
            let derivation = Derivation { path: steps.to_vec(), taproot: Taproot::Untweaked };
            let key = derivation.tweaks(&group.group).unwrap().x_only_public_key().to_bytes();
            let key = XOnlyPublicKey::from_slice(&key).unwrap();
            psbt.inputs[*input].tap_key_origins.insert(key, origin);
        }
        spend_of(psbt, &wallet)
    };
    let limits = [
        Rules { most_per_transaction: Some(48_999), ..Rules::default() },
        Rules { most_per_day: Some(48_999), ..Rules::default() },
    ];
    for rules in limits {
        for review in [Review::RulesAlone, Review::ShownToCommand] {
            for (part, hidden) in [(0, 1), (1, 0)] {
                let refusal = evaluate_with(rules.clone(), review, &shown(&[part]), 0).unwrap_err();
                assert_eq!(refusal, Refusal::Unrecognised { input: hidden });
            }
            // All of it is known, and counted.
            let refusal = evaluate_with(rules.clone(), review, &shown(&[0, 1]), 0).unwrap_err();
            assert!(!matches!(refusal, Refusal::Unrecognised { .. }), "{refusal}");
        }
        // A person sees the warning, and each part counts as if all that may be the group's were.
        let part = shown(&[0]);
        let refusal = evaluate_with(rules.clone(), Review::Shown, &part, 0).unwrap_err();
        let counted = match refusal {
            Refusal::PerTransaction { amount, .. } | Refusal::PerDay { amount, .. } => amount,
            other => panic!("{other}"),
        };
        assert_eq!(counted, Amount::from_sat(49_000));
        let enough = Rules {
            most_per_transaction: rules.most_per_transaction.map(|most| most + 1),
            most_per_day: rules.most_per_day.map(|most| most + 1),
            ..Rules::default()
        };
        assert_eq!(evaluate_with(enough, Review::Shown, &part, 0).unwrap(), counted);
        let warning = Warning::UnrecognisedInput { input: 1 };
        assert!(part.warnings().contains(&warning));
        assert_eq!(
            warning.to_string(),
            "input 1 is not recognised as this group's: if it is, more leaves than is shown"
        );
    }
    // Without a limit on amounts nothing is counted; what is not Taproot cannot be the group's.
    assert!(evaluate_with(Rules::default(), Review::RulesAlone, &shown(&[0]), 0).is_ok());
}

#[test]
fn a_fee_is_no_smaller_where_an_input_of_the_group_is_hidden() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    // The first is found without derivation fields, the second is beyond the search.
    let ours = [0, USUAL_SEARCH_DEPTH]
        .map(|index| pay(50_000, wallet.script(Branch::Receive, index).unwrap()));
    let back = pay(51_000, wallet.script(Branch::Change, 0).unwrap());
    let part = spend_of(spending(&ours, vec![back]), &wallet);
    assert_eq!((part.leaves_the_group(), part.fee()), (sat(0), Some(sat(49_000))));
    for review in [Review::Shown, Review::ShownToCommand, Review::RulesAlone] {
        let refusal = evaluate_with(Rules::default(), review, &part, 0).unwrap_err();
        let (lost, spent) = (sat(49_000), sat(50_000));
        assert_eq!(refusal, Refusal::FeeShare { lost, spent, most: 20 });
    }
}

#[test]
fn change_given_to_a_stranger_without_any_mark_is_not_signed_by_the_rules_alone() {
    let (honest, wallet) = spend();
    let mut psbt: Psbt = honest.document().decoded().clone();
    psbt.unsigned_tx.output[1].script_pubkey = wallet_of_a_stranger();
    psbt.outputs[1] = Default::default();
    let stolen = spend_of(psbt, &wallet);
    let refusal = evaluate_with(Rules::default(), Review::RulesAlone, &stolen, 0).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "change must be ours: no output returns to this group: 0.00100000 BTC leave it, to 2 outputs of others"
    );
    // A person sees the warning and decides; an operator may let the rules decide.
    assert!(evaluate_with(Rules::default(), Review::Shown, &stolen, 0).is_ok());
    let willing = Rules { change_must_be_ours: Some(false), ..Rules::default() };
    assert!(evaluate_with(willing, Review::RulesAlone, &stolen, 0).is_ok());
    // Where all payees are on the list none of them is unknown.
    let address = |script: &bitcoin::ScriptBuf| {
        Address::from_script(script, Network::Bitcoin).unwrap().to_string()
    };
    let listed = |scripts: &[bitcoin::ScriptBuf]| Rules {
        destinations: Some(scripts.iter().map(address).collect()),
        ..Rules::default()
    };
    let both = listed(&[elsewhere(), wallet_of_a_stranger()]);
    assert!(evaluate_with(both, Review::RulesAlone, &stolen, 0).is_ok());
    let refusal =
        evaluate_with(listed(&[elsewhere()]), Review::RulesAlone, &stolen, 0).unwrap_err();
    assert!(matches!(refusal, Refusal::Destination { output: 1, .. }), "{refusal}");
    // What pays one other and nothing else has no output that could be its change.
    assert!(evaluate_with(Rules::default(), Review::RulesAlone, &honest, 0).is_ok());
    let ours = pay(100_000, wallet.script(Branch::Receive, 0).unwrap());
    let all = spend_of(spending(&[ours], vec![pay(99_000, elsewhere())]), &wallet);
    assert!(evaluate_with(Rules::default(), Review::RulesAlone, &all, 0).is_ok());
}

fn wallet_of_a_stranger() -> bitcoin::ScriptBuf {
    TestGroup::of([0x77; 32], [0x66; 32], 2, 3).wallet().script(Branch::Change, 0).unwrap()
}

#[test]
fn change_must_be_ours_where_the_rule_says_so() {
    let rules = |ours| Rules { change_must_be_ours: Some(ours), ..Rules::default() };
    let (honest, wallet) = spend();
    assert!(evaluate(rules(true), &honest, 0).is_ok());
    // The second output becomes another party's, and keeps the fields that mark it as change.
    let mut psbt: Psbt = honest.document().decoded().clone();
    psbt.unsigned_tx.output[1].script_pubkey = elsewhere();
    let theirs = XOnlyPublicKey::from_slice(&[2; 32]).unwrap();
    let source = (Fingerprint::from([1; 4]), Default::default());
    psbt.outputs[1].tap_key_origins.insert(theirs, (vec![], source));
    let stolen = spend_of(psbt, &wallet);
    assert!(evaluate(rules(false), &stolen, 0).is_ok());
    let refusal = evaluate(rules(true), &stolen, 0).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "change must be ours: output 1 is marked as change, and is not this group's"
    );
}

#[test]
fn previous_transactions_must_be_there_where_the_rule_says_so() {
    let rules = || Rules { previous_transactions_required: true, ..Rules::default() };
    let (honest, wallet) = spend();
    assert!(evaluate(rules(), &honest, 0).is_ok());
    let mut psbt: Psbt = honest.document().decoded().clone();
    psbt.inputs[0].non_witness_utxo = None;
    let unproven = spend_of(psbt, &wallet);
    assert!(evaluate(Rules::default(), &unproven, 0).is_ok());
    let refusal = evaluate(rules(), &unproven, 0).unwrap_err();
    assert_eq!(refusal, Refusal::PreviousTransaction { input: 0 });
}

#[test]
fn what_cannot_be_signed_is_not_allowed_by_any_rules() {
    let (honest, wallet) = spend();
    let mut psbt: Psbt = honest.document().decoded().clone();
    psbt.inputs[0].witness_utxo = None;
    psbt.inputs[0].non_witness_utxo = None;
    let unknown = spend_of(psbt, &wallet);
    let policy = Rules::default().check(Network::Bitcoin, Review::Shown).unwrap();
    let refusal = policy.evaluate(&unknown, Amount::ZERO).unwrap_err();
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
        most_fee_percent = 5
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
