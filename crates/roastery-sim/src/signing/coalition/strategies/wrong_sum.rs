use roastery_protocol::member::frame::Content;

use super::{Strategy, at_once, with};
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// Aggregate nonces that are not the sums: the first one of each package is its neighbour's.
#[derive(Debug)]
pub struct WrongSum;

impl Strategy for WrongSum {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        let Some((statement, Content::SigningPackage(mut package))) = kit.read(&packet) else {
            return at_once(packet);
        };
        if statement.header().sender != kit.me.to_u16() {
            return at_once(packet);
        }
        // The same wrong sum for all: a point that is on the curve.
        let generator = roastery_frost::nonce_agg([&roastery_frost::PublicNonce::from_bytes(
            &twice(&kit.view.members.group.keys().threshold_public_key().serialize()),
        )
        .expect("a key is a point")]);
        package.aggregates.iter_mut().for_each(|aggregate| *aggregate = generator.clone());
        let session = statement.header().session;
        at_once(with(&packet, kit.state(session, &Content::SigningPackage(package))))
    }
}

fn twice(point: &[u8; 33]) -> [u8; 66] {
    let mut both = [0; 66];
    both[..33].copy_from_slice(point);
    both[33..].copy_from_slice(point);
    both
}
