use bitcoin::{
    Amount, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness,
    absolute::LockTime,
    base64::{Engine as _, prelude::BASE64_STANDARD},
    hashes::{Hash as _, sha256},
    transaction::Version,
};

use super::*;

/// A payment of these amounts, with a final witness or without, in base64.
fn psbt(amounts: u64, is_final: bool) -> String {
    let output = |sat| TxOut {
        value: Amount::from_sat(sat),
        // What cannot be compressed.
        script_pubkey: ScriptBuf::from_bytes(
            sha256::Hash::hash(&sat.to_be_bytes()).to_byte_array().to_vec(),
        ),
    };
    let input = TxIn { sequence: Sequence::MAX, ..TxIn::default() };
    let mut psbt = Psbt::from_unsigned_tx(Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![input],
        output: (1..=amounts).map(output).collect(),
    })
    .unwrap();
    if is_final {
        psbt.inputs[0].final_script_witness = Some(Witness::from_slice(&[[7; 64]]));
    }
    BASE64_STANDARD.encode(psbt.serialize())
}

fn page(psbt: &str, of: Coded) -> String {
    Codes { session: "57".repeat(32), of, shown: shown(psbt, of) }.page().into_string()
}

#[test]
fn a_signed_transaction_is_shown_as_one_code_or_as_many_with_their_numbers() {
    let html = page(&psbt(1, true), Coded::Psbt);
    assert_eq!(html.matches("<svg class=\"qr\"").count(), 1, "{html}");
    assert!(html.contains("The signed PSBT as QR codes") && html.contains("1 code (BBQr)"));
    assert!(html.contains(&format!("href=\"/transaction-codes/{}\"", "57".repeat(32))), "{html}");
    let html = page(&psbt(200, true), Coded::Transaction);
    let codes = html.matches("<svg class=\"qr\"").count();
    assert!((2..=MOST_CODES).contains(&codes), "{codes}");
    assert!(html.contains(&format!("QR code {codes} of {codes}")), "{codes}");
    assert!(html.contains("The transaction as QR codes"));
}

#[test]
fn a_transaction_that_lacks_a_signature_and_one_that_is_too_long_have_a_file_and_no_code() {
    let html = page(&psbt(1, false), Coded::Transaction);
    assert!(html.contains("There is no transaction yet"), "{html}");
    assert!(page(&psbt(1, false), Coded::Psbt).contains("<svg"));
    let long = page(&psbt(2_000, true), Coded::Psbt);
    assert!(long.contains("too much for 40 codes"), "{} bytes", long.len());
    let unread = page("cHNidP8=", Coded::Psbt);
    assert!(unread.contains("cannot read the PSBT of the node"), "{unread}");
    for html in [html, long, unread] {
        assert!(!html.contains("<svg"), "{html}");
        assert!(html.contains("data-file=\"/requests/5757"), "{html}");
    }
}
