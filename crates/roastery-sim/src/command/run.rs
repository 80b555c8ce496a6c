use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use clap::{Args, ValueEnum};
use rand::seq::SliceRandom as _;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::{Seat, election::Order};
use roastery_sim::{
    members::Members,
    network::Links,
    signing::{
        Behaviour, Compute, Setup,
        report::{Approvals, Report, measure},
    },
};

use super::bad_input;

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
    /// What they do: the name of a behaviour; static, coordinated and adaptive are the stallers of
    /// the ROAST paper.
    #[arg(long, value_parser = attack)]
    pub(super) attack: Option<Behaviour>,
    /// The faulty ones are those that coordinate first, instead of any but the first coordinator.
    #[arg(long)]
    pub(super) first: bool,
    /// The network's round trip: a number with ms or s.
    #[arg(long, default_value = "153ms", value_parser = duration)]
    pub(super) rtt: Duration,
    /// Each message takes up to this much longer.
    #[arg(long, default_value = "0ms", value_parser = duration)]
    pub(super) jitter: Duration,
    /// Messages to sign, 1 to 64.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) messages: u8,
    /// One node proposes the request, and the others approve by their rules alone.
    #[arg(long, conflicts_with = "wait")]
    pub(super) propose: bool,
    /// How long the session waits for the last of t approvals; without it all approve at once.
    #[arg(long, value_parser = duration)]
    pub(super) wait: Option<Duration>,
    /// A node that has approved restarts 10 s before the last approval.
    #[arg(long, requires = "wait")]
    pub(super) restart: bool,
    /// Whether honest computing time is part of virtual time.
    #[arg(long, value_enum, default_value = "free")]
    pub(super) compute: ComputeTime,
    /// How many sessions the group plays one after the other.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(super) sessions: u64,
    /// What everything is drawn from.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// The report as a JSON object.
    #[arg(long)]
    pub(super) json: bool,
    /// A table of what is measured, beside the goals of version 2. The round trip, the computing
    /// time and the seed are those of the other options.
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
        let coalition = match (faulty, self.attack) {
            (0, None) => BTreeMap::new(),
            (0, Some(attack)) => return Err(format!("attack {attack}, but none is faulty")),
            (_, None) => return Err(format!("{faulty} faulty, but no attack")),
            (_, Some(attack)) => {
                let members = self.members();
                let seats = self.in_order_of_fault(&members).into_iter().take(faulty);
                seats.map(|seat| (seat, attack)).collect()
            }
        };
        let setup = Setup {
            requests: vec![usize::from(self.messages); self.sessions as usize],
            links: Links { jitter: self.jitter, ..Links::heal(self.rtt) },
            compute: match self.compute {
                ComputeTime::Measured => Compute::Measured,
                ComputeTime::Free => Compute::Free,
            },
            coalition,
            by_rules: self.propose,
            ..Setup::quiet(self.seed, self.rtt)
        };
        let approvals = match self.wait {
            None if self.propose => Approvals::ByProposal,
            None => Approvals::AtOnce,
            Some(wait) if self.restart => Approvals::RestartBefore(wait),
            Some(wait) => Approvals::LastAfter(wait),
        };
        Ok(measure(self.members(), setup, &approvals))
    }

    fn members(&self) -> Members {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        Members::make(self.threshold, &vec![1; self.signers], &mut rng)
    }

    /// The seats in the order in which they become faulty.
    fn in_order_of_fault(&self, members: &Members) -> Vec<Seat> {
        let session = members.request(self.seed, usize::from(self.messages)).session_id();
        let mut seats = Order::of(session, members.group.seats()).into_seats();
        if !self.first {
            // As in the ROAST paper the attackers sign, and an honest member coordinates.
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0xfa);
            seats[1..].shuffle(&mut rng);
            seats.rotate_left(1);
        }
        seats
    }
}

fn attack(name: &str) -> Result<Behaviour, String> {
    let known = Behaviour::ALL.into_iter().find(|one| one.name() == name);
    known.ok_or_else(|| {
        let names: Vec<&str> = Behaviour::ALL.iter().map(|one| one.name()).collect();
        format!("known are {}", names.join(", "))
    })
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
