//! What a person looks at on a terminal, and decides about: also where it changes meanwhile.

use std::{
    fs,
    time::{Duration, Instant},
};

use bitcoin::{Amount, Psbt};

use crate::nodes::{
    parts::{ask, payment_of, wallet},
    support::{Group, until},
    terminal::{Terminal, on_terminal},
};

/// A payment of two coins of the group, and its file.
fn payment(group: &Group) -> (Psbt, String) {
    let (psbt, file) = (payment_of(&wallet(group), 2).0, group.path("looked-at.psbt"));
    fs::write(&file, psbt.serialize()).unwrap();
    (psbt, file)
}

/// Another one with the same coins.
fn other(psbt: &Psbt, less: u64) -> Psbt {
    let mut psbt = psbt.clone();
    psbt.unsigned_tx.output[0].value -= Amount::from_sat(less);
    psbt
}

/// A command of a node on a terminal, on which a person answers when all of it is there.
struct Person {
    terminal: Terminal,
    read: usize,
}

impl Person {
    fn at(group: &Group, node: usize, arguments: &[&str]) -> Self {
        let folder = group.node(node).to_str().unwrap().to_owned();
        let program = env!("CARGO_BIN_EXE_roastery");
        let line = format!("{program} {} --folder {folder}", arguments.join(" "));
        Self { terminal: Terminal::start(&line, true), read: 0 }
    }

    /// What is shown until a question that ends so.
    fn is_asked(&mut self, end: &str) -> String {
        let begun = Instant::now();
        let shown = until(end, || {
            let shown = String::from_utf8(self.terminal.shown()).unwrap();
            assert!(begun.elapsed() < Duration::from_secs(60), "no {end:?}: {shown}");
            (shown.len() > self.read && shown.ends_with(end)).then_some(shown)
        });
        let new = shown[self.read..].to_owned();
        self.read = shown.len();
        new
    }
}

#[test]
fn psbt_sign_shows_a_payment_on_a_terminal_and_asks_nobody_without_a_yes() {
    let group = Group::start("shown-first", 2, 2);
    let (_, file) = payment(&group);
    let sign = ["psbt", "sign", &file, "--wait", "0"];
    for answer in ["\n", "n\n", "yes, do\n"] {
        let said = on_terminal(&group.node(0), &sign, &[answer], true);
        assert!(said.out.contains("PAYMENT from local, not proposed yet"), "{said:?}");
        assert!(
            said.out.contains("  leaves      0.00020000  of 0.00020000 in 2 coins"),
            "{said:?}"
        );
        assert!(said.out.contains("nothing was asked of the other members"), "{said:?}");
        assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{said:?}");
        assert_eq!(said.status, 1, "{said:?}");
    }
    assert_eq!(group.tell(0, &["requests", "--all", "--ids"]).well(), "");
    let said = on_terminal(&group.node(0), &sign, &["d\n", "y\n"], true);
    assert!(said.out.contains("leave the group, fee included"), "d shows all: {said:?}");
    assert_eq!(said.status, 0, "{said:?}");
    let id = group.tell(0, &["requests", "--all", "--ids"]).well();
    assert!(said.out.contains(&format!("Request {}. Ctrl-C ends nothing", &id[..8])), "{said:?}");
}

#[test]
fn what_changes_while_a_person_looks_at_a_draft_is_shown_again_before_anything_is_asked() {
    let group = Group::start("changed-draft", 2, 2);
    let (psbt, file) = payment(&group);
    let mut person = Person::at(&group, 0, &["psbt", "sign", &file, "--wait", "0"]);
    let shown = person.is_asked("[y/N]: ");
    assert!(!shown.contains("SPENT TWICE"), "{shown}");
    let other = ask(&group, &other(&psbt, 1));
    person.terminal.types("y\n");
    let shown = person.is_asked("0.00020000 : ");
    assert!(shown.contains("the request has changed since it was shown"), "{shown}");
    assert!(shown.contains("! SPENT TWICE: "), "{shown}");
    // A letter is no approval of what can take the money elsewhere.
    person.terminal.types("y\n");
    let said = person.terminal.end();
    assert_eq!(said.status, 1, "{said:?}");
    assert_eq!(group.tell(0, &["requests", "--all", "--ids"]).well().trim(), other);
}

#[test]
fn what_changes_while_a_person_reviews_it_is_shown_again_and_not_decided() {
    let group = Group::start("changed-review", 3, 3);
    let (psbt, _) = payment(&group);
    let first = ask(&group, &psbt);
    group.request_in(1, &first, "proposed");
    let questions = [("review", "q quit : "), ("approve", "Approve it? [y/N] ")];
    let mut people = questions.map(|(command, question)| {
        let mut person = Person::at(&group, 1, &[command, &first[..8]]);
        person.is_asked(question);
        person
    });
    let other = ask(&group, &other(&psbt, 1));
    until("they are compared", || {
        let known = group.request(1, &first);
        known["warnings"].to_string().contains(&other[..8]).then_some(())
    });
    for person in &mut people {
        person.terminal.types("y\n");
        let shown = person.is_asked(": ");
        assert!(shown.contains("the request has changed since it was shown"), "{shown}");
        assert!(shown.contains(&other[..8]), "{shown}");
        assert_eq!(group.request(1, &first)["state"], "proposed");
        person.terminal.types("q\n");
    }
    for person in people {
        person.terminal.end();
    }
    assert_eq!(group.request(1, &first)["state"], "proposed");
    assert_eq!(group.log(1, &first).len(), 0);
}
