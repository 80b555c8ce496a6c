//! Labels (BIP-329): what people call transactions, addresses and coins.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

/// The most labels of one wallet.
pub const MOST_LABELS: usize = 10_000;

/// The longest file with labels, in bytes.
pub const MAX_LABELS_FILE: usize = 4 * 1024 * 1024;

/// The longest reference and label, in characters: BIP-329 wants 255 characters of a label kept.
const MAX_TEXT: usize = 255;

/// The longest line, in bytes.
const MAX_LINE: usize = 4096;

/// What a label is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelKind {
    /// A transaction, by its id.
    Tx,
    /// An address.
    Addr,
    /// A public key.
    Pubkey,
    /// An input, by transaction id and index.
    Input,
    /// An output, by transaction id and index.
    Output,
    /// An extended public key.
    Xpub,
}

/// One label. Fields that are not used here are kept as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: LabelKind,
    /// Which one.
    #[serde(rename = "ref")]
    pub reference: String,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// All other fields.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// Why a file of labels is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LabelError {
    /// The file is too long.
    #[error("the file has {0} bytes: at most {MAX_LABELS_FILE} are read")]
    File(usize),
    /// A line is none.
    #[error("line {line}: {reason}; each line is one label of BIP-329 as JSON, with type and ref")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// All labels together would be longer than a file that is read again.
    #[error(
        "all labels together would have {0} bytes: at most {MAX_LABELS_FILE}, in lines of at most {MAX_LINE}; leave some out"
    )]
    Together(usize),
    /// There would be too many.
    #[error("a wallet has at most {MOST_LABELS} labels")]
    TooMany,
}

/// The labels of a wallet, one for each thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels(BTreeMap<(LabelKind, String), Label>);

impl Labels {
    /// Adds what a file has: a label for a thing that has one replaces it. All of the file is
    /// taken, or nothing. Returns how many it has.
    ///
    /// # Errors
    ///
    /// [`LabelError`].
    pub fn import(&mut self, file: &str) -> Result<usize, LabelError> {
        if file.len() > MAX_LABELS_FILE {
            return Err(LabelError::File(file.len()));
        }
        let (mut all, mut count) = (self.0.clone(), 0);
        for (index, text) in file.lines().enumerate() {
            let wrong = |reason: String| LabelError::Line { line: index + 1, reason };
            let text = text.trim_start_matches('\u{feff}').trim();
            if text.is_empty() {
                continue;
            }
            if text.len() > MAX_LINE {
                return Err(wrong(format!("it has more than {MAX_LINE} bytes")));
            }
            let label: Label =
                serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
            let long = |text: &str| text.chars().count() > MAX_TEXT;
            if label.reference.is_empty() || long(&label.reference) {
                return Err(wrong(format!("ref has 1 to {MAX_TEXT} characters")));
            }
            if label.label.as_deref().is_some_and(long) {
                return Err(wrong(format!("label has at most {MAX_TEXT} characters")));
            }
            all.insert((label.kind, label.reference.clone()), label);
            count += 1;
            if all.len() > MOST_LABELS {
                return Err(LabelError::TooMany);
            }
        }
        let all = Self(all);
        let export = all.export();
        if export.len() > MAX_LABELS_FILE || export.lines().any(|line| line.len() > MAX_LINE) {
            return Err(LabelError::Together(export.len()));
        }
        *self = all;
        Ok(count)
    }

    /// All labels as a file of BIP-329.
    pub fn export(&self) -> String {
        let lines = self.0.values().filter_map(|label| serde_json::to_string(label).ok());
        lines.map(|line| line + "\n").collect()
    }

    /// What a thing is called.
    pub fn of(&self, kind: LabelKind, reference: &str) -> Option<&str> {
        self.0.get(&(kind, reference.to_owned()))?.label.as_deref()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}
