use std::{fmt, time::Duration};

use super::Played;

/// The sums over a campaign.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Chains of changes played.
    pub runs: usize,
    /// Certified epochs after the first.
    pub epochs: usize,
    /// The number of the greatest epoch of all.
    pub deepest: u32,
    /// Shares and host keys erased by honest members.
    pub erased: usize,
    /// Their duration in virtual time.
    pub virtual_time: Duration,
    /// Messages sent, one for each receiver.
    pub messages: usize,
    /// Nodes that were opened again.
    pub restarts: usize,
}

impl Totals {
    /// Adds one scenario.
    pub fn add(&mut self, played: &Played) {
        self.runs += 1;
        self.epochs += played.epochs;
        self.deepest = self.deepest.max(played.deepest);
        self.erased += played.erased;
        self.virtual_time += played.virtual_time;
        self.messages += played.messages;
        self.restarts += played.restarts;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, epochs, deepest, erased, .. } = self;
        writeln!(f, "chains        {runs}")?;
        writeln!(f, "epochs        {epochs} certified, the greatest number {deepest}")?;
        writeln!(f, "erased        {erased} shares and host keys")?;
        writeln!(f, "virtual time  {:.1} h", self.virtual_time.as_secs_f64() / 3600.0)?;
        writeln!(f, "messages      {}", self.messages)?;
        writeln!(f, "restarts      {}", self.restarts)
    }
}
