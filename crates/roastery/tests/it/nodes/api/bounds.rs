//! A client that uses up its quota does not affect the others, and each bound that is reached is
//! reported.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::net::UnixStream,
    time::Duration,
};

use super::{Api, ask};
use crate::nodes::support::until;

/// Longer than any bound of the API.
const PATIENCE: Duration = Duration::from_secs(120);

/// The status of the answer that comes next, and what is there of its text.
fn status(stream: &mut impl std::io::Read) -> (u16, String) {
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while !answer.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let length = stream.read(&mut part).unwrap();
        assert!(length > 0, "closed without an answer");
        answer.extend_from_slice(&part[..length]);
    }
    let text = String::from_utf8(answer).unwrap();
    (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
}

fn limited(api: &Api, limit: &str) -> bool {
    let metrics = api.metrics();
    metrics.contains(&format!("roastery_limited_total{{limit=\"{limit}\""))
}

#[test]
fn a_thousand_half_open_connections_keep_no_other_client_waiting() {
    let api = Api::start("half-open");
    let half_open: Vec<TcpStream> = (0..1000)
        .map(|_| {
            let mut stream = api.connect();
            // Those that are closed for later ones may not take it.
            let _ = stream.write_all(b"GET /v1/status HTTP/1.1\r\n");
            stream
        })
        .collect();
    assert_eq!(half_open.len(), 1000);
    // Over TCP as well: the connections come from this address too.
    assert_eq!(api.remote("/v1/status", &[&api.bearer("api-token")]).status, 200);
    assert_eq!(api.get("/v1/status").status, 200);
    let session = api.group.propose(0, "meanwhile");
    api.group.approve(1, &session);
    api.group.request_in(0, &session, "signed");
    assert!(limited(&api, "api_connections_of_address"), "{}", api.metrics());
    assert_eq!(api.open("/health").status, 200);
}

#[test]
fn a_connection_for_which_there_is_no_place_is_told_so() {
    let api = Api::start("no-place");
    let socket = api.group.node(0).join("api.sock");
    // Each has a request in progress, whose body does not come.
    let head = "POST /v1/ceremonies HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n";
    let mut busy = Vec::new();
    let (refused, text) = until("no place is left", || {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let mut answer = [0; 1024];
        match stream.read(&mut answer) {
            Ok(length) => {
                let text = String::from_utf8(answer[..length].to_vec()).unwrap();
                Some((text.split(' ').nth(1)?.parse::<u16>().ok()?, text))
            }
            Err(_) => {
                busy.push(stream);
                assert!(busy.len() < 1000, "each has found a place");
                None
            }
        }
    });
    assert_eq!(refused, 503, "{text}");
    assert!(text.contains("\"code\":\"too_many\"") && text.contains("retry-after: 1"), "{text}");
    // Connections over TCP and health are not affected.
    assert_eq!(api.remote("/v1/status", &[&api.bearer("api-token")]).status, 200);
    assert_eq!(api.open("/health").status, 200);
    drop(busy);
    until("there are places again", || (api.get("/v1/status").status == 200).then_some(()));
    assert!(limited(&api, "api_connections"), "{}", api.metrics());
}

#[test]
fn a_body_that_does_not_come_is_answered_in_the_end() {
    let api = Api::start("stalled");
    let mut stream = api.connect();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /v1/ceremonies HTTP/1.1\r\nhost: localhost\r\n{}\r\ncontent-length: 9\r\n\r\n{{",
        api.bearer("api-token").trim()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let (status, text) = status(&mut stream);
    assert_eq!(status, 408, "{text}");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(limited(&api, "api_body_time"), "{}", api.metrics());
}

#[test]
fn a_client_that_takes_no_answers_is_dropped() {
    let api = Api::start("unread");
    let mut stream = api.connect();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let request = format!(
        "GET /v1/openapi.json HTTP/1.1\r\nhost: localhost\r\n{}\r\n\r\n",
        api.bearer("api-read-token").trim()
    );
    // As many as the node reads: it reads no further ones while an answer is not taken.
    let mut asked = 0;
    while asked < 100_000 && stream.write_all(request.as_bytes()).is_ok() {
        asked += 1;
    }
    let begin = std::time::Instant::now();
    while !limited(&api, "api_write_time") {
        assert!(begin.elapsed() < PATIENCE, "after {asked} requests: {}", api.metrics());
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn streams_of_events_have_places_apart_from_requests_and_for_each_role() {
    let api = Api::start("streams");
    let open = |file: &str| {
        let mut stream = api.connect();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let bearer = api.bearer(file);
        let head = format!("GET /v1/events HTTP/1.1\r\nhost: localhost\r\n{bearer}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let answer = status(&mut stream);
        (stream, answer)
    };
    let streams: Vec<_> = (0..16).map(|_| open("api-read-token")).collect();
    assert!(streams.iter().all(|(_, (status, _))| *status == 200), "{streams:?}");
    let (_, (refused, text)) = open("api-read-token");
    assert_eq!(refused, 429, "{text}");
    let reader = api.bearer("api-read-token");
    assert_eq!(api.remote("/v1/status", &[&reader]).status, 200);
    assert_eq!(open("api-token").1.0, 200);
    assert!(limited(&api, "api_event_streams"), "{}", api.metrics());
    // One that ends makes room for another one.
    drop(streams);
    until("there is room", || (open("api-read-token").1.0 == 200).then_some(()));
}

#[test]
fn a_page_that_calls_this_machine_by_another_name_reads_nothing() {
    let api = Api::start("rebinding");
    let read = |host: &str, path: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", api.open)).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        status(&mut stream).0
    };
    for path in ["/metrics", "/health"] {
        assert_eq!(read("evil.example", path), 403);
        assert_eq!(read(&format!("127.0.0.1:{}", api.open), path), 200);
        assert_eq!(read("localhost", path), 200);
        assert_eq!(read("[::1]:80", path), 200);
    }
    let answer = ask(
        TcpStream::connect(("127.0.0.1", api.open)).unwrap(),
        "GET",
        "/metrics",
        &["host: evil.example"],
        b"",
    );
    assert_eq!(answer.code(), "wrong_host");
}

#[test]
fn a_body_that_is_too_long_is_refused_before_it_is_sent() {
    let api = Api::start("announced");
    let mut stream = UnixStream::connect(api.group.node(0).join("api.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = "POST /v1/groups HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1048577\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(status(&mut stream).0, 413);
    assert!(limited(&api, "api_body_bytes"), "{}", api.metrics());
}
