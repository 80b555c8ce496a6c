//! The wallet of a group whose nodes have a chain source: a chain in this process.

use std::fs;

use bitcoin::{Address, Amount, Network, ScriptBuf};
use roastery_bitcoin::wallet::{Branch, Wallet};
use roastery_testkit::{
    chain::Double,
    payments::{elsewhere, funding, ordinary, pay},
};
use serde_json::{Value, json};

use crate::nodes::{
    api::post,
    hwi::wallet,
    support::{Group, until},
    terminal::on_terminal,
};

/// An address of another.
pub(crate) fn other() -> String {
    Address::from_script(&elsewhere(), Network::Regtest).unwrap().to_string()
}

/// A group of nodes whose source is this chain.
pub(crate) fn start(name: &str, double: &Double) -> (Group, Wallet) {
    let url = format!("http://{}", double.address);
    let group = Group::start_with(
        name,
        3,
        2,
        &[
            ("ROASTERY_BITCOIN_NETWORK", "regtest"),
            ("ROASTERY_WALLET_SOURCE", "bitcoind"),
            ("ROASTERY_WALLET_URL", &url),
            ("ROASTERY_WALLET_COOKIE_FILE", double.cookie().to_str().unwrap()),
        ],
    );
    let wallet = wallet(&group);
    (group, wallet)
}

pub(crate) fn script(wallet: &Wallet, index: u32) -> ScriptBuf {
    wallet.script(Branch::Receive, index).unwrap()
}

fn balance(group: &Group, node: usize) -> Value {
    group.tell(node, &["wallet", "balance", "--json"]).json()
}

/// Waits until a node's wallet has this confirmed amount, and its source was read to its end.
pub(crate) fn until_confirmed(group: &Group, node: usize, sat: u64) {
    until("the chain is read", || {
        let wallet = balance(group, node);
        (wallet["confirmed"] == sat && !wallet["source"]["answered"].is_null()).then_some(())
    });
}

/// The request that waits at a node.
pub(crate) fn proposed(group: &Group, node: usize) -> String {
    until("it is proposed", || {
        let listed = group.tell(node, &["requests", "--state", "proposed", "--json"]).json();
        Some(listed[0]["session"].as_str()?.to_owned())
    })
}

#[test]
fn a_payment_goes_from_one_command_to_the_network_with_one_approval_of_each_member() {
    let double = Double::start();
    let (group, wallet) = start("wallet", &double);
    double.chain().mine(vec![funding(1, vec![pay(100_000, script(&wallet, 0))])]);
    until_confirmed(&group, 0, 100_000);

    // The first address is used: what is given out now is the next one.
    let address = group.tell(0, &["wallet", "address", "--json"]).json();
    assert_eq!(address["path"], "0/1");
    assert_eq!(group.tell(0, &["wallet", "address", "--new", "--json"]).json()["path"], "0/2");

    let other = other();
    let sent = ["wallet", "send", &other, "0.0003", "--fee-rate", "2", "--yes", "--wait", "0"];
    let asked = group.tell(0, &[&sent[..], &["--json"]].concat()).json();
    assert_eq!(asked["state"], "waiting");
    let session = asked["session"].as_str().unwrap();
    assert_eq!(proposed(&group, 1), session);
    assert!(double.chain().sent.is_empty());
    // What is asked for once more, as a script does that saw no answer, is not paid twice.
    let again = group.tell(0, &sent);
    assert!(again.err.contains(&format!("request {} pays the same", &session[..8])), "{again:?}");
    // Its coin is in use: nothing is left for another payment.
    let again = group.tell(0, &[&sent[..], &["--again"]].concat());
    assert!(again.err.contains("coins of open requests do not count"), "{again:?}");
    group.approve(1, session);
    // The node sends it by itself, whether a command waits or not.
    until("it is sent", || (!double.chain().sent.is_empty()).then_some(()));
    let fetched = group.tell(0, &["wallet", "fetch", session, "--json"]).json();
    let transaction = double.chain().sent[0].clone();
    let txid = transaction.compute_txid().to_string();
    assert_eq!((fetched["state"].as_str(), fetched["txid"].as_str()), (Some("sent"), Some(&*txid)));
    assert!(transaction.output.iter().any(|output| output.value == Amount::from_sat(30_000)));
    assert_eq!(double.chain().sent.len(), 1);

    // What was sent already each other node says, and which coins are not there.
    let bump = ["wallet", "bump", &txid, "--fee-rate", "9", "--yes", "--wait", "0", "--json"];
    let bumped = group.tell(0, &bump).json()["session"].as_str().unwrap().to_owned();
    until("the other node has read that it is sent", || {
        let warnings = group.request(1, &bumped)["summary"]["warnings"].to_string();
        warnings.contains(&format!("is spent by transaction {txid}")).then_some(())
    });
    group.approve(1, &bumped);
    until("it is sent", || (double.chain().sent.len() == 2).then_some(()));
    let replacing = double.chain().sent[1].clone();
    assert_eq!(replacing.input[0].previous_output, transaction.input[0].previous_output);

    // The first is replaced and the second mined.
    double.chain().mempool.clear();
    double.chain().mine(vec![replacing.clone()]);
    let fee = 100_000 - replacing.output.iter().map(|output| output.value.to_sat()).sum::<u64>();
    until_confirmed(&group, 0, 70_000 - fee);
    let history = group.tell(0, &["wallet", "history", "--json"]).json();
    assert_eq!(history[0]["txid"], replacing.compute_txid().to_string());
    assert_eq!((history[0]["fee"].as_u64(), history[0]["height"].as_u64()), (Some(fee), Some(2)));
    assert_eq!(history.as_array().unwrap().len(), 2);

    let unknown = ordinary(&wallet);
    let file = group.path("unknown.psbt");
    fs::write(&file, unknown.serialize()).unwrap();
    let sign = ["psbt", "sign", &file, "--group", "local", "--wait", "0", "--json"];
    let session = group.tell(1, &sign).json()["session"].as_str().unwrap().to_owned();
    let shown = group.request(0, &session);
    let warnings = shown["summary"]["warnings"].to_string();
    assert!(
        warnings.contains("is a coin that the chain source of this node does not have"),
        "{warnings}"
    );
}

#[test]
fn of_two_payments_that_are_asked_for_at_once_one_is_made() {
    let double = Double::start();
    let (group, wallet) = start("wallet-once", &double);
    let coins = funding(1, vec![pay(100_000, script(&wallet, 0)), pay(90_000, script(&wallet, 1))]);
    let coin = |index| format!("{}:{index}", coins.compute_txid());
    double.chain().mine(vec![coins.clone()]);
    until_confirmed(&group, 0, 190_000);
    // Both are made before either is approved.
    let [first, second] = [coin(0), coin(1)].map(|coin| {
        let what =
            json!({ "address": other(), "amount": "0.0003", "fee_rate": "2", "inputs": [coin] });
        let (status, made) = post(&group, 0, "/v1/wallets/local/transactions", &what);
        assert_eq!(status, 200, "{made}");
        json!({ "psbt": made["psbt"], "once": true })
    });
    let requests = "/v1/groups/local/requests";
    let (status, made) = post(&group, 0, requests, &first);
    assert_eq!(status, 200, "{made}");
    let (status, refused) = post(&group, 0, requests, &second);
    assert_eq!(status, 409, "{refused}");
    assert!(refused.to_string().contains("pays the same amount to the same address"), "{refused}");
    // The same transaction is not another payment.
    let (status, again) = post(&group, 0, requests, &first);
    assert_eq!((status, &again["session"]), (200, &made["session"]));

    // Paid once more on purpose, both can be replaced: that makes no third payment.
    let (status, more) = post(&group, 0, requests, &json!({ "psbt": second["psbt"] }));
    assert_eq!(status, 200, "{more}");
    for session in [&made["session"], &more["session"]] {
        let session = session.as_str().unwrap();
        group.approve(1, session);
        group.tell(0, &["wallet", "fetch", session]).well();
    }
    let sent = double.chain().sent.clone();
    assert_eq!(sent.len(), 2);
    for transaction in sent {
        let txid = transaction.compute_txid().to_string();
        let bump = ["wallet", "bump", &txid, "--fee-rate", "9", "--wait", "0"];
        let bumped = on_terminal(&group.node(0), &bump, &["y\n"], true);
        assert!(bumped.out.contains("the node sends the transaction"), "{bumped:?}");
    }
}

#[test]
fn what_is_to_be_sent_is_sent_after_a_restart_and_labels_stay() {
    let double = Double::start();
    let (group, wallet) = start("wallet-restart", &double);
    double.chain().mine(vec![funding(1, vec![pay(100_000, script(&wallet, 0))])]);
    until_confirmed(&group, 0, 100_000);
    let labels = group.path("labels.jsonl");
    let line = format!("{{\"type\":\"addr\",\"ref\":\"{}\",\"label\":\"ACME\"}}\n", other());
    fs::write(&labels, &line).unwrap();
    assert_eq!(group.tell(0, &["wallet", "labels", "import", &labels]).well(), "1 labels\n");
    let other = other();
    let sweep = ["wallet", "sweep", &other, "--fee-rate", "1", "--yes", "--wait", "0", "--json"];
    let session = group.tell(0, &sweep).json()["session"].as_str().unwrap().to_owned();
    proposed(&group, 1);
    let source = [
        ("ROASTERY_BITCOIN_NETWORK", "regtest"),
        ("ROASTERY_WALLET_SOURCE", "bitcoind"),
        ("ROASTERY_WALLET_URL", &format!("http://{}", double.address)),
        ("ROASTERY_WALLET_COOKIE_FILE", double.cookie().to_str().unwrap()),
    ];
    group.kill(0);
    group.restart(0, &source);
    // What was known of the chain is there at once.
    assert_eq!(balance(&group, 0)["confirmed"], 100_000);
    assert_eq!(group.tell(0, &["wallet", "labels", "export"]).well(), line);
    group.approve(1, &session);
    until("it is sent", || (!double.chain().sent.is_empty()).then_some(()));
    let sent = double.chain().sent[0].clone();
    assert_eq!((sent.input.len(), sent.output.len()), (1, 1));
    let history = group.tell(0, &["wallet", "history"]).well();
    assert!(history.contains("ACME"), "{history}");
}

#[test]
fn a_source_that_does_not_answer_is_in_the_status_and_signing_goes_on() {
    let double = Double::start();
    let (group, _) = start("wallet-silent", &double);
    double.chain().mine(vec![]);
    until("the chain is read", || (balance(&group, 0)["whole"] == true).then_some(()));
    double.chain().instead = Some(b"<html>".to_vec());
    until("it is noticed", || {
        let status = group.status(0);
        let problem = status["chain_source"]["problem"].as_str()?;
        assert!(status["warnings"].to_string().contains("signing goes on without it"), "{status}");
        Some(problem.to_owned())
    });
    let session = group.propose(0, "without a chain");
    group.request(1, &session);
    group.approve(1, &session);
    until("it is signed", || (group.request(0, &session)["state"] == "signed").then_some(()));
}

#[test]
fn what_is_wrong_with_a_payment_is_said_before_anything_is_proposed() {
    let double = Double::start();
    let (group, wallet) = start("wallet-wrong", &double);
    double.chain().mine(vec![funding(1, vec![pay(100_000, script(&wallet, 0))])]);
    until_confirmed(&group, 0, 100_000);
    let main = "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr";
    let (coin, other, none) = (format!("{}:0", "00".repeat(32)), other(), "00".repeat(32));
    for (options, part) in [
        (&["send", main, "0.0001"][..], "is no address of regtest, the network of this node"),
        (&["send", &other, "0.000000001"], "at most eight digits"),
        (&["send", &other, "1e-3"], "at most eight digits"),
        (&["send", &other, "0"], "between 0.00000001 and 21000000 BTC"),
        (&["send", &other, "1"], "the wallet has 0.00100000 BTC"),
        (&["send", &other, "0.0001", "--fee-rate", "5000"], "1 to 1000 sat/vB"),
        // What a person is stopped at no script approves.
        (&["send", &other, "0.0001", "--fee-rate", "400"], "without --yes, on a terminal"),
        // And what it is about is shown in columns, as psbt show has it.
        (&["send", &other, "0.0001", "--fee-rate", "400"], "\nFee           0.00"),
        (&["send", &other, "0.0001", "--input", &coin], "is no unspent coin of this wallet"),
        (&["send", &other, "0.0001", "--input", "x"], "allowed is TXID:INDEX"),
        (&["bump", &none], "is not one of this wallet"),
        (&["balance", "--group", "other"], "there is no group"),
    ] {
        let mut words = [&["wallet"], options].concat();
        if options[0] != "balance" {
            words.extend(["--yes", "--wait", "0"]);
        }
        let said = group.tell(0, &words);
        assert!(said.status != 0 && said.err.contains(part), "{options:?}: {said:?}");
    }
    // Without --yes it is asked, and there is no terminal.
    let said = group.tell(0, &["wallet", "send", &other, "0.0001"]);
    assert!(said.err.contains("with --yes"), "{said:?}");
    assert_eq!(group.tell(0, &["requests", "--json"]).json(), serde_json::json!([]));
    assert!(double.chain().sent.is_empty());
}

#[test]
fn a_node_without_a_source_says_how_one_is_set() {
    let group = Group::start("wallet-none", 2, 2);
    let said = group.tell(0, &["wallet", "balance"]);
    assert!(said.status != 0 && said.err.contains("set wallet.source"), "{said:?}");
    assert_eq!(group.status(0)["chain_source"], Value::Null);
}
