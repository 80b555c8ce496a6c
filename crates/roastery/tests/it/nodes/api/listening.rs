//! A node that cannot listen says where and why, in one line, and ends with exit status 2.

use std::{fs, net::TcpListener, process::Command};

use crate::nodes::support::{Group, Said, fresh_folder, processes, signal, until};

/// One line, exit status 2, and these words.
#[track_caller]
fn refused(said: &Said, words: &[&str]) {
    assert_eq!(said.status, 2, "{said:?}");
    assert_eq!(said.err.lines().count(), 1, "{said:?}");
    for word in words {
        assert!(said.err.contains(word), "{word}: {said:?}");
    }
}

#[test]
fn whatever_keeps_a_node_from_listening_is_named_with_what_to_do() {
    let group = Group::start("listening", 2, 2);
    group.stop(0);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (option, variable) in [
        ("api.listen", "ROASTERY_API_LISTEN"),
        ("observability.listen", "ROASTERY_OBSERVABILITY_LISTEN"),
    ] {
        let said = group.run(0, &[(variable, &taken)]);
        refused(&said, &[option, &taken, "set another port"]);
        let said = group.run(0, &[(variable, "192.0.2.1:7400")]);
        refused(&said, &[option, "192.0.2.1:7400", "set an address that this machine has"]);
    }

    let socket = |path: &str| group.run(0, &[("ROASTERY_API_SOCKET", path)]);
    let long = format!("/tmp/{}", "x".repeat(103));
    refused(&socket(&long), &["api.socket", "108 bytes", "107 at most", "set a shorter path"]);
    let none = group.path("no-such-folder/api.sock");
    refused(&socket(&none), &["api.socket", &none, "make its folder first"]);

    let way = fresh_folder("in-the-way");
    for (name, what) in [("folder", "a directory"), ("file", "a file"), ("link", "a symbolic link")]
    {
        let path = way.join(name);
        match name {
            "folder" => fs::create_dir(&path).unwrap(),
            "file" => fs::write(&path, "").unwrap(),
            _ => std::os::unix::fs::symlink("nowhere", &path).unwrap(),
        }
        let path = path.to_str().unwrap();
        refused(&socket(path), &["api.socket", path, what, "remove it, or set another path"]);
    }

    // Nothing of that stays: it starts as before.
    group.restart(0, &[]);
}

#[test]
fn with_few_descriptors_a_node_runs_or_says_so_in_one_line() {
    let group = Group::start("descriptors", 2, 2);
    group.stop(0);
    let folder = group.node(0);
    let mut said_why = 0;
    for most in [8, 10, 12, 14, 16, 18, 20, 24, 28, 32] {
        let script = format!("ulimit -n {most}; exec \"$0\" node --folder \"$1\"");
        let child = Command::new("sh")
            .env("ROASTERY_OBSERVABILITY_LOG", "error")
            .env("ROASTERY_PASSPHRASE_FILE", folder.join("passphrase"))
            .args(["-c", &script, env!("CARGO_BIN_EXE_roastery"), folder.to_str().unwrap()])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id();
        // It runs as soon as its socket is there.
        let socket = folder.join("api.sock");
        let ended = until("it runs or ends", || {
            let running = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let ended = running.is_empty() || running.contains(") Z ");
            (ended || socket.exists()).then_some(ended)
        });
        if !ended {
            signal("TERM", pid);
        }
        let output = child.wait_with_output().unwrap();
        let (status, text) = (output.status.code(), String::from_utf8_lossy(&output.stderr));
        assert!(!text.contains("panicked"), "{most}: {text}");
        if ended {
            assert_eq!(status, Some(2), "{most}: {text}");
            assert!(text.contains("open files"), "{most}: {text}");
            said_why += 1;
        }
    }
    assert!(said_why > 0, "it ran with 8 descriptors");
    assert!(processes(&folder).is_empty());
}
