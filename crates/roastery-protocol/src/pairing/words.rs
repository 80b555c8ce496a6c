//! The words by which people compare what their nodes have received.

use std::fmt;

use bip39::Language;
use roastery_frost::Seat;

use crate::{KeygenId, tags::Tag, wire};

/// The words in the list, 2^11.
const WORDS: u16 = 2048;

/// The most words that are proposed in place of one that is not in the list.
const MOST_NEAR: usize = 3;

/// What all words of an attempt are made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WordBase([u8; 32]);

/// The number of a word in the list, below 2^11.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Word(u16);

impl WordBase {
    /// Made of the key generation's id (all names and keys), the hash of the roster, and what all
    /// members have revealed, by seat.
    pub fn new(keygen: KeygenId, roster: &[u8; 32], revealed: &[[u8; 32]]) -> Self {
        let revealed = wire::encode(revealed);
        Self(Tag::PairWords.hash(&[keygen.as_bytes(), roster, &revealed]))
    }

    /// A member's word of this number, from 0: the first 11 bits of a hash.
    pub fn word(&self, seat: Seat, number: u8) -> Word {
        let hash = Tag::PairWord.hash(&[&self.0, &seat.to_u16().to_le_bytes(), &[number]]);
        Word(u16::from_be_bytes([hash[0], hash[1]]) >> 5)
    }
}

impl Word {
    /// The word of the English list of BIP-39 that this text is, whatever its case.
    pub fn parse(text: &str) -> Option<Self> {
        let number = Language::English.find_word(&text.to_ascii_lowercase())?;
        Some(Self(number))
    }

    /// The word of this number, of which 11 bits are taken.
    pub(crate) fn of(number: u16) -> Self {
        Self(number % WORDS)
    }

    /// Its number in the list.
    pub fn number(self) -> u16 {
        self.0
    }

    /// Its text.
    pub fn as_str(self) -> &'static str {
        list()[usize::from(self.0 % WORDS)]
    }

    /// Whether the first so many bits are the same; 11 are all.
    pub(super) fn agrees(self, other: Word, bits: u32) -> bool {
        (self.0 ^ other.0) >> 11u32.saturating_sub(bits) == 0
    }
}

/// Not shown: no log has a member's word.
impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Word(..)")
    }
}

/// Not shown either.
impl fmt::Debug for WordBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WordBase(..)")
    }
}

/// The words of the list that differ from a text in one or two letters, the nearest first.
pub fn near(text: &str) -> Vec<&'static str> {
    let text = text.to_ascii_lowercase();
    let far = |word: &'static str| (strsim::osa_distance(word, &text), word);
    let mut near: Vec<_> = list().iter().copied().map(far).filter(|(far, _)| *far <= 2).collect();
    near.sort_unstable();
    near.into_iter().take(MOST_NEAR).map(|(_, word)| word).collect()
}

fn list() -> &'static [&'static str; WORDS as usize] {
    Language::English.word_list()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_of_the_list_is_read_as_what_it_is() {
        for (number, word) in list().iter().enumerate() {
            assert_eq!(Word::parse(word).unwrap().0, number as u16);
            assert_eq!(Word(number as u16).as_str(), *word);
        }
        assert_eq!(Word::parse("DRIFT").unwrap().as_str(), "drift");
        assert!(Word::parse("dirft").is_none());
    }

    #[test]
    fn a_word_that_is_not_in_the_list_has_near_ones() {
        assert!(near("dirft").contains(&"drift"));
        assert!(near("xxxxxxxx").is_empty());
    }
}
