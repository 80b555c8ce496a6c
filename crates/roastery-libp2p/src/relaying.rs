//! What this node relays for members: libp2p's circuit relay, version 2, with bounds.
//!
//! A connection within a circuit is authenticated and encrypted by its two ends, with Noise, like
//! every other one. The relay sees who is connected with whom, and how much they send.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use libp2p::relay::{self, Config, StatusCode};
use libp2p::{Multiaddr, PeerId as NetworkPeer};

use super::key::name;
use super::links::Links;

/// Members that this node keeps a reservation for.
const MOST_RESERVATIONS: usize = 128;

/// Circuits at a time.
pub(super) const MOST_CIRCUITS: usize = 128;

/// Circuits at a time of one member, as the one who asked for them or not.
const MOST_CIRCUITS_OF_A_MEMBER: usize = 16;

/// How long a circuit lasts. After it the two connect anew.
const LONGEST_CIRCUIT: Duration = Duration::from_secs(60 * 60);

/// Bytes of one circuit, in both directions together.
const MOST_BYTES_OF_A_CIRCUIT: u64 = 64 << 20;

/// Circuits that are opened for one member in an hour. Each is charged to the member who has asked
/// for it, with all the bytes that it may carry.
const MOST_CIRCUITS_OF_AN_HOUR: usize = 128;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A reservation lasts as long as the connection over which it was made. libp2p's relay may panic
/// where one expires while it is renewed.
const NO_END: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Requests of one member for circuits, also to members that are not there: this many at once, and
/// five more each second.
const MOST_REQUESTS: NonZeroU32 = NonZeroU32::new(300).expect("not zero");
const NEXT_REQUEST: Duration = Duration::from_millis(200);

/// When each member was given circuits, within the last hour.
#[derive(Clone, Debug, Default)]
pub(super) struct Charges(Arc<Mutex<BTreeMap<NetworkPeer, VecDeque<Instant>>>>);

impl Charges {
    fn given(&self, member: NetworkPeer, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, given| {
            while given.front().is_some_and(|at| now.saturating_duration_since(*at) >= HOUR) {
                given.pop_front();
            }
            !given.is_empty()
        });
        all.entry(member).or_default().push_back(now);
    }

    fn has_room(&self, member: NetworkPeer, now: Instant) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let given = all.get(&member).into_iter().flatten();
        let recent = given.filter(|at| now.saturating_duration_since(**at) < HOUR);
        recent.count() < MOST_CIRCUITS_OF_AN_HOUR
    }
}

pub(super) fn relay(own: NetworkPeer, charges: &Charges) -> relay::Behaviour {
    let charges = charges.clone();
    let room = move |member, _: &Multiaddr, now| charges.has_room(member, now);
    let config = Config {
        max_reservations: MOST_RESERVATIONS,
        max_reservations_per_peer: 4,
        reservation_duration: NO_END,
        // A member may reserve as often as it likes: each time replaces the one before.
        reservation_rate_limiters: Vec::new(),
        max_circuits: MOST_CIRCUITS,
        // libp2p refuses what exceeds this after it is reached.
        max_circuits_per_peer: MOST_CIRCUITS_OF_A_MEMBER - 1,
        max_circuit_duration: LONGEST_CIRCUIT,
        max_circuit_bytes: MOST_BYTES_OF_A_CIRCUIT,
        circuit_src_rate_limiters: vec![Box::new(room)],
    };
    relay::Behaviour::new(own, config.circuit_src_per_peer(MOST_REQUESTS, NEXT_REQUEST))
}

/// Counts what the relay has done for members. The name of a circuit's other end is not looked at:
/// the member may have made it up.
pub(super) fn count(event: &relay::Event, charges: &Charges, links: &Links) {
    match event {
        relay::Event::CircuitReqAccepted { src_peer_id, .. } => {
            charges.given(*src_peer_id, Instant::now());
            links.count(&name(src_peer_id), |stats| stats.relayed += 1);
        }
        relay::Event::CircuitReqDenied {
            src_peer_id,
            status: StatusCode::ResourceLimitExceeded,
            ..
        }
        | relay::Event::ReservationReqDenied { src_peer_id, .. } => {
            links.count(&name(src_peer_id), |stats| stats.relay_refused += 1);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_gets_a_number_of_circuits_in_an_hour_and_others_get_theirs() {
        let (anna, ben) = (NetworkPeer::random(), NetworkPeer::random());
        let (charges, now) = (Charges::default(), Instant::now());
        for _ in 0..MOST_CIRCUITS_OF_AN_HOUR {
            assert!(charges.has_room(anna, now));
            charges.given(anna, now);
        }
        assert!(!charges.has_room(anna, now) && charges.has_room(ben, now));
        let later = now + HOUR;
        assert!(!charges.has_room(anna, later - Duration::from_nanos(1)));
        assert!(charges.has_room(anna, later));
        charges.given(ben, later);
        // Nothing is kept of what is older.
        assert_eq!(charges.0.lock().unwrap().len(), 1);
    }
}
