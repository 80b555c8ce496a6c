use roastery_frost::Seat;

use super::{Control, FrameError, Header, Kind, Statement, beginning::read_beginning};
use crate::{GroupId, group::Group};

/// A frame whose beginning was read: form, version, kind and header. Its content is not decoded and
/// its signature not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A signed statement.
    Statement(Statement),
    /// A control frame.
    Control(Control),
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
