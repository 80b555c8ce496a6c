//! Members that are added, moved and removed while others go on.

use roastery_libp2p::PeersError;
use roastery_node::bus::SendError;

use super::*;
use crate::waiting::until;

fn to(at: usize) -> Destination {
    Destination::Peer(key(at).peer())
}

#[tokio::test]
async fn a_peer_that_is_put_in_at_run_time_is_called_or_let_in() {
    for (listen, caller) in [(TCP, 0), (TCP, 1), (QUIC, 0), (QUIC, 1)] {
        let network = Network::new(2, listen, settings()).await;
        let mut buses =
            [network.join_with(0, Vec::new()).await, network.join_with(1, Vec::new()).await];
        assert_eq!(buses[0].send(to(1), b"x"), Err(SendError::UnknownPeer(key(1).peer())));
        for (bus, other) in buses.iter().zip([1, 0]) {
            let calls = other != caller;
            let addresses = if calls { network.called(other) } else { Vec::new() };
            bus.roster().set(key(other).peer(), addresses).unwrap();
        }
        let [mut anna, mut ben] = buses;
        connected(&mut anna, &key(1).peer()).await;
        connected(&mut ben, &key(0).peer()).await;
        anna.send(to(1), b"welcome").unwrap();
        heard(&mut ben, &key(0).peer(), b"welcome").await;
    }
}

#[tokio::test]
async fn one_that_is_taken_out_is_disconnected_and_turned_away_and_no_other_is_disturbed() {
    for listen in [TCP, QUIC] {
        let network = Network::new(3, listen, settings()).await;
        let [mut anna, mut ben, mut carl] =
            [network.join(0).await, network.join(1).await, network.join(2).await];
        for (bus, others) in [(&mut anna, [1, 2]), (&mut ben, [0, 2]), (&mut carl, [0, 1])] {
            for _ in others {
                assert!(matches!(next(bus).await, BusEvent::Connected(_)));
            }
        }
        let roster = anna.roster();
        assert!(roster.remove(&key(2).peer()));
        assert!(!roster.remove(&key(2).peer()));
        assert_eq!(anna.send(to(2), b"x"), Err(SendError::UnknownPeer(key(2).peer())));
        gone(&mut anna, &key(2).peer()).await;
        gone(&mut carl, &key(0).peer()).await;
        // Carl dials again and again.
        until(|| anna.stats().refusals().strangers > 1).await;
        assert_eq!(anna.stats().link(&key(2).peer()), None);
        assert_eq!(roster.peers().len(), 1);
        anna.send(Destination::Everyone, b"us two").unwrap();
        assert_eq!(
            next(&mut ben).await,
            BusEvent::Message { from: key(0).peer(), bytes: "us two".into() }
        );
        assert_eq!(ben.stats().link(&key(0).peer()).unwrap().awaited_since, None);

        // And may be added again.
        roster.set(key(2).peer(), network.called(2)).unwrap();
        connected(&mut anna, &key(2).peer()).await;
        connected(&mut carl, &key(0).peer()).await;
        carl.send(to(0), b"back").unwrap();
        heard(&mut anna, &key(2).peer(), b"back").await;
    }
}

#[tokio::test]
async fn one_that_is_taken_out_and_put_in_at_once_begins_with_a_new_connection() {
    let mut honest = Honest::start(TCP, settings()).await;
    let roster = honest.anna.roster();
    for _ in 0..3 {
        assert!(roster.remove(&key(1).peer()));
        roster.set(key(1).peer(), honest.network.called(1)).unwrap();
        gone(&mut honest.anna, &key(1).peer()).await;
        connected(&mut honest.anna, &key(1).peer()).await;
    }
    // Ben's end sees the old ones close after a while. The last one stays.
    until(|| {
        let link = honest.ben.stats().link(&key(0).peer()).unwrap();
        link.connections >= 4 && link.awaited_since.is_none()
    })
    .await;
    honest.anna.send(to(1), b"last").unwrap();
    let said = (key(0).peer(), b"last".to_vec());
    assert_eq!(crate::waiting::next_message(&mut honest.ben).await, said);
}

#[tokio::test]
async fn a_peer_whose_addresses_are_replaced_is_called_at_the_new_ones_and_stays_connected() {
    let network = Network::new(2, TCP, settings()).await;
    let absent = vec!["/ip4/127.0.0.1/tcp/1".parse().unwrap()];
    let mut anna = network.join_with(0, vec![(key(1).peer(), absent.clone())]).await;
    let mut ben = network.join_with(1, vec![(key(0).peer(), Vec::new())]).await;
    until(|| anna.stats().link(&key(1).peer()).unwrap().failed_dials > 0).await;
    anna.roster().set(key(1).peer(), network.called(1)).unwrap();
    connected(&mut anna, &key(1).peer()).await;
    connected(&mut ben, &key(0).peer()).await;
    anna.roster().set(key(1).peer(), absent.clone()).unwrap();
    assert_eq!(anna.roster().peers(), [(key(1).peer(), absent)]);
    for round in 0..3_u8 {
        anna.send(to(1), &[round]).unwrap();
        heard(&mut ben, &key(0).peer(), &[round]).await;
    }
    assert_eq!(anna.stats().link(&key(1).peer()).unwrap().connections, 1);
}

#[tokio::test]
async fn what_cannot_be_in_the_roster_is_refused_and_changes_nothing() {
    let settings = P2pSettings { max_peers: 1, ..settings() };
    let network = Network::new(1, TCP, settings).await;
    let anna = network.join_with(0, vec![(key(1).peer(), Vec::new())]).await;
    let roster = anna.roster();
    let refused = roster.set(key(2).peer(), Vec::new());
    assert_eq!(refused, Err(PeersError::TooMany { peers: 2, max: 1 }));
    let absent = PeerId::new("anna").unwrap();
    let refused = roster.set(absent.clone(), Vec::new());
    assert_eq!(refused, Err(PeersError::NotOfThisNetwork(absent)));
    let address = |port: u16| format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    let refused = roster.set(key(1).peer(), (1..=9).map(address).collect());
    assert!(matches!(refused, Err(PeersError::TooManyAddresses { addresses: 9, .. })));
    assert_eq!(roster.set(key(0).peer(), Vec::new()), Ok(()));
    assert_eq!(roster.peers(), [(key(1).peer(), Vec::new())]);
    assert!(roster.remove(&key(1).peer()));
    assert_eq!(roster.set(key(2).peer(), Vec::new()), Ok(()));
}
