//! The machine: its clock, its memory, and what it allows a process.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Resource, getrlimit};

use super::finding::Finding;

/// The memory that opening a store takes once, in MiB (Argon2id), and what a node takes beside it.
const STORE_MIB: u64 = 256;
const REST_MIB: u64 = 64;

/// The file descriptors below which a node does not start, and those of a node with many peers and
/// clients.
const LEAST_FILES: u64 = 64;
const USUAL_FILES: u64 = 1024;

/// How long `timedatectl` may take.
const CLOCK_TIME: Duration = Duration::from_secs(3);

/// What the system says of its clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    Synchronised,
    NotSynchronised,
    /// It cannot be asked, for this reason.
    Unknown(String),
}

impl Clock {
    pub(super) fn system() -> Self {
        Self::ask("timedatectl", CLOCK_TIME)
    }

    fn ask(program: &str, patience: Duration) -> Self {
        let unknown = |reason: &str| Self::Unknown(format!("{program}: {reason}"));
        let asked = Command::new(program)
            .args(["show", "--property=NTPSynchronized", "--value"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut asked) = asked else { return unknown("there is no such program") };
        let begun = Instant::now();
        while let Ok(None) = asked.try_wait() {
            if begun.elapsed() > patience {
                let _ = asked.kill();
                let _ = asked.wait();
                return unknown("no answer in time");
            }
            sleep(Duration::from_millis(20));
        }
        // What it says fits into a pipe, and it has ended.
        match asked.wait_with_output().map(|said| said.stdout) {
            Ok(said) if said.trim_ascii() == b"yes" => Self::Synchronised,
            Ok(said) if said.trim_ascii() == b"no" => Self::NotSynchronised,
            _ => unknown("the system's clock service does not answer"),
        }
    }
}

/// Judges the clock, and that the store was not written in its future.
pub(super) fn clock(clock: &Clock, store_ahead: Option<Duration>) -> Finding {
    const CHECK: &str = "clock";
    const LITTLE: Duration = Duration::from_secs(10);
    match (clock, store_ahead) {
        (_, Some(ahead)) if ahead > LITTLE => Finding::wrong(
            CHECK,
            format!(
                "the store was last written {} s in the future of this clock: set the clock right (timedatectl set-ntp true) before the node starts",
                ahead.as_secs()
            ),
        ),
        (Clock::Synchronised, _) => Finding::ok(CHECK, "synchronised, as the system says"),
        (Clock::NotSynchronised, _) => Finding::warning(
            CHECK,
            "not synchronised, as the system says: requests seem to expire early or late; run timedatectl set-ntp true",
        ),
        (Clock::Unknown(reason), _) => Finding::warning(
            CHECK,
            format!(
                "whether it is synchronised is not known ({reason}): compare it with another one"
            ),
        ),
    }
}

/// The limits of a process. `None` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) files: Option<u64>,
    pub(super) core: Option<u64>,
}

impl Limits {
    /// Of this process, which what it starts inherits.
    pub(super) fn own() -> Self {
        let of = |resource| getrlimit(resource).current;
        Self { files: of(Resource::Nofile), core: of(Resource::Core) }
    }

    /// Of another process of this user.
    pub(super) fn of_process(pid: u32) -> Option<Self> {
        Self::read(&fs::read_to_string(format!("/proc/{pid}/limits")).ok()?)
    }

    /// Reads the system's table of a process' limits.
    fn read(table: &str) -> Option<Self> {
        let of = |name: &str| {
            let row = table.lines().find_map(|line| line.strip_prefix(name))?;
            match row.split_whitespace().next()? {
                "unlimited" => Some(None),
                number => number.parse().ok().map(Some),
            }
        };
        Some(Self { files: of("Max open files")?, core: of("Max core file size")? })
    }
}

/// Whose limits these are.
fn whose(running: bool) -> &'static str {
    if running { "the node's process" } else { "a process of this shell (the unit has its own)" }
}

pub(super) fn limits(limits: Limits, running: bool) -> [Finding; 2] {
    let whose = whose(running);
    let files = match limits.files {
        Some(files @ ..LEAST_FILES) => Finding::wrong(
            "open files",
            format!(
                "{whose} may have {files}, and a node needs {LEAST_FILES} at least: ulimit -n {USUAL_FILES}, or LimitNOFILE= of a unit"
            ),
        ),
        Some(files @ ..USUAL_FILES) => Finding::warning(
            "open files",
            format!(
                "{whose} may have {files}: with many peers and clients {USUAL_FILES} are needed; ulimit -n {USUAL_FILES}, or LimitNOFILE= of a unit"
            ),
        ),
        Some(files) => Finding::ok("open files", format!("{whose} may have {files}")),
        None => Finding::ok("open files", format!("{whose} may have any number")),
    };
    let core = match limits.core {
        Some(0) => Finding::ok("core dumps", format!("none of {whose}")),
        _ => Finding::warning(
            "core dumps",
            format!(
                "{whose} writes its memory into a file when it crashes, and secret keys are in it: ulimit -c 0, or LimitCORE=0 of a unit"
            ),
        ),
    };
    [files, core]
}

/// The memory that a new process can have, in MiB: what the machine has left, or its control group.
pub(super) fn free_memory() -> Option<u64> {
    let machine = available(&fs::read_to_string("/proc/meminfo").ok()?)?;
    Some(group_memory().map_or(machine, |group| group.min(machine)))
}

/// `MemAvailable` of the system's table, in MiB.
fn available(table: &str) -> Option<u64> {
    let row = table.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = row.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024)
}

/// What this process' control group leaves, in MiB, if it has a limit.
fn group_memory() -> Option<u64> {
    let number = |name| control(std::process::id(), name)?.parse::<u64>().ok();
    Some(number("memory.max")?.saturating_sub(number("memory.current")?) >> 20)
}

/// A value of the control group of a process.
fn control(pid: u32, name: &str) -> Option<String> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let path = Path::new("/sys/fs/cgroup").join(group).join(name);
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// Judges whether a store can be opened. A node that runs has done so.
pub(super) fn memory(free: Option<u64>, running: bool) -> Finding {
    const CHECK: &str = "memory";
    match free {
        _ if running => Finding::ok(CHECK, "the node has opened its store"),
        Some(free) if free < STORE_MIB + REST_MIB => Finding::wrong(
            CHECK,
            format!(
                "{free} MiB are free, and {} are needed: opening the store takes {STORE_MIB} once (Argon2id); end other programs, or use a larger machine",
                STORE_MIB + REST_MIB
            ),
        ),
        Some(free) => Finding::ok(
            CHECK,
            format!("{free} MiB are free; opening the store takes {STORE_MIB} once"),
        ),
        None => Finding::warning(
            CHECK,
            format!("how much is free is not known; opening the store takes {STORE_MIB} MiB once"),
        ),
    }
}

/// Whether memory can be written to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Swap {
    None,
    /// The machine has some, and the node's process is kept out of it.
    NotOfNode,
    Used,
    Unknown,
}

impl Swap {
    pub(super) fn of(node: Option<u32>) -> Self {
        match fs::read_to_string("/proc/swaps").ok().map(|table| has_swap(&table)) {
            None => Self::Unknown,
            Some(false) => Self::None,
            Some(true) => match node.and_then(|pid| control(pid, "memory.swap.max")).as_deref() {
                Some("0") => Self::NotOfNode,
                _ => Self::Used,
            },
        }
    }
}

/// Whether the system's table has a row below its head.
fn has_swap(table: &str) -> bool {
    table.lines().skip(1).any(|line| !line.trim().is_empty())
}

pub(super) fn swap(swap: Swap) -> Finding {
    const CHECK: &str = "swap";
    match swap {
        Swap::None => Finding::ok(CHECK, "none"),
        Swap::NotOfNode => Finding::ok(CHECK, "none of the node's memory"),
        Swap::Used => Finding::warning(
            CHECK,
            "this machine writes memory to a disk, and secret keys are in it: encrypt the swap, or swapoff -a; the unit keeps the node out of it (MemorySwapMax=0)",
        ),
        Swap::Unknown => {
            Finding::warning(CHECK, "whether memory is written to a disk is not known")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Level, *};

    #[track_caller]
    fn is(finding: &Finding, level: Level, said: &str) {
        assert!(finding.level == level && finding.text.contains(said), "{finding:?}");
    }

    #[test]
    fn a_clock_that_is_behind_the_store_is_wrong() {
        let ahead = |seconds| Some(Duration::from_secs(seconds));
        is(&clock(&Clock::Synchronised, ahead(11)), Level::Wrong, "11 s in the future");
        is(&clock(&Clock::Synchronised, ahead(10)), Level::Ok, "synchronised");
        is(&clock(&Clock::NotSynchronised, None), Level::Warning, "set-ntp true");
        is(&clock(&Clock::Unknown("x".into()), None), Level::Warning, "not known (x)");
    }

    #[test]
    fn a_clock_service_that_does_not_answer_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let program = |name: &str, lines: &str| {
            use std::os::unix::fs::PermissionsExt as _;
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let ask = |name, lines| Clock::ask(&program(name, lines), Duration::from_secs(30));
        assert_eq!(ask("yes", "echo yes"), Clock::Synchronised);
        assert_eq!(ask("no", "echo no"), Clock::NotSynchronised);
        assert!(matches!(ask("fails", "exit 1"), Clock::Unknown(_)));
        let hangs = program("hangs", "exec sleep 1000");
        let asked = Clock::ask(&hangs, Duration::from_millis(100));
        assert_eq!(asked, Clock::Unknown(format!("{hangs}: no answer in time")));
        assert!(matches!(Clock::ask("/nowhere", CLOCK_TIME), Clock::Unknown(_)));
    }

    #[test]
    fn limits_are_read_from_the_systems_table_of_a_process() {
        let table = "Limit                     Soft Limit           Hard Limit           Units     \n\
                     Max core file size        0                    unlimited            bytes     \n\
                     Max open files            1024                 524288               files     \n";
        let read = Limits { files: Some(1024), core: Some(0) };
        assert_eq!(Limits::read(table), Some(read));
        let unlimited = table.replace(" 0  ", " unlimited  ");
        assert_eq!(Limits::read(&unlimited), Some(Limits { core: None, ..read }));
        assert_eq!(Limits::read("Max open files"), None);
        assert_eq!(Limits::of_process(std::process::id()), Some(Limits::own()));
    }

    #[test]
    fn too_few_files_are_wrong_and_core_dumps_a_warning() {
        let judge = |files, core| limits(Limits { files, core }, true);
        is(&judge(Some(63), Some(0))[0], Level::Wrong, "needs 64 at least");
        is(&judge(Some(256), Some(0))[0], Level::Warning, "1024 are needed");
        is(&judge(Some(1024), Some(0))[0], Level::Ok, "1024");
        is(&judge(None, Some(0))[0], Level::Ok, "any number");
        is(&judge(None, Some(0))[1], Level::Ok, "none of the node's process");
        is(&judge(None, None)[1], Level::Warning, "ulimit -c 0");
        is(&judge(None, Some(1))[1], Level::Warning, "ulimit -c 0");
    }

    #[test]
    fn a_store_needs_its_memory_before_the_node_runs() {
        is(&memory(Some(319), false), Level::Wrong, "320 are needed");
        is(&memory(Some(320), false), Level::Ok, "320 MiB are free");
        is(&memory(Some(10), true), Level::Ok, "has opened its store");
        is(&memory(None, false), Level::Warning, "not known");
        assert_eq!(available("MemTotal: 5 kB\nMemAvailable:    2048 kB\n"), Some(2));
        assert_eq!(available("MemAvailable: many"), None);
    }

    #[test]
    fn swap_is_a_warning_unless_the_node_is_kept_out_of_it() {
        let head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert!(!has_swap(head) && !has_swap(""));
        assert!(has_swap(&format!("{head}/dev/dm-1 partition 1 0 -2\n")));
        is(&swap(Swap::Used), Level::Warning, "swapoff");
        is(&swap(Swap::None), Level::Ok, "none");
        is(&swap(Swap::NotOfNode), Level::Ok, "none of the node's");
    }
}
