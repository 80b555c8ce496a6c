//! Which seats coordinate a session, and from when (section 6).

use std::time::Duration;

use roastery_frost::Seat;

use super::links::ROUND_TRIPS_IN_INTERVAL;

/// The order of the coordinators at this node, and how many of them are live.
///
/// After i intervals the first min(2^i, n) are: so f silent or hostile coordinators in a row take
/// log2(f + 1) + 1 intervals. While packages arrive that were not seen before,
/// a coordinator is at work, and the intervals stand still, for a bounded time.
#[derive(Debug)]
pub struct Schedule {
    order: Vec<Seat>,
    doublings: u32,
    due: Duration,
    /// How long the intervals may stand still from now on.
    hold: Duration,
}

impl Schedule {
    /// The schedule of a session that opens now. `order` is the order that follows from the session
    /// id; `author`, who made the first proposal that this node received, comes first in it.
    /// `most_packages` is n - t + 1.
    pub fn new(
        mut order: Vec<Seat>,
        author: Option<Seat>,
        most_packages: usize,
        interval: Duration,
        now: Duration,
    ) -> Self {
        if let Some(at) = author.and_then(|author| order.iter().position(|seat| *seat == author)) {
            order[..=at].rotate_right(1);
        }
        let round_trips = u32::try_from(most_packages.saturating_add(1)).unwrap_or(u32::MAX);
        let hold = interval.saturating_mul(round_trips) / ROUND_TRIPS_IN_INTERVAL;
        Self {
            order,
            doublings: 0,
            due: now.saturating_add(interval),
            hold: hold.saturating_add(hold / 4),
        }
    }

    /// Makes those live whose time has come; `interval` is the present one. Gives the seats that
    /// are live only now.
    pub fn advance(&mut self, interval: Duration, now: Duration) -> &[Seat] {
        let before = self.live().len();
        // A node that slept or was busy does not make up for it at once: the next coordinator has
        // a whole interval.
        if now >= self.due && before < self.order.len() {
            self.doublings += 1;
            self.due = now.saturating_add(interval);
        }
        &self.live_seats()[before..]
    }

    /// A package arrived that was not seen before.
    pub fn package_arrived(&mut self, interval: Duration, now: Duration) {
        let round_trip = interval / ROUND_TRIPS_IN_INTERVAL;
        let until = now.saturating_add(round_trip + round_trip / 2);
        let longer = until.saturating_sub(self.due).min(self.hold);
        self.hold -= longer;
        self.due = self.due.saturating_add(longer);
    }

    /// The seats that are live, in their order.
    pub fn live(&self) -> &[Seat] {
        self.live_seats()
    }

    fn live_seats(&self) -> &[Seat] {
        let live = 1usize.checked_shl(self.doublings).unwrap_or(usize::MAX);
        &self.order[..live.min(self.order.len())]
    }

    /// Whether this seat is live.
    pub fn is_live(&self, seat: Seat) -> bool {
        self.live_seats().contains(&seat)
    }

    /// When [`Schedule::advance`] makes further seats live, on the monotonic clock; `None` if all
    /// are.
    pub fn next_timeout(&self) -> Option<Duration> {
        (self.live_seats().len() < self.order.len()).then_some(self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(ids: impl IntoIterator<Item = u32>) -> Vec<Seat> {
        ids.into_iter().map(|id| Seat::new(id).unwrap()).collect()
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    const INTERVAL: Duration = Duration::from_millis(400);

    fn schedule(n: u32) -> Schedule {
        Schedule::new(seats(0..n), None, 3, INTERVAL, ms(0))
    }

    #[test]
    fn the_number_of_live_coordinators_doubles_with_each_interval() {
        let mut schedule = schedule(5);
        assert_eq!(schedule.live(), seats([0]));
        assert_eq!(schedule.advance(INTERVAL, ms(399)), seats([]));
        assert_eq!(schedule.advance(INTERVAL, ms(400)), seats([1]));
        assert_eq!(schedule.advance(INTERVAL, ms(800)), seats([2, 3]));
        assert_eq!(schedule.advance(INTERVAL, ms(1_200)), seats([4]));
        assert_eq!(schedule.next_timeout(), None);
        assert_eq!(schedule.advance(INTERVAL, ms(90_000)), seats([]));
    }

    #[test]
    fn the_author_of_the_first_proposal_comes_first_and_the_order_of_the_others_stays() {
        let order = seats([3, 1, 4, 0, 2]);
        let author = Some(Seat::new(4).unwrap());
        let schedule = Schedule::new(order, author, 3, INTERVAL, ms(0));
        assert_eq!(schedule.order, seats([4, 3, 1, 0, 2]));
    }

    #[test]
    fn an_author_that_is_no_seat_of_the_group_changes_nothing() {
        let author = Some(Seat::new(9).unwrap());
        let schedule = Schedule::new(seats([1, 0]), author, 1, INTERVAL, ms(0));
        assert_eq!(schedule.live(), seats([1]));
    }

    #[test]
    fn the_intervals_stand_still_while_packages_arrive() {
        let mut schedule = schedule(5);
        schedule.package_arrived(INTERVAL, ms(100));
        assert_eq!(schedule.next_timeout(), Some(ms(400)), "the interval is long enough");
        schedule.package_arrived(INTERVAL, ms(390));
        assert_eq!(schedule.next_timeout(), Some(ms(540)));
    }

    #[test]
    fn the_intervals_stand_still_for_a_bounded_time_in_a_session() {
        // At most 1.25 (n - t + 2) round trips: 1.25 * 4 * 100 ms.
        let mut schedule = schedule(5);
        let mut now = ms(0);
        while schedule.live().len() == 1 && now < ms(10_000) {
            schedule.package_arrived(INTERVAL, now);
            now += ms(10);
            schedule.advance(INTERVAL, now);
        }
        assert_eq!(now, ms(900));
    }

    #[test]
    fn a_node_that_was_asleep_gives_the_next_coordinators_a_whole_interval() {
        let mut schedule = schedule(5);
        schedule.advance(INTERVAL, ms(100_000));
        assert_eq!(schedule.live().len(), 2);
        assert_eq!(schedule.next_timeout(), Some(ms(100_400)));
    }
}
