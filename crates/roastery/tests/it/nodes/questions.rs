//! What `setup` and `invite` ask on a terminal, and the option for each question.

use std::{fs, path::Path};

use serde_json::Value;

use crate::nodes::{
    support::{Said, TestFolder, free_ports, fresh_folder, processes, roastery, signal, until},
    terminal::{Terminal, on_terminal},
};

const PASSPHRASE: &str = "a passphrase of the tests\n";

/// A folder for a node, which is ended with the test if it runs.
struct Place(TestFolder);

impl Place {
    fn new(name: &str) -> Self {
        Self(fresh_folder(name))
    }

    fn node(&self) -> std::path::PathBuf {
        self.0.join("node")
    }

    fn tell(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Said {
        let folder = self.node();
        roastery(&[arguments, &["--folder", folder.to_str().unwrap()]].concat(), environment)
    }

    fn asks(&self, arguments: &[&str], typed: &[&str]) -> Said {
        on_terminal(&self.node(), arguments, typed, true)
    }

    /// A node that runs, made without a question.
    fn running(name: &str) -> Self {
        let (place, port) = (Self::new(name), free_ports(1).to_string());
        let words = place.0.join("words");
        fs::write(&words, PASSPHRASE).unwrap();
        let setup =
            ["setup", "--yes", "--name", "anna", "--address", "127.0.0.1", "--lan", "--start"];
        let options = ["--port", &port, "--passphrase-file", words.to_str().unwrap()];
        let said = place.tell(&[&setup[..], &options].concat(), &[]).well();
        assert!(said.contains("It runs until this machine stops"), "{said}");
        place
    }

    fn pairing(&self) -> Value {
        let all = self.call("/v1/pairings");
        let all = all.as_array().unwrap();
        all.iter().find(|one| one["state"] != "ended").unwrap().clone()
    }

    fn call(&self, path: &str) -> Value {
        use std::io::{Read as _, Write as _};
        let mut stream =
            std::os::unix::net::UnixStream::connect(self.node().join("api.sock")).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        processes(&self.0).into_iter().for_each(|pid| signal("KILL", pid));
    }
}

fn announced(node: &Path) -> String {
    let config = fs::read_to_string(node.join("roastery.toml")).unwrap();
    config.lines().find(|line| line.starts_with("announce")).unwrap().to_owned()
}

#[test]
fn setup_shows_a_list_refuses_what_others_cannot_call_and_starts_the_node() {
    let place = Place::new("setup-asks");
    let port = free_ports(1).to_string();
    let refused =
        ["127.0.0.1\n", "0.0.0.0\n", "10.0.0.1\n", "localhost\n", "no such name\n", "99\n"];
    let name = ["anna\n"];
    let rest = ["1\n", "no-such-name.invalid\n", "nowhere\n", "\n", PASSPHRASE, PASSPHRASE];
    let typed = [&name[..], &refused, &rest].concat();
    let said = place.asks(&["setup", "--port", &port], &typed);
    assert_eq!(said.status, 0, "{said:?}");
    for shown in
        ["  1  a DNS name\r\n", "  nowhere: it is behind a router", "is not known: correct it"]
    {
        assert!(said.out.contains(shown), "{shown}: {said:?}");
    }
    for host in ["127.0.0.1", "10.0.0.1", "localhost"] {
        let refused = format!("{host} can be called from this machine or its private network only");
        assert!(said.out.contains(&refused), "{host}: {said:?}");
    }
    assert!(said.out.contains("a number from 1 to "), "{said:?}");
    assert_eq!(announced(&place.node()), "announce = []");
    // It goes on though the terminal is gone.
    place.tell(&["health"], &[]).well();
    place.tell(&["stop"], &[]).well();
}

#[test]
fn setup_starts_nothing_where_the_answer_is_no() {
    let place = Place::new("setup-waits");
    let port = free_ports(1).to_string();
    let typed = ["anna\n", "127.0.0.1\n", "n\n", PASSPHRASE, PASSPHRASE];
    let said = place.asks(&["setup", "--lan", "--port", &port], &typed);
    assert!(said.status == 0 && said.out.contains("roastery node"), "{said:?}");
    assert!(announced(&place.node()).contains("/ip4/127.0.0.1/tcp/"));
    assert!(place.tell(&["health"], &[]).err.contains("no node runs here"));
    assert!(!place.node().join("log").exists());
}

#[test]
fn a_node_that_cannot_start_is_made_and_its_reason_is_said() {
    let place = Place::new("setup-in-use");
    let port = free_ports(1);
    let _taken = std::net::TcpListener::bind(("0.0.0.0", port)).unwrap();
    let port = port.to_string();
    let typed = ["anna\n", "127.0.0.1\n", "\n", PASSPHRASE, PASSPHRASE];
    let said = place.asks(&["setup", "--lan", "--port", &port], &typed);
    assert_eq!(said.status, 2, "{said:?}");
    assert!(said.out.contains("anna is made") && said.out.contains("does not start"), "{said:?}");
    assert!(said.out.contains("in use"), "{said:?}");
}

#[test]
fn invite_asks_how_many_must_sign_and_says_until_when_its_lines_can_be_used() {
    let place = Place::running("invite-asks");
    let typed = ["treasury\n", "bert cleo\n", "1\n", "4\n", "many\n", "3\n"];
    let said = place.asks(&["invite", "--no-wait"], &typed);
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(said.out.matches("How many must sign [2 of 3]: ").count(), 4, "{said:?}");
    assert_eq!(said.out.matches("a number from 2 to 3; Enter: 2").count(), 3, "{said:?}");
    assert!(said.out.contains("It works once, until "), "{said:?}");
    let pairing = place.pairing();
    assert_eq!(
        (&pairing["threshold"], pairing["members"].as_array().unwrap().len()),
        (&3.into(), 3)
    );

    // Codes only where they can be drawn; a line is never lost by that.
    let plain = [("LC_ALL", "C")];
    let refused = place.tell(&["invite", "--qr", "--no-wait"], &plain);
    assert!(refused.status == 2 && refused.err.contains("UTF-8"), "{refused:?}");
    let drawn = place.tell(&["invite", "--qr", "--no-wait"], &[("LC_ALL", "C.UTF-8")]).well();
    assert_eq!(drawn.matches("bert:\n").count(), 2, "{drawn}");
    assert!(drawn.contains('\u{2588}') && drawn.contains("bert:\nroast1"), "{drawn}");
}

#[test]
fn invite_without_a_member_begins_anew_with_the_others_and_voids_the_lines() {
    let place = Place::running("invite-without");
    let others = ["bert", "cleo", "dora"];
    let invite = ["invite", "--group", "treasury", "--threshold", "3", "--no-wait"];
    place.tell(&[&invite[..], &others].concat(), &[]).well();
    let before = place.pairing();
    let unknown = place.tell(&["invite", "--without", "emil", "--no-wait"], &[]);
    assert!(
        unknown.err.contains("emil is not invited; those who are: bert, cleo, dora"),
        "{unknown:?}"
    );
    assert_eq!(place.pairing()["id"], before["id"]);

    // As many as before would be all that are left: that is for a person to say.
    let all = place.tell(&["invite", "--without", "Cleo", "--no-wait"], &[]);
    assert!(all.err.contains("all 3 would have to sign"), "{all:?}");
    assert_eq!(place.pairing()["id"], before["id"]);
    let without = ["invite", "--without", "Cleo", "--threshold", "2", "--no-wait"];
    let said = place.tell(&without, &[]).well();
    assert!(said.contains("2 of 3 must sign now. The lines from before are void."), "{said}");
    let after = place.pairing();
    let names = |pairing: &Value| -> Vec<String> {
        let members = pairing["members"].as_array().unwrap().iter();
        members.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&after), ["anna", "bert", "dora"]);
    let lines = |pairing: &Value| pairing["members"][1]["line"].as_str().unwrap().to_owned();
    assert_ne!(lines(&after), lines(&before));
    let without = ["invite", "--without", "bert", "--threshold", "2", "--no-wait"];
    place.tell(&without, &[]).well();
    let last = place.tell(&["invite", "--without", "dora", "--no-wait"], &[]);
    assert!(last.err.contains("without dora no other member is left"), "{last:?}");
    assert_eq!(names(&place.pairing()), ["anna", "dora"]);
}

#[test]
fn a_node_that_setup_has_started_has_its_passphrase_in_no_variable() {
    let place = Place::running("setup-environment");
    for pid in processes(&place.0) {
        let variables = fs::read(format!("/proc/{pid}/environ")).unwrap();
        let variables = String::from_utf8_lossy(&variables);
        assert!(variables.contains("ROASTERY_PASSPHRASE_FILE=/dev/stdin"), "{variables}");
        assert!(!variables.contains(PASSPHRASE), "{variables}");
    }
    let log = fs::metadata(place.node().join("log")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&log.permissions()) & 0o777, 0o600);
}

#[test]
fn a_passphrase_that_cannot_be_printed_makes_no_node() {
    let place = Place::new("setup-unprinted");
    let line = format!(
        "{} setup --yes --name anna --address nowhere --make-passphrase --folder {} > /dev/full",
        env!("CARGO_BIN_EXE_roastery"),
        place.node().display()
    );
    let said = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
    let error = String::from_utf8(said.stderr).unwrap();
    assert!(error.contains("the passphrase could not be printed: nothing was made"), "{error}");
    assert_eq!(said.status.code(), Some(2));
    assert!(!place.node().exists());
}

#[test]
fn a_passphrase_that_is_made_is_typed_back_from_the_paper_and_opens_the_store() {
    let place = Place::new("setup-makes");
    let port = free_ports(1).to_string();
    let line = format!(
        "{} setup --lan --no-start --name anna --address 127.0.0.1 --port {port} --folder {}",
        env!("CARGO_BIN_EXE_roastery"),
        place.node().display()
    );
    let shows = |terminal: &Terminal, times: usize, text: &str| -> String {
        until(text, || {
            let shown = String::from_utf8(terminal.shown()).unwrap();
            (shown.matches(text).count() >= times).then_some(shown)
        })
    };
    // Who leaves while it is on the screen leaves the screen too.
    let mut left = Terminal::start(&line, true);
    shows(&left, 1, "(Enter: six words are made): ");
    left.types("\n");
    shows(&left, 1, "Enter when it is on paper: ");
    left.types("\u{3}");
    let left = left.end();
    assert!(left.out.trim_end().ends_with("\u{1b}[?1049l") && left.status == 130, "{left:?}");
    assert!(!place.node().exists());
    let mut terminal = Terminal::start(&line, true);
    shows(&terminal, 1, "(Enter: six words are made): ");
    terminal.types("\n");
    let shown = shows(&terminal, 1, "Enter when it is on paper: ");
    let words = shown.lines().find(|line| line.split_whitespace().count() == 6).unwrap();
    let words = words.trim().to_owned();
    for (times, typed) in [(1, "zoo zoo zoo zoo zoo zoo"), (2, &words)] {
        shows(&terminal, times, "Enter when it is on paper: ");
        terminal.types("\n");
        let shown = shows(&terminal, times, "The passphrase, from the paper: ");
        // It is on the other screen alone.
        let after = shown.rsplit("\u{1b}[?1049l").next().unwrap();
        assert!(!after.contains(&words), "{shown}");
        terminal.types(&format!("{typed}\n"));
    }
    let said = terminal.end();
    assert!(said.status == 0 && said.out.contains("anna is made"), "{said:?}");
    assert_eq!(said.out.matches("that is not the one that was shown").count(), 1, "{said:?}");
    let folder = place.node();
    let backup = place.0.join("backup");
    let backup = ["backup", backup.to_str().unwrap(), "--folder", folder.to_str().unwrap()];
    roastery(&backup, &[("ROASTERY_PASSPHRASE", &words)]).well();
    let options = ["setup", "--yes", "--name", "bert", "--address", "nowhere", "--make-passphrase"];
    let other = place.0.join("other");
    let printed = |said: String| {
        let line = said.lines().find_map(|line| line.strip_prefix("Its passphrase: "));
        line.unwrap().to_owned()
    };
    let made = [&options[..], &["--folder", other.to_str().unwrap()]].concat();
    let made = printed(roastery(&made, &[]).well());
    assert!(made.split(' ').count() == 6 && made != words, "{made}");
}
