//! Opening and closing of channels.

use roastery_node::bus::{
    SendError,
    mux::{MuxLimitsError, OpenChannelError},
    queue::QueueLimits,
};

use super::*;
use roastery_testkit::bus::waiting::until;

#[tokio::test]
async fn a_topic_is_open_once_and_can_be_opened_again_when_its_channel_is_dropped() {
    let mesh = Mesh::default();
    let (anna, mut ben) = (Node::join(&mesh, "anna"), mesh.join(peer("ben")).unwrap());
    let both = || ["anna", "ben"].map(peer);
    let first = anna.handle.open(group(1), both()).unwrap();
    let refused = anna.handle.open(group(1), both()).unwrap_err();
    assert_eq!(refused, OpenChannelError::AlreadyOpen(group(1)));
    ben.send(Destination::Everyone, &about(group(1), b"for the first")).unwrap();
    until(|| first.stats().of(&peer("ben")).waiting_messages == 1).await;
    drop(first);

    ben.send(Destination::Everyone, &about(group(1), b"for no peer")).unwrap();
    until(|| anna.handle.stats().misdirected[&peer("ben")].no_such_topic == 1).await;
    let mut second = anna.handle.open(group(1), both()).unwrap();
    assert_eq!(second.stats().of(&peer("ben")), Default::default());
    ben.send(Destination::Everyone, &about(group(1), b"for the second")).unwrap();
    connected(&mut second, &["ben"]).await;
    assert_eq!(next(&mut second).await, message("ben", group(1), b"for the second"));
}

#[tokio::test]
async fn what_a_channel_has_sent_goes_out_when_it_is_dropped_and_when_it_is_opened_again() {
    let mesh = Mesh::default();
    let (anna, ben) = (Node::join(&mesh, "anna"), Node::join(&mesh, "ben"));
    let mut bens = ben.open(group(1), &["anna", "ben"]);
    connected(&mut bens, &["anna"]).await;
    for life in 0..3_u8 {
        let mut channel = anna.open(group(1), &["anna", "ben"]);
        connected(&mut channel, &["ben"]).await;
        for number in 0..10 {
            say(&mut channel, "ben", &[life, number]);
        }
    }
    let mut heard = Vec::new();
    for _ in 0..30 {
        heard.push(next(&mut bens).await);
    }
    let said = (0..3).flat_map(|life| (0..10).map(move |number| [life, number]));
    let said: Vec<_> = said.map(|words| message("anna", group(1), &words)).collect();
    assert!(said.iter().all(|message| heard.contains(message)));
}

#[tokio::test]
async fn a_member_that_the_bus_does_not_know_yet_is_one_that_is_not_connected() {
    let mesh = Mesh::default();
    let anna = Node::join(&mesh, "anna");
    let mut channel = anna.open(group(1), &["anna", "ben"]);
    let to = |name| Destination::Peer(peer(name));
    assert_eq!(channel.send(to("ben"), b"x"), Err(SendError::NotConnected(peer("ben"))));
    assert_eq!(channel.send(to("anna"), b"x"), Err(SendError::ToSelf(peer("anna"))));
    assert_eq!(channel.send(to("carl"), b"x"), Err(SendError::UnknownPeer(peer("carl"))));
    assert!(channel.stats().link(&peer("ben")).unwrap().awaited_since.is_some());
    let ben = Node::join(&mesh, "ben");
    let mut bens = ben.open(group(1), &["anna", "ben"]);
    connected(&mut channel, &["ben"]).await;
    assert!(channel.stats().link(&peer("ben")).unwrap().awaited_since.is_none());
    say(&mut channel, "ben", b"there you are");
    connected(&mut bens, &["anna"]).await;
    assert_eq!(next(&mut bens).await, message("anna", group(1), b"there you are"));
}

#[tokio::test]
async fn there_are_as_many_channels_and_members_as_allowed_and_not_one_more() {
    let mesh = Mesh::default();
    let anna = Node::with(&mesh, "anna", MuxLimits { max_channels: 2, ..Default::default() });
    let members = |count: usize| (0..count).map(|number| peer(&format!("peer {number}")));
    let refused = anna.handle.open(group(1), members(1024)).unwrap_err();
    assert_eq!(refused, OpenChannelError::TooManyMembers);
    let first = anna.handle.open(group(1), members(1023).chain([peer("anna")])).unwrap();
    assert_eq!(first.stats().links().count(), 1023);
    let _second = anna.open(group(2), &[]);
    let refused = anna.handle.open(group(3), []).unwrap_err();
    assert_eq!(refused, OpenChannelError::TooManyChannels { max_channels: 2 });
    drop(first);
    anna.open(group(3), &[]);
}

#[test]
fn limits_with_which_nothing_could_be_said_are_refused() {
    let mux = |limits| {
        let bus = Mesh::default().join(peer("anna")).unwrap();
        Mux::new(bus, limits).map(drop).unwrap_err()
    };
    let limits = MuxLimits::default();
    assert_eq!(mux(MuxLimits { max_channels: 0, ..limits }), MuxLimitsError::NoChannels);
    let queues = QueueLimits { max_queued_messages: 0, ..limits.queues };
    let refused = mux(MuxLimits { queues, ..limits });
    assert!(matches!(refused, MuxLimitsError::Queues(_)));
}

#[tokio::test]
async fn the_channels_that_are_free_are_known_before_one_is_opened() {
    let mesh = Mesh::default();
    let limits = MuxLimits { max_channels: 2, ..MuxLimits::default() };
    let anna = Node::with(&mesh, "anna", limits);
    assert_eq!(anna.handle.free_channels(), 2);
    let channels = [1, 2].map(|name| anna.open(group(name), &["anna"]));
    assert_eq!(anna.handle.free_channels(), 0);
    drop(channels);
    assert_eq!(anna.handle.free_channels(), 2);
}
