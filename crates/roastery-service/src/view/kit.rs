//! Kits.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// The kit of this node's seat in a group that was founded by lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KitStatus {
    /// The group's name here.
    pub group: String,
    /// The number of the epoch.
    pub epoch: u32,
    /// The label on the paper: four characters.
    pub label: String,
    /// Whether the host key is still on this machine.
    pub host_key_here: bool,
    /// Whether a kit was made.
    pub made: bool,
    /// Whether words of its paper were typed back.
    pub confirmed: bool,
    /// How many seats of others must keep it before the host key leaves this machine.
    pub needed: usize,
    /// The other members, by seat.
    pub holders: Vec<KitHolder>,
}

/// Another member, as one that keeps this node's kit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KitHolder {
    /// Its name.
    pub name: String,
    /// When it has last shown that it has this node's kit; it is asked once a week.
    pub held: Option<Time>,
    /// Whether its own kit is kept here.
    pub kept_here: bool,
}

/// A kit that was made: its words, which are in this answer and nowhere else.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewKit {
    /// The group's name here.
    pub group: String,
    /// The number of the epoch.
    pub epoch: u32,
    /// The label that is written above the words.
    pub label: String,
    /// The ten words, in order.
    pub words: Vec<String>,
    /// The numbers of the words that are to be typed back, from 1.
    pub asked: Vec<usize>,
}

/// Without the words.
impl fmt::Debug for NewKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, epoch, label, asked, .. } = self;
        f.debug_struct("NewKit")
            .field("group", group)
            .field("epoch", epoch)
            .field("label", label)
            .field("asked", asked)
            .finish_non_exhaustive()
    }
}

/// Words of the paper that were typed back.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TypedWords {
    /// Each word that was asked for.
    pub words: Vec<TypedWord>,
}

/// A word of the paper that was typed back.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TypedWord {
    /// Its number, from 1.
    pub number: usize,
    /// The word.
    pub word: String,
}

/// Without the words.
impl fmt::Debug for TypedWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<usize> = self.words.iter().map(|word| word.number).collect();
        f.debug_struct("TypedWords").field("numbers", &numbers).finish_non_exhaustive()
    }
}

/// Without the word.
impl fmt::Debug for TypedWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedWord").field("number", &self.number).finish_non_exhaustive()
    }
}
