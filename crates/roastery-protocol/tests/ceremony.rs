//! Key generation: any member can coordinate, nobody uses a key without the whole certificate, and
//! nobody honest is blamed.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

#[path = "ceremony/binding.rs"]
mod binding;
#[path = "ceremony/blame.rs"]
mod blame;
#[path = "ceremony/byzantine.rs"]
mod byzantine;
#[path = "ceremony/coordinators.rs"]
mod coordinators;
#[path = "ceremony/honest.rs"]
mod honest;
#[path = "ceremony/intake.rs"]
mod intake;
#[path = "ceremony/network.rs"]
mod network;
#[path = "ceremony/recovery.rs"]
mod recovery;
#[path = "ceremony/restart.rs"]
mod restart;
mod support;
#[path = "ceremony/world.rs"]
mod world;
