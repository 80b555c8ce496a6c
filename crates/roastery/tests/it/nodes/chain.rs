//! A key lives through five epochs among six processes: nodes are killed at any moment, links are
//! cut while members deal and switch, and in each epoch an old backup is restored.
//!
//! Not part of the ordinary tests, for its time is real time. By hand:
//!
//! ```console
//! $ cargo test -p roastery --test it chain -- --ignored --nocapture
//! ```
//!
//! `ROASTERY_CHAIN_SEED` chooses what happens. Times of processes are not repeated by a seed.

use std::{collections::BTreeMap, fs, sync::Arc, thread::sleep, time::Duration};

use bitcoin::{
    TxOut,
    base64::{Engine as _, prelude::BASE64_STANDARD},
};
use roastery_bitcoin::{
    psbt,
    spend::extract,
    wallet::{Branch, Wallet},
};
use roastery_frost::{
    NonceGenInputs, Seat, SecretShare, SessionContext, TweakContext, nonce_agg, nonce_gen, sign,
};
use roastery_protocol::group::Group as GroupFile;
use roastery_store::{Passphrase, Store};
use roastery_testkit::{
    Chance,
    payments::{elsewhere, judge_all, pay, spending},
};
use tokio::runtime::Runtime;

use crate::{
    chaos::links::Link,
    nodes::{
        changes::{address, adopted, epoch, plan},
        epochs::{current, epochs, erase},
        support::{Group, roastery, until},
    },
};

/// The seats of each node: seven in all, of which three must sign.
const SEATS: [u16; 6] = [2, 1, 1, 1, 1, 1];

/// The member that the second change removes.
const REMOVED: usize = 5;

struct Chain {
    group: Group,
    /// The link from each node to each other one.
    links: Vec<Vec<Option<Link>>>,
    chance: Chance,
    /// Relays the links.
    _runtime: Runtime,
}

impl Chain {
    /// A group whose nodes reach each other through relays.
    fn start(seed: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let group = Group::of_seats("chain", &SEATS, 3);
        let nodes = 0..SEATS.len();
        let peers: Vec<String> = nodes.clone().map(|node| group.peer(node)).collect();
        nodes.clone().for_each(|node| group.stop(node));
        let link = |from: usize, to: usize| {
            (from != to).then(|| runtime.block_on(Link::to(group.port(to))))
        };
        let row = |from: usize| nodes.clone().map(|to| link(from, to)).collect();
        let links: Vec<Vec<Option<Link>>> = nodes.clone().map(row).collect();
        for (from, row) in links.iter().enumerate() {
            let others = row.iter().zip(&peers).filter_map(|(link, peer)| {
                let port = link.as_ref()?.port;
                Some(format!("\"{peer}\" = [\"/ip4/127.0.0.1/tcp/{port}\"]\n"))
            });
            let others: String = others.collect();
            let section = format!("[transport.peers]\n{others}\n[transport]\n");
            group.edit(from, "[transport]\n", &section);
            group.restart(from, &[]);
        }
        Self { group, links, chance: Chance::new(seed), _runtime: runtime }
    }

    /// Cuts these nodes off from all others, or joins them with them again.
    fn cut_off(&self, few: &[usize], cut: bool) {
        for (from, row) in self.links.iter().enumerate() {
            let crossing = row.iter().enumerate();
            let crossing = crossing.filter(|(to, _)| few.contains(&from) != few.contains(to));
            for link in crossing.filter_map(|(_, link)| link.as_ref()) {
                if cut { link.cut() } else { link.heal() }
            }
        }
    }

    /// Kills one of these nodes by chance, at some time within half a second, and starts it again.
    fn may_kill(&mut self, nodes: &[usize]) {
        if self.chance.one_in(2) {
            let node = *self.chance.pick(nodes);
            sleep(Duration::from_millis(self.chance.below(500) as u64));
            self.group.kill(node);
            self.group.restart(node, &[]);
        }
    }

    /// Decides at a node, which may be killed or may not know of the epoch before yet.
    fn decide(&self, node: usize, what: &str, fingerprint: &str) {
        until("it is decided", || {
            let said = self.group.tell(node, &["change", what, "--fingerprint", fingerprint]);
            // It may have taken effect before the node was killed.
            (said.status == 0 || said.err.contains("epoch")).then_some(())
        });
    }

    /// Writes a backup of a node over its store.
    fn restore(&self, node: usize, backup: &str) {
        self.group.stop(node);
        let folder = self.group.node(node);
        fs::remove_file(folder.join("node.store")).unwrap();
        fs::remove_dir_all(folder.join("node.store.epochs")).unwrap();
        let words = folder.join("passphrase");
        let words = [("ROASTERY_PASSPHRASE_FILE", words.to_str().unwrap())];
        roastery(&["restore", backup, "--folder", folder.to_str().unwrap()], &words).well();
        self.group.restart(node, &[]);
    }

    /// A payment that is signed by these nodes, and accepted by consensus code.
    fn pays(&self, nodes: &[usize], name: &str) {
        let group = &self.group;
        let (file, _) = self.exported(nodes[0]);
        let wallet = Wallet::new(Arc::new(file)).unwrap();
        let ours = wallet.script(Branch::Receive, 0).unwrap();
        let change = wallet.script(Branch::Change, 0).unwrap();
        let made =
            spending(&[pay(100_000, ours)], vec![pay(60_000, elsewhere()), pay(39_000, change)]);
        let (file, out) = (group.path(&format!("{name}.psbt")), group.path(&format!("{name}.out")));
        fs::write(&file, BASE64_STANDARD.encode(made.serialize())).unwrap();
        let asked = ["psbt", "sign", &file, "--group", "local", "--wait", "0", "--json"];
        let asked = group.tell(nodes[0], &asked);
        let asked: serde_json::Value = serde_json::from_str(&asked.out).unwrap();
        let session = asked["session"].as_str().unwrap();
        for node in &nodes[1..] {
            group.approve(*node, session);
        }
        group.request_in(nodes[0], session, "signed");
        group.tell(nodes[0], &["psbt", "fetch", session, "--out", &out, "--binary"]).well();
        let signed = psbt::read(&fs::read(out).unwrap()).unwrap();
        let spent: Vec<TxOut> =
            made.inputs.iter().map(|input| input.witness_utxo.clone().unwrap()).collect();
        judge_all(&extract(&signed).unwrap(), &spent);
    }

    /// The group file of a node's newest epoch, and its descriptors and first address.
    fn exported(&self, node: usize) -> (GroupFile, String) {
        let shown = address(&self.group, node);
        let file = self.group.path(&format!("group-of-{node}"));
        (GroupFile::decode(&fs::read(file).unwrap()).unwrap(), shown)
    }

    /// The group and the shares of an epoch in the store of a stopped node.
    fn shares(&self, node: usize, number: u32) -> (Arc<GroupFile>, BTreeMap<Seat, SecretShare>) {
        let words = fs::read_to_string(self.group.node(node).join("passphrase")).unwrap();
        let words = Passphrase::new(words.trim().to_owned());
        let store = Store::open(self.group.node(node).join("node.store"), &words).unwrap();
        let mut groups = store.groups().unwrap().into_iter();
        let kept = groups.find(|kept| kept.group.epoch().number() == number).unwrap();
        (kept.group, kept.seats.into_iter().collect())
    }

    /// The shares of stopped nodes of two epochs: those of one epoch sign, and none sign where one
    /// of them is of the epoch before.
    fn mixed_shares_sign_nothing(&self, number: u32) {
        // Node 0 has two seats in each epoch, so that four seats are here.
        for node in 0..3 {
            self.group.stop(node);
        }
        let ((group, new), (_, old)) = (self.shares(0, number), self.shares(0, number - 1));
        let mut further = self.shares(1, number).1;
        further.extend(self.shares(2, number).1);
        for node in 0..3 {
            self.group.restart(node, &[]);
        }
        let copy = |share: &SecretShare| SecretShare::from_bytes(share.expose_bytes()).unwrap();
        let all = |first: &BTreeMap<Seat, SecretShare>| {
            let mut all: BTreeMap<Seat, SecretShare> =
                new.iter().chain(&further).map(|(seat, share)| (*seat, copy(share))).collect();
            let (seat, share) = first.first_key_value().unwrap();
            all.insert(*seat, copy(share));
            all
        };
        assert!(signs_with(&group, &all(&new)), "shares of one epoch sign");
        assert!(!signs_with(&group, &all(&old)), "an old share beside new ones signs nothing");
    }
}

/// Whether these shares come to a signature of the group.
fn signs_with(group: &GroupFile, shares: &BTreeMap<Seat, SecretShare>) -> bool {
    let (message, keys) = (b"shares of one epoch", group.keys());
    let seats: Vec<Seat> = shares.keys().copied().take(group.threshold()).collect();
    let inputs = NonceGenInputs { message: Some(message), ..NonceGenInputs::default() };
    let mut random = Chance::new(7);
    let nonces = seats.iter().map(|_| nonce_gen(&mut random, &inputs).unwrap());
    let (secret, public): (Vec<_>, Vec<_>) = nonces.unzip();
    let signers = keys.signers(&seats).unwrap();
    let tweaks = TweakContext::new(keys.threshold_public_key());
    let session = SessionContext::new(&signers, &nonce_agg(&public), &tweaks, message).unwrap();
    let parts = secret
        .into_iter()
        .zip(&seats)
        .map(|(nonce, seat)| sign(nonce, &shares[seat], *seat, &session).ok());
    let Some(parts) = parts.collect::<Option<Vec<_>>>() else { return false };
    session
        .aggregate_verified(&parts)
        .is_ok_and(|signature| signature.verify(&session.public_key(), message))
}

#[test]
#[ignore = "takes minutes of real time: just epochs"]
fn a_key_lives_through_five_epochs_with_kills_partitions_and_restored_backups() {
    let seed = std::env::var("ROASTERY_CHAIN_SEED").ok().map(|text| text.parse().unwrap());
    let mut chain = Chain::start(seed.unwrap_or(1));
    let (_, before) = chain.exported(0);
    chain.pays(&[0, 1], "epoch-0");
    let mut members: Vec<usize> = (0..SEATS.len()).collect();
    for number in 1..=5u32 {
        let of: &[&str] = match number {
            2 => &["remove", "--member", "node-5"],
            4 => &["threshold", "--threshold", "4"],
            _ => &["refresh"],
        };
        if number == 2 {
            members.retain(|node| *node != REMOVED);
        }
        one_epoch(&mut chain, number, of, &members);
        for node in &members {
            assert_eq!(chain.exported(*node).1, before, "address and descriptors are the same");
        }
        chain.mixed_shares_sign_nothing(number);
        // Four seats, or three: node 0 has two.
        chain.pays(&[0, 1, 2], &format!("epoch-{number}"));
        erase_all(&mut chain, number, &members);
        chain.pays(&[3, 4, 0], &format!("erased-{number}"));
        if number >= 2 {
            removed_member_has_no_effect(&chain, number);
        }
        println!("Epoch         {number}");
    }
}

/// One change with kills and a partition, and then a backup from before it is restored.
fn one_epoch(chain: &mut Chain, number: u32, of: &[&str], members: &[usize]) {
    let restored = 1 + number as usize % 4;
    let (file, fingerprint) = plan(&chain.group, of, members);
    // The card has left: its host key is in the backup, and gives the share with the certificate
    // where the plan was accepted before it.
    for node in members {
        chain.group.tell(*node, &["change", "propose", &file]).well();
        chain.may_kill(members);
    }
    for node in members {
        chain.decide(*node, "accept", &fingerprint);
        chain.may_kill(members);
    }
    let backup = chain.group.path(&format!("backup-{number}"));
    chain.group.tell(restored, &["backup", &backup]).well();
    // Two nodes are cut off while the others deal and come to choices, and again at the switch.
    let few = [*chain.chance.pick(&members[..2]), *chain.chance.pick(&members[2..])];
    chain.cut_off(&few, true);
    for node in members {
        chain.decide(*node, "approve", &fingerprint);
        chain.may_kill(members);
    }
    sleep(Duration::from_secs(2));
    chain.cut_off(&few, false);
    sleep(Duration::from_millis(chain.chance.below(1500) as u64));
    let other = *chain.chance.pick(members);
    chain.cut_off(&[other], true);
    chain.may_kill(members);
    sleep(Duration::from_secs(2));
    chain.cut_off(&[other], false);
    for node in members {
        adopted(&chain.group, *node, u64::from(number));
    }
    // The backup is from before the switch: the certificate comes from the others.
    chain.restore(restored, &backup);
    adopted(&chain.group, restored, u64::from(number));
    for entry in fs::read_dir(chain.group.path(".")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("plan-") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// All erase what the epoch supersedes, and are killed meanwhile; one is cut off for a while.
fn erase_all(chain: &mut Chain, number: u32, members: &[usize]) {
    let away = *chain.chance.pick(members);
    chain.cut_off(&[away], true);
    let at = *members.iter().find(|node| **node != away).unwrap();
    let waits = erase(&chain.group, at, &["--single-copy", "--wait", "2"]);
    assert!(waits.status != 0, "a member that is cut off is waited for: {waits:?}");
    chain.cut_off(&[away], false);
    for node in members {
        erase(&chain.group, *node, &["--single-copy", "--wait", "0"]);
        chain.may_kill(members);
        until("it is erased", || {
            let word = epochs(&chain.group, *node);
            if word["word"].is_null() {
                let fingerprint = word["fingerprint"].as_str().unwrap().to_owned();
                let words = ["group", "acknowledge", &number.to_string(), &fingerprint];
                let words = [&words[..], &["--group", "local"]].concat();
                chain.group.tell(*node, &words);
            }
            erase(&chain.group, *node, &["--single-copy", "--wait", "2"]);
            (epochs(&chain.group, *node)["held"] == serde_json::json!([])).then_some(())
        });
    }
}

/// The removed member knows the epoch, has no seat in it, and what it proposes in its own epoch is
/// signed by no other one.
fn removed_member_has_no_effect(chain: &Chain, number: u32) {
    let shown = current(&chain.group, REMOVED, u64::from(number));
    assert!(shown["holding"].is_null(), "{shown}");
    assert_eq!(epoch(&chain.group, REMOVED)["epoch"], 1);
    let session = chain.group.propose(REMOVED, &format!("by the removed member, {number}"));
    sleep(Duration::from_secs(3));
    let request = chain.group.request(REMOVED, &session);
    assert_ne!(request["state"], "signed", "{request}");
    for node in 0..REMOVED {
        let listed = chain.group.tell(node, &["requests", "--json"]).well();
        assert!(!listed.contains(&session), "{listed}");
    }
}
