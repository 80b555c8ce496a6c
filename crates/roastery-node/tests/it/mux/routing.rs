//! Routing of messages to channels.

use super::*;
use roastery_testkit::bus::waiting::until;

#[tokio::test]
async fn two_groups_with_members_in_common_do_not_hear_each_other() {
    let mesh = Mesh::default();
    let nodes = ["anna", "ben", "carl"].map(|name| Node::join(&mesh, name));
    let [anna, ben, carl] = &nodes;
    // Anna and Ben are in both.
    let (all, two) = (["anna", "ben", "carl"], ["anna", "ben"]);
    let mut large = [anna, ben, carl].map(|node| node.open(group(1), &all));
    let mut small = [anna, ben].map(|node| node.open(group(2), &two));
    connected(&mut large[1], &["anna", "carl"]).await;
    connected(&mut large[2], &["anna", "ben"]).await;
    connected(&mut small[0], &["ben"]).await;
    connected(&mut small[1], &["anna"]).await;

    say_to_all(&mut small[0], b"among the two");
    say_to_all(&mut large[0], b"among all");
    assert_eq!(next(&mut small[1]).await, message("anna", group(2), b"among the two"));
    assert_eq!(next(&mut large[1]).await, message("anna", group(1), b"among all"));
    assert_eq!(next(&mut large[2]).await, message("anna", group(1), b"among all"));
    // And no other message has come.
    say(&mut small[1], "anna", b"and back");
    assert_eq!(next(&mut small[0]).await, message("ben", group(2), b"and back"));
    say(&mut large[0], "ben", b"once more");
    assert_eq!(next(&mut large[1]).await, message("anna", group(1), b"once more"));
    assert!(carl.handle.stats().misdirected.values().all(|count| *count == Default::default()));
    assert_eq!(small[1].stats().of(&peer("anna")).delivered, 1);
}

#[tokio::test]
async fn a_group_and_a_key_generation_of_the_same_name_are_two_topics() {
    let mesh = Mesh::default();
    let (anna, ben) = (Node::join(&mesh, "anna"), Node::join(&mesh, "ben"));
    let mut makes = ben.open(keygen(1), &["anna", "ben"]);
    let mut signs = ben.open(group(1), &["anna", "ben"]);
    connected(&mut makes, &["anna"]).await;
    connected(&mut signs, &["anna"]).await;
    let mut annas = anna.open(keygen(1), &["anna", "ben"]);
    connected(&mut annas, &["ben"]).await;
    say(&mut annas, "ben", b"card");
    assert_eq!(next(&mut makes).await, message("anna", keygen(1), b"card"));
    let mut annas = anna.open(group(1), &["anna", "ben"]);
    connected(&mut annas, &["ben"]).await;
    say(&mut annas, "ben", b"share");
    assert_eq!(next(&mut signs).await, message("anna", group(1), b"share"));
}

#[tokio::test]
async fn a_stranger_to_the_group_that_is_a_member_of_another_is_dropped_and_counted() {
    let mesh = Mesh::default();
    let (anna, mut mallory) = (Node::join(&mesh, "anna"), mesh.join(peer("mallory")).unwrap());
    let mut shared = anna.open(group(1), &["anna", "ben", "mallory"]);
    let mut closed = anna.open(group(2), &["anna", "ben"]);
    let mut ben = mesh.join(peer("ben")).unwrap();
    connected(&mut shared, &["ben", "mallory"]).await;
    connected(&mut closed, &["ben"]).await;

    mallory.send(Destination::Everyone, &about(group(2), b"let me in")).unwrap();
    mallory.send(Destination::Everyone, &about(group(1), b"I am here")).unwrap();
    assert_eq!(next(&mut shared).await, message("mallory", group(1), b"I am here"));
    ben.send(Destination::Peer(peer("anna")), &about(group(2), b"us two")).unwrap();
    assert_eq!(next(&mut closed).await, message("ben", group(2), b"us two"));
    let count = anna.handle.stats().misdirected[&peer("mallory")];
    assert_eq!((count.not_a_member, count.no_such_topic), (1, 0));
    assert_eq!(closed.stats().of(&peer("mallory")), Default::default());
    // Its connection does not even show there, and no message can be sent to it.
    drop(mallory);
    assert_eq!(next(&mut shared).await, BusEvent::Disconnected(peer("mallory")));
    let refused = closed.send(Destination::Peer(peer("mallory")), &about(group(2), b"no"));
    assert_eq!(refused, Err(roastery_node::bus::SendError::UnknownPeer(peer("mallory"))));
    drop(ben);
    assert_eq!(next(&mut closed).await, BusEvent::Disconnected(peer("ben")));
}

#[tokio::test]
async fn messages_about_nothing_that_is_open_here_are_dropped_and_counted() {
    let mesh = Mesh::default();
    let (anna, mut ben) = (Node::join(&mesh, "anna"), mesh.join(peer("ben")).unwrap());
    let mut channel = anna.open(group(1), &["anna", "ben"]);
    connected(&mut channel, &["ben"]).await;
    let unknown_kind = {
        let mut bytes = about(group(1), b"");
        bytes[66] = 200;
        bytes
    };
    let nothing = [
        b"".to_vec(),
        heading(group(1))[..132].to_vec(),
        heading(keygen(1))[..99].to_vec(),
        unknown_kind,
        about(group(2), b"another group"),
        about(keygen(1), b"a ceremony"),
    ];
    for bytes in &nothing {
        ben.send(Destination::Everyone, bytes).unwrap();
    }
    let count = || anna.handle.stats().misdirected[&peer("ben")];
    until(|| count().no_such_topic == nothing.len() as u64).await;
    assert_eq!(count().not_a_member, 0);
    ben.send(Destination::Everyone, &heading(group(1))).unwrap();
    assert_eq!(next(&mut channel).await, message("ben", group(1), b""));
}

#[tokio::test]
async fn a_channel_takes_a_further_topic_while_that_has_no_channel_of_its_own() {
    let mesh = Mesh::default();
    let (anna, ben) = (Node::join(&mesh, "anna"), Node::join(&mesh, "ben"));
    let mut sender = anna.open(group(1), &["anna", "ben"]);
    connected(&mut sender, &["ben"]).await;
    let further = |words| about(keygen(2), words);
    // It is opened without members, which come later.
    let mut first = ben.open(group(3), &[]);
    let members = || ["anna", "ben"].map(peer);
    assert!(ben.handle.extend(group(3), members(), Some(keygen(2))));
    connected(&mut first, &["anna"]).await;
    let say = |channel: &mut Channel, words| {
        channel.send(Destination::Peer(peer("ben")), &further(words)).unwrap();
    };
    say(&mut sender, b"to the first");
    assert_eq!(next(&mut first).await, message("anna", keygen(2), b"to the first"));
    let mut own = ben.open(keygen(2), &["anna"]);
    connected(&mut own, &["anna"]).await;
    say(&mut sender, b"to its own");
    assert_eq!(next(&mut own).await, message("anna", keygen(2), b"to its own"));
    drop(own);
    say(&mut sender, b"to the first again");
    assert_eq!(next(&mut first).await, message("anna", keygen(2), b"to the first again"));
    // Neither of a topic without a channel, nor beyond the bound.
    assert!(!ben.handle.extend(group(9), members(), None));
    let many = (0..1023).map(|number| peer(&format!("peer {number}")));
    assert!(!ben.handle.extend(group(3), many, None));
}
