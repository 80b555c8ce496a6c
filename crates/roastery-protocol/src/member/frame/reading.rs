use roastery_frost::Seat;
use thiserror::Error;

use super::{Control, Form, Header, Kind, MAX_EVIDENCE_FRAME, Statement};
use crate::{GroupId, SessionId, group::Group, tags::SIGNING_VERSION};

/// A frame whose beginning was read: form, version, kind and header. Its content is not decoded and
/// its signature not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A signed statement.
    Statement(Statement),
    /// A control frame.
    Control(Control),
}

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

impl Frame {
    /// The group that a frame names, if its beginning is one of a frame: for routing.
    pub fn peek_group(bytes: &[u8]) -> Option<GroupId> {
        read_beginning(bytes).ok().map(|(_, header)| header.group)
    }

    /// Reads the beginning of a frame of this group, in the order of section 3: the length for the
    /// greatest kind; form; length for the form's least; version; kind, and that it belongs to the
    /// form; length for the kind; group; that the sender, which is returned, is below n. Nothing is
    /// copied before all of it holds. What only a control frame needs is
    /// [`Control::addressee`]'s to check.
    ///
    /// # Errors
    ///
    /// [`FrameError`]: the bytes are no frame of this group, and count as sent by no member.
    pub fn parse(bytes: &[u8], group: &Group) -> Result<(Seat, Self), FrameError> {
        let (kind, header) = read_beginning(bytes)?;
        if header.group != group.id() {
            return Err(FrameError::OtherGroup { named: header.group, group: group.id() });
        }
        let (sender, members) = (header.sender, group.size());
        let seat = header.sender(group).ok_or(FrameError::NoSuchSender { sender, members })?;
        let frame = match kind {
            Kind::Statement(kind) => {
                Frame::Statement(Statement { kind, header, bytes: bytes.into() })
            }
            Kind::Control(kind) => Frame::Control(Control { kind, header, bytes: bytes.into() }),
        };
        Ok((seat, frame))
    }

    /// The kind and the header of a frame, of whatever group: for routing. Lengths, version and
    /// form are checked as by [`Frame::parse`].
    ///
    /// # Errors
    ///
    /// [`FrameError`]: the bytes are no frame.
    pub fn peek(bytes: &[u8]) -> Result<(Kind, Header), FrameError> {
        read_beginning(bytes)
    }
}

/// Reads form, version, kind and header, and checks the length for each.
pub(super) fn read_beginning(bytes: &[u8]) -> Result<(Kind, Header), FrameError> {
    let length = bytes.len();
    if length > MAX_EVIDENCE_FRAME {
        return Err(FrameError::TooLong { length, most: MAX_EVIDENCE_FRAME });
    }
    let Some(&number) = bytes.first() else {
        return Err(FrameError::TooShort { length, least: Form::Control.least() });
    };
    let form = Form::from_number(number).ok_or(FrameError::UnknownForm { form: number })?;
    let too_short = FrameError::TooShort { length, least: form.least() };
    if length < form.least() {
        return Err(too_short);
    }
    let mut rest = &bytes[form.body_at()..];
    let [version] = next(&mut rest).ok_or(too_short)?;
    if version != SIGNING_VERSION {
        return Err(FrameError::OtherVersion { version });
    }
    let [number] = next(&mut rest).ok_or(too_short)?;
    let kind = Kind::from_number(number).ok_or(FrameError::UnknownKind { kind: number })?;
    if kind.form() != form {
        return Err(FrameError::OtherForm { kind: number, form: form as u8 });
    }
    if length > kind.most() {
        return Err(FrameError::TooLong { length, most: kind.most() });
    }
    let group = GroupId::from_bytes(next(&mut rest).ok_or(too_short)?);
    let session = SessionId::from_bytes(next(&mut rest).ok_or(too_short)?);
    let sender = u16::from_le_bytes(next(&mut rest).ok_or(too_short)?);
    Ok((kind, Header { group, session, sender }))
}

/// Takes the next bytes, of a number that the receiver chooses.
fn next<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*first)
}
