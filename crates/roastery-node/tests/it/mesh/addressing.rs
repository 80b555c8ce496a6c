//! Senders, receivers and ownership of the bytes.

use bytes::BytesMut;
use roastery_node::bus::{Bus, BusEvent, Destination, JoinError, QueueStats, SendError};

use super::*;

#[test]
fn a_message_carries_the_name_of_the_peer_whose_handle_sent_it() {
    let [mut alice, mut bob, mut carol] = joined(&mesh(), ["alice", "bob", "carol"]);
    alice.send(to("carol"), b"same").unwrap();
    bob.send(to("carol"), b"same").unwrap();
    assert_eq!(next(&mut carol), message("alice", b"same"));
    assert_eq!(next(&mut carol), message("bob", b"same"));
}

#[test]
fn a_peer_that_is_there_gets_no_second_handle() {
    let mesh = mesh();
    let [alice, mut bob] = joined(&mesh, ["alice", "bob"]);
    assert_eq!(mesh.join(peer("alice")).unwrap_err(), JoinError::AlreadyJoined(peer("alice")));
    assert_eq!(waiting(&mut bob), None, "a refused join disturbs no peer");
    assert_eq!(alice.local_peer(), &peer("alice"));
}

#[test]
fn what_the_sender_does_to_its_buffer_afterwards_changes_nothing() {
    let [mut alice, mut bob] = joined(&mesh(), ["alice", "bob"]);
    let mut buffer = b"original".to_vec();
    alice.send(to("bob"), &buffer).unwrap();
    buffer.fill(0);
    assert_eq!(next(&mut bob), message("alice", b"original"));
}

#[test]
fn what_one_reader_does_to_a_message_changes_nothing_for_another() {
    let [mut alice, mut bob, mut carol] = joined(&mesh(), ["alice", "bob", "carol"]);
    alice.send(Destination::Everyone, b"original").unwrap();
    let Some(BusEvent::Message { bytes, .. }) = next(&mut bob) else { panic!("bob has a message") };
    let mut mine = BytesMut::from(bytes);
    mine.fill(0);
    assert_eq!(next(&mut carol), message("alice", b"original"));
}

#[test]
fn everyone_is_all_the_others_and_not_oneself() {
    let [mut alice, mut bob, mut carol] = joined(&mesh(), ["alice", "bob", "carol"]);
    alice.send(Destination::Everyone, b"hello").unwrap();
    assert_eq!(next(&mut bob), message("alice", b"hello"));
    assert_eq!(next(&mut carol), message("alice", b"hello"));
    assert_eq!(waiting(&mut alice), None);
    assert_eq!(alice.stats().of(&peer("alice")), QueueStats::default());
}

#[test]
fn a_message_to_one_peer_reaches_no_other() {
    let [mut alice, mut bob, mut carol] = joined(&mesh(), ["alice", "bob", "carol"]);
    alice.send(to("bob"), b"hello").unwrap();
    assert_eq!(next(&mut bob), message("alice", b"hello"));
    assert_eq!(waiting(&mut carol), None);
}

#[test]
fn a_message_to_a_peer_that_cannot_get_it_is_refused_with_the_reason() {
    let mesh = mesh();
    let [mut alice, bob] = joined(&mesh, ["alice", "bob"]);
    assert_eq!(alice.send(to("zoe"), b"x"), Err(SendError::UnknownPeer(peer("zoe"))));
    assert_eq!(alice.send(to("alice"), b"x"), Err(SendError::ToSelf(peer("alice"))));
    drop(bob);
    assert_eq!(alice.send(to("bob"), b"x"), Err(SendError::NotConnected(peer("bob"))));
    assert_eq!(alice.send(Destination::Everyone, b"x"), Ok(()));
}
