//! The simulator's command.

use std::{collections::BTreeSet, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use rand::seq::SliceRandom as _;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::{Seat, engine::FrostEngine, session::Settings};
use roastery_sim::{
    adversary::{Stallers, Stalling},
    members::Members,
    world::{Blind, Compute, Setup, World},
};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// One session, and what it took.
    Run(Run),
}

#[derive(Args)]
struct Run {
    #[arg(long, default_value_t = 5)]
    signers: usize,
    #[arg(long, default_value_t = 3)]
    threshold: usize,
    #[arg(long, default_value_t = 0)]
    faulty: usize,
    #[arg(long, value_enum, default_value = "static")]
    attack: Attack,
    #[arg(long, value_parser = milliseconds, default_value = "153ms")]
    rtt: Duration,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Attack {
    Static,
    Coordinated,
    Adaptive,
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix("ms").unwrap_or(text);
    match number.parse::<f64>() {
        Ok(number) if (0.0..=1e6).contains(&number) => Ok(Duration::from_secs_f64(number / 1e3)),
        _ => Err("allowed is a number of milliseconds, like 153ms".to_owned()),
    }
}

fn main() -> ExitCode {
    let Command::Run(run) = Arguments::parse().command;
    let mut rng = ChaCha8Rng::seed_from_u64(run.seed);
    let members = Members::make(run.threshold, run.signers, &mut rng);
    let mut seats: Vec<Seat> = members.group.seats().collect();
    seats.shuffle(&mut rng);
    let faulty: BTreeSet<Seat> = seats.into_iter().take(run.faulty).collect();
    let when = match run.attack {
        Attack::Static => Stalling::Static,
        Attack::Coordinated => Stalling::Coordinated,
        Attack::Adaptive => Stalling::Adaptive,
    };
    let setup = Setup {
        compute: Compute::Measured,
        settings: Settings { interval: Duration::from_secs(60), ..Settings::default() },
        ..Setup::calm(run.seed, run.rtt)
    };
    let mut world = World::<FrostEngine<ChaCha8Rng>, _, _>::new(
        members,
        Stallers::new(when, faulty),
        Blind,
        setup,
    );
    let signed = world.run_until_signed(Duration::from_secs(3600)).unwrap_or(false);
    println!(
        "signed {signed} at {:?}, packages {}, messages {}, bytes {}",
        world.signed_at(),
        world.counts.packages,
        world.counts.total(),
        world.counts.bytes
    );
    let busy: Vec<_> = world.nodes().iter().map(|node| node.busy).collect();
    println!("cpu total {:?} max {:?}", busy.iter().sum::<Duration>(), busy.iter().max());
    ExitCode::SUCCESS
}
