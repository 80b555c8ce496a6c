//! The policy of this node: first the rules, then the approval.

mod command;
mod ledger;
mod recent;
mod rules;
mod standing;

pub use self::{
    command::{Answer, CommandError, ask},
    ledger::{Caps, Key, LOOKS_BACK, Ledger, Reservation},
    recent::Now,
    rules::{Examined, JudgeError, PolicyEngine, Refusal},
    standing::Standing,
};
