//! A console over its port, with a node that is played.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod decisions;
mod door;
#[cfg(feature = "remote")]
mod elsewhere;
mod founding;
mod http;
mod live;
mod log;
mod node;
mod propose;
