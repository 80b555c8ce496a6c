//! Messages and events: as a hash, so that two simulations can be compared, and as text.

use std::{
    fmt::{self, Write as _},
    sync::Arc,
    time::Duration,
};

use roastery_frost::hash::TaggedHash;
use roastery_protocol::{
    Seat,
    change::{self, message::LineageContent},
    keygen,
    member::frame::{Frame, Kind},
};

use crate::world::Packet;

/// The trace of a simulation: a hash of everything, and lines of text if they are wanted.
#[derive(Debug)]
pub struct Trace {
    hash: TaggedHash,
    lines: Option<Vec<String>>,
    /// The last message: what is sent again at once is not hashed again.
    last: Option<Arc<[u8]>>,
    /// The last message, with its receivers, before it becomes a line.
    open: Option<OpenLine>,
}

#[derive(Debug)]
struct OpenLine {
    at: Duration,
    from: Seat,
    bytes: Arc<[u8]>,
    to: Vec<Seat>,
}

/// What a trace holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Only the hash.
    Hash,
    /// Also lines of text.
    Lines,
}

impl Trace {
    /// An empty trace.
    pub fn new(detail: Detail) -> Self {
        let lines = (detail == Detail::Lines).then(Vec::new);
        Self { hash: TaggedHash::new("roastery-sim/trace"), lines, last: None, open: None }
    }

    /// The hash of everything so far, and the lines, if they were wanted.
    pub fn finish(mut self) -> (String, Vec<String>) {
        self.close();
        let mut text = String::new();
        for byte in self.hash.finalize().iter().take(16) {
            let _ = write!(text, "{byte:02x}");
        }
        (text, self.lines.unwrap_or_default())
    }

    /// A message leaves a node.
    pub fn sent(&mut self, at: Duration, packet: &Packet) {
        self.feed(b's', at, u64::from(packet.from.to_u16()), u64::from(packet.to.to_u16()));
        if self.last.as_ref().is_none_or(|last| !Arc::ptr_eq(last, &packet.bytes)) {
            self.hash.update(&packet.bytes);
            self.last = Some(packet.bytes.clone());
        }
        if let Some(open) = &mut self.open
            && (open.at, open.from) == (at, packet.from)
            && Arc::ptr_eq(&open.bytes, &packet.bytes)
        {
            open.to.push(packet.to);
            return;
        }
        self.close();
        let (from, bytes) = (packet.from, packet.bytes.clone());
        self.open = Some(OpenLine { at, from, bytes, to: vec![packet.to] });
    }

    /// A message is given to a node.
    pub fn delivered(&mut self, at: Duration, node: usize, packet: &Packet) {
        self.feed(b'd', at, node as u64, u64::from(packet.from.to_u16()));
        // The end of its signature tells it from others.
        let mark = packet.bytes.get(32..64).unwrap_or(&packet.bytes);
        self.hash.update(mark);
    }

    /// A node reports something, which is put into words only for readers.
    pub fn reported(
        &mut self,
        at: Duration,
        node: usize,
        seat: Seat,
        words: impl FnOnce() -> String,
    ) {
        self.feed(b'e', at, node as u64, u64::from(seat.to_u16()));
        if self.lines.is_some() {
            self.line(at, format!("seat {seat:>2} (node {node}): {}", words()));
        }
    }

    /// Something happens to nodes or network.
    pub fn injection(&mut self, at: Duration, injection: &impl fmt::Display) {
        self.feed(b'h', at, 0, 0);
        if self.lines.is_some() {
            self.line(at, format!("-- {injection} --"));
        }
    }

    fn feed(&mut self, what: u8, at: Duration, one: u64, other: u64) {
        self.hash.update(&[what]);
        self.hash.update(&at.as_nanos().to_le_bytes());
        self.hash.update(&one.to_le_bytes());
        self.hash.update(&other.to_le_bytes());
    }

    fn line(&mut self, at: Duration, text: String) {
        self.close();
        self.push(at, &text);
    }

    fn push(&mut self, at: Duration, text: &str) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>10.4} {text}", at.as_secs_f64()));
        }
    }

    fn close(&mut self) {
        let Some(open) = self.open.take().filter(|_| self.lines.is_some()) else { return };
        let to = match open.to.as_slice() {
            [one] => format!("{one}"),
            many => format!("{} seats", many.len()),
        };
        let text = format!("seat {:>2} -> {to}: {}", open.from, say(&open.bytes));
        self.push(open.at, &text);
    }
}

fn say(bytes: &[u8]) -> String {
    if let Ok((kind, header)) = Frame::peek(bytes) {
        let name = match kind {
            Kind::Statement(kind) => format!("{kind:?}"),
            Kind::Control(kind) => format!("{kind:?}"),
        };
        return format!("{name} by seat {}, {} bytes", header.sender, bytes.len());
    }
    match keygen::message::Envelope::parse(bytes) {
        Ok(envelope) => {
            let (kind, sender) = (envelope.kind(), envelope.header().sender);
            format!("{kind:?} {:#} by {sender}, {} bytes", envelope.body_hash(), bytes.len())
        }
        Err(_) => say_of_change(bytes),
    }
}

fn say_of_change(bytes: &[u8]) -> String {
    if let Ok(envelope) = change::message::Envelope::parse(bytes) {
        let (kind, sender) = (envelope.kind(), envelope.header().party());
        let sender = sender.map_or_else(String::new, |party| party.to_string());
        let plan = envelope.header().plan;
        return format!("{kind:?} of plan {plan:#} by {sender}, {} bytes", bytes.len());
    }
    match change::message::LineageMessage::parse(bytes) {
        Ok(message) => match message.content {
            LineageContent::Ask { current, epoch } => {
                format!("Ask for epoch {epoch}, in epoch {}", current.epoch())
            }
            LineageContent::Epoch(file) => {
                format!("recovery file of epoch {}", file.plan().epoch())
            }
        },
        Err(_) => format!("garbage, {} bytes", bytes.len()),
    }
}
