//! Key generations in the simulator: the effect of each kind of fault, and a small campaign.

mod campaign;
mod crashes;
mod faults;
mod seats;

use roastery_protocol::{
    Seat,
    keygen::{Misbehaviour, ReportPhase, StopReason, Suspect, Suspicion},
};
use roastery_sim::{
    keygen::{Fault, Played, Scenario, play},
    trace::Detail,
};

/// Three of four, the first coordinator with this fault, without injections. Returns its seat, too.
fn with_first_coordinator(fault: Fault) -> (Scenario, Seat) {
    let mut scenario = Scenario::heal(3, 3, 4);
    let seat = scenario.order()[0];
    scenario.faults.insert(seat, fault);
    scenario.turns = (1..10).map(|at| std::time::Duration::from_millis(90 * at)).collect();
    (scenario, seat)
}

/// Runs the scenario, and asserts that no invariant is violated.
fn played(scenario: &Scenario) -> Played {
    let played = play(scenario, Detail::Lines);
    if let Some(violation) = &played.violation {
        panic!("{violation}\n{scenario}{}", played.lines.join("\n"));
    }
    played
}

fn all_done(scenario: &Scenario, played: &Played) -> bool {
    played.done.len() == scenario.members - scenario.faults.len()
}

fn refused_because_of(played: &Played, suspect: Seat) -> bool {
    played.reports.values().any(|report| {
        matches!(report.phase, ReportPhase::Ended(StopReason::Faulty { seat, .. }) if seat == suspect)
    })
}

fn finds(played: &Played, is: impl Fn(&Suspicion) -> bool) -> bool {
    played.found.iter().any(|(_, finding)| is(finding))
}

fn blames(played: &Played, suspect: Seat, is: impl Fn(&Misbehaviour) -> bool) -> bool {
    finds(played, |finding| finding.suspect == Suspect::Seat(suspect) && is(&finding.misbehaviour))
}
