//! What it would give to run several packages of one coordinator at the same time: a model of
//! rounds, not the protocol.
//!
//!     cargo run --release -p roastery-sim --example parallel_packages
//!
//! With one package at a time an adaptive attacker spends one staller a round trip, and f of them
//! cost f round trips. With m packages of different composition at a time (each signer shows m
//! slots ahead) it needs enough stallers to be in all of them. Each package leaves out all known
//! debtors, and of the others as many different ones as it can; the attacker sees all of them and
//! takes the fewest stallers that stop every one (greedily: the one that stops most first). Those
//! that it has taken are known debtors after the round.

use std::collections::BTreeSet;

use rand::seq::SliceRandom as _;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};

const N: usize = 100;
const T: usize = 67;
const ROUND_TRIP: f64 = 0.153;
/// Bytes of a signing package and of a share at this size, as signing in version 1 had them.
const PACKAGE: usize = 2506;
const SHARE: usize = 305;

struct Play {
    rounds: usize,
    packages: usize,
}

/// Plays until a package has no staller in it.
fn play(parallel: usize, rng: &mut ChaCha8Rng) -> Play {
    let mut debtors = BTreeSet::new();
    let mut played = Play { rounds: 0, packages: 0 };
    loop {
        played.rounds += 1;
        let clean: Vec<usize> = (0..N).filter(|seat| !debtors.contains(seat)).collect();
        let spare = clean.len() - T;
        // With nothing to choose there is one composition.
        let different = if spare == 0 { 1 } else { parallel };
        let packages = compose(&clean, spare, different, rng);
        played.packages += packages.len();
        let mut unstopped: Vec<&BTreeSet<usize>> = packages.iter().collect();
        while !unstopped.is_empty() {
            if debtors.len() == N - T {
                return played;
            }
            let stops = |seat: &usize| unstopped.iter().filter(|one| one.contains(seat)).count();
            let Some(best) = clean.iter().copied().max_by_key(stops) else { return played };
            debtors.insert(best);
            unstopped.retain(|one| !one.contains(&best));
        }
    }
}

/// So many sets of t seats: each leaves out those that were left out least often so far, in random
/// order.
fn compose(
    clean: &[usize],
    spare: usize,
    count: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<BTreeSet<usize>> {
    let mut left_out = vec![0u32; N];
    let mut packages = Vec::new();
    for _ in 0..count {
        let mut order = clean.to_vec();
        order.shuffle(rng);
        order.sort_by_key(|seat| left_out[*seat]);
        order[..spare].iter().for_each(|seat| left_out[*seat] += 1);
        packages.push(order[spare..].iter().copied().collect());
    }
    packages
}

fn main() {
    println!("{T} of {N}, {} adaptive stallers, {ROUND_TRIP} s round trip; median of 21", N - T);
    println!(
        "{:>8} {:>8} {:>8} {:>9} {:>8} {:>10}",
        "parallel", "rounds", "seconds", "packages", "shares", "megabytes"
    );
    for parallel in [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64] {
        let mut rng = ChaCha8Rng::seed_from_u64(parallel as u64);
        let mut plays: Vec<Play> = (0..21).map(|_| play(parallel, &mut rng)).collect();
        plays.sort_by_key(|play| play.rounds);
        let Play { rounds, packages } = plays[plays.len() / 2];
        // Half a round trip for the slots and half for the signature.
        let seconds = (rounds + 1) as f64 * ROUND_TRIP;
        let shares = packages * T;
        let megabytes = (packages * PACKAGE * (N - 1) + shares * SHARE) as f64 / 1e6;
        println!(
            "{parallel:>8} {rounds:>8} {seconds:>8.2} {packages:>9} {shares:>8} {megabytes:>10.1}"
        );
    }
}
