//! Proofs of funds: PSBTs that sign a text with coins beside it, and pay nothing.

use bitcoin::{
    Amount, Network, Psbt, Witness,
    base64::{Engine as _, prelude::BASE64_STANDARD},
    psbt::raw,
    transaction::Version,
};
use roastery_bitcoin::{
    consensus::check_input,
    message::{Form, Outcome, verify},
    policy::{Refusal, Review, Rules},
    spend::{CannotSign, Completion, ProofError, Report, Spend, Warning},
    wallet::Branch,
};
use roastery_testkit::payments::*;

const TEXT: &str = "We hold this\nFee           0 BTC \u{202e}";

fn field() -> raw::Key {
    raw::Key { type_value: 0x09, key: Vec::new() }
}

/// Rules that would refuse any payment.
fn strict() -> Rules {
    Rules {
        most_per_transaction: Some(0),
        most_per_day: Some(0),
        destinations: Some(Vec::new()),
        most_fee: Some(0),
        most_fee_rate: Some(0),
        most_fee_percent: Some(0),
        change_must_be_ours: Some(true),
        previous_transactions_required: false,
        pay_once: true,
    }
}

#[track_caller]
fn judged(spend: &Spend) -> Result<Amount, Refusal> {
    let policy = strict().check(Network::Bitcoin, Review::RulesAlone).unwrap();
    policy.evaluate(spend, Amount::ZERO)
}

#[test]
fn a_proof_of_funds_is_no_payment_and_what_the_group_signs_of_it_proves_its_coins() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let psbt = proof_of_funds(&wallet, TEXT, &[70_000_000, 30_000_000]);
    // Without the whole transaction it is recognised by what is stated.
    let mut stated = psbt.clone();
    stated.inputs[0].non_witness_utxo = None;
    for psbt in [psbt, stated] {
        let spend = spend_of(psbt, &wallet);
        let proof = spend.proof().unwrap();
        assert_eq!(proof.text, TEXT);
        assert_eq!(proof.script, wallet.script(Branch::Receive, 3).unwrap());
        assert_eq!(spend.proves(), (2, Amount::ONE_BTC));
        assert_eq!((spend.fee(), spend.may_leave_the_group()), (Some(Amount::ZERO), Amount::ZERO));
        assert_eq!(spend.warnings(), []);
        assert_eq!(judged(&spend), Ok(Amount::ZERO));

        let signatures = group.sign(&spend.messages().unwrap());
        let done = spend.complete(&signatures, Completion::Finalised).unwrap();
        assert_eq!(done.left(), []);
        let pof = "pof".to_owned() + &BASE64_STANDARD.encode(done.document().bytes());
        let outcome = verify(&proof.script, TEXT.as_bytes(), &pof, check_input).unwrap();
        let Outcome::Valid(proven) = outcome else { panic!("{outcome:?}") };
        assert_eq!((proven.form, proven.coins.len()), (Form::ProofOfFunds, 2));
    }
}

#[test]
fn a_proof_of_funds_is_shown_as_one_and_its_text_can_forge_no_line() {
    let wallet = TestGroup::three_of_five().wallet();
    let spend = spend_of(proof_of_funds(&wallet, TEXT, &[50_000_000]), &wallet);
    let shown = Report::of(&spend, Network::Bitcoin).to_string();
    let address = wallet.address(Branch::Receive, 3, Network::Bitcoin).unwrap();
    for part in [
        "Proof         of funds on main (BIP-322): it pays nothing, ever".to_owned(),
        format!("Signed as     {address}"),
        r#"Text          "We hold this\nFee           0 BTC \u{202e}""#.to_owned(),
        "this group can spend 0.50000000 BTC in 1 outputs".to_owned(),
    ] {
        assert!(shown.contains(&part), "{part}: {shown}");
    }
    assert!(!shown.lines().any(|line| line.starts_with("Fee") || line.starts_with("Leaves")));
}

#[test]
fn coins_and_addresses_of_others_are_named_and_not_counted() {
    let group = TestGroup::three_of_five();
    let other = TestGroup::of([0x33; 32], [0x44; 32], 2, 3);
    let spend = spend_of(proof_of_funds(&other.wallet(), TEXT, &[1_000, 2_000]), &group.wallet());
    assert_eq!(spend.proves(), (0, Amount::ZERO));
    let unknown = (0..3).map(|input| Warning::UnknownInput { input });
    assert_eq!(spend.warnings(), unknown.collect::<Vec<_>>());
    assert_eq!(spend.messages(), Err(CannotSign::NothingToSign));
}

#[test]
fn what_begins_as_a_proof_and_is_not_as_it_must_be_is_signed_neither_as_one_nor_as_a_payment() {
    let wallet = TestGroup::three_of_five().wallet();
    let refused = |change: &dyn Fn(&mut Psbt), expected: ProofError| {
        let mut psbt = proof_of_funds(&wallet, TEXT, &[50_000]);
        change(&mut psbt);
        let spend = spend_of(psbt, &wallet);
        assert!(spend.proof().is_none(), "{expected}");
        assert_eq!(spend.messages(), Err(CannotSign::Proof(expected.clone())));
        assert_eq!(judged(&spend), Err(Refusal::CannotSign(CannotSign::Proof(expected))));
    };
    refused(&|psbt| drop(psbt.unknown.remove(&field())), ProofError::NoText);
    let text = |bytes: &'static [u8]| {
        move |psbt: &mut Psbt| drop(psbt.unknown.insert(field(), bytes.to_vec()))
    };
    refused(&text(b"We hold that"), ProofError::OtherText);
    refused(&text(b"\xff"), ProofError::Encoding);
    refused(&text(&[b'a'; 4097]), ProofError::TextLength { length: 4097 });
    refused(&|psbt| psbt.unsigned_tx.version = Version(1), ProofError::Version { version: 1 });
    refused(&|psbt| psbt.unsigned_tx.output[0].script_pubkey = elsewhere(), ProofError::Outputs);
    refused(&|psbt| psbt.unsigned_tx.output[0].value = Amount::from_sat(1), ProofError::Outputs);
    refused(
        &|psbt| {
            psbt.unsigned_tx.output.push(pay(1_000, elsewhere()));
            psbt.outputs.push(Default::default());
        },
        ProofError::Outputs,
    );
}

#[test]
fn a_signed_text_that_hides_what_its_first_input_spends_is_not_signed_as_a_payment() {
    let wallet = TestGroup::three_of_five().wallet();
    let refused = |change: &dyn Fn(&mut Psbt), expected: ProofError| {
        // Without coins it is what a simple signature of the text signs.
        let mut psbt = proof_of_funds(&wallet, TEXT, &[]);
        change(&mut psbt);
        let spend = spend_of(psbt, &wallet);
        assert!(spend.proof().is_none(), "{expected}");
        assert_eq!(spend.messages(), Err(CannotSign::Proof(expected)));
    };
    refused(
        &|psbt| {
            psbt.inputs[0].non_witness_utxo = None;
            psbt.unknown.remove(&field());
        },
        ProofError::NoText,
    );
    refused(
        &|psbt| {
            psbt.inputs[0].non_witness_utxo = None;
            psbt.unknown.insert(field(), b"We hold that".to_vec());
        },
        ProofError::OtherText,
    );
    // A witness does not change the id of the transaction.
    refused(
        &|psbt| {
            let whole = psbt.inputs[0].non_witness_utxo.as_mut().unwrap();
            whole.input[0].witness = Witness::from_slice(&[[1; 32]]);
            psbt.unknown.remove(&field());
        },
        ProofError::NoText,
    );
}

#[test]
fn a_payment_is_judged_as_one_whatever_else_it_has_of_a_proof() {
    let wallet = TestGroup::three_of_five().wallet();
    let payment = |change: &dyn Fn(&mut Psbt)| {
        let mut psbt = proof_of_funds(&wallet, TEXT, &[50_000]);
        change(&mut psbt);
        let spend = spend_of(psbt, &wallet);
        assert!(spend.proof().is_none());
        assert_eq!(spend.may_leave_the_group(), Amount::from_sat(50_000));
        assert!(matches!(judged(&spend), Err(Refusal::PerTransaction { .. })));
    };
    // The first input spends an output that may exist.
    payment(&|psbt| {
        let real = funding(9, vec![pay(0, wallet.script(Branch::Receive, 3).unwrap())]);
        psbt.unsigned_tx.input[0].previous_output.txid = real.compute_txid();
        psbt.inputs[0].non_witness_utxo = Some(real);
    });
    // The input of the text is not the first.
    payment(&|psbt| {
        psbt.unsigned_tx.input.swap(0, 1);
        psbt.inputs.swap(0, 1);
    });
    // A coinbase's input with something else in it.
    payment(&|psbt| {
        let mut other = psbt.inputs[0].non_witness_utxo.clone().unwrap();
        other.lock_time = bitcoin::absolute::LockTime::from_consensus(1);
        psbt.unsigned_tx.input[0].previous_output.txid = other.compute_txid();
        psbt.inputs[0].non_witness_utxo = Some(other);
    });
}
