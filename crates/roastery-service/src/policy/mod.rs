//! What this node signs: rules first, then whoever approves.

mod command;
mod history;
mod rules;
mod standing;

pub use self::{
    command::{CommandError, ask},
    history::History,
    rules::{Examined, Judge, JudgeError, Refusal},
    standing::Standing,
};
