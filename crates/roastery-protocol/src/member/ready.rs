//! When a signer says Ready to a coordinator (section 6).

use std::{collections::BTreeMap, time::Duration};

use roastery_frost::Seat;

/// The time before the first repetition. Each further one comes after twice as long, without a
/// longest pause: what a wait costs does not grow with the hours, and a member that can act on
/// Ready asks for it.
const REPEATED_AFTER: Duration = Duration::from_millis(500);

/// What one signer says in one session to the coordinators: the counter of its changes of mind, and
/// to which of them it says Ready when.
#[derive(Debug, Default)]
pub struct Announcements {
    counter: u32,
    coordinators: BTreeMap<Seat, Announcement>,
}

#[derive(Debug)]
struct Announcement {
    /// When Ready is said next; absent once the coordinator has shown that it knows.
    due: Option<Duration>,
    pause: Duration,
    is_said: bool,
}

impl Announcement {
    fn at(due: Duration) -> Self {
        Self { due: Some(due), pause: REPEATED_AFTER, is_said: false }
    }
}

impl Announcements {
    /// What a signer says that has this counter: greater than any that it has named before about
    /// the session.
    pub fn new(counter: u32) -> Self {
        Self { counter, coordinators: BTreeMap::new() }
    }

    /// A coordinator is live from now on; Ready is said at `first`. Later calls change nothing.
    pub fn live(&mut self, coordinator: Seat, first: Duration) {
        self.coordinators.entry(coordinator).or_insert(Announcement::at(first));
    }

    /// The coordinator has a new link, asks, or must learn of a package that this signer cannot
    /// answer: Ready is said now, and repeated anew.
    pub fn say_now(&mut self, coordinator: Seat, now: Duration) {
        self.coordinators.insert(coordinator, Announcement::at(now));
    }

    /// The coordinator has sent a message about the session. If Ready was said before, it knows: a
    /// link loses nothing as long as it is up, and after a link-up Ready is said anew.
    pub fn acknowledged(&mut self, coordinator: Seat) {
        if let Some(one) = self.coordinators.get_mut(&coordinator)
            && one.is_said
        {
            one.due = None;
        }
    }

    /// A share has gone to the coordinator: Ready is not said until it is asked for, or there is
    /// another reason.
    pub fn answered(&mut self, coordinator: Seat) {
        let silent = Announcement { due: None, pause: REPEATED_AFTER, is_said: true };
        self.coordinators.insert(coordinator, silent);
    }

    /// The signer has changed its mind and has this counter from now on: what it said before means
    /// nothing, and Ready, if it is ready, is said to all at once.
    pub fn change(&mut self, counter: u32, now: Duration) {
        self.counter = counter;
        self.coordinators.values_mut().for_each(|one| *one = Announcement::at(now));
    }

    /// The counter that Ready and Refusal carry.
    pub fn counter(&self) -> u32 {
        self.counter
    }

    /// The coordinators to which Ready is said now; the next time is twice as far away as the last
    /// one was.
    pub fn due(&mut self, now: Duration) -> Vec<Seat> {
        let mut said = Vec::new();
        for (seat, one) in &mut self.coordinators {
            if one.due.is_some_and(|due| now >= due) {
                one.is_said = true;
                one.due = Some(now.saturating_add(one.pause));
                one.pause = one.pause.saturating_mul(2);
                said.push(*seat);
            }
        }
        said
    }

    /// When [`Announcements::due`] has something to say next.
    pub fn next_timeout(&self) -> Option<Duration> {
        self.coordinators.values().filter_map(|one| one.due).min()
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

    fn said_until(said: &mut Announcements, from: u64, until: u64) -> Vec<u64> {
        (from..until).step_by(100).filter(|now| !said.due(ms(*now)).is_empty()).collect()
    }

    #[test]
    fn ready_is_repeated_after_half_a_second_and_then_after_twice_as_long_each_time() {
        let mut said = Announcements::default();
        said.live(seat(1), ms(100));
        let times = said_until(&mut said, 0, 61_000);
        assert_eq!(times, [100, 600, 1_600, 3_600, 7_600, 15_600, 31_600]);
    }

    #[test]
    fn a_coordinator_that_sends_something_about_the_session_is_not_told_again() {
        let mut said = Announcements::default();
        said.live(seat(1), ms(0));
        said.live(seat(2), ms(0));
        assert_eq!(said.due(ms(0)), [seat(1), seat(2)]);
        said.acknowledged(seat(1));
        assert_eq!(said.due(ms(60_000)), [seat(2)]);
        assert_eq!(said.due(ms(90_000)), [seat(2)]);
    }

    #[test]
    fn a_message_that_came_before_ready_was_said_is_no_sign_that_it_arrived() {
        let mut said = Announcements::default();
        said.live(seat(1), ms(200));
        said.acknowledged(seat(1));
        assert_eq!(said.due(ms(200)), [seat(1)]);
    }

    #[test]
    fn ready_is_said_anew_after_a_link_up_or_when_asked() {
        let mut said = Announcements::default();
        said.live(seat(1), ms(0));
        said.due(ms(0));
        said.acknowledged(seat(1));
        said.say_now(seat(1), ms(5_000));
        assert_eq!(said_until(&mut said, 5_000, 7_000), [5_000, 5_500, 6_500]);
    }

    #[test]
    fn a_change_of_mind_has_a_higher_counter_and_is_told_to_all() {
        let mut said = Announcements::default();
        said.live(seat(1), ms(0));
        said.due(ms(0));
        said.acknowledged(seat(1));
        said.change(1, ms(200));
        assert_eq!((said.counter(), said.due(ms(200))), (1, vec![seat(1)]));
    }

    #[test]
    fn becoming_live_twice_changes_nothing() {
        let mut said = Announcements::default();
        said.live(seat(1), ms(0));
        said.due(ms(0));
        said.live(seat(1), ms(10));
        assert_eq!(said.due(ms(10)), []);
        assert_eq!(said.next_timeout(), Some(ms(500)));
    }
}
