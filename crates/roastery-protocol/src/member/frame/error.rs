use thiserror::Error;

use crate::{GroupId, tags::SIGNING_VERSION};

/// Why bytes cannot be read as a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Longer than any frame, or than one of its kind, may be.
    #[error("{length} bytes; a frame of this kind has at most {most}")]
    TooLong {
        /// The length in bytes.
        length: usize,
        /// The greatest length allowed, in bytes.
        most: usize,
    },
    /// Shorter than a frame of its form.
    #[error("{length} bytes; a frame of this form has at least {least}")]
    TooShort {
        /// The length in bytes.
        length: usize,
        /// The least length allowed, in bytes.
        least: usize,
    },
    /// A form that this version does not have.
    #[error("form {form}; version {SIGNING_VERSION} has 0 (control) and 1 (statement)")]
    UnknownForm {
        /// The form byte.
        form: u8,
    },
    /// A version that this program does not read.
    #[error("version {version}; this program reads version {SIGNING_VERSION}")]
    OtherVersion {
        /// The version byte.
        version: u8,
    },
    /// A kind that this version does not have.
    #[error("kind {kind}; version {SIGNING_VERSION} has 0 to 5 and 16 to 19")]
    UnknownKind {
        /// The kind byte.
        kind: u8,
    },
    /// A kind in the wrong form.
    #[error("kind {kind} in form {form}; it has form {right}", right = 1 - form)]
    OtherForm {
        /// The kind byte.
        kind: u8,
        /// The form byte.
        form: u8,
    },
    /// A control frame where only a statement can be.
    #[error("a control frame; only a statement is kept or shown in a proof")]
    NotAStatement,
    /// A frame of another group.
    #[error("of group {named:#}; this is group {group:#}")]
    OtherGroup {
        /// The group that the frame names.
        named: GroupId,
        /// The group that was expected.
        group: GroupId,
    },
    /// A sender that the group does not have.
    #[error("from seat {sender}; the group has {members} seats, from 0")]
    NoSuchSender {
        /// The seat that the frame names as its sender.
        sender: u16,
        /// The number of seats, n.
        members: usize,
    },
    /// A control frame over another link than that of its sender's own peer.
    #[error("a control frame of seat {sender} counts on the link of that seat's own peer only")]
    NotItsLink {
        /// The seat that the frame names as its sender.
        sender: u16,
    },
    /// A control frame that is addressed to a seat which is not at this node.
    #[error("addressed to seat {to}, which is not at this node")]
    NotForThisNode {
        /// The seat to which it is addressed.
        to: u16,
    },
}
