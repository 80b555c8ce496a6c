//! Nodes that sign while one of them is attacked by all other peers.

use std::{sync::Arc, time::Duration};

use futures_util::{AsyncWriteExt, StreamExt};
use roastery_libp2p::{Endpoint, Multiaddr};
use roastery_node::{
    bus::mux::{Mux, MuxHandle, MuxLimits, Topic},
    driver::NodeHandle,
};
use roastery_protocol::group::Group;
use roastery_testkit::{
    bus::topics::{self, heading},
    demo::{self, deal, sign},
};
use tokio::{io::AsyncReadExt, task::JoinSet};

use super::*;
use crate::{pending::from_elsewhere, rogue::Rogue, waiting::until};

/// The member that is attacked. Without it there are not enough signers.
const ATTACKED: usize = 0;

/// Honest members, of a group of five of whom three must sign. One more floods, and one is offline.
const HONEST: usize = 3;
const FLOODER: usize = 3;

/// A member of another group only, which the nodes' buses know.
const OTHER: usize = 5;

/// Queue sizes that honest members do not fill and a flood does.
const QUEUES: usize = 64;

/// Holds silent connections, and opens another one for each that is closed.
fn connect_without_end(at: Multiaddr) -> JoinSet<()> {
    let mut pending = JoinSet::new();
    for _ in 0..500 {
        let at = at.clone();
        pending.spawn(async move {
            loop {
                // Until the other end closes it.
                let _ = from_elsewhere(&at).await.read(&mut [0]).await;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
    }
    pending
}

/// Sends ever new messages about a group to the listener at the address, and reads nothing.
fn flood(at: Multiaddr, topic: Topic) -> JoinSet<()> {
    let mut flooding = JoinSet::new();
    flooding.spawn(async move {
        let mut rogue = Rogue::connect(FLOODER, &at).await;
        let mut heard = rogue.accept();
        let (_, _stream) = heard.next().await.unwrap();
        let mut stream = rogue.open().await;
        for number in 0_u64.. {
            let message = [heading(topic), number.to_le_bytes().to_vec()].concat();
            let length = (message.len() as u32).to_be_bytes();
            stream.write_all(&[&length[..], &message].concat()).await.unwrap();
        }
    });
    flooding
}

/// Sends messages about a group that it is no member of, and about one that no other node has.
fn chatter(mut bus: P2pBus, topic: Topic) -> JoinSet<()> {
    let mut chatting = JoinSet::new();
    chatting.spawn(async move {
        for number in 0_u64.. {
            for topic in [topic, topics::group(9)] {
                let message = [heading(topic), number.to_le_bytes().to_vec()].concat();
                bus.send(Destination::Everyone, &message).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    chatting
}

struct Attacked {
    group: Arc<Group>,
    nodes: Vec<NodeHandle>,
    handles: Vec<MuxHandle>,
    topic: Topic,
}

async fn start(network: &Network) -> Attacked {
    let peers: Vec<PeerId> = (0..5).map(|at| key(at).peer()).collect();
    let (group, members) = deal(3, &peers).unwrap();
    let topic = Topic::Group(group.id());
    let queues = QueueLimits { max_queued_messages: QUEUES, ..QueueLimits::default() };
    let limits = MuxLimits { queues, ..MuxLimits::default() };
    let (mut channels, mut handles) = (Vec::new(), Vec::new());
    for at in 0..HONEST {
        let (mux, handle) = Mux::new(network.join(at).await, limits).unwrap();
        channels.push(handle.open(topic, peers.clone()).unwrap());
        handles.push(handle);
        tokio::spawn(mux.run());
    }
    Attacked { group, nodes: demo::start(members, channels).unwrap(), handles, topic }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_sign_while_strangers_connect_others_speak_out_of_turn_and_a_member_floods() {
    let queues = QueueLimits { max_queued_messages: QUEUES, ..QueueLimits::default() };
    let network = Network::new(OTHER + 1, TCP, network::settings(queues)).await;
    let Attacked { group, nodes, handles, topic } = start(&network).await;
    let address = network.addresses[ATTACKED][0].clone();
    sign(&group, &nodes, 0).await.unwrap();

    let stranger = Endpoint::bind(key(77), &[], settings()).await.unwrap();
    let _stranger = stranger.join(network.roster()).unwrap();
    let _chattering = chatter(network.join(OTHER).await, topic);
    let _flooding = flood(address.clone(), topic);
    let _connecting = connect_without_end(address);
    let attacked = &handles[ATTACKED];
    let lost_of = |at: usize| {
        let (stats, peer) = (attacked.stats(), key(at).peer());
        stats.bus.of(&peer).dropped_queue_full + stats.channels[&topic].of(&peer).dropped_queue_full
    };
    let said_by_other = || attacked.stats().misdirected.get(&key(OTHER).peer()).copied();
    // Each attack is noticed, and counted by its kind.
    until(|| attacked.stats().bus.refusals().strangers > 0).await;
    until(|| attacked.stats().bus.refusals().no_room > 1000).await;
    until(|| said_by_other().is_some_and(|said| said.not_a_member > 0)).await;
    until(|| said_by_other().is_some_and(|said| said.no_such_topic > 0)).await;
    until(|| lost_of(FLOODER) > 1000).await;

    let before = (attacked.stats().bus.refusals().no_room, lost_of(FLOODER));
    for number in 1..4 {
        sign(&group, &nodes, number).await.unwrap();
    }
    // All of that went on, and no other peer has lost a message by it.
    until(|| attacked.stats().bus.refusals().no_room > before.0 && lost_of(FLOODER) > before.1)
        .await;
    for at in 1..HONEST {
        let link = attacked.stats().bus.link(&key(at).peer()).unwrap();
        assert_eq!((link.awaited_since, lost_of(at)), (None, 0));
        assert_eq!(link.unfinished + link.violations + link.unanswered_pings, 0, "{link:?}");
    }
}
