use std::collections::BTreeSet;

use roastery_protocol::{BodyHash, Seat, member::frame::Content};

use super::{Strategy, at_once};
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// Gives no share for a package of which it is the first signer of the coalition, so that each
/// member stalls one package only.
#[derive(Debug, Default)]
pub struct Stall {
    stalled: BTreeSet<BodyHash>,
}

impl Strategy for Stall {
    fn send(&mut self, kit: &mut Kit<'_>, packet: Packet) -> Vec<Delayed> {
        let Some((_, Content::SignatureShare(share))) = kit.read(&packet) else {
            return at_once(packet);
        };
        let known = kit.knowledge.package(share.package);
        let signers = known.map(|(sender, package)| (sender, package.seats()));
        let ours = signers
            .into_iter()
            .flat_map(|(sender, seats)| seats.into_iter().filter(move |seat| *seat != sender));
        let first: Option<Seat> = ours.filter(|seat| kit.all.contains(seat)).min();
        if first == Some(kit.me) || self.stalled.contains(&share.package) {
            self.stalled.insert(share.package);
            return Vec::new();
        }
        at_once(packet)
    }
}
