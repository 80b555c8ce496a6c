//! What the frames of each link may cost this node (section 9).
//!
//! A link pays for all that comes over it. What is relayed, a statement whose sender is not at the
//! link's peer, is paid from an allowance of its own, so no member can spend another's by sending
//! that one's statements.

use std::{collections::BTreeMap, time::Duration};

use roastery_frost::Seat;

/// What is counted: one is about the time of one signature check, some 50 microseconds.
pub type Cost = u32;

/// How much one link may cost at once, beside the looks at sessions, and how much more with each
/// second. The part of a coordinator in a thousand sessions costs its link 2,000 to 5,000, with the
/// number of signers.
const OWN: Allowance = Allowance { most: 8_192, each_second: 512 };

/// The same for what a link relays.
const RELAYED: Allowance = Allowance { most: 1_024, each_second: 64 };

#[derive(Clone, Copy, Debug)]
struct Allowance {
    most: Cost,
    each_second: Cost,
}

/// How many members are weighed in the time of a signature check.
const MEMBERS_FOR_ONE: usize = 32;

/// What a look at so many sessions of a group of n seats costs.
pub fn cost_of_looks(sessions: usize, n: usize) -> Cost {
    Cost::try_from(sessions.saturating_mul(n) / MEMBERS_FOR_ONE).unwrap_or(Cost::MAX)
}

/// Whose statement a link brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Of its own peer.
    Own,
    /// Of another member.
    Relayed,
}

/// The links of one node, each named by the first seat of its peer.
#[derive(Debug)]
pub struct Quotas {
    /// What each link may cost at once in looks at sessions, beside all else.
    looks: Cost,
    links: BTreeMap<(Seat, Source), Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// In thousandths of a cost.
    used: u64,
    at: Duration,
}

impl Quotas {
    /// Links that have cost nothing, in a group of n seats of which so many sessions may run. Two
    /// looks at all of them are added to what the own frames of a link may cost at once: what an
    /// honest member causes that restarts, for it names another incarnation, and says Ready.
    pub fn new(n: usize, sessions: usize) -> Self {
        let looks = cost_of_looks(sessions, n).saturating_mul(2);
        Self { looks, links: BTreeMap::new() }
    }

    /// Charges a frame to its link. A peer with several seats has the allowance of each. Gives
    /// whether it is paid; if not it costs nothing, and is not to be looked at.
    pub fn charge(
        &mut self,
        link: Seat,
        source: Source,
        seats: usize,
        cost: Cost,
        now: Duration,
    ) -> bool {
        let Allowance { most, each_second } = match source {
            Source::Own => Allowance { most: OWN.most.saturating_add(self.looks), ..OWN },
            Source::Relayed => RELAYED,
        };
        let seats = seats.max(1) as u64;
        let used = self.links.entry((link, source)).or_default();
        let passed = u64::try_from(now.saturating_sub(used.at).as_millis()).unwrap_or(u64::MAX);
        let regained = passed.saturating_mul(u64::from(each_second)).saturating_mul(seats);
        used.used = used.used.saturating_sub(regained);
        used.at = now;
        let after = used.used.saturating_add(u64::from(cost) * 1_000);
        let is_paid = after <= u64::from(most) * 1_000 * seats;
        if is_paid {
            used.used = after;
        }
        is_paid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::machine::MOST_RUNNING;

    fn seat(id: u32) -> Seat {
        Seat::new(id).unwrap()
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn charged(quotas: &mut Quotas, link: u32, source: Source, seats: usize, at: u64) -> usize {
        let charge = |_: &usize| quotas.charge(seat(link), source, seats, 1, ms(at));
        (0..100_000).take_while(charge).count()
    }

    #[test]
    fn a_link_pays_for_what_it_relays_from_an_allowance_of_its_own() {
        let mut quotas = Quotas::new(3, 0);
        assert_eq!(charged(&mut quotas, 1, Source::Relayed, 1, 0), 1_024);
        assert_eq!(charged(&mut quotas, 1, Source::Own, 1, 0), 8_192);
        assert_eq!(charged(&mut quotas, 2, Source::Relayed, 1, 0), 1_024, "another link");
    }

    #[test]
    fn an_allowance_grows_with_time_up_to_its_most() {
        let mut quotas = Quotas::new(3, 0);
        charged(&mut quotas, 1, Source::Own, 1, 0);
        assert_eq!(charged(&mut quotas, 1, Source::Own, 1, 500), 256);
        assert_eq!(charged(&mut quotas, 1, Source::Own, 1, 900_000), 8_192);
    }

    #[test]
    fn a_peer_with_two_seats_has_two_allowances() {
        let mut quotas = Quotas::new(3, 0);
        assert_eq!(charged(&mut quotas, 1, Source::Own, 2, 0), 16_384);
        assert_eq!(charged(&mut quotas, 1, Source::Own, 2, 500), 512);
    }

    #[test]
    fn a_member_that_restarts_while_all_sessions_run_is_read_whatever_the_size_of_the_group() {
        for n in [3, 64, 128] {
            let mut quotas = Quotas::new(n, MOST_RUNNING);
            // Another incarnation, Ready of all sessions, and its part in all of them.
            let all = cost_of_looks(MOST_RUNNING, n);
            for cost in [1 + all, 4 * 42 + all, 5_000] {
                assert!(quotas.charge(seat(1), Source::Own, 1, cost, ms(0)), "{n}: {cost}");
            }
        }
    }
}
