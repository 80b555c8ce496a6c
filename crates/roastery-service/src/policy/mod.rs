//! The policy of this node: first the rules, then the approval.

mod approval;
mod command;
mod ledger;
mod recent;
mod refusal;
mod rules;

pub use self::{
    approval::Approval,
    command::{Answer, CommandError, ask},
    ledger::{Caps, Key, LOOKS_BACK, Ledger, Reservation},
    recent::Now,
    refusal::Refusal,
    rules::{Examined, PolicyEngine, PolicyError, WalletSettings},
};
