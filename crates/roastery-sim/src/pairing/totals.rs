use std::fmt;

use super::{Cheat, Played};

/// The sums over many pairings of one kind.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    cheat: Option<(Cheat, u32)>,
    runs: u64,
    undetected: u64,
    restarts: u64,
    breaks: u64,
    messages: u64,
    reveals: u64,
}

impl Totals {
    /// None yet, of this kind.
    pub fn of(cheat: Option<(Cheat, u32)>) -> Self {
        Self { cheat, ..Self::default() }
    }

    /// Adds one pairing.
    pub fn add(&mut self, played: Played) {
        self.runs += 1;
        self.undetected += u64::from(played.undetected);
        self.restarts += u64::from(played.restarts);
        self.breaks += u64::from(played.breaks);
        self.messages += u64::from(played.messages);
        self.reveals += u64::from(played.reveals);
    }

    /// How many splits are not noticed in the mean, if the derivation is right.
    fn expected(&self) -> f64 {
        self.cheat.map_or(0.0, |(cheat, bits)| cheat.chance(bits)) * self.runs as f64
    }

    /// Whether as many splits were not noticed as derived: within five standard deviations and one.
    pub fn is_as_derived(&self) -> bool {
        let expected = self.expected();
        let deviation = expected.sqrt();
        (self.undetected as f64 - expected).abs() <= 5.0 * deviation + f64::from(expected > 0.0)
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "pairings      {}", self.runs)?;
        if let Some((_, bits)) = self.cheat {
            let expected = self.expected();
            writeln!(
                f,
                "undetected    {} (derived: {expected:.1}, with words of {bits} bits)",
                self.undetected
            )?;
        }
        writeln!(f, "messages      {}", self.messages)?;
        writeln!(f, "revealed      {}", self.reveals)?;
        writeln!(f, "restarts      {}", self.restarts)?;
        writeln!(f, "broken links  {}", self.breaks)
    }
}
