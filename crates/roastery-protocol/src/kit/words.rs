//! The ten words on paper.

use std::fmt;

use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{
    pairing::{Word, near},
    tags::Tag,
};

/// How many words there are. Ten is no length of BIP-39: no wallet takes them for a seed.
pub const KIT_WORDS: usize = 10;

/// Bits of a word.
const WORD_BITS: u32 = 11;

/// Bits of the check at the end.
const CHECK_BITS: u32 = 10;

/// The bytes of 100 bits, of which the first four are zero.
const BYTES: usize = 13;

/// Ten words of BIP-39's English list: 100 random bits, and 10 bits that check them.
#[derive(Clone, PartialEq, Eq)]
pub struct KitWords([u16; KIT_WORDS]);

/// Why words are not those of a kit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KitWordsError {
    /// There are more or fewer.
    #[error("{count} words; on the paper there are ten, in order")]
    Count {
        /// How many there are.
        count: usize,
    },
    /// One is not in the list. What was typed is not shown: it may be a secret.
    #[error("word {number} is not in the list{}", proposed(.near))]
    NotInList {
        /// Which one, from 1.
        number: usize,
        /// Words of the list that are like it.
        near: Vec<&'static str>,
    },
    /// Their check is wrong.
    #[error(
        "a word is wrong, or two are swapped: read the paper again, from 1 to 10 in the order of the numbers"
    )]
    Check,
}

fn proposed(near: &[&'static str]) -> String {
    if near.is_empty() { String::new() } else { format!(": {}?", near.join(", ")) }
}

impl KitWords {
    /// Makes the words of random bytes, of which 100 bits are used.
    pub fn from_random(random: &Zeroizing<[u8; BYTES]>) -> Self {
        let mut bits = random.clone();
        bits[0] &= 0x0f;
        let mut value = bits.iter().fold(0u128, |value, byte| value << 8 | u128::from(*byte));
        value = value << CHECK_BITS | u128::from(check(&bits));
        let mut words = [0; KIT_WORDS];
        for word in words.iter_mut().rev() {
            // Below 2^11.
            *word = (value & ((1 << WORD_BITS) - 1)) as u16;
            value >>= WORD_BITS;
        }
        value.zeroize();
        Self(words)
    }

    /// Reads words as they were typed, in whichever case and with whichever spaces.
    ///
    /// # Errors
    ///
    /// [`KitWordsError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, KitWordsError> {
        let count = text.split_whitespace().count();
        if count != KIT_WORDS {
            return Err(KitWordsError::Count { count });
        }
        let mut words = Self([0; KIT_WORDS]);
        for (at, typed) in text.split_whitespace().enumerate() {
            let word = Word::parse(typed).ok_or_else(|| {
                // A longer text is like no word, and is not compared with each.
                let near = if typed.len() <= 16 { near(typed) } else { Vec::new() };
                KitWordsError::NotInList { number: at + 1, near }
            })?;
            words.0[at] = word.number();
        }
        if words.is_right() { Ok(words) } else { Err(KitWordsError::Check) }
    }

    fn is_right(&self) -> bool {
        let mut value =
            self.0.iter().fold(0u128, |value, word| value << WORD_BITS | u128::from(*word));
        let typed = value & ((1 << CHECK_BITS) - 1);
        let mut bytes = (value >> CHECK_BITS).to_be_bytes();
        value.zeroize();
        let mut bits = Zeroizing::new([0; BYTES]);
        bits.copy_from_slice(&bytes[bytes.len() - BYTES..]);
        bytes.zeroize();
        typed == u128::from(check(&bits))
    }

    /// The words, in order.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|number| Word::of(*number).as_str())
    }

    /// All of them with a space between two: what a key is derived from.
    pub fn text(&self) -> Zeroizing<String> {
        // No word has more than eight letters: with room for all from the start, no reallocation
        // leaves a copy of a secret.
        let mut text = Zeroizing::new(String::with_capacity(9 * KIT_WORDS));
        for (at, word) in self.words().enumerate() {
            if at > 0 {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    }

    /// Whether the word of this number, from 1, is what was typed.
    pub fn is_word(&self, number: usize, typed: &str) -> bool {
        let word = number.checked_sub(1).and_then(|at| self.0.get(at));
        word.is_some_and(|word| Word::parse(typed).is_some_and(|typed| typed.number() == *word))
    }
}

/// The first 10 bits of a hash.
fn check(bits: &Zeroizing<[u8; BYTES]>) -> u16 {
    let hash = Tag::KitCheck.hash(&[bits.as_slice()]);
    u16::from_be_bytes([hash[0], hash[1]]) >> 6
}

impl Drop for KitWords {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Not shown: who has the words needs only a member's node beside them.
impl fmt::Debug for KitWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KitWords(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    fn draw(chance: &mut Chance) -> KitWords {
        let mut random = Zeroizing::new([0; BYTES]);
        random.iter_mut().for_each(|byte| *byte = chance.below(256) as u8);
        KitWords::from_random(&random)
    }

    #[test]
    fn ten_words_are_read_as_they_were_written_in_any_case() {
        let mut chance = Chance::new(1);
        for _ in 0..100 {
            let words = draw(&mut chance);
            let text = format!("  {}\n", words.text().to_uppercase().replace(' ', "  "));
            assert!(KitWords::parse(&text).unwrap() == words);
            for (at, word) in words.words().enumerate() {
                assert!(words.is_word(at + 1, word));
            }
        }
        assert_eq!(KitWords::parse("zoo zoo").unwrap_err(), KitWordsError::Count { count: 2 });
        let misspelt = format!("dirft{}", " zoo".repeat(9));
        let Err(KitWordsError::NotInList { number: 1, near }) = KitWords::parse(&misspelt) else {
            panic!("it is in no list");
        };
        assert!(near.contains(&"drift"));
    }

    #[test]
    fn a_wrong_word_or_two_swapped_ones_are_seen_but_for_one_case_in_a_thousand() {
        let mut chance = Chance::new(2);
        let (mut wrong, mut swapped, runs) = (0, 0, 20_000);
        for _ in 0..runs {
            let mut words = draw(&mut chance);
            let at = chance.below(KIT_WORDS);
            let right = words.0[at];
            words.0[at] = (right + 1 + chance.below(2047) as u16) % 2048;
            wrong += u32::from(words.is_right());
            words.0[at] = right;
            let at = chance.below(KIT_WORDS - 1);
            let differ = words.0[at] != words.0[at + 1];
            words.0.swap(at, at + 1);
            swapped += u32::from(differ && words.is_right());
        }
        // Expected are 19.5 of each.
        for unseen in [wrong, swapped] {
            assert!((1..60).contains(&unseen), "{unseen} of {runs}");
        }
    }
}
