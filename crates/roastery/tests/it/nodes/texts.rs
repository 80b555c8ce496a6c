//! Texts that a group signs as an address of its own (BIP-322).

use crate::nodes::support::{Group, Said, roastery};

#[test]
fn a_text_is_signed_as_an_address_and_anybody_can_check_each_form() {
    let group = Group::start("texts", 3, 2);
    let text = "We, the treasury: \u{1f600}";
    let sign = ["sign", "--group", "local", "--text", text, "--path", "0/7", "--wait", "0"];
    let session = group.tell(0, &[&sign[..], &["--json"]].concat()).request()["session"].clone();
    let session = session.as_str().unwrap();
    // Each of the others has made the message itself.
    let asked = group.request_in(1, session, "proposed");
    assert_eq!(asked["text_signature"], serde_json::Value::Null);
    group.approve(1, session);
    let signed = group.request_in(2, session, "signed");

    let file = group.path("group.roastery");
    group.tell(0, &["group", "export", "local", "--group-file", &file]).well();
    let wallet = ["wallet", "--group", &file, "--network", "main", "--count", "8", "--json"];
    let wallet = roastery(&wallet, &[]).json();
    let address = wallet["receive"][7]["address"].as_str().unwrap();
    assert_eq!(signed["subject"]["address"], address);
    assert_eq!(asked["subject"]["address"], address);

    let verify = |options: &[&str], text: &str, signature: &str| -> Said {
        let rest = ["--text", text, "--signature", signature];
        roastery(&[&["verify"], options, &rest].concat(), &[])
    };
    let by_address = ["--address", address];
    let by_group = ["--group", &file, "--path", "0/7"];
    for form in ["simple", "unprefixed", "full"] {
        let signature = signed["text_signature"][form].as_str().unwrap();
        for options in [&by_address[..], &by_group] {
            let said = verify(options, text, signature).well();
            assert_eq!(said.trim_end(), format!("valid: signed by {address}"));
            assert_eq!(verify(options, "We", signature).status, 1);
        }
        let elsewhere = verify(&["--group", &file], text, signature);
        assert_eq!(elsewhere.status, 1, "{elsewhere:?}");
    }
    let raw = signed["signatures"][0].as_str().unwrap();
    verify(&by_group, text, raw).well();
    assert_eq!(verify(&by_address, text, raw).status, 1);

    // A person sees the same.
    let shown = group.tell(0, &["requests", session]).well();
    for form in ["simple", "unprefixed", "full"] {
        assert!(shown.contains(signed["text_signature"][form].as_str().unwrap()), "{shown}");
    }
    assert!(shown.contains(&format!("Signed as     {address}")), "{shown}");
}

#[test]
fn a_text_is_signed_as_an_address_of_the_wallet_or_not_at_all() {
    let group = Group::start("texts-elsewhere", 2, 2);
    let sign = ["sign", "--group", "local", "--text", "pay", "--wait", "0", "--path"];
    for path in ["7", "2/7", "100/0/7", "0/0/0/7"] {
        let said = group.tell(0, &[&sign[..], &[path]].concat());
        assert!(said.err.contains("signed as an address of the group"), "{said:?}");
    }
    let said = group.tell(0, &[&sign[..7], &["--untweaked"]].concat());
    assert_eq!(said.status, 2, "{said:?}");
}
