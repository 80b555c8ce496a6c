use std::time::Duration;

use roastery_protocol::{
    SessionId,
    member::{
        Incarnation,
        frame::{Content, ControlContent, Ready, ReadySession, Refusal},
    },
    request::RefusalReason,
};

use super::{Strategy, at_once};
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// Says Ready and refuses by turns, every 200 ms.
#[derive(Debug, Default)]
pub struct Refuse {
    counter: u32,
    incarnation: Option<Incarnation>,
}

impl Strategy for Refuse {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        if let Some((_, _, ControlContent::Slots(slots))) = kit.read_control(&packet) {
            self.incarnation = Some(slots.incarnation);
        }
        at_once(packet)
    }

    fn every(&self) -> Option<Duration> {
        Some(Duration::from_millis(200))
    }

    fn turn(&mut self, kit: &mut Kit<'_>) -> Vec<Delayed> {
        let Some(incarnation) = self.incarnation else { return Vec::new() };
        self.counter += 1;
        let (session, counter) = (kit.some_session(), self.counter);
        if counter.is_multiple_of(2) {
            let reason = RefusalReason::Policy;
            let refusal = Content::Refusal(Refusal { incarnation, counter, reason });
            return kit.to_all(&kit.state(session, &refusal));
        }
        let one = ReadySession { session, counter, cannot: None };
        let content = ControlContent::Ready(Ready { incarnation, oldest: 0, sessions: vec![one] });
        let group = SessionId::from_bytes([0; 32]);
        kit.honest().into_iter().map(|to| kit.tell(group, to, &content)).collect()
    }
}
