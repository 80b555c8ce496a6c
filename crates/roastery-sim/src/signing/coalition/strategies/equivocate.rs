use roastery_protocol::member::frame::Content;

use super::{Strategy, at_once, with};
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// Another package of the same run and number goes to every second member.
#[derive(Debug)]
pub struct Equivocate;

impl Strategy for Equivocate {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        let Some((statement, Content::SigningPackage(mut package))) = kit.read(&packet) else {
            return at_once(packet);
        };
        if statement.header().sender != kit.me.to_u16() || packet.to.index().is_multiple_of(2) {
            return at_once(packet);
        }
        // The aggregate is that of other slots, or of none.
        let other = kit.nonce();
        let other = roastery_frost::nonce_agg([&other]);
        package.aggregates.iter_mut().for_each(|aggregate| *aggregate = other.clone());
        let session = statement.header().session;
        at_once(with(&packet, kit.state(session, &Content::SigningPackage(package))))
    }
}
