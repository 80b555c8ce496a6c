//! The end of a mux.

use roastery_node::bus::{SendError, mux::OpenChannelError};

use super::*;

#[tokio::test]
async fn when_the_bus_ends_each_channel_gets_what_waits_and_then_nothing() {
    let mesh = Mesh::default();
    let (anna, mut ben) = (Node::join(&mesh, "anna"), mesh.join(peer("ben")).unwrap());
    let mut channel = anna.open(group(1), &["anna", "ben"]);
    let mut idle = anna.open(group(2), &["anna"]);
    ben.send(Destination::Everyone, &about(group(1), b"last words")).unwrap();
    mesh.close();
    assert_eq!(idle.receive().await, None);
    connected(&mut channel, &["ben"]).await;
    assert_eq!(next(&mut channel).await, message("ben", group(1), b"last words"));
    assert_eq!(channel.receive().await, None);
    assert_eq!(channel.receive().await, None);
    assert_eq!(channel.send(Destination::Everyone, b"x"), Err(SendError::Closed));
    assert_eq!(anna.handle.open(group(3), []).unwrap_err(), OpenChannelError::Closed);
    anna.task.await.unwrap();
}

#[tokio::test]
async fn when_the_task_is_dropped_all_channels_end() {
    let mesh = Mesh::default();
    let anna = Node::join(&mesh, "anna");
    let mut channel = anna.open(group(1), &["anna"]);
    anna.task.abort();
    assert_eq!(channel.receive().await, None);
}

#[tokio::test]
async fn with_the_last_handle_and_the_last_channel_the_mux_ends_and_gives_the_bus_back() {
    let mesh = Mesh::default();
    let Node { handle, task } = Node::join(&mesh, "anna");
    let mut ben = mesh.join(peer("ben")).unwrap();
    let other_handle = handle.clone();
    drop(handle);
    let mut channel = other_handle.open(group(1), [peer("ben")]).unwrap();
    drop(other_handle);
    connected(&mut channel, &["ben"]).await;
    say(&mut channel, "ben", b"good night");
    drop(channel);
    let mut bus = task.await.unwrap();
    assert_eq!(bus.local_peer(), &peer("anna"));
    waiting::connected(&mut ben, &peer("anna")).await;
    assert_eq!(next_message(&mut ben).await, (peer("anna"), about(group(1), b"good night")));
    bus.send(Destination::Everyone, b"still here").unwrap();
}
