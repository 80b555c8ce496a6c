//! Bitcoin Core's external signer interface, called as Core calls it: a node's group signs what is
//! given to `roastery hwi` on standard input.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use bitcoin::{
    Psbt, Witness,
    base64::{Engine as _, prelude::BASE64_STANDARD},
    bip32::{ChildNumber, DerivationPath},
    key::XOnlyPublicKey,
};
use roastery_bitcoin::wallet::{Branch, Wallet};
use roastery_protocol::{
    group::Group as GroupFile,
    request::{Derivation, Taproot},
};
use roastery_testkit::{
    maps::version_2,
    payments::{judge_all, ordinary},
};
use serde_json::{Value, json};

use crate::nodes::support::{Group, Said};

/// Runs the command as Core does: its own arguments come after those of `-signer`.
fn start(group: &Group, arguments: &[&str], input: Option<&str>) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_roastery"))
        .arg("hwi")
        .args(arguments)
        .env("ROASTERY_FOLDER", group.node(0))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.unwrap_or_default().as_bytes()).unwrap();
    child
}

/// The answer: JSON with exit status 0, whatever it says.
#[track_caller]
fn answer(child: Child) -> Value {
    let output = child.wait_with_output().unwrap();
    let said = Said {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    said.json()
}

#[track_caller]
fn hwi(group: &Group, arguments: &[&str]) -> Value {
    answer(start(group, arguments, None))
}

pub(super) fn wallet(group: &Group) -> Wallet {
    let file = group.path("group.roastery");
    group.tell(0, &["group", "export", "local", "--group-file", &file]).well();
    let bytes = std::fs::read(Path::new(&file)).unwrap();
    Wallet::new(Arc::new(GroupFile::decode(&bytes).unwrap())).unwrap()
}

fn internal_key(wallet: &Wallet, path: &[u32]) -> XOnlyPublicKey {
    let derivation = Derivation { path: path.to_vec(), taproot: Taproot::Untweaked };
    let key = derivation.tweaks(wallet.group()).unwrap().x_only_public_key().to_bytes();
    XOnlyPublicKey::from_slice(&key).unwrap()
}

#[test]
fn the_network_and_the_scripts_are_those_that_the_node_runs_with() {
    let group = Group::start_with("hwi-running", 2, 2, &[("ROASTERY_BITCOIN_NETWORK", "regtest")]);
    let own = hwi(&group, &["enumerate"])[0]["fingerprint"].as_str().unwrap().to_owned();
    let describe = |chain| {
        hwi(&group, &["--fingerprint", &own, "--chain", chain, "getdescriptors", "--account", "0"])
    };
    let before = describe("regtest");
    assert!(before["receive"][0].as_str().is_some_and(|one| one.contains("]tpub")), "{before}");
    let refused = describe("main")["error"].as_str().unwrap().to_owned();
    assert!(refused.contains("the chain is main, and the node's network is regtest"), "{refused}");

    // A section that was written since has an effect when the node is started again.
    let scripts = "and_v(v:pk(@0/<2;3>/*),older(144))";
    let config = group.node(0).join("roastery.toml");
    let mut text = fs::read_to_string(&config).unwrap();
    text.push_str(&format!("\n[group.local]\nscripts = \"{scripts}\"\n"));
    fs::write(&config, text).unwrap();
    assert_eq!(describe("regtest"), before);
    group.stop(0);
    group.restart(0, &[("ROASTERY_BITCOIN_NETWORK", "regtest")]);
    let after = describe("regtest");
    assert!(after["receive"][0].as_str().is_some_and(|one| one.contains("older(144)")), "{after}");
}

#[test]
fn core_lists_the_group_imports_its_descriptors_and_has_it_sign_what_it_sends() {
    let group = Group::start("hwi", 3, 2);
    let wallet = wallet(&group);
    let own = wallet.fingerprint().to_string();

    let signers = hwi(&group, &["enumerate"]);
    let expected = json!([{ "fingerprint": own, "type": "roastery", "model": "roastery local" }]);
    assert_eq!(signers, expected);

    let network = bitcoin::Network::Bitcoin;
    let kind = bitcoin::NetworkKind::Main;
    let at = ["--fingerprint", &own, "--chain", network.to_core_arg()];
    let ask = |arguments: &[&str]| hwi(&group, &[&at[..], arguments].concat());
    for (number, account) in [("0", None), ("5", Some(5))] {
        let account = wallet.account(account).unwrap();
        let of = |branch| account.descriptor(branch, kind).unwrap();
        let expected =
            json!({ "receive": [of(Branch::Receive)], "internal": [of(Branch::Change)] });
        assert_eq!(ask(&["getdescriptors", "--account", number]), expected);
    }

    let key = internal_key(&wallet, &[0, 7]);
    let address = wallet.address(Branch::Receive, 7, network).unwrap().to_string();
    let display = |desc: &str| ask(&["displayaddress", "--desc", desc]);
    assert_eq!(display(&format!("tr([{own}/0/7]{key})")), json!({ "address": address }));
    let refused = |answer: Value, part: &str| {
        assert!(answer["error"].as_str().is_some_and(|error| error.contains(part)), "{answer}");
    };
    refused(display(&format!("tr([{own}/0/8]{key})")), "not that of an address");
    refused(display(&format!("tr([01020304/0/7]{key})")), "01020304");
    refused(display(&format!("tr({}/0/*)", wallet.xpub(kind))), "one address");
    refused(display("nonsense"), "no descriptor");

    // Errors are answers as well, whatever is wrong.
    refused(hwi(&group, &["--fingerprint", &own, "--chain", "signet", "getdescriptors"]), "signet");
    refused(hwi(&group, &["--fingerprint", "00000000", "getdescriptors"]), "00000000");
    refused(hwi(&group, &["getdescriptors"]), "--fingerprint");
    refused(hwi(&group, &["--chain", "signett", "enumerate"]), "allowed are main, test");
    refused(ask(&["getdescriptors", "--account", "100"]), "0 to 99");
    refused(ask(&[]), "a command is needed");
    let stdin = |text: &str| answer(start(&group, &[&["--stdin"], &at[..]].concat(), Some(text)));
    refused(stdin(""), "signtx PSBT");
    refused(stdin("enumerate now please"), "signtx PSBT");
    refused(stdin("signtx AAAA"), "PSBT");

    let mut psbt = ordinary(&wallet);
    let path: DerivationPath =
        [0, 0].map(|index| ChildNumber::Normal { index }).into_iter().collect();
    let origin = (vec![], (wallet.fingerprint(), path));
    psbt.inputs[0].tap_key_origins.insert(internal_key(&wallet, &[0, 0]), origin);
    // Another program has asked for it already, in a version that Core does not read.
    let file = group.path("other.psbt");
    fs::write(&file, version_2(&psbt).bytes()).unwrap();
    group.tell(0, &["psbt", "sign", &file, "--group", "local", "--wait", "0"]).well();
    let line = format!("signtx \"{}\"\n", BASE64_STANDARD.encode(psbt.serialize()));
    let sending = start(&group, &[&["--stdin"], &at[..]].concat(), Some(&line));
    // It waits until another member has approved.
    let session = crate::nodes::support::until("it is proposed", || {
        let listed = group.tell(1, &["requests", "--state", "proposed", "--json"]).json();
        Some(listed[0]["session"].as_str()?.to_owned())
    });
    group.approve(1, &session);
    let signed = answer(sending);
    let signed = BASE64_STANDARD.decode(signed["psbt"].as_str().unwrap()).unwrap();
    let signed = Psbt::deserialize(&signed).unwrap();
    let signature = signed.inputs[0].tap_key_sig.unwrap();
    let mut finished = signed.unsigned_tx;
    finished.input[0].witness = Witness::p2tr_key_spend(&signature);
    judge_all(&finished, &[signed.inputs[0].witness_utxo.clone().unwrap()]);

    // A rejection is an error that Core shows.
    let other = {
        let mut other = ordinary(&wallet);
        other.unsigned_tx.output[0].value = bitcoin::Amount::from_sat(59_000);
        format!("signtx {}\n", BASE64_STANDARD.encode(other.serialize()))
    };
    let sending = start(&group, &[&["--stdin"], &at[..]].concat(), Some(&other));
    let session = crate::nodes::support::until("it is proposed", || {
        let listed = group.tell(1, &["requests", "--state", "proposed", "--json"]).json();
        Some(listed[0]["session"].as_str()?.to_owned())
    });
    group.tell(1, &["reject", &session]).well();
    group.request(2, &session);
    group.tell(2, &["reject", &session]).well();
    refused(answer(sending), "has not signed");

    group.stop(0);
    let list = hwi(&group, &["enumerate"]);
    assert!(list[0]["error"].as_str().is_some_and(|error| error.contains("no node")), "{list}");
}
