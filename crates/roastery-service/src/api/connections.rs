//! The connections of one listener: a quota for each kind of client.
//!
//! A client without a token counts towards the quota of its address; one with a token, towards that
//! of its role. When a quota is used up the connection of the same kind that has been idle for the
//! longest is closed for the new one. If none is idle the new one is refused.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{
    Role,
    limits::{Limit, Limits},
};

/// The client of a connection, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Party {
    /// An operator at the Unix socket.
    Socket,
    /// This user at the Unix socket, who is no operator and has another role.
    User(u32),
    /// This user at the Unix socket, who has no role.
    Stranger(u32),
    /// A client from this address without a token.
    Address(IpAddr),
    /// A client with the token of this role.
    Role(Role),
}

impl Party {
    /// The party of an address. All addresses of one IPv6 network of 64 bits are one party.
    pub(super) fn of(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from(network))
            }
            v4 => v4,
        })
    }

    fn name(self) -> String {
        match self {
            Self::Socket => "socket".to_owned(),
            Self::User(user) | Self::Stranger(user) => format!("user {user}"),
            Self::Address(address) => address.to_string(),
            Self::Role(role) => role.to_string(),
        }
    }

    /// Whether the two share a quota.
    fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::Address(_), Self::Address(_))
            | (Self::User(_), Self::User(_))
            | (Self::Stranger(_), Self::Stranger(_)) => true,
            (one, other) => one == other,
        }
    }
}

/// The quotas of connections at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    /// For each kind: those of operators at the socket, of its other users, of users without a
    /// role, those without a token, and those of each role.
    pub(super) of_kind: usize,
    /// For one address without a token, and for one user who is no operator.
    pub(super) of_address: usize,
}

/// The quota is used up, and no connection of this kind is idle.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The connections of a listener.
#[derive(Debug)]
pub(super) struct Connections {
    places: Places,
    limits: Arc<Limits>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The next number of a connection, and of a moment at which one becomes idle.
    next: u64,
    all: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    party: Party,
    /// The number of its requests in progress.
    busy: usize,
    /// Whether it ever had a request.
    worked: bool,
    /// The number of the moment at which it became idle.
    idle_since: u64,
    close: Arc<Notify>,
}

impl Connections {
    pub(super) fn new(places: Places, limits: Arc<Limits>) -> Arc<Self> {
        Arc::new(Self { places, limits, state: Mutex::default() })
    }

    /// Takes a new connection into the quota.
    pub(super) fn enter(self: &Arc<Self>, party: Party) -> Result<Arc<Place>, Full> {
        let close = Arc::new(Notify::new());
        let mut state = self.lock();
        self.make_room(&mut state, party, None)?;
        let id = state.number();
        let (busy, worked, idle_since) = (0, false, id);
        let connection = Connection { party, busy, worked, idle_since, close: close.clone() };
        state.all.insert(id, connection);
        Ok(Arc::new(Place { room: self.clone(), id, close }))
    }

    fn make_room(&self, state: &mut State, party: Party, own: Option<u64>) -> Result<(), Full> {
        if let Party::Address(_) | Party::User(_) | Party::Stranger(_) = party {
            let same = |other: Party| other == party;
            let limit = Limit::ApiConnectionsOfAddress;
            self.make_room_among(state, party, own, (limit, self.places.of_address), same)?;
        }
        let alike = |other: Party| party.is_like(other);
        let limit = Limit::ApiConnections;
        self.make_room_among(state, party, own, (limit, self.places.of_kind), alike)
    }

    fn make_room_among(
        &self,
        state: &mut State,
        party: Party,
        own: Option<u64>,
        (limit, most): (Limit, usize),
        counts: impl Fn(Party) -> bool,
    ) -> Result<(), Full> {
        let others = || {
            let others = state.all.iter().filter(|(id, _)| Some(**id) != own);
            others.filter(|(_, connection)| counts(connection.party))
        };
        if others().count() < most {
            return Ok(());
        }
        self.limits.hit(limit, &party.name());
        let idle = others().filter(|(_, connection)| connection.busy == 0);
        let oldest = idle.min_by_key(|(_, connection)| connection.idle_since);
        let Some(oldest) = oldest.map(|(id, _)| *id) else { return Err(Full) };
        if let Some(closed) = state.all.remove(&oldest) {
            closed.close.notify_one();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No step under the lock leaves an entry incomplete.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// A connection's place in the quota, which is released when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Connections>,
    id: u64,
    close: Arc<Notify>,
}

impl Place {
    /// Waits until the connection must be closed for another one.
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }

    /// It has shown a token: from now on it counts towards the quota of this role.
    pub(super) fn identify(&self, role: Role) -> Result<(), Full> {
        let mut state = self.room.lock();
        let Some(connection) = state.all.get(&self.id) else { return Err(Full) };
        let party = Party::Role(role);
        if connection.party == party {
            return Ok(());
        }
        self.room.make_room(&mut state, party, Some(self.id))?;
        if let Some(connection) = state.all.get_mut(&self.id) {
            connection.party = party;
        }
        Ok(())
    }

    /// A request is in progress until this is dropped.
    pub(super) fn work(self: &Arc<Self>) -> Work {
        if let Some(connection) = self.room.lock().all.get_mut(&self.id) {
            connection.busy += 1;
            connection.worked = true;
        }
        Work(self.clone())
    }
}

impl Place {
    /// Whether it ever had a request.
    pub(super) fn has_worked(&self) -> bool {
        self.room.lock().all.get(&self.id).is_some_and(|connection| connection.worked)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.lock().all.remove(&self.id);
    }
}

/// A request in progress.
#[derive(Debug)]
pub(super) struct Work(Arc<Place>);

impl Drop for Work {
    fn drop(&mut self) {
        let mut state = self.0.room.lock();
        let now = state.number();
        if let Some(connection) = state.all.get_mut(&self.0.id) {
            connection.busy = connection.busy.saturating_sub(1);
            connection.idle_since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::Metrics;

    fn room(of_kind: usize, of_address: usize) -> Arc<Connections> {
        Connections::new(Places { of_kind, of_address }, Metrics::default().limits().clone())
    }

    fn from(last: u8) -> Party {
        Party::of(IpAddr::from([192, 0, 2, last]))
    }

    fn is_closed(place: &Place) -> bool {
        place.closed().now_or_never().is_some()
    }

    #[test]
    fn the_connection_that_was_idle_for_the_longest_makes_room() {
        let room = room(2, 2);
        let first = room.enter(Party::Socket).unwrap();
        let second = room.enter(Party::Socket).unwrap();
        drop(first.work());
        let third = room.enter(Party::Socket).unwrap();
        assert!(is_closed(&second) && !is_closed(&first) && !is_closed(&third));
    }

    #[test]
    fn a_connection_with_a_request_under_way_is_not_closed_for_another_one() {
        let room = room(1, 1);
        let place = room.enter(Party::Socket).unwrap();
        let work = place.work();
        assert_eq!(room.enter(Party::Socket).unwrap_err(), Full);
        drop(work);
        assert!(room.enter(Party::Socket).is_ok());
        assert!(is_closed(&place));
    }

    #[test]
    fn an_address_closes_its_own_connections_only() {
        let room = room(8, 2);
        let other = room.enter(from(1)).unwrap();
        let own: Vec<_> = (0..3).map(|_| room.enter(from(2)).unwrap()).collect();
        assert!(!is_closed(&other));
        assert!(is_closed(&own[0]) && !is_closed(&own[1]) && !is_closed(&own[2]));
    }

    #[test]
    fn strangers_and_readers_take_no_place_of_the_operator() {
        let room = room(2, 2);
        let strangers: Vec<_> = (0..2).map(|last| room.enter(from(last)).unwrap()).collect();
        let busy: Vec<_> = strangers.iter().map(Place::work).collect();
        assert_eq!(room.enter(from(9)).unwrap_err(), Full);
        drop(busy);
        for place in &strangers {
            place.identify(Role::Reader).unwrap();
        }
        let reading: Vec<_> = strangers.iter().map(Place::work).collect();
        let third = room.enter(from(3)).unwrap();
        assert_eq!(third.identify(Role::Reader), Err(Full));
        third.identify(Role::Operator).unwrap();
        third.identify(Role::Operator).unwrap();
        drop(reading);
        assert!(!is_closed(&third));
    }

    #[test]
    fn a_user_who_is_no_operator_closes_its_own_connections_only() {
        let room = room(3, 2);
        let operator = room.enter(Party::Socket).unwrap();
        let other = room.enter(Party::User(1001)).unwrap();
        let own: Vec<_> = (0..3).map(|_| room.enter(Party::User(1000)).unwrap()).collect();
        let strangers: Vec<_> =
            (0..9).map(|_| room.enter(Party::Stranger(1002)).unwrap()).collect();
        assert!(is_closed(&own[0]) && !is_closed(&own[1]) && !is_closed(&own[2]));
        assert!(!is_closed(&operator) && !is_closed(&other));
        assert_eq!(strangers.iter().filter(|place| !is_closed(place)).count(), 2);
    }

    #[test]
    fn addresses_of_one_network_are_one_and_a_mapped_address_is_what_it_stands_for() {
        let of = |text: &str| Party::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::2:3:4"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), from(1));
    }
}
