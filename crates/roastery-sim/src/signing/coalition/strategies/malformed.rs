use rand::RngExt as _;
use roastery_protocol::member::frame::{Header, StatementKind};

use super::{Strategy, at_once, with};
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// Packages, shares and signatures that are cut short or too long, and signed.
#[derive(Debug)]
pub struct Malformed;

impl Strategy for Malformed {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        let Some((statement, _)) = kit.read(&packet) else { return at_once(packet) };
        let kinds = [
            StatementKind::SigningPackage,
            StatementKind::SignatureShare,
            StatementKind::Signature,
        ];
        let kind = statement.kind();
        if !kinds.contains(&kind) || statement.header().sender != kit.me.to_u16() {
            return at_once(packet);
        }
        let mut body = statement.body().to_vec();
        if kit.rng.random_bool(0.5) {
            body.push(0);
        } else {
            let length = kit.rng.random_range(Header::LENGTH..body.len());
            body.truncate(length);
        }
        at_once(with(&packet, kit.view.members.seal_bytes(kit.me, kind, &body)))
    }
}
