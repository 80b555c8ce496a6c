//! A failure is reported, and does not affect other parts: a log without a reader, a full disk, a
//! start that cannot succeed, a process that is suspended.

use std::{
    fs::File,
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::nodes::support::{
    Group, Process, free_ports, fresh_folder, node_command, roastery, signal, suspend, until,
};

const WORDS: &str = "a few words more";

/// The passphrase of a node that `roastery local` has made.
fn words_of(node: usize) -> String {
    format!("passphrase of node {node}")
}

/// Makes a node that listens at this address.
fn init(folder: &Path, listen: &str) {
    let at = folder.to_str().unwrap();
    let init = ["init", "--name", "one", "--folder", at, "--listen", listen];
    roastery(&init, &[("ROASTERY_PASSPHRASE", WORDS)]).well();
}

fn is_healthy(folder: &Path) -> bool {
    roastery(&["health", "--folder", folder.to_str().unwrap()], &[]).status == 0
}

/// The value of a counter of a node.
fn metric(folder: &Path, name: &str) -> u64 {
    use std::{io::Write as _, os::unix::net::UnixStream};
    let mut stream = UnixStream::connect(folder.join("api.sock")).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let line = text.lines().find(|line| line.starts_with(name));
    line.unwrap_or_else(|| panic!("{text}")).rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_node_whose_standard_error_is_dead_or_full_starts_signs_and_counts_the_lines() {
    let group = Group::start("dead-log", 2, 2);
    for full in [false, true] {
        group.stop(1);
        let folder = group.node(1);
        let mut command = node_command(&[], &folder, &words_of(1));
        let log = match full {
            true => Stdio::from(File::options().write(true).open("/dev/full").unwrap()),
            false => Stdio::piped(),
        };
        let mut process = Process(command.stderr(log).spawn().unwrap());
        // Now the pipe has no reader.
        drop(process.0.stderr.take());
        until("it runs", || is_healthy(&folder).then_some(()));
        let session = group.propose(0, &format!("with a log that is gone: {full}"));
        group.approve(1, &session);
        group.request_in(0, &session, "signed");
        assert!(is_healthy(&folder));
        assert!(metric(&folder, "roastery_log_lines_lost_total") > 0);
        signal("TERM", process.0.id());
        assert_eq!(process.ended(), Some(0));
        group.restart(1, &[]);
    }
}

#[test]
fn a_command_without_a_reader_of_its_errors_ends_as_it_should() {
    let folder = fresh_folder("no-reader");
    let mut command = Command::new(env!("CARGO_BIN_EXE_roastery"));
    command.args(["status", "--folder", folder.to_str().unwrap()]);
    let mut child = Process(command.stderr(Stdio::piped()).spawn().unwrap());
    drop(child.0.stderr.take());
    assert_eq!(child.ended(), Some(2));
}

/// No file of this process may grow or be written beyond so many bytes.
fn limit_files(process: &Process, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let pid = process.0.id().to_string();
    let done = Command::new("prlimit").args(["--pid", &pid, &limit]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn a_store_whose_disk_fails_is_told_by_health_and_opens_itself_again() {
    let group = Group::start("disk-fails", 2, 2);
    group.stop(1);
    let folder = group.node(1);
    // Beyond the limit a write is an error then, as on a full disk, and no signal.
    let before = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];
    let mut process = Process(node_command(&before, &folder, &words_of(1)).spawn().unwrap());
    until("it runs", || is_healthy(&folder).then_some(()));
    limit_files(&process, "1");
    let session = group.propose(0, "for which there is no room");
    let said = until("health tells", || {
        let said = group.tell(1, &["health"]);
        (said.status == 1).then_some(said)
    });
    assert!(said.err.contains("the store has failed, so no share leaves"), "{said:?}");
    assert_eq!(group.tell(1, &["health", "--ready"]).status, 1);
    // It goes on like that for as long as there is no room.
    std::thread::sleep(Duration::from_secs(2));
    assert!(!is_healthy(&folder));
    assert_eq!(process.0.try_wait().unwrap(), None);
    limit_files(&process, "unlimited");
    until("the store is open again", || is_healthy(&folder).then_some(()));
    group.approve(1, &session);
    group.request_in(0, &session, "signed");
    assert!(!group.log(1, &session).is_empty());
    signal("TERM", process.0.id());
    assert_eq!(process.ended(), Some(0));
}

#[test]
fn a_start_without_an_interface_ends_with_the_address_and_obeys_signals_before() {
    let folder = fresh_folder("no-net");
    let at = folder.join("node");
    init(&at, "/ip4/0.0.0.0/tcp/7400");
    // A network of its own, in which not even the loopback interface is up.
    let alone = ["unshare", "--map-root-user", "--net"];
    let allowed = Command::new("unshare").args(&alone[1..]).arg("true").status();
    if !allowed.is_ok_and(|status| status.success()) {
        // Containers without user namespaces. `.ci/run` is to be run where there are some.
        return;
    }
    let start = || {
        let mut command = node_command(&alone, &at, WORDS);
        Process(command.stderr(Stdio::piped()).spawn().unwrap())
    };
    let mut node = start();
    let mut said = String::new();
    assert_eq!(node.ended(), Some(2));
    node.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("error: cannot listen at /ip4/0.0.0.0/tcp/7400: no interface"), "{said}");

    let mut node = start();
    let store = at.join("node.store");
    until("it has its store", || {
        let file = File::open(&store).unwrap();
        file.try_lock_shared().is_err().then_some(())
    });
    let begin = Instant::now();
    signal("TERM", node.0.id());
    assert_eq!(node.ended(), Some(0));
    // Sooner than by itself.
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}

#[test]
fn of_two_nodes_at_one_port_the_second_one_says_so_and_ends() {
    let folder = fresh_folder("one-port");
    let listen = format!("/ip4/127.0.0.1/tcp/{}", free_ports(1));
    let (first, second) = (folder.join("first"), folder.join("second"));
    init(&first, &listen);
    init(&second, &listen);
    let _running = Process(node_command(&[], &first, WORDS).spawn().unwrap());
    until("it runs", || is_healthy(&first).then_some(()));
    let words = [("ROASTERY_PASSPHRASE", WORDS)];
    let said = roastery(&["node", "--folder", second.to_str().unwrap()], &words);
    assert_eq!(said.status, 2, "{said:?}");
    let reason = format!("error: cannot listen at {listen}: Address already in use");
    assert!(said.err.contains(&reason), "{said:?}");
    assert!(is_healthy(&first));
}

#[test]
fn a_process_that_is_stopped_keeps_no_command_waiting() {
    let folder = fresh_folder("stopped");
    let at = folder.join("node");
    init(&at, "/ip4/127.0.0.1/tcp/0");
    let path = at.to_str().unwrap();
    let process = Process(node_command(&[], &at, WORDS).spawn().unwrap());
    until("it runs", || is_healthy(&at).then_some(()));
    suspend(process.0.id());
    let said = roastery(&["health", "--within", "1", "--folder", path], &[]);
    assert_eq!(said.status, 1);
    assert!(said.err.contains("has not answered within 1 seconds"), "{said:?}");
    let said = roastery(&["status", "--folder", path], &[]);
    assert_eq!(said.status, 2);
    assert!(said.err.contains("has not answered within"), "{said:?}");
    signal("CONT", process.0.id());
    until("it answers again", || is_healthy(&at).then_some(()));
}
