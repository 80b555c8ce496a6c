//! Dialling, reconnecting, and the state of each connection.

use std::time::Duration;

use roastery_libp2p::{BindError, Endpoint, P2pSettingsError, PeersError};

use super::*;
use crate::waiting::until;

#[tokio::test]
async fn a_peer_is_called_at_each_of_its_addresses_until_it_answers() {
    let network = Network::new(2, TCP, settings()).await;
    let absent = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    let mut roster = network.roster();
    roster[1].1.insert(0, absent);
    let mut anna = network.join_with(0, roster).await;
    // Ben does not have Anna's address.
    let mut ben = network.join_with(1, vec![(key(0).peer(), Vec::new())]).await;
    connected(&mut anna, &key(1).peer()).await;
    connected(&mut ben, &key(0).peer()).await;
}

#[tokio::test]
async fn a_peer_is_called_at_a_name_which_is_looked_up() {
    for listen in [TCP, QUIC] {
        let network = Network::new(2, listen, settings()).await;
        let named = |text: &str| text.replace("/ip4/127.0.0.1", "/dns4/localhost").parse().unwrap();
        // A name that does not exist keeps no other address from being dialled.
        let nowhere = "/dns/nowhere.invalid/tcp/7400".parse().unwrap();
        let called = vec![nowhere, named(&network.called(1)[0].to_string())];
        let mut anna = network.join_with(0, vec![(key(1).peer(), called)]).await;
        let mut ben = network.join_with(1, vec![(key(0).peer(), Vec::new())]).await;
        connected(&mut anna, &key(1).peer()).await;
        connected(&mut ben, &key(0).peer()).await;
    }
}

#[tokio::test]
async fn a_peer_whose_name_is_not_found_is_awaited_and_called_again() {
    let network = Network::new(1, TCP, settings()).await;
    let nowhere = "/dns/nowhere.invalid/tcp/7400".parse().unwrap();
    let anna = network.join_with(0, vec![(key(1).peer(), vec![nowhere])]).await;
    until(|| anna.stats().link(&key(1).peer()).unwrap().failed_dials > 1).await;
}

#[tokio::test]
async fn one_that_restarts_is_found_again_by_one_that_only_calls_and_by_one_that_is_only_called() {
    for (caller, called) in [(0, 1), (1, 0)] {
        let network = Network::new(2, TCP, settings()).await;
        let mut calls = network.join(caller).await;
        let without_addresses = vec![(key(caller).peer(), Vec::new())];
        for _ in 0..3 {
            let mut is_called = network.join_with(called, without_addresses.clone()).await;
            connected(&mut is_called, &key(caller).peer()).await;
            connected(&mut calls, &key(called).peer()).await;
            is_called.close().await;
            gone(&mut calls, &key(called).peer()).await;
        }
        let link = calls.stats().link(&key(called).peer()).unwrap();
        assert!(link.awaited_since.is_some());
        assert_eq!(link.connections, 3);
    }
}

#[test]
fn a_node_that_is_gone_without_a_word_is_missed_and_found_again() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let settings = P2pSettings {
        ping_interval: Duration::from_millis(500),
        ping_timeout: Duration::from_secs(4),
        ..settings()
    };
    for listen in [TCP, QUIC] {
        let (survivors, first_life, second_life) = (runtime(), runtime(), runtime());
        let network = survivors.block_on(Network::new(1, listen, settings));
        let roster = vec![(key(1).peer(), Vec::new())];
        let mut anna = survivors.block_on(network.join_with(0, roster));
        let live = async || {
            let endpoint = Endpoint::bind(key(1), &[], settings).await.unwrap();
            let mut bus = endpoint.join(network.roster()).unwrap();
            connected(&mut bus, &key(0).peer()).await;
            bus
        };
        let ben = first_life.block_on(live());
        survivors.block_on(connected(&mut anna, &key(1).peer()));
        // Its tasks are aborted, and unsent messages are lost.
        first_life.shutdown_background();
        survivors.block_on(gone(&mut anna, &key(1).peer()));
        let mut ben_again = second_life.block_on(live());
        survivors.block_on(connected(&mut anna, &key(1).peer()));
        ben_again.send(Destination::Everyone, b"back").unwrap();
        survivors.block_on(heard(&mut anna, &key(1).peer(), b"back"));
        drop(ben);
    }
}

#[tokio::test]
async fn of_each_peer_it_is_known_how_far_away_it_is_or_since_when_it_is_awaited() {
    let network = Network::new(2, TCP, settings()).await;
    let mut roster = network.roster();
    roster.push((key(2).peer(), vec!["/ip4/127.0.0.1/tcp/1".parse().unwrap()]));
    let (anna, ben) = (network.join_with(0, roster).await, network.join(1).await);
    let link = |at: usize| anna.stats().link(&key(at).peer()).unwrap();
    until(|| link(1).round_trip.is_some()).await;
    assert_eq!(link(1).awaited_since, None);
    assert_eq!(link(2).round_trip, None);
    let awaited = link(2).awaited_since.unwrap();
    until(|| link(2).failed_dials > 2).await;
    assert_eq!(link(2).awaited_since, Some(awaited));
    ben.close().await;
    until(|| link(1).awaited_since.is_some_and(|since| since > awaited)).await;
    assert_eq!(anna.stats().links().count(), 2);
}

#[tokio::test]
async fn two_that_call_each_other_end_with_one_connection() {
    let network = Network::new(2, TCP, settings()).await;
    let (mut anna, mut ben) = tokio::join!(network.join(0), network.join(1));
    connected(&mut anna, &key(1).peer()).await;
    connected(&mut ben, &key(0).peer()).await;
    anna.send(Destination::Everyone, b"over the only one").unwrap();
    heard(&mut ben, &key(0).peer(), b"over the only one").await;
    until(|| {
        let link = anna.stats().link(&key(1).peer()).unwrap();
        let others = ben.stats().link(&key(0).peer()).unwrap();
        let closed = link.replaced + others.replaced;
        link.connections == closed + 1 && others.connections == closed + 1
    })
    .await;
}

#[tokio::test]
async fn a_bus_that_is_closed_says_what_it_had_to_say() {
    for listen in [TCP, QUIC] {
        let network = Network::new(2, listen, settings()).await;
        let (mut anna, mut ben) = (network.join(0).await, network.join(1).await);
        connected(&mut anna, &key(1).peer()).await;
        // More than is in transit at any time.
        let long = vec![7; 600_000];
        anna.send(Destination::Everyone, &long).unwrap();
        anna.send(Destination::Everyone, b"good night").unwrap();
        let closing = tokio::spawn(anna.close());
        heard(&mut ben, &key(0).peer(), &long).await;
        heard(&mut ben, &key(0).peer(), b"good night").await;
        assert_eq!(next(&mut ben).await, BusEvent::Disconnected(key(0).peer()));
        closing.await.unwrap();
    }
}

#[tokio::test]
async fn nodes_meet_over_tcp_and_quic_at_once() {
    let both = [TCP.parse().unwrap(), QUIC.parse().unwrap()];
    let endpoint = Endpoint::bind(key(0), &both, settings()).await.unwrap();
    let addresses: Vec<_> = endpoint.addresses().cloned().collect();
    assert_eq!(addresses.len(), 2);
    let mut anna = endpoint.join([(key(1).peer(), vec![]), (key(2).peer(), vec![])]).unwrap();
    let mut buses = Vec::new();
    for (at, address) in (1..).zip(addresses.iter().map(dial)) {
        let endpoint = Endpoint::bind(key(at), &[], settings()).await.unwrap();
        let mut bus = endpoint.join([(key(0).peer(), vec![address])]).unwrap();
        connected(&mut bus, &key(0).peer()).await;
        connected(&mut anna, &key(at).peer()).await;
        bus.send(Destination::Everyone, b"here").unwrap();
        heard(&mut anna, &key(at).peer(), b"here").await;
        buses.push(bus);
    }
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_anything_begins() {
    let unusable = P2pSettings { stall: Duration::ZERO, ..settings() };
    let refused = Endpoint::bind(key(0), &[], unusable).await.unwrap_err();
    assert!(matches!(refused, BindError::Settings(P2pSettingsError::Time { name: "stall", .. })));

    let first = Endpoint::bind(key(0), &[TCP.parse().unwrap()], settings()).await.unwrap();
    let elsewhere = ["/ip4/192.0.2.1/tcp/0".parse().unwrap()];
    let refused = Endpoint::bind(key(1), &elsewhere, settings()).await.unwrap_err();
    assert!(matches!(refused, BindError::Address { .. }), "{refused:?}");

    let absent = PeerId::new("anna").unwrap();
    let refused = first.join([(absent.clone(), Vec::new())]).unwrap_err();
    assert_eq!(refused, PeersError::NotOfThisNetwork(absent));
}
