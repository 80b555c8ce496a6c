use std::{collections::BTreeSet, time::Duration};

use roastery_node::bus::{Bus, BusEvent, BusStats, Destination, QueueStats, SendError};
use tokio::time::{sleep, timeout};

use super::{
    kinds::{Kind, limits},
    waiting::{PATIENCE, connected, next, next_message, until},
};

/// The first peers of a mesh, each of which has seen the others connect and no other event.
async fn joined<K: Kind, const N: usize>(kind: &K) -> [K::Bus; N] {
    let mut buses = Vec::new();
    for at in 0..N {
        buses.push(kind.join(at).await);
    }
    for (at, bus) in buses.iter_mut().enumerate() {
        let mut seen = BTreeSet::new();
        for _ in 1..N {
            let BusEvent::Connected(peer) = next(bus).await else { panic!("all are silent") };
            seen.insert(peer);
        }
        let others = (0..N).filter(|other| *other != at).map(|other| kind.peer(other));
        assert_eq!(seen, others.collect());
    }
    buses.try_into().ok().unwrap()
}

fn to(kind: &impl Kind, at: usize) -> Destination {
    Destination::Peer(kind.peer(at))
}

fn message(kind: &impl Kind, from: usize, bytes: &[u8]) -> BusEvent {
    BusEvent::Message { from: kind.peer(from), bytes: bytes.to_vec().into() }
}

/// The number of messages for the reader, delivered or not.
fn offered(stats: QueueStats) -> u64 {
    stats.delivered
        + stats.repeats_suppressed
        + stats.dropped_queue_full
        + stats.waiting_messages as u64
}

/// The number of messages to this reader that were lost at the sender's end.
fn lost_before(stats: &BusStats, kind: &impl Kind, reader: usize) -> u64 {
    let lost = |stats: QueueStats| stats.dropped_queue_full + stats.repeats_suppressed;
    stats.link(&kind.peer(reader)).map_or(0, |link| lost(link.outbound))
}

pub async fn each_peer_sees_every_other_connect_once(kind: &impl Kind) {
    let mut buses = joined::<_, 4>(kind).await;
    buses[0].send(Destination::Everyone, b"and nothing else").unwrap();
    for bus in &mut buses[1..] {
        assert_eq!(next(bus).await, message(kind, 0, b"and nothing else"));
    }
}

pub async fn a_message_carries_the_name_of_the_peer_that_sent_it(kind: &impl Kind) {
    let [mut alice, mut bob, mut carol] = joined(kind).await;
    alice.send(to(kind, 2), b"same").unwrap();
    bob.send(to(kind, 2), b"same").unwrap();
    let mut heard = [next(&mut carol).await, next(&mut carol).await];
    if heard[0] != message(kind, 0, b"same") {
        heard.reverse();
    }
    assert_eq!(heard, [message(kind, 0, b"same"), message(kind, 1, b"same")]);
}

pub async fn everyone_is_all_the_others_and_not_oneself(kind: &impl Kind) {
    let [mut alice, mut bob, mut carol] = joined(kind).await;
    alice.send(Destination::Everyone, b"hello").unwrap();
    assert_eq!(next(&mut bob).await, message(kind, 0, b"hello"));
    assert_eq!(next(&mut carol).await, message(kind, 0, b"hello"));
    bob.send(to(kind, 0), b"hello yourself").unwrap();
    assert_eq!(next(&mut alice).await, message(kind, 1, b"hello yourself"));
    assert_eq!(alice.stats().of(&kind.peer(0)), QueueStats::default());
}

pub async fn a_message_to_one_peer_reaches_no_other(kind: &impl Kind) {
    let [mut alice, mut bob, mut carol] = joined(kind).await;
    alice.send(to(kind, 1), b"for bob").unwrap();
    assert_eq!(next(&mut bob).await, message(kind, 0, b"for bob"));
    alice.send(Destination::Everyone, b"for all").unwrap();
    assert_eq!(next(&mut carol).await, message(kind, 0, b"for all"));
}

pub async fn a_message_may_have_as_many_bytes_as_the_cap_and_not_one_more(kind: &impl Kind) {
    let [mut alice, mut bob] = joined(kind).await;
    let cap = alice.max_message_bytes();
    assert_eq!(cap, limits().max_message_bytes);
    for size in [0, 1, cap - 1, cap] {
        alice.send(to(kind, 1), &vec![1; size]).unwrap();
        assert_eq!(next(&mut bob).await, message(kind, 0, &vec![1; size]));
    }
    let refused = Err(SendError::TooLarge { bytes: cap + 1, max: cap });
    assert_eq!(alice.send(to(kind, 1), &vec![1; cap + 1]), refused);
    assert_eq!(alice.send(Destination::Everyone, &vec![1; cap + 1]), refused);
    // It may be counted at either end.
    let theirs = bob.stats().of(&kind.peer(0)).dropped_too_large;
    let ours = alice.stats().link(&kind.peer(1)).map_or(0, |link| link.outbound.dropped_too_large);
    assert_eq!(theirs + ours, 2);
}

pub async fn a_message_to_a_peer_that_is_none_is_refused_with_the_reason(kind: &impl Kind) {
    let mut alice = kind.join(0).await;
    let stranger = kind.peer(200);
    let refused = alice.send(Destination::Peer(stranger.clone()), b"x");
    assert_eq!(refused, Err(SendError::UnknownPeer(stranger)));
    assert_eq!(alice.send(to(kind, 0), b"x"), Err(SendError::ToSelf(kind.peer(0))));
    assert_eq!(alice.send(Destination::Everyone, b"x"), Ok(()));
}

pub async fn a_peer_that_leaves_is_seen_to_leave_after_all_that_it_said(kind: &impl Kind) {
    let [mut alice, mut bob] = joined(kind).await;
    for number in 0..10 {
        alice.send(to(kind, 1), &[number]).unwrap();
    }
    drop(alice);
    for number in 0..10 {
        assert_eq!(next(&mut bob).await, message(kind, 0, &[number]));
    }
    assert_eq!(next(&mut bob).await, BusEvent::Disconnected(kind.peer(0)));
    assert_eq!(bob.send(to(kind, 0), b"x"), Err(SendError::NotConnected(kind.peer(0))));
}

pub async fn a_peer_that_left_is_seen_to_come_back(kind: &impl Kind) {
    let [alice, mut bob] = joined(kind).await;
    drop(alice);
    for life in 1..4 {
        assert_eq!(next(&mut bob).await, BusEvent::Disconnected(kind.peer(0)));
        let mut alice = kind.join(0).await;
        connected(&mut alice, &kind.peer(1)).await;
        assert_eq!(next(&mut bob).await, BusEvent::Connected(kind.peer(0)));
        alice.send(to(kind, 1), &[life]).unwrap();
        bob.send(to(kind, 0), &[life]).unwrap();
        assert_eq!(next(&mut bob).await, message(kind, 0, &[life]));
        assert_eq!(next_message(&mut alice).await, (kind.peer(1), vec![life]));
    }
}

pub async fn a_flood_loses_only_the_flooders_own_and_is_counted(kind: &impl Kind) {
    let [mut flooder, mut honest, mut reader] = joined(kind).await;
    let flood = 5_000_u32;
    for number in 0..flood {
        flooder.send(to(kind, 2), &number.to_be_bytes()).unwrap();
        if number % 100 == 0 {
            // The flood takes a while, and fills more than one queue.
            sleep(Duration::from_millis(1)).await;
        }
    }
    until(|| {
        let before = lost_before(&flooder.stats(), kind, 2);
        offered(reader.stats().of(&kind.peer(0))) + before == u64::from(flood)
    })
    .await;
    assert!(reader.stats().of(&kind.peer(0)).dropped_queue_full > 0);
    for word in [b"one", b"two"] {
        honest.send(to(kind, 2), word).unwrap();
    }
    until(|| offered(reader.stats().of(&kind.peer(1))) == 2).await;

    // The flooder's queue is full. The honest peer is served all the same.
    let mut heard = Vec::new();
    for _ in 0..4 {
        let (from, bytes) = next_message(&mut reader).await;
        heard.extend((from == kind.peer(1)).then_some(bytes));
    }
    assert_eq!(heard, [b"one", b"two"]);
    let stats = reader.stats().of(&kind.peer(1));
    assert_eq!(stats, QueueStats { delivered: 2, ..QueueStats::default() });
}

pub async fn a_reader_that_never_reads_blocks_no_sender_and_costs_bounded_memory(kind: &impl Kind) {
    let [mut alice, mut bob, slow] = joined(kind).await;
    let sent = 5_000_u32;
    let size = 100;
    for number in 0..sent {
        let mut bytes = number.to_be_bytes().to_vec();
        bytes.resize(size, 0);
        alice.send(Destination::Everyone, &bytes).unwrap();
        let waiting = slow.stats().of(&kind.peer(0));
        assert!(waiting.waiting_messages <= limits().max_queued_messages);
        assert!(waiting.waiting_bytes <= limits().max_queued_bytes);
        for (_, link) in alice.stats().links() {
            assert!(link.outbound.waiting_messages <= limits().max_queued_messages);
            assert!(link.outbound.waiting_bytes <= limits().max_queued_bytes);
        }
        // Yields now and then, so that the bus's tasks can run.
        if number % 10 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let (from, _) = next_message(&mut bob).await;
    assert_eq!(from, kind.peer(0));
    until(|| {
        let before = lost_before(&alice.stats(), kind, 2);
        offered(slow.stats().of(&kind.peer(0))) + before == u64::from(sent)
    })
    .await;
}

pub async fn a_receive_that_is_given_up_loses_nothing(kind: &impl Kind) {
    let [mut alice, mut bob] = joined(kind).await;
    let count = 100_u8;
    let sender = tokio::spawn(async move {
        for number in 0..count {
            alice.send(Destination::Everyone, &[number]).unwrap();
            sleep(Duration::from_micros(u64::from(number % 7) * 300)).await;
            // No more than the queue takes, so that no message is lost.
            if number % 10 == 9 {
                next(&mut alice).await;
            }
        }
        alice
    });
    let mut heard = Vec::new();
    while heard.len() < usize::from(count) {
        tokio::select! {
            event = bob.receive() => match event {
                Some(BusEvent::Message { bytes, .. }) => {
                    heard.push(bytes[0]);
                    if bytes[0] % 10 == 9 {
                        bob.send(to(kind, 0), b"go on").unwrap();
                    }
                }
                other => panic!("{other:?}"),
            },
            () = sleep(Duration::from_micros(500)) => {}
        }
    }
    assert_eq!(heard, (0..count).collect::<Vec<_>>());
    drop(sender.await.unwrap());
}

pub async fn a_message_that_is_sent_again_until_it_is_answered_arrives(kind: &impl Kind) {
    let [mut alice, mut bob] = joined(kind).await;
    // During a flood of which most is lost.
    let answered = async {
        for number in (30_u32..).step_by(7) {
            // More and less than there is room for.
            for noise in 0..number % 50 {
                alice.send(to(kind, 1), &(number * 50 + noise).to_be_bytes()).unwrap();
            }
            alice.send(to(kind, 1), b"question").unwrap();
            if let Ok(Some(BusEvent::Message { bytes, .. })) =
                timeout(Duration::from_millis(5), alice.receive()).await
            {
                assert_eq!(bytes, "answer");
                return;
            }
        }
    };
    let answers = async {
        loop {
            if let (_, bytes) = next_message(&mut bob).await
                && bytes == b"question"
            {
                bob.send(to(kind, 0), b"answer").unwrap();
            }
        }
    };
    let first = async {
        tokio::select! {
            () = answered => {}
            () = answers => {}
        }
    };
    timeout(PATIENCE, first).await.expect("an answer");
}

/// What a driver does: one task that owns any bus at all, which must be possible to spawn.
async fn echo(mut bus: impl Bus) {
    while let Some(event) = bus.receive().await {
        if let BusEvent::Message { from, bytes } = event {
            let _gone_meanwhile = bus.send(Destination::Peer(from), &bytes);
        }
    }
}

pub async fn a_task_can_own_a_bus_through_the_trait_alone(kind: &impl Kind) {
    let [mut alice, bob] = joined(kind).await;
    let echo = tokio::spawn(echo(bob));
    alice.send(to(kind, 1), b"ping").unwrap();
    assert_eq!(next(&mut alice).await, message(kind, 1, b"ping"));
    echo.abort();
    assert_eq!(next(&mut alice).await, BusEvent::Disconnected(kind.peer(1)));
}
