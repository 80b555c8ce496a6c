//! What a service manager hears of a node: when it can be used, that it works, and that it stops.

use std::{
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::Path,
    time::Duration,
};

use crate::nodes::support::{
    Group, Process, TestFolder, fresh_folder, node_command, roastery, signal, until,
};

const WORDS: &str = "a few words more";

/// The time of the watchdog in these tests, in microseconds.
const SECOND: &str = "1000000";

/// A socket that hears what a node says, and the name of it for the node.
struct Ear {
    socket: UnixDatagram,
    name: String,
}

impl Ear {
    fn at(path: &Path) -> Self {
        Self::of(UnixDatagram::bind(path).unwrap(), path.to_str().unwrap().to_owned())
    }

    fn abstract_one(name: &str) -> Self {
        let address = SocketAddr::from_abstract_name(name).unwrap();
        Self::of(UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}"))
    }

    fn of(socket: UnixDatagram, name: String) -> Self {
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { socket, name }
    }

    /// The next message.
    fn hear(&self) -> String {
        let mut message = [0; 256];
        let length = self.socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    /// Forgets what has come so far.
    fn forget(&self) {
        self.socket.set_nonblocking(true).unwrap();
        while self.socket.recv(&mut [0; 256]).is_ok() {}
        self.socket.set_nonblocking(false).unwrap();
    }
}

fn made(name: &str) -> TestFolder {
    let folder = fresh_folder(name);
    let at = folder.join("node");
    let init = ["init", "--name", "one", "--folder", at.to_str().unwrap()];
    let listen = ["--listen", "/ip4/127.0.0.1/tcp/0"];
    roastery(&[&init[..], &listen].concat(), &[("ROASTERY_PASSPHRASE", WORDS)]).well();
    folder
}

fn run(folder: &Path, environment: &[(&str, &str)]) -> Process {
    let mut command = node_command(&[], &folder.join("node"), WORDS);
    Process(command.envs(environment.iter().copied()).spawn().unwrap())
}

fn is_healthy(folder: &Path) -> bool {
    let folder = folder.join("node");
    roastery(&["health", "--folder", folder.to_str().unwrap()], &[]).status == 0
}

#[test]
fn a_service_manager_hears_that_a_node_is_ready_that_it_works_and_that_it_stops() {
    let folder = made("ready");
    let name = format!("roastery-test-{}", std::process::id());
    for ear in [Ear::at(&folder.join("ear")), Ear::abstract_one(&name)] {
        let mut node = run(&folder, &[("NOTIFY_SOCKET", &ear.name), ("WATCHDOG_USEC", SECOND)]);
        assert_eq!(ear.hear(), "READY=1");
        // It is told no sooner than it is true.
        assert!(is_healthy(&folder));
        for _ in 0..5 {
            assert_eq!(ear.hear(), "WATCHDOG=1");
        }
        signal("TERM", node.0.id());
        let last = until("it stops", || Some(ear.hear()).filter(|said| said != "WATCHDOG=1"));
        assert_eq!(last, "STOPPING=1");
        assert_eq!(node.ended(), Some(0));
    }
}

#[test]
fn without_a_watchdog_of_its_own_a_node_tells_that_it_is_ready_and_no_more() {
    let folder = made("no-watchdog");
    let ear = Ear::at(&folder.join("ear"));
    let socket = ("NOTIFY_SOCKET", ear.name.as_str());
    for others in [&[][..], &[("WATCHDOG_USEC", SECOND), ("WATCHDOG_PID", "1")]] {
        let mut node = run(&folder, &[&[socket], others].concat());
        assert_eq!(ear.hear(), "READY=1");
        assert!(is_healthy(&folder));
        signal("TERM", node.0.id());
        assert_eq!(ear.hear(), "STOPPING=1");
        assert_eq!(node.ended(), Some(0));
    }
}

#[test]
fn a_service_manager_that_is_not_there_or_does_not_read_keeps_a_node_from_nothing() {
    let folder = made("no-manager");
    let deaf = Ear::at(&folder.join("deaf"));
    let full = UnixDatagram::unbound().unwrap();
    full.set_nonblocking(true).unwrap();
    while full.send_to(b"full", &deaf.name).is_ok() {}
    let gone = folder.join("gone");
    for socket in ["relative", "@", gone.to_str().unwrap(), &deaf.name] {
        let mut node = run(&folder, &[("NOTIFY_SOCKET", socket), ("WATCHDOG_USEC", SECOND)]);
        until("it is healthy", || is_healthy(&folder).then_some(()));
        signal("TERM", node.0.id());
        assert_eq!(node.ended(), Some(0), "{socket}");
    }
}

#[test]
fn a_full_disk_is_unhealthy_and_no_reason_to_start_a_node_again() {
    let folder = fresh_folder("watched-ear");
    let ear = Ear::at(&folder.join("ear"));
    let group = Group::start("watched", 2, 2);
    group.stop(1);
    let words = group.node(1).join("passphrase");
    let environment = [
        ("NOTIFY_SOCKET", ear.name.as_str()),
        ("WATCHDOG_USEC", SECOND),
        ("ROASTERY_PASSPHRASE_FILE", words.to_str().unwrap()),
    ];
    // A write beyond a limit of the system is an error to it, and not the end.
    let before = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];
    let mut command = node_command(&before, &group.node(1), "");
    command.env_remove("ROASTERY_PASSPHRASE").envs(environment);
    let _node = Process(command.spawn().unwrap());
    assert_eq!(ear.hear(), "READY=1");
    group.limit_files(1, "0");
    group.propose(0, "to a full disk");
    until("the store has failed", || {
        let said = group.tell(1, &["health"]);
        (said.status == 1 && said.err.contains("the store has failed")).then_some(())
    });
    ear.forget();
    assert_eq!(ear.hear(), "WATCHDOG=1");
    assert_eq!(group.tell(1, &["health"]).status, 1);
    group.limit_files(1, "unlimited");
    until("it is healthy again", || (group.tell(1, &["health"]).status == 0).then_some(()));
}
