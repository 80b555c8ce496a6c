use roastery_frost::SigningKey;
use roastery_libp2p::DialAddress;
use roastery_protocol::keys::HostKey;

use super::*;

/// The keys of a node, derived from one byte.
struct Keys {
    host: HostKey,
    identity: IdentityKey,
    transport: TransportKey,
}

fn keys(byte: u8) -> Keys {
    let key = |kind: u8| {
        let mut bytes = [kind; 32];
        bytes[31] = byte;
        SigningKey::from_bytes(bytes.into()).unwrap()
    };
    Keys {
        host: HostKey::new(key(1)),
        identity: IdentityKey::new(key(2)),
        transport: TransportKey::from_secret(&mut [byte; 32]),
    }
}

fn line(host: &HostKey, identity_key: XOnlyPublicKey, peer: PeerId) -> Member {
    let binding = host.bind(&identity_key, &peer, 0);
    Member { host_key: host.public_key(), identity_key, peer, sequence: 0, binding }
}

fn card_with(keys: &Keys, member: Member) -> NodeCard {
    let card = NamedMember { name: "anna".parse().unwrap(), member };
    let addresses = DialAddress::list(&["/dns4/anna.example/tcp/7400"]).unwrap();
    let whereabouts = keys.transport.whereabouts(1_790_000_000_000, &addresses).unwrap();
    NodeCard::sign(card, whereabouts, &keys.identity, &keys.transport)
}

fn card() -> NodeCard {
    let keys = keys(1);
    card_with(&keys, line(&keys.host, keys.identity.public_key(), keys.transport.peer()))
}

fn refused(text: &str) -> String {
    NodeCard::parse(text).unwrap_err().to_string()
}

#[test]
fn a_card_is_read_as_it_was_written() {
    let card = card();
    assert_eq!(NodeCard::parse(&card.to_text()).unwrap(), card);
    assert!(card.to_text().len() < MAX_CARD / 4);
}

#[test]
fn no_card_names_a_key_or_a_peer_of_another_node() {
    let (own, other) = (keys(1), keys(2));
    // A malicious member's host key may sign anything.
    let stolen_peer = line(&own.host, own.identity.public_key(), other.transport.peer());
    let stolen_identity = line(&own.host, other.identity.public_key(), own.transport.peer());
    let mut stolen_host = line(&own.host, own.identity.public_key(), own.transport.peer());
    stolen_host.host_key = other.host.public_key();
    for (member, said) in [
        (stolen_peer, "transport key (its peer)"),
        (stolen_identity, "identity key"),
        (stolen_host, "host key"),
    ] {
        let error = refused(&card_with(&own, member).to_text());
        assert!(
            error.starts_with(&format!("the {said} on this card has not signed it")),
            "{error}"
        );
    }
}

#[test]
fn nothing_on_a_card_can_be_changed_on_its_way() {
    let text = card().to_text();
    for (from, to) in [
        ("\"anna\"", "\"anne\""),
        ("anna.example", "anne.example"),
        ("sequence = 0", "sequence = 1"),
        ("1790000000000", "1790000000001"),
    ] {
        assert!(text.contains(from), "{text}");
        let error = refused(&text.replace(from, to));
        assert!(error.contains("has not signed"), "{from}: {error}");
    }
    // Signatures of another card of the same node do not verify either.
    let keys = keys(1);
    let renamed = NamedMember { name: "anne".parse().unwrap(), member: card().member().clone() };
    let renamed =
        NodeCard::sign(renamed, card().whereabouts().clone(), &keys.identity, &keys.transport);
    for field in ["identity_signature", "transport_signature"] {
        let of = |text: &str| text.lines().find(|line| line.starts_with(field)).unwrap().to_owned();
        let error = refused(&text.replace(&of(&text), &of(&renamed.to_text())));
        assert!(error.contains("has not signed"), "{field}: {error}");
    }
}

#[test]
fn what_is_no_card_is_refused_with_what_is_wrong() {
    let text = card().to_text();
    let long = format!("{text}{}", "#".repeat(MAX_CARD));
    let peer = text.lines().find(|line| line.starts_with("peer")).unwrap();
    for (text, said) in [
        (text.replace("version = 2", "version = 1"), "a card of version 1; this program reads"),
        (text.replace("version = 2\n", ""), "missing field `version`"),
        (text.replace("\"anna\"", "\"an\\u202ena\""), "the name: it has the character U+202E"),
        (text.replace("\"anna\"", "\"\""), "the name: it has 0 bytes"),
        (text.replace(peer, "peer = \"00\""), "peer is not the peer of an Ed25519 key"),
        (text.replace("host_signature = \"", "host_signature = \"x"), "host_signature is not"),
        (text.replace("name", "nom"), "unknown field"),
        ("version = 2\nmember = []".to_owned(), "this is an invitation, not a card"),
        ("".to_owned(), "missing field"),
        (long, "a card has at most 8192"),
    ] {
        let error = refused(&text);
        assert!(error.contains(said) && !error.contains('\n'), "{text}: {error}");
    }
}

#[test]
fn a_card_with_an_address_that_cannot_be_called_is_a_card() {
    let text = card().to_text();
    let read = NodeCard::parse(&text).unwrap();
    assert_eq!(read.whereabouts().usable().1, []);
    // An honest card has at most eight.
    let many = text.replace(
        "addresses = [\"/dns4/anna.example/tcp/7400\"]",
        &format!("addresses = [{}]", "\"/ip4\", ".repeat(9)),
    );
    assert!(refused(&many).contains("9 addresses: at most 8 are allowed"));
}
