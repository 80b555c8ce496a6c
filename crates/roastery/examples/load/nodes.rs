use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use roastery_service::{api::Client, view::Status};

use super::{Failure, Options, kept};

/// The unit of the times in `/proc`, in milliseconds: Linux shows hundredths of a second.
const TICK_MS: u64 = 10;

/// Running daemons of one group, in a temporary folder.
pub(crate) struct Nodes {
    program: PathBuf,
    folder: PathBuf,
    /// Of each node the client, which uses its connections again.
    clients: Vec<Client>,
}

/// The resources that all nodes have used so far.
pub(crate) struct Taken {
    pub(crate) cpu_ms: f64,
    pub(crate) syncs: f64,
}

impl Taken {
    pub(crate) fn since(self, before: &Taken) -> Taken {
        Taken { cpu_ms: self.cpu_ms - before.cpu_ms, syncs: self.syncs - before.syncs }
    }
}

impl Nodes {
    /// Makes a group whose nodes approve what their rules allow, and starts them.
    pub(crate) fn start(options: &Options) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("roastery-load-{}", std::process::id()));
        let socket = |node: usize| folder.join(format!("node-{node}")).join("api.sock");
        let clients = (0..options.signers).map(|node| Client::new(socket(node))).collect();
        let nodes = Self { program: program()?, folder, clients };
        let numbers = [options.signers, options.threshold, usize::from(options.port)];
        let [signers, threshold, port] = numbers.map(|number| number.to_string());
        nodes.local(&["--signers", &signers, "--threshold", &threshold, "--port", &port])?;
        Ok(nodes)
    }

    pub(crate) fn client(&self, node: usize) -> Client {
        self.clients[node].clone()
    }

    /// The resources that the nodes have used since they were started.
    pub(crate) async fn taken(&self) -> Result<Taken, Failure> {
        let mut taken = Taken { cpu_ms: 0.0, syncs: 0.0 };
        for node in 0..self.clients.len() {
            taken.cpu_ms += self.process(node).await?.cpu_ms()? as f64;
            let metrics = self.client(node).bytes("/metrics").await?;
            let metrics = String::from_utf8(metrics.to_vec())?;
            let syncs =
                metrics.lines().find_map(|line| line.strip_prefix("roastery_store_syncs_total "));
            taken.syncs += syncs.ok_or("no roastery_store_syncs_total")?.parse::<f64>()?;
        }
        Ok(taken)
    }

    pub(crate) fn count(&self) -> usize {
        self.clients.len()
    }

    /// The memory of each node, in KiB.
    pub(crate) async fn memory(&self) -> Result<Vec<u64>, Failure> {
        let mut memory = Vec::new();
        for node in 0..self.clients.len() {
            memory.push(self.process(node).await?.memory_kib("VmRSS:")?);
        }
        Ok(memory)
    }

    pub(crate) async fn process(&self, node: usize) -> Result<Process, Failure> {
        let status: Status = self.client(node).get("/v1/status").await?;
        Ok(Process(status.pid))
    }

    /// How long a command takes at a node, with its process.
    pub(crate) fn command(&self, node: usize, arguments: &[&str]) -> Result<Duration, Failure> {
        let begun = Instant::now();
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--folder").arg(self.node(node));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        if command.status()?.success() {
            Ok(begun.elapsed())
        } else {
            Err(format!("roastery {} has failed", arguments.join(" ")).into())
        }
    }

    /// Stops all nodes, puts so many signed requests into the store of node 0, and starts them
    /// again. Returns how long their start took.
    pub(crate) fn restart_with(&self, kept: usize) -> Result<Duration, Failure> {
        self.local(&["--stop"])?;
        let passphrase = fs::read_to_string(self.node(0).join("passphrase"))?;
        kept::fill(&self.node(0).join("node.store"), &passphrase, kept)?;
        let begun = Instant::now();
        self.local(&[])?;
        Ok(begun.elapsed())
    }

    fn node(&self, node: usize) -> PathBuf {
        self.folder.join(format!("node-{node}"))
    }

    fn local(&self, options: &[&str]) -> Result<(), Failure> {
        let mut command = Command::new(&self.program);
        command.arg("local").arg("--folder").arg(&self.folder).args(options);
        command.env("ROASTERY_POLICY_APPROVAL", "automatic").stdout(Stdio::null());
        if command.status()?.success() { Ok(()) } else { Err("roastery local has failed".into()) }
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        if let Err(error) = self.local(&["--stop"]) {
            eprintln!("{}: {error}", self.folder.display());
        }
        // The folder is a temporary one: what cannot be removed may stay.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The command, which is built into the folder above the examples.
fn program() -> Result<PathBuf, Failure> {
    let example = std::env::current_exe()?;
    let folder = example.parent().and_then(|examples| examples.parent());
    let program = folder.ok_or("no folder of programs")?.join("roastery");
    if program.exists() {
        Ok(program)
    } else {
        Err(format!("{} is missing: cargo build --release -p roastery", program.display()).into())
    }
}

/// A process, as `/proc` shows it.
pub(crate) struct Process(u32);

impl Process {
    /// The CPU time that it has used, in milliseconds.
    fn cpu_ms(&self) -> Result<u64, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The name of the program, in brackets, may have spaces.
        let fields: Vec<&str> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let [user, system] = [11, 12].map(|at| fields.get(at).and_then(|field| field.parse().ok()));
        let ticks = user.zip(system).map(|(user, system): (u64, u64)| user + system);
        Ok(ticks.ok_or("no times")? * TICK_MS)
    }

    /// Its memory in KiB: `VmRSS:` now, `VmHWM:` at most.
    pub(crate) fn memory_kib(&self, which: &str) -> Result<u64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let memory = status.lines().find_map(|line| line.strip_prefix(which));
        Ok(memory.and_then(|line| line.split_whitespace().next()).ok_or("no memory")?.parse()?)
    }

    /// Resets its greatest memory.
    pub(crate) fn forget_peak(&self) -> Result<(), Failure> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.0), "5")?)
    }
}
