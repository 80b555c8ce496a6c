//! The packages that shares and signatures name and that are not known here: each is asked of the
//! link that brought the statement, and again until it comes (section 9).

use std::time::Duration;

use roastery_frost::Seat;

use crate::{BodyHash, machine::Backoff};

/// Open questions of each link: of more the oldest ends.
const MOST_OF_LINK: usize = 2;

/// How often one question is asked: some two minutes long.
const MOST_ASKED: u8 = 12;

/// The open questions of one session.
#[derive(Debug, Default)]
pub struct Questions {
    open: Vec<Question>,
}

#[derive(Debug)]
struct Question {
    package: BodyHash,
    link: Seat,
    asked: u8,
    repeat: Backoff,
}

impl Questions {
    /// A statement that this link brought names a package that is not known. Gives whether it is to
    /// be asked for now; later [`Questions::due`] says when.
    pub fn ask(
        &mut self,
        package: BodyHash,
        link: Seat,
        now: Duration,
        (first, most): (Duration, Duration),
    ) -> bool {
        if self.open.iter().any(|one| (one.package, one.link) == (package, link)) {
            return false;
        }
        let of_link = self.open.iter().filter(|one| one.link == link).count();
        if of_link >= MOST_OF_LINK
            && let Some(oldest) = self.open.iter().position(|one| one.link == link)
        {
            self.open.remove(oldest);
        }
        let repeat = Backoff::new(now, first, most);
        self.open.push(Question { package, link, asked: 1, repeat });
        true
    }

    /// The package is known now.
    pub fn answered(&mut self, package: BodyHash) {
        self.open.retain(|one| one.package != package);
    }

    /// What is to be asked again now, and over which link.
    pub fn due(&mut self, now: Duration) -> Vec<(Seat, BodyHash)> {
        let due = self.open.iter_mut().filter_map(|one| {
            one.repeat.fire(now).then(|| {
                one.asked += 1;
                (one.link, one.package)
            })
        });
        let due = due.collect();
        self.open.retain(|one| one.asked < MOST_ASKED);
        due
    }

    /// When [`Questions::due`] gives something, on the monotonic clock.
    pub fn next_timeout(&self) -> Option<Duration> {
        self.open.iter().map(|one| one.repeat.due()).min()
    }

    /// Ends all.
    pub fn clear(&mut self) {
        self.open.clear();
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

    fn package(id: u8) -> BodyHash {
        BodyHash::from_bytes([id; 32])
    }

    const PACE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

    #[test]
    fn a_package_is_asked_for_again_until_it_comes_and_not_for_ever() {
        let mut questions = Questions::default();
        assert!(questions.ask(package(1), seat(1), ms(0), PACE));
        assert!(!questions.ask(package(1), seat(1), ms(1), PACE), "the same statement again");
        assert!(questions.due(ms(499)).is_empty());
        assert_eq!(questions.due(ms(500)), [(seat(1), package(1))]);
        assert!(questions.ask(package(2), seat(1), ms(600), PACE));
        questions.answered(package(1));
        let later = (600..1_000_000).step_by(100).map(|at| questions.due(ms(at)).len());
        assert_eq!(later.sum::<usize>(), usize::from(MOST_ASKED) - 1);
        assert_eq!(questions.next_timeout(), None);
    }

    #[test]
    fn a_link_has_two_open_questions_and_takes_none_from_another() {
        let mut questions = Questions::default();
        questions.ask(package(0), seat(2), ms(0), PACE);
        (1..9).for_each(|id| assert!(questions.ask(package(id), seat(1), ms(0), PACE)));
        let mut due = questions.due(ms(500));
        due.sort();
        assert_eq!(due, [(seat(1), package(7)), (seat(1), package(8)), (seat(2), package(0))]);
    }
}
