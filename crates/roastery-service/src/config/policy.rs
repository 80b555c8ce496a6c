//! The policy of a node: the rules, and the approval of requests that they allow.

use std::time::Duration;

use bitcoin::Network;
use roastery_bitcoin::policy::{Review, Rules};
use roastery_protocol::change::{AcceptedBy, ApprovedBy, ChangePolicy};
use roastery_protocol::request::{MAX_LIFETIME_SECONDS, Subject};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ConfigError, words::words};

/// The policy of a node. A request that breaks a rule is refused; one that passes all rules is
/// approved as `approval` says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Who approves the requests that the rules allow.
    pub approval: ApprovalMode,
    /// The approval command with its arguments, if `approval` is `command`. Relative to the folder.
    #[serde(deserialize_with = "words")]
    pub command: Vec<String>,
    /// The timeout of the command, in seconds.
    pub command_timeout_seconds: u64,
    /// How long its answer is valid, in seconds: it is asked again in time.
    pub command_validity_seconds: u64,
    /// The kinds of subjects that may be signed.
    pub kinds: Vec<SubjectKind>,
    /// Who approves proofs of funds (BIP-322).
    pub proofs_of_funds: ProofApproval,
    /// The most requests that are approved in an hour; 0 is no limit.
    pub most_per_hour: u32,
    /// The longest life of a request after it was received, in seconds.
    pub longest_life_seconds: u64,
    /// The most satoshi that leave with a payment that is approved from elsewhere; 0: none is.
    pub remote_most: u64,
    /// The same within 24 hours; as much as for one payment if absent.
    pub remote_most_per_day: Option<u64>,
    /// The rules for transactions.
    pub transactions: Rules,
    /// The rules for changes of the group.
    pub change: ChangeRules,
}

/// This node's rules for changes of a group. They bind its operator: a plan that breaks one is
/// neither approved nor accepted here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChangeRules {
    /// Who approves a plan, as an old member. Never a rule alone.
    pub approval: ChangeApproval,
    /// The command with its arguments, if `approval` is `command`. Relative to the folder.
    #[serde(deserialize_with = "words")]
    pub command: Vec<String>,
    /// Who accepts a plan, as a new member. One that joins always accepts by hand.
    pub accept: ChangeAcceptance,
    /// The fewest new members, however many seats each has.
    pub least_members: usize,
    /// The least that the number of new seats must be above the new threshold: how many seats may
    /// be away.
    pub least_margin: usize,
    /// The most members that may leave at once; any number if absent.
    pub most_leaving: Option<usize>,
    /// The fewest whole days between two epochs: since this node has adopted the one before.
    pub least_days_between: u32,
    /// Whether the threshold may fall, or the fewest members that have enough seats together.
    pub allow_lower_threshold: bool,
    /// The fewest members that have approved before this node deals. As many seats as must sign are
    /// needed in any case.
    pub least_approvals: usize,
}

/// Who approves a plan at an old member.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeApproval {
    /// A person.
    #[default]
    Manual,
    /// A local command, beside the person.
    Command,
}

/// Who accepts a plan at a new member.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeAcceptance {
    /// A person.
    #[default]
    Manual,
    /// The node itself, where it stays and as many old members have approved as must sign.
    Automatic,
}

impl ChangeRules {
    /// As the protocol takes them.
    pub fn policy(&self) -> ChangePolicy {
        ChangePolicy {
            approval: match self.approval {
                ChangeApproval::Manual => ApprovedBy::Person,
                ChangeApproval::Command => ApprovedBy::Command,
            },
            accept: match self.accept {
                ChangeAcceptance::Manual => AcceptedBy::Person,
                ChangeAcceptance::Automatic => AcceptedBy::Automatic,
            },
            least_members: self.least_members,
            least_margin: self.least_margin,
            most_leaving: self.most_leaving,
            least_days_between: self.least_days_between,
            allow_lower_threshold: self.allow_lower_threshold,
            least_approvals: self.least_approvals,
        }
    }
}

/// Who approves the requests that the rules allow.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalMode {
    /// The operator, each request.
    Manual,
    /// A local command.
    Command,
    /// The rules alone.
    Automatic,
}

impl ApprovalMode {
    /// Its word in the configuration and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Command => "command",
            Self::Automatic => "automatic",
        }
    }
}

/// Who approves proofs of funds that the rules allow: a text that is signed with coins beside it,
/// in a PSBT.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofApproval {
    /// The operator, each of them, whatever [`PolicyConfig::approval`] is.
    ByHand,
    /// As any other text: as [`PolicyConfig::approval`] says.
    AsTexts,
}

/// What a request may be about.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    /// Bare hashes, whose meaning is unknown.
    Hash,
    /// A text.
    Text,
    /// A transaction.
    Transaction,
}

impl SubjectKind {
    /// The kind of a subject.
    pub fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Hash => Self::Hash,
            Subject::Text(_) => Self::Text,
            Subject::Transaction(_) => Self::Transaction,
        }
    }

    /// Its word in the configuration and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Text => "text",
            Self::Transaction => "transaction",
        }
    }
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            approval: ApprovalMode::Manual,
            command: Vec::new(),
            command_timeout_seconds: 30,
            command_validity_seconds: 60,
            kinds: vec![SubjectKind::Text, SubjectKind::Transaction],
            proofs_of_funds: ProofApproval::ByHand,
            most_per_hour: 0,
            longest_life_seconds: 7 * 24 * 60 * 60,
            remote_most: 0,
            remote_most_per_day: None,
            transactions: Rules::default(),
            change: ChangeRules::default(),
        }
    }
}

impl PolicyConfig {
    /// The timeout of the command.
    pub fn command_timeout(&self) -> Duration {
        Duration::from_secs(self.command_timeout_seconds)
    }

    /// How long its answer is valid.
    pub fn command_validity(&self) -> Duration {
        Duration::from_secs(self.command_validity_seconds)
    }

    /// The most satoshi that leave within 24 hours with what is approved from elsewhere.
    pub fn remote_most_per_day(&self) -> u64 {
        self.remote_most_per_day.unwrap_or(self.remote_most)
    }

    /// What happens to a transaction that the rules allow.
    pub fn review(&self) -> Review {
        match self.approval {
            ApprovalMode::Manual => Review::Shown,
            ApprovalMode::Command => Review::ShownToCommand,
            ApprovalMode::Automatic => Review::RulesAlone,
        }
    }

    pub(super) fn check(&self, network: Network) -> Result<(), ConfigError> {
        self.transactions.clone().check(network, self.review()).map_err(|error| {
            ConfigError::Value { option: "policy.transactions", reason: error.to_string() }
        })?;
        if self.approval == ApprovalMode::Command && self.command.is_empty() {
            let reason = "is needed where policy.approval is \"command\"".to_owned();
            return Err(ConfigError::Value { option: "policy.command", reason });
        }
        if self.change.approval == ChangeApproval::Command && self.change.command.is_empty() {
            let reason = "is needed where policy.change.approval is \"command\"".to_owned();
            return Err(ConfigError::Value { option: "policy.change.command", reason });
        }
        let day = 24 * 60 * 60;
        for (option, seconds, most) in [
            ("policy.command_timeout_seconds", self.command_timeout_seconds, day),
            ("policy.command_validity_seconds", self.command_validity_seconds, day),
            // Of 0 seconds nothing would be signed, and above a week no request lives.
            ("policy.longest_life_seconds", self.longest_life_seconds, MAX_LIFETIME_SECONDS),
        ] {
            if !(1..=most).contains(&seconds) {
                let reason = format!("{seconds}; 1 to {most} are allowed");
                return Err(ConfigError::Value { option, reason });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rule_alone_approves_a_plan_and_a_command_is_named_where_one_does() {
        let read = |text: &str| toml::from_str::<PolicyConfig>(text);
        assert!(read("[change]\napproval = \"automatic\"").is_err());
        let config = read("[change]\naccept = \"automatic\"").unwrap();
        assert_eq!(config.change.policy().accept, AcceptedBy::Automatic);
        assert_eq!(config.change.policy().approval, ApprovedBy::Person);
        let config = read("[change]\napproval = \"command\"").unwrap();
        let error = config.check(Network::Regtest).unwrap_err().to_string();
        assert!(error.contains("policy.change.command"), "{error}");
        let config = read("[change]\napproval = \"command\"\ncommand = [\"./approve\"]").unwrap();
        assert!(config.check(Network::Regtest).is_ok());
        assert_eq!(config.change.policy().approval, ApprovedBy::Command);
    }

    #[test]
    fn a_time_that_would_let_nothing_be_signed_is_refused_with_what_is_allowed() {
        let network = Network::Regtest;
        assert!(PolicyConfig::default().check(network).is_ok());
        for longest_life_seconds in [0, MAX_LIFETIME_SECONDS + 1] {
            let config = PolicyConfig { longest_life_seconds, ..PolicyConfig::default() };
            let error = config.check(network).unwrap_err().to_string();
            assert!(error.contains("policy.longest_life_seconds"), "{error}");
            assert!(error.contains("1 to 604800 are allowed"), "{error}");
        }
        let config = PolicyConfig { command_timeout_seconds: 0, ..PolicyConfig::default() };
        assert!(config.check(network).is_err());
    }
}
