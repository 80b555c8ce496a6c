use std::time::Duration;

use roastery_protocol::member::frame::{Content, SignatureShare};

use super::{Strategy, at_once, bad_share::wrong, with};
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// Each right share is followed by one with other scalars.
#[derive(Debug)]
pub struct TwoShares;

impl Strategy for TwoShares {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        let Some((statement, Content::SignatureShare(share))) = kit.read(&packet) else {
            return at_once(packet);
        };
        let scalars = wrong(share.scalars.len());
        let content = Content::SignatureShare(SignatureShare { scalars, ..share });
        let bytes = kit.state(statement.header().session, &content);
        let second = Delayed { after: Duration::from_millis(1), packet: with(&packet, bytes) };
        let mut sends = at_once(packet);
        sends.push(second);
        sends
    }
}
