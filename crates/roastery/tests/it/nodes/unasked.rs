//! Commands where no person can answer: without a terminal, with the input closed, and with an
//! input that stays open and in which nothing comes.

use std::{
    fs::File,
    io::Read as _,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::nodes::{
    parts::{ask, payment_of, wallet},
    support::Group,
};

/// A command that waits for nothing needs some of this on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a command's input is.
#[derive(Clone, Copy, Debug)]
enum Input {
    /// At its end from the beginning.
    Empty,
    /// No descriptor at all.
    Closed,
    /// Open, and nothing comes.
    Silent,
}

/// Runs the command with nothing typed: its exit status and all that it says.
fn unasked(group: &Group, arguments: &[&str], input: Input) -> (i32, String) {
    let folder = group.node(1);
    let program = env!("CARGO_BIN_EXE_roastery");
    let mut command = match input {
        Input::Closed => {
            let mut command = Command::new("sh");
            command.args(["-c", "exec \"$@\" <&-", "sh", program]);
            command
        }
        _ => Command::new(program),
    };
    command.args(arguments).env("ROASTERY_FOLDER", folder);
    command.env("LANG", "C").env("NO_COLOR", "1").env("TERM", "xterm");
    command.env_remove("ROASTERY_PASSPHRASE");
    command.stdin(match input {
        Input::Silent => Stdio::piped(),
        _ => Stdio::from(File::open("/dev/null").unwrap()),
    });
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Open until the command has ended.
    let keyboard = child.stdin.take();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        text
    });
    let mut text = String::new();
    let status = ended(&mut child);
    drop(keyboard);
    err.read_to_string(&mut text).unwrap();
    let out = reader.join().unwrap();
    match status {
        Some(status) => (status, out + &text),
        None => panic!("roastery {arguments:?} waits, with its input {input:?}: {out}{text}"),
    }
}

fn ended(child: &mut Child) -> Option<i32> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code().unwrap_or(-1));
        }
        sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    None
}

#[test]
fn no_command_waits_for_a_person_who_cannot_answer_and_all_of_it_is_plain_ascii() {
    let group = Group::start("unasked", 3, 3);
    let psbt = payment_of(&wallet(&group), 2).0;
    let session = ask(&group, &psbt);
    group.request_in(1, &session, "proposed");
    let id = &session[..8];
    let (file, out) = (group.path("payment.psbt"), group.path("out"));
    let nowhere = group.path("nowhere");
    // The command, its exit status, and what it says: for a person what to do instead.
    let commands: [(&[&str], i32, &str); 19] = [
        (&["setup", "--folder", &nowhere], 2, "give --yes, --name"),
        (&["init", "--folder", &nowhere, "--name", "x"], 2, "passphrase"),
        (&["invite"], 2, "give --group NAME"),
        (&["join"], 2, "give the line"),
        (&["node"], 2, "no passphrase"),
        (&["review"], 2, "--seen"),
        (&["approve", id], 2, "--seen"),
        (&["hostkey", "export", "--group", "local", "--into", &out], 2, "no passphrase"),
        (&["passphrase"], 2, "no passphrase"),
        (&["group", "bar", "node-0", "--group", "local"], 2, "--yes"),
        (&["log", "--cut-before", "1", "--export", &out], 2, "--yes"),
        (&["passkey", "add", "anna", "--role", "operator"], 2, "by a person"),
        (&["kit", "words", "local"], 2, "by a person"),
        (&["wallet", "send", "bc1q", "0.1", "--group", "local"], 2, "--yes"),
        (&["watch", "--lines", "--folder", &nowhere], 2, "no node in this folder"),
        (&[], 0, "roastery review"),
        (&["requests"], 0, "waits for you"),
        (&["status"], 0, "local"),
        (&["doctor"], 0, "ok "),
    ];
    for input in [Input::Empty, Input::Closed, Input::Silent] {
        for (arguments, status, says) in commands {
            let (ended, said) = unasked(&group, arguments, input);
            assert!(said.contains(says), "{arguments:?} {input:?}: {ended}: {said}");
            assert_eq!(ended, status, "{arguments:?} {input:?}: {said}");
            let strange = said.chars().find(|c| !(c.is_ascii_graphic() || " \n".contains(*c)));
            assert_eq!(strange, None, "{arguments:?}: {said}");
        }
    }
    assert_eq!(group.request(1, &session)["state"], "proposed");
    // These decide or ask nothing without a terminal: that a request is made or rejected is said by
    // the command itself.
    let (status, said) = unasked(&group, &["psbt", "sign", &file, "--wait", "0"], Input::Silent);
    assert!(status == 0 && said.contains("Ctrl-C ends nothing"), "{said}");
    let (status, said) = unasked(&group, &["fetch", id], Input::Silent);
    assert!(status == 1 && said.contains("is not signed"), "{said}");
}
