use std::{collections::BTreeSet, time::Duration};

use roastery_protocol::{
    Seat,
    message::{Body, Envelope, Header, NextSlot, SignatureShare},
};

use crate::adversary::{Adversary, Delayed, Packet, View, at_once};

/// Members that send each share once more, with the same scalars and the next slot under another
/// index. That is no provable fault: a share is its scalars.
#[derive(Debug)]
pub struct Resenders {
    members: BTreeSet<Seat>,
}

impl Resenders {
    /// These members do so.
    pub fn new(members: BTreeSet<Seat>) -> Self {
        Self { members }
    }
}

impl Adversary for Resenders {
    fn controls(&self, seat: Seat) -> bool {
        self.members.contains(&seat)
    }

    fn observe(&mut self, _: View<'_>, _: &Packet) {}

    fn send(&mut self, view: View<'_>, packet: Packet) -> Vec<Delayed> {
        let again = again(view, &packet);
        let mut out = at_once(packet);
        out.extend(again.map(|packet| Delayed { after: Duration::from_millis(1), packet }));
        out
    }
}

fn again(view: View<'_>, packet: &Packet) -> Option<Packet> {
    let envelope = Envelope::parse(&packet.bytes).ok()?;
    let Ok((attempt, Body::SignatureShare(share))) = view.shape.read(&envelope) else {
        return None;
    };
    let next = share.next?;
    let next = Some(NextSlot { index: next.index + 1, ..next });
    let body = Body::SignatureShare(SignatureShare { next, ..share });
    let (group, session) = (envelope.header().group, envelope.header().session);
    let sender = packet.from.to_u16();
    let header = Header::new(body.kind(), group, session, attempt.number(), sender);
    let bytes =
        Envelope::seal(header, &body, view.members.identity(packet.from)).as_bytes().clone();
    Some(Packet { bytes, ..packet.clone() })
}
