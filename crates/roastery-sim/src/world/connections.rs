use std::collections::BTreeMap;

use roastery_protocol::Seat;

/// The connections of all pairs of nodes. A message that left over one connection does not arrive
/// over the next one.
#[derive(Debug, Default)]
pub(super) struct Connections(BTreeMap<(Seat, Seat), Connection>);

#[derive(Clone, Copy, Debug, Default)]
struct Connection {
    number: u64,
    is_up: bool,
}

impl Connections {
    /// Connects two nodes. Returns whether they were not connected.
    pub(super) fn connect(&mut self, one: Seat, other: Seat) -> bool {
        let known = self.0.entry(pair(one, other)).or_default();
        let is_new = !known.is_up;
        *known = Connection { number: known.number + u64::from(is_new), is_up: true };
        is_new
    }

    /// Ends a connection. Returns whether there was one.
    pub(super) fn disconnect(&mut self, one: Seat, other: Seat) -> bool {
        let known = self.0.get_mut(&pair(one, other));
        known.is_some_and(|known| std::mem::take(&mut known.is_up))
    }

    /// The number of the connection of two nodes, if there is one.
    pub(super) fn number(&self, one: Seat, other: Seat) -> Option<u64> {
        self.0.get(&pair(one, other)).filter(|known| known.is_up).map(|known| known.number)
    }
}

fn pair(one: Seat, other: Seat) -> (Seat, Seat) {
    (one.min(other), one.max(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_of_a_pair_has_a_number_of_its_own() {
        let seat = |id| Seat::new(id).unwrap();
        let mut connections = Connections::default();
        assert!(connections.connect(seat(0), seat(1)));
        assert!(!connections.connect(seat(1), seat(0)), "they are connected");
        let first = connections.number(seat(0), seat(1));
        assert!(first.is_some());
        assert!(connections.disconnect(seat(1), seat(0)));
        assert!(!connections.disconnect(seat(0), seat(1)));
        assert_eq!(connections.number(seat(0), seat(1)), None);
        connections.connect(seat(0), seat(1));
        assert_ne!(connections.number(seat(0), seat(1)), first);
    }
}
