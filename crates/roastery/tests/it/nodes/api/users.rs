//! Other users of the machine at the API's socket.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::PathBuf,
    process::Command,
};

use serde_json::{Value, json};

use crate::nodes::{
    folder::{TestFolder, fresh_folder},
    support::{Group, Process, Said, node_command, until},
};

/// Users that every machine with Debian has, and the role of each here.
const USERS: [(&str, u32, &str); 4] = [
    ("daemon", 1, "reader"),
    ("bin", 2, "proposer"),
    ("sys", 3, "approver"),
    ("games", 5, "operator"),
];
const READER: u32 = 1;
const PROPOSER: u32 = 2;
const APPROVER: u32 = 3;
const OPERATOR: u32 = 5;
/// One without a role.
const NOBODY: u32 = 65534;

/// A group whose first node has its socket where other users reach it.
struct Machine {
    group: Group,
    open: TestFolder,
    _node: Process,
}

impl Machine {
    /// None where this process cannot be other users.
    fn start(name: &str, section: Option<&str>) -> Option<Self> {
        let named = |(name, number, _): &(&str, u32, &str)| {
            fs::read_to_string("/etc/passwd")
                .is_ok_and(|users| users.contains(&format!("{name}:x:{number}:")))
        };
        if !rustix::process::geteuid().is_root() || !USERS.iter().all(named) {
            eprintln!("skipped: {name} needs root, and the users of Debian");
            return None;
        }
        let open = fresh_folder(&format!("{name}-open"));
        fs::create_dir_all(&*open).unwrap();
        fs::set_permissions(&*open, fs::Permissions::from_mode(0o755)).unwrap();
        let group = Group::start(name, 2, 2);
        group.stop(0);
        let socket = format!("[api]\nsocket = {:?}\n", open.join("api.sock"));
        let section = section.map(|lines| format!("[operators]\n{lines}\n")).unwrap_or_default();
        group.edit(0, "[api]\n", &format!("{section}{socket}"));
        let passphrase = fs::read_to_string(group.node(0).join("passphrase")).unwrap();
        let node = node_command(&[], &group.node(0), passphrase.trim()).spawn().unwrap();
        let machine = Self { group, open, _node: Process(node) };
        until("the node answers", || {
            (machine.group.tell(0, &["health"]).status == 0).then_some(())
        });
        // The program is where they can run it.
        fs::copy(env!("CARGO_BIN_EXE_roastery"), machine.program()).unwrap();
        Some(machine)
    }

    fn socket(&self) -> PathBuf {
        self.open.join("api.sock")
    }

    fn program(&self) -> PathBuf {
        self.open.join("roastery")
    }

    /// Runs a command at the first node as this user.
    fn tell(&self, user: u32, arguments: &[&str]) -> Said {
        let mut command = Command::new(self.program());
        command.args(arguments).arg("--socket").arg(self.socket());
        command.uid(user).gid(user).env_clear().current_dir("/");
        Said::of(command.output().unwrap())
    }

    /// Who has done what at the first node, by the numbers of users.
    fn acts(&self) -> Vec<(Value, Value)> {
        let lines = self.group.tell(0, &["audit", "--json"]).well();
        let acts = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        acts.map(|act| (act["by"]["name"].clone(), act["act"].clone())).collect()
    }
}

fn roles() -> String {
    USERS.iter().map(|(name, _, role)| format!("{name} = \"{role}\"\n")).collect()
}

#[test]
fn each_user_of_the_machine_does_what_its_role_says_and_is_recorded() {
    let Some(machine) = Machine::start("users", Some(&roles())) else { return };
    let refused = |user, arguments: &[&str], says: &str| {
        let said = machine.tell(user, arguments);
        assert_ne!(said.status, 0, "{said:?}");
        assert!(said.err.contains(says), "{says}: {said:?}");
    };
    // One without a role reads nothing, and is told whose line is missing.
    refused(NOBODY, &["status"], "nobody (user 65534) has no role at this node");
    refused(NOBODY, &["requests"], "[operators]");

    // A reader looks.
    for user in [READER, PROPOSER, APPROVER, OPERATOR] {
        machine.tell(user, &["status"]).well();
        machine.tell(user, &["requests"]).well();
    }
    let sign = |text| ["sign", "--group", "local", "--text", text, "--wait", "0", "--json"];
    refused(READER, &sign("read"), "daemon (user 1) is reader at this node");
    refused(READER, &sign("read"), "needs the role proposer");

    // A proposer asks, and what it asks for waits.
    let made = machine.tell(PROPOSER, &sign("the rent")).request();
    assert_eq!(made["state"], "proposed", "{made}");
    let session = made["session"].as_str().unwrap().to_owned();
    let approve = ["approve", session.as_str(), "--yes", "--wait", "0"];
    refused(PROPOSER, &approve, "bin (user 2) is proposer at this node");
    refused(PROPOSER, &approve, "needs the role approver");
    assert_eq!(machine.group.request(0, &session)["state"], "proposed");

    // An approver decides, and changes nothing of the node.
    machine.tell(APPROVER, &approve).well();
    machine.group.approve(1, &session);
    machine.group.request_in(0, &session, "signed");
    for arguments in [
        &["stop"][..],
        &["token", "list"],
        &["kit"],
        &["invite", "--group", "other", "bert"],
        &["group", "bar", "node-1", "--group", "local", "--yes"],
    ] {
        refused(APPROVER, arguments, "sys (user 3) is approver at this node");
    }
    refused(APPROVER, &["stop"], "needs the role operator");

    // An operator does all of it, and so do root and the user of the node.
    let made = machine.tell(OPERATOR, &sign("the light")).request();
    assert_eq!(made["state"], "approved", "{made}");
    machine.tell(OPERATOR, &["token", "list"]).well();
    machine.group.tell(0, &["token", "list"]).well();

    let by = |user: u32, act: &str| (json!(user.to_string()), json!(act));
    let acts = machine.acts();
    for done in [by(PROPOSER, "proposed"), by(APPROVER, "approved"), by(OPERATOR, "approved")] {
        assert!(acts.contains(&done), "{done:?} in {acts:?}");
    }
    for never in [by(PROPOSER, "approved"), by(READER, "proposed"), by(NOBODY, "asked")] {
        assert!(!acts.contains(&never), "{never:?} in {acts:?}");
    }
    let shown = machine.group.tell(0, &["audit"]).well();
    assert!(shown.contains("sys (user 3)  approved"), "{shown}");
}

#[test]
fn without_roles_no_other_user_opens_the_socket() {
    let Some(machine) = Machine::start("no-users", None) else { return };
    let said = machine.tell(OPERATOR, &["status"]);
    assert_ne!(said.status, 0, "{said:?}");
    assert!(said.err.contains("this user may not do that there"), "{said:?}");
    machine.group.tell(0, &["status"]).well();
}

#[test]
fn a_user_without_a_role_takes_no_place_of_an_operator() {
    let Some(machine) = Machine::start("many-users", Some(&roles())) else { return };
    // As this user: connections that stay open, and say nothing.
    let script = "import socket, sys, time\n\
        held = []\n\
        for number in range(300):\n\
        \x20   one = socket.socket(socket.AF_UNIX)\n\
        \x20   one.connect(sys.argv[1])\n\
        \x20   held.append(one)\n\
        print('held', flush=True)\n\
        time.sleep(600)\n";
    let mut holding = Command::new("python3");
    holding.arg("-c").arg(script).arg(machine.socket()).uid(NOBODY).gid(NOBODY).current_dir("/");
    holding.stdout(std::process::Stdio::piped());
    let mut holding = crate::nodes::support::Process(holding.spawn().unwrap());
    let mut line = String::new();
    let out = holding.0.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    assert_eq!(line, "held\n");
    for _ in 0..3 {
        machine.group.tell(0, &["status"]).well();
        machine.tell(APPROVER, &["status"]).well();
    }
}

#[test]
fn a_name_that_is_no_user_is_found_with_its_line_and_a_socket_that_no_user_reaches_too() {
    let group = Group::start("closed-users", 2, 2);
    group.edit(0, "[api]\n", "[operators]\nroot = \"reader\"\nnoone-here = \"reader\"\n[api]\n");
    let folder = group.node(0);
    let text = fs::read_to_string(folder.join("roastery.toml")).unwrap();
    let line = 1 + text.lines().position(|line| line.starts_with("noone-here")).unwrap();
    let named = format!("[operators], line {line}: noone-here is no user of this machine");
    let checked = group.tell(0, &["config", "check"]);
    assert_ne!(checked.status, 0, "{checked:?}");
    assert!(checked.err.contains(&named), "{checked:?}");
    let found = group.tell(0, &["doctor"]);
    assert_ne!(found.status, 0, "{found:?}");
    assert!(found.out.contains(&named), "{found:?}");
    assert!(found.out.contains("is closed to others: set api.socket"), "{found:?}");
}
