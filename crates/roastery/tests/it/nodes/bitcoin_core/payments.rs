//! The node's own wallet: what it pays is mined, and what it shows is what Core shows.

use std::{fs, path::Path};

use serde_json::json;

use super::{Core, approved, both, group_on, pay_and_bump, pay_in, replace_last_block};

#[test]
fn payments_and_bumps_are_mined_and_the_balance_is_that_of_core_also_after_a_reorganisation() {
    let Some(core) = Core::start("core-send", &[]) else { return };
    core.begin();
    let group = group_on(&core, "core-wallet");
    core.watch(&group);
    pay_in(&core, &group, &["1.5", "0.25"]);
    assert_eq!(both(&core, &group), (0, 175_000_000));
    core.mine(1);
    assert_eq!(both(&core, &group), (175_000_000, 0));

    let to = core.to(&["-rpcwallet=miner", "getnewaddress"]);
    let bumped = pay_and_bump(&core, &group, &to);
    core.mine(1);
    let (after, pending) = both(&core, &group);
    assert_eq!(pending, 0);
    assert_eq!(core.to(&["-rpcwallet=miner", "getreceivedbyaddress", &to]), "0.30000000");
    let history = group.tell(0, &["wallet", "history", "--json"]).json();
    assert_eq!(history[0]["txid"], bumped);
    let fee = history[0]["fee"].as_u64().unwrap();
    assert_eq!(after, 175_000_000 - 30_000_000 - fee);

    // Its block is replaced by two others that do not have it.
    replace_last_block(&core);
    let (confirmed, pending) = both(&core, &group);
    assert_eq!(confirmed + pending, after);
    assert!(pending > 0);
    core.mine(1);
    assert_eq!(both(&core, &group), (after, 0));

    // A transaction that Core makes is signed by the group and mined.
    let outputs = json!([{ &to: 0.1 }]).to_string();
    let made = core.json(&[
        "-rpcwallet=watch",
        "walletcreatefundedpsbt",
        "[]",
        &outputs,
        "0",
        "{\"fee_rate\":3}",
    ]);
    let (file, out) = (group.path("core.psbt"), group.path("signed.psbt"));
    fs::write(Path::new(&file), made["psbt"].as_str().unwrap()).unwrap();
    approved(&group, &["psbt", "sign", &file, "--group", "local", "--out", &out]);
    let signed = fs::read_to_string(&out).unwrap();
    let finished = core.json(&["finalizepsbt", signed.trim()]);
    assert_eq!(finished["complete"], true);
    core.to(&["sendrawtransaction", finished["hex"].as_str().unwrap()]);
    core.mine(1);
    both(&core, &group);

    // Everything is paid out.
    approved(&group, &["wallet", "sweep", &to, "--fee-rate", "2", "--yes"]);
    core.mine(1);
    assert_eq!(both(&core, &group), (0, 0));
}
