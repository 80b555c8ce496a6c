use roastery_sim::{
    campaign::{run, shrink},
    keygen::{Fault, Invariant, Scenario, play},
    trace::Detail,
};

use super::played;

/// Without optimisation large groups take too long; the command plays them.
#[test]
fn random_ceremonies_of_small_groups_violate_nothing() {
    let small = |seed: &u64| Scenario::draw(*seed).members <= 5;
    let (totals, failure) = run::<Scenario>((1..).filter(small).take(60), 4, |_| true);
    if let Some(failure) = failure {
        panic!("{}\n{}", failure.shrunk, failure.shrunk_violation);
    }
    assert_eq!(totals.runs, 60);
    assert!(totals.done > 0 && totals.expired > 0 && totals.restarts > 0);
}

#[test]
fn a_ceremony_played_twice_gives_the_same_trace_and_reading_along_changes_nothing() {
    let small = (1..).map(Scenario::draw).filter(|scenario| scenario.members <= 4);
    for scenario in small.take(8) {
        let (blind, reader) = (play(&scenario, Detail::Hash), play(&scenario, Detail::Lines));
        assert_eq!(blind.hash, reader.hash, "seed {}", scenario.seed);
        assert_ne!(blind.lines.is_empty(), reader.lines.is_empty());
    }
}

#[test]
fn a_scenario_is_fair_and_the_same_whenever_it_is_drawn() {
    for seed in 0..60 {
        let scenario = Scenario::draw(seed);
        assert!(scenario.is_fair(), "{scenario}");
        assert_eq!(scenario, Scenario::draw(seed));
    }
}

#[test]
fn a_key_of_a_ceremony_signs_in_a_real_session() {
    let mut scenario = Scenario::heal(9, 2, 3);
    scenario.session = true;
    assert!(played(&scenario).session);
}

#[test]
fn a_ceremony_that_does_not_end_in_time_violates_termination_and_so_does_what_it_shrinks_to() {
    let mut scenario = Scenario::heal(9, 2, 3);
    // Longer than the allowance: a round trip is 100 ms, and what is stored late is not granted.
    scenario.faults.insert(scenario.order()[0], Fault::Slanders);
    scenario.settings.lifetime = std::time::Duration::from_millis(50);
    let violation = play(&scenario, Detail::Hash).violation.unwrap();
    assert_eq!(violation.invariant, Invariant::Termination);
    let (shrunk, still) = shrink(scenario, violation);
    assert_eq!(still.invariant, Invariant::Termination);
    assert!(shrunk.faults.is_empty());
}
