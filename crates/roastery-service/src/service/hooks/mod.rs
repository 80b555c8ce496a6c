//! What is in the outbox is told through programs and servers that the operator has configured.

mod calling;
mod message;
mod pace;
mod sending;
mod status;
mod watching;

pub use self::status::{HookStatus, HookTest};
