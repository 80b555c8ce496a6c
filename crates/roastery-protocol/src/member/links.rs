//! What this node knows of its links to the other seats: which are up, how long a message and its
//! answer take, and which incarnation the member named (sections 5 and 6).

use std::time::Duration;

use roastery_frost::Seat;

use super::Incarnation;

/// The least interval between two coordinators.
pub const LEAST_INTERVAL: Duration = Duration::from_millis(250);

/// The greatest interval between two coordinators, and the one while too few members are linked.
pub const MOST_INTERVAL: Duration = Duration::from_secs(2);

/// What a round trip that was not measured counts as.
const UNKNOWN_ROUND_TRIP: Duration = Duration::from_millis(500);

/// How many round trips there are in an interval.
pub const ROUND_TRIPS_IN_INTERVAL: u32 = 4;

/// The links to all seats of a group, this node's own seats included.
#[derive(Debug)]
pub struct Links {
    threshold: usize,
    seats: Vec<Link>,
    /// What [`Links::interval`] gives: links change seldom, and it is asked for with each input.
    interval: Duration,
}

#[derive(Debug, Default)]
struct Link {
    own: bool,
    up: bool,
    /// Nothing was named over the link since it came up.
    fresh: bool,
    round_trip: Option<Duration>,
    incarnation: Option<Incarnation>,
    /// When the link ended, on the monotonic clock.
    down_since: Option<Duration>,
}

/// What a member's naming of an incarnation means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// It is the present one.
    Present,
    /// It is the present one from now on; what was shown in an earlier one is void.
    New,
    /// It is an earlier one: the message means nothing any more.
    Old,
}

impl Links {
    /// No link is up but those to this node's own seats, which take no time.
    pub fn new(n: usize, threshold: usize, own: &[Seat]) -> Self {
        let mut seats: Vec<Link> = (0..n).map(|_| Link::default()).collect();
        for seat in own {
            if let Some(link) = seats.get_mut(seat.index()) {
                *link = Link {
                    own: true,
                    up: true,
                    round_trip: Some(Duration::ZERO),
                    ..Link::default()
                };
            }
        }
        let mut links = Self { threshold, seats, interval: MOST_INTERVAL };
        links.measure_interval();
        links
    }

    /// The link to this seat is up. The first incarnation that comes over it counts, whatever its
    /// time.
    pub fn up(&mut self, seat: Seat) {
        if let Some(link) = self.other(seat) {
            link.up = true;
            link.fresh = true;
            link.down_since = None;
        }
        self.measure_interval();
    }

    /// The link to this seat is down.
    pub fn down(&mut self, seat: Seat, now: Duration) {
        if let Some(link) = self.other(seat)
            && link.up
        {
            link.up = false;
            link.down_since = Some(now);
        }
        self.measure_interval();
    }

    /// The round trip to this seat, as the transport has measured it last.
    pub fn measured(&mut self, seat: Seat, round_trip: Duration) {
        if let Some(link) = self.other(seat) {
            link.round_trip = Some(round_trip);
        }
        self.measure_interval();
    }

    /// The member has named its incarnation over its own link. Of two that it names over one
    /// connection the greater one counts; the first one over a new connection always does, so that
    /// a member whose clock was set back, or whose disk was restored, is not locked out.
    pub fn named(&mut self, seat: Seat, incarnation: Incarnation) -> Named {
        let Some(link) = self.other(seat) else { return Named::Old };
        let is_first = std::mem::take(&mut link.fresh);
        match link.incarnation {
            Some(present) if incarnation == present => Named::Present,
            Some(present) if incarnation < present && !is_first => Named::Old,
            _ => {
                link.incarnation = Some(incarnation);
                Named::New
            }
        }
    }

    /// Whether [`Links::named`] would give [`Named::New`].
    pub fn would_be_new(&self, seat: Seat, incarnation: Incarnation) -> bool {
        let link = self.seats.get(seat.index()).filter(|link| !link.own);
        link.is_some_and(|link| match link.incarnation {
            Some(present) => incarnation > present || (link.fresh && incarnation != present),
            None => true,
        })
    }

    /// The present incarnation of this seat, if it has named one.
    pub fn incarnation(&self, seat: Seat) -> Option<Incarnation> {
        self.seats.get(seat.index()).and_then(|link| link.incarnation)
    }

    /// Whether the link to this seat is up; always for an own seat.
    pub fn is_up(&self, seat: Seat) -> bool {
        self.seats.get(seat.index()).is_some_and(|link| link.up)
    }

    /// When the link to this seat ended, if it is down.
    pub fn down_since(&self, seat: Seat) -> Option<Duration> {
        self.seats.get(seat.index()).and_then(|link| link.down_since)
    }

    /// How many seats are linked, own ones included.
    pub fn linked(&self) -> usize {
        self.seats.iter().filter(|link| link.up).count()
    }

    /// The round trip to this seat; 500 ms if it was not measured.
    pub fn round_trip(&self, seat: Seat) -> Duration {
        self.seats.get(seat.index()).map_or(UNKNOWN_ROUND_TRIP, Link::round_trip)
    }

    /// The interval between two coordinators: four times the round trip to the slowest of the t
    /// quickest linked seats, from 250 ms to 2 s; 2 s while fewer than t are linked. Four times a
    /// fixed time of calculation would be no measure of the network.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    fn measure_interval(&mut self) {
        let mut linked: Vec<Duration> =
            self.seats.iter().filter(|link| link.up).map(Link::round_trip).collect();
        if linked.len() < self.threshold {
            self.interval = MOST_INTERVAL;
            return;
        }
        let (_, slowest, _) = linked.select_nth_unstable(self.threshold - 1);
        let trips = slowest.saturating_mul(ROUND_TRIPS_IN_INTERVAL);
        self.interval = trips.clamp(LEAST_INTERVAL, MOST_INTERVAL);
    }

    fn other(&mut self, seat: Seat) -> Option<&mut Link> {
        self.seats.get_mut(seat.index()).filter(|link| !link.own)
    }
}

impl Link {
    fn round_trip(&self) -> Duration {
        self.round_trip.unwrap_or(UNKNOWN_ROUND_TRIP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(id: u32) -> Seat {
        Seat::new(id).unwrap()
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn incarnation(milliseconds: u64) -> Incarnation {
        Incarnation::after(None, milliseconds, [0; 8])
    }

    #[test]
    fn the_interval_is_four_round_trips_to_the_slowest_of_the_t_quickest() {
        let mut links = Links::new(5, 3, &[seat(0)]);
        for (id, round_trip) in [(1, 900), (2, 100), (3, 80), (4, 5_000)] {
            links.up(seat(id));
            links.measured(seat(id), ms(round_trip));
        }
        assert_eq!(links.interval(), ms(400));
        links.down(seat(2), ms(0));
        assert_eq!(links.interval(), ms(2_000), "the slowest of three is far away");
        links.down(seat(1), ms(0));
        links.down(seat(4), ms(0));
        assert_eq!(links.interval(), MOST_INTERVAL, "fewer than three are linked");
    }

    #[test]
    fn the_interval_has_a_least_and_a_greatest_length() {
        let mut links = Links::new(2, 2, &[seat(0)]);
        links.up(seat(1));
        assert_eq!(links.interval(), ms(2_000), "a round trip that is not known is half a second");
        links.measured(seat(1), ms(1));
        assert_eq!(links.interval(), LEAST_INTERVAL);
        links.measured(seat(1), Duration::MAX);
        assert_eq!(links.interval(), MOST_INTERVAL);
    }

    #[test]
    fn seats_of_one_node_count_as_linked_and_take_no_time() {
        let links = Links::new(5, 3, &[seat(0), seat(1), seat(2)]);
        assert_eq!((links.linked(), links.interval()), (3, LEAST_INTERVAL));
    }

    #[test]
    fn the_first_incarnation_after_a_link_up_counts_whatever_its_time() {
        let mut links = Links::new(3, 2, &[seat(0)]);
        links.up(seat(1));
        assert_eq!(links.named(seat(1), incarnation(9_000)), Named::New);
        assert_eq!(links.named(seat(1), incarnation(9_000)), Named::Present);
        assert_eq!(links.named(seat(1), incarnation(8_000)), Named::Old);
        assert_eq!(links.named(seat(1), incarnation(9_001)), Named::New);
        links.down(seat(1), ms(5));
        links.up(seat(1));
        assert_eq!(links.named(seat(1), incarnation(7)), Named::New);
        assert_eq!(links.named(seat(1), incarnation(6)), Named::Old);
        assert_eq!(links.incarnation(seat(1)), Some(incarnation(7)));
    }

    #[test]
    fn a_member_that_names_its_present_incarnation_first_after_a_link_up_is_not_new() {
        let mut links = Links::new(3, 2, &[seat(0)]);
        links.up(seat(1));
        links.named(seat(1), incarnation(9));
        links.down(seat(1), ms(5));
        assert_eq!(links.down_since(seat(1)), Some(ms(5)));
        links.up(seat(1));
        assert_eq!(links.named(seat(1), incarnation(9)), Named::Present);
        assert_eq!(links.named(seat(1), incarnation(8)), Named::Old);
    }

    #[test]
    fn no_event_of_the_transport_changes_an_own_seat() {
        let mut links = Links::new(3, 2, &[seat(0)]);
        links.down(seat(0), ms(1));
        links.measured(seat(0), ms(100));
        assert!(links.is_up(seat(0)));
        assert_eq!(links.round_trip(seat(0)), Duration::ZERO);
        assert_eq!(links.named(seat(0), incarnation(1)), Named::Old);
    }

    #[test]
    fn a_link_that_is_reported_down_twice_ended_the_first_time() {
        let mut links = Links::new(3, 2, &[seat(0)]);
        links.up(seat(1));
        links.down(seat(1), ms(1));
        links.down(seat(1), ms(2));
        assert_eq!(links.down_since(seat(1)), Some(ms(1)));
    }
}
