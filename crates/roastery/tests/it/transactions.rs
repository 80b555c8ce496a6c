//! Transactions from end to end: nodes as processes sign PSBTs, and Bitcoin Core's consensus code
//! accepts what comes out.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use bitcoin::{
    Amount, Psbt, TapSighashType, TxOut, Txid, Witness,
    base64::{Engine as _, prelude::BASE64_STANDARD},
    hex::DisplayHex as _,
};
use roastery_bitcoin::{
    psbt,
    spend::extract,
    wallet::{Branch, Wallet},
};
use roastery_protocol::group::Group;
use roastery_testkit::{
    maps::version_2,
    payments::{elsewhere, judge_all, pay, spending},
};

use crate::nodes::support::until;

/// Two of three nodes on this machine. They are stopped in any case.
struct Nodes(PathBuf);

impl Nodes {
    fn start(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let nodes = Self(folder);
        nodes.stop();
        let _ = std::fs::remove_dir_all(&nodes.0);
        // Three ports in a row are free often enough.
        for attempt in 0..10 {
            let port = 20_000 + (std::process::id() + attempt * 100) % 30_000;
            let arguments = ["--signers", "3", "--threshold", "2", "--port", &port.to_string()];
            if nodes.local(&arguments).status.success() {
                return nodes;
            }
            nodes.stop();
            let _ = std::fs::remove_dir_all(&nodes.0);
        }
        panic!("no group could be started");
    }

    fn local(&self, arguments: &[&str]) -> Output {
        let all = [&["local", "--folder", self.0.to_str().unwrap()], arguments].concat();
        Command::new(env!("CARGO_BIN_EXE_roastery")).args(all).output().unwrap()
    }

    fn stop(&self) {
        self.local(&["--stop"]);
    }

    fn at(&self, node: usize, arguments: &[&str]) -> Output {
        let folder = self.0.join(format!("node-{node}"));
        let all = [arguments, &["--folder", folder.to_str().unwrap()]].concat();
        Command::new(env!("CARGO_BIN_EXE_roastery")).args(all).output().unwrap()
    }

    fn wallet(&self) -> Wallet {
        let file = self.0.join("group.roastery");
        let _ = std::fs::remove_file(&file);
        let exported =
            self.at(0, &["group", "export", "local", "--group-file", file.to_str().unwrap()]);
        assert!(exported.status.success());
        Wallet::new(Arc::new(Group::decode(&std::fs::read(file).unwrap()).unwrap())).unwrap()
    }

    /// The requests that wait at a node.
    fn pending(&self, node: usize) -> Vec<serde_json::Value> {
        let listed = self.at(node, &["requests", "--state", "proposed", "--json"]);
        serde_json::from_slice(&listed.stdout).unwrap()
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Spends so many outputs of the wallet.
fn spend(wallet: &Wallet, inputs: u32) -> Psbt {
    let ours = |index| wallet.script(Branch::Receive, index).unwrap();
    let spent: Vec<TxOut> = (0..inputs).map(|index| pay(100_000, ours(index))).collect();
    let paid = u64::from(inputs) * 60_000;
    let change = u64::from(inputs) * 39_000;
    let to = wallet.script(Branch::Change, 0).unwrap();
    spending(&spent, vec![pay(paid, elsewhere()), pay(change, to)])
}

#[test]
fn psbts_of_1_2_and_50_inputs_are_shown_approved_signed_and_accepted_by_consensus_code() {
    let nodes = Nodes::start("transactions");
    let wallet = nodes.wallet();
    for inputs in [1, 2, 50] {
        let psbt = spend(&wallet, inputs);
        let file = nodes.0.join(format!("{inputs}.psbt"));
        std::fs::write(&file, BASE64_STANDARD.encode(psbt.serialize())).unwrap();
        let out = nodes.0.join(format!("{inputs}.signed"));
        let (file, written) = (file.to_str().unwrap(), out.to_str().unwrap());
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| {
                nodes.at(
                    0,
                    &["psbt", "sign", file, "--group", "local", "--out", written, "--binary"],
                )
            });
            let pending = loop {
                if let Some(pending) = nodes.pending(1).into_iter().next() {
                    break pending;
                }
            };
            let session = pending["session"].as_str().unwrap().to_owned();
            // A list does not have the transactions, which may be long.
            assert_eq!(pending["subject"]["psbt"], serde_json::Value::Null);
            assert_eq!(pending["subject"]["kind"], "transaction");
            // What is approved is shown before.
            let shown = nodes.at(1, &["requests", &session]);
            let shown = String::from_utf8(shown.stdout).unwrap();
            assert!(shown.contains("leave the group, fee included"), "{shown}");
            assert!(shown.contains(&format!("{inputs} signature")), "{shown}");
            let approved = nodes.at(1, &["approve", &session, "--yes"]);
            assert!(approved.status.success(), "{}", String::from_utf8_lossy(&approved.stderr));
            let asked = asked.join().unwrap();
            assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
        });
        let signed = psbt::read(&std::fs::read(&out).unwrap()).unwrap();
        let transaction = extract(&signed).unwrap();
        checks_of(&nodes, &psbt, signed.decoded(), transaction.compute_txid());
        let spent: Vec<TxOut> =
            psbt.inputs.iter().map(|input| input.witness_utxo.clone().unwrap()).collect();
        judge_all(&transaction, &spent);
    }
}

/// `psbt check` says that this is valid, and that it is not without or with another signature.
fn checks_of(nodes: &Nodes, unsigned: &Psbt, signed: &Psbt, txid: Txid) {
    let mut altered = signed.clone();
    let last = altered.inputs.last_mut().unwrap();
    let mut signature = last.final_script_witness.as_ref().unwrap().nth(0).unwrap().to_vec();
    signature[40] ^= 1;
    last.final_script_witness = Some(Witness::from_slice(&[signature]));
    // What is signed is how much each coin has.
    let mut richer = signed.clone();
    richer.inputs[0].witness_utxo.as_mut().unwrap().value += Amount::ONE_SAT;
    let says = |psbt: &Psbt| {
        let file = nodes.0.join("checked.psbt");
        std::fs::write(&file, psbt.serialize()).unwrap();
        let said = nodes.at(0, &["psbt", "check", file.to_str().unwrap()]);
        (said.status.code(), String::from_utf8(said.stdout).unwrap())
    };
    let (status, said) = says(signed);
    assert!(status == Some(0) && said.contains(&txid.to_string()), "{said}");
    for wrong in [unsigned, &altered, &richer] {
        let (status, said) = says(wrong);
        assert!(status == Some(1) && said.starts_with("not valid: input"), "{said}");
    }
}

#[test]
fn what_a_signed_transaction_lacks_is_said_and_version_2_comes_back_as_version_2() {
    let nodes = Nodes::start("lacking");
    let mut psbt = spend(&nodes.wallet(), 2);
    // The group signs nothing that commits to one output only.
    psbt.inputs[1].sighash_type = Some(TapSighashType::Single.into());
    let file = nodes.0.join("payment.hex");
    std::fs::write(&file, version_2(&psbt).bytes().to_upper_hex_string()).unwrap();
    let file = file.to_str().unwrap();
    let asked = nodes.at(0, &["psbt", "sign", file, "--group", "local", "--wait", "0", "--json"]);
    let asked: serde_json::Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!(
        (&asked["state"], &asked["psbt"], &asked["left"]),
        (&"approved".into(), &serde_json::Value::Null, &serde_json::Value::Null)
    );
    let session = asked["session"].as_str().unwrap();
    while nodes.pending(1).is_empty() {}
    let approved = nodes.at(1, &["approve", session, "--yes"]);
    assert!(approved.status.success(), "{approved:?}");
    let fetch = |options: &[&str]| {
        let fetched = nodes.at(0, &[&["psbt", "fetch", session, "--json"], options].concat());
        // One input of the group's is left unsigned.
        assert_eq!(fetched.status.code(), Some(1), "{fetched:?}");
        let said = String::from_utf8(fetched.stderr).unwrap();
        let line = "input 1 is not signed: it asks for signature hash type 0x03";
        assert!(said.contains(line), "{said}");
        let found: serde_json::Value = serde_json::from_slice(&fetched.stdout).unwrap();
        assert_eq!(found["left"].as_array().unwrap().len(), 1);
        assert_eq!(found["left"][0]["input"], 1);
        assert_eq!(found["left"][0]["missing"], "signature_hash_type");
        psbt::read(found["psbt"].as_str().unwrap().as_bytes()).unwrap()
    };
    let (same, older) = (fetch(&[]), fetch(&["--v0"]));
    assert_eq!((same.version(), older.version()), (psbt::Version::V2, psbt::Version::V0));
    assert_eq!(same.decoded(), older.decoded());
    assert!(same.decoded().inputs[0].final_script_witness.is_some());
    assert_eq!(extract(&same), Err(1));
}

#[test]
fn a_file_that_is_no_psbt_or_not_the_groups_is_refused_in_one_line() {
    let nodes = Nodes::start("no-transactions");
    let file = nodes.0.join("bad.psbt");
    let path = file.to_str().unwrap();
    for bytes in [&b"psbt\xff\x00"[..], b"", b"not a psbt", &[0xff; 40]] {
        std::fs::write(&file, bytes).unwrap();
        let refused = nodes.at(0, &["psbt", "sign", path, "--group", "local"]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!((refused.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    }
    let foreign = spending(&[pay(1000, elsewhere())], vec![pay(900, elsewhere())]);
    std::fs::write(&file, foreign.serialize()).unwrap();
    let refused = nodes.at(0, &["psbt", "sign", path, "--group", "local"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!((refused.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(nodes.pending(1).is_empty());
}

#[test]
fn a_payment_whose_command_was_broken_off_is_approved_elsewhere_and_fetched_later() {
    let nodes = Nodes::start("broken-off");
    let psbt = spend(&nodes.wallet(), 2);
    let (file, out) = (nodes.0.join("payment.psbt"), nodes.0.join("signed.psbt"));
    std::fs::write(&file, psbt.serialize()).unwrap();
    let folder = nodes.0.join("node-0");
    let mut sign = Command::new(env!("CARGO_BIN_EXE_roastery"))
        .args(["psbt", "sign", file.to_str().unwrap(), "--yes", "--folder"])
        .arg(&folder)
        .spawn()
        .unwrap();
    while nodes.pending(1).is_empty() {}
    sign.kill().unwrap();
    sign.wait().unwrap();

    let waiting = nodes.pending(1);
    let session = waiting[0]["session"].as_str().unwrap();
    let shown = nodes.at(1, &["requests", session, "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let payment = &shown[0]["payment"];
    assert_eq!((&payment["leaves"], &payment["coins"]), (&122_000.into(), &2.into()));
    assert_eq!((&payment["spent"], &payment["fee"]), (&200_000.into(), &2_000.into()));
    assert_eq!(payment["outputs"][1]["own_path"], "1/0");
    let seen = shown[0]["seen"].as_str().unwrap();
    let approved = nodes.at(1, &["approve", &session[..8], "--seen", seen]);
    assert!(approved.status.success(), "{approved:?}");
    // At the node that asked, and at one that has said nothing.
    while !nodes.at(0, &["fetch", "--out", out.to_str().unwrap()]).status.success() {}
    let third = nodes.0.join("third.psbt");
    while !nodes.at(2, &["fetch", session, "--out", third.to_str().unwrap()]).status.success() {}
    let written = std::fs::read(&out).unwrap();
    assert_eq!(written, std::fs::read(&third).unwrap());
    let signed = psbt::read(&written).unwrap();
    let spent: Vec<TxOut> =
        psbt.inputs.iter().map(|input| input.witness_utxo.clone().unwrap()).collect();
    judge_all(&extract(&signed).unwrap(), &spent);
}

#[test]
fn the_same_transaction_again_finds_its_request_whose_result_can_be_fetched() {
    let nodes = Nodes::start("again");
    let psbt = spend(&nodes.wallet(), 1);
    let (file, out) = (nodes.0.join("payment.psbt"), nodes.0.join("signed.psbt"));
    std::fs::write(&file, BASE64_STANDARD.encode(psbt.serialize())).unwrap();
    let (file, out) = (file.to_str().unwrap(), out.to_str().unwrap());
    let ask = || {
        let said = nodes.at(0, &["psbt", "sign", file, "--group", "local", "--wait", "0"]);
        assert!(said.status.success(), "{said:?}");
        let text = String::from_utf8(said.stderr).unwrap();
        let session = text.strip_prefix("Request ").and_then(|rest| rest.get(..8));
        session.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    let session = ask();
    assert_eq!(ask(), session);
    while nodes.pending(1).is_empty() {}
    // One line says what is paid, once it is read.
    let line = until("it is read", || {
        let line = String::from_utf8(nodes.at(1, &["requests"]).stdout).unwrap();
        (!line.contains("not read yet")).then_some(line)
    });
    assert_eq!(line.lines().count(), 1, "{line}");
    for part in [&session[..8], "  node-0  pays 0.00060000 to ", "waits for you"] {
        assert!(line.contains(part), "{line}");
    }
    let early = nodes.at(0, &["psbt", "fetch", &session[..8], "--wait", "1", "--out", out]);
    assert_eq!(early.status.code(), Some(1), "{early:?}");
    let approved = nodes.at(1, &["approve", &session[..8], "--yes"]);
    assert!(approved.status.success(), "{approved:?}");
    let fetched = nodes.at(0, &["psbt", "fetch", &session[..8], "--out", out]);
    assert!(fetched.status.success(), "{fetched:?}");
    let written = std::fs::read_to_string(out).unwrap();
    let again = nodes.at(0, &["psbt", "sign", file, "--group", "local"]);
    assert_eq!(String::from_utf8(again.stdout).unwrap().trim(), written.trim());
    // A file that is there is noticed before anything is asked for.
    let kept = nodes.at(0, &["psbt", "fetch", &session[..8], "--out", out]);
    let said = String::from_utf8(kept.stderr).unwrap();
    assert!(kept.status.code() == Some(2) && said.contains("already"), "{said}");
    let log = String::from_utf8(nodes.at(1, &["log"]).stdout).unwrap();
    assert!(log.contains(&session[..8]) && log.contains("pays 0.00060000 BTC"), "{log}");
}

#[test]
fn a_request_that_spends_a_coin_of_another_one_says_so_and_names_it() {
    let nodes = Nodes::start("replacements");
    let wallet = nodes.wallet();
    let ours = |branch| wallet.script(branch, 0).unwrap();
    let spent = [pay(100_000, ours(Branch::Receive))];
    let ask = |paid: u64| {
        let paid = vec![pay(paid, elsewhere()), pay(99_000 - paid, ours(Branch::Change))];
        let file = nodes.0.join(format!("{}.psbt", paid[0].value.to_sat()));
        std::fs::write(&file, spending(&spent, paid).serialize()).unwrap();
        let file = file.to_str().unwrap();
        nodes.at(0, &["psbt", "sign", file, "--group", "local", "--wait", "0"]);
    };
    let shown = |node, session: &serde_json::Value| {
        let session = session.as_str().unwrap();
        String::from_utf8(nodes.at(node, &["requests", session]).stdout).unwrap()
    };
    ask(60_000);
    let first = loop {
        if let Some(first) = nodes.pending(1).into_iter().next() {
            break first["session"].clone();
        }
    };
    assert!(!shown(1, &first).contains("spends a coin"), "{}", shown(1, &first));
    ask(50_000);
    let second = loop {
        let pending = nodes.pending(1);
        if let Some(second) = pending.into_iter().find(|request| request["session"] != first) {
            break second["session"].clone();
        }
    };
    // Both at the node that asked and at the one that is to approve.
    for (node, of, other) in [(0, &second, &first), (1, &second, &first), (1, &first, &second)] {
        let named = format!("spends a coin that request {} spends", &other.as_str().unwrap()[..8]);
        let mut said = String::new();
        let begun = std::time::Instant::now();
        while !said.contains(&named) {
            said = shown(node, of);
            assert!(begun.elapsed().as_secs() < 60, "{named} is not in {said}");
        }
    }
}
