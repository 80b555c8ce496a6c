//! The same seed gives the same trace, on any machine.

use roastery_sim::{campaign::play, scenario::Scenario, trace::Detail};

/// Seeds with the hashes of their traces. They change whenever the protocol, a strategy or the
/// drawing of scenarios does; then the message of the failing test is the new list.
const TRACES: [(u64, &str); 8] = [
    (3, "eb6f867948678a58a0094d8cbffd73be"),
    (6, "86073f4cfdbd0a0d826151c5e3bbc721"),
    (8, "902d3961e760c1384eb8ed8c5268b8d1"),
    (15, "c2dada745c91f506ba7fa243d41ce260"),
    (20, "3ec051b88589c37558cd8e6a05e6736e"),
    (23, "3cb11e7e217c38be966349a2f35971b9"),
    (24, "cdc8cb62358ef28f1516f5250a21d0ab"),
    (31, "09f9fe462c3e294c5f816f6a6bb40785"),
];

fn trace(seed: u64) -> String {
    play(&Scenario::draw(seed), Detail::Hash).hash
}

#[test]
fn a_seed_played_twice_gives_the_same_trace() {
    for seed in [3, 8, 15, 20, 31] {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
}

#[test]
fn reading_along_changes_nothing() {
    let scenario = Scenario::draw(15);
    let (blind, reader) = (play(&scenario, Detail::Hash), play(&scenario, Detail::Lines));
    assert_eq!(blind.hash, reader.hash);
    assert!(blind.lines.is_empty() && !reader.lines.is_empty());
}

#[test]
fn seeds_give_the_traces_that_they_gave_elsewhere() {
    let now: Vec<(u64, String)> = TRACES.iter().map(|(seed, _)| (*seed, trace(*seed))).collect();
    let then: Vec<(u64, String)> =
        TRACES.iter().map(|(seed, hash)| (*seed, (*hash).to_owned())).collect();
    assert_eq!(now, then);
}
