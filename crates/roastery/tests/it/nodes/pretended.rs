//! A node that only answers: it has the requests that a test gives it, and keeps what was decided.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use crate::nodes::{
    support::{Said, TestFolder, fresh_folder, roastery},
    terminal::on_terminal,
};

pub(crate) struct Pretended {
    folder: TestFolder,
    state: Arc<Mutex<State>>,
}

struct State {
    requests: Vec<Value>,
    /// The paths and bodies of the decisions, in their order.
    decided: Vec<(String, Value)>,
    /// The session of a request whose approval is refused.
    refuses: String,
    /// The session of a request that is listed and that it does not have any more.
    gone: String,
    /// Whether it lists no requests.
    lists_nothing: bool,
    /// The paths that were looked at, in their order.
    looked: Vec<String>,
}

/// A request of a text that waits for a decision; `more` takes the place of its fields.
pub(crate) fn request(digit: char, more: &Value) -> Value {
    let mut request = json!({
        "session": digit.to_string().repeat(64), "group": "local", "subject": { "kind": "text" },
        "messages": [], "parts": [], "proposer": 1, "proposer_name": "bert",
        "since": "2026-05-01T14:02:00Z", "changed": "2026-05-01T14:02:00Z", "position": 1,
        "expiry": "2099-05-01T15:02:00Z", "revision": 0, "state": "proposed", "text": "",
        "progress": {
            "needed": 2, "members": 3, "approved_seats": 1, "approved": ["bert"], "refused": [],
            "can_succeed": true, "said": [],
        },
        "seen": digit.to_string().repeat(64), "warnings": [],
    });
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

/// A payment to others of so many outputs, of 100 000 sat each.
pub(crate) fn payment(digit: char, outputs: u64, more: &Value) -> Value {
    let outputs: Vec<Value> =
        (0..outputs).map(|to| json!({ "amount": 100_000, "to": format!("bc1p{to}") })).collect();
    let leaves = 100_000 * outputs.len() as u64 + 1_850;
    let mut payment = request(digit, more);
    payment["subject"] = json!({ "kind": "transaction" });
    payment["payment"] = json!({
        "txid": "a0a1f146", "outputs": outputs, "coins": 2, "spent": 62_340_000,
        "leaves": leaves, "fee": 1_850, "fee_rate": 8, "virtual_size": 212,
    });
    payment
}

impl Pretended {
    pub(crate) fn start(name: &str, requests: &[Value]) -> Self {
        let folder = fresh_folder(name);
        fs::write(folder.join("roastery.toml"), "").unwrap();
        let state = State {
            requests: requests.to_vec(),
            decided: Vec::new(),
            refuses: String::new(),
            gone: String::new(),
            lists_nothing: false,
            looked: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let listener = UnixListener::bind(folder.join("api.sock")).unwrap();
        std::thread::spawn({
            let state = state.clone();
            move || listener.incoming().for_each(|stream| answer(&state, stream.unwrap()))
        });
        Self { folder, state }
    }

    /// A path in its folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// It does not approve this one.
    pub(crate) fn refuse(&self, digit: char) {
        self.state.lock().unwrap().refuses = digit.to_string().repeat(64);
    }

    /// It does not have this one any more, which its list still has.
    pub(crate) fn lose(&self, digit: char) {
        self.state.lock().unwrap().gone = digit.to_string().repeat(64);
    }

    /// It lists no requests from now on: that is an error.
    pub(crate) fn list_nothing(&self) {
        self.state.lock().unwrap().lists_nothing = true;
    }

    /// The paths that were looked at since this was asked last.
    pub(crate) fn looked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().looked)
    }

    pub(crate) fn tell(&self, arguments: &[&str]) -> Said {
        roastery(&[arguments, &["--folder", self.folder.to_str().unwrap()]].concat(), &[])
    }

    /// The same on a terminal, where this is typed after each question.
    pub(crate) fn asks(&self, arguments: &[&str], typed: &[&str]) -> Said {
        on_terminal(&self.folder, arguments, typed, true)
    }

    /// What was decided: `approve 55555555`.
    pub(crate) fn decided(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let words = state.decided.iter().map(|(path, _)| {
            let path = path.strip_prefix("/v1/requests/").unwrap();
            let (session, what) = path.split_once('/').unwrap();
            let what = what.split('?').next().unwrap();
            format!("{what} {}", &session[..8])
        });
        words.collect()
    }
}

fn answer(state: &Mutex<State>, mut stream: UnixStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap_or_default());
    let (status, value) = match method {
        "POST" => decide(&mut state.lock().unwrap(), path, &body),
        _ => look(&mut state.lock().unwrap(), path),
    };
    let text = value.to_string();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n");
    let rest = format!("content-length: {}\r\nconnection: close\r\n\r\n{text}", text.len());
    let _ = stream.write_all(format!("{head}{rest}").as_bytes());
}

fn look(state: &mut State, path: &str) -> (u16, Value) {
    state.looked.push(path.to_owned());
    if state.lists_nothing && path.starts_with("/v1/requests?") {
        return (500, json!({ "code": "internal", "message": "no list today" }));
    }
    if let Some(query) = path.strip_prefix("/v1/requests?") {
        let wanted = query.split('&').find_map(|part| part.strip_prefix("state="));
        let is_wanted = |request: &&Value| wanted.is_none_or(|wanted| request["state"] == wanted);
        return (200, state.requests.iter().filter(is_wanted).cloned().collect());
    }
    let id = path.strip_prefix("/v1/requests/").unwrap().split('?').next().unwrap();
    if id == state.gone {
        return (404, json!({ "code": "not_found", "message": "there is no such request" }));
    }
    let known = |request: &&Value| request["session"].as_str().unwrap().starts_with(id);
    (200, state.requests.iter().find(known).unwrap().clone())
}

fn decide(state: &mut State, path: &str, body: &[u8]) -> (u16, Value) {
    state.decided.push((path.to_owned(), serde_json::from_slice(body).unwrap()));
    let session = path.strip_prefix("/v1/requests/").unwrap().split('/').next().unwrap();
    if session == state.refuses {
        return (409, json!({ "code": "refused", "message": "most_per_hour is used up" }));
    }
    let request = state.requests.iter_mut().find(|request| request["session"] == session).unwrap();
    request["state"] = if path.contains("/reject") { "refused" } else { "signed" }.into();
    (200, request.clone())
}
