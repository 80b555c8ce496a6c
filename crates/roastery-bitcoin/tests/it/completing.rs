//! Which signatures count, and what a signed PSBT lacks: the kinds of the cases that are about
//! completion.

use bitcoin::{
    Amount, Psbt, Script, TapSighashType, TxOut, Witness, XOnlyPublicKey,
    absolute::LockTime,
    hashes::{Hash as _, sha256},
    sighash::{Prevouts, SighashCache},
    taproot,
};
use roastery_bitcoin::{
    spend::{Completion, Missing, Need, State, Warning, extract},
    wallet::Branch,
};
use roastery_protocol::request::{Derivation, MessageToSign, Taproot};
use roastery_testkit::payments::{
    TestGroup, elsewhere, judge_all, ordinary, pay, spend_of, spending,
};

use crate::kinds::{NO_KEY, OTHER, key, leaf_psbt};

/// A wallet's input with a final witness.
fn finalised(group: &TestGroup) -> (Psbt, Vec<TxOut>) {
    let psbt = ordinary(&group.wallet());
    let spend = spend_of(psbt.clone(), &group.wallet());
    let signatures = group.sign(&spend.messages().unwrap());
    let done = spend.complete(&signatures, Completion::Finalised).unwrap().into_document();
    let spent = psbt.inputs.iter().map(|input| input.witness_utxo.clone().unwrap()).collect();
    (Psbt::deserialize(done.bytes()).unwrap(), spent)
}

#[test]
fn a_final_witness_counts_if_its_signature_verifies() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let (psbt, spent) = finalised(&group);
    let state = |psbt: &Psbt| {
        let spend = spend_of(psbt.clone(), &wallet);
        let stale = spend.warnings().contains(&Warning::StaleSignature { input: 0 });
        (spend.inputs()[0].state, stale)
    };
    assert_eq!(state(&psbt), (State::Signed, false));
    let mut edited = psbt.clone();
    edited.unsigned_tx.output[0].value -= Amount::from_sat(1);
    assert_eq!(state(&edited), (State::Unsigned, true));
    // It is signed anew, and accepted.
    let spend = spend_of(edited.clone(), &wallet);
    let signatures = group.sign(&spend.messages().unwrap());
    let done = spend.complete(&signatures, Completion::Finalised).unwrap();
    judge_all(&extract(done.document()).unwrap(), &spent);
    for witness in [vec![vec![0; 64]], vec![vec![]], vec![vec![1; 64], vec![0x51], vec![0xc0; 33]]]
    {
        let mut other = psbt.clone();
        other.inputs[0].final_script_witness = Some(Witness::from_slice(&witness));
        assert_eq!(state(&other), (State::Unsigned, true), "{witness:?}");
    }
    let mut script = psbt;
    script.inputs[0].final_script_witness = None;
    script.inputs[0].final_script_sig = Some(elsewhere());
    assert_eq!(state(&script).0, State::Unsigned);
}

#[test]
fn a_signature_of_any_hash_type_and_over_an_annex_counts_if_it_verifies() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let psbt = ordinary(&wallet);
    let spent: Vec<TxOut> =
        psbt.inputs.iter().map(|input| input.witness_utxo.clone().unwrap()).collect();
    let derivation = wallet.derivation(Branch::Receive, 0).unwrap();
    let sign = |kind: TapSighashType, annex: Option<&[u8]>| {
        let one = Prevouts::One(0, spent[0].clone());
        let prevouts = if (kind as u8) & 0x80 == 0 { Prevouts::All(&spent[..]) } else { one };
        let annex = annex.map(|annex| bitcoin::sighash::Annex::new(annex).unwrap());
        let message = SighashCache::new(&psbt.unsigned_tx)
            .taproot_signature_hash(0, &prevouts, annex, None, kind)
            .unwrap()
            .to_byte_array();
        let message = MessageToSign { message, derivation: derivation.clone() };
        let signature = group.sign(&[message])[0].to_bytes();
        let signature = bitcoin::secp256k1::schnorr::Signature::from_slice(&signature).unwrap();
        taproot::Signature { signature, sighash_type: kind }
    };
    for kind in [TapSighashType::All, TapSighashType::SinglePlusAnyoneCanPay] {
        let mut signed = psbt.clone();
        signed.inputs[0].tap_key_sig = Some(sign(kind, None));
        assert_eq!(spend_of(signed, &wallet).inputs()[0].state, State::Signed);
    }
    let annex = [0x50, 1, 2];
    for (over, state) in [(Some(&annex[..]), State::Signed), (None, State::Unsigned)] {
        let signature = sign(TapSighashType::Default, over).to_vec();
        let mut signed = psbt.clone();
        signed.inputs[0].final_script_witness =
            Some(Witness::from_slice(&[&signature[..], &annex]));
        assert_eq!(spend_of(signed, &wallet).inputs()[0].state, state);
    }
}

#[test]
fn signatures_for_leaves_count_if_they_verify_also_in_a_final_witness() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let psbt = leaf_psbt(&wallet, NO_KEY, "pk(@0/0/7)");
    let spend = spend_of(psbt, &wallet);
    let signatures = group.sign(&spend.messages().unwrap());
    for completion in [Completion::Partial, Completion::Finalised] {
        let done = spend.complete(&signatures, completion).unwrap().into_document();
        // A finaliser keeps what is needed to recognise the leaf.
        let mut signed = Psbt::deserialize(done.bytes()).unwrap();
        let fields = &spend.document().decoded().inputs[0];
        signed.inputs[0].tap_scripts.clone_from(&fields.tap_scripts);
        signed.inputs[0].tap_key_origins.clone_from(&fields.tap_key_origins);
        let again = spend_of(signed.clone(), &wallet);
        assert_eq!(again.inputs()[0].state, State::Signed);
        signed.unsigned_tx.output[0].value -= Amount::from_sat(1);
        let edited = spend_of(signed, &wallet);
        assert_eq!(edited.inputs()[0].state, State::Unsigned);
        assert!(edited.warnings().contains(&Warning::StaleSignature { input: 0 }));
    }
}

#[test]
fn a_final_witness_with_a_leaf_that_is_not_in_the_outputs_tree_counts_as_none() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let mut psbt = ordinary(&wallet);
    let spent = [psbt.inputs[0].witness_utxo.clone().unwrap()];
    let other = TestGroup::of([0x55; 32], [1; 32], 2, 2);
    let script = [&[0x20], &key(&other, &[], Taproot::Untweaked).serialize()[..], &[0xac]].concat();
    let leaf = Script::from_bytes(&script).tapscript_leaf_hash();
    let kind = TapSighashType::Default;
    let message = SighashCache::new(&psbt.unsigned_tx)
        .taproot_script_spend_signature_hash(0, &Prevouts::All(&spent), leaf, kind)
        .unwrap()
        .to_byte_array();
    let derivation = Derivation { path: vec![], taproot: Taproot::Untweaked };
    let signature = other.sign(&[MessageToSign { message, derivation }])[0].to_bytes();
    let internal: XOnlyPublicKey = NO_KEY.parse().unwrap();
    let control = [&[0xc0], &internal.serialize()[..]].concat();
    let witness = Witness::from_slice(&[&signature[..], &script, &control]);
    psbt.inputs[0].final_script_witness = Some(witness);
    let spend = spend_of(psbt, &wallet);
    assert_eq!(spend.inputs()[0].state, State::Unsigned);
    assert!(spend.warnings().contains(&Warning::StaleSignature { input: 0 }));
}

#[test]
fn what_each_kind_of_leaf_lacks_is_named() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let preimage = [5; 32];
    let hash = sha256::Hash::hash(&preimage);
    let signature = || Need::Signature(OTHER.parse().unwrap());
    let lacks = |leaf: &str, change: fn(&mut Psbt)| {
        let mut psbt = leaf_psbt(&wallet, NO_KEY, leaf);
        change(&mut psbt);
        let spend = spend_of(psbt, &wallet);
        let signatures = group.sign(&spend.messages().unwrap());
        let done = spend.complete(&signatures, Completion::Finalised).unwrap();
        match done.left() {
            [] => Vec::new(),
            [left] => match &left.missing {
                Missing::Leaf(needs) => needs.clone(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    };
    let as_it_is = |_: &mut Psbt| {};
    assert_eq!(lacks("pk(@0/0/7)", as_it_is), []);
    assert_eq!(lacks(&format!("and_v(v:pk(@0/0/7),pk({OTHER}))"), as_it_is), [signature()]);
    assert_eq!(lacks(&format!("multi_a(2,@0/0/7,{OTHER})"), as_it_is), [signature()]);
    assert_eq!(lacks(&format!("multi_a(1,@0/0/7,{OTHER})"), as_it_is), []);
    assert_eq!(
        lacks(&format!("and_v(v:pk(@0/0/7),sha256({hash}))"), as_it_is),
        [Need::Preimage(hash.to_string())]
    );
    let known = |psbt: &mut Psbt| {
        psbt.inputs[0].sha256_preimages.insert(sha256::Hash::hash(&[5; 32]), vec![5; 32]);
    };
    assert_eq!(lacks(&format!("and_v(v:pk(@0/0/7),sha256({hash}))"), known), []);
    let sequence = bitcoin::Sequence::ENABLE_RBF_NO_LOCKTIME.0;
    assert_eq!(
        lacks("and_v(v:pk(@0/0/7),older(144))", as_it_is),
        [Need::Older { least: 144, sequence }]
    );
    let later = |psbt: &mut Psbt| psbt.unsigned_tx.input[0].sequence = bitcoin::Sequence(144);
    assert_eq!(lacks("and_v(v:pk(@0/0/7),older(144))", later), []);
    assert_eq!(
        lacks("and_v(v:pk(@0/0/7),after(900000))", as_it_is),
        [Need::After { least: 900_000, lock_time: 0 }]
    );
    let high = |psbt: &mut Psbt| psbt.unsigned_tx.lock_time = LockTime::from_consensus(900_000);
    assert_eq!(lacks("and_v(v:pk(@0/0/7),after(900000))", high), []);
    // More keys than are named are counted.
    let keys: Vec<String> = (0..12_u32)
        .map(|index| key(&TestGroup::of([0x44; 32], [1; 32], 2, 2), &[index], Taproot::Untweaked))
        .map(|key| key.to_string())
        .collect();
    let needs = lacks(&format!("multi_a(13,@0/0/7,{})", keys.join(",")), as_it_is);
    assert_eq!((needs.len(), needs.last()), (9, Some(&Need::More(4))));
}

#[test]
fn what_was_signed_before_is_finalised_with_the_rest() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let ours = |index| pay(50_000, wallet.script(Branch::Receive, index).unwrap());
    let spent = [ours(0), ours(1)];
    let psbt = spending(&spent, vec![pay(99_000, elsewhere())]);
    let spend = spend_of(psbt.clone(), &wallet);
    let signatures = group.sign(&spend.messages().unwrap());
    let partial = spend.complete(&signatures, Completion::Partial).unwrap().into_document();
    let mut half = psbt;
    half.inputs[0].tap_key_sig = partial.decoded().inputs[0].tap_key_sig;
    // A final witness that is not valid does not stand in the way.
    for stale in [None, Some(Witness::from_slice(&[[7; 64]]))] {
        half.inputs[0].final_script_witness = stale;
        let spend = spend_of(half.clone(), &wallet);
        assert_eq!(spend.inputs()[0].state, State::Signed);
        let done = spend.complete(&signatures[1..], Completion::Finalised).unwrap();
        judge_all(&extract(done.document()).unwrap(), &spent);
    }
}

#[test]
fn signatures_of_others_that_do_not_verify_finalise_nothing_and_stay() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let signature = taproot::Signature::from_slice(&[7; 64]).unwrap();
    let mut psbt = leaf_psbt(&wallet, NO_KEY, &format!("and_v(v:pk(@0/0/7),pk({OTHER}))"));
    let (script, _) = psbt.inputs[0].tap_scripts.values().next().unwrap();
    let at = (OTHER.parse().unwrap(), script.tapscript_leaf_hash());
    psbt.inputs[0].tap_script_sigs.insert(at, signature);
    let spend = spend_of(psbt, &wallet);
    let signatures = group.sign(&spend.messages().unwrap());
    let done = spend.complete(&signatures, Completion::Finalised).unwrap();
    let needs = vec![Need::Signature(at.0)];
    assert!(matches!(done.left(), [left] if left.missing == Missing::Leaf(needs)));
    assert_eq!(done.document().decoded().inputs[0].tap_script_sigs[&at], signature);
    // One for the key path, which would be taken first.
    let mut psbt = leaf_psbt(&wallet, NO_KEY, "pk(@0/0/7)");
    psbt.inputs[0].tap_key_sig = Some(signature);
    let spent = [psbt.inputs[0].witness_utxo.clone().unwrap()];
    let spend = spend_of(psbt, &wallet);
    let signatures = group.sign(&spend.messages().unwrap());
    let done = spend.complete(&signatures, Completion::Finalised).unwrap();
    judge_all(&extract(done.document()).unwrap(), &spent);
}
