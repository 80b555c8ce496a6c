//! What holds for every behaviour.

use std::collections::BTreeSet;

use rand::{RngExt as _, seq::SliceRandom as _};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_sim::adversary::Behaviour;

use crate::strategies::support::{Case, blame_is_right};

fn cases(what: Behaviour) -> Vec<Case> {
    vec![
        Case::all_from(3, 5, 1, 0, what),
        Case::all_from(4, 7, 2, 1, what),
        Case { messages: 3, ..Case::all_from(2, 5, 3, 0, what) },
    ]
}

#[test]
fn honest_members_sign_whatever_all_others_do() {
    for &what in Behaviour::ALL {
        for case in cases(what) {
            let world = case.play();
            let proven = blame_is_right(&world);
            let now_and_then = [Behaviour::MutatesMessages, Behaviour::WrongAggregateNonce];
            if what.provable().is_none() && !now_and_then.contains(&what) {
                assert!(proven.is_empty(), "{what}: {proven:?}");
            }
        }
    }
}

#[test]
fn honest_members_sign_whatever_mixture_the_others_are() {
    for seed in 100..130 {
        let (t, n) = [(3, 5), (4, 7), (2, 5), (5, 9)][seed as usize % 4];
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut places: Vec<usize> = (0..n).collect();
        places.shuffle(&mut rng);
        let all = Behaviour::ALL;
        let faulty: Vec<_> = places[..n - t]
            .iter()
            .map(|place| (*place, all[rng.random_range(0..all.len())]))
            .collect();
        let messages = 1 + seed as usize % 2;
        blame_is_right(&Case { messages, ..Case::new(t, n, seed, &faulty) }.play());
    }
}

#[test]
fn names_are_words_that_tell_behaviours_apart() {
    let names: BTreeSet<&str> = Behaviour::ALL.iter().map(|what| what.name()).collect();
    assert_eq!(names.len(), Behaviour::ALL.len());
    assert!(names.iter().all(|name| name.chars().all(|c| c == '-' || c.is_ascii_lowercase())));
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for &what in Behaviour::ALL {
        let case = Case::all_from(3, 5, 11, 0, what);
        assert_eq!(case.play().hooks.watch.trace, case.play().hooks.watch.trace, "{what}");
    }
}
