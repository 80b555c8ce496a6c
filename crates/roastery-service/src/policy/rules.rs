use roastery_node::store::KeptRequest;
use roastery_protocol::{message::RefusalReason, request::Subject};
use thiserror::Error;

use super::History;
use crate::config::{PolicyConfig, SubjectKind};

/// The rules of one group at this node.
#[derive(Clone, Debug)]
pub struct Judge {
    config: PolicyConfig,
}

/// Which rule a request breaks: one line, with the numbers.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// What is shown is not what is signed.
    #[error("{0}")]
    Subject(String),
    /// Not a kind that this node signs.
    #[error("policy.kinds: this node does not sign a {kind}")]
    Kind {
        /// The kind.
        kind: &'static str,
    },
    /// It would live too long.
    #[error("policy.longest_life_seconds: it lives {seconds} seconds; at most {most} are allowed")]
    Life {
        /// How long it would live from when it was heard of.
        seconds: u64,
        /// The limit.
        most: u64,
    },
    /// Too many in an hour.
    #[error("policy.most_per_hour: {count} were approved within an hour; at most {most} may be")]
    Rate {
        /// How many.
        count: usize,
        /// The limit.
        most: u32,
    },
}

impl Refusal {
    /// What the others are told.
    pub fn reason(&self) -> RefusalReason {
        match self {
            Refusal::Subject(_) => RefusalReason::Unacceptable,
            _ => RefusalReason::Policy,
        }
    }
}

impl Judge {
    /// The rules of this configuration.
    pub fn new(config: PolicyConfig) -> Self {
        Self { config }
    }

    /// The configuration.
    pub fn config(&self) -> &PolicyConfig {
        &self.config
    }

    /// What leaves the group with a request, in satoshi.
    pub fn amount(&self, _: &KeptRequest) -> u64 {
        0
    }

    /// Judges a request by all rules. Gives what leaves the group with it, in satoshi.
    ///
    /// # Errors
    ///
    /// [`Refusal`] names the first rule that does not hold.
    pub fn judge(&self, kept: &KeptRequest, history: &History, now: u64) -> Result<u64, Refusal> {
        let KeptRequest { request, subject, since, .. } = kept;
        subject.check(request).map_err(|error| Refusal::Subject(error.to_string()))?;
        let kind = match subject {
            Subject::Hash => SubjectKind::Hash,
            Subject::Text(_) => SubjectKind::Text,
            Subject::Transaction(_) => SubjectKind::Transaction,
        };
        if !self.config.kinds.contains(&kind) {
            return Err(Refusal::Kind { kind: subject.kind() });
        }
        let (seconds, most) =
            (request.expiry().saturating_sub(*since), self.config.longest_life_seconds);
        if seconds > most {
            return Err(Refusal::Life { seconds, most });
        }
        let (count, most) = (history.within_an_hour(now), self.config.most_per_hour);
        if most != 0 && count >= most as usize {
            return Err(Refusal::Rate { count, most });
        }
        Ok(self.amount(kept))
    }
}
