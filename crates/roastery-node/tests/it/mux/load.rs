//! Channels that flood, and channels that are not read.

use roastery_node::bus::{MeshLimits, SendError, queue::QueueLimits};

use super::*;
use roastery_testkit::bus::waiting::{next_message, until};

fn small() -> MuxLimits {
    let queues = QueueLimits { max_queued_messages: 5, ..QueueLimits::default() };
    MuxLimits { queues, ..MuxLimits::default() }
}

#[tokio::test]
async fn a_channel_that_is_not_read_loses_only_its_own() {
    let mesh = Mesh::default();
    let (anna, mut ben) = (Node::with(&mesh, "anna", small()), mesh.join(peer("ben")).unwrap());
    let asleep = anna.open(group(1), &["anna", "ben"]);
    let mut awake = anna.open(group(2), &["anna", "ben"]);
    connected(&mut awake, &["ben"]).await;
    for number in 0..100_u8 {
        for topic in [group(1), group(2)] {
            ben.send(Destination::Everyone, &about(topic, &[number])).unwrap();
        }
        assert_eq!(next(&mut awake).await, message("ben", group(2), &[number]));
    }
    until(|| asleep.stats().of(&peer("ben")).dropped_queue_full == 95).await;
    assert_eq!(asleep.stats().of(&peer("ben")).waiting_messages, 5);
    assert_eq!(awake.stats().of(&peer("ben")).dropped_queue_full, 0);
    let channels = anna.handle.stats().channels;
    assert_eq!(channels[&group(1)].of(&peer("ben")).dropped_queue_full, 95);
}

#[tokio::test]
async fn a_member_that_floods_a_channel_loses_its_own_and_not_the_others() {
    let mesh = Mesh::default();
    let anna = Node::with(&mesh, "anna", small());
    let (mut ben, mut carl) = (mesh.join(peer("ben")).unwrap(), mesh.join(peer("carl")).unwrap());
    let mut channel = anna.open(group(1), &["anna", "ben", "carl"]);
    for number in 0..100_u8 {
        ben.send(Destination::Everyone, &about(group(1), &[number])).unwrap();
    }
    carl.send(Destination::Everyone, &about(group(1), b"one")).unwrap();
    until(|| channel.stats().of(&peer("ben")).dropped_queue_full == 95).await;
    until(|| channel.stats().of(&peer("carl")).waiting_messages == 1).await;
    let mut first = [next_message(&mut channel).await, next_message(&mut channel).await];
    first.sort();
    assert_eq!(first[1], (peer("carl"), about(group(1), b"one")));
}

#[tokio::test]
async fn a_channel_that_floods_does_not_keep_another_from_sending() {
    let mesh = Mesh::default();
    let (anna, mut ben) = (Node::join(&mesh, "anna"), mesh.join(peer("ben")).unwrap());
    let mut floods = anna.open(group(1), &["anna", "ben"]);
    let mut speaks = anna.open(group(2), &["anna", "ben"]);
    connected(&mut floods, &["ben"]).await;
    connected(&mut speaks, &["ben"]).await;
    // The mux's task does not run meanwhile.
    for number in 0..2000_u32 {
        say(&mut floods, "ben", &number.to_le_bytes());
    }
    say(&mut speaks, "ben", b"a word");
    let lost = floods.stats().link(&peer("ben")).unwrap().outbound;
    assert_eq!((lost.waiting_messages, lost.dropped_queue_full), (1024, 976));
    let word = (peer("anna"), about(group(2), b"a word"));
    let heard = [next_message(&mut ben).await, next_message(&mut ben).await];
    assert!(heard.contains(&word));
    let outbound = speaks.stats().link(&peer("ben")).unwrap().outbound;
    assert_eq!((outbound.delivered, outbound.dropped_queue_full), (1, 0));
}

#[tokio::test]
async fn a_channel_takes_no_longer_message_than_its_bus_and_its_own_limits() {
    let queues = QueueLimits { max_message_bytes: 300, ..QueueLimits::default() };
    let mesh = Mesh::new(MeshLimits { queues, ..MeshLimits::default() }).unwrap();
    let anna = Node::join(&mesh, "anna");
    assert_eq!(anna.open(group(1), &[]).max_message_bytes(), 300);
    let own = QueueLimits { max_message_bytes: 200, ..QueueLimits::default() };
    let ben = Node::with(&mesh, "ben", MuxLimits { queues: own, ..Default::default() });
    let mut bens = ben.open(group(1), &["anna", "ben"]);
    connected(&mut bens, &["anna"]).await;
    let refused = bens.send(Destination::Everyone, &[0; 201]);
    assert_eq!(refused, Err(SendError::TooLarge { bytes: 201, max: 200 }));

    let mut channel = anna.open(group(1), &["anna", "ben"]);
    connected(&mut channel, &["ben"]).await;
    say(&mut channel, "ben", &[0; 68]);
    say(&mut channel, "ben", &[0; 67]);
    assert_eq!(next(&mut bens).await, message("anna", group(1), &[0; 67]));
    assert_eq!(bens.stats().of(&peer("anna")).dropped_too_large, 1);
}
