use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, ValueEnum};
use rand::seq::SliceRandom as _;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::{Attempt, Seat, election::Order, signing::Settings};
use roastery_sim::{
    members::Members,
    network::Links,
    report::{Report, measure_series},
    scenario::Attack,
    signing::{Compute, Setup},
};

use super::{bad_input, table};

#[derive(Args, Clone)]
pub(super) struct Run {
    /// n: members of the group, 2 to 128.
    #[arg(long, default_value_t = 5)]
    pub(super) signers: usize,
    /// t: members that it takes.
    #[arg(long, default_value_t = 3)]
    pub(super) threshold: usize,
    /// Faulty members, at most n - t.
    #[arg(long, default_value_t = 0)]
    pub(super) faulty: usize,
    /// What they do: none, static, coordinated, adaptive, or the name of a behaviour.
    #[arg(long, default_value = "none", value_parser = attack)]
    pub(super) attack: String,
    /// The faulty ones are those that coordinate first, instead of any but the first coordinator.
    #[arg(long)]
    pub(super) first: bool,
    /// The network's round trip: a number with ms or s.
    #[arg(long, default_value = "153ms", value_parser = duration)]
    pub(super) rtt: Duration,
    /// Each message takes up to this much longer.
    #[arg(long, default_value = "0ms", value_parser = duration)]
    pub(super) jitter: Duration,
    /// The part of messages that is lost, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = part)]
    pub(super) loss: f64,
    /// Messages to sign, 1 to 64.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) messages: u8,
    /// After how long without a signature the live attempts double.
    #[arg(long, default_value = "2s", value_parser = duration)]
    pub(super) interval: Duration,
    /// How long a first package is waited for.
    #[arg(long, default_value = "1s", value_parser = duration)]
    pub(super) patience: Duration,
    /// Whether honest computing time is part of virtual time.
    #[arg(long, value_enum, default_value = "measured")]
    pub(super) compute: ComputeTime,
    /// How many sessions the group plays one after the other, the members remembering what each has
    /// shown of the others.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(super) sessions: u64,
    /// What everything is drawn from.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// The report as a JSON object.
    #[arg(long)]
    pub(super) json: bool,
    /// The ROAST paper's table, beside the figures that its reference implementation has published.
    #[arg(long)]
    pub(super) table: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ComputeTime {
    Measured,
    Free,
}

impl Run {
    pub(super) fn execute(self) -> ExitCode {
        if self.table {
            return table::execute(&self, self.json);
        }
        match self.play() {
            Ok(reports) if self.json => {
                let text = match reports.as_slice() {
                    [only] => serde_json::to_string_pretty(only),
                    several => serde_json::to_string_pretty(several),
                };
                match text {
                    Ok(text) => println!("{text}"),
                    Err(error) => return bad_input(&error.to_string()),
                }
            }
            Ok(reports) => {
                let texts: Vec<String> = reports.iter().map(Report::to_string).collect();
                print!("{}", texts.join("\n"));
            }
            Err(what) => return bad_input(&what),
        }
        ExitCode::SUCCESS
    }

    pub(super) fn play(&self) -> Result<Vec<Report>, String> {
        let Self { signers, threshold, faulty, .. } = *self;
        if !(2..=128).contains(&signers) || !(2..=signers).contains(&threshold) {
            return Err(format!("{threshold} of {signers}: 2 <= threshold <= signers <= 128"));
        }
        if faulty > signers - threshold {
            return Err(format!(
                "{faulty} faulty of {signers}: at most {} can be borne",
                signers - threshold
            ));
        }
        if faulty > 0 && self.attack == "none" {
            return Err(format!("{faulty} faulty, but no attack"));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let members = Members::make(threshold, signers, &mut rng);
        let seats = self.in_order_of_fault(&members, &mut rng);
        let liars: BTreeSet<Seat> = seats.into_iter().take(faulty).collect();
        let attack = Attack::named(&self.attack, liars).ok_or("no such attack")?;
        let setup = Setup {
            seed: self.seed,
            messages: usize::from(self.messages),
            links: Links { jitter: self.jitter, loss: self.loss, ..Links::heal(self.rtt) },
            settings: Settings {
                interval: self.interval,
                patience: self.patience,
                ..Settings::default()
            },
            compute: match self.compute {
                ComputeTime::Measured => Compute::Measured,
                ComputeTime::Free => Compute::Free,
            },
            script: Vec::new(),
            late: Vec::new(),
            clock_errors_ms: Vec::new(),
            records: BTreeMap::new(),
        };
        Ok(measure_series(members, &attack, setup, self.sessions))
    }

    /// The seats in the order in which they become faulty.
    fn in_order_of_fault(&self, members: &Members, rng: &mut ChaCha8Rng) -> Vec<Seat> {
        let session = members.request(self.seed, usize::from(self.messages)).session_id();
        let order = Order::of(session, members.group.seats());
        let attempts = (0..members.group.size() as u32).filter_map(Attempt::new);
        let mut seats: Vec<Seat> = attempts.map(|attempt| order.coordinator(attempt)).collect();
        if !self.first {
            // As in the ROAST paper the attackers sign, and an honest member coordinates.
            seats[1..].shuffle(rng);
            seats.rotate_left(1);
        }
        seats
    }
}

fn attack(name: &str) -> Result<String, String> {
    if Attack::names().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    Err(format!("known are {}", Attack::names().collect::<Vec<_>>().join(", ")))
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1e-3),
        (None, Some(number)) => (number, 1.0),
        (None, None) => (text, f64::NAN),
    };
    match number.parse::<f64>().map(|number| number * unit) {
        Ok(seconds) if (0.0..=1e6).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("allowed is a number with its unit, like 153ms or 2s".to_owned()),
    }
}

fn part(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(part) if (0.0..=1.0).contains(&part) => Ok(part),
        _ => Err("allowed is 0 to 1".to_owned()),
    }
}
