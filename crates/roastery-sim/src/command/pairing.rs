use std::{process::ExitCode, time::Instant};

use clap::Args;
use roastery_sim::pairing::{Cheat, Totals, play};

#[derive(Args)]
pub(super) struct Pairing {
    /// The number of pairings to play.
    #[arg(long, default_value_t = 1000)]
    runs: u64,
    /// The seed of the first one; the others follow.
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// An attacker: roster, chat, stolen-line, altered-card, grinding or breaking-off. Without one
    /// all are honest, with restarts and broken connections.
    #[arg(long, value_parser = cheat)]
    cheat: Option<Cheat>,
    /// With an attacker: how many bits of each word people compare, 1 to 11.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=11))]
    bits: u32,
}

impl Pairing {
    pub(super) fn execute(self) -> ExitCode {
        let begun = Instant::now();
        let kind = self.cheat.map(|cheat| (cheat, self.bits));
        let mut totals = Totals::of(kind);
        for seed in self.first_seed..self.first_seed.saturating_add(self.runs) {
            match play(seed, kind) {
                Ok(played) => totals.add(played),
                Err(violation) => {
                    println!("violated at seed {seed}: {violation}");
                    return ExitCode::FAILURE;
                }
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        if !totals.is_as_derived() {
            println!("not the derived rate\n{totals}wall time     {seconds:.1} s");
            return ExitCode::FAILURE;
        }
        println!("no violation\n{totals}wall time     {seconds:.1} s");
        ExitCode::SUCCESS
    }
}

fn cheat(name: &str) -> Result<Cheat, String> {
    let known = Cheat::ALL.into_iter().find(|(known, _)| *known == name);
    known.map(|(_, cheat)| cheat).ok_or_else(|| {
        let names: Vec<&str> = Cheat::ALL.iter().map(|(name, _)| *name).collect();
        format!("known are {}", names.join(", "))
    })
}
