//! What faulty members send in place of what their honest code sends.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use rand::{RngExt as _, seq::IndexedRandom as _};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_frost::{
    Seat, SecretShare,
    change::{ChangeParams, Dealing, deal},
};
use roastery_protocol::{
    PlanId,
    change::{
        EpochOrder, Party, Role,
        message::{Body, DealingName, Envelope, Kind, LineageMessage},
    },
};

use super::{
    Fault, Participants, Planned,
    participants::{Shares, seats_of},
};
use crate::world::{Delayed, Packet};

/// How many messages are kept to be sent again.
const MOST_SEEN: usize = 64;

/// How late a late signature is.
const LATE: Duration = Duration::from_secs(60);

/// The faulty members.
#[derive(Debug)]
pub struct Coalition {
    faults: BTreeMap<Seat, Fault>,
    participants: Rc<RefCell<Participants>>,
    rng: ChaCha8Rng,
    seen: Vec<Arc<[u8]>>,
    /// The dealings that were seen, by plan.
    dealings: BTreeMap<PlanId, BTreeSet<DealingName>>,
    /// The shares that its members have dealt with, by person and place.
    pub(super) shares: BTreeMap<(usize, EpochOrder), Shares>,
}

impl Coalition {
    /// These members, with what each does.
    pub fn new(
        faults: BTreeMap<Seat, Fault>,
        participants: Rc<RefCell<Participants>>,
        seed: u64,
    ) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed ^ 0xbad);
        let (seen, dealings, shares) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        Self { faults, participants, rng, seen, dealings, shares }
    }

    /// Whether this is one of them.
    pub fn controls(&self, seat: Seat) -> bool {
        self.faults.contains_key(&seat)
    }

    /// What a member does.
    pub fn fault(&self, seat: Seat) -> Option<Fault> {
        self.faults.get(&seat).copied()
    }

    /// Any message of any member is seen on its way.
    pub fn observe(&mut self, packet: &Packet) {
        if self.faults.is_empty() {
            return;
        }
        if self.seen.len() < MOST_SEEN {
            self.seen.push(packet.bytes.clone());
        } else {
            let at = self.rng.random_range(0..MOST_SEEN * 4);
            if let Some(place) = self.seen.get_mut(at) {
                *place = packet.bytes.clone();
            }
        }
        if let Some((envelope, planned)) = self.envelope(&packet.bytes)
            && envelope.kind() == Kind::Dealing
            && let Some(party) = envelope.header().party()
            && let Ok(params) = planned.plan.params(&planned.parent)
            && let Ok(dealing) = Dealing::parse(&params, party.seat, envelope.content())
        {
            let plan = planned.plan.id();
            self.dealings.entry(plan).or_default().insert(DealingName::of(&dealing));
        }
    }

    fn envelope(&self, bytes: &[u8]) -> Option<(Envelope, Planned)> {
        let envelope = Envelope::parse(bytes).ok()?;
        let planned = self.participants.borrow().planned(envelope.header().plan)?.clone();
        Some((envelope, planned))
    }

    /// What leaves in place of a message of one of its members.
    pub fn send(&mut self, packet: Packet) -> Vec<Delayed> {
        let at_once = |packet: Packet| Delayed { after: Duration::ZERO, packet };
        let Some(fault) = self.fault(packet.from) else { return vec![at_once(packet)] };
        let known = self.envelope(&packet.bytes);
        let kind = known.as_ref().map(|(envelope, _)| envelope.kind());
        let is_lineage = kind.is_none() && LineageMessage::peek_key(&packet.bytes).is_some();
        match fault {
            Fault::Silent => Vec::new(),
            Fault::BadShare | Fault::TwoDealings if kind == Some(Kind::Dealing) => {
                let forged = known.and_then(|(envelope, planned)| {
                    let dealer = envelope.header().party()?.seat;
                    self.deal(fault, &packet, &planned, dealer)
                });
                vec![at_once(forged.unwrap_or(packet))]
            }
            Fault::FalseComplaints
                if kind == Some(Kind::Acceptance) || kind == Some(Kind::Want) =>
            {
                let complaints = known.map(|(_, planned)| self.complain(&packet, &planned));
                complaints.into_iter().flatten().chain([packet]).map(at_once).collect()
            }
            Fault::TwoChoices if kind == Some(Kind::Choice) => {
                let other = known.and_then(|(envelope, planned)| {
                    let own = envelope.header().party()?.seat;
                    self.choose(&packet, &planned, own)
                });
                vec![at_once(other.unwrap_or(packet))]
            }
            Fault::LateSignatures if kind == Some(Kind::Signature) => {
                vec![Delayed { after: LATE, packet }]
            }
            Fault::HidesCertificates if kind == Some(Kind::Certificate) || is_lineage => {
                let one = (packet.from.index() + 1) % self.participants.borrow().people().len();
                if packet.to.index() == one { vec![at_once(packet)] } else { Vec::new() }
            }
            Fault::WithholdsReceipts if kind == Some(Kind::Receipt) => Vec::new(),
            Fault::Replays => {
                let old = self.seen.choose(&mut self.rng).cloned();
                let old = old.map(|bytes| Packet { bytes, ..packet.clone() });
                [Some(packet), old].into_iter().flatten().map(at_once).collect()
            }
            Fault::Garbles => {
                let mut bytes = packet.bytes.to_vec();
                let at = self.rng.random_range(0..bytes.len());
                bytes[at] ^= 1 << self.rng.random_range(0..8);
                vec![at_once(Packet { bytes: bytes.into(), ..packet })]
            }
            _ => vec![at_once(packet)],
        }
    }

    /// A dealing that is signed rightly and was made for another host key of one new member: its
    /// share is wrong. With two of them two members have one that is right for all others.
    fn deal(
        &self,
        fault: Fault,
        packet: &Packet,
        planned: &Planned,
        dealer: Seat,
    ) -> Option<Packet> {
        let participants = self.participants.borrow();
        let person = packet.from.index();
        let share = self.shares.get(&(person, planned.place))?.get(&dealer)?.clone();
        let share = SecretShare::from_bytes(share).ok()?;
        let victim = match fault {
            Fault::TwoDealings => packet.to.index() % 2,
            _ => planned.plan.number() as usize % planned.plan.size(),
        };
        let plan = &planned.plan;
        let mut hosts: Vec<[u8; 33]> =
            plan.members().iter().map(|member| member.host_key.serialize()).collect();
        let other = participants.host(person, usize::from(u16::MAX), 0).public_key();
        *hosts.get_mut(victim)? = other.serialize();
        let id = *plan.id().as_bytes();
        let keys = planned.parent.keys();
        let params = ChangeParams::new(id, keys, plan.excluded(), hosts, plan.threshold()).ok()?;
        let dealing = deal(&params, dealer, &share, &[0; 32]).ok()?;
        let body = Body::Dealing(dealing.to_bytes());
        seal(&participants, packet, planned, Party::old(dealer), &body)
    }

    fn complain(&self, packet: &Packet, planned: &Planned) -> Vec<Packet> {
        let participants = self.participants.borrow();
        let names = self.dealings.get(&planned.plan.id()).into_iter().flatten();
        let own = seats_of(&planned.people, packet.from.index());
        let Some((own, _)) = own.first().copied() else { return Vec::new() };
        let complain = |name: &DealingName| {
            let body = Body::Complaint(*name);
            seal(&participants, packet, planned, Party::new(own), &body)
        };
        names.take(8).filter_map(complain).collect()
    }

    /// To one half another choice of the dealings that were seen.
    fn choose(&self, packet: &Packet, planned: &Planned, own: Seat) -> Option<Packet> {
        let participants = self.participants.borrow();
        let t = planned.parent.threshold();
        let mut names: Vec<DealingName> =
            self.dealings.get(&planned.plan.id())?.iter().rev().copied().collect();
        names.dedup_by_key(|name| name.dealer);
        names.truncate(t);
        names.reverse();
        if names.len() < t || packet.to.index().is_multiple_of(2) {
            return None;
        }
        seal(&participants, packet, planned, Party::new(own), &Body::Choice(names))
    }
}

fn seal(
    participants: &Participants,
    packet: &Packet,
    planned: &Planned,
    sender: Party,
    body: &Body,
) -> Option<Packet> {
    let people = match sender.role {
        Role::Old => participants.people_of(&planned.parent),
        Role::New => planned.people.clone(),
    };
    let key = participants.identity(&people, sender.seat)?;
    let envelope = Envelope::seal(planned.plan.id(), sender, body, key);
    Some(Packet { bytes: envelope.as_bytes().clone(), ..packet.clone() })
}
