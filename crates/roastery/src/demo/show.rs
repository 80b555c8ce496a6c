//! The output for a user. None of it is printed with `--json`.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use bitcoin::{Transaction, hex::DisplayHex as _};
use indicatif::{ProgressBar, ProgressStyle};
use roastery_frost::XOnlyPublicKey;
use roastery_protocol::{
    Seat,
    member::machine::{Event, Report},
    request::Taproot,
};

use super::{
    group::KeyOrigin,
    options::Settings,
    outcome::{Finished, NodeEvent},
    spend,
};

/// Above this size members are shown together, not one by one.
const SHOWN_ONE_BY_ONE: usize = 10;

pub(super) struct Show {
    on: bool,
    signers: usize,
    threshold: usize,
    taproot: Taproot,
    bar: ProgressBar,
    seen: RefCell<Seen>,
}

/// The counts of the progress display.
#[derive(Default)]
struct Seen {
    shares: usize,
    holders: usize,
}

impl Show {
    pub(super) fn new(plan: &Settings) -> Self {
        let on = !plan.json;
        let bar = if on { ProgressBar::new(plan.signers as u64) } else { ProgressBar::hidden() };
        // The template is constant and valid; without it the bar would have its default style.
        if let Ok(style) = ProgressStyle::with_template("  [{elapsed_precise}] {bar:30} {msg}") {
            bar.set_style(style);
        }
        let taproot = plan.derivation.taproot.clone();
        let (signers, threshold) = (plan.signers, plan.threshold);
        let show = Self { on, signers, threshold, taproot, bar, seen: RefCell::default() };
        show.say(&format!("A group of {signers}, of whom {threshold} must sign.\n"));
        show
    }

    /// The current step, beside the bar, which goes on between events.
    pub(super) fn stage(&self, what: &str) {
        if self.on {
            self.bar.set_message(what.to_owned());
            self.bar.enable_steady_tick(Duration::from_millis(100));
        }
    }

    /// The origin of the key.
    pub(super) fn origin(&self, origin: &KeyOrigin) {
        match origin {
            KeyOrigin::Dealer => {
                self.say("Key           made by a trusted dealer in this process, which has known all of it:");
                self.say(
                    "              for demonstration only; a real group makes its key together",
                );
            }
            KeyOrigin::Keygen(made) => {
                let n = self.signers;
                self.say(&format!("Fingerprint   {}", made.fingerprint));
                self.say("              (of name, threshold and members: what people compare before they begin)");
                self.say(&format!(
                    "Key           made by all {n} together (ChillDKG); its certificate is signed by each of them"
                ));
                let times = &made.times;
                for (what, time) in [
                    ("all keys and cards drawn in", times.drawn),
                    ("transcript of all first messages after", times.offered),
                    ("signed by all after", times.signed),
                    ("certificate at the first member after", times.first),
                    ("certificate at the last member after", times.last),
                ] {
                    self.say(&format!("              {what:<38} {:>10}", milliseconds(time)));
                }
            }
        }
    }

    fn say(&self, line: &str) {
        if self.on {
            self.bar.suspend(|| say!("{line}"));
        }
    }

    pub(super) fn key(&self, key: &XOnlyPublicKey) {
        let kind = match &self.taproot {
            Taproot::Untweaked => {
                "the threshold public key itself, without a Taproot tweak".to_owned()
            }
            Taproot::KeyPathOnly => "tweaked for a Taproot output without scripts".to_owned(),
            Taproot::ScriptRoot(root) => {
                format!("tweaked for the script root {}", root.to_lower_hex_string())
            }
        };
        self.say(&format!("Public key    {key}\n              ({kind})"));
        self.say(&format!("Address       {}", spend::address(key)));
    }

    pub(super) fn messages(&self, messages: &[[u8; 32]], transaction: bool) {
        for (number, message) in messages.iter().enumerate() {
            let name = if number == 0 { "To be signed" } else { "" };
            self.say(&format!("{name:<14}{}", message.to_lower_hex_string()));
        }
        if transaction {
            self.say("              (BIP-341 signature hash of a transaction that spends from that address)");
        }
    }

    pub(super) fn faulty(&self, silent: &BTreeSet<Seat>, spoilers: &BTreeSet<Seat>) {
        if !silent.is_empty() {
            self.say(&format!("Silent        {}: never answering", members(silent)));
        }
        if !spoilers.is_empty() {
            self.say(&format!("Byzantine     {}: giving bad shares", members(spoilers)));
        }
        self.say("\n     time  what happens");
    }

    pub(super) fn happening(&self, happening: &NodeEvent) {
        if !self.on {
            return;
        }
        self.progress(&happening.event, happening.seat);
        if let Some(line) = self.line(happening.seat, &happening.event) {
            self.say(&format!("{:>9}  {line}", milliseconds(happening.at)));
        }
    }

    /// Updates the bar.
    fn progress(&self, event: &Event, seat: Seat) {
        let mut seen = self.seen.borrow_mut();
        match event {
            Event::ShareReleased { .. } => seen.shares += 1,
            Event::Signed(_) => seen.holders += 1,
            _ => {}
        }
        let shares = seen.shares.min(self.threshold);
        self.bar.set_position(seen.holders as u64);
        self.bar.set_message(format!(
            "shares {shares} of {}, signature at {} of {} (seat {seat})",
            self.threshold, seen.holders, self.signers
        ));
    }

    fn line(&self, seat: Seat, event: &Event) -> Option<String> {
        let few = self.signers <= SHOWN_ONE_BY_ONE;
        Some(match event {
            Event::Reigning { .. } => format!("seat {seat} coordinates"),
            Event::PackageIssued { number, signers, .. } => format!(
                "seat {seat} issues package {number}: {} are to sign",
                members(&signers.iter().copied().collect())
            ),
            Event::ShareReleased { .. } if few => format!("seat {seat} gives its share"),
            Event::Signed(_) if few => format!("seat {seat} has the signature"),
            Event::Signed(_) if self.seen.borrow().holders == 1 => {
                format!("seat {seat} has the signature, first of all")
            }
            Event::Proven { fault, .. } => {
                format!("seat {seat} holds a proof against seat {}: {}", fault.accused, fault.fault)
            }
            Event::Refused { seat: refuser, reason, .. } => {
                format!("seat {seat} hears that seat {refuser} does not take part: {reason}")
            }
            Event::Stopped { reason, .. } => format!("seat {seat} stops: {reason}"),
            _ => return None,
        })
    }

    pub(super) fn over(&self) {
        self.bar.finish_and_clear();
    }

    pub(super) fn end(
        &self,
        key: &XOnlyPublicKey,
        finished: &Finished,
        spent: Option<&Transaction>,
        evidence: Option<&Path>,
    ) {
        self.say("");
        self.say(&format!("Public key    {key}"));
        self.say(&format!("Address       {}", spend::address(key)));
        for (number, signature) in finished.signatures.iter().enumerate() {
            let text = signature.to_string();
            let (one, two) = text.split_at(text.len() / 2);
            let name = if number == 0 { "Signature" } else { "" };
            self.say(&format!("{name:<14}{one}\n              {two}"));
        }
        let origin = &finished.origin;
        let signers: BTreeSet<Seat> = origin.signers.iter().copied().collect();
        self.say(&format!(
            "Signed by     {}, coordinated by seat {}",
            members(&signers),
            origin.coordinator
        ));
        self.say(&format!(
            "Time          {} to the signature, {} until {} nodes held it; {} by then",
            milliseconds(finished.first),
            milliseconds(finished.last),
            finished.holders,
            match finished.coordinators {
                1 => "1 coordinator".to_owned(),
                more => format!("{more} coordinators"),
            }
        ));
        self.say("Verified      by libsecp256k1 (BIP-340), apart from this project's own code");
        if let Some(transaction) = spent {
            self.say(&format!(
                "Spent         transaction {} is accepted by Bitcoin Core's consensus code",
                transaction.compute_txid()
            ));
        }
        for (finding, proof) in &finished.proofs {
            self.say(&format!(
                "Proof         against seat {}: {} ({} bytes)",
                finding.accused,
                finding.fault,
                proof.encode().len()
            ));
        }
        if let Some(folder) = evidence {
            self.say(&format!("Written       group file and proofs to {}", folder.display()));
        }
    }
}

/// Which members are waited for, for what and since when: one line for each, whichever node waits.
pub(super) fn awaited(reports: &[(Seat, Report)]) -> Vec<String> {
    let mut lines: BTreeMap<(Seat, Seat, String), (Duration, BTreeSet<Seat>)> = BTreeMap::new();
    for (by, report) in reports {
        for one in &report.awaited {
            let key = (one.coordinator, one.seat, one.thing.to_string());
            let entry = lines.entry(key).or_insert((one.since, BTreeSet::new()));
            entry.0 = entry.0.min(one.since);
            entry.1.insert(*by);
        }
    }
    lines
        .into_iter()
        .map(|((coordinator, seat, thing), (since, by))| {
            format!(
                "seat {seat} is awaited for {thing} since {} by {}, where seat {coordinator} coordinates",
                milliseconds(since),
                members(&by)
            )
        })
        .collect()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// Seats in words, with runs of three and more joined: `seats 0, 2 and 5-9`.
fn members(seats: &BTreeSet<Seat>) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for seat in seats.iter().map(|seat| seat.to_u16()) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == seat => *last = seat,
            _ => runs.push((seat, seat)),
        }
    }
    let mut parts: Vec<String> = Vec::new();
    for (first, last) in runs {
        match last - first {
            0 => parts.push(first.to_string()),
            1 => parts.extend([first.to_string(), last.to_string()]),
            _ => parts.push(format!("{first}-{last}")),
        }
    }
    let word = if seats.len() == 1 { "seat" } else { "seats" };
    match parts.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{word} {} and {last}", rest.join(", ")),
        Some((last, _)) => format!("{word} {last}"),
        None => "no member".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_named_in_words_with_long_runs_drawn_together() {
        let named =
            |seats: &[u32]| members(&seats.iter().map(|id| Seat::new(*id).unwrap()).collect());
        assert_eq!(named(&[3]), "seat 3");
        assert_eq!(named(&[0, 1]), "seats 0 and 1");
        assert_eq!(named(&[0, 2, 5, 6, 7, 8]), "seats 0, 2 and 5-8");
        assert_eq!(named(&[]), "no member");
    }
}
