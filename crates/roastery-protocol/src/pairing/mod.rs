//! From lines that people pass on to one invitation that all members have alike: a machine at each
//! node of a group that is to be. `docs/pairing.md` specifies every byte and rule.
//!
//! One node invites. It makes a [`Line`] for each other member, by which a [`Pairing`] at the
//! member's node finds it and is admitted. The line authenticates no member: who reads it first can
//! use it. All members fix one [`Roster`] with the cards of all, and words are made of it, which
//! people compare by voice.
//!
//! ```text
//!     joiner                            inviter
//!       Hello: the line's secret is known  ->
//!                            <-  Offer: names, seat
//!       Enter: card, commitment            ->
//!                            <-  Roster: all cards, all commitments
//!       Reach, Reveal, Said                ->   passed on to all others
//! ```
//!
//! Each node commits itself to a random number before any node reveals its own, and reveals it only
//! once it has checked the whole roster, for no other roster of the attempt. So where two honest
//! members have different rosters, each roster was fixed before one of the numbers in the other's
//! words was known, and the words of h honest members agree by chance only: with 2^-11h. What is
//! typed at one node is a part of that; so a node agrees only once its operator states that each of
//! the others has found its word right. A line has five attempts at each node.
//!
//! The rules of their own are in files that can be read alone: `line`, `card`, `whereabouts`,
//! `terms`, `roster`, `frame`, `reach`, `words`, `comparing`, `outbox`. The machine puts them
//! together: `machine` (what both ends do), `sealed` (what follows a fixed roster), `joining`,
//! `inviting` with `invite`, `answers` and `again`, `reports`, and `kept` (what outlives a
//! restart).

mod again;
mod answers;
mod card;
mod comparing;
#[cfg(feature = "fake")]
pub mod fake;
mod frame;
mod invite;
mod inviting;
mod joining;
mod kept;
mod line;
mod live;
mod machine;
mod outbox;
mod output;
mod reach;
mod reports;
mod roster;
mod sealed;
mod seats;
mod secret;
mod terms;
mod whereabouts;
mod words;

pub use self::{
    card::{Card, CardKey, TransportKeys, TransportSignature},
    comparing::{Checked, CompareError, MOST_WRONG},
    frame::{
        AllEntries, EndReason, Enter, Frame, FrameError, Hello, MAX_FRAME, MAX_HELLO, Offer, Reach,
        Reveal, Said,
    },
    invite::{Invite, LEAST_LINE_SECONDS, MOST_LINE_SECONDS},
    line::{
        Line, LineAddress, LineError, LineHost, MAX_LINE, MOST_LINE_ADDRESSES, Purpose, Transports,
    },
    machine::{MOST_ATTEMPTS, Own, Pairing, PairingError},
    output::{Ended, Event, Output, Record, Rejected},
    reach::is_linked,
    roster::{Entry, EntryError, Roster, RosterError, commitment},
    seats::Seats,
    secret::Secret,
    terms::{Terms, TermsError},
    whereabouts::{MOST_ADDRESS_BYTES, MOST_ADDRESSES, Told, Whereabouts, whereabouts_digest},
    words::{Word, WordBase, near},
};
