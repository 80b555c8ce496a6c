//! A member whose machine is lost returns with a line of another member: what the two nodes say to
//! each other, as values. `docs/kit.md` specifies the bytes and the rules.
//!
//! ```text
//!     the new machine                    the member that has made the line
//!       Hello: the line's secret is known  ->
//!                            <-  Seat: which seat, and the group's recovery file
//!                            <-  Copies: the sealed kits of the seat, by who keeps them
//!                            <-  Told: where each member is dialled
//! ```
//!
//! Who has the line gets these, and nothing that is secret without the ten words. The words are
//! typed at the new machine and leave it for no other one. It takes nothing on trust: the recovery
//! file verifies alone, a kit must open with the words and fit that file, and addresses are signed
//! by their nodes.

mod frame;
mod given;
mod line;

pub use frame::{Copies, MOST_HOLDERS, ReturnEnd, ReturnFrame, SeatOffer};
pub use given::{Given, GivenError, KitCopy};
pub use line::{MOST_RETURN_LINES, Proven, ReturnLine};
