use roastery_sim::{
    campaign::run,
    signing::{Scenario, play},
    trace::Detail,
};

/// Without optimisation large groups take too long; the command plays them in CI.
#[test]
fn random_scenarios_of_small_groups_violate_nothing() {
    let small = |seed: &u64| Scenario::draw(*seed).seats() <= 5;
    let (totals, failure) = run::<Scenario>((1..).filter(small).take(40), 4, |_| true);
    if let Some(failure) = failure {
        panic!("{}\n{}", failure.shrunk, failure.shrunk_violation);
    }
    assert_eq!(totals.runs, 40);
    assert!(totals.signatures > 0 && totals.claims > 0);
}

#[test]
fn a_scenario_is_fair_and_the_same_whenever_it_is_drawn() {
    for seed in 0..300 {
        let scenario = Scenario::draw(seed);
        assert!(scenario.is_fair(), "{scenario}");
        assert_eq!(scenario, Scenario::draw(seed));
    }
}

#[test]
fn what_is_simpler_is_fair_and_another_scenario() {
    for seed in 0..60 {
        let scenario = Scenario::draw(seed);
        for simpler in scenario.simpler() {
            assert!(simpler.is_fair() && simpler != scenario, "{simpler}");
        }
    }
}

#[test]
fn one_seed_gives_one_trace() {
    let small = |seed: &u64| Scenario::draw(*seed).seats() <= 5;
    for seed in (1..).filter(small).take(4) {
        let scenario = Scenario::draw(seed);
        let (one, other) = (play(&scenario, Detail::Hash), play(&scenario, Detail::Lines));
        assert_eq!(one.hash, other.hash, "seed {seed}");
        assert_eq!((one.messages, one.took), (other.messages, other.took));
    }
}
