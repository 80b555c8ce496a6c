use std::{fmt, io, str::FromStr, sync::Arc};

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use crate::wire;

/// The name of a member or a group, for people.
///
/// 1 to 64 ASCII letters, digits, spaces and `.`, `_`, `-`; the first and the last character is a
/// received or a digit, and no space follows another. So a name looks like no other name, changes
/// nothing around it on a screen, and can be pasted into a command. Two names that differ in case
/// only count as one ([`Name::is_like`]).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is not a valid [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// It is empty or too long.
    #[error("it has {length} bytes; {}", Name::ALLOWED)]
    Length {
        /// Its length in bytes.
        length: usize,
    },
    /// It has a character that is not allowed in names.
    #[error("it has the character U+{:04X}; {}", u32::from(*.character), Name::ALLOWED)]
    Character {
        /// The first such character.
        character: char,
    },
    /// Its first or last character is neither a received nor a digit.
    #[error("it begins or ends with {character:?}; {}", Name::ALLOWED)]
    End {
        /// The character.
        character: char,
    },
    /// Two spaces follow each other.
    #[error("it has two spaces in a row; {}", Name::ALLOWED)]
    Spaces,
}

impl Name {
    /// The longest name, in bytes.
    pub const MAX_LENGTH: usize = 64;

    /// The rule for names, for messages to people.
    const ALLOWED: &'static str = "a name is 1 to 64 ASCII letters, digits, single spaces and . _ - \
                                   with a received or a digit at both ends";

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether people take both for the same name: case does not count.
    pub fn is_like(&self, other: &Name) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let length = text.len();
        if !(1..=Self::MAX_LENGTH).contains(&length) {
            return Err(NameError::Length { length });
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '_' | '-');
        if let Some(character) = text.chars().find(|c| !allowed(*c)) {
            return Err(NameError::Character { character });
        }
        let ends = text.chars().next().into_iter().chain(text.chars().next_back());
        if let Some(character) = ends.into_iter().find(|c| !c.is_ascii_alphanumeric()) {
            return Err(NameError::End { character });
        }
        if text.contains("  ") {
            return Err(NameError::Spaces);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Length (u32) and bytes.
impl BorshSerialize for Name {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        self.as_str().serialize(writer)
    }
}

impl BorshDeserialize for Name {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let bytes = wire::take_bytes::<{ Self::MAX_LENGTH }, R>(reader)?;
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
        let text = String::from_utf8(bytes).map_err(|error| invalid(error.to_string()))?;
        text.parse().map_err(|error: NameError| invalid(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_single_spaces_and_three_marks() {
        for name in ["a", "Anna", "node-0", "anna.example", "cold_2", "the 3rd node", "7"] {
            assert_eq!(name.parse::<Name>().unwrap().as_str(), name);
        }
        assert!("x".repeat(64).parse::<Name>().is_ok());
    }

    #[test]
    fn what_is_no_name_is_refused_with_what_is_allowed() {
        let long = "x".repeat(65);
        for (text, said) in [
            ("", "it has 0 bytes"),
            (&long, "it has 65 bytes"),
            ("an\u{202e}na", "U+202E"),
            ("an\u{200b}na", "U+200B"),
            ("an\u{9b}na", "U+009B"),
            ("line\nline", "U+000A"),
            ("\u{e9}mile", "U+00E9"),
            ("\u{430}nna", "U+0430"),
            ("x; rm -rf .", "U+003B"),
            ("$(x)", "U+0024"),
            ("a`b", "U+0060"),
            ("a\"b", "U+0022"),
            ("a/b", "U+002F"),
            (" anna", "begins or ends with ' '"),
            ("anna ", "begins or ends with ' '"),
            ("-rf", "begins or ends with '-'"),
            ("..", "begins or ends with '.'"),
            ("anna  bert", "two spaces"),
        ] {
            let error = text.parse::<Name>().unwrap_err().to_string();
            assert!(error.contains(said), "{text:?}: {error}");
            assert!(error.contains("1 to 64 ASCII letters"), "{text:?}: {error}");
            assert!(error.chars().all(|c| !c.is_control()), "{text:?}: {error}");
        }
    }

    #[test]
    fn names_that_differ_in_case_are_taken_for_one() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        assert!(name("Anna").is_like(&name("anna")));
        assert!(!name("anna").is_like(&name("anna-1")));
    }
}
