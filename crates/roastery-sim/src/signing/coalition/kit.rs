use std::{collections::BTreeSet, sync::Arc, time::Duration};

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use roastery_frost::{NonceGenInputs, PublicNonce, nonce_agg, nonce_gen};
use roastery_protocol::{
    Seat, SessionId,
    member::{
        Run,
        frame::{
            Content, ControlContent, Frame, Shape, SignerSlots, SigningPackage, Statement,
            slot_hash,
        },
    },
};

use super::{Knowledge, View};
use crate::world::{Delayed, Packet};

/// What a member of the coalition has at hand.
#[derive(Debug)]
pub struct Kit<'a> {
    /// The keys of the coalition, and the requests.
    pub view: View<'a>,
    /// What the coalition has seen.
    pub knowledge: &'a mut Knowledge,
    /// Randomness.
    pub rng: &'a mut ChaCha8Rng,
    /// The member's own seat.
    pub me: Seat,
    /// All members of the coalition.
    pub all: BTreeSet<Seat>,
}

impl Kit<'_> {
    /// The number of messages of a session's request.
    pub fn messages(&self, session: SessionId) -> Option<usize> {
        let request = self.view.requests.iter().find(|one| one.session_id() == session)?;
        Some(request.messages().len())
    }

    /// Reads a statement of a session.
    pub fn read(&self, packet: &Packet) -> Option<(Statement, Content)> {
        let (_, frame) = Frame::parse(&packet.bytes, &self.view.members.group).ok()?;
        let Frame::Statement(statement) = frame else { return None };
        let m = self.messages(statement.header().session)?;
        let content = Shape::new(&self.view.members.group, m).read(&statement).ok()?;
        Some((statement, content))
    }

    /// Reads a control frame.
    pub fn read_control(&self, packet: &Packet) -> Option<(SessionId, Seat, ControlContent)> {
        let (_, frame) = Frame::parse(&packet.bytes, &self.view.members.group).ok()?;
        let Frame::Control(control) = frame else { return None };
        let to = Seat::new(control.to().into()).ok()?;
        Some((control.header().session, to, control.read().ok()?))
    }

    /// A statement of this member.
    pub fn state(&self, session: SessionId, content: &Content) -> Arc<[u8]> {
        self.view.members.state(session, self.me, content)
    }

    /// A control frame of this member, on its way.
    pub fn tell(&self, session: SessionId, to: Seat, content: &ControlContent) -> Delayed {
        let bytes = self.view.members.tell(session, self.me, to, content);
        self.to(self.view.members.node_of(to), bytes)
    }

    /// A message on its way to a node.
    pub fn to(&self, to: Seat, bytes: Arc<[u8]>) -> Delayed {
        Delayed { after: Duration::ZERO, packet: Packet { from: self.me, to, bytes } }
    }

    /// All other nodes, by their first seats.
    pub fn others(&self) -> Vec<Seat> {
        let nodes = self.view.members.nodes().into_iter();
        nodes.filter(|node| *node != self.me).collect()
    }

    /// All nodes that the coalition does not control.
    pub fn honest(&self) -> Vec<Seat> {
        self.others().into_iter().filter(|node| !self.all.contains(node)).collect()
    }

    /// A message to all others.
    pub fn to_all(&self, bytes: &Arc<[u8]>) -> Vec<Delayed> {
        self.others().into_iter().map(|to| self.to(to, bytes.clone())).collect()
    }

    /// A session that the coalition has seen, or one of the requests.
    pub fn some_session(&mut self) -> SessionId {
        let at = self.rng.random_range(0..self.view.requests.len());
        self.view.requests[at].session_id()
    }

    /// A package of this member for t signers, itself among them where it must be, with slots that
    /// were shown to it and that it has not named yet. `None` if too few are left.
    pub fn package(&mut self, session: SessionId, run: Run, number: u16) -> Option<SigningPackage> {
        let (group, m) = (self.view.members.group.clone(), self.messages(session)?);
        let mut signers = Vec::new();
        let mut points: Vec<Vec<PublicNonce>> = Vec::new();
        let honest = group.seats().filter(|seat| *seat != self.me);
        for signer in honest {
            if signers.len() + 1 == group.threshold() {
                break;
            }
            let Some((first, nonces)) = self.knowledge.take(self.me, signer, m) else { continue };
            let decoded: Option<Vec<PublicNonce>> =
                nonces.iter().map(|nonce| PublicNonce::from_bytes(nonce).ok()).collect();
            points.push(decoded?);
            let hash = slot_hash(group.id(), self.me, signer, &nonces);
            signers.push(SignerSlots { seat: signer, first, hash });
        }
        let own: Vec<PublicNonce> = (0..m).map(|_| self.nonce()).collect();
        let nonces: Vec<[u8; 66]> = own.iter().map(PublicNonce::to_bytes).collect();
        let hash = slot_hash(group.id(), self.me, self.me, &nonces);
        points.push(own);
        signers.push(SignerSlots { seat: self.me, first: self.rng.random(), hash });
        signers.sort_by_key(|entry| entry.seat);
        let aggregates =
            (0..m).map(|at| nonce_agg(points.iter().map(|of_signer| &of_signer[at]))).collect();
        let is_whole = signers.len() == group.threshold();
        is_whole.then_some(SigningPackage { run, number, signers, aggregates })
    }

    /// A public nonce that no engine has drawn.
    pub fn nonce(&mut self) -> PublicNonce {
        let inputs = NonceGenInputs {
            secret_share: None,
            seat: None,
            public_share: None,
            threshold_public_key: None,
            message: None,
            extra_in: None,
        };
        let drawn = nonce_gen(self.rng, &inputs);
        let (_, public) = drawn.expect("a seeded generator does not fail");
        public
    }
}
