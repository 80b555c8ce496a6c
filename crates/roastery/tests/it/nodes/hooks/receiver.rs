//! A server that takes Standard Webhooks.

use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant, SystemTime},
};

use bitcoin::{
    base64::{Engine as _, prelude::BASE64_STANDARD},
    hashes::{Hash as _, HashEngine as _, Hmac, HmacEngine, sha256},
};
use serde_json::Value;

/// The secret that the node and the server share.
pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How the server answers.
pub(super) enum Answer {
    Status(u16),
    Redirect(String),
    Hang,
}

/// A message that came.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) id: String,
    pub(super) at: Instant,
    pub(super) text: String,
    pub(super) body: Value,
    headers: BTreeMap<String, String>,
}

pub(super) struct Receiver(Arc<Mutex<Vec<Received>>>);

impl Receiver {
    /// A server at this port of this machine, which answers by the number of the message.
    pub(super) fn start(port: u16, answer: impl Fn(usize) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let all = Arc::new(Mutex::new(Vec::new()));
        let got = all.clone();
        thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Ok(received) = read(&stream) else { continue };
                let number = got.lock().unwrap().len();
                got.lock().unwrap().push(received);
                let head = match answer(number) {
                    Answer::Status(status) => format!("HTTP/1.1 {status} x\r\n"),
                    Answer::Redirect(to) => format!("HTTP/1.1 302 x\r\nlocation: {to}\r\n"),
                    Answer::Hang => {
                        held.push(stream);
                        continue;
                    }
                };
                let _ = stream.write_all(
                    format!("{head}content-length: 0\r\nconnection: close\r\n\r\n").as_bytes(),
                );
            }
        });
        Self(all)
    }

    /// What has come, in its order.
    pub(super) fn got(&self) -> Vec<Received> {
        self.0.lock().unwrap().clone()
    }
}

/// Reads a message, unless its sender is killed before it has written the whole of it.
fn read(stream: &TcpStream) -> io::Result<Received> {
    let mut reader = BufReader::new(stream);
    let mut headers = BTreeMap::new();
    let first = line(&mut reader)?;
    assert_eq!(first, "POST /hook HTTP/1.1");
    loop {
        let line = line(&mut reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap();
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body)?;
    let text = String::from_utf8(body).unwrap();
    let (id, body) = (headers["webhook-id"].clone(), serde_json::from_str(&text).unwrap());
    Ok(Received { id, at: Instant::now(), text, body, headers })
}

/// The next line, without its end. A line that has no end is an error.
fn line(reader: &mut impl io::BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.strip_suffix("\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(line.to_owned())
}

impl Received {
    /// Checks the message as the manual says: its signature, its time, and that it says its id.
    #[track_caller]
    pub(super) fn check(&self) {
        let secret = BASE64_STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
        let time = &self.headers["webhook-timestamp"];
        let mut engine = HmacEngine::<sha256::Hash>::new(&secret);
        engine.input(format!("{}.{time}.{}", self.id, self.text).as_bytes());
        let mac = BASE64_STANDARD.encode(Hmac::from_engine(engine).to_byte_array());
        assert_eq!(self.headers["webhook-signature"], format!("v1,{mac}"));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let sent = Duration::from_secs(time.parse().unwrap());
        assert!(now.abs_diff(sent) < Duration::from_secs(300), "{time}");
        assert_eq!(self.body["data"]["id"], self.id);
        assert_eq!(self.headers["content-type"], "application/json");
    }
}
