//! Packages and shares that a test makes in the name of the nodes that it plays.

use roastery_frost::{PartialSignature, PublicNonce, Seat, nonce_agg};

use super::{
    requests::{ms, secs},
    world::World,
};
use crate::{
    BodyHash, SessionId,
    machine::Machine,
    member::{
        Run,
        frame::{Content, SignatureShare, SignerSlots, SigningPackage, Statement, slot_hash},
        machine::{Event, Rejected},
    },
    verdict::FaultKind,
};

impl World {
    /// A t-of-n of which the test plays these nodes. Each of them has been shown the slots that the
    /// others hold for it.
    pub(super) fn with_played(threshold: usize, n: usize, played: &[usize]) -> Self {
        let mut world = World::new(threshold, &vec![1; n]);
        played.iter().for_each(|at| world.take_over(*at));
        for at in played {
            for other in (0..n).filter(|other| !played.contains(other)) {
                world.link(other, *at, false);
                world.link(other, *at, true);
            }
        }
        world.run_for(secs(1));
        world
    }

    pub(super) fn seat(&self, at: usize) -> Seat {
        self.nodes[at].seats[0]
    }

    /// A package of a node that the test plays. Of each honest signer it names the slot at this
    /// place of those that it was shown last, of each other one a slot that it never showed.
    pub(super) fn package(
        &self,
        coordinator: usize,
        (run, number): (u64, u16),
        signers: &[usize],
        place: usize,
    ) -> SigningPackage {
        let honest = |at: &usize| self.nodes[*at].member.is_some();
        let spare = (0..self.nodes.len()).find(honest).unwrap();
        let spare = self.slots_for(coordinator, spare).pop().unwrap().nonces;
        let named = signers.iter().map(|at| {
            if honest(at) {
                let slots = self.slots_for(coordinator, *at).pop().unwrap();
                (*at, slots.first + place as u32, slots.nonces[place])
            } else {
                (*at, place as u32, spare[spare.len() - 1 - at - 8 * place])
            }
        });
        let named: Vec<(usize, u32, [u8; 66])> = named.collect();
        let entry = |(at, first, nonce): &(usize, u32, [u8; 66])| {
            let (coordinator, seat) = (self.seat(coordinator), self.seat(*at));
            let hash = slot_hash(self.group.id(), coordinator, seat, &[*nonce]);
            SignerSlots { seat, first: *first, hash }
        };
        let points = named.iter().map(|(_, _, nonce)| PublicNonce::from_bytes(nonce).unwrap());
        let points: Vec<PublicNonce> = points.collect();
        SigningPackage {
            run: Run::new(run, [0; 8]),
            number,
            signers: named.iter().map(entry).collect(),
            aggregates: vec![nonce_agg(&points)],
        }
    }

    pub(super) fn sealed(
        &self,
        at: usize,
        session: SessionId,
        package: &SigningPackage,
    ) -> Statement {
        self.seal(at, session, &Content::SigningPackage(package.clone()))
    }

    /// A share that is right for nothing.
    pub(super) fn garbage_share(
        &self,
        at: usize,
        session: SessionId,
        package: BodyHash,
        scalar: u8,
    ) -> Statement {
        let scalars = vec![PartialSignature::from_bytes(&[scalar; 32]).unwrap()];
        self.seal(at, session, &Content::SignatureShare(SignatureShare { package, scalars }))
    }

    /// A node is handed a frame over another one's link, at once.
    pub(super) fn hand(&mut self, from: usize, to: usize, bytes: &[u8]) -> Result<(), Rejected> {
        let (peer, now) = (self.nodes[from].peer.clone(), self.moment(to));
        let result = self.nodes[to].member.as_mut().unwrap().handle_message(&peer, bytes, now);
        self.drain(to);
        result
    }

    /// A node that the test plays sends a statement to all, and it arrives.
    pub(super) fn show(&mut self, at: usize, statement: &Statement) {
        self.send(at, crate::machine::Destination::Everyone, statement.as_bytes());
        self.run_for(ms(60));
    }

    pub(super) fn faults(&self, at: usize) -> Vec<(Seat, FaultKind)> {
        self.proven(at).iter().map(|fault| (fault.accused, fault.fault)).collect()
    }

    /// How many slots a node holds for a coordinator.
    pub(super) fn held(&self, at: usize, coordinator: usize) -> usize {
        let member = self.nodes[at].member.as_ref().unwrap();
        member.core.own[0].stock.held(self.seat(coordinator))
    }

    /// The nodes that owe a share for a package of this one.
    pub(super) fn owing(&self, at: usize, session: SessionId) -> Vec<Seat> {
        let session = self.nodes[at].member.as_ref().unwrap().sessions.get(session).unwrap();
        let turn = session.turn.as_ref().unwrap();
        let mut seats: Vec<Seat> = turn.reign.owing().map(|(seat, _)| seat).collect();
        seats.sort_unstable();
        seats
    }

    /// The signers of the packages that a node has issued in a session.
    pub(super) fn picked_by(&self, at: usize, session: SessionId) -> Vec<Vec<Seat>> {
        let events = self.nodes[at].events.iter();
        let issued = events.filter_map(|event| match event {
            Event::PackageIssued { session: of, signers, .. } if *of == session => {
                Some(signers.clone())
            }
            _ => None,
        });
        issued.collect()
    }
}
