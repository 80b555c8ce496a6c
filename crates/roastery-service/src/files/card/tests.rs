use roastery_frost::SigningKey;
use roastery_libp2p::DialAddress;
use roastery_protocol::keys::HostKey;

use super::*;
use crate::files::{InvitationFileError, PlanFileError};

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
    card_of("anna", [(member, &keys.identity)], &keys.transport)
}

fn card_of<'a>(
    name: &str,
    seats: impl IntoIterator<Item = (Member, &'a IdentityKey)>,
    transport: &TransportKey,
) -> NodeCard {
    let addresses = DialAddress::list(&["/dns4/anna.example/tcp/7400"]).unwrap();
    let whereabouts = transport.whereabouts(1_790_000_000_000, &addresses).unwrap();
    NodeCard::sign(name.parse().unwrap(), seats, whereabouts, transport)
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
    let peer = |keys: &Keys| keys.transport.peer().as_bytes().to_lower_hex_string();
    for (member, said) in [
        (stolen_peer, "transport key (its peer)"),
        (stolen_identity, "identity key"),
        (stolen_host, "host key"),
    ] {
        let named = member.peer.as_bytes().to_lower_hex_string();
        let error = refused(&card_with(&own, member).to_text().replace(&peer(&own), &named));
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
    let member = card().members().next().unwrap().clone();
    let renamed = card_of("anne", [(member, &keys.identity)], &keys.transport);
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
        (text.replace("version = 3", "version = 2"), "a card of version 2; this program reads"),
        (text.replace("version = 3\n", ""), "missing field `version`"),
        (text.replace("\"anna\"", "\"an\\u202ena\""), "the name: it has the character U+202E"),
        (text.replace("\"anna\"", "\"\""), "the name: it has 0 bytes"),
        (text.replace(peer, "peer = \"00\""), "peer is not the peer of an Ed25519 key"),
        (text.replace("host_signature = \"", "host_signature = \"x"), "host_signature is not"),
        (text.replace("name", "nom"), "unknown field"),
        ("version = 3\nmember = []".to_owned(), "this is an invitation, not a card"),
        ("".to_owned(), "missing field"),
        (long, "a card has at most 32768"),
    ] {
        let error = refused(&text);
        assert!(error.contains(said) && !error.contains('\n'), "{text}: {error}");
    }
}

#[test]
fn each_seat_on_a_card_is_signed_by_its_own_keys_and_the_nodes_transport_key() {
    let all: Vec<Keys> = (0..MAX_CARD_SEATS as u8).map(keys).collect();
    let transport = &all[0].transport;
    let seat = |keys: &Keys| line(&keys.host, keys.identity.public_key(), transport.peer());
    let of = |count: usize| {
        let seats = all.iter().take(count).map(|keys| (seat(keys), &keys.identity));
        card_of(&"n".repeat(64), seats, transport)
    };
    for count in [1, 3, MAX_CARD_SEATS] {
        let read = NodeCard::parse(&of(count).to_text()).unwrap();
        assert_eq!((read.members().len(), &read), (count, &of(count)));
        assert!(read.members().all(|member| member.peer == *read.peer()));
    }
    assert!(refused(&of(0).to_text()).contains("0 seats; a card has 1 to 32"));
    let one = of(1).to_text();
    let seat = &one[one.find("[[seat]]").unwrap()..];
    let many = format!("{one}{}", seat.repeat(MAX_CARD_SEATS));
    assert!(refused(&many).contains("33 seats; a card has 1 to 32"));
    // The signatures of one seat are none of another.
    let three = of(3).to_text();
    for field in ["host_signature", "identity_signature", "transport_signature"] {
        let mut lines = three.lines().filter(|line| line.starts_with(field));
        let (first, second) = (lines.next().unwrap(), lines.next().unwrap());
        let error = refused(&three.replace(second, first));
        assert!(error.contains("on this card has not signed it"), "{field}: {error}");
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

#[test]
fn no_error_about_a_file_that_was_given_by_mistake_shows_its_lines() {
    let parsed = || toml::from_str::<toml::Table>("words that are secret").unwrap_err();
    assert!(parsed().to_string().contains("secret"), "the parser's own error does");
    let (card, plan) = (CardError::from(parsed()), PlanFileError::from(parsed()));
    let invitation = InvitationFileError::from(parsed());
    for error in [&card as &dyn std::error::Error, &plan, &invitation] {
        assert!(error.source().is_none() && !error.to_string().contains("secret"), "{error}");
    }
}
