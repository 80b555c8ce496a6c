//! The client of the API, beside a node that the test plays.

use std::time::Duration;

use roastery_service::api::{Client, ClientError};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A socket that a test listens at, in a folder that ends with it.
fn socket() -> (tempfile::TempDir, UnixListener, Client) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let listener = UnixListener::bind(&path).unwrap();
    (folder, listener, Client::new(path).with_patience(PATIENCE))
}

/// Answers one call over a connection; false if it has ended.
async fn answer(stream: &mut UnixStream) -> bool {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => read.push(byte),
            Err(_) => return false,
        }
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]").await.is_ok()
}

async fn call(client: &Client) -> Result<(), ClientError> {
    let empty: Vec<u8> = client.get("/v1/requests").await?;
    assert!(empty.is_empty());
    Ok(())
}

#[tokio::test]
async fn calls_in_a_row_use_one_connection_and_clones_share_it() {
    let (_folder, listener, client) = socket();
    let calls = async {
        for _ in 0..3 {
            call(&client.clone()).await.unwrap();
        }
    };
    let node = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            assert!(answer(&mut stream).await);
        }
    };
    tokio::join!(calls, node);
}

#[tokio::test]
async fn a_connection_that_the_node_has_closed_is_not_used_again() {
    let (_folder, listener, client) = socket();
    for _ in 0..2 {
        let node = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(answer(&mut stream).await);
        };
        let (called, ()) = tokio::join!(call(&client), node);
        called.unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_was_idle_for_more_than_a_second_is_closed_by_the_next_call() {
    let (_folder, listener, client) = socket();
    let calls = async {
        call(&client).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        call(&client).await.unwrap();
    };
    let node = async {
        let (mut first, _) = listener.accept().await.unwrap();
        assert!(answer(&mut first).await);
        let (mut second, _) = listener.accept().await.unwrap();
        assert!(answer(&mut second).await);
        assert!(!answer(&mut first).await);
    };
    tokio::join!(calls, node);
}
