use roastery_protocol::{
    group::NamedMember,
    keygen::{Invitation, InvitationError},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::card::{CardError, NodeCard, VERSION, Written, one_line, other_version};

/// The longest invitation file, in bytes: 128 cards.
pub const MAX_INVITATION_FILE: usize = 1024 * 1024;

/// The file that is passed around before key generation: the group's name, its threshold, and the
/// cards of all members. The seats are numbered in the order of the cards, and of the seats on
/// each.
///
/// The [fingerprint](Invitation::fingerprint) covers everything but the members' addresses, which
/// each member signs itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationFile {
    invitation: Invitation,
    cards: Vec<NodeCard>,
}

/// Why a text is not an invitation file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvitationFileError {
    /// It is longer than allowed.
    #[error("{length} bytes; an invitation file has at most {MAX_INVITATION_FILE}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It has a wrong form. The parser's own error has the line where it is, which may be a secret
    /// of a file that was given by mistake.
    #[error("{0}")]
    Form(String),
    /// It is a card.
    #[error("it is a card of one node, and an invitation is made of all members' cards")]
    IsCard,
    /// It has another version.
    #[error("an invitation file of version {version}; this program reads version {VERSION}")]
    OtherVersion {
        /// The version.
        version: i64,
    },
    /// A member's card is invalid.
    #[error("member {member}: {source}")]
    Card {
        /// The index of the card, from 0.
        member: usize,
        /// What is wrong with it.
        source: CardError,
    },
    /// The members together break a rule.
    #[error(transparent)]
    Invitation(#[from] InvitationError),
}

impl From<toml::de::Error> for InvitationFileError {
    fn from(error: toml::de::Error) -> Self {
        Self::Form(one_line(&error))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    name: String,
    #[serde(default)]
    number: u32,
    threshold: usize,
    member: Vec<Written>,
}

impl InvitationFile {
    /// An invitation of these members, with all seats on their cards.
    ///
    /// # Errors
    ///
    /// [`InvitationError`] says which rule does not hold.
    pub fn new(
        name: &str,
        number: u32,
        threshold: usize,
        cards: Vec<NodeCard>,
    ) -> Result<Self, InvitationError> {
        let named = |card: &NodeCard| {
            let name = card.name().clone();
            let members: Vec<_> = card.members().cloned().collect();
            members.into_iter().map(move |member| NamedMember { name: name.clone(), member })
        };
        let members = cards.iter().flat_map(named).collect();
        Ok(Self { invitation: Invitation::new(name, number, threshold, members)?, cards })
    }

    /// Reads an invitation file and checks all of it.
    ///
    /// # Errors
    ///
    /// [`InvitationFileError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, InvitationFileError> {
        let length = text.len();
        if length > MAX_INVITATION_FILE {
            return Err(InvitationFileError::TooLong { length });
        }
        let table: toml::Table = toml::from_str(text)?;
        if table.contains_key("seat") {
            return Err(InvitationFileError::IsCard);
        }
        if let Some(version) = other_version(&table) {
            return Err(InvitationFileError::OtherVersion { version });
        }
        let file: File = toml::from_str(text)?;
        let read = |(member, written)| {
            NodeCard::from_written(written)
                .map_err(|source| InvitationFileError::Card { member, source })
        };
        let cards = file.member.into_iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self::new(&file.name, file.number, file.threshold, cards)?)
    }

    /// The file's text; [`InvitationFile::parse`] reads it.
    pub fn to_text(&self) -> String {
        let file = File {
            version: VERSION,
            name: self.invitation.name().to_owned(),
            number: self.invitation.number(),
            threshold: self.invitation.threshold(),
            member: self.cards.iter().map(NodeCard::to_written).collect(),
        };
        let text = toml::to_string(&file).expect("strings, numbers and lists of them are TOML");
        format!(
            "# The invitation to a Roastery group. All members compare its fingerprint before the key is made:\n#   {}\n{text}",
            self.invitation.fingerprint()
        )
    }

    /// The invitation that the members agree on.
    pub fn invitation(&self) -> &Invitation {
        &self.invitation
    }

    /// The members' cards, one for each node, in the order of their seats.
    pub fn cards(&self) -> &[NodeCard] {
        &self.cards
    }
}
