//! What `roastery doctor` finds: before there is a node, while it is stopped and while it runs, and
//! with files that are not what they should be.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::Command,
};

use serde_json::Value;

use crate::nodes::support::{
    Process, TestFolder, free_ports, fresh_folder, node_command, roastery, signal, suspend, until,
};

const WORDS: &str = "a few words more";

/// Its findings at this folder: level and text of each one of a check.
struct Findings(Vec<Value>);

impl Findings {
    #[track_caller]
    fn at(folder: &Path) -> Self {
        let said = roastery(&["doctor", "--json", "--folder", folder.to_str().unwrap()], &[]);
        let all: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
        let checks = all["checks"].as_array().unwrap().clone();
        let wrong = checks.iter().any(|one| one["level"] == "wrong");
        assert_eq!((all["ok"] == true, said.status), (!wrong, i32::from(wrong)));
        Self(checks)
    }

    #[track_caller]
    fn have(&self, check: &str, level: &str, text: &str) {
        let found = self.0.iter().any(|one| {
            let said = one["text"].as_str().unwrap();
            one["check"] == check && one["level"] == level && said.contains(text)
        });
        assert!(found, "{check} {level} {text}: {:#?}", self.0);
    }

    fn has_check(&self, check: &str) -> bool {
        self.0.iter().any(|one| one["check"] == check)
    }
}

/// A folder with a node that listens at this port.
fn made(name: &str, port: u16, more: &[&str]) -> TestFolder {
    let folder = fresh_folder(name);
    let at = folder.join("node");
    let listen = format!("/ip4/127.0.0.1/tcp/{port}");
    let init = ["init", "--name", "one", "--folder", at.to_str().unwrap(), "--listen", &listen];
    roastery(&[&init[..], more].concat(), &[("ROASTERY_PASSPHRASE", WORDS)]).well();
    folder
}

fn run(folder: &Path) -> Process {
    let node = Process(node_command(&[], folder, WORDS).spawn().unwrap());
    let at = folder.to_str().unwrap();
    until("it is healthy", || {
        (roastery(&["health", "--folder", at], &[]).status == 0).then_some(())
    });
    node
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let listed = Command::new("find").arg(folder).args(["-printf", "%p %m %s\n"]).output().unwrap();
    let mut lines: Vec<String> =
        String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn before_there_is_a_node_doctor_says_what_will_be_needed_and_makes_nothing() {
    let folder = fresh_folder("doctor-none");
    let node = folder.join("node");
    let findings = Findings::at(&node);
    findings.have("folder", "ok", "roastery setup makes it");
    findings.have("configuration", "ok", "about the default");
    findings.have("disk", "ok", "MiB are free");
    findings.have("node", "ok", "does not run");
    assert!(findings.has_check("port") && findings.has_check("clock"));
    assert!(!node.exists());
    // The folder that a package makes is empty.
    fs::create_dir(&node).unwrap();
    fs::set_permissions(&node, fs::Permissions::from_mode(0o700)).unwrap();
    let findings = Findings::at(&node);
    findings.have("folder", "ok", "0700");
    findings.have("configuration", "ok", "not there yet");
    findings.have("writing", "ok", "written and removed");
    assert!(!findings.has_check("files") && !findings.has_check("addresses"));
    assert_eq!(files(&node).len(), 1);
}

#[test]
fn doctor_looks_at_a_stopped_and_at_a_running_node_and_changes_nothing() {
    let port = free_ports(1);
    let folder = made("doctor-node", port, &[]);
    let node = folder.join("node");
    let before = files(&node);
    let address = format!("/ip4/127.0.0.1/tcp/{port}");
    let findings = Findings::at(&node);
    findings.have("files", "ok", "3 of the node's files");
    findings.have("port", "ok", &format!("{address} (transport.listen) is free"));
    findings.have("host key", "ok", "until the group is made");
    findings.have("node", "ok", "does not run");
    assert_eq!(files(&node), before);

    let other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    Findings::at(&node).have("port", "wrong", "in use by another program");
    drop(other);

    let process = run(&node);
    let findings = Findings::at(&node);
    findings.have("node", "ok", "runs, and is healthy");
    findings.have("port", "ok", "in use, and the node runs");
    findings.have("version", "ok", env!("CARGO_PKG_VERSION"));
    findings.have("memory", "ok", "has opened its store");
    findings.have("open files", "ok", "the node's process");

    // What the configuration has become is wrong, and the node runs all the same.
    let config = node.join("roastery.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n[treasury]\n")).unwrap();
    let findings = Findings::at(&node);
    findings.have("configuration", "wrong", "unknown field `treasury`");
    findings.have("node", "ok", "runs, and is healthy");
    fs::write(&config, text).unwrap();

    suspend(process.0.id());
    let findings = Findings::at(&node);
    findings.have("node", "wrong", "has not answered within 5 seconds");
    signal("CONT", process.0.id());
}

#[test]
fn what_is_not_as_it_should_be_is_wrong_and_no_reason_to_hang() {
    let port = free_ports(1);
    let folder = made("doctor-hostile", port, &["--announce", "/dns/nowhere.invalid/tcp/7400"]);
    let node = folder.join("node");
    Findings::at(&node).have("name", "wrong", "/dns/nowhere.invalid/tcp/7400");

    let link = folder.join("link");
    symlink(&node, &link).unwrap();
    let findings = Findings::at(&link);
    findings.have("folder", "warning", "symbolic link");
    findings.have("files", "ok", "3 of the node's files");

    let key = node.join("host-key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    Findings::at(&node).have("files", "wrong", "run chmod 0600");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&node, fs::Permissions::from_mode(0o755)).unwrap();
    Findings::at(&node).have("folder", "wrong", "run chmod 0700");
    fs::set_permissions(&node, fs::Permissions::from_mode(0o700)).unwrap();

    let config = node.join("roastery.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n[treasury]\n")).unwrap();
    let findings = Findings::at(&node);
    findings.have("configuration", "wrong", "unknown field `treasury`");
    // What it would have said is not guessed.
    assert!(!findings.has_check("port"));
    fs::remove_file(&config).unwrap();
    assert!(Command::new("mkfifo").arg(&config).status().unwrap().success());
    Findings::at(&node).have("configuration", "wrong", "no regular file");
    // The node itself does not wait for the pipe's other end either.
    let started = roastery(&["node", "--folder", node.to_str().unwrap()], &[]);
    assert!(started.status == 2 && started.err.contains("no regular file"), "{started:?}");
    fs::remove_file(&config).unwrap();
    // A store without its configuration is no place for another node.
    Findings::at(&node).have("configuration", "wrong", "do not make another node");
    // A hook that keeps the node from starting.
    let hook = "[[hooks]]\nname = \"ops\"\non = [\"signed\"]\nurl = \"http://127.0.0.1:1\"\nsecret_file = \"none\"\n";
    let text = text.replace("\n[treasury]\n", "");
    fs::write(&config, format!("{text}\n{hook}")).unwrap();
    Findings::at(&node).have("hooks", "wrong", "hook ops: secret_file");
    fs::remove_file(&config).unwrap();
    symlink(&config, &config).unwrap();
    Findings::at(&node).have("configuration", "wrong", "roastery.toml: ");

    let file = folder.join("file");
    fs::write(&file, "").unwrap();
    Findings::at(&file).have("folder", "wrong", "is a file, and a folder is needed");
}
