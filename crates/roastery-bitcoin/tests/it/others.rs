//! PSBTs that other programs made, in both versions: signed by a group of 3 of 5 and accepted by
//! consensus code.

use bitcoin::{Amount, Psbt, Sequence, TxOut, secp256k1::Secp256k1};
use miniscript::{Descriptor, DescriptorPublicKey, psbt::PsbtExt as _};
use roastery_bitcoin::{
    psbt::{Document, read},
    spend::{Completion, Payee, Spend, extract},
    wallet::{Branch, USUAL_SEARCH_DEPTH, Wallet},
};
use roastery_testkit::payments::{TestGroup, elsewhere, judge_all, pay, spending};
use serde::Deserialize;

/// PSBTs of one key, and the program that made them.
#[derive(Deserialize)]
struct Made {
    xpub: String,
    psbts: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    version: u32,
    inputs: usize,
    fee: u64,
    psbt: String,
}

fn sign_and_verify(group: &TestGroup, wallet: &Wallet, psbt: Document) -> Spend {
    let spent: Vec<TxOut> =
        psbt.decoded().inputs.iter().map(|input| input.witness_utxo.clone().unwrap()).collect();
    let spend = Spend::of(psbt, wallet);
    assert_eq!(spend.warnings(), []);
    let signatures = group.sign(&spend.messages().unwrap());
    let done = spend.complete(&signatures, Completion::Finalised).unwrap().into_document();
    judge_all(&extract(&done).unwrap(), &spent);
    spend
}

#[test]
fn psbts_that_embit_made_are_signed_and_accepted() {
    let made: Made = serde_json::from_str(include_str!("../vectors/embit.json")).unwrap();
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    assert_eq!(wallet.xpub(bitcoin::NetworkKind::Main).to_string(), made.xpub);
    let mut counts = Vec::new();
    for case in made.psbts {
        let spend = sign_and_verify(&group, &wallet, read(case.psbt.as_bytes()).unwrap());
        assert_eq!(spend.messages().unwrap().len(), case.inputs);
        assert_eq!(spend.fee(), Some(Amount::from_sat(case.fee)));
        assert!(spend.inputs().iter().all(|input| input.proven));
        assert!(matches!(&spend.outputs()[1].payee, Payee::Wallet(change) if change.path[0] == 1));
        assert_eq!(spend.transaction().input[0].sequence, Sequence::ENABLE_RBF_NO_LOCKTIME);
        counts.push((case.inputs, case.version));
    }
    assert_eq!(counts, [(1, 0), (1, 2), (2, 0), (2, 2), (50, 0), (50, 2)]);
}

/// What miniscript makes of the wallet's descriptors: addresses beyond the search, with all of
/// BIP-371's fields.
fn by_miniscript(wallet: &Wallet) -> Psbt {
    let kind = bitcoin::NetworkKind::Main;
    let at = |branch, index| {
        let descriptor: Descriptor<DescriptorPublicKey> =
            wallet.descriptor(branch, kind).unwrap().parse().unwrap();
        descriptor.at_derivation_index(index).unwrap()
    };
    let (first, second) =
        (at(Branch::Receive, USUAL_SEARCH_DEPTH + 1), at(Branch::Receive, USUAL_SEARCH_DEPTH + 2));
    let change = at(Branch::Change, USUAL_SEARCH_DEPTH);
    let script = |descriptor: &Descriptor<miniscript::DefiniteDescriptorKey>| {
        descriptor.derived_descriptor(&Secp256k1::new()).script_pubkey()
    };
    let mut psbt = spending(
        &[pay(40_000, script(&first)), pay(50_000, script(&second))],
        vec![pay(60_000, elsewhere()), pay(28_000, script(&change))],
    );
    psbt.update_input_with_descriptor(0, &first).unwrap();
    psbt.update_input_with_descriptor(1, &second).unwrap();
    psbt.update_output_with_descriptor(1, &change).unwrap();
    psbt
}

#[test]
fn psbts_that_miniscript_made_are_signed_and_accepted() {
    let group = TestGroup::three_of_five();
    let scripts = "{pk(@0/<2;3>/*),and_v(v:pk(@0/<4;5>/*),older(144))}";
    for wallet in [group.wallet(), group.wallet_with(scripts)] {
        let spend =
            sign_and_verify(&group, &wallet, read(&by_miniscript(&wallet).serialize()).unwrap());
        assert_eq!(spend.messages().unwrap().len(), 2);
        assert_eq!(spend.leaves_the_group(), Amount::from_sat(62_000));
    }
}
