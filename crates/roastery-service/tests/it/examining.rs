//! A node examines requests that others propose: what is signed does not depend on what a member
//! says about it.

use bitcoin::{Amount, Network, Psbt};
use roastery_bitcoin::{
    message::TextError,
    policy::Rules,
    spend::Mismatch,
    wallet::{Branch, USUAL_SEARCH_DEPTH},
};
use roastery_protocol::{
    SessionId,
    request::RefusalReason,
    request::{MessageToSign, SigningRequest, Subject, Taproot},
};
use roastery_service::{
    config::{PolicyConfig, ProofApproval, SubjectKind},
    policy::{Ledger, Now, PolicyEngine, Refusal, WalletSettings},
};
use roastery_store::{Coin, Examination, KeptRequest, Spending};
use roastery_testkit::payments::*;

const NOW: u64 = 1_800_000_000;

fn engine_of(group: &TestGroup, config: PolicyConfig) -> PolicyEngine {
    PolicyEngine::new(config, group.group.clone(), WalletSettings::default(), Network::Bitcoin)
        .unwrap()
}

/// The stored request for a proposal with these messages and this subject.
fn kept(group: &TestGroup, messages: Vec<MessageToSign>, subject: Subject) -> KeptRequest {
    let request = SigningRequest::new(group.group.id(), [1; 32], NOW + 3600, messages).unwrap();
    KeptRequest::proposed(request, subject, group.group.seats().nth(1), NOW)
}

fn transaction(psbt: &Psbt) -> Subject {
    Subject::Transaction(psbt.serialize())
}

fn messages(group: &TestGroup, psbt: &Psbt) -> Vec<MessageToSign> {
    spend_of(psbt.clone(), &group.wallet()).messages().unwrap()
}

fn text(group: &TestGroup, text: &str) -> (Vec<MessageToSign>, Subject) {
    let message = group.wallet().text_message(&[0, 3], text).unwrap();
    (vec![message], Subject::Text(text.to_owned()))
}

#[test]
fn a_transaction_that_is_what_is_shown_is_allowed() {
    let group = TestGroup::three_of_five();
    let psbt = ordinary(&group.wallet());
    let kept = kept(&group, messages(&group, &psbt), transaction(&psbt));
    let engine = engine_of(&group, PolicyConfig::default());
    let examined = engine.examine(&kept, None).unwrap();
    // 60 000 to another party and 1000 of fee.
    assert_eq!(engine.allow(&examined), Ok(()));
    assert_eq!(examined.spending().amount, 61_000);
    assert_eq!(examined.spending().coins.len(), 1);
}

#[test]
fn an_input_that_a_proposer_hides_is_counted_by_the_limits_all_the_same() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    // The second one is beyond the search, and its derivation fields are left out.
    let ours = [0, USUAL_SEARCH_DEPTH]
        .map(|index| pay(50_000, wallet.script(Branch::Receive, index).unwrap()));
    let back = pay(51_000, wallet.script(Branch::Change, 0).unwrap());
    let psbt = spending(&ours, vec![pay(48_000, elsewhere()), back]);
    let kept = kept(&group, messages(&group, &psbt), transaction(&psbt));
    let examined = engine_of(&group, PolicyConfig::default()).examine(&kept, None).unwrap();
    assert_eq!(examined.spending().amount, 49_000);
}

#[test]
fn a_proposer_that_lies_about_an_amount_a_script_a_path_or_a_hash_is_refused() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let honest = ordinary(&wallet);
    let right = messages(&group, &honest);
    let engine = engine_of(&group, PolicyConfig::default());
    let refused = |messages: Vec<MessageToSign>, shown: &Psbt| {
        let refusal =
            engine.examine(&kept(&group, messages, transaction(shown)), None).unwrap_err();
        assert_eq!(refusal.reason(), RefusalReason::Unacceptable, "{refusal}");
        assert!(!refusal.to_string().contains('\n'));
        refusal
    };

    // The amount that is spent: the shown one is not what is signed.
    let mut amount = honest.clone();
    amount.inputs[0].non_witness_utxo = None;
    amount.inputs[0].witness_utxo.as_mut().unwrap().value += Amount::from_sat(1);
    refused(right.clone(), &amount);
    // The previous transaction contradicts it.
    let mut proven = honest.clone();
    proven.inputs[0].witness_utxo.as_mut().unwrap().value += Amount::from_sat(1);
    refused(right.clone(), &proven);
    // The amount that is paid, and the script that it is paid to.
    let mut paid = honest.clone();
    paid.unsigned_tx.output[0].value = Amount::from_sat(1);
    refused(right.clone(), &paid);
    let mut script = honest.clone();
    script.unsigned_tx.output[0].script_pubkey = wallet.script(Branch::Receive, 9).unwrap();
    refused(right.clone(), &script);
    // The path of the key, and what it is tweaked with.
    let mut path = right.clone();
    path[0].derivation.path = vec![0, 1];
    assert!(matches!(refused(path, &honest), Refusal::Mismatch(Mismatch::Key { .. })));
    let mut tweak = right.clone();
    tweak[0].derivation.taproot = Taproot::Untweaked;
    refused(tweak, &honest);
    // The hash.
    let mut hash = right.clone();
    hash[0].message[0] ^= 1;
    assert!(matches!(refused(hash, &honest), Refusal::Mismatch(Mismatch::Hash { .. })));
    // One message more, and a PSBT that cannot be parsed.
    refused([right.clone(), right.clone()].concat(), &honest);
    let garbage = Subject::Transaction(b"psbt\xff\x00".to_vec());
    let refusal = engine.examine(&kept(&group, right, garbage), None).unwrap_err();
    assert!(matches!(refusal, Refusal::NoTransaction(_)), "{refusal}");
}

#[test]
fn a_text_is_signed_if_it_is_the_one_that_is_shown() {
    let group = TestGroup::three_of_five();
    let engine = engine_of(&group, PolicyConfig::default());
    let (messages, subject) = text(&group, "pay carol");
    let examined = engine.examine(&kept(&group, messages.clone(), subject), None).unwrap();
    assert_eq!(engine.allow(&examined), Ok(()));
    assert_eq!(examined.spending().amount, 0);
    let (_, other) = text(&group, "pay dave");
    let refusal = engine.examine(&kept(&group, messages.clone(), other.clone()), None).unwrap_err();
    assert_eq!(refusal, Refusal::Text(TextError::OtherText));
    assert_eq!(refusal.reason(), RefusalReason::Unacceptable);
    assert!(refusal.is_about_what_is_shown());
    let mut elsewhere = messages;
    elsewhere[0].derivation.path = vec![2, 3];
    let refusal = engine.examine(&kept(&group, elsewhere, other), None).unwrap_err();
    assert_eq!(refusal, Refusal::Text(TextError::NotAnAddress));
}

#[test]
fn a_proof_of_funds_is_a_text_that_spends_nothing_and_waits_for_the_operator_unless_a_rule_says_so()
{
    let group = TestGroup::three_of_five();
    let psbt = proof_of_funds(&group.wallet(), "ours", &[5_000_000]);
    let kept = kept(&group, messages(&group, &psbt), transaction(&psbt));
    let no_payments = Rules { most_per_transaction: Some(0), ..Rules::default() };
    let kinds = |kinds: &[SubjectKind]| PolicyConfig {
        kinds: kinds.to_vec(),
        transactions: no_payments.clone(),
        ..PolicyConfig::default()
    };
    let by_hand = engine_of(&group, kinds(&[SubjectKind::Text]));
    let examined = by_hand.examine(&kept, None).unwrap();
    assert_eq!(by_hand.allow(&examined), Ok(()));
    assert_eq!(examined.spending(), &Spending::default());
    assert!(examined.is_by_hand());
    let proofs_of_funds = ProofApproval::AsTexts;
    let config = PolicyConfig { proofs_of_funds, ..kinds(&[SubjectKind::Text]) };
    assert!(!engine_of(&group, config).examine(&kept, None).unwrap().is_by_hand());
    let refusal = engine_of(&group, kinds(&[SubjectKind::Transaction])).examine(&kept, None);
    assert_eq!(refusal.unwrap_err(), Refusal::Kind { kind: "proof of funds" });
    // A payment is none, where only texts are signed.
    let psbt = ordinary(&group.wallet());
    let kept = self::kept(&group, messages(&group, &psbt), transaction(&psbt));
    let refusal = engine_of(&group, kinds(&[SubjectKind::Text])).examine(&kept, None).unwrap_err();
    assert_eq!(refusal, Refusal::Kind { kind: "transaction" });
}

#[test]
fn bare_hashes_are_not_signed_unless_the_operator_says_so() {
    let group = TestGroup::three_of_five();
    let (messages, _) = text(&group, "anything");
    let kept = kept(&group, messages, Subject::Hash);
    let refusal = engine_of(&group, PolicyConfig::default()).examine(&kept, None).unwrap_err();
    assert_eq!(refusal, Refusal::Kind { kind: "hash" });
    assert_eq!(refusal.reason(), RefusalReason::Policy);
    let willing = PolicyConfig { kinds: vec![SubjectKind::Hash], ..PolicyConfig::default() };
    engine_of(&group, willing).examine(&kept, None).unwrap();
}

#[test]
fn rates_lives_and_daily_limits_count_what_left_before() {
    let group = TestGroup::three_of_five();
    let psbt = ordinary(&group.wallet());
    let kept = kept(&group, messages(&group, &psbt), transaction(&psbt));
    let before = Spending { amount: 40_000, coins: vec![Coin { transaction: [7; 32], output: 0 }] };
    let earlier = SessionId::from_bytes([7; 32]);
    let limits = |config: PolicyConfig| {
        let engine = engine_of(&group, config);
        let examined = engine.examine(&kept, None)?;
        engine.allow(&examined)?;
        let ledger = Ledger::default();
        let now = Now { wall: NOW, steady: std::time::Instant::now() };
        ledger.open([1; 32], [(earlier, NOW - 1800, before.clone())], now);
        let session = kept.request.session_id();
        ledger.check([1; 32], session, examined.spending(), engine.caps(), now)
    };
    let rate = PolicyConfig { most_per_hour: 1, ..PolicyConfig::default() };
    assert_eq!(limits(rate), Err(Refusal::Rate { count: 1, most: 1 }));
    let life = PolicyConfig { longest_life_seconds: 3599, ..PolicyConfig::default() };
    assert_eq!(limits(life), Err(Refusal::Life { seconds: 3600, most: 3599 }));
    let per_day = |most| PolicyConfig {
        transactions: Rules { most_per_day: Some(most), ..Rules::default() },
        ..PolicyConfig::default()
    };
    assert_eq!(limits(per_day(101_000)), Ok(()));
    let refusal = limits(per_day(100_999)).unwrap_err();
    assert!(refusal.to_string().starts_with("policy.transactions: limit per day: "), "{refusal}");
}

#[test]
fn an_examination_names_what_was_shown_and_what_was_found_in_it() {
    let group = TestGroup::three_of_five();
    let psbt = ordinary(&group.wallet());
    let engine = engine_of(&group, PolicyConfig::default());
    let about = |psbt: &Psbt| {
        let kept = kept(&group, messages(&group, psbt), transaction(psbt));
        (kept.request.session_id(), engine.examine(&kept, None).unwrap().about())
    };
    let mut otherwise = psbt.clone();
    let key = bitcoin::psbt::raw::Key { type_value: 0x99, key: Vec::new() };
    otherwise.unknown.insert(key, vec![1]);
    let (session, first) = about(&psbt);
    let (same, second) = about(&otherwise);
    // One request with two subjects.
    assert_eq!(session, same);
    assert_ne!(first, second);
    let kept = kept(&group, messages(&group, &psbt), transaction(&psbt));
    assert_ne!(first, Examination::new(&kept.request, &kept.subject, b""));
}
