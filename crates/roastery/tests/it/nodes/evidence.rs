//! Proofs that a node holds.

use std::fs;

use roastery_frost::PartialSignature;
use roastery_protocol::{
    BodyHash, Seat,
    keys::IdentityKey,
    member::{
        frame::{Content, SignatureShare, Statement},
        proof::{Fault, Proof},
    },
    request::{Derivation, MessageToSign, SigningRequest},
};
use roastery_store::{Passphrase, Store};

use crate::nodes::support::Group;

fn store(group: &Group, node: usize) -> Store {
    let words = fs::read_to_string(group.node(node).join("passphrase")).unwrap();
    let words = Passphrase::new(words.trim().to_owned());
    Store::open(group.node(node).join("node.store"), &words).unwrap()
}

#[test]
fn proofs_are_listed_and_written_as_files_that_a_third_party_verifies() {
    let group = Group::start("evidence", 2, 2);
    group.stop(0);
    group.stop(1);

    // The second node has sent the first one a share of two scalars for one message.
    let held = store(&group, 0);
    let keys = held.groups().unwrap().pop().unwrap().group;
    let message = MessageToSign { message: [1; 32], derivation: Derivation::key_path_only() };
    let request = SigningRequest::new(keys.id(), [7; 32], 2_000_000_000, vec![message]).unwrap();
    let identity = store(&group, 1).keys().unwrap().unwrap().identities.remove(0);
    let identity = IdentityKey::new(identity);
    let is_its = |seat: &Seat| keys.member(*seat).unwrap().identity_key == identity.public_key();
    let faulty = keys.seats().find(is_its).unwrap();
    let share = SignatureShare {
        package: BodyHash::from_bytes([2; 32]),
        scalars: vec![PartialSignature::from_bytes(&[3; 32]).unwrap(); 2],
    };
    let content = Content::SignatureShare(share);
    let message = Statement::seal(keys.id(), request.session_id(), faulty, &content, &identity);
    let proof = Proof::new(request, Fault::MalformedMessage { message });
    let finding = held.keep_proof(&keys, &proof).unwrap();
    drop(held);
    group.restart(0, &[]);

    let out = group.node(0).join("proofs");
    fs::create_dir(&out).unwrap();
    let listed = group.tell(0, &["evidence", "list", "--out", out.to_str().unwrap()]).well();
    assert!(listed.starts_with(&format!("{}  {} by ", proof.id(), finding.fault)), "{listed}");
    assert!(listed.contains(&format!("(seat {faulty})")), "{listed}");

    let file = group.node(0).join("group-file").to_str().unwrap().to_owned();
    group.tell(0, &["group", "export", "local", "--group-file", &file]).well();
    let written = out.join(proof.id().to_string());
    let verify = ["evidence", "verify", "--group", &file, written.to_str().unwrap()];
    let verdict = group.tell(0, &verify).well();
    assert!(verdict.starts_with("proven: "), "{verdict}");
}
