//! Which bounds members have reached: reported, at a pace.

use std::{collections::BTreeMap, fmt, time::Duration};

use roastery_frost::Seat;

/// Between two reports of one bound and member.
const REPORTED_AGAIN_AFTER: Duration = Duration::from_secs(8);

/// A bound on what members and requests may cost this node. Whatever is dropped or not taken
/// because of one is reported. Exhaustive: an owner that counts them counts each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// What the own frames of a link cost.
    Link,
    /// What the statements of others cost that a link relays.
    Relayed,
    /// Ready for sessions that are not open here; the oldest is dropped.
    EarlyReady,
    /// Packages of sessions that are not open here; the oldest is dropped.
    EarlyPackages,
    /// Packages that failed and wait for their investigation; the oldest is dropped.
    Investigations,
    /// Shares for unknown packages; the oldest is dropped.
    UnknownShares,
    /// Refusals of sessions that are not open here; the oldest is dropped.
    EarlyRefusals,
    /// Requests of one member that wait for a decision, and their bytes; or proposals that wait to
    /// be shown of one link. The member gets a refusal.
    WaitingProposals,
    /// The life of a request by this node's clock. The member gets a refusal, within a rate limit.
    ProposalLife,
    /// Refusals of this node that are remembered, to be repeated to a member that asks again.
    Refusals,
    /// Requests that are watched for their outcome. Of the author that has the most, the one whose
    /// watch ends first is evicted.
    Watched,
    /// Questions of one member for outcomes that the machine does not know.
    Questions,
    /// Signatures that one member lacks, in bytes that wait for its allowance; it asks again.
    Outcomes,
    /// Bytes that all sessions keep of what others have signed. The link that has brought the most
    /// loses what it brought first.
    Retained,
    /// Bytes of the packages that this node has issued itself. Of the session in which they take
    /// the most the oldest is dropped; the newest stays.
    OwnPackages,
    /// Runs of one coordinator in one session, each of which may get n - t + 1 shares that the
    /// audit log keeps. Its next one is answered later.
    Runs,
    /// Sessions at once. The other members get a refusal.
    Sessions,
    /// Sessions that have ended and are kept to answer with.
    EndedSessions,
    /// Signed sessions that still take evidence. Of older ones only the outcome is kept.
    LateEvidence,
}

impl Limit {
    /// The name of the bound, for a metric: lower case letters and underscores.
    pub fn name(self) -> &'static str {
        match self {
            Limit::Link => "link",
            Limit::Relayed => "relayed",
            Limit::EarlyReady => "early_ready",
            Limit::EarlyPackages => "early_packages",
            Limit::Investigations => "investigations",
            Limit::UnknownShares => "unknown_shares",
            Limit::EarlyRefusals => "early_refusals",
            Limit::WaitingProposals => "waiting_proposals",
            Limit::ProposalLife => "proposal_life",
            Limit::Refusals => "refusals",
            Limit::Watched => "watched",
            Limit::Questions => "questions",
            Limit::Outcomes => "outcomes",
            Limit::Retained => "retained",
            Limit::OwnPackages => "own_packages",
            Limit::Runs => "runs",
            Limit::Sessions => "sessions",
            Limit::EndedSessions => "ended_sessions",
            Limit::LateEvidence => "late_evidence",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::Link => "what the frames of one link cost",
            Limit::Relayed => "what the statements cost that one link relays",
            Limit::EarlyReady => "Ready of one member for sessions that are not open",
            Limit::EarlyPackages => "packages of one member for sessions that are not open",
            Limit::Investigations => "packages that failed and wait for their investigation",
            Limit::UnknownShares => "shares of one member for unknown packages",
            Limit::EarlyRefusals => "refusals of one member for sessions that are not open",
            Limit::WaitingProposals => "requests of one member that wait for a decision",
            Limit::ProposalLife => "requests that have expired or live too long",
            Limit::Refusals => "refusals that are remembered",
            Limit::Watched => "requests that are watched for their outcome",
            Limit::Questions => "questions of one member for outcomes",
            Limit::Outcomes => "signatures that wait to be told to one member",
            Limit::Retained => "bytes of packages and shares that one link has brought",
            Limit::OwnPackages => "bytes of packages that this node has issued",
            Limit::Runs => "runs of one coordinator in one session",
            Limit::Sessions => "sessions at once",
            Limit::EndedSessions => "ended sessions that are kept",
            Limit::LateEvidence => "signed sessions that still take evidence",
        })
    }
}

/// How often each bound was reached since its last report.
#[derive(Debug, Default)]
pub(super) struct Limits {
    reached: BTreeMap<(Limit, Option<Seat>), Reached>,
}

#[derive(Debug, Default)]
struct Reached {
    count: u64,
    reported: Option<Duration>,
}

impl Limits {
    /// A member, or the whole node, has reached a bound. Gives how often it has since the last
    /// report, if that is to be reported now.
    pub(super) fn reached(&mut self, limit: Limit, of: Option<Seat>, now: Duration) -> Option<u64> {
        let one = self.reached.entry((limit, of)).or_default();
        one.count += 1;
        if one.reported.is_some_and(|last| now < last.saturating_add(REPORTED_AGAIN_AFTER)) {
            return None;
        }
        one.reported = Some(now);
        Some(std::mem::take(&mut one.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_reported_when_it_is_reached_and_then_at_a_pace_with_its_count() {
        let mut limits = Limits::default();
        let (one, other) = (Seat::new(1).ok(), Seat::new(2).ok());
        let mut reached = |of, at| limits.reached(Limit::Link, of, Duration::from_millis(at));
        assert_eq!(reached(one, 0), Some(1));
        assert_eq!((reached(one, 1), reached(one, 7_999)), (None, None));
        assert_eq!(reached(other, 2), Some(1));
        assert_eq!(reached(one, 8_000), Some(3));
        assert_eq!(reached(one, 8_001), None);
    }
}
