//! Where others can call a new node: the addresses of this machine, of which a person chooses one,
//! and what is behind a DNS name.

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use roastery_libp2p::{DialAddress, Reach};
use roastery_service::text::{shell_word, visible};

/// A node without an address.
pub(super) const NOWHERE: &str = "nowhere";

/// How long a name may take to be looked up.
const LOOKUP_TIME: Duration = Duration::from_secs(5);

/// The most addresses of this machine that are shown.
const MOST_SHOWN: usize = 12;

/// An address of an interface of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) ip: IpAddr,
    interface: String,
}

impl Own {
    /// The overlay network that the interface belongs to, as its name says.
    fn overlay(&self) -> Option<&'static str> {
        let named = |begin| self.interface.starts_with(begin);
        match () {
            () if named("tailscale") => Some("Tailscale"),
            () if named("wg") => Some("WireGuard"),
            () => None,
        }
    }

    /// What is shown of it in the list.
    pub(super) fn shown(&self) -> String {
        let interface = visible(&self.interface);
        match self.overlay() {
            Some(overlay) => format!("{} ({interface}, {overlay}: for members in it)", self.ip),
            None => format!("{} ({interface})", self.ip),
        }
    }
}

/// The addresses of this machine that others may be able to call: those that can be called from
/// anywhere, then those of overlay networks, then, with `lan`, those of private networks.
pub(super) fn own(lan: bool) -> Vec<Own> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    let all = all.into_iter().map(|one| Own { ip: one.ip(), interface: one.name });
    chosen(all.collect(), lan)
}

fn chosen(all: Vec<Own>, lan: bool) -> Vec<Own> {
    let rank = |own: &Own| match (reach_of(own.ip), own.overlay()) {
        (Some(Reach::Anywhere), None) => Some(0),
        (Some(Reach::Anywhere | Reach::PrivateNetwork), Some(_)) => Some(1),
        // The addresses that a link gives itself are of this link alone.
        (Some(Reach::PrivateNetwork), None) if lan && !is_of_link(own.ip) => Some(2),
        _ => None,
    };
    let mut ranked: Vec<(u8, Own)> =
        all.into_iter().filter_map(|own| rank(&own).map(|rank| (rank, own))).collect();
    ranked.sort_by_key(|(rank, own)| (*rank, own.ip.is_ipv6()));
    ranked.into_iter().take(MOST_SHOWN).map(|(_, own)| own).collect()
}

fn is_of_link(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// From where an address can be called; `None` if none can be.
fn reach_of(ip: IpAddr) -> Option<Reach> {
    let address: DialAddress = format!("{}/tcp/1", place_of(ip)).parse().ok()?;
    Some(address.reach())
}

fn place_of(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("/ip4/{ip}"),
        IpAddr::V6(ip) => format!("/ip6/{ip}"),
    }
}

/// The addresses on the card of a node that is called at this DNS name or IP address. Without `lan`
/// an address must be one that can be called from anywhere, or of an overlay network of this
/// machine.
pub(super) fn of_host(host: &str, port: u16, lan: bool) -> anyhow::Result<Vec<DialAddress>> {
    if host == NOWHERE {
        return Ok(Vec::new());
    }
    let ip = host.parse::<IpAddr>().ok();
    let place = ip.map_or_else(|| format!("/dns/{host}"), place_of);
    let texts = [format!("{place}/tcp/{port}"), format!("{place}/udp/{port}/quic-v1")];
    let addresses = DialAddress::list(&texts).with_context(|| {
        format!("{}: allowed are a DNS name and an IP address", shell_word(host))
    })?;
    let is_far = addresses.iter().all(|address| address.reach() == Reach::Anywhere);
    let is_listed = || ip.is_some_and(|ip| own(false).iter().any(|own| own.ip == ip));
    if !is_far && !lan && !is_listed() {
        return Err(too_near(host));
    }
    Ok(addresses)
}

fn too_near(host: &str) -> anyhow::Error {
    anyhow!(
        "{} can be called from this machine or its private network only: give another one, {NOWHERE}, or --lan if all members are there",
        visible(host)
    )
}

/// Looks a DNS name up, and says what is behind it.
///
/// # Errors
///
/// If the name is not known, or, without `lan`, is one of this machine or its private network.
pub(super) fn look_up(name: &str, port: u16, lan: bool) -> anyhow::Result<String> {
    let (sender, found) = mpsc::channel();
    let asked = name.to_owned();
    // It ends by itself when the resolver gives up.
    thread::spawn(move || {
        let all = (asked.as_str(), port).to_socket_addrs();
        let _ = sender.send(all.map(|all| all.map(|at: SocketAddr| at.ip()).collect::<Vec<_>>()));
    });
    let shown = visible(name);
    let ips = match found.recv_timeout(LOOKUP_TIME) {
        Ok(Ok(ips)) => ips,
        Ok(Err(_)) => {
            return Err(anyhow!(
                "{shown} is not known: correct it, or make its DNS record first; or give an IP address"
            ));
        }
        Err(_) => {
            return Err(anyhow!(
                "{shown}: no answer within {} s; look whether this machine reaches its name servers",
                LOOKUP_TIME.as_secs()
            ));
        }
    };
    let own: Vec<IpAddr> =
        if_addrs::get_if_addrs().unwrap_or_default().iter().map(if_addrs::Interface::ip).collect();
    behind(&shown, &ips, &own, lan)
}

/// What is said of a name with these addresses, on a machine with those of its own.
fn behind(name: &str, ips: &[IpAddr], own: &[IpAddr], lan: bool) -> anyhow::Result<String> {
    let far = |ip: &&IpAddr| reach_of(**ip) == Some(Reach::Anywhere);
    let Some(first) = ips.iter().find(|ip| lan || far(ip)) else {
        return Err(match ips.first() {
            Some(_) => too_near(name),
            None => anyhow!("{name} has no address: make its DNS record first"),
        });
    };
    Ok(match ips.iter().find(|ip| own.contains(ip)) {
        Some(ip) => format!("is {ip}, which this machine has. Good."),
        None => format!(
            "is {first}, which no interface of this machine has: right only if a router hands its port on"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn interface(name: &str, address: &str) -> Own {
        Own { ip: ip(address), interface: name.to_owned() }
    }

    #[test]
    fn addresses_that_others_can_call_come_first_and_private_ones_with_lan_alone() {
        let all = vec![
            interface("lo", "127.0.0.1"),
            interface("lo", "::1"),
            interface("docker0", "172.17.0.1"),
            interface("eth0", "2001:db9::7"),
            interface("eth0", "fe80::1"),
            interface("tailscale0", "100.64.0.9"),
            interface("eth1", "100.64.0.8"),
            interface("eth0", "203.0.115.7"),
            interface("wg0", "10.8.0.2"),
        ];
        let shown =
            |lan| -> Vec<String> { chosen(all.clone(), lan).iter().map(Own::shown).collect() };
        let near = [
            "203.0.115.7 (eth0)",
            "2001:db9::7 (eth0)",
            "100.64.0.9 (tailscale0, Tailscale: for members in it)",
            "10.8.0.2 (wg0, WireGuard: for members in it)",
        ];
        assert_eq!(shown(false), near);
        assert_eq!(
            shown(true),
            [&near[..], &["172.17.0.1 (docker0)", "100.64.0.8 (eth1)"]].concat()
        );
        let many: Vec<Own> =
            (1..100).map(|n| interface("eth0", &format!("203.0.115.{n}"))).collect();
        assert_eq!(chosen(many, false).len(), MOST_SHOWN);
    }

    #[test]
    fn a_name_is_compared_with_the_addresses_of_this_machine() {
        let own = [ip("203.0.115.7")];
        let said = |ips: &[&str], lan| {
            let ips: Vec<IpAddr> = ips.iter().map(|text| ip(text)).collect();
            behind("anna.example", &ips, &own, lan).map_err(|error| error.to_string())
        };
        assert_eq!(
            said(&["2001:db9::1", "203.0.115.7"], false).unwrap(),
            "is 203.0.115.7, which this machine has. Good."
        );
        let elsewhere = said(&["198.51.101.1"], false).unwrap();
        assert!(elsewhere.starts_with("is 198.51.101.1, which no interface"), "{elsewhere}");
        for near in ["127.0.1.1", "192.168.1.5", "::1"] {
            assert!(said(&[near], false).unwrap_err().contains("--lan"));
            said(&[near], true).unwrap();
        }
        assert!(said(&[], true).unwrap_err().contains("has no address"));
        assert!(look_up("no-such-name.invalid", 7400, false).is_err());
        assert!(look_up("localhost", 7400, false).unwrap_err().to_string().contains("--lan"));
    }
}
