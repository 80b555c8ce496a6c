//! A transaction that is asked for again, with another PSBT.

use std::{fs, path::Path, sync::Arc};

use bitcoin::{
    Amount, Psbt,
    base64::{Engine as _, prelude::BASE64_STANDARD},
};
use roastery_bitcoin::wallet::Wallet;
use roastery_protocol::group::Group as GroupFile;
use roastery_testkit::{
    maps::{Maps, version_2},
    payments::ordinary,
};
use serde_json::json;

use crate::nodes::{api::post, support::Group};

fn wallet(group: &Group) -> Wallet {
    let file = group.path("group.roastery");
    group.tell(0, &["group", "export", "local", "--group-file", &file]).well();
    let bytes = fs::read(Path::new(&file)).unwrap();
    Wallet::new(Arc::new(GroupFile::decode(&bytes).unwrap())).unwrap()
}

#[test]
fn a_transaction_that_is_asked_for_again_comes_back_in_the_psbt_that_it_is_asked_with() {
    let group = Group::start("again", 2, 2);
    let psbt = ordinary(&wallet(&group));
    let sign = |psbt: &[u8], options: &[&str]| {
        let file = group.path("payment.psbt");
        fs::write(&file, psbt).unwrap();
        let sign = ["psbt", "sign", &file, "--group", "local", "--json"];
        group.tell(0, &[&sign[..], options].concat()).json()
    };
    let asked = sign(&version_2(&psbt).bytes(), &["--wait", "0"]);
    let session = asked["session"].as_str().unwrap();
    group.approve(1, session);
    group.request_in(0, session, "signed");

    // The same transaction in version 0, with a field of another program.
    let unknown = (vec![0xfd, 0x01], vec![7; 9]);
    let mut own = Maps::of(&psbt.serialize());
    own.0[1].push(unknown.clone());
    let signed = sign(&own.bytes(), &["--partial"]);
    assert_eq!(signed["session"], session);
    let signed = BASE64_STANDARD.decode(signed["psbt"].as_str().unwrap()).unwrap();
    assert!(Psbt::deserialize(&signed).unwrap().inputs[0].tap_key_sig.is_some());
    assert!(Maps::of(&signed).0[1].contains(&unknown));

    // Fetched by its number it is what was asked with at first.
    let fetched = group.tell(0, &["psbt", "fetch", session]).well();
    let fetched = BASE64_STANDARD.decode(fetched.trim()).unwrap();
    assert!(!Maps::of(&fetched).0[1].contains(&unknown));

    // Another transaction gets no signatures of this one.
    let mut other = psbt;
    other.unsigned_tx.output[0].value -= Amount::from_sat(1);
    let path = format!("/v1/requests/{session}/signed");
    let ask =
        |bytes: &[u8]| post(&group, 0, &path, &json!({ "psbt": BASE64_STANDARD.encode(bytes) }));
    let (status, said) = ask(&other.serialize());
    assert_eq!((status, &said["code"]), (422, &json!("invalid")));
    assert!(said["message"].as_str().unwrap().contains("other signatures"), "{said}");
    let (status, said) = ask(b"psbt\xff");
    assert_eq!((status, &said["code"]), (422, &json!("invalid")));
}
