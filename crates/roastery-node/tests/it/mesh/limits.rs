//! Each bound: one below, at, and one above.

use roastery_node::bus::{JoinError, MeshLimitsError, SendError, queue::QueueLimitsError};

use super::*;

#[test]
fn a_message_may_have_as_many_bytes_as_the_cap_and_not_one_more() {
    let [mut alice, mut bob, mut carol] = joined(&mesh(), ["alice", "bob", "carol"]);
    let cap = alice.max_message_bytes();
    assert_eq!(cap, small().max_message_bytes);
    for size in [0, cap - 1, cap] {
        alice.send(to("bob"), &vec![1; size]).unwrap();
        assert_eq!(next(&mut bob), message("alice", &vec![1; size]));
    }
    let too_large = Err(SendError::TooLarge { bytes: cap + 1, max: cap });
    assert_eq!(alice.send(to("bob"), &vec![1; cap + 1]), too_large);
    assert_eq!(alice.send(Destination::Everyone, &vec![1; cap + 1]), too_large);
    assert_eq!(waiting(&mut bob), None);
    assert_eq!(waiting(&mut carol), None);
    assert_eq!(bob.stats().of(&peer("alice")).dropped_too_large, 2);
    assert_eq!(carol.stats().of(&peer("alice")).dropped_too_large, 1);
}

#[test]
fn a_queue_takes_as_many_messages_as_its_limit_and_drops_the_newest_after() {
    let [mut alice, mut bob] = joined(&mesh(), ["alice", "bob"]);
    let limit = small().max_queued_messages;
    for sent in 1..=limit + 1 {
        alice.send(to("bob"), &[sent as u8]).unwrap();
        let stats = bob.stats().of(&peer("alice"));
        assert_eq!(stats.waiting_messages, sent.min(limit));
        assert_eq!(stats.dropped_queue_full, sent.saturating_sub(limit) as u64);
    }
    for kept in 1..=limit {
        assert_eq!(next(&mut bob), message("alice", &[kept as u8]));
    }
    assert_eq!(waiting(&mut bob), None, "the newest is the one that was dropped");
}

#[test]
fn one_message_taken_out_makes_room_for_one() {
    let [mut alice, mut bob] = joined(&mesh(), ["alice", "bob"]);
    let limit = small().max_queued_messages;
    (0..limit).for_each(|i| alice.send(to("bob"), &[i as u8]).unwrap());
    assert_eq!(next(&mut bob), message("alice", &[0]));
    alice.send(to("bob"), b"fits").unwrap();
    alice.send(to("bob"), b"not").unwrap();
    let stats = bob.stats().of(&peer("alice"));
    assert_eq!((stats.waiting_messages, stats.dropped_queue_full), (limit, 1));
}

#[test]
fn a_queue_takes_as_many_bytes_as_its_limit_and_not_one_more() {
    for (last, dropped) in [(3, 0), (4, 0), (5, 1)] {
        let [mut alice, mut bob] = joined(&mesh(), ["alice", "bob"]);
        alice.send(to("bob"), &[1; 10]).unwrap();
        alice.send(to("bob"), &[2; 10]).unwrap();
        alice.send(to("bob"), &vec![3; last]).unwrap();
        let stats = bob.stats().of(&peer("alice"));
        assert_eq!(stats.dropped_queue_full, dropped, "a last message of {last} bytes");
        assert!(stats.waiting_bytes <= small().max_queued_bytes);

        assert_eq!(next(&mut bob), message("alice", &[1; 10]));
        let left = if dropped == 0 { 10 + last } else { 10 };
        assert_eq!(bob.stats().of(&peer("alice")).waiting_bytes, left);
    }
}

#[test]
fn a_slow_reader_never_blocks_a_sender_and_costs_bounded_memory() {
    let [mut alice, mut bob, mut slow] = joined(&mesh(), ["alice", "bob", "slow"]);
    for i in 0..10_000_u64 {
        alice.send(Destination::Everyone, &i.to_be_bytes()).unwrap();
        assert_eq!(next(&mut bob), message("alice", &i.to_be_bytes()));
    }
    let stats = slow.stats().of(&peer("alice"));
    assert!(stats.waiting_messages <= small().max_queued_messages);
    assert!(stats.waiting_bytes <= small().max_queued_bytes);
    assert_eq!(stats.waiting_messages as u64 + stats.dropped_queue_full, 10_000);
    assert_eq!(next(&mut slow), message("alice", &0_u64.to_be_bytes()));
    assert_eq!(bob.stats().of(&peer("alice")).dropped_queue_full, 0);
}

#[test]
fn a_mesh_takes_as_many_different_peers_as_its_limit() {
    let mesh = mesh();
    let [alice, _bob, _carol] = joined(&mesh, ["alice", "bob", "carol"]);
    let _dave = mesh.join(peer("dave")).unwrap();
    let full = JoinError::Full { max_peers: 4 };
    assert_eq!(mesh.join(peer("erin")).unwrap_err(), full);
    drop(alice);
    assert_eq!(mesh.join(peer("erin")).unwrap_err(), full, "who left keeps its place");
    mesh.join(peer("alice")).unwrap();
}

#[test]
fn limits_under_which_nothing_could_be_sent_are_refused() {
    let refused = |limits| Mesh::new(limits).unwrap_err();
    let of_queues = |queues| refused(MeshLimits { max_peers: 4, queues });
    assert_eq!(refused(MeshLimits { max_peers: 0, queues: small() }), MeshLimitsError::NoPeers);
    assert_eq!(
        of_queues(QueueLimits { max_message_bytes: 0, ..small() }),
        QueueLimitsError::NoMessageBytes.into()
    );
    assert_eq!(
        of_queues(QueueLimits { max_queued_messages: 0, ..small() }),
        QueueLimitsError::NoQueuedMessages.into()
    );
    assert_eq!(
        of_queues(QueueLimits { max_queued_bytes: 9, ..small() }),
        QueueLimitsError::QueueBelowMessage { max_queued_bytes: 9, max_message_bytes: 10 }.into()
    );
    for bytes in [10, 11] {
        let queues = QueueLimits { max_queued_bytes: bytes, ..small() };
        Mesh::new(MeshLimits { max_peers: 4, queues }).unwrap();
    }
    Mesh::new(MeshLimits::default()).unwrap();
}
