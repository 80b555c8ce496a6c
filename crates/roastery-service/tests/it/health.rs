//! Health is answered by a thread of its own, whatever else is stuck.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    sync::mpsc,
    time::{Duration, Instant},
};

use roastery_service::{
    Service,
    api::ApiServer,
    config::Config,
    files::Folder,
    init::{NewNode, init},
};
use roastery_store::{Passphrase, PassphraseCost, Store};

fn get(socket: &Path, path: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_node_whose_tasks_have_no_turn_says_so_itself() {
    let path = std::env::temp_dir().join(format!("roastery-health-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    let folder = Folder::new(&path);
    let passphrase = || Passphrase::new("words".to_owned());
    let new = NewNode {
        seats: 1,
        name: "anna".parse().unwrap(),
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
        announce: Vec::new(),
        passphrase: passphrase(),
        cost: PassphraseCost::new(8, 1, 1).unwrap(),
        more_config: String::new(),
    };
    init(&folder, new).unwrap();
    let config = Config::load(&folder, |_| None).unwrap();
    let store = Store::open(folder.store(), &passphrase()).unwrap();
    let threads = 2;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .unwrap();
    let service = runtime.block_on(Service::start(folder.clone(), config.clone(), store)).unwrap();
    let api = ApiServer::start(service.clone(), &folder, &config).unwrap();
    let socket = path.join("api.sock");
    let healthy = get(&socket, "/health");
    assert!(healthy.starts_with("HTTP/1.1 200"), "{healthy}");

    // Each thread of the protocol's runtime is blocked by a task that does not yield.
    let mut blocked = Vec::new();
    for _ in 0..threads {
        let (release, wait) = mpsc::channel::<()>();
        let (taken, is_taken) = mpsc::channel();
        runtime.spawn(async move {
            taken.send(()).unwrap();
            let _ = wait.recv();
        });
        is_taken.recv_timeout(Duration::from_secs(60)).unwrap();
        blocked.push(release);
    }
    let begin = Instant::now();
    let problem = loop {
        let answer = get(&socket, "/health");
        if answer.starts_with("HTTP/1.1 503") {
            break answer;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{answer}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(problem.contains("no task has run for"), "{problem}");
    // Waiting does not mend it: the service manager is to know.
    assert!(!runtime.block_on(service.stuck()).is_empty());
    assert!(get(&socket, "/ready").starts_with("HTTP/1.1 503"));
    assert!(get(&socket, "/metrics").starts_with("HTTP/1.1 200"));

    // When its threads are free the node is healthy again.
    drop(blocked);
    let begin = Instant::now();
    while !get(&socket, "/health").starts_with("HTTP/1.1 200") {
        assert!(begin.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(runtime.block_on(service.stuck()).is_empty());
    api.stop();
    runtime.block_on(service.stop());
    let _ = std::fs::remove_dir_all(&path);
}
