use std::{collections::BTreeMap, fmt, time::Duration};

use roastery_protocol::member::proof::FaultKind;

use super::Played;

/// The sums over a campaign.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Scenarios played.
    pub runs: usize,
    /// Their duration in virtual time.
    pub virtual_time: Duration,
    /// Nodes that got signatures, once for each request.
    pub signatures: usize,
    /// Scenarios whose requests were not all signed at the calm.
    pub waited: usize,
    /// The longest time from the calm to the signatures, and its seed.
    pub slowest: (Duration, u64),
    /// Packages issued.
    pub packages: usize,
    /// Messages sent, one for each receiver.
    pub messages: usize,
    /// Seats proven faulty, by kind of fault.
    pub proofs: BTreeMap<FaultKind, usize>,
    /// Claims that the framing checker tried.
    pub claims: usize,
}

impl Totals {
    /// Adds one scenario.
    pub fn add(&mut self, played: &Played) {
        self.runs += 1;
        self.virtual_time += played.virtual_time;
        self.signatures += played.signatures;
        self.packages += played.packages;
        self.messages += played.messages;
        self.claims += played.claims;
        if let Some(took) = played.took.filter(|took| !took.is_zero()) {
            self.waited += 1;
            self.slowest = self.slowest.max((took, played.seed));
        }
        for fault in played.proven.values().flatten() {
            *self.proofs.entry(*fault).or_default() += 1;
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (slowest, seed) = self.slowest;
        writeln!(f, "scenarios     {}", self.runs)?;
        writeln!(f, "virtual time  {:.1} h", self.virtual_time.as_secs_f64() / 3600.0)?;
        writeln!(f, "signatures    {}", self.signatures)?;
        writeln!(f, "waited        {} for the calm", self.waited)?;
        writeln!(f, "slowest       {:.3} s after the calm, seed {seed}", slowest.as_secs_f64())?;
        writeln!(f, "packages      {}", self.packages)?;
        writeln!(f, "messages      {}", self.messages)?;
        writeln!(f, "claims        {} tried against honest members", self.claims)?;
        for (fault, count) in &self.proofs {
            writeln!(f, "proofs        {count} of {fault}")?;
        }
        Ok(())
    }
}
