//! What a coalition has seen and shares.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use roastery_protocol::{
    BodyHash, Seat, SessionId,
    member::{
        Incarnation,
        frame::{Content, ControlContent, Frame, Shape, SigningPackage, Slots, Statement},
    },
};

use crate::{members::Members, world::Packet};

/// Messages that are remembered, of each sort.
const REMEMBERED: usize = 96;

/// The slots that one signer has shown to one coordinator, in its newest incarnation.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The incarnation.
    pub incarnation: Incarnation,
    /// The least index that is held.
    pub oldest: u32,
    /// The nonces by index.
    pub nonces: BTreeMap<u32, [u8; 66]>,
}

/// All messages that members of the coalition have sent or received.
#[derive(Debug, Default)]
pub struct Knowledge {
    last: Option<Arc<[u8]>>,
    /// By coordinator and signer.
    slots: BTreeMap<(Seat, Seat), Shown>,
    coordinators: BTreeSet<Seat>,
    /// Packages of any coordinator, with their sender.
    pub packages: VecDeque<(Seat, Statement, SigningPackage)>,
    /// Honest members' statements of all kinds.
    pub statements: VecDeque<Statement>,
    /// Statements of the coalition's own honest code.
    pub own: VecDeque<Statement>,
    /// Control frames of the coalition's own honest code.
    pub control: VecDeque<Packet>,
    /// The sessions that were seen.
    pub sessions: BTreeSet<SessionId>,
}

impl Knowledge {
    /// Takes a message. Gives the signers of a package that is new, without its coordinator.
    pub fn hear(&mut self, members: &Members, packet: &Packet, is_own: bool) -> Option<Vec<Seat>> {
        let is_repeat = self.last.as_ref().is_some_and(|last| Arc::ptr_eq(last, &packet.bytes));
        self.last = Some(packet.bytes.clone());
        let (sender, frame) = Frame::parse(&packet.bytes, &members.group).ok()?;
        match frame {
            Frame::Control(control) => {
                if let Ok(ControlContent::Slots(slots)) = control.read()
                    && let Ok(to) = Seat::new(control.to().into())
                {
                    self.show(to, sender, &slots);
                }
                if is_own {
                    push(&mut self.control, packet.clone());
                }
                None
            }
            Frame::Statement(_) if is_repeat => None,
            Frame::Statement(statement) => self.state(members, sender, statement, is_own),
        }
    }

    fn state(
        &mut self,
        members: &Members,
        sender: Seat,
        statement: Statement,
        is_own: bool,
    ) -> Option<Vec<Seat>> {
        self.sessions.insert(statement.header().session);
        push(if is_own { &mut self.own } else { &mut self.statements }, statement.clone());
        // The number of messages is that of the aggregate nonces, which the shape compares.
        let mut shapes = [1, 2, 3, 5].into_iter().map(|m| Shape::new(&members.group, m));
        let content = shapes.find_map(|shape| shape.read(&statement).ok())?;
        let Content::SigningPackage(package) = content else { return None };
        let hash = statement.body_hash();
        if self.packages.iter().any(|(_, known, _)| known.body_hash() == hash) {
            return None;
        }
        self.coordinators.insert(sender);
        let signers = package.seats().into_iter().filter(|seat| *seat != sender).collect();
        push(&mut self.packages, (sender, statement, package));
        Some(signers)
    }

    fn show(&mut self, coordinator: Seat, signer: Seat, slots: &Slots) {
        let Slots { incarnation, oldest, first, nonces } = slots;
        let known = self.slots.entry((coordinator, signer)).or_insert_with(|| Shown {
            incarnation: *incarnation,
            oldest: *oldest,
            nonces: BTreeMap::new(),
        });
        if known.incarnation != *incarnation {
            *known = Shown { incarnation: *incarnation, oldest: *oldest, nonces: BTreeMap::new() };
        }
        known.oldest = known.oldest.max(*oldest);
        known.nonces.extend((*first..).zip(nonces.iter().copied()));
    }

    /// The slots that a signer has shown to a coordinator.
    pub fn shown(&mut self, coordinator: Seat, signer: Seat) -> Option<&mut Shown> {
        self.slots.get_mut(&(coordinator, signer))
    }

    /// Takes m slots of consecutive indexes, the newest ones.
    pub fn take(
        &mut self,
        coordinator: Seat,
        signer: Seat,
        m: usize,
    ) -> Option<(u32, Vec<[u8; 66]>)> {
        let shown = self.slots.get_mut(&(coordinator, signer))?;
        let m = m as u32;
        let starts = shown.nonces.keys().rev().copied();
        let first = starts
            .filter(|first| *first >= shown.oldest)
            .find(|first| (*first..first + m).all(|index| shown.nonces.contains_key(&index)))?;
        let nonces = (first..first + m).filter_map(|index| shown.nonces.remove(&index)).collect();
        Some((first, nonces))
    }

    /// Whether this seat has issued a package.
    pub fn coordinates(&self, seat: Seat) -> bool {
        self.coordinators.contains(&seat)
    }

    /// The package of this name, with its sender.
    pub fn package(&self, hash: BodyHash) -> Option<(Seat, &SigningPackage)> {
        let found = self.packages.iter().rev().find(|(_, one, _)| one.body_hash() == hash);
        found.map(|(sender, _, package)| (*sender, package))
    }
}

fn push<T>(to: &mut VecDeque<T>, what: T) {
    if to.len() == REMEMBERED {
        to.pop_front();
    }
    to.push_back(what);
}
