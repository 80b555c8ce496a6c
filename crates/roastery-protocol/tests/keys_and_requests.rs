//! What a session starts from: the group file, a node's own keys, the request, its approval, and
//! the clocks.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "keys_and_requests/clocks.rs"]
mod clocks;
#[path = "keys_and_requests/derivation.rs"]
mod derivation;
#[path = "keys_and_requests/group.rs"]
mod group;
#[path = "keys_and_requests/requests.rs"]
mod requests;
mod support;
#[path = "keys_and_requests/transport.rs"]
mod transport;
#[path = "keys_and_requests/versions.rs"]
mod versions;

use roastery_protocol::Seat;
use support::{forge::*, *};
