use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc;

use tokio::net::UdpSocket;

use self::zone::{Zone, at_port};
use super::*;
use crate::key::TransportKey;

mod zone;

fn addresses(texts: &[&str]) -> Vec<DialAddress> {
    DialAddress::list(texts).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

async fn resolved(resolver: &Resolver, texts: &[&str]) -> Vec<String> {
    let found = resolver.clone().resolve(anna().peer(), addresses(texts)).await;
    found.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_name_is_looked_up_again_at_each_call() {
    let calls = AtomicU8::new(0);
    let resolver = Resolver::new(move |name| {
        assert_eq!(name, "anna.example");
        Ok(vec![IpAddr::from([10, 0, 0, calls.fetch_add(1, Ordering::Relaxed)])])
    });
    for call in 0..3 {
        let found = resolved(&resolver, &["/dns/anna.example/tcp/7400"]).await;
        assert_eq!(found, [format!("/ip4/10.0.0.{call}/tcp/7400")]);
    }
}

#[tokio::test]
async fn only_addresses_of_the_wanted_kind_that_one_machine_can_have_are_called() {
    let resolver = Resolver::new(|_| {
        Ok(["10.0.0.1", "2001:db8::1", "0.0.0.0", "::", "224.0.0.1", "::ffff:0.0.0.0"]
            .map(ip)
            .to_vec())
    });
    let (v4, v6) = ("/ip4/10.0.0.1/tcp/1", "/ip6/2001:db8::1/tcp/1");
    assert_eq!(resolved(&resolver, &["/dns/a/tcp/1"]).await, [v4, v6]);
    assert_eq!(resolved(&resolver, &["/dns4/a/tcp/1"]).await, [v4]);
    assert_eq!(resolved(&resolver, &["/dns6/a/tcp/1"]).await, [v6]);
    // An address that is found twice is dialled once.
    assert_eq!(resolved(&resolver, &[v4, "/dns4/a/tcp/1"]).await, [v4]);
}

#[tokio::test]
async fn a_name_that_is_not_found_leaves_the_other_addresses() {
    let resolver = Resolver::new(|_| Err(io::ErrorKind::NotFound.into()));
    assert!(resolved(&resolver, &["/dns/a/tcp/1"]).await.is_empty());
    let other = "/ip4/10.0.0.1/udp/1/quic-v1";
    assert_eq!(resolved(&resolver, &["/dns/a/tcp/1", other]).await, [other]);
}

#[tokio::test]
async fn a_name_with_a_thousand_addresses_is_called_at_few() {
    let many = |_: &str| Ok((0..1000u32).map(|at| IpAddr::from(at.to_be_bytes())).collect());
    let resolver = Resolver::new(move |name| {
        many(name).map(|mut found: Vec<IpAddr>| {
            found.iter_mut().for_each(|ip| {
                *ip = match *ip {
                    IpAddr::V4(ip) => {
                        IpAddr::from([10, ip.octets()[1], ip.octets()[2], ip.octets()[3]])
                    }
                    other => other,
                }
            });
            found
        })
    });
    assert_eq!(resolved(&resolver, &["/dns/a/tcp/1"]).await.len(), MOST_BEHIND_A_NAME);
    let names = ["/dns/a/tcp/1", "/dns/a/tcp/2", "/dns/a/tcp/3"];
    assert_eq!(resolved(&resolver, &names).await.len(), MOST_OF_A_CALL);
}

#[tokio::test]
async fn lookups_that_hang_end_in_time_and_take_a_bounded_number_of_threads() {
    let (release, held) = mpsc::channel::<()>();
    let (held, begun) = (std::sync::Mutex::new(held), Arc::new(AtomicU8::new(0)));
    let count = begun.clone();
    let mut resolver = Resolver::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        // Blocks until the test drops its end.
        let _ = held.lock().unwrap().recv();
        Ok(Vec::new())
    });
    resolver.longest = Duration::from_millis(50);
    let calls =
        (0..40).map(|_| resolver.clone().resolve(anna().peer(), addresses(&["/dns/a/tcp/1"])));
    assert!(join_all(calls).await.iter().all(Vec::is_empty));
    assert!(usize::from(begun.load(Ordering::Relaxed)) <= MOST_LOOKUPS);
    drop(release);
}

#[tokio::test]
async fn the_system_knows_this_machine() {
    let found = resolved(&Resolver::system(), &["/dns4/localhost/tcp/7400"]).await;
    assert_eq!(found, ["/ip4/127.0.0.1/tcp/7400"]);
}

fn anna() -> TransportKey {
    TransportKey::from_secret(&mut [1; 32])
}

/// A name server with these TXT records, and a resolver that asks it. The system's resolver knows
/// `anna.example` only.
async fn zone(records: &[(&str, Vec<String>)]) -> (Arc<Zone>, Resolver) {
    let zone = Zone::new(records).await;
    let mut resolver = Resolver::new(|name| match name {
        "anna.example" => Ok(vec![ip("203.0.113.9")]),
        _ => Err(io::ErrorKind::NotFound.into()),
    });
    resolver.name_servers = at_port(zone.port());
    (zone, resolver)
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn what_is_published_under_a_name_is_called_and_entries_of_other_peers_are_not() {
    let other = TransportKey::from_secret(&mut [2; 32]).0.public().to_peer_id();
    let own = anna().0.public().to_peer_id();
    let records = [
        format!("dnsaddr=/ip4/203.0.113.7/tcp/7400/p2p/{own}"),
        format!("dnsaddr=/ip4/203.0.113.8/tcp/7400/p2p/{other}"),
        "dnsaddr=/dns4/anna.example/udp/7400/quic-v1".to_owned(),
        "dnsaddr=/ip4/0.0.0.0/tcp/7400".to_owned(),
        "v=spf1 -all".to_owned(),
        "x".repeat(300),
    ];
    let (zone, resolver) = zone(&[("nodes.example", records.to_vec())]).await;
    let found = resolved(&resolver, &["/dnsaddr/Nodes.Example", "/ip4/10.0.0.1/tcp/1"]).await;
    let at = ["/ip4/203.0.113.7/tcp/7400", "/ip4/203.0.113.9/udp/7400/quic-v1"];
    assert_eq!(found, [at[0], at[1], "/ip4/10.0.0.1/tcp/1"]);
    // And again at the next dial.
    assert_eq!(resolved(&resolver, &["/dnsaddr/nodes.example"]).await, at);
    assert_eq!(zone.asked(), 2);
    assert!(resolved(&resolver, &["/dnsaddr/unknown.example"]).await.is_empty());
}

#[tokio::test]
async fn names_that_point_to_names_are_followed_and_circles_and_long_chains_end() {
    let at = "/ip4/203.0.113.7/tcp/7400";
    let chain = |from: usize, to: usize| (from..to).map(|name| (format!("n{name}.example"), name));
    let mut records: Vec<(String, Vec<String>)> = chain(0, 100)
        .map(|(name, at)| (name, vec![format!("dnsaddr=/dnsaddr/n{}.example", at + 1)]))
        .collect();
    records.push(("end.example".to_owned(), vec![format!("dnsaddr={at}")]));
    records.push((
        "circle.example".to_owned(),
        texts(&["dnsaddr=/dnsaddr/circle.example", "dnsaddr=/dnsaddr/end.example"]),
    ));
    let many = (0..40).map(|name| format!("dnsaddr=/dnsaddr/n{name}.example"));
    records.push(("many.example".to_owned(), many.collect()));
    let records: Vec<(&str, Vec<String>)> =
        records.iter().map(|(name, texts)| (name.as_str(), texts.clone())).collect();
    for (name, asked, found) in [
        ("/dnsaddr/circle.example", 2, vec![at]),
        ("/dnsaddr/n0.example", MOST_NAMES, vec![]),
        // many.example itself is asked for twice: over UDP, then over TCP.
        ("/dnsaddr/many.example", MOST_NAMES + 1, vec![]),
    ] {
        let (zone, resolver) = zone(&records).await;
        assert_eq!(resolved(&resolver, &[name]).await, found, "{name}");
        assert_eq!(zone.asked(), asked, "{name}");
    }
}

#[tokio::test]
async fn a_name_under_which_a_hundred_addresses_are_published_is_called_at_few() {
    // More than one datagram holds, so that the answer comes over TCP.
    let many = (1..=100).map(|port| format!("dnsaddr=/ip4/203.0.113.7/tcp/{port}"));
    let (zone, resolver) = zone(&[("nodes.example", many.collect())]).await;
    let found = resolved(&resolver, &["/dnsaddr/nodes.example"]).await;
    assert_eq!(found.len(), MOST_BEHIND_A_NAME);
    assert_eq!(zone.asked(), 2);
}

#[tokio::test]
async fn a_name_server_that_does_not_answer_leaves_the_other_addresses() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut resolver = Resolver::new(|_| Err(io::ErrorKind::NotFound.into()));
    resolver.name_servers = at_port(silent.local_addr().unwrap().port());
    resolver.longest = Duration::from_millis(50);
    let other = "/ip4/10.0.0.1/tcp/1";
    assert_eq!(resolved(&resolver, &["/dnsaddr/nodes.example", other]).await, [other]);
}
