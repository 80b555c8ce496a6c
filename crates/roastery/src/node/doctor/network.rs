//! Ports and names.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use roastery_libp2p::DialAddress;
use roastery_protocol::group::PeerId;
use roastery_service::config::Config;
use tokio::{task::JoinSet, time::timeout};

use super::finding::Finding;

/// How long all lookups may take.
const LOOKUP_TIME: Duration = Duration::from_secs(5);

/// The most names that are looked up.
const MOST_NAMES: usize = 32;

/// An address at which the node listens, or is to listen.
#[derive(Debug)]
pub(super) struct Port {
    /// The option of the configuration.
    pub(super) option: &'static str,
    pub(super) address: String,
    pub(super) free: io::Result<()>,
}

/// Tries all ports of a configuration; they are free again when this returns.
pub(super) fn ports(config: &Config) -> Vec<Port> {
    let transport = config.transport.listen.iter().map(|address| Port {
        option: "transport.listen",
        address: address.to_string(),
        free: address.check_free(),
    });
    let others =
        [("api.listen", config.api.listen), ("observability.listen", config.observability.listen)];
    let others = others.into_iter().filter_map(|(option, address)| {
        let address = address?;
        Some(Port { option, address: address.to_string(), free: check_free(address) })
    });
    transport.chain(others).collect()
}

fn check_free(address: SocketAddr) -> io::Result<()> {
    TcpListener::bind(address).map(drop)
}

/// Judges a port. While the node runs it is taken.
pub(super) fn port(port: &Port, running: bool) -> Finding {
    const CHECK: &str = "port";
    let Port { option, address, free } = port;
    match free.as_ref().map_err(io::Error::kind) {
        Ok(()) if running => Finding::warning(
            CHECK,
            format!(
                "{address} ({option}) is free, so the node that runs does not listen there: it has an older configuration; start it again"
            ),
        ),
        Ok(()) => Finding::ok(CHECK, format!("{address} ({option}) is free")),
        Err(io::ErrorKind::AddrInUse) if running => {
            Finding::ok(CHECK, format!("{address} ({option}) is in use, and the node runs"))
        }
        Err(io::ErrorKind::AddrInUse) => Finding::wrong(
            CHECK,
            format!(
                "{address} ({option}) is in use by another program: stop it, or set another port"
            ),
        ),
        Err(io::ErrorKind::AddrNotAvailable) => Finding::warning(
            CHECK,
            format!(
                "{address} ({option}): no interface of this machine has this address now; set one that it has"
            ),
        ),
        Err(io::ErrorKind::PermissionDenied) => Finding::wrong(
            CHECK,
            format!(
                "{address} ({option}): this user may not listen there; set a port from 1024 on"
            ),
        ),
        Err(_) => Finding::warning(
            CHECK,
            format!("{address} ({option}): it is not known whether the node can listen there"),
        ),
    }
}

/// A name of the configuration that was looked up.
#[derive(Debug)]
pub(super) struct Name {
    /// The option of the configuration.
    pub(super) option: &'static str,
    pub(super) address: String,
    /// The addresses behind it, at most a few; `None` if there was no answer in time.
    pub(super) found: Option<Vec<String>>,
}

/// Looks the names of a configuration up, and returns how many further ones there are. `own` is
/// this node's peer, if it is known.
pub(super) async fn names(config: &Config, own: Option<PeerId>) -> (Vec<Name>, usize) {
    let mut all: Vec<(&'static str, DialAddress, PeerId)> = Vec::new();
    if let Some(own) = own {
        let announced = config.transport.announce.iter().cloned();
        all.extend(announced.map(|address| ("transport.announce", address, own.clone())));
    }
    for (peer, addresses) in &config.transport.peers {
        let addresses = addresses.iter().cloned();
        all.extend(addresses.map(|address| ("transport.peers", address, peer.clone())));
    }
    all.retain(|(_, address, _)| address.is_named());
    let further = all.len().saturating_sub(MOST_NAMES);
    all.truncate(MOST_NAMES);
    let mut lookups = JoinSet::new();
    for (at, (option, address, peer)) in all.into_iter().enumerate() {
        lookups.spawn(async move {
            let found = timeout(LOOKUP_TIME, address.look_up(&peer)).await.ok();
            let found = found.map(|found| found.iter().map(ToString::to_string).collect());
            (at, Name { option, address: address.to_string(), found })
        });
    }
    let mut names = Vec::new();
    while let Some(done) = lookups.join_next().await {
        names.extend(done);
    }
    names.sort_by_key(|(at, _)| *at);
    (names.into_iter().map(|(_, name)| name).collect(), further)
}

/// Judges a name. An announced one that is not known makes this node one that cannot be called.
pub(super) fn name(name: &Name) -> Finding {
    const CHECK: &str = "name";
    let Name { option, address, found } = name;
    match found.as_deref() {
        Some([]) => Finding::wrong(
            CHECK,
            format!(
                "{address} ({option}): the name is not known, or has no address that can be called; correct it, or its DNS records"
            ),
        ),
        Some([one]) => Finding::ok(CHECK, format!("{address} ({option}) is {one}")),
        Some([one, more @ ..]) => {
            Finding::ok(CHECK, format!("{address} ({option}) is {one} and {} more", more.len()))
        }
        None => Finding::wrong(
            CHECK,
            format!(
                "{address} ({option}): no answer within {} s; look whether this machine reaches its name servers (/etc/resolv.conf)",
                LOOKUP_TIME.as_secs()
            ),
        ),
    }
}

/// Says that there are more names than are looked up.
pub(super) fn further(count: usize) -> Option<Finding> {
    (count > 0).then(|| {
        Finding::warning(
            "name",
            format!("{count} further names were not looked up; {MOST_NAMES} are at most"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Level, *};

    #[test]
    fn a_port_is_free_before_the_node_runs_and_in_use_while_it_does() {
        use io::ErrorKind::{AddrInUse, AddrNotAvailable, Other, PermissionDenied};
        for (free, running, level, said) in [
            (Ok(()), false, Level::Ok, "is free"),
            (Ok(()), true, Level::Warning, "start it again"),
            (Err(AddrInUse), true, Level::Ok, "the node runs"),
            (Err(AddrInUse), false, Level::Wrong, "another program"),
            (Err(AddrNotAvailable), false, Level::Warning, "no interface"),
            (Err(PermissionDenied), false, Level::Wrong, "from 1024 on"),
            (Err(Other), false, Level::Warning, "not known"),
        ] {
            let address = "127.0.0.1:7401".to_owned();
            let free = free.map_err(io::Error::from);
            let found = port(&Port { option: "api.listen", address, free }, running);
            assert!(found.level == level && found.text.contains(said), "{found:?}");
        }
    }

    #[test]
    fn a_name_without_an_address_is_wrong() {
        let judge = |found: Option<&[&str]>| {
            let found = found.map(|all| all.iter().map(ToString::to_string).collect());
            name(&Name { option: "transport.announce", address: "/dns/a.example".into(), found })
        };
        for (found, level, said) in [
            (Some(&[][..]), Level::Wrong, "the name is not known"),
            (Some(&["/ip4/203.0.113.7/tcp/1"]), Level::Ok, "is /ip4/203.0.113.7/tcp/1"),
            (Some(&["x", "y", "z"]), Level::Ok, "is x and 2 more"),
            (None, Level::Wrong, "no answer within 5 s"),
        ] {
            let found = judge(found);
            assert!(found.level == level && found.text.contains(said), "{found:?}");
        }
        assert_eq!(further(0), None);
        assert!(further(3).unwrap().text.starts_with("3 further names"));
    }
}
