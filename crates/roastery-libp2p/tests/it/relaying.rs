//! Members that cannot dial each other are connected through one that both reach, and directly
//! where their routers allow it.

use std::time::Duration;

use futures_util::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::PeerId as NetworkPeer;
use roastery_libp2p::Endpoint;

use super::*;
use crate::{rogue::Rogue, waiting::until};

/// Anna listens and relays; Ben and Cleo know her address, and not each other's.
struct Three {
    network: Network,
    anna: P2pBus,
    ben: P2pBus,
    cleo: P2pBus,
}

impl Three {
    /// Ben and Cleo can only dial.
    async fn start() -> Self {
        Self::listening(TCP, &[], [true; 3]).await
    }

    /// Where Anna listens, and where Ben and Cleo do; and who of them relays.
    async fn listening(at: &str, listen: &[&str], relays: [bool; 3]) -> Self {
        let settings_of = |at: usize| P2pSettings { relay: relays[at], ..settings() };
        let network = Network::new(1, at, settings_of(0)).await;
        let all = (1..5).map(|at| (key(at).peer(), Vec::new()));
        let anna = network.join_with(0, all.collect()).await;
        let mut others = Vec::new();
        for at in [1, 2] {
            let listen: Vec<_> = listen.iter().map(|text| text.parse().unwrap()).collect();
            let endpoint = Endpoint::bind(key(at), &listen, settings_of(at)).await.unwrap();
            let other = (key(3 - at).peer(), Vec::new());
            others.push(endpoint.join([(key(0).peer(), network.called(0)), other]).unwrap());
        }
        let (cleo, ben) = (others.pop().unwrap(), others.pop().unwrap());
        Self { network, anna, ben, cleo }
    }

    async fn are_linked(&mut self) {
        for (bus, other) in [(&mut self.ben, 2), (&mut self.cleo, 1)] {
            until(|| bus.stats().link(&key(other).peer()).unwrap().awaited_since.is_none()).await;
        }
    }

    fn through(&self) -> [Option<PeerId>; 2] {
        [(&self.ben, 2), (&self.cleo, 1)]
            .map(|(bus, other)| bus.stats().link(&key(other).peer()).unwrap().through)
    }

    /// Each receives the other's messages. Both may dial through the relay at once, and then one of
    /// the two connections is closed: what was on its way in it is lost.
    async fn talk(&mut self) {
        self.says(b"word").await;
    }

    async fn says(&mut self, word: &[u8]) {
        reaches((&mut self.ben, 1), (&mut self.cleo, 2), word).await;
        reaches((&mut self.cleo, 2), (&mut self.ben, 1), word).await;
    }
}

/// Sends a message until it is received.
async fn reaches(from: (&mut P2pBus, usize), to: (&mut P2pBus, usize), word: &[u8]) {
    let ((sender, own), (reader, peer)) = (from, to);
    loop {
        let _not_connected = sender.send(Destination::Peer(key(peer).peer()), word);
        let wait = tokio::time::timeout(Duration::from_millis(200), reader.receive());
        match wait.await {
            Ok(Some(BusEvent::Message { from, bytes })) if from == key(own).peer() => {
                assert_eq!(bytes, word);
                return;
            }
            Ok(None) => panic!("the bus has ended"),
            _ => {}
        }
    }
}

/// Asks a relay for a circuit to this peer, and waits for the answer.
async fn ask(rogue: &mut Rogue, to: usize) -> libp2p::Stream {
    let peer = NetworkPeer::from_bytes(key(to).peer().as_bytes()).unwrap().to_bytes();
    // CONNECT, and the peer: its length, and its id.
    let mut message = vec![8, 1, 18, peer.len() as u8 + 2, 10, peer.len() as u8];
    message.extend(&peer);
    let mut stream = rogue.open_to_relay().await.unwrap();
    stream.write_all(&[message.len() as u8]).await.unwrap();
    stream.write_all(&message).await.unwrap();
    stream.flush().await.unwrap();
    let _answer = stream.read(&mut [0; 64]).await;
    stream
}

#[tokio::test]
async fn two_that_cannot_dial_each_other_are_connected_through_a_member_that_both_reach() {
    for word in [&b"through anna"[..], &[7; 600_000]] {
        let mut three = Three::start().await;
        three.are_linked().await;
        assert_eq!(three.through(), [Some(key(0).peer()), Some(key(0).peer())]);
        three.says(word).await;
        // It is charged to the one who has asked for it, and Anna got none of it.
        let stats = three.anna.stats();
        let relayed = [1, 2].map(|at| stats.link(&key(at).peer()).unwrap().relayed);
        assert!(relayed.iter().sum::<u64>() >= 1, "{relayed:?}");
        assert!(stats.iter().all(|(_, queue)| queue.delivered == 0 && queue.waiting_messages == 0));
    }
}

#[tokio::test]
async fn two_that_are_connected_through_a_relay_connect_directly_where_they_can() {
    for listen in [TCP, QUIC] {
        let mut three = Three::listening(listen, &[listen], [true; 3]).await;
        three.are_linked().await;
        until(|| three.through() == [None, None]).await;
        three.talk().await;
    }
}

#[tokio::test]
async fn a_member_that_was_reached_through_a_relay_is_dialled_at_its_address_when_it_is_known() {
    let mut three = Three::start().await;
    three.are_linked().await;
    // A second Cleo at an address takes the place of the first.
    three.cleo.close().await;
    let listen = [TCP.parse().unwrap()];
    let endpoint =
        Endpoint::bind(key(2), &listen, P2pSettings { relay: true, ..settings() }).await.unwrap();
    let at = endpoint.addresses().map(dial).collect();
    let anna = (key(0).peer(), three.network.called(0));
    three.cleo = endpoint.join([anna, (key(1).peer(), Vec::new())]).unwrap();
    three.are_linked().await;
    three.ben.roster().set(key(2).peer(), at).unwrap();
    until(|| three.through() == [None, None]).await;
    three.talk().await;
}

#[tokio::test]
async fn what_a_relay_carries_ends_when_the_relay_has_removed_the_member_or_is_gone() {
    let mut three = Three::start().await;
    three.are_linked().await;
    assert!(three.anna.roster().remove(&key(1).peer()));
    until(|| three.cleo.stats().link(&key(1).peer()).unwrap().awaited_since.is_some()).await;

    let mut three = Three::start().await;
    three.are_linked().await;
    three.anna.close().await;
    until(|| three.cleo.stats().link(&key(1).peer()).unwrap().awaited_since.is_some()).await;
    // When it is back, so are they.
    let all = (1..5).map(|at| (key(at).peer(), Vec::new()));
    three.anna = three.network.join_with(0, all.collect()).await;
    three.are_linked().await;
    three.talk().await;
}

#[tokio::test]
async fn a_stranger_and_a_guest_of_a_pairing_are_relayed_nowhere_and_a_member_is() {
    let mut three = Three::start().await;
    let address = three.network.addresses[0][0].clone();
    let (calls, _events) = three.anna.pairings().unwrap();
    let mut member = Rogue::connect(3, &address).await;
    assert!(member.open_to_relay().await.is_some());
    calls.open(true);
    let mut guest = Rogue::connect(9, &address).await;
    assert!(guest.open_to_relay().await.is_none());
    calls.open(false);
    let mut stranger = Rogue::connect(10, &address).await;
    assert!(stranger.open_to_relay().await.is_none());
    three.are_linked().await;
}

#[tokio::test]
async fn a_member_of_another_group_of_the_relay_is_a_stranger_to_those_behind_it() {
    let mut three = Three::start().await;
    three.are_linked().await;
    // Anna knows the rogue, Ben and Cleo do not.
    let mut rogue = Rogue::connect(3, &three.network.addresses[0][0].clone()).await;
    let _circuits = [ask(&mut rogue, 1).await, ask(&mut rogue, 2).await];
    for bus in [&three.ben, &three.cleo] {
        until(|| bus.stats().refusals().strangers > 0).await;
        assert!(bus.stats().link(&key(3).peer()).is_none());
    }
    three.talk().await;
}

#[tokio::test]
async fn a_member_that_asks_for_circuits_without_end_is_refused_and_others_are_relayed() {
    let mut three = Three::start().await;
    let mut rogue = Rogue::connect(3, &three.network.addresses[0][0].clone()).await;
    let refused = |three: &Three| three.anna.stats().link(&key(3).peer()).unwrap().relay_refused;
    for _ in 0..300 {
        // No peer of this name has a reservation.
        ask(&mut rogue, 77).await;
    }
    for _ in 0..2000 {
        if refused(&three) > 0 {
            break;
        }
        ask(&mut rogue, 77).await;
    }
    assert!(refused(&three) > 0);
    three.are_linked().await;
    three.talk().await;
}

#[tokio::test]
async fn a_node_that_is_set_not_to_relay_relays_for_none_and_is_reached_through_none() {
    // Ben and Cleo look for a relay, and Anna is none.
    let three = Three::listening(TCP, &[], [false, true, true]).await;
    let mut rogue = Rogue::connect(3, &three.network.addresses[0][0].clone()).await;
    assert!(rogue.open_to_relay().await.is_none());

    // Anna relays, Cleo looks for Ben through her, and Ben does not wait there.
    let three = Three::listening(TCP, &[], [true, false, true]).await;
    until(|| three.cleo.stats().link(&key(1).peer()).unwrap().failed_dials > 2).await;
    let three = Three::listening(TCP, &[], [true, true, false]).await;
    until(|| three.ben.stats().link(&key(2).peer()).unwrap().failed_dials > 2).await;
}

#[tokio::test]
async fn a_relay_whose_reservation_cannot_end_loses_its_connection_and_nothing_else_ends() {
    let mut three = Three::start().await;
    let address = three.network.addresses[0][0].clone();
    // STATUS: a reservation until the end of time at an address, and OK.
    let until = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let mut answer = vec![8, 2, 26, 21, 8];
    answer.extend(until);
    answer.extend([18, 8, 4, 127, 0, 0, 1, 6, 0, 1, 40, 100]);
    // More often than there may be connections to one peer.
    for times in 1..=6 {
        let (mut rogue, mut asked) = Rogue::connect_as_relay(3, &address).await;
        let mut incoming = rogue.accept();
        until_connections(&three, times).await;
        let _frames = incoming.next().await.unwrap();
        let (_, mut stream) = asked.next().await.unwrap();
        // RESERVE, with its length.
        stream.read_exact(&mut [0; 3]).await.unwrap();
        stream.write_all(&[answer.len() as u8]).await.unwrap();
        stream.write_all(&answer).await.unwrap();
        stream.flush().await.unwrap();
        rogue.closed().await;
    }
    three.are_linked().await;
    three.talk().await;
}

async fn until_connections(three: &Three, times: u64) {
    until(|| three.anna.stats().link(&key(3).peer()).unwrap().connections == times).await;
}
