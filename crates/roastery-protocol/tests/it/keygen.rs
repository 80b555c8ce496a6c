//! Key generation: any member can coordinate, no member uses a key without the whole certificate,
//! and no honest member is blamed.

mod binding;
mod blame;
mod byzantine;
mod coordinators;
mod honest;
mod intake;
mod network;
mod recovery;
mod restart;
mod seats;
pub(crate) mod world;
