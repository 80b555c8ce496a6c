use std::{collections::BTreeSet, rc::Rc, sync::Arc};

use roastery_protocol::{
    BodyHash, Seat, SessionId,
    member::frame::{Content, Control, ControlContent, Frame, Statement},
};

use super::Case;
use crate::world::Packet;

/// A frame, read.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The sender that it names.
    pub sender: Seat,
    /// What it says.
    pub read: Read,
}

/// What a frame says.
#[derive(Clone, Debug)]
pub enum Read {
    /// A statement that its sender has signed; no content if that is malformed or of no session.
    Statement(SessionId, Statement, Option<Rc<Content>>),
    /// A statement that its sender has not signed.
    Forged(SessionId, Statement),
    /// A control frame that decodes.
    Control(Control, ControlContent),
}

/// Reads frames, each once while it is sent to many.
#[derive(Debug)]
pub(super) struct Reader {
    case: Rc<Case>,
    last: Option<(Arc<[u8]>, Option<Heard>)>,
    known: BTreeSet<BodyHash>,
}

impl Reader {
    pub(super) fn new(case: Rc<Case>) -> Self {
        Self { case, last: None, known: BTreeSet::new() }
    }

    /// Reads a frame. Also whether it is a statement or control frame that was not read before.
    pub(super) fn read(&mut self, packet: &Packet) -> (Option<Heard>, bool) {
        if let Some((bytes, heard)) = &self.last
            && Arc::ptr_eq(bytes, &packet.bytes)
        {
            return (heard.clone(), false);
        }
        let heard = self.parse(&packet.bytes);
        let is_new = match &heard {
            Some(Heard { read: Read::Statement(_, statement, _), .. }) => {
                self.known.insert(statement.body_hash())
            }
            other => other.is_some(),
        };
        self.last = Some((packet.bytes.clone(), heard.clone()));
        (heard, is_new)
    }

    fn parse(&self, bytes: &[u8]) -> Option<Heard> {
        let (sender, frame) = Frame::parse(bytes, &self.case.group).ok()?;
        let read = match frame {
            Frame::Control(control) => {
                let content = control.read().ok()?;
                Read::Control(control, content)
            }
            Frame::Statement(statement) => {
                let session = statement.header().session;
                if statement.is_signed_by_its_sender(&self.case.group) {
                    let shape = self.case.shapes.get(&session);
                    let content = shape.and_then(|shape| shape.read(&statement).ok()).map(Rc::new);
                    Read::Statement(session, statement, content)
                } else {
                    Read::Forged(session, statement)
                }
            }
        };
        Some(Heard { sender, read })
    }
}
