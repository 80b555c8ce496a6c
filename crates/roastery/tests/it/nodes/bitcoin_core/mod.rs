//! A real Bitcoin Core beside the nodes of a group. `BITCOIND` names the program, and `bitcoin-cli`
//! is beside it; without that these tests say that they are skipped.

mod electrum;
mod kinds;
mod limits;
mod payments;
mod signer;

use std::{
    env,
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::Value;

use crate::nodes::support::{Group, TestFolder, free_ports, fresh_folder, until};

/// A Core with a chain of its own, which ends with the test.
struct Core {
    process: Child,
    folder: TestFolder,
    port: u16,
    cli: PathBuf,
}

impl Core {
    /// Starts one with these further arguments; `None`, and a word, if there is no program.
    fn start(name: &str, arguments: &[String]) -> Option<Self> {
        let Some(program) = env::var_os("BITCOIND").map(PathBuf::from) else {
            eprintln!("skipped: BITCOIND does not name Bitcoin Core's bitcoind");
            return None;
        };
        let (folder, port) = (fresh_folder(name), free_ports(1));
        let process = Command::new(&program)
            .arg(format!("-datadir={}", folder.display()))
            .arg(format!("-rpcport={port}"))
            .args([
                "-regtest",
                "-listen=0",
                "-fallbackfee=0.00001",
                "-maxtxfee=0.1",
                "-rpcthreads=8",
            ])
            .args(arguments)
            .stdout(File::create(folder.join("out")).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let cli = program.with_file_name("bitcoin-cli");
        let core = Self { process, folder, port, cli };
        until("Core answers", || core.try_to(&["getblockcount"]).ok());
        Some(core)
    }

    fn try_to(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.cli)
            .arg(format!("-datadir={}", self.folder.display()))
            .arg(format!("-rpcport={}", self.port))
            .args(["-regtest", "-rpcclienttimeout=0"])
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().trim().to_owned();
        match output.status.success() {
            true => Ok(text(output.stdout)),
            false => Err(text(output.stderr)),
        }
    }

    #[track_caller]
    fn to(&self, arguments: &[&str]) -> String {
        self.try_to(arguments).unwrap()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.to(arguments)).unwrap()
    }

    /// Mines blocks to an address of Core's wallet `miner`.
    fn mine(&self, count: u32) {
        let address = self.to(&["-rpcwallet=miner", "getnewaddress"]);
        self.to(&["generatetoaddress", &count.to_string(), &address]);
    }

    /// A wallet `miner` with money.
    fn begin(&self) {
        self.to(&["createwallet", "miner"]);
        self.mine(101);
    }

    /// A wallet that watches the group's, from what `--export core` prints.
    fn watch(&self, group: &Group) {
        self.to(&[
            "-named",
            "createwallet",
            "wallet_name=watch",
            "disable_private_keys=true",
            "blank=true",
        ]);
        let file = group.path("watch.group");
        group.tell(0, &["group", "export", "local", "--group-file", &file]).well();
        let export = ["wallet", "--group", &file, "--network", "regtest", "--export", "core"];
        let descriptors = group.tell(0, &export).well();
        let imported = self.json(&["-rpcwallet=watch", "importdescriptors", &descriptors]);
        assert!(
            imported.as_array().unwrap().iter().all(|one| one["success"] == true),
            "{imported}"
        );
    }

    fn cookie(&self) -> PathBuf {
        self.folder.join("regtest/.cookie")
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The configuration of a node whose chain source is this Core.
fn source_of(core: &Core) -> [(&'static str, String); 4] {
    [
        ("ROASTERY_BITCOIN_NETWORK", "regtest".to_owned()),
        ("ROASTERY_WALLET_SOURCE", "bitcoind".to_owned()),
        ("ROASTERY_WALLET_URL", format!("http://127.0.0.1:{}", core.port)),
        ("ROASTERY_WALLET_COOKIE_FILE", core.cookie().to_str().unwrap().to_owned()),
    ]
}

fn group_on(core: &Core, name: &str) -> Group {
    let source = source_of(core);
    let source: Vec<_> = source.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Group::start_with(name, 3, 2, &source)
}

/// An amount of Core's, which it writes in BTC with eight digits, in satoshi.
fn sat(amount: &Value) -> u64 {
    let text = format!("{:.8}", amount.as_f64().unwrap());
    text.replace('.', "").parse().unwrap()
}

fn balance(group: &Group) -> Value {
    group.tell(0, &["wallet", "balance", "--json"]).json()
}

/// Waits until the node and Core's watching wallet show the same, and returns that.
#[track_caller]
fn both(core: &Core, group: &Group) -> (u64, u64) {
    until("the node shows what Core shows", || {
        let (own, theirs) = (balance(group), core.json(&["-rpcwallet=watch", "getbalances"]));
        let tip = own["height"].as_u64()?.to_string() == core.to(&["getblockcount"]);
        let own = (own["confirmed"].as_u64()?, own["change"].as_u64()? + own["incoming"].as_u64()?);
        let mine = &theirs["mine"];
        let confirmed: u64 = core
            .json(&["-rpcwallet=watch", "listunspent", "1"])
            .as_array()?
            .iter()
            .map(|coin| sat(&coin["amount"]))
            .sum();
        let all = sat(&mine["trusted"]) + sat(&mine["untrusted_pending"]);
        let theirs = (confirmed, all - confirmed);
        (tip && own == theirs).then_some(own)
    })
}

/// Approves what waits at node 1.
fn approve_next(group: &Group) {
    let session = until("it is proposed", || {
        let listed = group.tell(1, &["requests", "--state", "proposed", "--json"]).json();
        Some(listed[0]["session"].as_str()?.to_owned())
    });
    group.approve(1, &session);
}

/// Runs a command at node 0 while node 1 approves it.
fn approved(group: &Group, arguments: &[&str]) -> String {
    thread::scope(|scope| {
        let running = scope.spawn(|| group.tell(0, arguments).well());
        approve_next(group);
        running.join().unwrap()
    })
}

fn is_in_mempool(core: &Core, txid: &str) -> bool {
    core.try_to(&["getmempoolentry", txid]).is_ok()
}

/// Has Core pay these amounts, in BTC, to fresh addresses of the group.
fn pay_in(core: &Core, group: &Group, amounts: &[&str]) {
    for amount in amounts {
        let address = group.tell(0, &["wallet", "address", "--new"]).well();
        core.to(&["-rpcwallet=miner", "sendtoaddress", address.trim(), amount]);
    }
}

/// A block is replaced by two others that do not have its transactions.
fn replace_last_block(core: &Core) {
    let block = core.to(&["getbestblockhash"]);
    core.to(&["invalidateblock", &block]);
    let elsewhere = core.to(&["-rpcwallet=miner", "getnewaddress"]);
    for _ in 0..2 {
        core.to(&["generateblock", &elsewhere, "[]"]);
    }
}

/// Pays with a low fee and then with a higher one, both with the approval of another member, and
/// returns the second transaction, which Core has in place of the first.
fn pay_and_bump(core: &Core, group: &Group, to: &str) -> String {
    let send = ["wallet", "send", to, "0.3", "--fee-rate", "2", "--yes"];
    let txid = approved(group, &send).trim().to_owned();
    assert!(is_in_mempool(core, &txid));
    let (_, pending) = both(core, group);
    assert!(pending > 0);
    let bump = ["wallet", "bump", &txid, "--fee-rate", "20", "--yes"];
    let bumped = approved(group, &bump).trim().to_owned();
    assert!(is_in_mempool(core, &bumped) && !is_in_mempool(core, &txid));
    bumped
}
