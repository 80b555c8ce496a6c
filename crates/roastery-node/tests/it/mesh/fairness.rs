//! A peer that floods loses only its own messages.

use roastery_node::bus::QueueStats;

use super::*;

#[test]
fn a_flood_of_different_messages_loses_only_the_flooders_own_and_is_counted() {
    let [mut flooder, mut honest, mut reader] = joined(&mesh(), ["flooder", "honest", "reader"]);
    for i in 0..1_000_u64 {
        flooder.send(to("reader"), &i.to_be_bytes()).unwrap();
    }
    for word in [b"one", b"two"] {
        honest.send(to("reader"), word).unwrap();
    }
    for i in 1_000..2_000_u64 {
        flooder.send(to("reader"), &i.to_be_bytes()).unwrap();
    }

    let mut heard = Vec::new();
    while let Some(BusEvent::Message { from, bytes }) = waiting(&mut reader) {
        if from == peer("honest") {
            heard.push(bytes);
        }
    }
    assert_eq!(heard, [&b"one"[..], b"two"]);

    let stats = reader.stats();
    let kept = 3; // of 8 bytes each, in 24
    let flooded =
        QueueStats { delivered: kept, dropped_queue_full: 2_000 - kept, ..Default::default() };
    assert_eq!(stats.of(&peer("flooder")), flooded);
    assert_eq!(stats.of(&peer("honest")), QueueStats { delivered: 2, ..Default::default() });
}

#[test]
fn beside_a_full_queue_another_peers_message_comes_within_two_receives() {
    for read_before in 0..3 {
        let [mut flooder, mut honest, mut reader] =
            joined(&mesh(), ["flooder", "honest", "reader"]);
        (0..100).for_each(|i| flooder.send(to("reader"), &[i]).unwrap());
        for _ in 0..read_before {
            next(&mut reader);
        }
        honest.send(to("reader"), b"me too").unwrap();
        let two = [next(&mut reader), next(&mut reader)];
        assert!(two.contains(&message("honest", b"me too")), "{two:?} after {read_before}");
    }
}

#[test]
fn senders_that_have_something_waiting_take_turns() {
    let [mut alice, mut bob, mut carol, mut reader] =
        joined(&mesh(), ["alice", "bob", "carol", "reader"]);
    for round in 0..3 {
        alice.send(to("reader"), &[round]).unwrap();
    }
    for round in 0..3 {
        bob.send(to("reader"), &[round]).unwrap();
        carol.send(to("reader"), &[round]).unwrap();
    }
    for round in 0..3 {
        for name in ["alice", "bob", "carol"] {
            assert_eq!(next(&mut reader), message(name, &[round]));
        }
    }
}

#[test]
fn a_peer_that_reconnects_without_end_takes_one_turn_like_any_other() {
    let mesh = mesh();
    let [mut honest, mut reader] = joined(&mesh, ["honest", "reader"]);
    for _ in 0..100 {
        drop(mesh.join(peer("restless")).unwrap());
    }
    assert_eq!(waiting(&mut reader), None, "connections that carried nothing leave nothing behind");

    let _restless = mesh.join(peer("restless")).unwrap();
    honest.send(to("reader"), b"one").unwrap();
    honest.send(to("reader"), b"two").unwrap();
    assert_eq!(next(&mut reader), connected("restless"));
    assert_eq!(next(&mut reader), message("honest", b"one"));
    assert_eq!(next(&mut reader), message("honest", b"two"));
    assert_eq!(waiting(&mut reader), None);
}
