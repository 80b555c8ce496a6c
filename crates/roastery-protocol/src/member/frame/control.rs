use std::{fmt, sync::Arc};

use roastery_frost::Seat;

use super::{
    ControlKind, Form, FrameError, Header, Kind, Malformation, Nonces, Ready, Slots, Want,
    malformation::exact,
};
use crate::{
    GroupId, SessionId,
    group::{Group, PeerId},
    wire,
};

/// What a frame that belongs to the group and to no session names in its header.
pub const NO_SESSION: SessionId = SessionId::from_bytes([0; 32]);

/// A control frame as it is sent: `0 | header | to | content`, with a header that was read. It is
/// between two members, is not signed, and is never evidence.
#[derive(Clone, PartialEq, Eq)]
pub struct Control {
    pub(super) kind: ControlKind,
    pub(super) header: Header,
    pub(super) bytes: Arc<[u8]>,
}

/// The content of a control frame, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlContent {
    /// See [`ControlKind::Slots`].
    Slots(Slots),
    /// See [`ControlKind::Ready`].
    Ready(Ready),
    /// See [`ControlKind::Want`].
    Want(Want),
    /// See [`ControlKind::Nonces`].
    Nonces(Nonces),
}

impl ControlContent {
    /// Its kind.
    pub fn kind(&self) -> ControlKind {
        match self {
            ControlContent::Slots(_) => ControlKind::Slots,
            ControlContent::Ready(_) => ControlKind::Ready,
            ControlContent::Want(_) => ControlKind::Want,
            ControlContent::Nonces(_) => ControlKind::Nonces,
        }
    }

    /// Whether it belongs to the group and to no session: its frame has the session
    /// [`NO_SESSION`].
    pub fn belongs_to_the_group(&self) -> bool {
        matches!(
            self,
            ControlContent::Slots(_) | ControlContent::Ready(_) | ControlContent::Want(Want::Slots)
        )
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            ControlContent::Slots(content) => wire::encode(content),
            ControlContent::Ready(content) => wire::encode(content),
            ControlContent::Want(content) => wire::encode(content),
            ControlContent::Nonces(content) => wire::encode(content),
        }
    }
}

impl Control {
    /// A frame to another member. Content that belongs to the group has [`NO_SESSION`] in the place
    /// of the session, whichever is given.
    pub fn new(
        group: GroupId,
        session: SessionId,
        sender: Seat,
        to: Seat,
        content: &ControlContent,
    ) -> Self {
        let kind = content.kind();
        let session = if content.belongs_to_the_group() { NO_SESSION } else { session };
        let header = Header { group, session, sender: sender.to_u16() };
        let mut bytes = vec![Form::Control as u8];
        header.write(Kind::Control(kind), &mut bytes);
        bytes.extend(to.to_u16().to_le_bytes());
        bytes.extend(content.encode());
        Self { kind, header, bytes: bytes.into() }
    }

    /// The kind.
    pub fn kind(&self) -> ControlKind {
        self.kind
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The whole frame, as it is sent.
    pub fn as_bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The seat of this node to which the frame is addressed, if the frame came over the link of
    /// its sender's own peer: what is checked before anything in it is used.
    ///
    /// # Errors
    ///
    /// [`FrameError`]: another link, or a seat that is not one of this node's `own`.
    pub fn addressee(
        &self,
        group: &Group,
        from: &PeerId,
        own: &[Seat],
    ) -> Result<Seat, FrameError> {
        let sender = self.header.sender(group).and_then(|seat| group.member(seat));
        if sender.is_none_or(|member| member.peer != *from) {
            return Err(FrameError::NotItsLink { sender: self.header.sender });
        }
        let to = self.to();
        let addressed = own.iter().find(|seat| seat.to_u16() == to);
        addressed.copied().ok_or(FrameError::NotForThisNode { to })
    }

    /// The seat to which it is addressed, as it is written.
    pub fn to(&self) -> u16 {
        let at = Form::Control.least() - 2;
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    /// Decodes the content.
    ///
    /// # Errors
    ///
    /// [`Malformation`] names what is wrong. It proves nothing, for the frame is not signed.
    pub fn read(&self) -> Result<ControlContent, Malformation> {
        let content = &self.bytes[Form::Control.least()..];
        let content = match self.kind {
            ControlKind::Slots => {
                let slots: Slots = exact(content)?;
                let (first, count) = (slots.first, slots.nonces.len());
                // So that the index after the last one is one as well.
                if u64::from(first) + count as u64 > u32::MAX.into() {
                    return Err(Malformation::Indexes { first, count });
                }
                ControlContent::Slots(slots)
            }
            ControlKind::Ready => ControlContent::Ready(exact(content)?),
            ControlKind::Want => ControlContent::Want(exact(content)?),
            ControlKind::Nonces => ControlContent::Nonces(exact(content)?),
        };
        if content.belongs_to_the_group() != (self.header.session == NO_SESSION) {
            return Err(Malformation::OtherSession);
        }
        Ok(content)
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("kind", &self.kind)
            .field("sender", &self.header.sender)
            .field("to", &self.to())
            .field("length", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
