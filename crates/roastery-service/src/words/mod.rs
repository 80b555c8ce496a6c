//! Words for people: amounts, times, requests. The command and the console say the same.

mod acts;
mod clock;
mod request;
mod shown;
mod turns;

pub use self::{
    acts::{Piece, Users, act, chain, group_of, line, principal, share},
    clock::{Clock, span},
    request::{About, about, prospect, ruling, state, title, typed, typed_for, word, words},
    shown::{
        Lines, MOST_ALIKE, MOST_OF_SCRIPT, MOST_OUTPUTS, by_code, cut, hides, hides_of, is_cut,
        lines, stops, to_others,
    },
    turns::{Turns, member},
};
use crate::text::visible;

/// An amount in bitcoin, always with eight digits after the point.
pub fn btc(satoshi: u64) -> String {
    const ONE: u64 = 100_000_000;
    format!("{}.{:08}", satoshi / ONE, satoshi % ONE)
}

/// The first and the last characters of an address.
pub fn short_address(address: &str) -> String {
    const ENDS: (usize, usize) = (7, 5);
    let address = visible(address);
    let all: Vec<char> = address.chars().collect();
    if all.len() <= ENDS.0 + ENDS.1 + 2 {
        return address;
    }
    let begin: String = all[..ENDS.0].iter().collect();
    let end: String = all[all.len() - ENDS.1..].iter().collect();
    format!("{begin}..{end}")
}

/// The first digits of a session, by which people name a request.
pub fn short_id(session: &str) -> &str {
    session.get(..8).unwrap_or(session)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: &str = "bc1pp2zd3m67pu0w9t7jdfm7rku5lqu6439q4x3em3g7quvj5fl4vehs6mqusv";

    #[test]
    fn amounts_have_eight_digits_and_addresses_their_ends() {
        assert_eq!(btc(0), "0.00000000");
        assert_eq!(btc(2_100_000_000_000_001), "21000000.00000001");
        assert_eq!(short_address(TO), "bc1pp2z..mqusv");
        assert_eq!(short_address("bc1qshort"), "bc1qshort");
    }
}
