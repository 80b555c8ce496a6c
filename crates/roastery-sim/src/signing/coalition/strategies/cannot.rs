use roastery_protocol::{
    Seat, SessionId,
    member::{
        Incarnation,
        frame::{Cannot as Package, Content, ControlContent, Ready, ReadySession},
    },
};

use super::{Strategy, at_once};
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Intake, Packet},
};

/// Answers each package with Ready that says that it cannot answer it.
#[derive(Debug, Default)]
pub struct Cannot {
    counter: u32,
    incarnation: Option<Incarnation>,
}

impl Strategy for Cannot {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        if let Some((_, _, ControlContent::Slots(slots))) = kit.read_control(&packet) {
            self.incarnation = Some(slots.incarnation);
        }
        match kit.read(&packet) {
            Some((_, Content::SignatureShare(_))) => Vec::new(),
            _ => at_once(packet),
        }
    }

    fn receive(&mut self, kit: &mut Kit<'_>, packet: &Packet) -> Intake {
        let (Some((statement, Content::SigningPackage(package))), Some(incarnation)) =
            (kit.read(packet), self.incarnation)
        else {
            return Intake { passes: true, sends: Vec::new() };
        };
        self.counter += 1;
        let cannot = Some(Package { run: package.run, number: package.number });
        let session = statement.header().session;
        let one = ReadySession { session, counter: self.counter, cannot };
        let content = ControlContent::Ready(Ready { incarnation, oldest: 0, sessions: vec![one] });
        let coordinator = Seat::new(statement.header().sender.into()).ok();
        let group = SessionId::from_bytes([0; 32]);
        let sends = coordinator.map(|to| kit.tell(group, to, &content)).into_iter().collect();
        Intake { passes: true, sends }
    }
}
