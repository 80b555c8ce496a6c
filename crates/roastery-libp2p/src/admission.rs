//! Admission of inbound connections that have not authenticated yet.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;

/// The source of a connection that has not authenticated: an IPv4 address, or an IPv6 network of 64
/// bits, which is what one customer has.
pub(super) type Source = IpAddr;

/// How long the connection of a stranger counts towards its source's quota after it has ended, so
/// that strangers from one source cost a bounded number of handshakes in that time.
const REST: Duration = Duration::from_secs(10);

/// How many such strangers are remembered, of all sources together.
const MOST_STRANGERS: usize = 1024;

/// Counts pending connections by source, and strangers for a while longer, so that one source
/// cannot use up the quota of all others.
#[derive(Debug)]
pub(super) struct Admission {
    most: usize,
    pending: HashMap<ConnectionId, Source>,
    from: HashMap<Source, usize>,
    /// The sources of strangers, and until when each counts: the oldest first.
    strangers: VecDeque<(Instant, Source)>,
}

/// The source has as many pending connections and strangers as its quota allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{most} connections from one source wait for their handshake or were just turned away: no more are allowed"
)]
pub(super) struct RateLimited {
    most: usize,
}

impl Admission {
    pub(super) fn new(most: usize) -> Self {
        Self { most, pending: HashMap::new(), from: HashMap::new(), strangers: VecDeque::new() }
    }

    pub(super) fn allow(&mut self, most: usize) {
        self.most = most;
    }

    pub(super) fn admit(
        &mut self,
        id: ConnectionId,
        from: &Multiaddr,
        now: Instant,
    ) -> Result<(), RateLimited> {
        while self.strangers.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_stranger();
        }
        let source = source(from);
        let pending = self.from.entry(source).or_default();
        if *pending >= self.most {
            return Err(RateLimited { most: self.most });
        }
        *pending += 1;
        self.pending.insert(id, source);
        Ok(())
    }

    /// The connection is established or has failed.
    pub(super) fn leave(&mut self, id: ConnectionId) {
        if let Some(source) = self.pending.remove(&id) {
            self.count_one_less(source);
        }
    }

    /// The peer has authenticated and is not in the roster. It counts towards its source's quota
    /// for a while. One that this node dialled does not count.
    pub(super) fn turn_away(&mut self, id: ConnectionId, now: Instant) {
        let Some(source) = self.pending.remove(&id) else { return };
        self.strangers.push_back((now + REST, source));
        if self.strangers.len() > MOST_STRANGERS {
            self.forget_stranger();
        }
    }

    fn forget_stranger(&mut self) {
        if let Some((_, source)) = self.strangers.pop_front() {
            self.count_one_less(source);
        }
    }

    fn count_one_less(&mut self, source: Source) {
        if let Some(pending) = self.from.get_mut(&source) {
            *pending -= 1;
            if *pending == 0 {
                self.from.remove(&source);
            }
        }
    }
}

pub(super) fn source(address: &Multiaddr) -> Source {
    match address.iter().next() {
        Some(Protocol::Ip4(address)) => address.into(),
        Some(Protocol::Ip6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.into(),
            None => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        },
        // Nothing else comes in over TCP or QUIC. If it did, it would be one source.
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
    fn one_source_uses_up_its_own_quota_and_no_other() {
        let (mut admission, now) = (Admission::new(2), Instant::now());
        let (here, there) = (at("/ip4/10.0.0.1/tcp/1"), at("/ip4/10.0.0.2/tcp/1"));
        admission.admit(id(1), &here, now).unwrap();
        admission.admit(id(2), &at("/ip4/10.0.0.1/tcp/2"), now).unwrap();
        assert_eq!(admission.admit(id(3), &here, now), Err(RateLimited { most: 2 }));
        admission.admit(id(4), &there, now).unwrap();
        admission.leave(id(1));
        admission.leave(id(1));
        admission.leave(id(3));
        admission.admit(id(5), &here, now).unwrap();
        assert_eq!(admission.admit(id(6), &here, now), Err(RateLimited { most: 2 }));
    }

    #[test]
    fn strangers_count_for_their_source_for_a_while_and_for_no_other() {
        let (mut admission, now) = (Admission::new(2), Instant::now());
        let (here, there) = (at("/ip4/10.0.0.1/tcp/1"), at("/ip4/10.0.0.2/tcp/1"));
        for number in 0..2 {
            admission.admit(id(number), &here, now).unwrap();
            admission.turn_away(id(number), now);
            admission.leave(id(number));
        }
        let later = now + REST - Duration::from_nanos(1);
        assert_eq!(admission.admit(id(2), &here, later), Err(RateLimited { most: 2 }));
        admission.admit(id(3), &there, later).unwrap();
        admission.admit(id(4), &here, now + REST).unwrap();
        // It was dialled, so no inbound connection counts.
        admission.turn_away(id(5), now);
        assert!(admission.strangers.is_empty());
    }

    #[test]
    fn a_bounded_number_of_strangers_is_remembered() {
        let (mut admission, now) = (Admission::new(2), Instant::now());
        for number in 0..2 * MOST_STRANGERS {
            let from = format!("/ip4/10.0.{}.{}/tcp/1", number / 256, number % 256);
            admission.admit(id(number), &at(&from), now).unwrap();
            admission.turn_away(id(number), now);
        }
        assert_eq!(
            (admission.strangers.len(), admission.from.len()),
            (MOST_STRANGERS, MOST_STRANGERS)
        );
    }

    #[test]
    fn an_ipv6_network_is_one_source_and_a_mapped_address_is_its_ipv4_address() {
        assert_eq!(source(&at("/ip6/2001:db8::1/tcp/1")), source(&at("/ip6/2001:db8::ffff/tcp/1")));
        assert_ne!(
            source(&at("/ip6/2001:db8::1/tcp/1")),
            source(&at("/ip6/2001:db8:0:1::1/tcp/1"))
        );
        assert_eq!(source(&at("/ip6/::ffff:10.0.0.1/tcp/1")), source(&at("/ip4/10.0.0.1/tcp/1")));
    }

    #[test]
    fn nothing_is_kept_of_connections_that_ended() {
        let (mut admission, now) = (Admission::new(2), Instant::now());
        for number in 0..100 {
            admission.admit(id(number), &at(&format!("/ip4/10.0.0.{number}/tcp/1")), now).unwrap();
            admission.leave(id(number));
        }
        assert!(admission.pending.is_empty() && admission.from.is_empty());
    }
}
