//! The nodes: how they are made and started, and how faults are injected and ended.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use roastery_service::api::{Client, ClientError};
use serde_json::Value;

use crate::chaos::{PATIENCE, SIZE, THRESHOLD, books::Books, links::Link};
use crate::nodes::{
    clock::libfaketime,
    support::{Group, signal},
};

/// The node whose operator decides by hand.
pub(crate) const BY_HAND: usize = 2;

/// The node that has limits.
pub(crate) const LIMITED: usize = 4;

/// The most requests that the limited node signs, in an hour, and what may leave in a day, in
/// satoshi.
pub(crate) const MOST_PER_HOUR: usize = 40;
pub(crate) const MOST_PER_DAY: u64 = 6 * 61_000;

/// The node whose disk is small.
pub(crate) const SMALL_DISK: usize = 1;

/// The nodes whose clocks take steps.
pub(crate) const CLOCKS: [usize; 2] = [3, LIMITED];

pub(crate) struct Nodes {
    group: Group,
    processes: Vec<Mutex<Process>>,
    /// The link from each node to each other one.
    links: Vec<Vec<Option<Link>>>,
    books: Arc<Books>,
    faketime: Option<PathBuf>,
    disk: bool,
}

#[derive(Default)]
struct Process {
    child: Option<Child>,
    /// When a fault last began or ended.
    touched: Option<Instant>,
    hurt: bool,
}

/// The answer of a node's health.
#[derive(Debug, PartialEq)]
pub(crate) enum Health {
    Well,
    Ill(String),
    NoAnswer,
}

impl Nodes {
    /// Makes a group, puts relays between its nodes, and starts them.
    pub(crate) async fn start(books: Arc<Books>) -> Arc<Self> {
        let group = Group::start("chaos", SIZE as u16, THRESHOLD);
        let port = group.port(0);
        let peers: Vec<String> =
            (0..SIZE).map(|k| group.status(k)["peer"].as_str().unwrap().to_owned()).collect();
        for node in 0..SIZE {
            group.stop(node);
        }
        let mut links = Vec::new();
        for from in 0..SIZE {
            let mut row = Vec::new();
            for to in 0..SIZE {
                row.push(if from == to { None } else { Some(Link::to(port + to as u16).await) });
            }
            let others = (0..SIZE).filter(|to| *to != from).map(|to| {
                let port = row[to].as_ref().unwrap().port;
                format!("\"{}\" = [\"/ip4/127.0.0.1/tcp/{port}\"]\n", peers[to])
            });
            let others: String = others.collect();
            configure(&group, from, &others);
            links.push(row);
        }
        let disk = small_disk(&group);
        let faketime = libfaketime();
        for (what, there) in [("full disk", disk), ("clock steps", faketime.is_some())] {
            if !there {
                books.skip(what);
            }
        }
        let processes = (0..SIZE).map(|_| Mutex::default()).collect();
        let nodes = Arc::new(Self { group, processes, links, books, faketime, disk });
        for node in 0..SIZE {
            nodes.set_clock(node, 0);
            nodes.spawn(node);
        }
        nodes.await_health().await;
        nodes
    }

    pub(crate) fn has_small_disk(&self) -> bool {
        self.disk
    }

    pub(crate) fn has_clocks(&self) -> bool {
        self.faketime.is_some()
    }

    pub(crate) fn client(&self, node: usize) -> Client {
        Client::new(self.group.node(node).join("api.sock"))
    }

    pub(crate) fn group_file(&self) -> Vec<u8> {
        let file = self.group.path("group.roastery");
        let _ = fs::remove_file(&file);
        self.group.tell(0, &["group", "export", "local", "--group-file", &file]).well();
        fs::read(file).unwrap()
    }

    /// Queries a node, with retries.
    pub(crate) async fn get(&self, node: usize, path: &str) -> Result<Value, String> {
        let client = self.client(node);
        within(client.get(path)).await
    }

    pub(crate) async fn post(
        &self,
        node: usize,
        path: &str,
        body: &Value,
    ) -> Result<Value, String> {
        let client = self.client(node);
        within(client.post(path, body)).await
    }

    pub(crate) async fn health(&self, node: usize) -> Health {
        let client = self.client(node);
        match tokio::time::timeout(Duration::from_secs(10), client.get::<Value>("/health")).await {
            Ok(Ok(health)) if health["ok"] == true => Health::Well,
            Ok(Ok(health)) => Health::Ill(health.to_string()),
            Ok(Err(ClientError::Form(said))) => Health::Ill(said.to_string()),
            Ok(Err(ClientError::Problem(problem))) => Health::Ill(problem.message),
            Ok(Err(_)) | Err(_) => Health::NoAnswer,
        }
    }

    /// How long ago the last fault of a node ended; `None` during one.
    pub(crate) fn at_peace_for(&self, node: usize) -> Option<Duration> {
        let process = self.processes[node].lock().unwrap();
        let since = process.touched.map_or(Duration::ZERO, |touched| touched.elapsed());
        (!process.hurt).then_some(since)
    }

    /// Marks a node as faulty, if it is not already.
    pub(crate) fn hurt(&self, node: usize) -> bool {
        let mut process = self.processes[node].lock().unwrap();
        process.touched = Some(Instant::now());
        !std::mem::replace(&mut process.hurt, true)
    }

    pub(crate) fn healed(&self, node: usize) {
        let mut process = self.processes[node].lock().unwrap();
        process.touched = Some(Instant::now());
        process.hurt = false;
    }

    pub(crate) fn signal(&self, node: usize, name: &str) {
        let pid = self.processes[node].lock().unwrap().child.as_ref().map(Child::id);
        if let Some(pid) = pid {
            signal(name, pid);
        }
    }

    /// Starts a node that has ended, as a service manager does. Returns whether it had.
    pub(crate) fn restart_if_ended(&self, node: usize) -> bool {
        let ended = {
            let mut process = self.processes[node].lock().unwrap();
            process.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
        };
        if ended {
            self.spawn(node);
        }
        ended
    }

    fn spawn(&self, node: usize) {
        let folder = self.group.node(node);
        // A full disk has no room for a log line either; the log is elsewhere.
        let log = self.group.path(&format!("log-{node}"));
        let log = fs::File::options().create(true).append(true).open(log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_roastery"));
        command
            .args(["node", "--folder"])
            .arg(&folder)
            .env("ROASTERY_PASSPHRASE_FILE", folder.join("passphrase"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if let Some(library) = self.faketime.as_ref().filter(|_| CLOCKS.contains(&node)) {
            command
                .env("LD_PRELOAD", library)
                .env("FAKETIME_TIMESTAMP_FILE", self.clock(node))
                .env("FAKETIME_CACHE_DURATION", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .env("DONT_FAKE_MONOTONIC", "1")
                .env("NO_FAKE_STAT", "1");
        }
        let child = command.spawn().unwrap();
        let mut process = self.processes[node].lock().unwrap();
        process.child = Some(child);
        process.touched = Some(Instant::now());
    }

    fn clock(&self, node: usize) -> String {
        self.group.path(&format!("clock-{node}"))
    }

    /// Sets a node's wall clock so many seconds forward or back.
    pub(crate) fn set_clock(&self, node: usize, seconds: i64) {
        fs::write(self.clock(node), format!("{seconds:+}\n")).unwrap();
    }

    /// Fills a disk, or frees it.
    pub(crate) fn fill_disk(&self) {
        let mut file = fs::File::create(self.filler()).unwrap();
        let block = vec![0; 64 * 1024];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
    }

    pub(crate) fn empty_disk(&self) {
        let _ = fs::remove_file(self.filler());
    }

    fn filler(&self) -> PathBuf {
        self.group.node(SMALL_DISK).join("filler")
    }

    /// Both links between two nodes.
    pub(crate) fn between(&self, a: usize, b: usize) -> [&Link; 2] {
        [self.links[a][b].as_ref().unwrap(), self.links[b][a].as_ref().unwrap()]
    }

    /// Ends all faults, and waits until all nodes are healthy.
    pub(crate) async fn heal(&self) {
        self.empty_disk();
        for node in 0..SIZE {
            self.signal(node, "CONT");
            self.set_clock(node, 0);
            self.links[node].iter().flatten().for_each(Link::heal);
            self.healed(node);
        }
        self.await_health().await;
    }

    async fn await_health(&self) {
        let begun = Instant::now();
        for node in 0..SIZE {
            loop {
                self.restart_if_ended(node);
                let health = self.health(node).await;
                if health == Health::Well {
                    break;
                }
                if begun.elapsed() > PATIENCE {
                    let log = fs::read_to_string(self.group.path(&format!("log-{node}")));
                    let log = log.unwrap_or_default();
                    let last = log.lines().rev().take(3).collect::<Vec<_>>().join(" / ");
                    self.books.violation(format!(
                        "node {node} is not well {PATIENCE:?} after the last fault: {health:?}; {last}"
                    ));
                    break;
                }
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for process in &self.processes {
            if let Some(child) = &mut process.lock().unwrap().child {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        if self.disk {
            let _ = Command::new("umount").arg(self.group.node(SMALL_DISK)).output();
        }
    }
}

async fn within<T>(answer: impl Future<Output = Result<T, ClientError>>) -> Result<T, String> {
    match tokio::time::timeout(Duration::from_secs(20), answer).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("no answer within 20 seconds".to_owned()),
    }
}

fn configure(group: &Group, node: usize, peers: &str) {
    group.edit(node, "[transport]\n", &format!("[transport.peers]\n{peers}\n[transport]\n"));
    if node == BY_HAND {
        return;
    }
    let mut policy = "approval = \"automatic\"".to_owned();
    if node == LIMITED {
        policy += &format!("\nmost_per_hour = {MOST_PER_HOUR}");
        let day = format!("[policy.transactions]\nmost_per_day = {MOST_PER_DAY}\n");
        group.edit(node, "[policy.transactions]\n", &day);
    }
    group.set_policy(node, &policy);
}

/// Puts a node's folder onto a small file system of its own.
fn small_disk(group: &Group) -> bool {
    let folder = group.node(SMALL_DISK);
    let aside = folder.with_extension("aside");
    let mount = |options: &str| {
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&folder)
            .output();
        done.is_ok_and(|done| done.status.success())
    };
    fs::rename(&folder, &aside).unwrap();
    fs::create_dir(&folder).unwrap();
    let mounted = mount("size=24m,mode=0700");
    if !mounted {
        fs::remove_dir(&folder).unwrap();
        fs::rename(&aside, &folder).unwrap();
        return false;
    }
    let copied = Command::new("cp").args(["-a"]).arg(aside.join(".")).arg(&folder).output();
    assert!(copied.unwrap().status.success());
    true
}
