//! A group that `roastery local` makes and runs, in a folder and on ports of its own. It ends with
//! the test, whatever its result.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

pub(crate) use super::folder::{TestFolder, fresh_folder};

/// The timeout of every wait. It never expires in a test that passes.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct Group {
    folder: TestFolder,
    port: u16,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn well(self) -> String {
        assert_eq!(self.status, 0, "{self:?}");
        self.out
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.well()).unwrap()
    }

    /// The request that was made, though the others may have refused it already: then the command
    /// has failed.
    #[track_caller]
    pub(crate) fn request(self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

/// So many free ports, one after the other, below those that the system gives out by itself.
pub(crate) fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let place = NEXT.fetch_add(count, Ordering::Relaxed);
        let begin = 20_000 + (std::process::id() as u16 % 100) * 100;
        let first = 20_000 + (begin - 20_000 + place) % 12_000;
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (first..first + count).all(free) {
            return first;
        }
    }
}

/// Runs a command that belongs to no node, or to the one at this folder.
pub(crate) fn roastery(arguments: &[&str], environment: &[(&str, &str)]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roastery"));
    command.args(arguments).envs(environment.iter().copied());
    Said::of(command.output().unwrap())
}

/// The same with a line that is typed.
pub(crate) fn roastery_typed(arguments: &[&str], environment: &[(&str, &str)], line: &str) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roastery"));
    command.args(arguments).envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may end before it reads.
    let _ = writeln!(child.stdin.take().unwrap(), "{line}");
    Said::of(child.wait_with_output().unwrap())
}

impl Group {
    pub(crate) fn start(name: &str, signers: u16, threshold: u16) -> Self {
        Self::start_with(name, signers, threshold, &[])
    }

    /// Makes a group whose nodes have this environment.
    pub(crate) fn start_with(
        name: &str,
        signers: u16,
        threshold: u16,
        environment: &[(&str, &str)],
    ) -> Self {
        Self::made(name, signers, &["--signers", &signers.to_string()], threshold, environment)
    }

    /// Makes a group of nodes of so many seats each.
    pub(crate) fn of_seats(name: &str, seats: &[u16], threshold: u16) -> Self {
        Self::of_seats_with(name, seats, threshold, &[])
    }

    /// Makes a group of nodes of so many seats each, which have this environment.
    pub(crate) fn of_seats_with(
        name: &str,
        seats: &[u16],
        threshold: u16,
        environment: &[(&str, &str)],
    ) -> Self {
        let nodes = u16::try_from(seats.len()).unwrap();
        let seats: Vec<String> = seats.iter().map(u16::to_string).collect();
        Self::made(name, nodes, &["--seats", &seats.join(",")], threshold, environment)
    }

    fn made(
        name: &str,
        nodes: u16,
        members: &[&str],
        threshold: u16,
        environment: &[(&str, &str)],
    ) -> Self {
        let group = Self { folder: fresh_folder(name), port: free_ports(nodes) };
        let (threshold, port) = (threshold.to_string(), group.port.to_string());
        let options = [members, &["--threshold", &threshold, "--port", &port]].concat();
        group.local(&options, environment).well();
        group
    }

    /// One in this folder, which may be made in part.
    pub(crate) fn at(folder: TestFolder) -> Self {
        Self { folder, port: 0 }
    }

    pub(crate) fn local(&self, options: &[&str], environment: &[(&str, &str)]) -> Said {
        let folder = self.folder.to_str().unwrap();
        roastery(&[&["local", "--folder", folder], options].concat(), environment)
    }

    /// A node's folder.
    pub(crate) fn node(&self, node: usize) -> PathBuf {
        self.folder.join(format!("node-{node}"))
    }

    /// The port at which a node listens.
    pub(crate) fn port(&self, node: usize) -> u16 {
        self.port + u16::try_from(node).unwrap()
    }

    /// A node's peer id, from its card.
    pub(crate) fn peer(&self, node: usize) -> String {
        let card = fs::read_to_string(self.node(node).join("card.toml")).unwrap();
        let line = card.lines().find_map(|line| line.strip_prefix("peer = ")).unwrap();
        line.trim_matches('"').to_owned()
    }

    /// A path in the group's folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// Runs a command at a node.
    pub(crate) fn tell(&self, node: usize, arguments: &[&str]) -> Said {
        let folder = self.node(node);
        roastery(&[arguments, &["--folder", folder.to_str().unwrap()]].concat(), &[])
    }

    /// Starts a node that is there.
    pub(crate) fn restart(&self, node: usize, environment: &[(&str, &str)]) {
        self.local(&["--only", &node.to_string()], environment).well();
    }

    /// Runs a node in the foreground, for as long as it runs.
    pub(crate) fn run(&self, node: usize, environment: &[(&str, &str)]) -> Said {
        let folder = self.node(node);
        let quiet = ("ROASTERY_OBSERVABILITY_LOG", "error");
        let words = folder.join("passphrase");
        let words = ("ROASTERY_PASSPHRASE_FILE", words.to_str().unwrap());
        let environment = [environment, &[quiet, words]].concat();
        roastery(&["node", "--folder", folder.to_str().unwrap()], &environment)
    }

    /// Starts a node to which a write beyond a limit of the system is an error, and not the end.
    pub(crate) fn restart_ignoring_file_limits(&self, node: usize) {
        let (folder, node) = (self.folder.to_str().unwrap(), node.to_string());
        let started = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_roastery")])
            .args(["local", "--folder", folder, "--only", &node])
            .output()
            .unwrap();
        Said::of(started).well();
    }

    /// Ends a node that may have ended by itself.
    pub(crate) fn kill_if_it_runs(&self, node: usize) {
        let folder = self.node(node).to_str().unwrap().to_owned();
        for pid in processes(&self.folder) {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if line.split(|byte| *byte == 0).any(|argument| argument == folder.as_bytes()) {
                signal("KILL", pid);
            }
        }
        until("the process is gone", || {
            self.tell(node, &["status"]).err.contains("no node runs here").then_some(())
        });
    }

    pub(crate) fn stop(&self, node: usize) {
        self.tell(node, &["stop"]).well();
    }

    /// Ends a node like a power failure does.
    pub(crate) fn kill(&self, node: usize) {
        let pid = self.status(node)["pid"].as_u64().unwrap();
        signal("KILL", u32::try_from(pid).unwrap());
        until("the process is gone", || {
            self.tell(node, &["status"]).err.contains("no node runs here").then_some(())
        });
    }

    /// Puts lines into a node's policy; it has them when it is started again.
    pub(crate) fn set_policy(&self, node: usize, lines: &str) {
        self.edit(node, "[policy]\n", &format!("[policy]\n{lines}\n"));
    }

    pub(crate) fn edit(&self, node: usize, from: &str, to: &str) {
        let path = self.node(node).join("roastery.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// From now on a node's process can write into no file beyond so many bytes, or as it likes
    /// again: unlimited.
    pub(crate) fn limit_files(&self, node: usize, bytes: &str) {
        let pid = self.status(node)["pid"].to_string();
        let limit = format!("--fsize={bytes}:unlimited");
        let done = Command::new("prlimit").args(["--pid", &pid, &limit]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    pub(crate) fn status(&self, node: usize) -> Value {
        self.tell(node, &["status", "--json"]).json()
    }

    /// Proposes a text at a node and returns the session. A refusal of the others before the
    /// command ends does not matter.
    pub(crate) fn propose(&self, node: usize, text: &str) -> String {
        let sign = ["sign", "--group", "local", "--text", text, "--wait", "0", "--json"];
        self.tell(node, &sign).request()["session"].as_str().unwrap().to_owned()
    }

    /// A request as a node knows it, once it does.
    pub(crate) fn request(&self, node: usize, session: &str) -> Value {
        let mut last = None;
        let begin = Instant::now();
        until("the request is known", || {
            let said = self.tell(node, &["requests", session, "--json"]);
            if said.status == 0 {
                return Some(said.json()[0].clone());
            }
            let late = begin.elapsed() > PATIENCE - Duration::from_secs(1);
            assert!(!late, "the request is not known: {last:?}");
            last = Some(said);
            None
        })
    }

    /// A request at a node, once it is in this state there.
    pub(crate) fn request_in(&self, node: usize, session: &str, state: &str) -> Value {
        let mut last = Value::Null;
        until(state, || {
            last = self.request(node, session);
            (last["state"] == state).then(|| last.clone())
        })
    }

    /// Approves a request at a node as soon as it is known there, and waits for nothing.
    pub(crate) fn approve(&self, node: usize, session: &str) {
        self.request(node, session);
        self.tell(node, &["approve", session, "--yes", "--wait", "0"]).well();
    }

    /// Posts to a node's API, and returns the answer.
    pub(crate) fn post(&self, node: usize, path: &str) -> Value {
        self.call("POST", node, path)
    }

    /// Gets from a node's API.
    pub(crate) fn get(&self, node: usize, path: &str) -> Value {
        self.call("GET", node, path)
    }

    fn call(&self, method: &str, node: usize, path: &str) -> Value {
        let mut stream = UnixStream::connect(self.node(node).join("api.sock")).unwrap();
        let head = "HTTP/1.1\r\nhost: node\r\nconnection: close\r\ncontent-length: 0";
        stream.write_all(format!("{method} {path} {head}\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// The audit log's entries of this session.
    pub(crate) fn log(&self, node: usize, session: &str) -> Vec<Value> {
        let lines = self.tell(node, &["log", "--json"]).well();
        let entries = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        entries.filter(|entry| entry["session"] == session).collect()
    }
}

/// A node that was started by hand. It ends with the test.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Its exit status, once it has ended.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        until("the process has ended", || self.0.try_wait().unwrap()).code()
    }
}

/// What runs the node at this folder. The program before it, if there is one, gets it as its
/// arguments.
pub(crate) fn node_command(before: &[&str], folder: &Path, passphrase: &str) -> Command {
    let words: Vec<&str> = before
        .iter()
        .copied()
        .chain([env!("CARGO_BIN_EXE_roastery"), "node", "--folder"])
        .collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(folder).env("ROASTERY_PASSPHRASE", passphrase);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

impl Drop for Group {
    fn drop(&mut self) {
        for pid in processes(&self.folder) {
            signal("KILL", pid);
        }
    }
}

/// The processes with an argument in this folder.
pub(crate) fn processes(folder: &Path) -> Vec<u32> {
    let folder = folder.to_str().unwrap();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut arguments = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        arguments
            .any(|argument| argument.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    })
    .collect()
}

pub(crate) fn signal(name: &str, pid: u32) {
    let _ = Command::new("kill").args(["-s", name, &pid.to_string()]).output();
}

/// Stops a process, and waits until none of it runs.
pub(crate) fn suspend(pid: u32) {
    signal("STOP", pid);
    until("the process is stopped", || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The state follows the name of the program, which is in parentheses.
        let (_, rest) = stat.rsplit_once(") ")?;
        rest.starts_with('T').then_some(())
    });
}

/// Waits for something that must come.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(30));
    }
}
