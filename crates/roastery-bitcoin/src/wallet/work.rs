//! How much of a PSBT is looked into. Each key and each control block costs a multiplication on the
//! curve, and a PSBT of a few megabytes names some ten thousand of them.

/// The most keys that are derived for the derivation fields of one PSBT.
pub const MOST_KEYS: usize = 8_192;

/// The most control blocks of one PSBT that are checked against the output that is spent.
pub const MOST_CONTROL_BLOCKS: usize = 4_096;

/// What may still be looked into of one PSBT.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    keys: usize,
    control_blocks: usize,
    exceeded: bool,
}

impl Default for Work {
    fn default() -> Self {
        Self { keys: MOST_KEYS, control_blocks: MOST_CONTROL_BLOCKS, exceeded: false }
    }
}

impl Work {
    /// Whether something was left out: then nothing of the PSBT is signed.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded
    }

    /// Whether one more key may be derived.
    pub(super) fn key(&mut self) -> bool {
        take(&mut self.keys, &mut self.exceeded)
    }

    /// Whether one more control block may be checked.
    pub(crate) fn control_block(&mut self) -> bool {
        take(&mut self.control_blocks, &mut self.exceeded)
    }
}

fn take(left: &mut usize, exceeded: &mut bool) -> bool {
    *exceeded |= *left == 0;
    *left = left.saturating_sub(1);
    !*exceeded
}
