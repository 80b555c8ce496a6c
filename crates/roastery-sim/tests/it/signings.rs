//! Signing in the simulator: a small campaign, and what each strategy comes to.

mod campaign;
mod coordinators;
mod links;
mod memories;
mod models;
mod operations;
mod signers;

use std::{collections::BTreeSet, time::Duration};

use roastery_protocol::{
    Seat,
    election::Order,
    member::{machine::RequestOrigin, proof::FaultKind},
};
use roastery_sim::{
    network::Links,
    signing::{Action, Behaviour, Injection, Played, Scenario, play, scenario::Aim},
    trace::Detail,
};

const APPROVED: Duration = Duration::from_secs(2);

/// t of n nodes with one seat each, 100 ms apart, which all approve one request at once. Of five
/// or more the seats 0 and 1, which are picked first of equally quick ones, coordinate third and
/// fifth.
fn calm(threshold: usize, nodes: usize) -> Scenario {
    let is_so = |scenario: &Scenario| {
        nodes < 5 || [2, 4].iter().all(|place| order(scenario)[*place].index() < 2)
    };
    (7..).map(|seed| seeded(seed, threshold, nodes)).find(is_so).unwrap()
}

fn seeded(seed: u64, threshold: usize, nodes: usize) -> Scenario {
    let mut scenario = Scenario {
        seed,
        nodes: vec![1; nodes],
        threshold,
        requests: vec![1],
        aim: Aim::Terminates,
        coalition: Default::default(),
        links: Links::heal(Duration::from_millis(100)),
        storing: Duration::ZERO,
        script: vec![(APPROVED, Injection::Calm)],
        crash_points: Vec::new(),
        late: Vec::new(),
        last: BTreeSet::new(),
    };
    for node in scenario.first_seats().into_keys() {
        scenario.last.insert(node);
        let approve = Action::Approve { request: 0, origin: RequestOrigin::Proposed };
        scenario.script.push((APPROVED, Injection::Act(node, approve)));
    }
    scenario
}

/// The seats in the order in which they coordinate.
fn order(scenario: &Scenario) -> Vec<Seat> {
    let members = scenario.make_members();
    let session = members.request(scenario.seed, scenario.requests[0]).session_id();
    Order::of(session, members.group.seats()).into_seats()
}

/// Makes the member at this place of the order corrupt.
fn corrupt(scenario: &mut Scenario, place: usize, behaviour: Behaviour) -> Seat {
    let seat = order(scenario)[place];
    scenario.coalition.insert(seat, behaviour);
    scenario.last.remove(&seat);
    seat
}

/// Plays it, and asserts that nothing is violated.
fn played(scenario: &Scenario) -> Played {
    assert!(scenario.is_fair(), "{scenario}");
    let played = play(scenario, Detail::Lines);
    if let Some(violation) = &played.violation {
        panic!("{violation}\n{scenario}{}", played.lines.join("\n"));
    }
    played
}

/// The faults that honest nodes have proven of this seat.
fn proven(played: &Played, seat: Seat) -> BTreeSet<FaultKind> {
    played.proven.get(&seat).cloned().unwrap_or_default()
}
