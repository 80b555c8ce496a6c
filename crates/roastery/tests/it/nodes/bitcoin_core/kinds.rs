//! Twelve kinds of spends that Core makes, the group signs, and Core takes into a block.

use std::{fs, str::FromStr as _};

use bitcoin::{
    Network, Psbt,
    bip32::{Xpriv, Xpub},
    hashes::{Hash as _, sha256},
    secp256k1::Secp256k1,
};
use serde_json::{Value, json};

use super::{Core, approved};
use crate::nodes::support::Group;

/// A point of which no discrete logarithm is known (BIP-341): a tree below it has no key path.
const NO_KEY: &str = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";

const PREIMAGE: [u8; 32] = [7; 32];

/// A wallet and what is spent from it. In its descriptor `GROUP` is the group's key, `CORE` one
/// whose secret Core's wallet has, and `HASH` that of [`PREIMAGE`].
struct Kind {
    name: &'static str,
    /// The account of the group's key, if it is not the key itself.
    account: Option<&'static str>,
    descriptor: &'static str,
    /// The addresses to which coins are paid, of each branch.
    coins: [u32; 2],
    /// How many blocks are mined after the coins are there.
    wait: u32,
    sequence: Option<u32>,
    /// A lock time of this many blocks above the height.
    lock_time: Option<u64>,
    /// An input of Core's other wallet is beside the group's.
    beside: bool,
}

const ORDINARY: Kind = Kind {
    name: "",
    account: None,
    descriptor: "tr(GROUP)",
    coins: [1, 0],
    wait: 0,
    sequence: None,
    lock_time: None,
    beside: false,
};

const KINDS: [Kind; 12] = [
    Kind { name: "one coin by the key", ..ORDINARY },
    Kind { name: "coins of both branches", coins: [3, 2], ..ORDINARY },
    Kind { name: "an account", account: Some("3"), coins: [1, 1], ..ORDINARY },
    Kind { name: "by the key beside a tree", descriptor: "tr(GROUP,pk(CORE))", ..ORDINARY },
    Kind { name: "in a leaf", descriptor: "tr(NONE,pk(GROUP))", coins: [1, 1], ..ORDINARY },
    Kind {
        name: "in a leaf at depth two",
        descriptor: "tr(NONE,{pk(CORE),{pk(GROUP),multi_a(2,CORE,NONE)}})",
        ..ORDINARY
    },
    Kind {
        name: "after a relative time",
        descriptor: "tr(NONE,and_v(v:pk(GROUP),older(5)))",
        wait: 4,
        sequence: Some(5),
        ..ORDINARY
    },
    Kind {
        name: "after a height",
        descriptor: "tr(NONE,and_v(v:pk(GROUP),after(103)))",
        lock_time: Some(0),
        sequence: Some(0xffff_fffd),
        ..ORDINARY
    },
    Kind {
        name: "with a co-signer, multi_a",
        descriptor: "tr(NONE,multi_a(2,GROUP,CORE))",
        ..ORDINARY
    },
    Kind {
        name: "with a co-signer, sortedmulti_a",
        descriptor: "tr(NONE,sortedmulti_a(2,CORE,GROUP))",
        ..ORDINARY
    },
    Kind {
        name: "with a preimage",
        descriptor: "tr(NONE,and_v(v:pk(GROUP),sha256(HASH)))",
        ..ORDINARY
    },
    Kind { name: "beside a coin of another wallet", beside: true, coins: [1, 1], ..ORDINARY },
];

/// The key of the group as the exported descriptor has it, without its branches.
fn key_of(group: &Group, account: Option<&str>) -> String {
    let file = group.path("kinds.group");
    if fs::metadata(&file).is_err() {
        group.tell(0, &["group", "export", "local", "--group-file", &file]).well();
    }
    let export = ["wallet", "--group", &file, "--network", "regtest", "--export", "descriptor"];
    let account = account.map(|number| ["--account", number]);
    let export = [&export[..], account.as_ref().map_or(&[], |words| &words[..])].concat();
    let line = group.tell(0, &export).well();
    let key = line.strip_prefix("tr(").unwrap().split_once("/<0;1>/*)").unwrap().0;
    key.to_owned()
}

/// Makes the wallet of a kind in Core, and returns its name.
fn import(core: &Core, group: &Group, number: usize, kind: &Kind) -> String {
    let (own, other) = {
        let curve = Secp256k1::new();
        let own = Xpriv::new_master(Network::Regtest, &[9; 32]).unwrap();
        let other = Xpub::from_priv(&curve, &own);
        (own.to_string(), other.to_string())
    };
    // A wallet without secrets takes none, and one that shall sign needs one.
    let co_signs = kind.name.starts_with("with a co-signer");
    let wallet = format!("kind-{number}");
    core.to(&[
        "-named",
        "createwallet",
        &format!("wallet_name={wallet}"),
        &format!("disable_private_keys={}", !co_signs),
        "blank=true",
    ]);
    let key = key_of(group, kind.account);
    let core_key = if co_signs { own } else { other };
    let descriptors = ["0", "1"].map(|branch| {
        let descriptor = kind
            .descriptor
            .replace("GROUP", &format!("{key}/{branch}/*"))
            .replace("CORE", &format!("{core_key}/{branch}/*"))
            .replace("HASH", &sha256::Hash::hash(&PREIMAGE).to_string())
            .replace("NONE", NO_KEY);
        let checksum = core.json(&["getdescriptorinfo", &descriptor])["checksum"].clone();
        json!({
            "desc": format!("{descriptor}#{}", checksum.as_str().unwrap()),
            "active": true,
            "internal": branch == "1",
            "timestamp": "now",
            "range": [0, 20],
        })
    });
    let descriptors = Value::from(descriptors.to_vec()).to_string();
    let named = format!("-rpcwallet={wallet}");
    let imported = core.json(&[&named, "importdescriptors", &descriptors]);
    assert!(imported.as_array().unwrap().iter().all(|one| one["success"] == true), "{imported}");
    wallet
}

/// A payment of the coins at these addresses of the wallet, unsigned.
fn make(core: &Core, wallet: &str, kind: &Kind, paid: &[String], to: &str) -> String {
    let named = format!("-rpcwallet={wallet}");
    let mut inputs = Vec::new();
    let mut amount = 0.0;
    let paid = Value::from(paid.to_vec()).to_string();
    for coin in core.json(&[&named, "listunspent", "1", "9999", &paid]).as_array().unwrap() {
        let mut input = json!({ "txid": coin["txid"], "vout": coin["vout"] });
        if let Some(sequence) = kind.sequence {
            input["sequence"] = sequence.into();
        }
        amount += coin["amount"].as_f64().unwrap();
        inputs.push(input);
    }
    assert_eq!(inputs.len(), (kind.coins[0] + kind.coins[1]) as usize);
    let height: u64 = core.to(&["getblockcount"]).parse().unwrap();
    let lock_time = kind.lock_time.map_or(0, |above| height + above).to_string();
    let spent = format!("{:.8}", amount / 2.0);
    let outputs = json!([{ to: spent }]).to_string();
    let inputs = Value::from(inputs).to_string();
    let options = json!({ "fee_rate": 3, "add_inputs": false }).to_string();
    let create = [&named, "walletcreatefundedpsbt", &inputs, &outputs, &lock_time, &options];
    core.json(&create)["psbt"].as_str().unwrap().to_owned()
}

/// The group's part: what it signs, and what comes back.
fn signed_by_the_group(group: &Group, psbt: &str) -> String {
    let (file, out) = (group.path("kind.psbt"), group.path("kind-signed.psbt"));
    fs::write(&file, psbt).unwrap();
    let _ = fs::remove_file(&out);
    approved(group, &["psbt", "sign", &file, "--group", "local", "--out", &out]);
    fs::read_to_string(&out).unwrap().trim().to_owned()
}

/// A PSBT with the coin of Core's own wallet as a further input, which pays the same on.
fn with_a_coin_beside(core: &Core, psbt: &str, to: &str) -> String {
    let options = json!({ "fee_rate": 3 }).to_string();
    let outputs = json!([{ to: "0.1" }]).to_string();
    let create = ["-rpcwallet=miner", "walletcreatefundedpsbt", "[]", &outputs, "0", &options];
    let other = core.json(&create)["psbt"].as_str().unwrap().to_owned();
    core.to(&["joinpsbts", &json!([psbt, other]).to_string()])
}

fn with_preimage(psbt: &str) -> String {
    let mut psbt = Psbt::from_str(psbt).unwrap();
    for input in &mut psbt.inputs {
        input.sha256_preimages.insert(sha256::Hash::hash(&PREIMAGE), PREIMAGE.to_vec());
    }
    psbt.to_string()
}

#[test]
fn twelve_kinds_of_spends_that_core_makes_are_signed_by_the_group_and_mined() {
    let Some(core) = Core::start("core-kinds", &[]) else { return };
    core.begin();
    let group = Group::start_with("kinds", 3, 2, &[("ROASTERY_BITCOIN_NETWORK", "regtest")]);
    for (number, kind) in KINDS.iter().enumerate() {
        let wallet = import(&core, &group, number, kind);
        let named = format!("-rpcwallet={wallet}");
        let mut paid = Vec::new();
        for (command, count) in [("getnewaddress", 0), ("getrawchangeaddress", 1)] {
            for _ in 0..kind.coins[count] {
                let address = core.to(&[&named, "-named", command, "address_type=bech32m"]);
                core.to(&["-rpcwallet=miner", "sendtoaddress", &address, "0.2"]);
                paid.push(address);
            }
        }
        core.mine(1 + kind.wait);
        let to = core.to(&["-rpcwallet=miner", "getnewaddress"]);
        let mut psbt = make(&core, &wallet, kind, &paid, &to);
        if kind.beside {
            psbt = with_a_coin_beside(&core, &psbt, &to);
        }
        if kind.descriptor.contains("HASH") {
            psbt = with_preimage(&psbt);
        }
        let mut signed = signed_by_the_group(&group, &psbt);
        // What others add: Core as the co-signer, and as the owner of the coin beside.
        for (by, needed) in
            [(&named[..], kind.descriptor.contains("_a(2,")), ("-rpcwallet=miner", kind.beside)]
        {
            if needed {
                let added = core.json(&[by, "walletprocesspsbt", &signed]);
                signed = added["psbt"].as_str().unwrap().to_owned();
            }
        }
        let finished = core.json(&["finalizepsbt", &signed]);
        assert_eq!(finished["complete"], true, "{}: {finished}", kind.name);
        let hex = finished["hex"].as_str().unwrap();
        let txid = core.to(&["sendrawtransaction", hex]);
        core.mine(1);
        let confirmed = core.json(&["-rpcwallet=miner", "gettransaction", &txid]);
        assert_eq!(confirmed["confirmations"], 1, "{}: {confirmed}", kind.name);
        eprintln!("{}: {txid}, {} bytes", kind.name, hex.len() / 2);
    }
}
