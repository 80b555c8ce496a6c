//! `roastery console`: a process beside a node, which a browser asks.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, ChildStdin, Command, Stdio},
};

use roastery_testkit::{
    chain::Double,
    payments::{funding, pay},
};

use crate::nodes::{
    parts::{payment_of, wallet},
    support::{Group, until},
    wallet::{other, proposed, script, start, until_confirmed},
};

/// A console. It ends with the test.
pub(crate) struct Console {
    pub(crate) process: Child,
    terminal: Option<ChildStdin>,
    lines: BufReader<std::process::ChildStdout>,
    port: u16,
    host: String,
}

impl Console {
    fn of(group: &Group, node: usize) -> (Self, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roastery"));
        command.args(["console", "--folder"]).arg(group.node(node));
        Self::run(command)
    }

    /// The console that this command serves, and its code.
    pub(crate) fn run(mut command: Command) -> (Self, String) {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let terminal = process.stdin.take();
        let lines = BufReader::new(process.stdout.take().unwrap());
        let mut console = Self { process, terminal, lines, port: 0, host: String::new() };
        let address = console.line();
        let host = address.strip_prefix("http://").unwrap().strip_suffix('/').unwrap();
        let (name, port) = host.split_once(':').unwrap();
        assert!(name.ends_with(".localhost"), "{address}");
        console.port = port.parse().unwrap();
        console.host = host.to_owned();
        // The address alone opens nothing: it is an argument of the browser.
        let code = console.code();
        (console, code)
    }

    fn code(&mut self) -> String {
        self.line().strip_prefix("code ").unwrap().to_owned()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// The status and the whole answer.
    pub(crate) fn call(&self, line: &str, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let (own, length) = (&self.host, body.len());
        let host = if head.contains("host:") { String::new() } else { format!("host: {own}\r\n") };
        let text = format!(
            "{line} HTTP/1.1\r\n{host}connection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{head}\r\n{body}"
        );
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    }

    /// Changes a code for the header of a session.
    pub(crate) fn session(&self, code: &str) -> String {
        let (status, answer) = self.call("POST /sessions", "", &format!("{{\"code\":\"{code}\"}}"));
        assert_eq!(status, 200, "{answer}");
        format!("x-roastery-session: {}\r\n", answer.split("\r\n\r\n").nth(1).unwrap())
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a page showed of a request.
pub(crate) fn seen_in(page: &str) -> String {
    let (_, rest) = page.split_once("data-seen=\"").unwrap_or_else(|| panic!("{page}"));
    rest.split('"').next().unwrap().to_owned()
}

/// The page that an answer leads to.
fn place(answer: &str) -> String {
    let line = answer.lines().find_map(|line| line.strip_prefix("x-roastery-place: "));
    line.unwrap_or_else(|| panic!("{answer}")).trim().to_owned()
}

#[test]
fn a_request_is_shown_in_the_console_and_approved_there_as_on_a_terminal() {
    let group = Group::start("console", 2, 2);
    let text = "<b>pay</b> \u{202e}the rent";
    let session = group.propose(0, text);
    group.request_in(1, &session, "proposed");
    let (mut console, code) = Console::of(&group, 1);

    // Without the secret, under another name and from another page nothing is answered.
    let page = format!("GET /fragment/requests/{session}");
    let approve = format!("POST /requests/{session}/approve");
    let shown = group.request(1, &session)["seen"].as_str().unwrap().to_owned();
    let right = format!("{{\"seen\":\"{shown}\"}}");
    assert_eq!(console.call(&page, "", "").0, 401);
    assert_eq!(console.call(&approve, "", &right).0, 401);
    let head = console.session(&code);
    let elsewhere = [("host: evil.example\r\n", 421), ("origin: http://evil.example\r\n", 403)];
    for (more, status) in elsewhere {
        assert_eq!(console.call(&page, &format!("{head}{more}"), "").0, status);
        assert_eq!(console.call(&approve, &format!("{head}{more}"), &right).0, status);
    }
    assert_eq!(group.request(1, &session)["state"], "proposed");

    let (status, answer) = console.call(&page, &head, "");
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("&lt;b&gt;pay&lt;/b&gt; \\u{202e}the rent"), "{answer}");
    assert_eq!(seen_in(&answer), shown);
    let stale = format!("{{\"seen\":\"{}\"}}", "0".repeat(64));
    let (status, answer) = console.call(&approve, &head, &stale);
    assert_eq!(status, 409, "{answer}");
    assert!(answer.contains("nothing was decided"), "{answer}");
    assert_eq!(group.request(1, &session)["state"], "proposed");

    let (status, answer) = console.call(&approve, &head, &right);
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("You have approved it."), "{answer}");
    group.request_in(0, &session, "signed");
    group.request_in(1, &session, "signed");
    let (_, answer) = console.call(&page, &head, "");
    for step in
        ["proposes it", "approves it", "gives its share", "<td><span class=\"id\">S</span> signed"]
    {
        assert!(answer.contains(step), "{step}: {answer}");
    }
    let steps = group.get(1, &format!("/v1/requests/{session}/timeline"));
    assert_eq!(steps[0]["what"], "proposed", "{steps}");
    assert_eq!(steps[0]["who"], "node-0", "{steps}");

    for (path, shows) in [
        ("/", "2 of 2 must sign"),
        ("/requests", &session[..8]),
        ("/requests?state=signed", &session[..8]),
        ("/log", "text "),
        ("/evidence", "No fault was ever proven here."),
    ] {
        let (status, answer) = console.call(&format!("GET /fragment{path}"), &head, "");
        assert_eq!(status, 200, "{path}: {answer}");
        assert!(answer.contains(shows), "{path}: {answer}");
    }
    let id = group.status(1)["groups"][0]["id"].as_str().unwrap().to_owned();
    let address = group.status(1)["groups"][0]["address"].as_str().unwrap().to_owned();
    assert_eq!(group.status(0)["groups"][0]["address"], address.as_str());
    let (_, answer) = console.call(&format!("GET /fragment/groups/{id}"), &head, "");
    assert!(answer.contains(&format!("<span>{}</span>", &address[4..8])), "{answer}");
    assert!(answer.contains("class=\"qr\""), "{answer}");
    let (_, answer) = console.call(&format!("GET /fragment/wallets/{id}"), &head, "");
    assert!(answer.contains("no chain source"), "{answer}");

    // Enter makes another code; the end of the terminal ends the console, and not the node.
    console.terminal.as_mut().unwrap().write_all(b"\n").unwrap();
    assert_ne!(console.code(), code);
    drop(console.terminal.take());
    let ended = until("the console has ended", || console.process.try_wait().unwrap());
    assert!(ended.success());
    assert!(TcpStream::connect(("127.0.0.1", console.port)).is_err());
    group.tell(1, &["health"]).well();
}

#[test]
fn a_request_is_rejected_in_the_console_with_a_reason_and_all_members_are_told() {
    let group = Group::start("console-no", 2, 2);
    let session = group.propose(0, "not this");
    group.request_in(1, &session, "proposed");
    let (console, code) = Console::of(&group, 1);
    let head = console.session(&code);
    let (_, page) = console.call(&format!("GET /fragment/requests/{session}"), &head, "");
    let body = format!("{{\"seen\":\"{}\",\"reason\":\"wrong invoice\"}}", seen_in(&page));
    let (status, answer) = console.call(&format!("POST /requests/{session}/reject"), &head, &body);
    assert_eq!(status, 200, "{answer}");
    assert!(group.request(1, &session)["text"].as_str().unwrap().contains("wrong invoice"));
    group.request_in(0, &session, "failed");
    // The node is the one that refuses.
    group.stop(1);
    let (status, answer) = console.call("GET /fragment/", &head, "");
    assert_eq!(status, 503, "{answer}");
    assert!(answer.contains("No node runs here"), "{answer}");
}

#[test]
fn a_psbt_comes_in_bbqr_frames_and_its_signatures_leave_as_qr_codes() {
    let group = Group::start("console-codes", 2, 2);
    let (psbt, _) = payment_of(&wallet(&group), 3);
    let digits: Vec<String> = psbt.serialize().iter().map(|byte| format!("{byte:02X}")).collect();
    let half = digits.len().div_ceil(2);
    let parts = digits.chunks(half).enumerate();
    let frames: Vec<String> =
        parts.map(|(index, part)| format!("B$HP020{index}{}", part.concat())).collect();
    let id = group.status(1)["groups"][0]["id"].as_str().unwrap().to_owned();
    let (console, code) = Console::of(&group, 1);
    let head = console.session(&code);
    let read = format!("POST /wallets/{id}/psbt");
    let (status, answer) = console.call(&read, &head, &format!("{{\"psbt\":\"{}\"}}", frames[1]));
    assert_eq!(status, 422, "{answer}");
    assert!(answer.contains("Of 2 parts these are missing: 1."), "{answer}");
    let (status, answer) =
        console.call(&read, &head, &format!("{{\"psbt\":\"{} {}\"}}", frames[1], frames[0]));
    assert_eq!(status, 200, "{answer}");
    let draft = place(&answer);
    let (_, page) = console.call(&format!("GET /fragment{draft}"), &head, "");
    let body = format!("{{\"seen\":\"{}\",\"typed\":\"0.00030000\"}}", seen_in(&page));
    let (status, answer) = console.call(&format!("POST {draft}/propose"), &head, &body);
    assert_eq!(status, 200, "{answer}");
    let session = place(&answer).strip_prefix("/requests/").unwrap().to_owned();
    group.request_in(0, &session, "proposed");
    let (_, early) = console.call(&format!("GET /fragment/psbt-codes/{session}"), &head, "");
    assert!(!early.contains("class=\"codes\""), "{early}");
    group.approve(0, &session);
    group.request_in(1, &session, "signed");
    for (kind, title) in [("psbt", "The signed PSBT"), ("transaction", "The transaction")] {
        let path = format!("GET /fragment/{kind}-codes/{session}");
        let (status, page) = console.call(&path, &head, "");
        assert_eq!(status, 200, "{page}");
        assert!(page.contains(&format!("{title} as QR codes")), "{page}");
        assert!(page.contains("class=\"codes\"") && page.contains("<svg class=\"qr\""), "{page}");
    }
}

#[test]
fn a_text_is_proposed_in_the_console_and_signed_as_it_was_shown() {
    let group = Group::start("console-text", 2, 2);
    let id = group.status(1)["groups"][0]["id"].as_str().unwrap().to_owned();
    let address = group.status(1)["groups"][0]["address"].as_str().unwrap().to_owned();
    let (console, code) = Console::of(&group, 1);
    let head = console.session(&code);
    let text = " We pay <nothing>.\n";
    let body = serde_json::json!({ "text": text }).to_string();
    let (status, answer) = console.call(&format!("POST /groups/{id}/text"), &head, &body);
    assert_eq!(status, 200, "{answer}");
    let draft = place(&answer);
    let (_, page) = console.call(&format!("GET /fragment{draft}"), &head, "");
    assert!(page.contains("We pay &lt;nothing&gt;."), "{page}");
    assert!(page.contains(&format!("<span>{}</span>", &address[4..8])), "{page}");
    let body = format!("{{\"seen\":\"{}\"}}", seen_in(&page));
    let (status, answer) = console.call(&format!("POST {draft}/propose"), &head, &body);
    assert_eq!(status, 200, "{answer}");
    let session = place(&answer).strip_prefix("/requests/").unwrap().to_owned();
    let asked = group.request_in(0, &session, "proposed");
    assert_eq!(asked["subject"]["text"], text, "{asked}");
    assert_eq!(asked["subject"]["address"], address.as_str(), "{asked}");
    group.approve(0, &session);
    let signed = group.request_in(1, &session, "signed");
    let signature = signed["text_signature"]["simple"].as_str().unwrap();
    let (_, page) = console.call(&format!("GET /fragment/requests/{session}"), &head, "");
    assert!(page.contains(signature), "{page}");
}

#[test]
fn the_fee_of_a_payment_is_raised_in_the_console_as_by_the_command() {
    let double = Double::start();
    let (group, wallet) = start("console-bump", &double);
    double.chain().mine(vec![funding(1, vec![pay(100_000, script(&wallet, 0))])]);
    until_confirmed(&group, 0, 100_000);
    let other = other();
    let send = ["wallet", "send", &other, "0.0003", "--fee-rate", "2", "--yes", "--wait", "0"];
    group.tell(0, &send).well();
    group.approve(1, &proposed(&group, 1));
    until("it is sent", || (!double.chain().sent.is_empty()).then_some(()));
    let first = double.chain().sent[0].clone();
    let txid = first.compute_txid().to_string();

    let id = group.status(0)["groups"][0]["id"].as_str().unwrap().to_owned();
    let (console, code) = Console::of(&group, 0);
    let head = console.session(&code);
    until("the wallet's page has the payment", || {
        let (_, page) = console.call(&format!("GET /fragment/wallets/{id}"), &head, "");
        page.contains(&format!("name=\"txid\" value=\"{txid}\"")).then_some(())
    });
    let bump = |rate: &str| {
        let body = format!("{{\"txid\":\"{txid}\",\"fee_rate\":\"{rate}\"}}");
        console.call(&format!("POST /wallets/{id}/bump"), &head, &body)
    };
    let (status, answer) = bump("1");
    assert_ne!(status, 200, "a lower fee replaces nothing: {answer}");
    let (status, answer) = bump("9");
    assert_eq!(status, 200, "{answer}");
    let draft = place(&answer);
    let (_, page) = console.call(&format!("GET /fragment{draft}"), &head, "");
    let leaves = page.split_once("type what leaves: ").map(|(_, rest)| {
        let (_, amount) = rest.split_once('>').unwrap();
        amount.split('<').next().unwrap().to_owned()
    });
    let (seen, typed) = (seen_in(&page), leaves.unwrap_or_default());
    assert_eq!(double.chain().sent.len(), 1, "nothing is signed by a look");
    let body = format!("{{\"seen\":\"{seen}\",\"typed\":\"{typed}\"}}");
    let (status, answer) = console.call(&format!("POST {draft}/propose"), &head, &body);
    assert_eq!(status, 200, "{answer}");
    let bumped = place(&answer).strip_prefix("/requests/").unwrap().to_owned();
    group.request_in(1, &bumped, "proposed");
    group.approve(1, &bumped);
    until("it is sent", || (double.chain().sent.len() == 2).then_some(()));
    let second = double.chain().sent[1].clone();
    assert_eq!(second.input[0].previous_output, first.input[0].previous_output);
    let paid = |transaction: &bitcoin::Transaction| {
        transaction.output.iter().map(|output| output.value.to_sat()).sum::<u64>()
    };
    assert!(paid(&second) < paid(&first), "the fee is higher");
}
