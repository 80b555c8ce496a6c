//! A small campaign: random scenarios, all invariants.

use roastery_sim::{
    campaign::{play, run, shrink},
    invariants::Invariant,
    scenario::{Attack, Scenario},
    trace::Detail,
};

/// Without optimisation large groups take too long; the command plays them in CI.
#[test]
fn random_scenarios_of_small_groups_violate_nothing() {
    let small = |seed: &u64| Scenario::draw(*seed).members <= 8;
    let (totals, failure) = run((1..).filter(small).take(150), 4, |_| true);
    if let Some(failure) = failure {
        panic!("{}\n{}", failure.shrunk, failure.shrunk_violation);
    }
    assert_eq!(totals.runs, 150);
    assert!(totals.signatures > 0 && totals.accusations > 0);
}

/// One seat, two nodes: the later one issues a package in its own run, and forgets the shares for
/// the packages of the earlier one.
#[test]
fn a_node_that_issues_a_package_forgets_the_shares_for_an_earlier_run_of_its_seat() {
    let played = play(&Scenario::draw(206_472), Detail::Hash);
    assert_eq!(played.violation, None);
}

#[test]
fn a_scenario_is_fair_and_the_same_whenever_it_is_drawn() {
    for seed in 0..300 {
        let scenario = Scenario::draw(seed);
        assert!(scenario.is_fair(), "{scenario}");
        assert_eq!(scenario, Scenario::draw(seed));
    }
}

/// More than n - t silent members: the group cannot sign, and the campaign reports that.
fn hopeless() -> Scenario {
    let drawn = (0..).map(Scenario::draw).find(|one| {
        one.members >= 5 && one.members <= 8 && one.threshold < one.members && one.is_quiet()
    });
    let mut scenario = drawn.unwrap();
    let seats = scenario.make_members().group.seats();
    let silent = seats.take(scenario.members - scenario.threshold + 1).collect();
    scenario.attack = Attack::named("silent", silent).unwrap();
    scenario
}

#[test]
fn a_session_that_does_not_end_in_time_violates_termination() {
    let violation = play(&hopeless(), Detail::Hash).violation.unwrap();
    assert_eq!(violation.invariant, Invariant::Termination);
}

#[test]
fn a_shrunk_scenario_violates_the_same_and_is_not_larger() {
    // Shrinking keeps scenarios fair, so there is nothing to take away here that leaves the
    // violation.
    let scenario = hopeless();
    let violation = play(&scenario, Detail::Hash).violation.unwrap();
    let (shrunk, still) = shrink(scenario.clone(), violation.clone());
    assert_eq!(still.invariant, violation.invariant);
    assert!(shrunk.attack.faulty().len() <= scenario.attack.faulty().len());
}

#[test]
fn a_campaign_ends_at_its_lowest_bad_seed_and_when_it_is_told_to() {
    let (totals, failure) = run(1..1000, 2, |totals| totals.runs < 3);
    assert!(failure.is_none());
    assert!((3..=4).contains(&totals.runs), "{}", totals.runs);
}
