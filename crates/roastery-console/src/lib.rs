//! The console of a node, in a browser.
//!
//! It is a process beside the node: it asks the node's API over its Unix socket, makes pages of the
//! answers, and hands decisions on with the hash of what was shown. What is a right decision only
//! the node says.
//!
//! It listens at the loopback addresses of this machine. A person changes a code from the terminal
//! for a token, which the page sends with each request; there is no cookie.
//!
//! With the feature `remote` there is another one for people elsewhere, whose decisions take a
//! passkey each: it has no rights at the node but to read.

mod act;
mod bbqr;
mod check;
mod connections;
mod console;
mod door;
mod drafts;
mod found;
mod guard;
mod pages;
mod place;
mod propose;
#[cfg(feature = "remote")]
mod remote;
mod routes;
mod serve;
mod watch;

#[cfg(feature = "remote")]
pub use self::remote::{RemoteConsole, RemoteConsoleError};
pub use self::{
    console::{Console, ConsoleError, Notice},
    serve::{Listeners, Over},
};
