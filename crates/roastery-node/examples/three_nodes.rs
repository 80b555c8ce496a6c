//! Three members on a mesh inside one process sign one message: `cargo run -p roastery-node
//! --example three_nodes`.

use std::{error::Error, sync::Arc, time::Duration};

use getrandom::SysRng;
use roastery_frost::{SigningKey, danger_trusted_dealer};
use roastery_node::{
    bus::Mesh,
    driver::{Ended, LocalMember, Node},
};
use roastery_protocol::{
    group::{Group, Member, PeerId},
    keys::{HostKey, IdentityKey},
    member::machine::RequestOrigin,
    request::RefusalReason,
    request::{ApprovedRequest, Derivation, MessageToSign, Policy, SigningRequest, Step},
};

/// The policy of a node here. A real one checks every field.
struct SignsAnything;

impl Policy for SignsAnything {
    fn judge(&self, _: &SigningRequest, _: Step) -> Result<(), RefusalReason> {
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // A dealer that knows all shares, and could sign alone: for demonstrations only.
    let (keys, shares) = danger_trusted_dealer::deal(2, 3, &mut SysRng)?;
    let (mut members, mut identities) = (Vec::new(), Vec::new());
    for name in ["anna", "ben", "cleo"] {
        let host = HostKey::new(SigningKey::generate(&mut SysRng)?);
        let identity = IdentityKey::new(SigningKey::generate(&mut SysRng)?);
        let (identity_key, peer) = (identity.public_key(), PeerId::new(name)?);
        let (host_key, binding) = (host.public_key(), host.bind(&identity_key, &peer, 0));
        members.push(Member { host_key, identity_key, peer, sequence: 0, binding });
        identities.push(Arc::new(identity));
    }
    let group = Arc::new(Group::new(keys, [0; 32], members)?);

    // Each member's node joins the mesh before any of them sends.
    let (mesh, mut nodes) = (Mesh::default(), Vec::new());
    for ((seat, share), identity) in group.seats().zip(shares).zip(identities) {
        let bus = mesh.join(group.member(seat).ok_or("no such seat")?.peer.clone())?;
        let member = LocalMember::new(group.clone(), [(seat, identity, share)]);
        let (node, handle) = Node::new(bus, member)?;
        tokio::spawn(node.run());
        nodes.push(handle);
    }

    let message = MessageToSign { message: [7; 32], derivation: Derivation::key_path_only() };
    let expiry = nodes[0].now().wall_seconds() + 600;
    let request = SigningRequest::new(group.id(), [1; 32], expiry, vec![message])?;
    let mut sessions = Vec::new();
    for node in &nodes {
        let (request, policy) = (request.clone(), Arc::new(SignsAnything));
        let approved = ApprovedRequest::obtain(request, &group, policy, node.now())?;
        sessions.push(node.sign(approved, RequestOrigin::Proposed, Duration::from_secs(60)).await?);
    }
    for session in &sessions {
        let Some(Ended::Signed(end)) = session.ended().await else { return Err("stopped".into()) };
        println!("signed: {:?}", end.signatures[0]);
    }
    Ok(())
}
