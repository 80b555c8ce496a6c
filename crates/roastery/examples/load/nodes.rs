use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use roastery_service::{api::Client, view::Status};

use super::{Failure, Options};

/// The unit of the times in `/proc`, in milliseconds: Linux shows hundredths of a second.
const TICK_MS: u64 = 10;

/// Running daemons of one group, in a folder that goes with them.
pub(crate) struct Nodes {
    program: PathBuf,
    folder: PathBuf,
    count: usize,
}

/// What all nodes have taken so far.
pub(crate) struct Taken {
    pub(crate) cpu_ms: f64,
    pub(crate) syncs: f64,
    /// Of the first node.
    pub(crate) memory_kib: u64,
}

impl Taken {
    pub(crate) fn since(self, before: &Taken) -> Taken {
        let (cpu_ms, syncs) = (self.cpu_ms - before.cpu_ms, self.syncs - before.syncs);
        Taken { cpu_ms, syncs, ..self }
    }
}

impl Nodes {
    /// Makes a group whose nodes approve what their rules allow, and starts them.
    pub(crate) fn start(options: &Options) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("roastery-load-{}", std::process::id()));
        let nodes = Self { program: program()?, folder, count: options.signers };
        let numbers = [options.signers, options.threshold, usize::from(options.port)];
        let [signers, threshold, port] = numbers.map(|number| number.to_string());
        nodes.local(&["--signers", &signers, "--threshold", &threshold, "--port", &port])?;
        Ok(nodes)
    }

    pub(crate) fn client(&self, node: usize) -> Client {
        Client::new(self.folder.join(format!("node-{node}")).join("api.sock"))
    }

    /// What the nodes have taken since they were started.
    pub(crate) async fn taken(&self) -> Result<Taken, Failure> {
        let mut taken = Taken { cpu_ms: 0.0, syncs: 0.0, memory_kib: 0 };
        for node in 0..self.count {
            let client = self.client(node);
            let status: Status = client.get("/v1/status").await?;
            let (cpu, memory) = process(status.pid)?;
            taken.cpu_ms += cpu as f64;
            if node == 0 {
                taken.memory_kib = memory;
            }
            let metrics = String::from_utf8(client.bytes("/metrics").await?.to_vec())?;
            let syncs =
                metrics.lines().find_map(|line| line.strip_prefix("roastery_store_syncs_total "));
            taken.syncs += syncs.ok_or("no roastery_store_syncs_total")?.parse::<f64>()?;
        }
        Ok(taken)
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
        // What stays behind is in the folder for what is temporary.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The command, which is built beside the examples.
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

/// The milliseconds of CPU that a process has taken, and its memory in KiB.
fn process(pid: u32) -> Result<(u64, u64), Failure> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in brackets, may have spaces.
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let [user, system] = [11, 12].map(|at| fields.get(at).and_then(|field| field.parse().ok()));
    let ticks: u64 =
        user.zip(system).map(|(user, system): (u64, u64)| user + system).ok_or("no times")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let memory = memory.and_then(|line| line.split_whitespace().next()).ok_or("no memory")?;
    Ok((ticks * TICK_MS, memory.parse()?))
}
