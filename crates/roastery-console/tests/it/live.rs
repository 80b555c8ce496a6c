//! Pages that follow the node.

use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};

use crate::{http::PATIENCE, node::World};

async fn follow(world: &World, token: &str) -> TcpStream {
    world.call("GET", "/events").token(token).begin().await
}

/// Reads until this comes, and returns what came before it as well. The wait has one time for all:
/// pings come for ever.
async fn until(stream: &mut TcpStream, what: &str) -> String {
    let mut text = String::new();
    let comes = timeout(PATIENCE, async {
        while !text.contains(what) {
            let mut bytes = [0; 1024];
            let length = stream.read(&mut bytes).await.unwrap();
            assert_ne!(length, 0, "{text}");
            text += std::str::from_utf8(&bytes[..length]).unwrap();
        }
    });
    assert!(comes.await.is_ok(), "{what} does not come: {text}");
    text
}

#[tokio::test]
async fn what_happens_at_the_node_is_told_to_a_page_that_follows_it() {
    let world = World::new().await;
    let token = world.token().await;
    let mut stream = follow(&world, &token).await;
    let begin = until(&mut stream, "event: ping").await;
    assert!(begin.contains("text/event-stream"), "{begin}");
    let told = async {
        loop {
            world.tell();
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        _ = until(&mut stream, "event: changed") => {}
        () = told => {}
    }
}

#[tokio::test]
async fn a_page_is_told_when_the_node_does_not_answer_and_when_it_does_again() {
    let mut world = World::new().await;
    let token = world.token().await;
    let mut stream = follow(&world, &token).await;
    until(&mut stream, "event: ping").await;
    world.stop_node();
    until(&mut stream, "event: offline").await;
    let page = world.call("GET", "/fragment/").token(&token).send().await;
    assert_eq!(page.status, 503);
    assert!(page.body.contains("No node runs here"), "{page:?}");
    assert!(page.body.contains("roastery node"), "{page:?}");
    world.start_node();
    until(&mut stream, "event: live").await;
    assert_eq!(world.call("GET", "/fragment/").token(&token).send().await.status, 200);
}

#[tokio::test]
async fn a_session_has_four_streams_and_all_have_sixteen() {
    let world = World::new().await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        let token = world.token().await;
        for _ in 0..4 {
            let mut stream = follow(&world, &token).await;
            until(&mut stream, "event: ping").await;
            streams.push(stream);
        }
        assert_eq!(world.call("GET", "/events").token(&token).send().await.status, 429);
    }
    let token = world.token().await;
    assert_eq!(world.call("GET", "/events").token(&token).send().await.status, 429);
    streams.truncate(4);
    // The places are free when the console has noticed the ends.
    let begun = std::time::Instant::now();
    loop {
        let mut stream = follow(&world, &token).await;
        let mut status = [0; 12];
        timeout(PATIENCE, stream.read_exact(&mut status)).await.unwrap().unwrap();
        if status.ends_with(b"200") {
            return;
        }
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
