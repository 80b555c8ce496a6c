//! The options of a simulation that plays a series of seeds, or one of them.

use std::{fmt, process::ExitCode};

use clap::Args;
use roastery_sim::{campaign::Game, trace::Detail, violation::Violation};

use super::{
    replay::show,
    series::{Series, Words},
};

#[derive(Args)]
pub(super) struct Single {
    #[command(flatten)]
    series: Series,
    /// Plays the simulation of this seed only and prints the result.
    #[arg(long, conflicts_with_all = ["runs", "first_seed", "seconds"])]
    seed: Option<u64>,
    /// Shows all that happens in it.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// If something is violated in it, makes the scenario smaller first.
    #[arg(long, requires = "seed")]
    shrink: bool,
}

impl Single {
    /// Plays what was asked for. `played` returns the number of scenarios in the totals, `further`
    /// what is printed of one result beside its trace.
    pub(super) fn execute<G>(
        &self,
        words: &Words,
        played: impl Fn(&G::Totals) -> usize + Sync,
        further: impl Fn(&G::Played) -> Vec<String>,
    ) -> ExitCode
    where
        G: Game + fmt::Display,
        G::Totals: fmt::Display,
        Violation<G::Invariant>: fmt::Display,
    {
        let detail = if self.trace { Detail::Lines } else { Detail::Hash };
        match self.seed {
            Some(seed) => show::<G>(seed, self.shrink, detail, further),
            None => self.series.play::<G>(words, played),
        }
    }
}
