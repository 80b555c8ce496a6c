//! The kit of a seat: its host key and its node's keys, sealed under ten words that are on paper
//! alone. The other members' nodes keep it: neither they nor the paper bring the seat back alone.
//!
//! All of it are values: [`KitWords`], the sealed [`Kit`], the [`KitMessage`]s between members, and
//! [`Holders`], which says what the node that made a kit sends to whom, and [`Asking`], by which a
//! node asks the others for their copies, or tells them that its seat came back. Sealing is in the
//! store, beside the ciphers. `docs/kit.md` has the bytes.

mod asking;
mod holders;
mod message;
mod sealed;
mod words;

pub use asking::Asking;
pub use holders::{Heard, Holders};
pub use message::{KITS_OF_ONE, KitContent, KitMessage, KitMessageError};
pub use sealed::{KIT_LENGTH, Kit, KitError, KitId, KitLabel, SEALED_LENGTH};
pub use words::{KIT_WORDS, KitWords, KitWordsError};
