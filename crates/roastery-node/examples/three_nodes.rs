//! Three members on a mesh inside one process sign one message: `cargo run -p roastery-node --example three_nodes`.

use std::{error::Error, sync::Arc, time::Duration};

use roastery_frost::{SigningKey, danger_trusted_dealer};
use roastery_node::{
    bus::{Mesh, PeerId},
    driver::{Ended, LocalMember, Node},
};
use roastery_protocol::{
    engine::FrostEngine,
    group::{Group, Member},
    keys::{HostKey, IdentityKey},
    message::RefusalReason,
    request::{ApprovedRequest, Derivation, MessageToSign, Policy, SigningRequest, Step, Taproot},
    session::Settings,
};

/// What this node signs. A real one looks at every field.
struct SignsAnything;

impl Policy for SignsAnything {
    fn judge(&self, _: &SigningRequest, _: Step) -> Result<(), RefusalReason> {
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // A dealer who knows all shares, and so could sign alone: for demonstrations only.
    let mut rng = getrandom::SysRng;
    let (keys, shares) = danger_trusted_dealer::deal(2, 3, &mut rng)?;
    let (mut members, mut identities) = (Vec::new(), Vec::new());
    for name in ["anna", "ben", "cleo"] {
        let host = HostKey::new(SigningKey::generate(&mut rng)?);
        let identity = IdentityKey::new(SigningKey::generate(&mut rng)?);
        let (identity_key, peer) = (identity.public_key(), PeerId::new(name)?);
        let binding = host.bind(&identity_key, &peer, 0);
        let host_key = host.public_key();
        members.push(Member { host_key, identity_key, peer, sequence: 0, binding });
        identities.push(Arc::new(identity));
    }
    let group = Arc::new(Group::new(keys, [0; 32], members)?);

    // Each member's node is on the mesh before any of them speaks.
    let mesh = Mesh::default();
    let mut nodes = Vec::new();
    for ((seat, share), identity) in group.seats().zip(shares).zip(identities) {
        let engine = FrostEngine::new(seat, group.keys().clone(), share);
        let (group, settings) = (group.clone(), Settings::default());
        let bus = mesh.join(group.member(seat).ok_or("no such seat")?.peer.clone())?;
        let (node, handle) =
            Node::new(bus, LocalMember { group, seat, identity, engine, settings });
        tokio::spawn(node.run());
        nodes.push(handle);
    }

    let derivation = Derivation { path: Vec::new(), taproot: Taproot::KeyPathOnly };
    let message = MessageToSign { message: [7; 32], derivation };
    let expiry = nodes[0].now().wall_seconds() + 600;
    let request = SigningRequest::new(group.id(), [1; 32], expiry, vec![message])?;
    let mut sessions = Vec::new();
    for node in &nodes {
        let policy = Arc::new(SignsAnything);
        let approved = ApprovedRequest::obtain(request.clone(), &group, policy, node.now())?;
        sessions.push(node.sign(approved, Duration::from_secs(60)).await?);
    }
    for session in &sessions {
        match session.ended().await {
            Some(Ended::Signed(outcome)) => println!("signed: {:?}", outcome.signatures[0]),
            ended => println!("{ended:?}, waiting for {:?}", session.report().await),
        }
    }
    Ok(())
}
