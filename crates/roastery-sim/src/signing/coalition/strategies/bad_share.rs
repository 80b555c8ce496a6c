use roastery_frost::PartialSignature;
use roastery_protocol::member::frame::{Content, SignatureShare};

use super::{Strategy, at_once, with};
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// Wrong shares.
#[derive(Debug)]
pub struct BadShare;

impl Strategy for BadShare {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        let Some((statement, Content::SignatureShare(share))) = kit.read(&packet) else {
            return at_once(packet);
        };
        let scalars = wrong(share.scalars.len());
        let content = Content::SignatureShare(SignatureShare { scalars, ..share });
        let bytes = kit.state(statement.header().session, &content);
        at_once(with(&packet, bytes))
    }
}

/// Scalars that no signer computes.
pub(super) fn wrong(count: usize) -> Vec<PartialSignature> {
    let one = PartialSignature::from_bytes(&[3; 32]).expect("less than the order");
    vec![one; count]
}
