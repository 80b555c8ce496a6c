//! A stranger, or a peer that does not authenticate, keeps no member out.

use std::{net::SocketAddr, time::Duration};

use libp2p::multiaddr::Protocol;
use roastery_libp2p::{Endpoint, Multiaddr};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream, UdpSocket},
};

use super::*;
use crate::waiting::until;

fn socket_address(address: &Multiaddr) -> SocketAddr {
    let mut parts = address.iter();
    match (parts.next(), parts.next()) {
        (Some(Protocol::Ip4(ip)), Some(Protocol::Tcp(port) | Protocol::Udp(port))) => {
            (ip, port).into()
        }
        other => panic!("{other:?}"),
    }
}

/// Connections from another source address of this machine than that of the members.
pub async fn from_elsewhere(to: &Multiaddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.9:0".parse().unwrap()).unwrap();
    socket.connect(socket_address(to)).await.unwrap()
}

#[tokio::test]
async fn a_peer_that_is_not_in_the_roster_is_turned_away_and_counted() {
    for listen in [TCP, QUIC] {
        let mut honest = Honest::start(listen, settings()).await;
        let stranger = Endpoint::bind(key(77), &[], settings()).await.unwrap();
        let stranger_peer = stranger.peer().clone();
        let mut stranger = stranger.join(honest.network.roster()).unwrap();
        until(|| honest.anna.stats().refusals().strangers > 1).await;
        assert_eq!(honest.anna.stats().link(&stranger_peer), None);
        let refused = stranger.send(Destination::Everyone, b"let me in");
        assert_eq!(refused, Ok(()));
        honest.talk().await;
        assert_eq!(honest.anna.stats().of(&stranger_peer), Default::default());
    }
}

#[tokio::test]
async fn strangers_that_prove_again_and_again_who_they_are_soon_find_the_room_of_their_place_taken()
{
    let mut honest = Honest::start(TCP, settings()).await;
    let restless = P2pSettings { longest_redial: Duration::from_millis(50), ..settings() };
    let mut strangers = Vec::new();
    // Fewer at a time than the quota of pending connections.
    for name in 70..75 {
        let stranger = Endpoint::bind(key(name), &[], restless).await.unwrap();
        strangers.push(stranger.join(honest.network.roster()).unwrap());
    }
    until(|| honest.anna.stats().refusals().no_room > 3).await;
    assert!(honest.anna.stats().refusals().strangers > 3);
    honest.talk().await;
}

#[tokio::test]
async fn a_peer_that_a_member_dials_must_prove_that_it_is_the_member() {
    // Ben's address in Anna's roster is that of another node.
    let network = Network::new(3, TCP, settings()).await;
    let mut roster = network.roster();
    roster.truncate(2);
    roster[1].1 = network.called(2);
    let anna = network.join_with(0, roster.clone()).await;
    let mut impostor = network.join_with(2, roster).await;
    until(|| anna.stats().link(&key(1).peer()).unwrap().failed_dials > 1).await;
    assert!(anna.stats().link(&key(1).peer()).unwrap().awaited_since.is_some());
    assert_eq!(impostor.send(Destination::Everyone, b"I am Ben"), Ok(()));
    assert_eq!(anna.stats().of(&key(1).peer()), Default::default());
}

#[tokio::test]
async fn half_open_connections_take_the_room_of_one_place_for_a_while() {
    let settings = P2pSettings { handshake: Duration::from_secs(2), ..settings() };
    let network = Network::new(2, TCP, settings).await;
    let mut anna = network.join(0).await;
    let mut half_open = Vec::new();
    for _ in 0..100 {
        half_open.push(from_elsewhere(&network.addresses[0][0]).await);
    }
    // The quota is one for the other member and eight more at a time.
    until(|| anna.stats().refusals().no_room > 80).await;
    let mut ben = network.join(1).await;
    connected(&mut anna, &key(1).peer()).await;
    connected(&mut ben, &key(0).peer()).await;
    let all_but = |count| 100 - anna.stats().refusals().no_room - count;
    until(|| all_but(anna.stats().refusals().failed_handshakes) == 0).await;
    // The quota is free again.
    let failed = anna.stats().refusals().failed_handshakes;
    assert!(failed >= 9);
    half_open.push(from_elsewhere(&network.addresses[0][0]).await);
    until(|| anna.stats().refusals().failed_handshakes == failed + 1).await;
}

#[tokio::test]
async fn garbage_instead_of_a_handshake_is_counted_and_nothing_else() {
    let mut honest = Honest::start(TCP, settings()).await;
    let before = honest.anna.stats().refusals().failed_handshakes;
    for byte in [0, 0x13, 0xff] {
        let mut stream = from_elsewhere(&honest.network.addresses[0][0]).await;
        // It may be closed before all of it is sent.
        let _ = stream.write_all(&[byte; 100_000]).await;
        until(|| honest.anna.stats().refusals().failed_handshakes > before).await;
    }
    until(|| honest.anna.stats().refusals().failed_handshakes == before + 3).await;
    honest.talk().await;
}

#[tokio::test]
async fn garbage_instead_of_quic_is_ignored() {
    let network = Network::new(2, QUIC, settings()).await;
    let mut anna = network.join(0).await;
    let socket = UdpSocket::bind("127.0.0.9:0").await.unwrap();
    let to = socket_address(&network.addresses[0][0]);
    for size in 0..500 {
        let garbage: Vec<u8> = (0..size).map(|at: usize| (at * 31 + size) as u8).collect();
        socket.send_to(&garbage, to).await.unwrap();
    }
    let _ben = network.join(1).await;
    assert_eq!(next(&mut anna).await, BusEvent::Connected(key(1).peer()));
}
