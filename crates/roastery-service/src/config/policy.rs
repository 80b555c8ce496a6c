//! What a node signs, and who approves what the rules allow.

use std::time::Duration;

use bitcoin::Network;
use roastery_bitcoin::policy::{Review, Rules};
use serde::Deserialize;

use super::ConfigError;

/// What a node signs. A rule that does not hold refuses; what passes all rules is approved as
/// `approval` says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Who approves what the rules allow.
    pub approval: Approval,
    /// The command that is asked, with its arguments, if `approval` is `command`. Relative to the
    /// folder.
    pub command: Vec<String>,
    /// How long the command may take, in seconds.
    pub command_timeout_seconds: u64,
    /// How long its answer counts, in seconds: it is asked again in time.
    pub command_validity_seconds: u64,
    /// The kinds of subjects that may be signed at all.
    pub kinds: Vec<SubjectKind>,
    /// The most requests that are approved in an hour; 0 means any number.
    pub most_per_hour: u32,
    /// The longest life of a request from when it was heard of, in seconds.
    pub longest_life_seconds: u64,
    /// What transactions may do.
    pub transactions: Rules,
}

/// Who approves what the rules allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Approval {
    /// The operator, one by one.
    Manual,
    /// A local command.
    Command,
    /// Nobody: the rules are enough.
    Automatic,
}

/// What a request may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    /// Bare hashes, about which nothing is known.
    Hash,
    /// A text.
    Text,
    /// A transaction.
    Transaction,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            approval: Approval::Manual,
            command: Vec::new(),
            command_timeout_seconds: 30,
            command_validity_seconds: 60,
            kinds: vec![SubjectKind::Text, SubjectKind::Transaction],
            most_per_hour: 0,
            longest_life_seconds: 7 * 24 * 60 * 60,
            transactions: Rules::default(),
        }
    }
}

impl PolicyConfig {
    /// How long the command may take.
    pub fn command_timeout(&self) -> Duration {
        Duration::from_secs(self.command_timeout_seconds)
    }

    /// How long its answer counts.
    pub fn command_validity(&self) -> Duration {
        Duration::from_secs(self.command_validity_seconds)
    }

    /// What becomes of a transaction that the rules allow.
    pub fn review(&self) -> Review {
        match self.approval {
            Approval::Manual => Review::Shown,
            Approval::Command => Review::ShownToCommand,
            Approval::Automatic => Review::RulesAlone,
        }
    }

    pub(super) fn check(&self, network: Network) -> Result<(), ConfigError> {
        self.transactions.clone().check(network, self.review()).map_err(|error| {
            ConfigError::Value { option: "policy.transactions", reason: error.to_string() }
        })?;
        if self.approval == Approval::Command && self.command.is_empty() {
            let reason = "is needed where policy.approval is \"command\"".to_owned();
            return Err(ConfigError::Value { option: "policy.command", reason });
        }
        let day = 24 * 60 * 60;
        for (option, seconds) in [
            ("policy.command_timeout_seconds", self.command_timeout_seconds),
            ("policy.command_validity_seconds", self.command_validity_seconds),
        ] {
            if !(1..=day).contains(&seconds) {
                let reason = format!("{seconds}; 1 to {day} are allowed");
                return Err(ConfigError::Value { option, reason });
            }
        }
        Ok(())
    }
}
