use std::{collections::BTreeMap, fmt, time::Duration};

use roastery_protocol::keygen::{ReportPhase, StopReason};

use super::Played;

/// The sums over a campaign.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Key generations played.
    pub runs: usize,
    /// Of them: all honest members hold the certificate.
    pub done: usize,
    /// Some of them do.
    pub partly: usize,
    /// None does, and a member is named as being at fault.
    pub refused: usize,
    /// None does, and the lifetime is over.
    pub expired: usize,
    /// Whose key has signed in a real session.
    pub sessions: usize,
    /// Their duration in virtual time.
    pub virtual_time: Duration,
    /// Messages sent, one for each receiver.
    pub messages: usize,
    /// Nodes that were opened again.
    pub restarts: usize,
    /// What honest members have found, by kind.
    pub misbehaviours: BTreeMap<&'static str, usize>,
}

impl Totals {
    /// Adds one scenario.
    pub fn add(&mut self, played: &Played) {
        self.runs += 1;
        let phases = || played.reports.values().map(|report| report.phase);
        let faulty = |phase| matches!(phase, ReportPhase::Ended(StopReason::Faulty { .. }));
        match phases().filter(|phase| matches!(phase, ReportPhase::Done(_))).count() {
            0 if phases().any(faulty) => self.refused += 1,
            0 => self.expired += 1,
            some if some == played.reports.len() => self.done += 1,
            _ => self.partly += 1,
        }
        self.sessions += usize::from(played.session);
        self.virtual_time += played.virtual_time;
        self.messages += played.messages;
        self.restarts += played.restarts;
        for (misbehaviour, count) in &played.misbehaviours {
            *self.misbehaviours.entry(misbehaviour).or_default() += count;
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, done, partly, refused, expired, sessions, .. } = self;
        writeln!(f, "generations   {runs}")?;
        writeln!(f, "done          {done}, and {partly} for a part of the honest members")?;
        writeln!(f, "refused       {refused} because of a fault, {expired} expired")?;
        writeln!(f, "sessions      {sessions} signed with the new key")?;
        writeln!(f, "virtual time  {:.1} h", self.virtual_time.as_secs_f64() / 3600.0)?;
        writeln!(f, "messages      {}", self.messages)?;
        writeln!(f, "restarts      {}", self.restarts)?;
        for (misbehaviour, count) in &self.misbehaviours {
            writeln!(f, "found         {count} of {misbehaviour}")?;
        }
        Ok(())
    }
}
