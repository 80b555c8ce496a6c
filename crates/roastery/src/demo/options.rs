use std::{path::PathBuf, time::Duration};

use clap::Args;
use roastery_protocol::request::{Derivation, MAX_MESSAGES, Taproot};

use crate::{files::check_new, values};

/// What `roastery demo` is asked for, as it was typed.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// How many members the group has: 2 to 128
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = members)]
    signers: usize,
    /// How many of them must sign: 2 to the number of members
    #[arg(long, value_name = "T", default_value_t = 3, value_parser = members)]
    threshold: usize,
    /// A message to sign, 32 bytes in hexadecimal; may be given up to 64 times [default: the hash
    /// of a real transaction]
    #[arg(long = "message", value_name = "HEX", value_parser = values::hash)]
    messages: Vec<[u8; 32]>,
    /// The Merkle root of the output's scripts, 32 bytes in hexadecimal [default: no scripts, key
    /// path only]
    #[arg(long, value_name = "HEX", value_parser = values::hash, conflicts_with = "untweaked")]
    merkle_root: Option<[u8; 32]>,
    /// Sign under the threshold public key itself, without a Taproot tweak
    #[arg(long)]
    untweaked: bool,
    /// How many members never answer: at most the number of members less the threshold
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = count)]
    offline: usize,
    /// How many members send bad shares: with those offline, at most the number of members less the
    /// threshold
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = count)]
    byzantine: usize,
    /// Have a trusted dealer make the key, who knows all of it, instead of all members together
    #[arg(long)]
    dealer: bool,
    /// Write the recovery file and the members' host keys into this folder, to try roastery recover
    /// with
    #[arg(long, value_name = "FOLDER", conflicts_with = "dealer")]
    recovery: Option<PathBuf>,
    /// Write the group file and each proof that results into this folder
    #[arg(long, value_name = "FOLDER")]
    evidence: Option<PathBuf>,
    /// How long to wait for the signature, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    deadline: Duration,
    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
    /// Show a group of five in the browser console of one of its members, while it signs: one
    /// coordinator goes silent, and one member sends bad shares
    #[arg(long, conflicts_with_all = ["signers", "threshold", "messages", "merkle_root", "untweaked", "offline", "byzantine", "dealer", "recovery", "evidence", "deadline", "json"])]
    pub(super) console: bool,
    /// With --console: end after this many seconds [default: with Ctrl-C, or with the terminal]
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds, requires = "console")]
    pub(super) time: Option<Duration>,
}

/// The options, checked as a whole.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) signers: usize,
    pub(crate) threshold: usize,
    /// Empty for the hash of a real transaction.
    pub(crate) messages: Vec<[u8; 32]>,
    pub(crate) derivation: Derivation,
    pub(crate) offline: usize,
    pub(crate) byzantine: usize,
    /// Whether a dealer makes the key.
    pub(crate) dealer: bool,
    /// The folder of the recovery file and the host keys.
    pub(crate) recovery: Option<PathBuf>,
    /// The folder of the proofs.
    pub(crate) evidence: Option<PathBuf>,
    pub(crate) deadline: Duration,
    pub(crate) json: bool,
}

impl Options {
    /// Checks rules over several options. The error is one line.
    pub(crate) fn plan(&self) -> Result<Settings, String> {
        let (n, t) = (self.signers, self.threshold);
        if t > n {
            return Err(format!(
                "--threshold {t} with --signers {n}: the threshold is 2 to the number of signers"
            ));
        }
        if self.messages.len() > MAX_MESSAGES {
            return Err(format!(
                "{} times --message: 1 to {MAX_MESSAGES} are allowed",
                self.messages.len()
            ));
        }
        let most = n - t;
        if self.offline > most {
            return Err(format!(
                "--offline {} leaves {} of {n} members and {t} must sign: at most {most} may be offline",
                self.offline,
                n.saturating_sub(self.offline)
            ));
        }
        if self.offline + self.byzantine > most {
            return Err(format!(
                "--offline {} and --byzantine {} of {n} members, of whom {t} must sign: at most {most} together",
                self.offline, self.byzantine
            ));
        }
        // Existing host keys are not overwritten: checked before anything is made.
        if let Some(folder) = &self.recovery {
            check_new(&folder.join("host-key-of-seat-0"))
                .or_else(|reason| if folder.is_dir() { Err(reason) } else { Ok(()) })
                .map_err(|_| {
                    format!(
                        "--recovery {}: there are host keys of another run in this folder; give a new folder, or remove it",
                        folder.display()
                    )
                })?;
        }
        let taproot = match (self.merkle_root, self.untweaked) {
            (Some(root), _) => Taproot::ScriptRoot(root),
            (None, true) => Taproot::Untweaked,
            (None, false) => Taproot::KeyPathOnly,
        };
        Ok(Settings {
            signers: n,
            threshold: t,
            messages: self.messages.clone(),
            derivation: Derivation { path: Vec::new(), taproot },
            offline: self.offline,
            byzantine: self.byzantine,
            dealer: self.dealer,
            recovery: self.recovery.clone(),
            evidence: self.evidence.clone(),
            deadline: self.deadline,
            json: self.json,
        })
    }
}

fn members(text: &str) -> Result<usize, String> {
    values::number(text, 2, 128)
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 0..=126) => Ok(number),
        _ => Err("allowed is 0 to the number of signers less the threshold".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    const MOST: f64 = 86_400.0;
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= MOST => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("allowed is a number of seconds above 0 and up to {MOST}")),
    }
}
