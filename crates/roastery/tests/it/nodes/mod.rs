//! Groups of nodes as their operators have them: each node a process with its own folder, told what
//! to do by commands.

mod addresses;
mod api;
mod audit;
mod evidence;
mod failures;
mod files;
mod naming;
mod outcomes;
mod policies;
mod rejections;
mod sessions;
mod stores;
pub(crate) mod support;
