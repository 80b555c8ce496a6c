//! A node is killed at each step at which it stores something, while its group gets fresh shares
//! and erases the old ones.
//!
//! Not part of the ordinary tests, for it takes minutes: `just epochs`. A small library of C is
//! preloaded into the node, so that Linux and a C compiler are needed, as for the build.

use std::{fs, process::Command};

use crate::nodes::{
    changes::{address, plan, signs},
    epochs::{erase, is_in_files, share},
    support::{Group, Said, until},
};

/// The node that is killed.
const KILLED: usize = 1;

struct Steps {
    group: Group,
    /// The file whose existence has the steps counted.
    armed: String,
    library: String,
}

impl Steps {
    fn start() -> Self {
        let group = Group::start("stored-steps", 3, 2);
        let (source, library) = (group.path("steps.c"), group.path("steps.so"));
        fs::write(&source, include_str!("stored_steps.c")).unwrap();
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o", &library, &source, "-ldl"])
            .output()
            .unwrap();
        assert!(built.status.success(), "{built:?}");
        Self { armed: group.path("armed"), group, library }
    }

    /// Starts the node anew, to be killed at this step after the file is there.
    fn arm(&self, step: usize) {
        let step = step.to_string();
        let environment = [
            ("LD_PRELOAD", self.library.as_str()),
            ("ROASTERY_TEST_ARMED", &self.armed),
            ("ROASTERY_TEST_STEP", &step),
        ];
        self.group.restart(KILLED, &environment);
        fs::write(&self.armed, "").unwrap();
    }

    /// Runs a command until it has succeeded or its effect is there; the killed node is started
    /// again, as its operator would. Returns whether it had to be.
    fn insist(&self, what: &str, act: impl Fn() -> Said) -> bool {
        let mut killed = false;
        until(what, || {
            let said = act();
            if said.status == 0 {
                return Some(());
            }
            if self.group.tell(KILLED, &["status"]).err.contains("no node runs here") {
                assert!(fs::remove_file(&self.armed).is_ok(), "the node ends by itself: {said:?}");
                killed = true;
                self.group.restart(KILLED, &[]);
            }
            // It may have taken effect before the node was killed.
            said.err.contains("epoch").then_some(())
        });
        killed
    }

    /// Fresh shares for all, and the old ones erased. Returns whether the node was killed.
    fn one_epoch(&self, number: u32, step: usize) -> bool {
        let group = &self.group;
        let all = [0, 1, 2];
        let (file, fingerprint) = plan(group, &["refresh"], &all);
        group.stop(KILLED);
        let old = share(group, KILLED, number - 1).unwrap();
        self.arm(step);
        let mut killed = false;
        for node in all {
            killed |=
                self.insist("it is proposed", || group.tell(node, &["change", "propose", &file]));
        }
        for (nodes, what) in [(&all[..], "accept"), (&all[..2], "approve")] {
            for node in nodes {
                killed |= self.insist(what, || {
                    group.tell(*node, &["change", what, "--fingerprint", &fingerprint])
                });
            }
        }
        for node in all {
            killed |= self.insist("it is adopted", || {
                let said = group.tell(node, &["status", "--json"]);
                let is_adopted = said.out.contains(&format!("\"epoch\": {number}"))
                    || said.out.contains(&format!("\"epoch\":{number}"));
                Said { status: if is_adopted { 0 } else { 1 }, ..said }
            });
        }
        for node in all {
            killed |= self.insist("it is erased", || {
                // Where the node is killed after it has erased, nothing is left to be erased.
                let said = erase(group, node, &["--single-copy", "--wait", "2"]);
                let shown = group.tell(node, &["change", "epochs", "--json"]);
                let is_erased = shown.status == 0 && shown.json()[0]["holding"] == "erased";
                Said { status: if is_erased { 0 } else { 1 }, err: String::new(), ..said }
            });
        }
        let _ = fs::remove_file(&self.armed);
        group.stop(KILLED);
        assert!(!is_in_files(&group.node(KILLED), &old), "the old share is in no file");
        group.restart(KILLED, &[]);
        for entry in fs::read_dir(group.path(".")).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_string_lossy().starts_with("plan-") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        killed
    }
}

#[test]
#[ignore = "takes minutes of real time: just epochs"]
fn a_node_that_is_killed_at_any_stored_step_comes_to_the_new_epoch_and_erases_the_old_share() {
    let steps = Steps::start();
    let before = address(&steps.group, 0);
    let mut step = 0;
    loop {
        step += 1;
        let number = u32::try_from(step).unwrap();
        let killed = steps.one_epoch(number, step);
        signs(&steps.group, &[KILLED, 2], &format!("epoch {number}"));
        assert_eq!(address(&steps.group, KILLED), before);
        println!("Step          {step}: {}", if killed { "killed" } else { "none" });
        if !killed {
            break;
        }
    }
    assert!(step > 10, "a change and an erasure have more stored steps than {step}");
}
