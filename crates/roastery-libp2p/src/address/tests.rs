use super::*;
use crate::TransportKey;

const PEER: &str = "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo";

#[test]
fn an_address_that_can_be_called_is_read_as_it_is_written() {
    for text in [
        "/ip4/203.0.113.7/tcp/7400",
        "/ip4/203.0.113.7/udp/7400/quic-v1",
        "/ip4/127.0.0.1/tcp/1",
        "/ip4/10.0.0.1/tcp/65535",
        "/ip6/2001:db8::7/tcp/7400",
        "/ip6/::1/udp/7400/quic-v1",
        "/dns/anna.example/tcp/7400",
        "/dns4/anna.example/tcp/7400",
        "/dns4/localhost/tcp/7400",
        "/dns6/anna.example/udp/7400/quic-v1",
        "/dns/_roastery.anna-1.example/tcp/7400",
        "/dns/xn--bcher-kva.example/tcp/7400",
        "/dnsaddr/anna.example",
    ] {
        let address: DialAddress = text.parse().unwrap();
        assert_eq!(address.to_string(), text);
    }
    for (text, written) in [
        ("/dns4/Anna.Example./tcp/7400", "/dns4/anna.example/tcp/7400"),
        ("/dnsaddr/Anna.Example.", "/dnsaddr/anna.example"),
        ("/ip6/2001:0db8:0:0::7/tcp/7400", "/ip6/2001:db8::7/tcp/7400"),
        ("/ip6/::ffff:203.0.113.7/tcp/7400", "/ip4/203.0.113.7/tcp/7400"),
    ] {
        assert_eq!(text.parse::<DialAddress>().unwrap().to_string(), written);
    }
}

#[test]
fn an_address_that_cannot_be_called_is_refused_with_what_is_wrong_and_what_is_allowed() {
    let long = format!("/dns4/{}/tcp/7400", "a.".repeat(130));
    let label = format!("/dns4/{}/tcp/7400", "a".repeat(64));
    let named = format!("/ip4/203.0.113.7/tcp/7400/p2p/{PEER}");
    let without_port = format!("/ip4/203.0.113.7/p2p/{PEER}");
    let published = format!("/dnsaddr/anna.example/p2p/{PEER}");
    let beyond = format!("/dnsaddr/anna.example/p2p/{PEER}/p2p-circuit");
    let long_published = format!("/dnsaddr/{}a", "a.".repeat(122));
    let relayed = format!("/ip4/203.0.113.7/tcp/7400/p2p/{PEER}/p2p-circuit");
    for (text, said) in [
        ("", "it is no multiaddress"),
        ("/", "it is no multiaddress"),
        ("203.0.113.7:7400", "it is no multiaddress"),
        ("anna.example:7400", "it is no multiaddress"),
        ("https://anna.example", "it is no multiaddress"),
        ("/ip4/203.0.113.7/tcp/99999", "it is no multiaddress"),
        ("/ip4/203.0.113/tcp/7400", "it is no multiaddress"),
        ("/ip4/203.0.113.7/tcp", "it is no multiaddress"),
        ("/ip4/203.0.113.7", "it has no port"),
        ("/dns4/anna.example", "it has no port"),
        (&without_port, "it has no port"),
        ("/ip4/203.0.113.7/tcp/0", "port 0 cannot be called"),
        ("/dns/anna.example/udp/0/quic-v1", "port 0 cannot be called"),
        ("/ip4/203.0.113.7/udp/7400", "/quic-v1 must follow the UDP port"),
        ("/ip4/203.0.113.7/udp/7400/quic", "/quic is not spoken here"),
        ("/ip4/203.0.113.7/tcp/7400/ws", "/ws is not spoken here"),
        ("/dns4/anna.example/tcp/443/wss", "/wss is not spoken here"),
        ("/dns4/anna.example/tcp/443/tls/ws", "/tls is not spoken here"),
        ("/ip4/203.0.113.7/udp/7400/quic-v1/webtransport", "/webtransport is not spoken here"),
        ("/ip4/203.0.113.7/sctp/7400", "/sctp is not spoken here"),
        ("/ip4/203.0.113.7/tcp/7400/http", "/http is not spoken here"),
        (&named, "leave /p2p out"),
        (&relayed, "/p2p-circuit is not spoken here"),
        ("/ip4/0.0.0.0/tcp/7400", "0.0.0.0 means all addresses of a machine"),
        ("/ip6/::/tcp/7400", ":: means all addresses of a machine"),
        ("/ip6/::ffff:0.0.0.0/tcp/7400", "0.0.0.0 means all addresses of a machine"),
        ("/ip4/224.0.0.1/tcp/7400", "224.0.0.1 is no address of one machine"),
        ("/ip4/255.255.255.255/udp/7400/quic-v1", "255.255.255.255 is no address of one machine"),
        ("/ip6/ff02::1/tcp/7400", "ff02::1 is no address of one machine"),
        ("/dnsaddr/anna.example/tcp/7400", "/tcp after /dnsaddr/NAME"),
        ("/dnsaddr/anna.example/ws", "/ws after /dnsaddr/NAME"),
        (&published, "leave /p2p out"),
        (&beyond, "/p2p-circuit after /dnsaddr/NAME"),
        (&long_published, "244 after /dnsaddr"),
        ("/dnsaddr/anna..example", "its name is none"),
        ("/unix/tmp", "it begins with /unix"),
        ("/memory/7", "it begins with /memory"),
        ("/tcp/7400", "it begins with /tcp"),
        ("/dns4/anna..example/tcp/7400", "its name is none"),
        ("/dns4/anna example/tcp/7400", "its name is none"),
        ("/dns4/anna\u{202e}/tcp/7400", "its name is none"),
        ("/dns4/b\u{fc}cher.example/tcp/7400", "its name is none"),
        (&label, "its name is none"),
        (&long, "bytes, and an address at most 256"),
    ] {
        let error = text.parse::<DialAddress>().unwrap_err().to_string();
        assert!(error.contains(said), "{text:?}: {error}");
        assert!(error.contains("allowed are /ip4/IP, /ip6/IP, /dns/NAME"), "{text:?}: {error}");
        let seen = |c: char| !c.is_control() && c != '\u{202e}';
        assert!(error.chars().all(seen), "{text:?}: {error}");
    }
}

#[test]
fn a_node_listens_at_ip_addresses_of_its_machine_and_at_no_names() {
    for text in [
        "/ip4/0.0.0.0/tcp/7400",
        "/ip4/0.0.0.0/udp/7400/quic-v1",
        "/ip6/::/tcp/7400",
        "/ip4/127.0.0.1/tcp/0",
        "/ip4/203.0.113.7/tcp/7400",
    ] {
        assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
    }
    let named = format!("/ip4/127.0.0.1/tcp/7400/p2p/{PEER}");
    for (text, said) in [
        ("/dns4/localhost/tcp/7400", "a name cannot be listened at"),
        ("/dnsaddr/anna.example", "a name cannot be listened at"),
        ("/ip4/0.0.0.0", "it has no port"),
        ("/ip4/0.0.0.0/tcp/7400/ws", "/ws is not spoken here"),
        ("/ip4/0.0.0.0/udp/7400", "/quic-v1 must follow the UDP port"),
        ("/ip4/224.0.0.1/tcp/7400", "224.0.0.1 is no address of one machine"),
        (&named, "leave /p2p out"),
    ] {
        let error = text.parse::<ListenAddress>().unwrap_err().to_string();
        assert!(error.contains(said), "{text:?}: {error}");
        assert!(error.contains("allowed are /ip4/IP or /ip6/IP"), "{text:?}: {error}");
    }
}

#[test]
fn a_peer_at_the_end_of_an_address_must_be_the_one_whose_address_it_is() {
    let key = |byte| TransportKey::from_secret(&mut [byte; 32]);
    let (own, other) = (key(1).0.public().to_peer_id(), key(2).0.public().to_peer_id());
    let read = |text: String| DialAddress::of_peer(&text, &key(1).peer());
    for address in ["/dns4/anna.example/tcp/7400", "/dnsaddr/anna.example"] {
        assert_eq!(read(format!("{address}/p2p/{own}")).unwrap().to_string(), address);
        assert_eq!(read(address.to_owned()).unwrap().to_string(), address);
        let refused = read(format!("{address}/p2p/{other}")).unwrap_err();
        assert_eq!(*refused.fault(), AddressFault::OtherPeer(other.to_string()));
    }
}

#[test]
fn a_node_has_at_most_eight_addresses_and_each_once() {
    let texts = |count: u16| -> Vec<String> {
        (1..=count).map(|port| format!("/ip4/10.0.0.1/tcp/{port}")).collect()
    };
    assert_eq!(DialAddress::list(&texts(8)).unwrap().len(), 8);
    assert_eq!(DialAddress::list(&texts(9)), Err(AddressListError::TooMany(9)));
    let twice = DialAddress::list(&["/dns/anna.example/tcp/1", "/dns/ANNA.example./tcp/1"]);
    assert!(twice.unwrap_err().to_string().contains("stands there twice"));
    assert!(matches!(DialAddress::list(&["/ip4"]), Err(AddressListError::Address(_))));
}

#[test]
fn an_address_says_from_where_it_can_be_called() {
    for (text, from) in [
        ("/ip4/203.0.113.7/tcp/1", Reach::Anywhere),
        ("/ip4/100.128.0.1/tcp/1", Reach::Anywhere),
        ("/ip6/2001:db8::1/tcp/1", Reach::Anywhere),
        ("/dns/anna.example/tcp/1", Reach::Anywhere),
        ("/dnsaddr/anna.example", Reach::Anywhere),
        ("/ip4/10.1.2.3/tcp/1", Reach::PrivateNetwork),
        ("/ip4/192.168.1.1/tcp/1", Reach::PrivateNetwork),
        ("/ip4/169.254.1.1/tcp/1", Reach::PrivateNetwork),
        ("/ip4/100.64.0.9/tcp/1", Reach::PrivateNetwork),
        ("/ip6/fd00::1/tcp/1", Reach::PrivateNetwork),
        ("/ip6/fe80::1/tcp/1", Reach::PrivateNetwork),
        ("/ip4/127.0.0.1/tcp/1", Reach::ThisMachine),
        ("/ip6/::1/tcp/1", Reach::ThisMachine),
        ("/dns4/localhost/tcp/1", Reach::ThisMachine),
        ("/dns4/node.localhost/tcp/1", Reach::ThisMachine),
    ] {
        assert_eq!(text.parse::<DialAddress>().unwrap().reach(), from, "{text}");
    }
}

#[test]
fn a_listener_takes_calls_of_its_transport_and_of_its_kind_of_address() {
    let listens: ListenAddress = "/ip4/0.0.0.0/tcp/7400".parse().unwrap();
    for (text, taken) in [
        ("/ip4/203.0.113.7/tcp/7400", true),
        ("/ip4/203.0.113.7/tcp/9000", true),
        ("/dns/anna.example/tcp/7400", true),
        ("/dns4/anna.example/tcp/7400", true),
        ("/dnsaddr/anna.example", true),
        ("/ip4/203.0.113.7/udp/7400/quic-v1", false),
        ("/ip6/2001:db8::7/tcp/7400", false),
        ("/dns6/anna.example/tcp/7400", false),
    ] {
        assert_eq!(listens.may_take(&text.parse().unwrap()), taken, "{text}");
    }
}
