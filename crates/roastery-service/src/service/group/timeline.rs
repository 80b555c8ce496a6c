//! The steps of requests on their way to a signature, as this node saw them. In memory only, and
//! since the last start.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use roastery_protocol::{Seat, SessionId, member::machine::Event};

use crate::service::now_ms;

/// The most requests whose steps are kept; the one that began first is forgotten.
const MOST_REQUESTS: usize = 200;

/// The most steps of one request; further ones are not kept, but for the last one.
const MOST_STEPS: usize = 256;

/// A step of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When this node saw it, in milliseconds since 1970.
    pub at: u64,
    /// What it is.
    pub what: StepKind,
    /// The member whose step it is; `None` if it is not one member's.
    pub seat: Option<Seat>,
}

/// What a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepKind {
    /// A member proposes it, as it does only with what it has approved.
    Proposed,
    /// This node has approved it.
    Approved,
    /// A member takes part.
    Ready,
    /// This node coordinates.
    Coordinates,
    /// This node asks these seats for their shares.
    Package(Vec<Seat>),
    /// A share of this node has left.
    Share,
    /// A member does not take part.
    Refused,
    /// A fault of a member is proven.
    Proven,
    /// It is signed.
    Signed,
    /// This node has stopped it.
    Stopped,
}

/// The steps of the latest requests.
#[derive(Debug, Default)]
pub(in crate::service) struct Timelines {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    next: u64,
    of: BTreeMap<SessionId, (u64, Vec<Step>)>,
}

impl Timelines {
    /// Keeps the first step of a request, which is new or is approved here: only such a request
    /// takes the place of another one.
    pub(in crate::service) fn begin(&self, session: SessionId, what: StepKind, seat: Seat) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.of.len() >= MOST_REQUESTS && !known.of.contains_key(&session) {
            let first = known.of.iter().min_by_key(|(_, (number, _))| *number);
            if let Some(first) = first.map(|(session, _)| *session) {
                known.of.remove(&first);
            }
        }
        known.next += 1;
        let number = known.next;
        known.of.entry(session).or_insert_with(|| (number, Vec::new()));
        drop(known);
        self.add(session, what, Some(seat));
    }

    /// Keeps a step of a request whose steps are kept. One that a member repeats is kept once.
    pub(in crate::service) fn add(&self, session: SessionId, what: StepKind, seat: Option<Seat>) {
        let at = now_ms();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, steps)) = known.of.get_mut(&session) else { return };
        let once = matches!(what, StepKind::Proposed | StepKind::Ready | StepKind::Signed);
        if once && steps.iter().any(|step| step.what == what && step.seat == seat) {
            return;
        }
        // The end is worth more than the step before it.
        if steps.len() >= MOST_STEPS {
            if !matches!(what, StepKind::Signed | StepKind::Stopped) {
                return;
            }
            steps.pop();
        }
        steps.push(Step { at, what, seat });
    }

    /// Keeps what an event of a session shows.
    pub(in crate::service) fn note(&self, session: SessionId, event: &Event, own: Seat) {
        let (what, seat) = match event {
            Event::Reigning { .. } => (StepKind::Coordinates, Some(own)),
            Event::TakesPart { seat, .. } => (StepKind::Ready, Some(*seat)),
            Event::PackageIssued { signers, .. } => (StepKind::Package(signers.clone()), Some(own)),
            Event::ShareReleased { seat, .. } => (StepKind::Share, Some(*seat)),
            Event::Proven { fault, .. } => (StepKind::Proven, Some(fault.accused)),
            Event::Signed(_) => (StepKind::Signed, None),
            Event::Stopped { .. } => (StepKind::Stopped, Some(own)),
            _ => return,
        };
        self.add(session, what, seat);
    }

    /// The steps of a request, in their order.
    pub(in crate::service) fn of(&self, session: SessionId) -> Vec<Step> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.of.get(&session).map(|(_, steps)| steps.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u16) -> SessionId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        SessionId::from_bytes(bytes)
    }

    #[test]
    fn the_steps_of_the_latest_requests_are_kept_and_what_is_repeated_once() {
        let timelines = Timelines::default();
        let seat = Seat::new(1).unwrap();
        for number in 0..=MOST_REQUESTS as u16 {
            timelines.begin(session(number), StepKind::Proposed, seat);
            for _ in 0..2 {
                timelines.add(session(number), StepKind::Ready, Some(seat));
            }
        }
        assert!(timelines.of(session(0)).is_empty());
        for number in [1, MOST_REQUESTS as u16] {
            assert_eq!(timelines.of(session(number)).len(), 2, "{number}");
        }
    }

    #[test]
    fn what_a_member_repeats_of_a_request_takes_the_place_of_no_other_request() {
        let (timelines, seat) = (Timelines::default(), Seat::new(1).unwrap());
        timelines.begin(session(0), StepKind::Approved, seat);
        for number in 1..=2 * MOST_REQUESTS as u16 {
            for what in [StepKind::Proposed, StepKind::Ready, StepKind::Refused] {
                timelines.add(session(number), what, Some(seat));
            }
        }
        assert_eq!(timelines.of(session(0)).len(), 1);
        assert!(timelines.of(session(1)).is_empty());
    }

    #[test]
    fn a_request_has_a_bounded_number_of_steps_and_its_end_among_them() {
        let timelines = Timelines::default();
        timelines.begin(session(1), StepKind::Approved, Seat::new(0).unwrap());
        for _ in 0..2 * MOST_STEPS {
            timelines.add(session(1), StepKind::Share, Some(Seat::new(0).unwrap()));
        }
        timelines.add(session(1), StepKind::Signed, None);
        let steps = timelines.of(session(1));
        assert_eq!(steps.len(), MOST_STEPS);
        assert_eq!(steps.last().map(|step| &step.what), Some(&StepKind::Signed));
    }
}
