//! Randomness of a node, out of a seed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

/// The generator of a node's operating system. It is no part of the memory of the node's machine: a
/// machine that goes on with a saved memory gets other random bytes than the one did that went on
/// before it.
#[derive(Debug)]
pub(super) struct Randomness {
    rng: ChaCha8Rng,
    seed: u64,
    system: System,
    /// The number of the system for which `rng` was made.
    number: u64,
}

/// What the generators of one node have in common: 0 until its machine goes on with a saved memory,
/// then another number each time.
#[derive(Clone, Debug, Default)]
pub(super) struct System(Arc<AtomicU64>);

impl System {
    /// The node's machine goes on with a saved memory.
    pub(super) fn restored(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }
}

impl Randomness {
    /// A generator of this system with a seed of its own.
    pub(super) fn new(seed: u64, system: System) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), seed, system, number: 0 }
    }

    /// Fills the bytes.
    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        let number = self.system.0.load(Ordering::Relaxed);
        if number != self.number {
            self.number = number;
            self.rng = ChaCha8Rng::seed_from_u64(self.seed ^ number);
        }
        self.rng.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generators_of_one_seed_are_alike_until_the_machine_of_one_goes_on_with_a_saved_memory() {
        let next = |randomness: &mut Randomness| {
            let mut bytes = [0; 32];
            randomness.fill(&mut bytes);
            bytes
        };
        let (first, again) = (System::default(), System::default());
        let mut one = Randomness::new(7, first);
        let mut other = Randomness::new(7, again.clone());
        assert_eq!(next(&mut one), next(&mut other));
        again.restored(9);
        let fresh = next(&mut other);
        assert_ne!(next(&mut one), fresh);
        assert_ne!(next(&mut other), fresh);
    }
}
