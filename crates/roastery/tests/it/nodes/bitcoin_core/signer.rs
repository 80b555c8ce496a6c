//! Core with the group as its external signer.

use std::{env, thread};

use serde_json::json;

use super::{Core, approve_next, is_in_mempool};
use crate::nodes::support::Group;

#[test]
fn core_sends_and_bumps_through_the_group_as_its_signer() {
    // The nodes are there first: Core is given their folder.
    if env::var_os("BITCOIND").is_none() {
        eprintln!("skipped: BITCOIND does not name Bitcoin Core's bitcoind");
        return;
    }
    let group = Group::start_with("core-signer", 3, 2, &[("ROASTERY_BITCOIN_NETWORK", "regtest")]);
    let (program, folder) = (env!("CARGO_BIN_EXE_roastery"), group.node(0));
    let signer = format!("-signer={program} hwi --folder {}", folder.display());
    let Some(core) = Core::start("core-hwi", &[signer]) else { return };
    core.begin();
    let signers = core.json(&["enumeratesigners"]);
    assert_eq!(signers["signers"][0]["name"], "roastery local", "{signers}");
    core.to(&[
        "-named",
        "createwallet",
        "wallet_name=treasury",
        "disable_private_keys=true",
        "external_signer=true",
    ]);
    let address =
        core.to(&["-rpcwallet=treasury", "-named", "getnewaddress", "address_type=bech32m"]);
    let shown = core.json(&["-rpcwallet=treasury", "walletdisplayaddress", &address]);
    assert_eq!(shown["address"], address.as_str());
    core.to(&["-rpcwallet=miner", "sendtoaddress", &address, "1"]);
    core.mine(1);
    let to = core.to(&["-rpcwallet=miner", "getnewaddress"]);
    let outputs = json!([{ &to: 0.4 }]).to_string();
    let while_approved = |arguments: &[&str]| {
        thread::scope(|scope| {
            let running = scope.spawn(|| core.json(arguments));
            approve_next(&group);
            running.join().unwrap()
        })
    };
    let sent = while_approved(&[
        "-rpcwallet=treasury",
        "-named",
        "send",
        &format!("outputs={outputs}"),
        "fee_rate=2",
    ]);
    assert_eq!(sent["complete"], true, "{sent}");
    let txid = sent["txid"].as_str().unwrap();
    assert!(is_in_mempool(&core, txid));
    let bumped = while_approved(&[
        "-rpcwallet=treasury",
        "-named",
        "bumpfee",
        &format!("txid={txid}"),
        "fee_rate=20",
    ]);
    let bumped = bumped["txid"].as_str().unwrap();
    assert!(is_in_mempool(&core, bumped) && !is_in_mempool(&core, txid));
    core.mine(1);
    assert_eq!(core.to(&["-rpcwallet=miner", "getreceivedbyaddress", &to]), "0.40000000");
}
