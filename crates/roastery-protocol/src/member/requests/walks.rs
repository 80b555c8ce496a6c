use std::{collections::BTreeMap, time::Duration};

use roastery_frost::Seat;

use crate::SessionId;

/// Goes through a list of requests for each member whose link has come up, one request a step: a
/// long list is no burst, and a link that comes and goes makes no more frames than one that stays.
#[derive(Debug, Default)]
pub(crate) struct Walks {
    all: BTreeMap<Seat, Walk>,
}

#[derive(Debug)]
struct Walk {
    due: Duration,
    last: Option<SessionId>,
}

impl Walks {
    /// The list is gone through for this member from its beginning, with the pace of a walk that is
    /// under way.
    pub(crate) fn begin(&mut self, seat: Seat, now: Duration) {
        self.all.entry(seat).or_insert(Walk { due: now, last: None }).last = None;
    }

    /// The next step that is due: the member, and the request of its last step.
    pub(crate) fn due(&self, now: Duration) -> Option<(Seat, Option<SessionId>)> {
        let mut due = self.all.iter().filter(|(_, walk)| now >= walk.due);
        due.next().map(|(seat, walk)| (*seat, walk.last))
    }

    /// A step was made to this request, and the next one is due after this pause; without a request
    /// the list has ended.
    pub(crate) fn step(
        &mut self,
        seat: Seat,
        to: Option<SessionId>,
        pause: Duration,
        now: Duration,
    ) {
        if to.is_some() {
            self.all.insert(seat, Walk { due: now.saturating_add(pause), last: to });
        } else {
            self.all.remove(&seat);
        }
    }

    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.all.values().map(|walk| walk.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_makes_one_step_at_a_time_and_a_new_link_does_not_hurry_it() {
        let (seat, step) = (Seat::new(1).unwrap(), Duration::from_millis(10));
        let session = |byte| Some(SessionId::from_bytes([byte; 32]));
        let (mut walks, start) = (Walks::default(), Duration::from_secs(1));
        walks.begin(seat, start);
        assert_eq!(walks.due(start), Some((seat, None)));
        walks.step(seat, session(1), step, start);
        assert_eq!(walks.due(start), None);
        walks.begin(seat, start);
        assert_eq!((walks.due(start), walks.next_due()), (None, Some(start + step)));
        assert_eq!(walks.due(start + step), Some((seat, None)), "from the beginning");
        walks.step(seat, None, step, start + step);
        assert_eq!(walks.next_due(), None);
    }
}
