//! Connecting, disconnecting and closing.

use roastery_node::bus::{JoinError, QueueStats, SendError};

use super::*;

#[test]
fn a_newcomer_and_those_already_there_see_each_other_connect() {
    let mesh = mesh();
    let mut alice = mesh.join(peer("alice")).unwrap();
    let mut bob = mesh.join(peer("bob")).unwrap();
    let mut carol = mesh.join(peer("carol")).unwrap();
    for (bus, others) in [
        (&mut alice, ["bob", "carol"]),
        (&mut bob, ["alice", "carol"]),
        (&mut carol, ["alice", "bob"]),
    ] {
        assert_eq!(others.map(|_| next(bus)), others.map(connected));
        assert_eq!(waiting(bus), None);
    }
}

#[test]
fn a_peer_that_leaves_is_seen_to_leave_after_all_that_it_said() {
    let [mut alice, mut bob] = joined(&mesh(), ["alice", "bob"]);
    alice.send(to("bob"), b"last words").unwrap();
    drop(alice);
    assert_eq!(next(&mut bob), message("alice", b"last words"));
    assert_eq!(next(&mut bob), disconnected("alice"));
    assert_eq!(waiting(&mut bob), None);
}

#[test]
fn a_peer_that_left_joins_again_with_an_empty_inbox_and_is_seen_to_restart() {
    let mesh = mesh();
    let [mut alice, mut bob] = joined(&mesh, ["alice", "bob"]);
    bob.send(to("alice"), b"before").unwrap();
    alice.send(to("bob"), b"old life").unwrap();
    drop(alice);
    assert_eq!(mesh.stats(&peer("alice")), None);

    let mut alice = mesh.join(peer("alice")).unwrap();
    alice.send(to("bob"), b"new life").unwrap();
    assert_eq!(next(&mut bob), message("alice", b"old life"));
    assert_eq!(next(&mut bob), disconnected("alice"));
    assert_eq!(next(&mut bob), connected("alice"));
    assert_eq!(next(&mut bob), message("alice", b"new life"));

    bob.send(to("alice"), b"after").unwrap();
    assert_eq!(next(&mut alice), connected("bob"));
    assert_eq!(next(&mut alice), message("bob", b"after"));
    assert_eq!(waiting(&mut alice), None);
    assert_eq!(alice.stats().of(&peer("bob")), QueueStats { delivered: 1, ..Default::default() });
}

#[test]
fn a_full_queue_loses_no_connection_event() {
    let mesh = mesh();
    let [mut alice, mut bob] = joined(&mesh, ["alice", "bob"]);
    (0..100).for_each(|i| alice.send(to("bob"), &[i]).unwrap());
    drop(alice);
    let _alice = mesh.join(peer("alice")).unwrap();
    for i in 0..small().max_queued_messages {
        assert_eq!(next(&mut bob), message("alice", &[i as u8]));
    }
    assert_eq!(next(&mut bob), disconnected("alice"));
    assert_eq!(next(&mut bob), connected("alice"));
    assert_eq!(waiting(&mut bob), None);
}

#[test]
fn a_closed_mesh_gives_out_what_waits_and_then_none_for_ever() {
    let mesh = mesh();
    let [mut alice, mut bob] = joined(&mesh, ["alice", "bob"]);
    alice.send(to("bob"), b"last").unwrap();
    mesh.close();
    assert_eq!(alice.send(to("bob"), b"late"), Err(SendError::Closed));
    assert_eq!(alice.send(Destination::Everyone, &[0; 99]), Err(SendError::Closed));
    assert_eq!(mesh.join(peer("carol")).unwrap_err(), JoinError::Closed);
    assert_eq!(next(&mut bob), message("alice", b"last"));
    assert_eq!(next(&mut bob), None);
    drop(alice);
    assert_eq!(next(&mut bob), None);
}

#[test]
fn the_buses_stay_when_the_mesh_is_dropped() {
    let [mut alice, mut bob] = joined(&mesh(), ["alice", "bob"]);
    alice.send(to("bob"), b"hello").unwrap();
    assert_eq!(next(&mut bob), message("alice", b"hello"));
}
