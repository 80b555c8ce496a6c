//! Pairings: honest ones with restarts and broken connections, and those of an attacker.
//!
//! People compare words in full in honest pairings, and short ones with an attacker, so that the
//! rate of splits that no person notices can be counted: it must be as derived, and no node may
//! ever reveal a sixth number for its line.

mod cheats;
mod honest;
mod totals;
mod world;

use std::fmt;

pub use self::totals::Totals;
use crate::violation::Violation;

/// What an attacker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cheat {
    /// It is the inviter of a 2-of-3, and shows each of the two others another third member.
    Roster,
    /// It owns the chat, and stands between three honest members with lines of its own.
    Chat,
    /// It uses a member's line first.
    StolenLine,
    /// It is the inviter, and alters what it passes on.
    AlteredCard,
    /// It is the inviter, and shows one member rosters and attempts without end.
    Grinding,
    /// As `Roster`, and it begins a further attempt whenever the words do not agree.
    BreakingOff,
}

impl Cheat {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Cheat); 6] = [
        ("roster", Cheat::Roster),
        ("chat", Cheat::Chat),
        ("stolen-line", Cheat::StolenLine),
        ("altered-card", Cheat::AlteredCard),
        ("grinding", Cheat::Grinding),
        ("breaking-off", Cheat::BreakingOff),
    ];

    /// With which chance its split is not noticed, in words of so many bits.
    pub fn chance(self, bits: u32) -> f64 {
        let of = |words: u32| 0.5f64.powi((words * bits) as i32);
        match self {
            Cheat::Roster => of(2),
            Cheat::Chat => of(3),
            Cheat::BreakingOff => 1.0 - (1.0 - of(2)).powi(5),
            Cheat::StolenLine | Cheat::AlteredCard | Cheat::Grinding => 0.0,
        }
    }
}

/// What must hold in every pairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// A node reveals one number for one roster in an attempt, five in all.
    Reveals,
    /// A number leaves only once it is stored.
    Stored,
    /// Honest members that have compared all words have one invitation.
    Agreement,
    /// Honest members that are connected in the end have an invitation.
    Completion,
    /// What was altered, stolen or ground is noticed.
    Noticed,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reveals => "reveals",
            Self::Stored => "stored",
            Self::Agreement => "agreement",
            Self::Completion => "completion",
            Self::Noticed => "noticed",
        })
    }
}

/// How one pairing went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Restarts of nodes.
    pub restarts: u32,
    /// Connections that broke.
    pub breaks: u32,
    /// Messages that were delivered.
    pub messages: u32,
    /// Numbers that the nodes have revealed.
    pub reveals: u32,
    /// Whether honest members with different rosters have compared all words and noticed nothing.
    pub undetected: bool,
}

/// Plays the pairing of a seed, honest or with this attacker and words of so many bits.
///
/// # Errors
///
/// The invariant that was violated.
pub fn play(seed: u64, cheat: Option<(Cheat, u32)>) -> Result<Played, Violation<Invariant>> {
    match cheat {
        None => honest::play(seed),
        Some((cheat, bits)) => cheats::play(seed, cheat, bits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn honest_pairings_with_restarts_and_breaks_end_with_one_invitation() {
        for seed in 0..20 {
            let played = play(seed, None).unwrap();
            assert!(played.messages > 0, "seed {seed}");
        }
    }

    #[test]
    fn each_attacker_is_noticed_at_the_derived_rate() {
        for (name, cheat) in Cheat::ALL {
            let mut totals = Totals::of(Some((cheat, 1)));
            for seed in 0..24 {
                totals.add(play(seed, Some((cheat, 1))).unwrap());
            }
            assert!(totals.is_as_derived(), "{name}: {totals}");
        }
    }
}
