/// Pseudo-random numbers from a seed (SplitMix64).
pub(crate) struct Chance(u64);

impl Chance {
    /// The numbers of one part of a run.
    pub(crate) fn of(seed: u64, part: u64) -> Self {
        Self(seed ^ part.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// Numbers from a random seed.
    pub(crate) fn drawn() -> Self {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).unwrap();
        Self(u64::from_le_bytes(seed) >> 32)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) >> 11
    }

    /// A number from the first to below the last.
    pub(crate) fn within(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }
}
