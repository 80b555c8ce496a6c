use std::fmt;

/// The role of a client of the API.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// All operations, among them to approve, reject, make keys, back up and stop.
    Operator,
    /// All operations that only read.
    Reader,
    /// The same, and to hand on what a passkey has signed.
    Relay,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "operator",
            Self::Reader => "reader",
            Self::Relay => "relay",
        })
    }
}
