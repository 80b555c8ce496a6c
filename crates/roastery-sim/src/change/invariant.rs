//! What must hold of a chain of changes.

use std::fmt;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// Of every certified epoch that is the greatest which honest nodes know t honest members hold
    /// shares: whatever is faulty and restored, as far as its group bears it.
    KeyKept,
    /// Every epoch has the same key, and its plan's threshold.
    SameKey,
    /// An honest dealer has one head in a plan, and no two of its plans share a nonce.
    OneDealing,
    /// Nothing is dealt without the roll, an own approval that was not withdrawn, within the life
    /// of the plan, whose parent is current. After it a dealing goes to those that ask for it by
    /// its name, and to no others.
    RightlyDealt,
    /// An honest member signs one transcript of a plan for one coordinator.
    OneSignature,
    /// Nothing is erased without certificate, person's word, own share and the shares of the
    /// others.
    RightlyErased,
    /// A share that is stored for an epoch is the one of its public share, and certificate and host
    /// key give it back.
    SharesFit,
    /// In the end all honest members are in the greatest epoch and hold it, it signs, and what it
    /// supersedes is erased.
    Converges,
    /// There is an end to everything.
    Bounded,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Invariant::KeyKept => "the key is kept",
            Invariant::SameKey => "the key is the same",
            Invariant::OneDealing => "one dealing of a dealer in a plan",
            Invariant::RightlyDealt => "nothing is dealt too early or too late",
            Invariant::OneSignature => "one signature for each coordinator",
            Invariant::RightlyErased => "nothing is erased too early",
            Invariant::SharesFit => "shares fit",
            Invariant::Converges => "all come to the greatest epoch",
            Invariant::Bounded => "there is an end",
        })
    }
}
