use std::time::Duration;

use roastery_protocol::{
    SessionId,
    member::{
        Incarnation,
        frame::{Content, ControlContent, Ready, ReadySession},
    },
};

use super::{Strategy, at_once};
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// Says Ready every 150 ms, each time with a greater counter, and gives no shares.
#[derive(Debug, Default)]
pub struct ReadyWithoutEnd {
    counter: u32,
    incarnation: Option<Incarnation>,
}

impl Strategy for ReadyWithoutEnd {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        if let Some((_, _, ControlContent::Slots(slots))) = kit.read_control(&packet) {
            self.incarnation = Some(slots.incarnation);
        }
        match kit.read(&packet) {
            Some((_, Content::SignatureShare(_))) => Vec::new(),
            _ => at_once(packet),
        }
    }

    fn every(&self) -> Option<Duration> {
        Some(Duration::from_millis(150))
    }

    fn turn(&mut self, kit: &mut Kit<'_>) -> Vec<Delayed> {
        let Some(incarnation) = self.incarnation else { return Vec::new() };
        self.counter += 1;
        let one = ReadySession { session: kit.some_session(), counter: self.counter, cannot: None };
        let ready = Ready { incarnation, oldest: 0, sessions: vec![one] };
        let content = ControlContent::Ready(ready);
        let session = SessionId::from_bytes([0; 32]);
        kit.honest().into_iter().map(|to| kit.tell(session, to, &content)).collect()
    }
}
