//! Golden vectors: fixed inputs and their bytes, committed in `tests/vectors/golden.json`. Another
//! implementation of the protocol can start from that file; a change of a byte in it is a new
//! version of the protocol.

use std::{collections::BTreeMap, path::Path};

use roastery_protocol::{election::Order, group::binding_digest, keys::HostKey, tags::Tag};

use super::*;

pub type Vectors = BTreeMap<String, String>;

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn computed() -> Vectors {
    let fixed = fixed();
    let mut vectors = Vectors::new();
    let mut put = |name: String, bytes: &[u8]| {
        assert!(vectors.insert(name.clone(), hex(bytes)).is_none(), "{name} stands twice");
    };
    for tag in Tag::ALL.into_iter().filter(|tag| tag.as_str().starts_with("roastery/1/")) {
        put(format!("tag/{}", tag.as_str()), &tag.hash(&[]));
        put(format!("tag/{} of 'message'", tag.as_str()), &tag.hash(&[b"mess", b"age"]));
    }
    put("group/file".to_owned(), &fixed.group.encode());
    put("group/id".to_owned(), fixed.group.id().as_bytes());
    put("group/key-id".to_owned(), fixed.group.key_id().as_bytes());
    let later = RawGroup { epoch: 7, plan: [0x77; 32], ..RawGroup::of(&fixed.group) };
    let later = Group::decode(&later.bytes()).unwrap();
    put("group/epoch-7/file".to_owned(), &later.encode());
    put("group/epoch-7/id".to_owned(), later.id().as_bytes());
    put("group/epoch-7/key-id".to_owned(), later.key_id().as_bytes());
    for seat in fixed.group.seats() {
        let member = fixed.group.member(seat).unwrap();
        let host = HostKey::new(SigningKeyOf(100).at(seat.index()));
        let digest =
            binding_digest(&member.host_key, &member.identity_key, &member.peer, member.sequence);
        put(format!("binding/{seat}/digest"), &digest);
        let signature = host.bind(&member.identity_key, &member.peer, member.sequence);
        put(format!("binding/{seat}/signature"), &signature.to_bytes());
    }
    put("request/bytes".to_owned(), &fixed.request.encode());
    put("request/session".to_owned(), fixed.session.as_bytes());
    for (position, entry) in fixed.request.messages().iter().enumerate() {
        let key = entry.derivation.tweaks(&fixed.group).unwrap().x_only_public_key();
        put(format!("request/key/{position}"), &key.to_bytes());
    }
    for n in [2, 3, 128] {
        let order = Order::of(fixed.session, (0..n).map(seat));
        let seats = (0..n as u32).map(|k| order.coordinator(Attempt::new(k).unwrap()).to_u16());
        let bytes: Vec<u8> = seats.flat_map(u16::to_le_bytes).collect();
        put(format!("order/{n}"), &bytes);
    }
    for (name, bytes) in change::vectors() {
        put(format!("change/{name}"), &bytes);
    }
    for (name, bytes) in keygen::vectors() {
        put(format!("ceremony/{name}"), &bytes);
    }
    vectors
}

/// What changed, byte by byte: nothing, if these are the same.
fn differences(committed: &Vectors, computed: &Vectors) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, now) in computed {
        match committed.get(name) {
            None => differences.push(format!("{name}: not among the committed vectors")),
            Some(then) if then == now => {}
            Some(then) => {
                let same = then.bytes().zip(now.bytes()).take_while(|(a, b)| a == b).count();
                differences.push(format!(
                    "{name}: {} bytes were committed and {} computed, which differ from byte {} on",
                    then.len() / 2,
                    now.len() / 2,
                    same / 2
                ));
            }
        }
    }
    let gone = committed.keys().filter(|name| !computed.contains_key(*name));
    differences.extend(gone.map(|name| format!("{name}: committed and not computed any more")));
    differences
}

/// Asserts that these are the vectors of a file in `tests/vectors`.
pub fn compare(file: &str, computed: &Vectors) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file);
    // For a new version of the protocol, whose vectors are another set.
    if std::env::var_os("ROASTERY_WRITE_GOLDEN").is_some_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(computed).unwrap() + "\n";
        std::fs::write(&path, text).unwrap();
    }
    let committed: Vectors = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let differences = differences(&committed, computed);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_byte_is_the_committed_one() {
    compare("golden.json", &computed());
}

#[test]
fn a_difference_of_one_byte_is_named() {
    let committed = Vectors::from([("a".to_owned(), "00ff".to_owned())]);
    let computed = Vectors::from([("a".to_owned(), "00fe".to_owned())]);
    assert_eq!(differences(&committed, &committed), Vec::<String>::new());
    let named = differences(&committed, &computed).join("");
    assert!(named.starts_with("a: ") && named.ends_with("from byte 1 on"), "{named}");
}
