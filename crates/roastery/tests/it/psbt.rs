//! `roastery wallet` and `roastery psbt`, with a group file that `roastery demo` has written.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use bitcoin::{
    Amount, Network, OutPoint, Psbt, Sequence, Transaction, TxIn, TxOut, Txid, absolute,
    hashes::Hash as _, transaction::Version,
};
use roastery_bitcoin::wallet::{Branch, Wallet};
use roastery_protocol::group::Group;
use serde_json::Value;

fn roastery(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_roastery")).args(arguments).output().unwrap()
}

/// A folder of a test's own with a group file in it.
struct Folder(PathBuf);

impl Folder {
    fn with_a_group(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("psbt-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let folder = Self(folder);
        let output = roastery(&["demo", "--json", "--evidence", folder.0.to_str().unwrap()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder
    }

    fn at(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn group(&self) -> String {
        self.at("group.roastery")
    }

    fn wallet(&self) -> Wallet {
        let group = Group::decode(&fs::read(self.group()).unwrap()).unwrap();
        Wallet::new(Arc::new(group)).unwrap()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.at(name), bytes).unwrap();
        self.at(name)
    }

    /// What the command prints.
    fn said(&self, arguments: &[&str]) -> String {
        let network: &[&str] = match arguments.contains(&"--network") {
            true => &[],
            false => &["--network", "main"],
        };
        let output = roastery(&[arguments, network, &["--group", &self.group()]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.said(&[arguments, &["--json"]].concat())).unwrap()
    }
}

/// The one line of a refusal.
fn refused(arguments: &[&str]) -> String {
    let output = roastery(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

/// 100 000 sat of the wallet's first address: 60 000 to another party's P2WPKH, 39 000 back.
fn psbt(wallet: &Wallet) -> Psbt {
    let pay = |sat, script_pubkey| TxOut { value: Amount::from_sat(sat), script_pubkey };
    let elsewhere = bitcoin::ScriptBuf::from_hex("0014000102030405060708090a0b0c0d0e0f10111213");
    let previous_output = OutPoint { txid: Txid::from_byte_array([7; 32]), vout: 1 };
    let sequence = Sequence::ENABLE_RBF_NO_LOCKTIME;
    let mut psbt = Psbt::from_unsigned_tx(Transaction {
        version: Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn { previous_output, sequence, ..TxIn::default() }],
        output: vec![
            pay(60_000, elsewhere.unwrap()),
            pay(39_000, wallet.script(Branch::Change, 2).unwrap()),
        ],
    })
    .unwrap();
    psbt.inputs[0].witness_utxo = Some(pay(100_000, wallet.script(Branch::Receive, 0).unwrap()));
    psbt
}

#[test]
fn the_wallet_shows_its_key_its_descriptors_and_its_addresses() {
    let folder = Folder::with_a_group("wallet");
    let wallet = folder.wallet();
    let said = folder.said(&["wallet", "--count", "2"]);
    for branch in Branch::ALL {
        for index in [0, 1] {
            let address = wallet.address(branch, index, Network::Bitcoin).unwrap().to_string();
            assert!(said.contains(&format!("{}/{index}", branch.step())), "{said}");
            assert!(said.contains(&address), "{said}");
        }
    }
    let json = folder.json(&["wallet", "--network", "signet", "--count", "1", "--from", "7"]);
    assert_eq!(json["network"], "signet");
    assert!(json["extended_key"].as_str().unwrap().starts_with("tpub"));
    let address = wallet.address(Branch::Change, 7, Network::Signet).unwrap().to_string();
    assert_eq!(json["change"][0]["address"], address);
    let kind = bitcoin::NetworkKind::Test;
    assert_eq!(json["descriptor"], wallet.multipath_descriptor(kind).unwrap());
    assert_eq!(json["receive_descriptor"], wallet.descriptor(Branch::Receive, kind).unwrap());
}

#[test]
fn the_wallet_is_printed_in_the_forms_that_other_wallets_import() {
    let folder = Folder::with_a_group("export");
    let wallet = folder.wallet();
    let kind = bitcoin::NetworkKind::Main;
    let export = |form: &str| folder.said(&["wallet", "--account", "3", "--export", form]);
    let account = wallet.account(Some(3)).unwrap();
    let both = account.multipath_descriptor(kind).unwrap();
    assert_eq!(export("descriptor").trim_end(), both);
    assert_eq!(export("bsms"), account.bsms_record(Network::Bitcoin).unwrap());
    let core: Value = serde_json::from_str(&export("core")).unwrap();
    assert_eq!(core, serde_json::to_value(account.core_imports(kind).unwrap()).unwrap());
    let policy: Value = serde_json::from_str(&export("policy")).unwrap();
    assert_eq!(policy["descriptor_template"], "tr(@0/**)");
    let json = folder.json(&["wallet", "--account", "3", "--count", "1"]);
    assert_eq!((&json["account"], &json["descriptor"]), (&3.into(), &both.into()));
    assert!(folder.said(&["wallet", "--account", "3"]).contains("\n3/1/0 "));

    let (group, wallet) = (folder.group(), ["wallet", "--network", "main", "--group"]);
    let refuse = |options: &[&str]| refused(&[&wallet[..], &[&group], options].concat());
    assert!(refuse(&["--account", "100"]).contains("0 to 99"));
    assert!(refuse(&["--export", "core", "--json"]).contains("--json"));
    let test_key = account.xpub(bitcoin::NetworkKind::Test);
    let line = refuse(&["--scripts", &format!("pk({test_key}/**)")]);
    assert!(line.contains("its extended keys are tpub; on this network they are xpub"), "{line}");
}

#[test]
fn scripts_make_other_addresses() {
    let folder = Folder::with_a_group("scripts");
    let json = folder.json(&["wallet", "--scripts", "pk(@0/<2;3>/*)"]);
    let plain = folder.wallet().address(Branch::Receive, 0, Network::Bitcoin).unwrap();
    assert_ne!(json["receive"][0]["address"], plain.to_string());
    assert!(json["descriptor"].as_str().unwrap().contains(",pk("));
}

#[test]
fn a_psbt_is_shown_in_base64_and_binary() {
    let folder = Folder::with_a_group("show");
    let wallet = folder.wallet();
    let psbt = psbt(&wallet);
    let binary = folder.write("binary", psbt.serialize());
    let text = folder.write("text", psbt.to_string() + "\n");
    let said = folder.said(&["psbt", "show", &text]);
    assert_eq!(folder.said(&["psbt", "show", &binary]), said);
    let change = wallet.address(Branch::Change, 2, Network::Bitcoin).unwrap();
    for part in [
        &psbt.unsigned_tx.compute_txid().to_string(),
        "to sign, by the group's key at 0/0",
        &format!("0.00039000 BTC to {change}"),
        "this wallet, at 1/2",
        "0.00001000 BTC",
        "0.00061000 BTC leave the group",
        "To sign       1 signature\n",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(!said.contains("Warning"), "{said}");
    let json = folder.json(&["psbt", "show", &binary, "--network", "regtest"]);
    assert_eq!((&json["fee"], &json["leaves_the_group"]), (&1_000.into(), &61_000.into()));
    assert!(json["outputs"][1]["destination"].as_str().unwrap().starts_with("bcrt1p"));
    assert_eq!(json["to_sign"].as_array().unwrap().len(), 1);
}

#[test]
fn warnings_and_what_keeps_the_group_from_signing_are_shown() {
    let folder = Folder::with_a_group("warnings");
    let mut psbt = psbt(&folder.wallet());
    psbt.inputs[0].witness_utxo = None;
    let file = folder.write("psbt", psbt.serialize());
    let said = folder.said(&["psbt", "show", &file]);
    assert!(said.contains("Warning       input 0: what it spends is not in the PSBT"), "{said}");
    assert!(said.contains("To sign       nothing: "), "{said}");
    let json = folder.json(&["psbt", "show", &file]);
    assert_eq!(json["fee"], Value::Null);
    assert!(json["cannot_sign"].is_string());
}

#[test]
fn what_cannot_be_read_gets_one_line_and_exit_status_2() {
    let folder = Folder::with_a_group("unreadable");
    let group = folder.group();
    let right = psbt(&folder.wallet()).serialize();
    let longer = [&right[..], &[0]].concat();
    for (number, bytes) in [&right[..right.len() - 1], &right[..4], &[], &longer].iter().enumerate()
    {
        let file = folder.write(&number.to_string(), bytes);
        let line = refused(&["psbt", "show", &file, "--group", &group, "--network", "main"]);
        assert!(line.contains(&file), "{line}");
    }
    let good = folder.write("good", &right);
    let absent = folder.at("absent");
    let main = ["--group", &group, "--network", "main"];
    let show = |file: &str, options: &[&str]| refused(&[&["psbt", "show", file], options].concat());
    assert!(show(&absent, &main).contains(&absent));
    assert!(show(&good, &["--group", &good, "--network", "main"]).contains(&good));
    assert!(show(&good, &["--group", &group]).contains("which network?"));
    show(&good, &[]);
    show(&good, &["--group", &group, "--network", "mainnet"]);
    assert!(show(&good, &[&main[..], &["--scripts", "pk("]].concat()).contains("the script tree"));
    refused(&["wallet", "--group", &good, "--network", "main"]);
    refused(&["wallet", "--group", &group, "--network", "main", "--count", "10001"]);
    refused(&["wallet", "--group", &group, "--network", "main", "--from", "1000000"]);
}
