use std::collections::BTreeSet;

use roastery_protocol::{
    Seat,
    keygen::{Report, ReportPhase, StopReason},
};

use super::{Invariant, bounded::Bounded, seat_at_fault};
use crate::{keygen::Node, violation::Violation};

/// A member that has no certificate in the end has no share, and its report shows the reason.
#[derive(Debug)]
pub struct Completion<'a> {
    /// The number of members, n.
    pub members: usize,
    /// The faulty members.
    pub faulty: &'a BTreeSet<Seat>,
    /// Members that have never sent anything.
    pub silent: &'a BTreeSet<Seat>,
}

impl Completion<'_> {
    /// Checks an honest node at the end.
    pub fn judge(&self, node: &mut Node) -> Result<(), Violation<Invariant>> {
        let seat = node.seat;
        let is_done = node.is_done();
        let Some(machine) = node.machine_mut() else { return Ok(()) };
        let report = machine.report();
        Bounded::report(self.members, (seat, machine.seats().len()), &report)?;
        if is_done {
            return Ok(());
        }
        if machine.take_shares().is_some() {
            return violation(format!("seat {seat} has a share and no certificate"));
        }
        match report.phase {
            ReportPhase::Ended(StopReason::Expired) => self.names_who_is_awaited(seat, &report),
            ReportPhase::Ended(reason)
                if seat_at_fault(&reason).is_some_and(|suspect| self.faulty.contains(&suspect)) =>
            {
                Ok(())
            }
            phase => violation(format!("seat {seat} has no key in the end and is {phase:?}")),
        }
    }

    fn names_who_is_awaited(
        &self,
        seat: Seat,
        report: &Report,
    ) -> Result<(), Violation<Invariant>> {
        if report.awaited.is_empty() {
            return violation(format!("seat {seat} has no key, and its report awaits no member"));
        }
        if report.awaited.iter().any(|one| one.seat == seat) {
            return violation(format!("seat {seat} awaits itself"));
        }
        for missing in self.silent.iter().filter(|silent| **silent != seat) {
            if report.awaited.iter().all(|one| one.seat != *missing) {
                return violation(format!(
                    "seat {missing} has never said anything, and seat {seat} does not await it"
                ));
            }
        }
        Ok(())
    }
}

fn violation(what: String) -> Result<(), Violation<Invariant>> {
    Err(Violation::of(Invariant::NoKeyNoShare, what))
}
