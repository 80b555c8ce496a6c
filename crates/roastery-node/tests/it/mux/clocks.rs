//! Peers whose clocks differ.

use std::time::{SystemTime, UNIX_EPOCH};

use super::*;
use roastery_testkit::bus::waiting::until;

#[tokio::test]
async fn two_nodes_with_one_clock_find_that_their_clocks_agree() {
    let mesh = Mesh::default();
    let (anna, ben) = (Node::join(&mesh, "anna"), Node::join(&mesh, "ben"));
    until(|| anna.handle.clocks().len() == 1 && ben.handle.clocks().len() == 1).await;
    for (node, other) in [(&anna, "ben"), (&ben, "anna")] {
        let offset = node.handle.clocks()[&peer(other)];
        assert!(!offset.is_notable(), "{offset:?}");
        assert_eq!(node.handle.stats().clocks[&peer(other)], offset);
    }
}

#[tokio::test]
async fn a_peer_whose_clock_is_two_minutes_behind_is_known_to_be_until_it_goes() {
    let mesh = Mesh::default();
    let (anna, mut ben) = (Node::join(&mesh, "anna"), mesh.join(peer("ben")).unwrap());
    let asked = loop {
        if let Some(BusEvent::Message { bytes, .. }) = ben.receive().await
            && let Some(question) = bytes.strip_prefix(b"rstclock")
        {
            assert_eq!(question[8..], [0]);
            break <[u8; 8]>::try_from(&question[..8]).unwrap();
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let behind = now - 120_000;
    let answer = [&b"rstclock"[..], &behind.to_le_bytes(), &[1], &asked].concat();
    ben.send(Destination::Peer(peer("anna")), &answer).unwrap();
    until(|| !anna.handle.clocks().is_empty()).await;
    let offset = anna.handle.clocks()[&peer("ben")];
    assert!(offset.is_notable(), "{offset:?}");
    assert!((-121_000..-60_000).contains(&offset.ahead_ms), "{offset:?}");
    drop(ben);
    until(|| anna.handle.clocks().is_empty()).await;
}

#[tokio::test]
async fn a_peer_that_asks_for_the_time_without_end_is_told_it_now_and_again() {
    let mesh = Mesh::default();
    let (anna, mut ben) = (Node::join(&mesh, "anna"), mesh.join(peer("ben")).unwrap());
    let mut channel = anna.open(group(1), &["anna", "ben"]);
    connected(&mut channel, &["ben"]).await;
    for at in 0..500_u64 {
        let question = [&b"rstclock"[..], &at.to_le_bytes(), &[0]].concat();
        ben.send(Destination::Peer(peer("anna")), &question).unwrap();
    }
    ben.send(Destination::Peer(peer("anna")), &about(group(1), b"after these")).unwrap();
    assert_eq!(next(&mut channel).await, message("ben", group(1), b"after these"));
    say(&mut channel, "ben", b"the end");
    let mut answers = 0;
    loop {
        let Some(BusEvent::Message { bytes, .. }) = ben.receive().await else { continue };
        match bytes.strip_prefix(b"rstclock") {
            Some(message) => answers += u32::from(message[8] == 1),
            None => break,
        }
    }
    // At most one a second, and 500 questions are asked in far less than a minute.
    assert!((1..60).contains(&answers), "{answers}");
}
