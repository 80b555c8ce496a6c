//! A 3-of-5 group signs PSBTs; Bitcoin Core's consensus code checks the transactions.

use bitcoin::{
    Amount, CompressedPublicKey, EcdsaSighashType, NetworkKind, PrivateKey, Psbt, ScriptBuf,
    TapSighashType, TxOut, Witness, ecdsa,
    secp256k1::{Message, Secp256k1},
    sighash::SighashCache,
};
use miniscript::{Descriptor, psbt::PsbtExt as _};
use roastery_bitcoin::{
    consensus::check_input,
    psbt::{MAX_INPUTS, read},
    spend::{
        CannotSign, CompleteError, Completion, Left, MAX_PARTS, Mismatch, Missing, Need, Part,
        Signing, Spend, State, Warning, extract,
    },
    wallet::{Branch, Wallet},
};
use roastery_frost::Signature;
use roastery_protocol::request::{MAX_MESSAGES, MessageToSign, SigningRequest, Taproot};
use roastery_testkit::payments::{
    TestGroup, elsewhere, judge_all, ordinary, pay, spend_of, spending,
};

/// What the inputs spend.
fn spent(psbt: &Psbt) -> Vec<TxOut> {
    psbt.inputs.iter().map(|input| input.witness_utxo.clone().unwrap()).collect()
}

/// Signs all of it and has the transaction checked.
fn sign_and_verify(group: &TestGroup, wallet: &Wallet, psbt: Psbt) -> Spend {
    let spent = spent(&psbt);
    let spend = spend_of(psbt, wallet);
    let signatures = group.sign(&spend.messages().unwrap());
    let done = spend.complete(&signatures, Completion::Finalised).unwrap().into_document();
    judge_all(&extract(&done).unwrap(), &spent);
    spend
}

/// Inputs at the first addresses of the wallet, 10 000 sat each, without any derivation field.
fn many(wallet: &Wallet, count: u32) -> Psbt {
    let outputs: Vec<TxOut> = (0..count)
        .map(|index| pay(10_000, wallet.script(Branch::Receive, index).unwrap()))
        .collect();
    spending(&outputs, vec![pay(u64::from(count) * 9_000, elsewhere())])
}

#[test]
fn spends_of_one_two_and_fifty_inputs_are_accepted() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    for count in [1, 2, 50] {
        let spend = sign_and_verify(&group, &wallet, many(&wallet, count));
        assert_eq!(spend.messages().unwrap().len(), count as usize);
        let amount = Amount::from_sat(u64::from(count) * 10_000);
        assert_eq!(spend.warnings(), [Warning::NothingReturns { outputs: 1, amount }]);
        assert_eq!(spend.fee(), Some(Amount::from_sat(u64::from(count) * 1_000)));
    }
}

#[test]
fn outputs_with_a_script_tree_are_spent_by_the_key() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet_with("{pk(@0/<2;3>/*),and_v(v:pk(@0/<4;5>/*),older(144))}");
    let spend = sign_and_verify(&group, &wallet, many(&wallet, 2));
    for message in spend.messages().unwrap() {
        assert!(matches!(message.derivation.taproot, Taproot::ScriptRoot(_)));
    }
}

/// An output of another party's key with a leaf of this group's: `pk(XPUB/0/7)`, or also with
/// another's signature.
fn leaf_psbt(wallet: &Wallet, leaf: &str) -> Psbt {
    let xpub = format!("[{}]{}", wallet.fingerprint(), wallet.xpub(NetworkKind::Main));
    // BIP-341's key without a known secret key.
    let unspendable = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";
    let text = format!("tr({unspendable},{})", leaf.replace("@0", &xpub));
    let descriptor: Descriptor<miniscript::DefiniteDescriptorKey> = text.parse().unwrap();
    let script = descriptor.script_pubkey();
    let mut psbt = spending(&[pay(100_000, script)], vec![pay(99_000, elsewhere())]);
    psbt.update_input_with_descriptor(0, &descriptor).unwrap();
    psbt
}

#[test]
fn a_leaf_that_asks_for_the_groups_key_is_signed_and_accepted() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let spend = sign_and_verify(&group, &wallet, leaf_psbt(&wallet, "pk(@0/0/7)"));
    let messages = spend.messages().unwrap();
    assert_eq!(messages[0].derivation.path, [0, 7]);
    assert_eq!(messages[0].derivation.taproot, Taproot::Untweaked);
    assert!(matches!(&spend.inputs()[0].signing, Signing::Leaves(leaves) if leaves.len() == 1));
}

#[test]
fn each_leaf_with_a_key_of_the_group_gets_its_signature() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let psbt = leaf_psbt(&wallet, "{pk(@0/0/7),and_v(v:pk(@0/0/8),pk(@0/0/9))}");
    let spend = sign_and_verify(&group, &wallet, psbt);
    assert_eq!(spend.messages().unwrap().len(), 3);
}

#[test]
fn a_leaf_that_asks_for_more_than_the_group_has_is_left_to_others() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let other = "d3e113c8e15fdb1f1b9fbb4374736ab08e22af8d465d6792a99067347981e2ab";
    let psbt = leaf_psbt(&wallet, &format!("and_v(v:pk(@0/0/7),pk({other}))"));
    let spend = spend_of(psbt, &wallet);
    let signatures = group.sign(&spend.messages().unwrap());
    for completion in [Completion::Finalised, Completion::Partial] {
        let done = spend.complete(&signatures, completion).unwrap();
        let needs = vec![Need::Signature(other.parse().unwrap())];
        assert!(
            matches!(done.left(), [Left { input: 0, missing: Missing::Leaf(said), .. }] if *said == needs)
        );
        assert_eq!(done.document().decoded().inputs[0].tap_script_sigs.len(), 1);
        assert_eq!(extract(done.document()), Err(0));
    }
}

#[test]
fn a_leaf_that_is_not_in_the_outputs_tree_is_not_signed() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let mut psbt = leaf_psbt(&wallet, "pk(@0/0/7)");
    psbt.inputs[0].witness_utxo.as_mut().unwrap().script_pubkey =
        leaf_psbt(&wallet, "pk(@0/0/8)").inputs[0].witness_utxo.clone().unwrap().script_pubkey;
    psbt.inputs[0].non_witness_utxo = None;
    assert_eq!(spend_of(psbt, &wallet).messages(), Err(CannotSign::NothingToSign));
}

#[test]
fn a_leaf_without_the_groups_key_is_not_signed_whatever_its_derivation_field_says() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let other = "d3e113c8e15fdb1f1b9fbb4374736ab08e22af8d465d6792a99067347981e2ab";
    let mut psbt = leaf_psbt(&wallet, &format!("pk({other})"));
    let (script, _) = psbt.inputs[0].tap_scripts.values().next().unwrap();
    let leaf = script.tapscript_leaf_hash();
    let ours = leaf_psbt(&wallet, "pk(@0/0/7)").inputs[0].tap_key_origins.clone();
    for (key, (_, source)) in ours.into_iter().filter(|(_, (leaves, _))| !leaves.is_empty()) {
        psbt.inputs[0].tap_key_origins.insert(key, (vec![leaf], source));
    }
    assert_eq!(spend_of(psbt, &wallet).messages(), Err(CannotSign::NothingToSign));
}

#[test]
fn what_is_not_signed_for_stays_as_it_was() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    // Another party's P2PKH output, which takes its whole previous transaction and nothing else.
    let legacy = "76a9140102030405060708090a0b0c0d0e0f101112131488ac";
    let legacy = pay(50_000, ScriptBuf::from_hex(legacy).unwrap());
    let ours = pay(50_000, wallet.script(Branch::Receive, 3).unwrap());
    let mut psbt = spending(&[legacy, ours], vec![pay(98_000, elsewhere())]);
    psbt.inputs[0].witness_utxo = None;
    let unknown = bitcoin::psbt::raw::Key { type_value: 0xf0, key: vec![1] };
    psbt.inputs[1].unknown.insert(unknown.clone(), vec![2]);
    let spend = spend_of(psbt.clone(), &wallet);
    let signatures = group.sign(&spend.messages().unwrap());
    for completion in [Completion::Partial, Completion::Finalised] {
        let done = spend.complete(&signatures, completion).unwrap().into_document();
        let done = bitcoin::Psbt::deserialize(done.bytes()).unwrap();
        assert_eq!(done.inputs[0], psbt.inputs[0]);
        assert_eq!(done.inputs[1].unknown[&unknown], [2]);
        assert_eq!(done.outputs, psbt.outputs);
        assert_eq!(done.unsigned_tx, psbt.unsigned_tx);
    }
}

#[test]
fn a_foreign_input_is_signed_by_its_owner_before_or_after() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let secp = Secp256k1::new();
    let owner = PrivateKey::from_slice(&[0x33; 32], bitcoin::Network::Bitcoin).unwrap();
    let owners_key = CompressedPublicKey::from_private_key(&secp, &owner).unwrap();
    let theirs = pay(50_000, ScriptBuf::new_p2wpkh(&owners_key.wpubkey_hash()));
    let ours = pay(50_000, wallet.script(Branch::Receive, 3).unwrap());
    let psbt = spending(&[theirs.clone(), ours.clone()], vec![pay(98_000, elsewhere())]);
    let owner_signs = |psbt: &mut Psbt| {
        let mut cache = SighashCache::new(&psbt.unsigned_tx);
        let (kind, script) = (EcdsaSighashType::All, &theirs.script_pubkey);
        let hash = cache.p2wpkh_signature_hash(0, script, theirs.value, kind).unwrap();
        let signature = secp.sign_ecdsa(&Message::from(hash), &owner.inner);
        let signature = ecdsa::Signature { signature, sighash_type: kind };
        let witness = Witness::p2wpkh(&signature, &owners_key.0);
        psbt.inputs[0].final_script_witness = Some(witness);
    };
    let group_signs = |psbt: Psbt| {
        let spend = spend_of(psbt, &wallet);
        assert_eq!(spend.messages().unwrap().len(), 1);
        let signatures = group.sign(&spend.messages().unwrap());
        let done = spend.complete(&signatures, Completion::Finalised).unwrap();
        Psbt::deserialize(done.document().bytes()).unwrap()
    };
    let extract = |psbt: &Psbt| extract(&read(&psbt.serialize()).unwrap());
    let spent = [theirs.clone(), ours];
    let mut before = psbt.clone();
    owner_signs(&mut before);
    judge_all(&extract(&group_signs(before)).unwrap(), &spent);
    let mut after = group_signs(psbt);
    assert_eq!(extract(&after), Err(0));
    owner_signs(&mut after);
    judge_all(&extract(&after).unwrap(), &spent);
}

#[test]
fn signatures_of_type_all_are_accepted_and_other_types_are_not_made() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let mut psbt = ordinary(&wallet);
    psbt.inputs[0].sighash_type = Some(TapSighashType::All.into());
    sign_and_verify(&group, &wallet, psbt.clone());
    for kind in [
        TapSighashType::None,
        TapSighashType::Single,
        TapSighashType::AllPlusAnyoneCanPay,
        TapSighashType::NonePlusAnyoneCanPay,
        TapSighashType::SinglePlusAnyoneCanPay,
    ] {
        psbt.inputs[0].sighash_type = Some(kind.into());
        let spend = spend_of(psbt.clone(), &wallet);
        assert_eq!(spend.inputs()[0].state, State::OtherSighash(kind as u32));
        assert_eq!(spend.messages(), Err(CannotSign::NothingToSign));
    }
}

#[test]
fn a_partial_psbt_is_finalised_by_another_program_and_is_not_signed_twice() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let psbt = ordinary(&wallet);
    let spent = spent(&psbt);
    let spend = spend_of(psbt, &wallet);
    let signatures = group.sign(&spend.messages().unwrap());
    let partial = spend.complete(&signatures, Completion::Partial).unwrap().into_document();
    let again = Spend::of(partial.clone(), &wallet);
    assert_eq!(again.inputs()[0].state, State::Signed);
    assert_eq!(again.messages(), Err(CannotSign::NothingToSign));
    let mut other = Psbt::deserialize(partial.bytes()).unwrap();
    other.finalize_mut(&Secp256k1::verification_only()).unwrap();
    judge_all(&other.extract_tx_unchecked_fee_rate(), &spent);
}

#[test]
fn a_wrong_signature_is_named_and_nothing_is_completed() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let spend = spend_of(many(&wallet, 2), &wallet);
    let mut signatures = group.sign(&spend.messages().unwrap());
    signatures.swap(0, 1);
    let done = spend.complete(&signatures, Completion::Partial);
    assert!(matches!(done, Err(CompleteError::Invalid { message: 0, input: 0 })));
    signatures.swap(0, 1);
    signatures[1] = Signature::from_bytes(&[1; 64]);
    let done = spend.complete(&signatures, Completion::Finalised);
    assert!(matches!(done, Err(CompleteError::Invalid { message: 1, input: 1 })));
    let done = spend.complete(&signatures[..1], Completion::Finalised);
    assert!(matches!(done, Err(CompleteError::Count { signatures: 1, messages: 2 })));
}

#[test]
fn a_changed_transaction_is_not_what_was_signed() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let psbt = ordinary(&wallet);
    let spent = spent(&psbt);
    let spend = spend_of(psbt, &wallet);
    let signatures = group.sign(&spend.messages().unwrap());
    let done = spend.complete(&signatures, Completion::Finalised).unwrap().into_document();
    let mut transaction = extract(&done).unwrap();
    check_input(&transaction, 0, &spent).unwrap();
    transaction.output[0].value -= Amount::from_sat(1);
    assert!(check_input(&transaction, 0, &spent).is_err());
}

#[test]
fn more_inputs_than_one_request_has_are_as_many_requests_as_it_takes_and_one_psbt() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    for (inputs, sizes) in [(64, vec![64]), (65, vec![64, 1]), (150, vec![64, 64, 22])] {
        let psbt = many(&wallet, inputs);
        let spent = spent(&psbt);
        let spend = spend_of(psbt, &wallet);
        let requests = spend.requests([9; 32], 2_000_000_000).unwrap();
        let messages: Vec<_> =
            requests.iter().flat_map(SigningRequest::messages).cloned().collect();
        assert_eq!(messages, spend.messages().unwrap());
        let found: Vec<usize> = requests.iter().map(|part| part.messages().len()).collect();
        assert_eq!(found, sizes);
        for (number, request) in requests.iter().enumerate() {
            assert_eq!(spend.check(request), Ok(Part { number, of: sizes.len() }));
            // All follow from each.
            assert_eq!(spend.requests(*request.id(), request.expiry()).unwrap(), requests);
        }
        let done = spend.complete(&group.sign(&messages), Completion::Finalised).unwrap();
        assert_eq!(done.left(), []);
        judge_all(&extract(done.document()).unwrap(), &spent);
    }
    let most = MAX_PARTS * MAX_MESSAGES;
    assert!(most > MAX_INPUTS);
}

#[test]
fn a_part_is_the_one_that_its_id_names_or_it_is_refused() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let spend = spend_of(many(&wallet, 130), &wallet);
    let requests = spend.requests([0; 32], 2_000_000_000).unwrap();
    let named = |messages: &[MessageToSign], number| {
        let mut id = [0; 32];
        id[31] = number;
        let request = SigningRequest::new(group.group.id(), id, 2_000_000_000, messages.to_vec());
        spend.check(&request.unwrap())
    };
    let of = |number: usize| requests[number].messages();
    assert_eq!(named(of(1), 1), Ok(Part { number: 1, of: 3 }));
    assert_eq!(named(of(1), 0), Err(Mismatch::Hash { message: 0, input: 0 }));
    assert_eq!(named(of(2), 3), Err(Mismatch::Part { number: 3, parts: 3 }));
    assert_eq!(named(of(0), 255), Err(Mismatch::Part { number: 255, parts: 3 }));
    assert_eq!(named(&of(1)[1..], 1), Err(Mismatch::Count { requested: 63, computed: 64 }));
    let swapped = [&of(0)[..63], &of(1)[..1]].concat();
    assert_eq!(named(&swapped, 0), Err(Mismatch::Hash { message: 63, input: 63 }));
}

/// A request of these messages for the group.
fn request(group: &TestGroup, messages: Vec<MessageToSign>) -> SigningRequest {
    SigningRequest::new(group.group.id(), [1; 32], 2_000_000_000, messages).unwrap()
}

#[test]
fn the_request_of_the_same_psbt_is_agreed_to() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let spend = spend_of(many(&wallet, 3), &wallet);
    let requests = spend.requests([9; 32], 2_000_000_000).unwrap();
    assert_eq!(spend.check(&requests[0]), Ok(Part { number: 0, of: 1 }));
}

#[test]
fn a_proposer_who_lies_is_told_in_what() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let honest = many(&wallet, 3);
    let node = spend_of(honest.clone(), &wallet);
    let check =
        |psbt: Psbt| node.check(&request(&group, spend_of(psbt, &wallet).messages().unwrap()));
    let first = Err(Mismatch::Hash { message: 0, input: 0 });

    // An amount: the proposer computed its hashes with another.
    let mut amount = honest.clone();
    for input in &mut amount.inputs {
        input.non_witness_utxo = None;
    }
    amount.inputs[2].witness_utxo.as_mut().unwrap().value += Amount::from_sat(1);
    assert_eq!(check(amount), first);

    // A script: BIP-341 signs those of all inputs.
    let mut script = honest.clone();
    script.inputs[2].non_witness_utxo = None;
    script.inputs[2].witness_utxo.as_mut().unwrap().script_pubkey =
        wallet.script(Branch::Receive, 9).unwrap();
    assert_eq!(check(script), first);

    // Where the money goes.
    let mut output = honest.clone();
    output.unsigned_tx.output[0].script_pubkey = wallet.script(Branch::Receive, 0).unwrap();
    assert_eq!(check(output), first);

    let messages = node.messages().unwrap();
    // A derivation path, and what the key is tweaked with.
    let mut path = messages.clone();
    path[1].derivation.path = vec![0, 2];
    let key = Err(Mismatch::Key { message: 1, input: 1 });
    assert_eq!(node.check(&request(&group, path)), key);
    let mut tweak = messages.clone();
    tweak[1].derivation.taproot = Taproot::Untweaked;
    assert_eq!(node.check(&request(&group, tweak)), key);

    // A signature hash.
    let mut hash = messages.clone();
    hash[2].message[31] ^= 1;
    let wrong = Err(Mismatch::Hash { message: 2, input: 2 });
    assert_eq!(node.check(&request(&group, hash)), wrong);

    // One less, one more, another order.
    let less = request(&group, messages[..2].to_vec());
    assert_eq!(node.check(&less), Err(Mismatch::Count { requested: 2, computed: 3 }));
    let more = request(&group, [&messages[..], &messages[..1]].concat());
    assert_eq!(node.check(&more), Err(Mismatch::Count { requested: 4, computed: 3 }));
    let mut order = messages.clone();
    order.swap(1, 2);
    let second = Err(Mismatch::Hash { message: 1, input: 1 });
    assert_eq!(node.check(&request(&group, order)), second);

    // Another group.
    let other = TestGroup::of([0x12; 32], [0x22; 32], 3, 5);
    let mismatch = Mismatch::Group { requested: other.group.id(), group: group.group.id() };
    assert_eq!(node.check(&request(&other, messages)), Err(mismatch));
}

#[test]
fn a_long_witness_in_the_psbt_makes_no_fee_rate_smaller() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let ours = pay(50_000, wallet.script(Branch::Receive, 0).unwrap());
    let taproot = TestGroup::of([7; 32], [8; 32], 2, 3).wallet();
    let taproot = pay(50_000, taproot.script(Branch::Receive, 0).unwrap());
    for theirs in [pay(50_000, elsewhere()), taproot] {
        let mut psbt = spending(&[ours.clone(), theirs], vec![pay(90_000, elsewhere())]);
        let before = spend_of(psbt.clone(), &wallet).fee_rate().unwrap();
        psbt.inputs[1].final_script_witness = Some(Witness::from_slice(&[vec![0; 100_000]]));
        psbt.inputs[1].final_script_sig = Some(vec![0x51; 1_000].into());
        assert_eq!(spend_of(psbt, &wallet).fee_rate(), Some(before));
    }
}
