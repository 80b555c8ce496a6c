//! Scenarios out of any bytes, as the fuzzer makes them.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use roastery_sim::{
    signing::{Injection, Scenario, play},
    trace::Detail,
};

fn bytes(seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut bytes = vec![0; 6 + 4 * (seed as usize % 40)];
    rng.fill_bytes(&mut bytes);
    bytes
}

#[test]
fn whatever_operations_follow_each_other_nothing_is_violated() {
    for seed in 0..30 {
        let scenario = Scenario::from_bytes(&bytes(seed));
        let played = play(&scenario, Detail::Hash);
        assert_eq!(played.violation, None, "seed {seed}\n{scenario}");
    }
}

#[test]
fn any_bytes_are_a_scenario_in_which_enough_nodes_are_up_in_the_end() {
    let mut operations = 0;
    for seed in 0..3_000 {
        let scenario = Scenario::from_bytes(&bytes(seed));
        assert!(scenario.is_fair(), "seed {seed}\n{scenario}");
        operations += scenario.script.iter().filter(|(_, what)| is_drawn(what)).count();
    }
    assert!(operations > 5_000, "{operations} operations");
    assert!(Scenario::from_bytes(&[]).is_fair());
}

fn is_drawn(what: &Injection) -> bool {
    matches!(what, Injection::Crash(_) | Injection::Cut(..) | Injection::Sleep(_))
}
