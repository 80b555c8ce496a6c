use std::pin::pin;

use super::*;

fn peer(name: &str) -> PeerId {
    PeerId::new(name).unwrap()
}

fn links() -> Arc<Links> {
    let peers = ["alice", "bob"].map(peer);
    Arc::new(Links::new(QueueLimits::default(), peers.into_iter()))
}

fn open(links: &Arc<Links>, name: &str, number: usize) -> Option<Link> {
    Link::open(links, &peer(name), ConnectionId::new_unchecked(number), None)
}

fn send(links: &Links, to: &str, message: &[u8]) {
    links.send(&peer("me"), &Destination::Peer(peer(to)), message).unwrap();
}

fn waiting(links: &Links) -> Option<BusEvent> {
    match links.poll_receive(&Context::from_waker(Waker::noop())) {
        Poll::Ready(event) => event,
        Poll::Pending => None,
    }
}

#[test]
fn a_peer_is_connected_from_its_first_link_to_its_last() {
    let links = links();
    let first = open(&links, "alice", 1).unwrap();
    let second = open(&links, "alice", 2).unwrap();
    assert_eq!(waiting(&links), Some(BusEvent::Connected(peer("alice"))));
    drop(first);
    assert_eq!(waiting(&links), None);
    drop(second);
    assert_eq!(waiting(&links), Some(BusEvent::Disconnected(peer("alice"))));
    assert_eq!(links.stats().link(&peer("alice")).unwrap().connections, 2);
    assert!(open(&links, "mallory", 3).is_none());
}

#[test]
fn messages_go_out_over_the_newest_link_and_over_the_older_one_when_it_is_gone() {
    let links = links();
    let older = open(&links, "alice", 1).unwrap();
    send(&links, "alice", b"one");
    assert_eq!(older.next().unwrap(), "one");
    let newer = open(&links, "alice", 2).unwrap();
    send(&links, "alice", b"two");
    assert_eq!(older.next(), None);
    assert_eq!(newer.next().unwrap(), "two");
    send(&links, "alice", b"three");
    drop(newer);
    assert_eq!(older.next().unwrap(), "three");
}

#[test]
fn what_waits_when_a_connection_breaks_goes_out_over_the_next_one() {
    let links = links();
    let link = open(&links, "alice", 1).unwrap();
    send(&links, "alice", b"one");
    drop(link);
    let to = Destination::Peer(peer("alice"));
    let refused = links.send(&peer("me"), &to, b"two").unwrap_err();
    assert_eq!(refused, SendError::NotConnected(peer("alice")));
    let link = open(&links, "alice", 2).unwrap();
    assert_eq!(link.next().unwrap(), "one");
    assert_eq!(link.next(), None);
}

#[tokio::test]
async fn an_older_link_that_waits_is_woken_when_the_newer_one_goes() {
    let links = links();
    let older = open(&links, "alice", 1).unwrap();
    let newer = open(&links, "alice", 2).unwrap();
    let mut waits = pin!(older.wait());
    assert!(futures_util::poll!(waits.as_mut()).is_pending());
    send(&links, "alice", b"one");
    assert!(futures_util::poll!(waits.as_mut()).is_pending());
    drop(newer);
    assert_eq!(waits.await.unwrap(), "one");
}

#[tokio::test]
async fn of_a_peer_that_is_taken_out_nothing_comes_and_to_it_nothing_goes_even_if_it_comes_back() {
    let links = links();
    let stale = open(&links, "alice", 1).unwrap();
    stale.receive(b"before");
    send(&links, "alice", b"unsent");
    links.remove(&peer("alice"));
    stale.receive(b"after");
    assert_eq!((stale.next(), stale.wait().await), (None, None));
    let to = Destination::Peer(peer("alice"));
    let refused = links.send(&peer("me"), &to, b"x").unwrap_err();
    assert_eq!(refused, SendError::UnknownPeer(peer("alice")));
    assert!(open(&links, "alice", 2).is_none());
    links.add(peer("alice"));
    let fresh = open(&links, "alice", 3).unwrap();
    stale.receive(b"after");
    drop(stale);
    fresh.receive(b"back");
    let alice = || peer("alice");
    let heard = |bytes: &'static [u8]| BusEvent::Message { from: alice(), bytes: bytes.into() };
    for event in [
        BusEvent::Connected(alice()),
        heard(b"before"),
        BusEvent::Disconnected(alice()),
        BusEvent::Connected(alice()),
        heard(b"back"),
    ] {
        assert_eq!(waiting(&links), Some(event));
    }
    assert_eq!(waiting(&links), None);
}

#[test]
fn a_peer_that_takes_nothing_costs_a_full_queue_and_keeps_no_other_waiting() {
    let links = links();
    let slow = open(&links, "alice", 1).unwrap();
    let quick = open(&links, "bob", 1).unwrap();
    for number in 0..5000_u32 {
        let message = number.to_be_bytes();
        links.send(&peer("me"), &Destination::Everyone, &message).unwrap();
        assert_eq!(quick.next().unwrap(), message[..]);
    }
    let stats = links.stats().link(&peer("alice")).unwrap().outbound;
    assert_eq!(stats.waiting_messages, links.limits().max_queued_messages);
    assert_eq!(stats.waiting_messages as u64 + stats.dropped_queue_full, 5000);
    drop(slow);
}
