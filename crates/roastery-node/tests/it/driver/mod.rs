//! How a node runs its sessions over a bus, and how it withstands other peers.

mod bounds;
mod buses;
mod change;
mod ending;
mod equivocation;
mod events;
mod flood;
mod journal;
mod keygen;
mod late;
mod offline;
mod over_channels;
mod proposing;
mod secrets;
mod signing;
mod strangers;
mod waiting;
