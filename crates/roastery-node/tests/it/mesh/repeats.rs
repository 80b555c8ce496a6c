//! Repeated messages, and how messages are counted.

use super::*;

#[test]
fn an_exact_repeat_is_suppressed_while_it_waits_and_delivered_again_later() {
    let [mut alice, mut bob] = joined(&mesh(), ["alice", "bob"]);
    for _ in 0..3 {
        alice.send(to("bob"), b"package").unwrap();
    }
    let stats = bob.stats().of(&peer("alice"));
    assert_eq!((stats.waiting_messages, stats.repeats_suppressed), (1, 2));
    assert_eq!(next(&mut bob), message("alice", b"package"));
    assert_eq!(waiting(&mut bob), None);

    alice.send(to("bob"), b"package").unwrap();
    assert_eq!(next(&mut bob), message("alice", b"package"));
}

#[test]
fn a_message_that_differs_in_one_byte_or_in_length_is_no_repeat() {
    let [mut alice, mut bob] = joined(&mesh(), ["alice", "bob"]);
    for body in [&b"share"[..], b"sharf", b"share\0"] {
        alice.send(to("bob"), body).unwrap();
    }
    for body in [&b"share"[..], b"sharf", b"share\0"] {
        assert_eq!(next(&mut bob), message("alice", body));
    }
}

#[test]
fn a_repeat_in_a_full_queue_is_a_repeat_and_no_loss() {
    let [mut alice, bob] = joined(&mesh(), ["alice", "bob"]);
    (0..small().max_queued_messages).for_each(|i| alice.send(to("bob"), &[i as u8]).unwrap());
    alice.send(to("bob"), &[0]).unwrap();
    let stats = bob.stats().of(&peer("alice"));
    assert_eq!((stats.repeats_suppressed, stats.dropped_queue_full), (1, 0));
}

#[test]
fn every_message_is_counted_in_exactly_one_place() {
    let mesh = mesh();
    let [mut alice, mut bob] = joined(&mesh, ["alice", "bob"]);
    let (mut random, mut sent) = (1_u64, 0);
    for _ in 0..5_000 {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if (random >> 32) % 3 == 0 {
            waiting(&mut bob);
        } else {
            let body = vec![(random >> 40) as u8 % 4; (random >> 48) as usize % 13];
            let _refused_when_too_large = alice.send(to("bob"), &body);
            sent += 1;
        }
        let s = bob.stats().of(&peer("alice"));
        let counted =
            s.delivered + s.repeats_suppressed + s.dropped_queue_full + s.dropped_too_large;
        assert_eq!(counted + s.waiting_messages as u64, sent);
        assert!(s.waiting_messages <= small().max_queued_messages);
        assert!(s.waiting_bytes <= small().max_queued_bytes);
    }
    let s = bob.stats().of(&peer("alice"));
    for place in [s.delivered, s.repeats_suppressed, s.dropped_queue_full, s.dropped_too_large] {
        assert!(place > 100, "{s:?}");
    }
    assert_eq!(mesh.stats(&peer("bob")), Some(bob.stats()));
    assert_eq!(bob.stats().iter().collect::<Vec<_>>(), [(&peer("alice"), s)]);
}
