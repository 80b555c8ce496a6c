use std::fmt;

use crate::config::UserRole;

/// The role of a client of the API.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// All operations, among them to make keys, back up and stop.
    Operator,
    /// To read, to ask for signatures, to approve and to reject.
    Approver,
    /// To read, and to ask for signatures: these wait for a decision of this node.
    Proposer,
    /// All operations that only read.
    Reader,
    /// The same, and to hand on what a passkey has signed.
    Relay,
}

impl Role {
    /// Whether a client of this role may do what another role is needed for.
    pub fn may(self, needed: Self) -> bool {
        let rank = |role| match role {
            Self::Reader | Self::Relay => 0,
            Self::Proposer => 1,
            Self::Approver => 2,
            Self::Operator => 3,
        };
        rank(self) >= rank(needed)
    }
}

impl From<UserRole> for Role {
    fn from(role: UserRole) -> Self {
        match role {
            UserRole::Reader => Self::Reader,
            UserRole::Proposer => Self::Proposer,
            UserRole::Approver => Self::Approver,
            UserRole::Operator => Self::Operator,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Proposer => "proposer",
            Self::Reader => "reader",
            Self::Relay => "relay",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Role::{Approver, Operator, Proposer, Reader, Relay};

    #[test]
    fn each_role_may_what_those_before_it_may_and_a_relay_reads() {
        let ladder = [Reader, Proposer, Approver, Operator];
        for (own, role) in ladder.iter().enumerate() {
            for (needed, of) in ladder.iter().enumerate() {
                assert_eq!(role.may(*of), own >= needed, "{role} for {of}");
            }
        }
        assert!(Relay.may(Reader) && !Relay.may(Proposer));
    }
}
