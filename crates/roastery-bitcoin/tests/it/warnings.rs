//! Each warning: which PSBT has it, and that an ordinary one has none.

use bitcoin::{
    Amount, Psbt, ScriptBuf, TapNodeHash, TapSighashType, TxOut, XOnlyPublicKey,
    bip32::{ChildNumber, DerivationPath, Fingerprint},
    hashes::Hash as _,
    secp256k1::PublicKey,
    taproot::{LeafVersion, TapTree, TaprootBuilder},
};
use roastery_bitcoin::{
    spend::{
        CannotSign, Completion, HIGH_FEE, HIGH_FEE_PERCENT, HIGH_FEE_RATE, Payee, Signing, Spend,
        Warning,
    },
    wallet::{Branch, MAX_ACCOUNT, MAX_INDEX, USUAL_SEARCH_DEPTH, Wallet},
};
use roastery_protocol::request::{Derivation, Taproot};
use roastery_testkit::payments::{TestGroup, elsewhere, ordinary, pay, spend_of, spending};

fn warnings(psbt: &Psbt, wallet: &Wallet) -> Vec<Warning> {
    let warnings = spend_of(psbt.clone(), wallet).warnings().to_vec();
    for warning in &warnings {
        let line = warning.to_string();
        assert!(!line.is_empty() && !line.contains('\n') && !line.contains("Warning"), "{line}");
    }
    warnings
}

/// An output of the group's key at any path and with any tweak.
fn script(group: &TestGroup, path: &[u32], taproot: Taproot) -> ScriptBuf {
    let key = key(group, path, taproot);
    ScriptBuf::from_bytes([&[0x51, 0x20], &key.serialize()[..]].concat())
}

fn key(group: &TestGroup, path: &[u32], taproot: Taproot) -> XOnlyPublicKey {
    let tweaks = Derivation { path: path.to_vec(), taproot }.tweaks(&group.group).unwrap();
    XOnlyPublicKey::from_slice(&tweaks.x_only_public_key().to_bytes()).unwrap()
}

fn path(steps: &[u32]) -> DerivationPath {
    let steps: Vec<ChildNumber> =
        steps.iter().map(|index| ChildNumber::Normal { index: *index }).collect();
    steps.into()
}

/// Puts a derivation field on an output.
fn claim(psbt: &mut Psbt, output: usize, from: Fingerprint, key: XOnlyPublicKey, steps: &[u32]) {
    let fields = &mut psbt.outputs[output];
    fields.tap_internal_key = Some(key);
    fields.tap_key_origins.insert(key, (vec![], (from, path(steps))));
}

/// The further warning of an ordinary spend when its change is not the wallet's.
fn nothing_returns() -> Warning {
    Warning::NothingReturns { outputs: 2, amount: Amount::from_sat(100_000) }
}

#[test]
fn an_ordinary_psbt_has_none() {
    let wallet = TestGroup::three_of_five().wallet();
    let psbt = ordinary(&wallet);
    assert_eq!(warnings(&psbt, &wallet), []);
    let spend = spend_of(psbt, &wallet);
    assert_eq!(spend.fee(), Some(Amount::from_sat(1_000)));
    assert_eq!(spend.leaves_the_group(), Amount::from_sat(61_000));
    assert_eq!(spend.outputs()[0].payee, Payee::Other);
    assert!(matches!(spend.outputs()[1].payee, Payee::Wallet(_)));
    assert!(spend.inputs()[0].proven);
}

#[test]
fn lock_times_and_replaceable_inputs_are_no_reason_to_warn() {
    let wallet = TestGroup::three_of_five().wallet();
    let mut psbt = ordinary(&wallet);
    psbt.unsigned_tx.lock_time = bitcoin::absolute::LockTime::from_consensus(4_000_000_000);
    assert_eq!(warnings(&psbt, &wallet), []);
}

#[test]
fn an_input_of_another_is_unknown() {
    let wallet = TestGroup::three_of_five().wallet();
    let ours = wallet.script(Branch::Receive, 0).unwrap();
    let spent = [pay(50_000, ours), pay(50_000, elsewhere())];
    let back = wallet.script(Branch::Change, 0).unwrap();
    let psbt = spending(&spent, vec![pay(50_000, elsewhere()), pay(49_000, back)]);
    assert_eq!(warnings(&psbt, &wallet), [Warning::UnknownInput { input: 1 }]);
}

#[test]
fn an_input_that_only_claims_to_be_ours_is_not_signed() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let other = TestGroup::of([0x55; 32], [0x22; 32], 2, 3);
    let theirs = script(&other, &[0, 0], Taproot::KeyPathOnly);
    let mut psbt = spending(&[pay(50_000, theirs)], vec![pay(49_000, elsewhere())]);
    let ours = key(&group, &[0, 0], Taproot::Untweaked);
    psbt.inputs[0].tap_key_origins.insert(ours, (vec![], (wallet.fingerprint(), path(&[0, 0]))));
    assert_eq!(warnings(&psbt, &wallet), [Warning::InputClaim { input: 0 }]);
    assert_eq!(spend_of(psbt, &wallet).messages(), Err(CannotSign::NothingToSign));
}

#[test]
fn an_amount_that_is_missing_keeps_everything_from_being_signed() {
    let wallet = TestGroup::three_of_five().wallet();
    let ours = |index| pay(50_000, wallet.script(Branch::Receive, index).unwrap());
    let back = wallet.script(Branch::Change, 0).unwrap();
    let mut psbt = spending(&[ours(0), ours(1)], vec![pay(99_000, back)]);
    psbt.inputs[1].witness_utxo = None;
    psbt.inputs[1].non_witness_utxo = None;
    let said = [Warning::MissingAmount { input: 1 }, Warning::UnknownInput { input: 1 }];
    assert_eq!(warnings(&psbt, &wallet), said);
    let spend = spend_of(psbt, &wallet);
    assert_eq!(spend.fee(), None);
    assert_eq!(spend.messages(), Err(CannotSign::UnknownOutput { input: 1 }));
}

/// The warning about a PSBT whose first input's sources contradict each other; nothing is signed
/// then.
fn contradiction(change: impl FnOnce(&mut Psbt)) -> Warning {
    let wallet = TestGroup::three_of_five().wallet();
    let mut psbt = ordinary(&wallet);
    change(&mut psbt);
    let spend = spend_of(psbt.clone(), &wallet);
    assert_eq!(spend.messages(), Err(CannotSign::UnknownOutput { input: 0 }));
    assert_eq!(spend.inputs()[0].signing, Signing::NotOurs);
    warnings(&psbt, &wallet)[0].clone()
}

#[test]
fn an_amount_that_is_not_the_previous_transactions_is_found() {
    let (stated, proven) = (Amount::from_sat(200_000), Amount::from_sat(100_000));
    let said = contradiction(|psbt| psbt.inputs[0].witness_utxo.as_mut().unwrap().value = stated);
    assert_eq!(said, Warning::AmountDiffers { input: 0, stated, proven });
}

#[test]
fn a_script_that_is_not_the_previous_transactions_is_found() {
    let said = contradiction(|psbt| {
        psbt.inputs[0].witness_utxo.as_mut().unwrap().script_pubkey = elsewhere();
    });
    assert_eq!(said, Warning::ScriptDiffers { input: 0 });
}

#[test]
fn a_previous_transaction_that_is_another_one_is_found() {
    let said = contradiction(|psbt| {
        psbt.inputs[0].non_witness_utxo.as_mut().unwrap().output[0].value = Amount::from_sat(1);
    });
    assert!(matches!(said, Warning::OtherTransaction { input: 0, .. }), "{said}");
}

#[test]
fn a_previous_transaction_without_that_output_is_found() {
    let said = contradiction(|psbt| psbt.unsigned_tx.input[0].previous_output.vout = 7);
    assert_eq!(said, Warning::NoSuchOutput { input: 0, index: 7, outputs: 1 });
}

#[test]
fn an_input_that_is_signed_already_is_said_and_left() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let spend = spend_of(ordinary(&wallet), &wallet);
    let signatures = group.sign(&spend.messages().unwrap());
    for completion in [Completion::Partial, Completion::Finalised] {
        let done = spend.complete(&signatures, completion).unwrap().into_document();
        assert_eq!(Spend::of(done, &wallet).warnings(), [Warning::AlreadySigned { input: 0 }]);
    }
}

#[test]
fn a_signature_hash_type_other_than_default_and_all_is_said() {
    let wallet = TestGroup::three_of_five().wallet();
    let mut psbt = ordinary(&wallet);
    for kind in [TapSighashType::Default, TapSighashType::All] {
        psbt.inputs[0].sighash_type = Some(kind.into());
        assert_eq!(warnings(&psbt, &wallet), []);
    }
    psbt.inputs[0].sighash_type = Some(TapSighashType::SinglePlusAnyoneCanPay.into());
    assert_eq!(warnings(&psbt, &wallet), [Warning::Sighash { input: 0, kind: 0x83 }]);
}

#[test]
fn change_that_claims_to_be_ours_and_is_not_is_found() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let ours = key(&group, &[1, 0], Taproot::Untweaked);
    let found = [Warning::OutputClaim { output: 1 }, nothing_returns()];
    // The right key at the right path, and another output.
    let mut psbt = ordinary(&wallet);
    psbt.unsigned_tx.output[1].script_pubkey =
        script(&TestGroup::of([9; 32], [1; 32], 2, 3), &[], Taproot::KeyPathOnly);
    claim(&mut psbt, 1, wallet.fingerprint(), ours, &[1, 0]);
    assert_eq!(warnings(&psbt, &wallet), found);
    assert_eq!(spend_of(psbt.clone(), &wallet).leaves_the_group(), Amount::from_sat(100_000));
    // Another key at our path.
    let theirs = XOnlyPublicKey::from_slice(&[2; 32]).unwrap();
    psbt.outputs[1].tap_key_origins.clear();
    claim(&mut psbt, 1, wallet.fingerprint(), theirs, &[1, 0]);
    assert_eq!(warnings(&psbt, &wallet), found);
    // A claim in the field for keys of other kinds of outputs.
    psbt.outputs[1].tap_key_origins.clear();
    let key = PublicKey::from_slice(&[&[2], &[2; 32][..]].concat()).unwrap();
    let source = (wallet.fingerprint(), path(&[1, 0]));
    psbt.outputs[1].bip32_derivation.insert(key, source.clone());
    assert_eq!(warnings(&psbt, &wallet), found);
    psbt.unsigned_tx.output[1].script_pubkey = elsewhere();
    assert_eq!(warnings(&psbt, &wallet), found);
}

#[test]
fn change_of_others_is_found() {
    let wallet = TestGroup::three_of_five().wallet();
    let mut psbt = ordinary(&wallet);
    let theirs = XOnlyPublicKey::from_slice(&[2; 32]).unwrap();
    claim(&mut psbt, 0, Fingerprint::from([1, 2, 3, 4]), theirs, &[1, 0]);
    assert_eq!(warnings(&psbt, &wallet), [Warning::ForeignChange { output: 0 }]);
}

#[test]
fn change_at_a_path_that_no_wallet_looks_at_is_found() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let beyond = [&[7, 3][..], &[1, MAX_INDEX + 1], &[1]];
    let of_accounts =
        [&[MAX_ACCOUNT + 1, 0, 0][..], &[1, 2, 0], &[1, 0, MAX_INDEX + 1], &[1, 0, 0, 0]];
    for steps in beyond.into_iter().chain(of_accounts) {
        let mut psbt = ordinary(&wallet);
        psbt.unsigned_tx.output[1].script_pubkey = script(&group, steps, Taproot::KeyPathOnly);
        let internal = key(&group, steps, Taproot::Untweaked);
        claim(&mut psbt, 1, wallet.fingerprint(), internal, steps);
        let found = [Warning::ChangePath { output: 1, path: steps.to_vec() }, nothing_returns()];
        assert_eq!(warnings(&psbt, &wallet), found);
        assert!(matches!(spend_of(psbt, &wallet).outputs()[1].payee, Payee::Key(_)));
    }
}

/// A tree of one leaf that any party can spend.
fn true_leaf() -> TapTree {
    let leaf = ScriptBuf::from_bytes(vec![0x51]);
    TaprootBuilder::new()
        .add_leaf_with_ver(0, leaf, LeafVersion::TapScript)
        .unwrap()
        .try_into()
        .unwrap()
}

#[test]
fn change_with_scripts_that_are_not_the_wallets_is_found() {
    let group = TestGroup::three_of_five();
    let root = true_leaf().root_hash().to_byte_array();
    for wallet in [group.wallet(), group.wallet_with("pk(@0/<2;3>/*)")] {
        let mut psbt = ordinary(&wallet);
        psbt.unsigned_tx.output[1].script_pubkey =
            script(&group, &[1, 0], Taproot::ScriptRoot(root));
        let internal = key(&group, &[1, 0], Taproot::Untweaked);
        claim(&mut psbt, 1, wallet.fingerprint(), internal, &[1, 0]);
        psbt.outputs[1].tap_tree = Some(true_leaf());
        let found = [Warning::ChangeScripts { output: 1 }, nothing_returns()];
        assert_eq!(warnings(&psbt, &wallet), found);
        assert_eq!(spend_of(psbt, &wallet).leaves_the_group(), Amount::from_sat(100_000));
    }
}

#[test]
fn an_input_with_other_scripts_can_be_rescued_by_the_key() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let root = [5; 32];
    let ours = pay(50_000, script(&group, &[0, 4], Taproot::ScriptRoot(root)));
    let back = wallet.script(Branch::Change, 0).unwrap();
    let mut psbt = spending(&[ours], vec![pay(49_000, back)]);
    assert_eq!(warnings(&psbt, &wallet), [Warning::UnrecognisedInput { input: 0 }]);
    let internal = key(&group, &[0, 4], Taproot::Untweaked);
    let origin = (vec![], (wallet.fingerprint(), path(&[0, 4])));
    psbt.inputs[0].tap_key_origins.insert(internal, origin);
    psbt.inputs[0].tap_merkle_root = Some(TapNodeHash::from_byte_array(root));
    assert_eq!(warnings(&psbt, &wallet), []);
    let messages = spend_of(psbt, &wallet).messages().unwrap();
    assert_eq!(messages[0].derivation.taproot, Taproot::ScriptRoot(root));
}

#[test]
fn an_address_beyond_the_search_is_known_by_its_derivation_field_only() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let spend = |index: u32| {
        let ours = pay(50_000, wallet.script(Branch::Receive, index).unwrap());
        spending(&[ours], vec![pay(49_000, wallet.script(Branch::Change, 0).unwrap())])
    };
    assert_eq!(warnings(&spend(USUAL_SEARCH_DEPTH - 1), &wallet), []);
    let mut psbt = spend(USUAL_SEARCH_DEPTH);
    assert_eq!(warnings(&psbt, &wallet), [Warning::UnrecognisedInput { input: 0 }]);
    let internal = key(&group, &[0, USUAL_SEARCH_DEPTH], Taproot::Untweaked);
    let origin = (vec![], (wallet.fingerprint(), path(&[0, USUAL_SEARCH_DEPTH])));
    psbt.inputs[0].tap_key_origins.insert(internal, origin);
    assert_eq!(warnings(&psbt, &wallet), []);
}

fn paying(output: TxOut) -> (Psbt, Wallet) {
    let wallet = TestGroup::three_of_five().wallet();
    let ours = pay(50_000, wallet.script(Branch::Receive, 0).unwrap());
    let back = wallet.script(Branch::Change, 0).unwrap();
    (spending(&[ours], vec![pay(48_000, back), output]), wallet)
}

#[test]
fn an_amount_that_cannot_be_spent_is_reported() {
    let unspendable = ScriptBuf::new_op_return([1, 2, 3]);
    let (psbt, wallet) = paying(pay(0, unspendable.clone()));
    assert_eq!(warnings(&psbt, &wallet), []);
    let (psbt, wallet) = paying(pay(700, unspendable));
    let amount = Amount::from_sat(700);
    assert_eq!(warnings(&psbt, &wallet), [Warning::Burnt { output: 1, amount }]);
}

#[test]
fn an_output_that_is_too_small_to_be_relayed_is_said() {
    // Bitcoin Core's figure for P2WPKH is 294 sat.
    let (psbt, wallet) = paying(pay(294, elsewhere()));
    assert_eq!(warnings(&psbt, &wallet), []);
    let (psbt, wallet) = paying(pay(293, elsewhere()));
    let amount = Amount::from_sat(293);
    assert_eq!(warnings(&psbt, &wallet), [Warning::Dust { output: 1, amount }]);
}

#[test]
fn more_out_than_in_is_said_and_not_signed() {
    for amount in [2_001, Amount::MAX_MONEY.to_sat(), u64::MAX] {
        let (psbt, wallet) = paying(pay(amount, elsewhere()));
        assert_eq!(warnings(&psbt, &wallet), [Warning::Overspent]);
        assert_eq!(spend_of(psbt, &wallet).messages(), Err(CannotSign::Overspent));
    }
    let (psbt, wallet) = paying(pay(2_000, elsewhere()));
    assert_eq!(spend_of(psbt, &wallet).fee(), Some(Amount::ZERO));
}

/// One input, one output, this fee.
fn with_fee(fee: u64) -> (Psbt, Wallet) {
    let wallet = TestGroup::three_of_five().wallet();
    let ours = pay(100_000_000, wallet.script(Branch::Receive, 0).unwrap());
    let back = wallet.script(Branch::Change, 0).unwrap();
    (spending(&[ours], vec![pay(100_000_000 - fee, back)]), wallet)
}

#[test]
fn a_high_fee_is_said_as_an_amount_and_as_a_rate() {
    // A Taproot key-path input and a Taproot output: 111 virtual bytes.
    let (psbt, wallet) = with_fee(HIGH_FEE_RATE * 100);
    assert_eq!(spend_of(psbt.clone(), &wallet).virtual_size(), 111);
    let (psbt, wallet) = with_fee(HIGH_FEE_RATE * 111);
    assert_eq!(warnings(&psbt, &wallet), []);
    let (psbt, wallet) = with_fee(HIGH_FEE_RATE * 111 + 1);
    assert_eq!(warnings(&psbt, &wallet), [Warning::HighFeeRate { rate: HIGH_FEE_RATE + 1 }]);
    let (psbt, wallet) = with_fee(HIGH_FEE.to_sat() + 1);
    let fee = HIGH_FEE + Amount::from_sat(1);
    let rate = fee.to_sat().div_ceil(111);
    let said = [Warning::HighFee { fee }, Warning::HighFeeRate { rate }];
    assert_eq!(warnings(&psbt, &wallet), said);
}

#[test]
fn a_fee_that_is_a_large_part_of_what_is_spent_is_said_however_small_it_is() {
    let (psbt, wallet) = paying(pay(0, ScriptBuf::new_op_return([1])));
    assert_eq!(warnings(&psbt, &wallet), []);
    let most = 50_000 * u64::from(HIGH_FEE_PERCENT) / 100;
    let back = |fee| wallet.script(Branch::Change, 0).map(|own| pay(50_000 - fee, own)).unwrap();
    let ours = pay(50_000, wallet.script(Branch::Receive, 0).unwrap());
    let psbt = |fee| spending(std::slice::from_ref(&ours), vec![back(fee)]);
    assert_eq!(warnings(&psbt(most), &wallet), []);
    let (lost, spent) = (Amount::from_sat(most + 1), Amount::from_sat(50_000));
    assert_eq!(warnings(&psbt(most + 1), &wallet), [Warning::HighFeeShare { lost, spent }]);
}

#[test]
fn that_nothing_returns_to_the_group_is_said() {
    let wallet = TestGroup::three_of_five().wallet();
    let ours = pay(100_000, wallet.script(Branch::Receive, 0).unwrap());
    let stranger = TestGroup::of([0x77; 32], [0x66; 32], 2, 3).wallet();
    let change = stranger.script(Branch::Change, 0).unwrap();
    let nothing = pay(0, ScriptBuf::new_op_return([1]));
    let paid = vec![pay(60_000, elsewhere()), pay(39_000, change), nothing];
    let psbt = spending(std::slice::from_ref(&ours), paid);
    let amount = Amount::from_sat(100_000);
    let said = [Warning::NothingReturns { outputs: 2, amount }];
    assert_eq!(warnings(&psbt, &wallet), said);
    assert!(said[0].is_about_change());
    let psbt = spending(&[ours], vec![pay(99_000, elsewhere())]);
    let said = [Warning::NothingReturns { outputs: 1, amount }];
    assert_eq!(warnings(&psbt, &wallet), said);
    // A single payee is no change; the warning that it gets everything is there all the same.
    assert!(!said[0].is_about_change());
    // Of what the group does not spend nothing can return.
    let psbt = spending(&[pay(50_000, elsewhere())], vec![pay(49_000, elsewhere())]);
    assert_eq!(warnings(&psbt, &wallet), [Warning::UnknownInput { input: 0 }]);
}

#[test]
fn the_size_is_never_more_than_that_of_the_signed_transaction() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let spend = spend_of(ordinary(&wallet), &wallet);
    let signatures = group.sign(&spend.messages().unwrap());
    let done = spend.complete(&signatures, Completion::Finalised).unwrap().into_document();
    let transaction = roastery_bitcoin::spend::extract(&done).unwrap();
    assert_eq!(spend.virtual_size(), transaction.vsize() as u64);
    assert_eq!(Spend::of(done, &wallet).virtual_size(), transaction.vsize() as u64);
}
