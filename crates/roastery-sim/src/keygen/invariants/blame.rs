use std::collections::{BTreeMap, BTreeSet};

use roastery_protocol::{
    Seat,
    keygen::{Event, Suspect, Suspicion},
};

use super::{Invariant, kind_of, seat_at_fault};
use crate::violation::Violation;

/// A member that an honest member names is faulty; of two that are named one is.
#[derive(Debug)]
pub(super) struct Blame {
    faulty: BTreeSet<Seat>,
    misbehaviours: BTreeMap<&'static str, usize>,
    found: Vec<(Seat, Suspicion)>,
}

impl Blame {
    pub(super) fn new(faulty: BTreeSet<Seat>) -> Self {
        Self { faulty, misbehaviours: BTreeMap::new(), found: Vec::new() }
    }

    pub(super) fn misbehaviours(&self) -> &BTreeMap<&'static str, usize> {
        &self.misbehaviours
    }

    pub(super) fn found(&self) -> &[(Seat, Suspicion)] {
        &self.found
    }

    pub(super) fn event(&mut self, seat: Seat, event: &Event) -> Result<(), Violation<Invariant>> {
        match event {
            Event::Found(finding) => {
                *self.misbehaviours.entry(kind_of(&finding.misbehaviour)).or_default() += 1;
                self.found.push((seat, *finding));
                let is_just = match finding.suspect {
                    Suspect::Seat(suspect) => self.faulty.contains(&suspect),
                    Suspect::Either { participant, coordinator } => {
                        self.faulty.contains(&participant) || self.faulty.contains(&coordinator)
                    }
                    Suspect::Unknown => true,
                };
                // Where no member is faulty there is nothing to find.
                if !is_just || self.faulty.is_empty() {
                    return violation(format!("honest seat {seat} finds: {finding}"));
                }
            }
            Event::Ended(reason) => {
                if let Some(suspect) = seat_at_fault(reason)
                    && !self.faulty.contains(&suspect)
                {
                    return violation(format!("honest seat {seat} ends: {reason}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn violation(what: String) -> Result<(), Violation<Invariant>> {
    Err(Violation::of(Invariant::Accountability, what))
}
