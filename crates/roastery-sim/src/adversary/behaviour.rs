use std::fmt;

use roastery_protocol::proof::FaultKind;

/// What one faulty member does. A coalition may mix all of them; unless a behaviour states
/// otherwise, the member also runs the honest code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Behaviour {
    /// Sends nothing.
    Silent,
    /// Commits and then sends nothing.
    SilentAfterCommitments,
    /// As a signer: wrong shares, and no further slot.
    BadShare,
    /// As a signer: wrong shares, each with a fresh slot to be picked again.
    BadShareWithFreshCommitments,
    /// As the coordinator: two packages of each number, both to all.
    EquivocatesToAll,
    /// As the coordinator: two packages of each number, one to each half.
    EquivocatesToSome,
    /// As the coordinator: aggregate nonces that are not the sums.
    WrongAggregateNonce,
    /// As the coordinator: a second package, with the next number, that names the same slots.
    AssignsSlotTwice,
    /// As the coordinator: drops all messages of some honest members.
    Censors,
    /// As the coordinator: its first package reaches half of the members, and then it is silent.
    CrashesHalfWay,
    /// As the coordinator: does not send the signature.
    WithholdsSignature,
    /// All its messages are late.
    Slow,
    /// As a signer: two shares with different scalars for each package.
    ShareConflict,
    /// As a signer: two slots for one place; answers for both, and makes evidence with the one that
    /// was not named.
    CommitsTwice,
    /// As a signer: commits when it has seen others' slots, to minus their sum.
    CommitsToInfinity,
    /// At least t of them: commit early, to nonces that cancel, and give right shares for them.
    /// Fewer send nothing.
    CancellingNonces,
    /// As a signer: owes a share and commits again and again, each time as a new run.
    RecommitsInNewRuns,
    /// As a signer: shows slots again that were named already, under old runs and new ones.
    ReturnsToOldRuns,
    /// As the coordinator: issues each package twice, the second time as if it had been restarted.
    ClaimsRestarts,
    /// As the coordinator: has its packages name slots that were shown to other coordinators.
    StealsSlots,
    /// Many sound messages, each different, of all kinds.
    Floods,
    /// Bytes that are no message, and messages that break the rules of their form.
    Garbage,
    /// Real messages, changed in a few bytes, with the old signature or a new one.
    MutatesMessages,
    /// Earlier messages, sent again: of others, in other attempts, in other sessions.
    Replays,
    /// Evidence of all shapes that proves nothing, out of messages of honest members.
    AccusesFalsely,
    /// Others' messages on its own link, messages in others' names, messages of other groups.
    RelaysForeign,
    /// Refuses to take part, and does not.
    Refuses,
}

impl Behaviour {
    /// All behaviours.
    pub const ALL: &[Behaviour] = &[
        Behaviour::Silent,
        Behaviour::SilentAfterCommitments,
        Behaviour::BadShare,
        Behaviour::BadShareWithFreshCommitments,
        Behaviour::EquivocatesToAll,
        Behaviour::EquivocatesToSome,
        Behaviour::WrongAggregateNonce,
        Behaviour::AssignsSlotTwice,
        Behaviour::Censors,
        Behaviour::CrashesHalfWay,
        Behaviour::WithholdsSignature,
        Behaviour::Slow,
        Behaviour::ShareConflict,
        Behaviour::CommitsTwice,
        Behaviour::CommitsToInfinity,
        Behaviour::CancellingNonces,
        Behaviour::RecommitsInNewRuns,
        Behaviour::ReturnsToOldRuns,
        Behaviour::ClaimsRestarts,
        Behaviour::StealsSlots,
        Behaviour::Floods,
        Behaviour::Garbage,
        Behaviour::MutatesMessages,
        Behaviour::Replays,
        Behaviour::AccusesFalsely,
        Behaviour::RelaysForeign,
        Behaviour::Refuses,
    ];

    /// Its name, as a word for command lines and traces.
    pub fn name(self) -> &'static str {
        match self {
            Behaviour::Silent => "silent",
            Behaviour::SilentAfterCommitments => "silent-after-commitments",
            Behaviour::BadShare => "bad-share",
            Behaviour::BadShareWithFreshCommitments => "bad-share-with-fresh-commitments",
            Behaviour::EquivocatesToAll => "equivocates-to-all",
            Behaviour::EquivocatesToSome => "equivocates-to-some",
            Behaviour::WrongAggregateNonce => "wrong-aggregate-nonce",
            Behaviour::AssignsSlotTwice => "assigns-slot-twice",
            Behaviour::Censors => "censors",
            Behaviour::CrashesHalfWay => "crashes-half-way",
            Behaviour::WithholdsSignature => "withholds-signature",
            Behaviour::Slow => "slow",
            Behaviour::ShareConflict => "share-conflict",
            Behaviour::CommitsTwice => "commits-twice",
            Behaviour::CommitsToInfinity => "commits-to-infinity",
            Behaviour::CancellingNonces => "cancelling-nonces",
            Behaviour::RecommitsInNewRuns => "recommits-in-new-runs",
            Behaviour::ReturnsToOldRuns => "returns-to-old-runs",
            Behaviour::ClaimsRestarts => "claims-restarts",
            Behaviour::StealsSlots => "steals-slots",
            Behaviour::Floods => "floods",
            Behaviour::Garbage => "garbage",
            Behaviour::MutatesMessages => "mutates-messages",
            Behaviour::Replays => "replays",
            Behaviour::AccusesFalsely => "accuses-falsely",
            Behaviour::RelaysForeign => "relays-foreign",
            Behaviour::Refuses => "refuses",
        }
    }

    /// The fault that honest nodes prove when the behaviour took effect in front of one of them, if
    /// they can. Whether one has all that it takes depends on the run:
    /// [`Coalition::committed`](super::Coalition::committed).
    ///
    /// None for wrong aggregate nonces: a member that asks for the nonces of all t slots can prove
    /// them, unless one is the coordinator's own and sent to no member. None for mutations: what
    /// they break depends on the mutation.
    pub fn provable(self) -> Option<FaultKind> {
        match self {
            Behaviour::BadShare | Behaviour::BadShareWithFreshCommitments => {
                Some(FaultKind::InvalidShare)
            }
            Behaviour::EquivocatesToAll | Behaviour::EquivocatesToSome => {
                Some(FaultKind::PackageConflict)
            }
            Behaviour::AssignsSlotTwice => Some(FaultKind::SlotAssignedTwice),
            Behaviour::ShareConflict => Some(FaultKind::ShareConflict),
            Behaviour::Garbage => Some(FaultKind::MalformedMessage),
            _ => None,
        }
    }

    /// Whether it sends messages at times of its own, and not only when its honest code does.
    pub(super) fn is_noisy(self) -> bool {
        matches!(
            self,
            Behaviour::CancellingNonces
                | Behaviour::RecommitsInNewRuns
                | Behaviour::Floods
                | Behaviour::Garbage
                | Behaviour::MutatesMessages
                | Behaviour::Replays
                | Behaviour::AccusesFalsely
                | Behaviour::RelaysForeign
                | Behaviour::Refuses
        )
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
