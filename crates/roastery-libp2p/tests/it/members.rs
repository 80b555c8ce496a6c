//! A member that misbehaves harms only itself, and its misbehaviour is counted.

use std::time::Duration;

use futures_util::{AsyncWriteExt, StreamExt};

use super::*;
use crate::{
    rogue::{Pongs, Rogue},
    waiting::{next_message, until},
};

/// A rogue that accepts the stream of Anna's messages, and reads it as long as the second value
/// lives.
async fn rogue_beside(honest: &mut Honest) -> (Rogue, tokio::task::JoinHandle<()>) {
    let mut rogue = Rogue::connect(ROGUE, &honest.network.addresses[0][0]).await;
    let mut incoming = rogue.accept();
    let reading = tokio::spawn(async move {
        while let Some((_, mut stream)) = incoming.next().await {
            let _ = futures_util::io::copy(&mut stream, &mut futures_util::io::sink()).await;
        }
    });
    connected(&mut honest.anna, &key(ROGUE).peer()).await;
    (rogue, reading)
}

#[tokio::test]
async fn a_member_that_stops_in_the_middle_of_a_message_loses_its_connection_and_an_idle_one_does_not()
 {
    for listen in [TCP, QUIC] {
        let mut honest = Honest::start(listen, settings()).await;
        let (mut rogue, _reading) = rogue_beside(&mut honest).await;
        let mut stream = rogue.open().await;
        stream.write_all(b"\0\0\0\x09half").await.unwrap();
        stream.flush().await.unwrap();
        // There are no other messages meanwhile, for as long.
        gone(&mut honest.anna, &key(ROGUE).peer()).await;
        rogue.closed().await;
        assert_eq!(honest.of_rogue().unfinished, 1);
        assert!(honest.of_rogue().awaited_since.is_some());
        honest.talk().await;
    }
}

#[tokio::test]
async fn a_message_that_is_too_long_is_not_read_and_ends_the_connection() {
    let mut honest = Honest::start(TCP, settings()).await;
    let (mut rogue, _reading) = rogue_beside(&mut honest).await;
    let cap = honest.anna.max_message_bytes() as u32;
    let mut stream = rogue.open().await;
    stream.write_all(b"\0\0\0\x03one").await.unwrap();
    stream.write_all(&(cap + 1).to_be_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let one = (key(ROGUE).peer(), b"one".to_vec());
    assert_eq!(next_message(&mut honest.anna).await, one);
    gone(&mut honest.anna, &key(ROGUE).peer()).await;
    assert_eq!(honest.anna.stats().of(&key(ROGUE).peer()).dropped_too_large, 1);
    assert_eq!(honest.of_rogue().violations, 1);
    honest.talk().await;
}

#[tokio::test]
async fn a_message_that_breaks_off_ends_the_connection() {
    let mut honest = Honest::start(TCP, settings()).await;
    let (mut rogue, _reading) = rogue_beside(&mut honest).await;
    let mut stream = rogue.open().await;
    stream.write_all(b"\0\0\0\x09half").await.unwrap();
    stream.close().await.unwrap();
    rogue.closed().await;
    until(|| honest.of_rogue().unfinished == 1).await;
    honest.talk().await;
}

#[tokio::test]
async fn a_member_that_opens_a_second_stream_or_many_loses_its_connection() {
    for (listen, streams) in [(TCP, 2), (TCP, 100), (QUIC, 2), (QUIC, 100)] {
        let mut honest = Honest::start(listen, settings()).await;
        let (mut rogue, _reading) = rogue_beside(&mut honest).await;
        let opening = tokio::spawn(async move { rogue.open_many(streams).await });
        gone(&mut honest.anna, &key(ROGUE).peer()).await;
        opening.await.unwrap();
        honest.talk().await;
        assert!(honest.of_rogue().violations <= 1);
        assert!(streams == 100 || honest.of_rogue().violations == 1);
    }
}

#[tokio::test]
async fn a_member_that_speaks_no_protocol_of_the_bus_loses_its_connection() {
    let mut honest = Honest::start(TCP, settings()).await;
    let mut rogue = Rogue::connect_without_protocol(ROGUE, &honest.network.addresses[0][0]).await;
    rogue.closed().await;
    until(|| honest.of_rogue().violations == 1).await;
    honest.talk().await;
}

#[tokio::test]
async fn a_member_that_does_not_answer_pings_loses_its_connection() {
    let settings = P2pSettings { ping_interval: Duration::from_millis(200), ..settings() };
    let mut honest = Honest::start(TCP, settings).await;
    let address = &honest.network.addresses[0][0];
    let mut rogue = Rogue::connect_with(ROGUE, address, Pongs::Withheld).await;
    let _incoming = rogue.accept();
    rogue.closed().await;
    until(|| honest.of_rogue().unanswered_pings > 0).await;
    honest.talk().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_reads_nothing_loses_what_is_for_it_and_keeps_no_other_waiting() {
    let mut honest = Honest::start(TCP, settings()).await;
    let mut rogue = Rogue::connect(ROGUE, &honest.network.addresses[0][0]).await;
    // The stream is accepted and never read.
    let mut incoming = rogue.accept();
    connected(&mut honest.anna, &key(ROGUE).peer()).await;
    let (_, _stream) = incoming.next().await.unwrap();
    for number in 0..100_u8 {
        let long = vec![number; 64 * 1024];
        let _gone_meanwhile = honest.anna.send(Destination::Peer(key(ROGUE).peer()), &long);
    }
    let outbound = honest.of_rogue().outbound;
    assert!(outbound.dropped_queue_full > 0, "{outbound:?}");
    honest.talk().await;
    until(|| honest.of_rogue().unfinished == 1).await;
    honest.talk().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_floods_loses_its_own_messages_only() {
    let queues = QueueLimits { max_queued_messages: 10, ..QueueLimits::default() };
    let mut honest = Honest::start(TCP, network::settings(queues)).await;
    let (mut rogue, _reading) = rogue_beside(&mut honest).await;
    let mut stream = rogue.open().await;
    let flooding = tokio::spawn(async move {
        for number in 0_u64.. {
            let frame = [&8_u32.to_be_bytes()[..], &number.to_le_bytes()].concat();
            if stream.write_all(&frame).await.is_err() {
                return;
            }
        }
    });
    until(|| honest.anna.stats().of(&key(ROGUE).peer()).dropped_queue_full > 1000).await;
    honest.talk().await;
    assert!(!rogue.is_closed());
    flooding.abort();
}

#[tokio::test]
async fn a_member_that_connects_again_and_again_replaces_its_own_connections() {
    for listen in [TCP, QUIC] {
        let mut honest = Honest::start(listen, settings()).await;
        let mut rogues = Vec::new();
        for _ in 0..8 {
            let mut rogue = Rogue::connect(ROGUE, &honest.network.addresses[0][0]).await;
            let incoming = rogue.accept();
            rogues.push((rogue, incoming));
            until(|| honest.of_rogue().connections == rogues.len() as u64).await;
        }
        // Which of the two it is depends on which name is greater.
        until(|| {
            let open = rogues.iter().filter(|(rogue, _)| !rogue.is_closed()).count();
            open == 8 - honest.of_rogue().replaced as usize && (1..=2).contains(&open)
        })
        .await;
        // The newest one is the one in use.
        let (rogue, _) = rogues.last_mut().unwrap();
        let mut stream = rogue.open().await;
        stream.write_all(b"\0\0\0\x06newest").await.unwrap();
        stream.flush().await.unwrap();
        let newest = (key(ROGUE).peer(), b"newest".to_vec());
        assert_eq!(next_message(&mut honest.anna).await, newest);
        honest.talk().await;
    }
}

#[tokio::test]
async fn a_member_that_comes_and_goes_is_seen_to_come_and_go_and_disturbs_no_other() {
    let mut honest = Honest::start(TCP, settings()).await;
    for _ in 0..5 {
        let (rogue, reading) = rogue_beside(&mut honest).await;
        drop(rogue);
        reading.abort();
        assert_eq!(next(&mut honest.anna).await, BusEvent::Disconnected(key(ROGUE).peer()));
    }
    assert_eq!(honest.of_rogue().connections, 5);
    honest.talk().await;
}
