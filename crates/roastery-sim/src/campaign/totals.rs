use std::{collections::BTreeMap, fmt, time::Duration};

use roastery_protocol::proof::FaultKind;

use super::Played;

/// The sums over a campaign.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Scenarios played.
    pub runs: usize,
    /// Their duration in virtual time.
    pub virtual_time: Duration,
    /// Nodes that got the signatures.
    pub signatures: usize,
    /// Packages issued.
    pub packages: usize,
    /// Messages sent, one for each receiver.
    pub messages: usize,
    /// Seats proven faulty, by kind of fault.
    pub proofs: BTreeMap<FaultKind, usize>,
    /// Claims that the framing checker tried against honest members.
    pub accusations: usize,
}

impl Totals {
    /// Adds one scenario.
    pub fn add(&mut self, played: &Played) {
        self.runs += 1;
        self.virtual_time += played.virtual_time;
        self.signatures += played.signatures;
        self.packages += played.packages;
        self.messages += played.messages;
        self.accusations += played.accusations;
        for fault in played.proven.values().flatten() {
            *self.proofs.entry(*fault).or_default() += 1;
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "scenarios     {}", self.runs)?;
        writeln!(f, "virtual time  {:.1} h", self.virtual_time.as_secs_f64() / 3600.0)?;
        writeln!(f, "signatures    {}", self.signatures)?;
        writeln!(f, "packages      {}", self.packages)?;
        writeln!(f, "messages      {}", self.messages)?;
        writeln!(f, "accusations   {} tried against honest members", self.accusations)?;
        for (fault, count) in &self.proofs {
            writeln!(f, "proofs        {count} of {fault}")?;
        }
        Ok(())
    }
}
