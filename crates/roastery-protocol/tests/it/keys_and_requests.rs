//! What a session starts from: the group file, a node's own keys, the request, its approval, and
//! the clocks.

mod clocks;
mod derivation;
mod group;
mod requests;
mod versions;

use roastery_protocol::Seat;
use roastery_testkit::{forge::*, *};
