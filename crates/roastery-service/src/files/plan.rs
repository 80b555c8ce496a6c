use std::sync::Arc;

use bitcoin::hex::{DisplayHex as _, FromHex as _};
use roastery_frost::Seat;
use roastery_protocol::{
    change::{Parent, Plan, PlanError, Terms},
    group::{Group, MAX_GROUP_FILE, Name, NameError, NamedMember},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::card::{CardError, NodeCard, VERSION, Written, one_line, other_version};

/// The longest plan file, in bytes: 128 cards and the group file of 128 members.
pub const MAX_PLAN_FILE: usize = 1024 * 1024;

/// The file that is passed around before a change: the group that it changes, the terms, and the
/// cards of all new members, with fresh host keys. The new seats are numbered in the order of the
/// cards.
///
/// The plan's [fingerprint](Plan::fingerprint) covers everything but the group's name, which each
/// node keeps as it has it, and the members' addresses, which each member signs itself.
#[derive(Clone, Debug)]
pub struct PlanFile {
    name: Name,
    parent: Arc<Group>,
    plan: Plan,
    cards: Vec<NodeCard>,
}

/// Why a text is not a plan file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlanFileError {
    /// It is longer than allowed.
    #[error("{length} bytes; a plan file has at most {MAX_PLAN_FILE}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It has a wrong form. The parser's own error has the line where it is, which may be a secret
    /// of a file that was given by mistake.
    #[error("{0}")]
    Form(String),
    /// It has another version.
    #[error("a plan file of version {version}; this program reads version {VERSION}")]
    OtherVersion {
        /// The version.
        version: i64,
    },
    /// The name is not allowed.
    #[error("the name: {0}")]
    Name(#[from] NameError),
    /// The group file in it is none.
    #[error("the group that it changes: {reason}")]
    Group {
        /// What is wrong with it.
        reason: String,
    },
    /// A member's card is invalid.
    #[error("member {member}: {source}")]
    Card {
        /// The index of the card, from 0.
        member: usize,
        /// What is wrong with it.
        source: CardError,
    },
    /// A number in the list of excluded seats is no seat.
    #[error("{seat} is no seat")]
    NoSeat {
        /// The number.
        seat: u16,
    },
    /// The members and terms make no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl From<toml::de::Error> for PlanFileError {
    fn from(error: toml::de::Error) -> Self {
        Self::Form(one_line(&error))
    }
}

/// The terms of a plan file beside its members.
#[derive(Clone, Debug)]
pub struct PlanTerms {
    /// Tells plans of one group apart; a later one has a higher number.
    pub number: u32,
    /// How many of the new members must sign.
    pub threshold: usize,
    /// When the plan ends, in seconds since 1970.
    pub expiry: u64,
    /// The old seats whose dealings do not count, ascending.
    pub excluded: Vec<Seat>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    name: String,
    group: String,
    number: u32,
    threshold: usize,
    expiry: u64,
    excluded: Vec<u16>,
    member: Vec<Written>,
}

impl PlanFile {
    /// A plan that changes this group, with all seats on these cards as the new members.
    ///
    /// # Errors
    ///
    /// [`PlanError`] says which rule does not hold.
    pub fn new(
        name: Name,
        parent: Arc<Group>,
        terms: PlanTerms,
        cards: Vec<NodeCard>,
    ) -> Result<Self, PlanError> {
        let named = |card: &NodeCard| {
            let name = card.name().clone();
            let members: Vec<_> = card.members().cloned().collect();
            members.into_iter().map(move |member| NamedMember { name: name.clone(), member })
        };
        let PlanTerms { number, threshold, expiry, excluded } = terms;
        let members = cards.iter().flat_map(named).collect();
        let terms = Terms { number, threshold, expiry, excluded, members };
        let plan = Plan::new(Parent::of(&parent), terms)?;
        Ok(Self { name, parent, plan, cards })
    }

    /// Reads a plan file and checks that it is well-formed. Whether this node may take part in the
    /// plan is another step ([`Plan::check`]).
    ///
    /// # Errors
    ///
    /// [`PlanFileError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, PlanFileError> {
        let length = text.len();
        if length > MAX_PLAN_FILE {
            return Err(PlanFileError::TooLong { length });
        }
        let table: toml::Table = toml::from_str(text)?;
        if let Some(version) = other_version(&table) {
            return Err(PlanFileError::OtherVersion { version });
        }
        let file: File = toml::from_str(text)?;
        let no_group = |reason: String| PlanFileError::Group { reason };
        if file.group.len() > 2 * MAX_GROUP_FILE {
            let length = file.group.len() / 2;
            return Err(no_group(format!("{length} bytes; at most {MAX_GROUP_FILE} are allowed")));
        }
        let parent = Vec::<u8>::from_hex(&file.group).map_err(|error| no_group(error.to_string()));
        let parent = Group::decode(&parent?).map_err(|error| no_group(error.to_string()))?;
        let seat = |seat: u16| Seat::new(seat.into()).map_err(|_| PlanFileError::NoSeat { seat });
        let terms = PlanTerms {
            number: file.number,
            threshold: file.threshold,
            expiry: file.expiry,
            excluded: file.excluded.into_iter().map(seat).collect::<Result<_, _>>()?,
        };
        let read = |(member, written)| {
            NodeCard::from_written(written).map_err(|source| PlanFileError::Card { member, source })
        };
        let cards = file.member.into_iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self::new(file.name.parse()?, Arc::new(parent), terms, cards)?)
    }

    /// The file's text; [`PlanFile::parse`] reads it.
    pub fn to_text(&self) -> String {
        let file = File {
            version: VERSION,
            name: self.name.to_string(),
            group: self.parent.encode().to_lower_hex_string(),
            number: self.plan.number(),
            threshold: self.plan.threshold(),
            expiry: self.plan.expiry(),
            excluded: self.plan.excluded().iter().map(|seat| seat.to_u16()).collect(),
            member: self.cards.iter().map(NodeCard::to_written).collect(),
        };
        let text = toml::to_string(&file).expect("strings, numbers and lists of them are TOML");
        format!(
            "# The plan of a change of a Roastery group. All members compare its fingerprint before they approve or accept it:\n#   {}\n{text}",
            self.plan.fingerprint()
        )
    }

    /// What the group is called by the member that made the plan.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The group that it changes.
    pub fn parent(&self) -> &Arc<Group> {
        &self.parent
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The cards of the new members, in the order of their seats.
    pub fn cards(&self) -> &[NodeCard] {
        &self.cards
    }
}
