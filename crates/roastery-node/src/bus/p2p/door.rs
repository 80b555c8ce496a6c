//! Who may knock: connections that have not proved yet whose they are.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;

/// Whoever can be held responsible for a connection before it has proved anything: an IPv4 address,
/// or an IPv6 network of 64 bits, which is what one customer has.
type Place = IpAddr;

/// Counts half-open connections by where they come from, so that one place cannot take the room of
/// all others.
#[derive(Debug)]
pub(super) struct Door {
    most: usize,
    knocking: HashMap<ConnectionId, Place>,
    from: HashMap<Place, usize>,
}

/// As many from one place as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{most} connections from one place wait for their handshake: no more are allowed")]
pub(super) struct Crowded {
    most: usize,
}

impl Door {
    pub(super) fn new(most: usize) -> Self {
        Self { most, knocking: HashMap::new(), from: HashMap::new() }
    }

    pub(super) fn allow(&mut self, most: usize) {
        self.most = most;
    }

    pub(super) fn knock(&mut self, id: ConnectionId, from: &Multiaddr) -> Result<(), Crowded> {
        let place = place(from);
        let knocking = self.from.entry(place).or_default();
        if *knocking >= self.most {
            return Err(Crowded { most: self.most });
        }
        *knocking += 1;
        self.knocking.insert(id, place);
        Ok(())
    }

    /// The connection is made or given up.
    pub(super) fn leave(&mut self, id: ConnectionId) {
        let Some(place) = self.knocking.remove(&id) else { return };
        if let Some(knocking) = self.from.get_mut(&place) {
            *knocking -= 1;
            if *knocking == 0 {
                self.from.remove(&place);
            }
        }
    }
}

fn place(address: &Multiaddr) -> Place {
    match address.iter().next() {
        Some(Protocol::Ip4(address)) => address.into(),
        Some(Protocol::Ip6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.into(),
            None => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        },
        // Nothing else comes in over TCP or QUIC. If it did, it would be one place.
        _ => Ipv6Addr::UNSPECIFIED.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    fn at(address: &str) -> Multiaddr {
        address.parse().unwrap()
    }

    #[test]
    fn one_place_takes_its_own_room_and_nobody_elses() {
        let mut door = Door::new(2);
        let (here, there) = (at("/ip4/10.0.0.1/tcp/1"), at("/ip4/10.0.0.2/tcp/1"));
        door.knock(id(1), &here).unwrap();
        door.knock(id(2), &at("/ip4/10.0.0.1/tcp/2")).unwrap();
        assert_eq!(door.knock(id(3), &here), Err(Crowded { most: 2 }));
        door.knock(id(4), &there).unwrap();
        door.leave(id(1));
        door.leave(id(1));
        door.leave(id(3));
        door.knock(id(5), &here).unwrap();
        assert_eq!(door.knock(id(6), &here), Err(Crowded { most: 2 }));
    }

    #[test]
    fn an_ipv6_network_is_one_place_and_a_mapped_address_is_its_ipv4_address() {
        assert_eq!(place(&at("/ip6/2001:db8::1/tcp/1")), place(&at("/ip6/2001:db8::ffff/tcp/1")));
        assert_ne!(place(&at("/ip6/2001:db8::1/tcp/1")), place(&at("/ip6/2001:db8:0:1::1/tcp/1")));
        assert_eq!(place(&at("/ip6/::ffff:10.0.0.1/tcp/1")), place(&at("/ip4/10.0.0.1/tcp/1")));
    }

    #[test]
    fn nothing_is_kept_of_those_that_left() {
        let mut door = Door::new(2);
        for number in 0..100 {
            door.knock(id(number), &at(&format!("/ip4/10.0.0.{number}/tcp/1"))).unwrap();
            door.leave(id(number));
        }
        assert!(door.knocking.is_empty() && door.from.is_empty());
    }
}
