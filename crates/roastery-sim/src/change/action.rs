use std::fmt;

use super::participants::Proposal;

/// What a person does at its node.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Makes a plan of the epoch that is current at its node.
    Propose(Proposal),
    /// Decides about the newest plan in which it may take part.
    Decide {
        /// Whether as a new member it accepts by hand.
        by_hand: bool,
    },
    /// Takes its last approval back.
    Withdraw,
    /// Types the words of the current epoch.
    Acknowledge,
    /// Erases what the current epoch supersedes.
    Erase {
        /// Leaves those out that have not said that they have adopted it.
        leave_out: bool,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Propose(Proposal { people, threshold, step, excluded }) => write!(
                f,
                "proposes {threshold} of {people:?}, a number {step} higher, without {excluded:?}"
            ),
            Action::Decide { by_hand: true } => f.write_str("decides by hand"),
            Action::Decide { by_hand: false } => f.write_str("decides by its rules"),
            Action::Withdraw => f.write_str("withdraws"),
            Action::Acknowledge => f.write_str("acknowledges the epoch"),
            Action::Erase { leave_out: false } => f.write_str("erases"),
            Action::Erase { leave_out: true } => {
                f.write_str("erases without those that are silent")
            }
        }
    }
}
