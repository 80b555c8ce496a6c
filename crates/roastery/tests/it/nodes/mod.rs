//! Groups of nodes as their operators run them: each node is a process with its own folder,
//! controlled by commands.

mod addresses;
mod again;
mod api;
mod audit;
mod barring;
mod bitcoin_core;
mod by_hand;
mod changes;
pub(crate) mod clock;
mod console;
mod day;
mod deciding;
mod doctor;
mod epochs;
mod evidence;
mod failures;
mod files;
mod folder;
mod founding;
mod heavy;
mod hwi;
mod manager;
mod naming;
mod outcomes;
mod parts;
mod policies;
mod pretended;
mod rejections;
mod seats;
mod sessions;
mod stores;
pub(crate) mod support;
pub(crate) mod terminal;
mod texts;
mod waiting;
mod wallet;
