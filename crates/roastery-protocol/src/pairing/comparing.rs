//! What one person has compared: which of the other members' words were typed, and how often a
//! wrong one.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Seat;
use thiserror::Error;

use super::{
    Seats,
    words::{Word, WordBase, near},
};

/// The wrong words of the list, for one member, after which the words differ.
pub const MOST_WRONG: u8 = 3;

/// The longest text, in bytes, that is compared with the words of the list.
const MOST_TYPED: usize = 64;

/// What the node says of a word that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It is the member's word. So many more of this member are to be typed.
    Right {
        /// How many.
        left: u8,
    },
    /// It is another word of the list; after so many more the words differ.
    Wrong {
        /// How many.
        tries_left: u8,
    },
    /// It is not in the list, which counts as no try.
    NotInList {
        /// Words of the list that are like it.
        near: Vec<&'static str>,
    },
}

/// Why no word is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CompareError {
    /// There are no words yet.
    #[error("there are no words yet: all members must be there first")]
    NoWords,
    /// It is not one of the other members.
    #[error("words are typed of the other members only")]
    NotAnother,
    /// It is longer than any word.
    #[error("a word of {0} bytes; a word of the list has 3 to 8 letters")]
    TooLong(usize),
    /// All words of this member have been right already.
    #[error("this member's words are right already")]
    Known,
}

/// The typed words of the other members, in numbers: what is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Typed {
    right: BTreeMap<u16, u8>,
    wrong: BTreeMap<u16, u8>,
}

/// How words are compared within one attempt.
#[derive(Clone, Copy)]
pub(super) struct Comparing {
    base: WordBase,
    own: Seat,
    members: usize,
    bits: u32,
}

impl Comparing {
    /// By the first `bits` of each word, which are all 11 but in simulations.
    pub(super) fn new(base: WordBase, own: Seat, members: usize, bits: u32) -> Self {
        Self { base, own, members, bits }
    }

    /// How many words each member has: two where there is one other to type one.
    pub(super) fn each(&self) -> u8 {
        if self.members == 2 { 2 } else { 1 }
    }

    /// This node's own words, to be said.
    pub(super) fn own_words(&self) -> Vec<&'static str> {
        (0..self.each()).map(|number| self.base.word(self.own, number).as_str()).collect()
    }

    /// Compares one typed word with the next one of this member.
    pub(super) fn check(
        &self,
        seat: Seat,
        text: &str,
        typed: &mut Typed,
    ) -> Result<Checked, CompareError> {
        if seat == self.own || seat.index() >= self.members {
            return Err(CompareError::NotAnother);
        }
        let right = typed.right.entry(seat.to_u16()).or_default();
        if *right >= self.each() {
            return Err(CompareError::Known);
        }
        let text = text.trim();
        if text.len() > MOST_TYPED {
            return Err(CompareError::TooLong(text.len()));
        }
        let Some(word) = Word::parse(text) else {
            return Ok(Checked::NotInList { near: near(text) });
        };
        if self.base.word(seat, *right).agrees(word, self.bits) {
            *right += 1;
            return Ok(Checked::Right { left: self.each() - *right });
        }
        let wrong = typed.wrong.entry(seat.to_u16()).or_default();
        *wrong = wrong.saturating_add(1);
        Ok(Checked::Wrong { tries_left: MOST_WRONG.saturating_sub(*wrong) })
    }

    /// The members of whom all words were right.
    pub(super) fn compared(&self, typed: &Typed) -> Seats {
        let right = |seat: &Seat| {
            typed.right.get(&seat.to_u16()).is_some_and(|right| *right >= self.each())
        };
        self.others().filter(right).collect()
    }

    /// Whether all words of all others were right.
    pub(super) fn is_complete(&self, typed: &Typed) -> bool {
        let compared = self.compared(typed);
        self.others().all(|seat| compared.has(seat))
    }

    fn others(&self) -> impl Iterator<Item = Seat> {
        let own = self.own;
        seats(self.members).filter(move |seat| *seat != own)
    }
}

/// The first `count` seats, at most 128.
pub(super) fn seats(count: usize) -> impl Iterator<Item = Seat> {
    (0..count).map_while(|number| Seat::new(u32::try_from(number).ok()?).ok())
}
