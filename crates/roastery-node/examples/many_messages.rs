//! The cost of a transaction with many inputs: 50 messages in one session beside 50 sessions of one
//! message, three of five members on a mesh inside one process. `cargo run --release -p
//! roastery-node --example many_messages`.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use getrandom::SysRng;
use roastery_frost::{SigningKey, danger_trusted_dealer};
use roastery_node::{
    bus::Mesh,
    driver::{Ended, LocalMember, Node, NodeHandle},
};
use roastery_protocol::{
    group::{Group, Member, PeerId},
    keys::{HostKey, IdentityKey},
    member::machine::RequestOrigin,
    request::RefusalReason,
    request::{ApprovedRequest, Derivation, MessageToSign, Policy, SigningRequest, Step, Taproot},
};

const MESSAGES: u32 = 50;
const ROUNDS: usize = 7;

struct SignsAnything;

impl Policy for SignsAnything {
    fn judge(&self, _: &SigningRequest, _: Step) -> Result<(), RefusalReason> {
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (group, nodes) = start()?;
    // The first session warms everything up.
    sign(&group, &nodes, vec![messages(1)]).await?;
    let (mut one, mut at_once, mut in_turn) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        one.push(sign(&group, &nodes, vec![messages(MESSAGES)]).await?);
        let each: Vec<_> = messages(MESSAGES).into_iter().map(|message| vec![message]).collect();
        at_once.push(sign(&group, &nodes, each.clone()).await?);
        let begun = Instant::now();
        for request in each {
            sign(&group, &nodes, vec![request]).await?;
        }
        in_turn.push(begun.elapsed());
    }
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1e3
    };
    let (one, at_once, in_turn) = (median(one), median(at_once), median(in_turn));
    println!(
        "{MESSAGES} messages, 3 of 5, medians of {ROUNDS} rounds, all five nodes in one thread"
    );
    println!("one session                {one:8.1} ms");
    println!(
        "{MESSAGES} sessions at once        {at_once:8.1} ms   {:.1} times as long",
        at_once / one
    );
    println!(
        "{MESSAGES} sessions, one by one    {in_turn:8.1} ms   {:.1} times as long",
        in_turn / one
    );
    Ok(())
}

/// Messages of a transaction whose inputs have addresses of their own.
fn messages(count: u32) -> Vec<MessageToSign> {
    let derivation = |index| Derivation { path: vec![0, index], taproot: Taproot::KeyPathOnly };
    (0..count)
        .map(|index| MessageToSign { message: [7; 32], derivation: derivation(index) })
        .collect()
}

/// Signs these requests concurrently, and returns how long it took until every node had every
/// signature.
async fn sign(
    group: &Arc<Group>,
    nodes: &[NodeHandle],
    requests: Vec<Vec<MessageToSign>>,
) -> Result<Duration, Box<dyn Error>> {
    let begun = Instant::now();
    let mut sessions = Vec::new();
    for messages in requests {
        let mut id = [0; 32];
        getrandom::fill(&mut id)?;
        let expiry = nodes[0].now().wall_seconds() + 600;
        let request = SigningRequest::new(group.id(), id, expiry, messages)?;
        for node in nodes {
            let (request, policy) = (request.clone(), Arc::new(SignsAnything));
            let approved = ApprovedRequest::obtain(request, group, policy, node.now())?;
            sessions
                .push(node.sign(approved, RequestOrigin::Proposed, Duration::from_secs(60)).await?);
        }
    }
    for session in &sessions {
        let Some(Ended::Signed(_)) = session.ended().await else { return Err("stopped".into()) };
    }
    Ok(begun.elapsed())
}

fn start() -> Result<(Arc<Group>, Vec<NodeHandle>), Box<dyn Error>> {
    let (keys, shares) = danger_trusted_dealer::deal(3, 5, &mut SysRng)?;
    let (mut members, mut identities) = (Vec::new(), Vec::new());
    for number in 0..5 {
        let host = HostKey::new(SigningKey::generate(&mut SysRng)?);
        let identity = IdentityKey::new(SigningKey::generate(&mut SysRng)?);
        let (identity_key, peer) = (identity.public_key(), PeerId::new(format!("node {number}"))?);
        let (host_key, binding) = (host.public_key(), host.bind(&identity_key, &peer, 0));
        members.push(Member { host_key, identity_key, peer, sequence: 0, binding });
        identities.push(Arc::new(identity));
    }
    let group = Arc::new(Group::new(keys, [0; 32], members)?);
    let (mesh, mut nodes) = (Mesh::default(), Vec::new());
    for ((seat, share), identity) in group.seats().zip(shares).zip(identities) {
        let bus = mesh.join(group.member(seat).ok_or("no such seat")?.peer.clone())?;
        let member = LocalMember::new(group.clone(), [(seat, identity, share)]);
        let (node, handle) = Node::new(bus, member)?;
        tokio::spawn(node.run());
        nodes.push(handle);
    }
    Ok((group, nodes))
}
