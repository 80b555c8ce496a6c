use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use roastery_protocol::Seat;

use super::Resenders;
use crate::adversary::{
    Adversary, Behaviour, Coalition, Delayed, NoAdversary, Packet, Receiver, Reception, Stallers,
    Stalling, View,
};

const RESENDERS: &str = "resends-with-other-slot";

/// The faulty members and what they do.
#[derive(Clone, Debug, PartialEq)]
pub enum Attack {
    /// No member is.
    None,
    /// An attacker of the ROAST paper.
    Stallers(Stalling, BTreeSet<Seat>),
    /// A coalition that shares what it knows.
    Coalition(BTreeMap<Seat, Behaviour>),
    /// Members that send their shares again with another next slot.
    Resenders(BTreeSet<Seat>),
}

impl Attack {
    /// The faulty members; for an adaptive attacker as many as it may have.
    pub fn faulty(&self) -> BTreeSet<Seat> {
        match self {
            Attack::None => BTreeSet::new(),
            Attack::Stallers(_, faulty) | Attack::Resenders(faulty) => faulty.clone(),
            Attack::Coalition(members) => members.keys().copied().collect(),
        }
    }

    /// The members that may break the protocol, apart from being silent: only their messages can be
    /// faults. An adaptive attacker's only fault is silence.
    pub fn liars(&self) -> BTreeSet<Seat> {
        match self {
            Attack::Stallers(Stalling::Adaptive, _) => BTreeSet::new(),
            _ => self.faulty(),
        }
    }

    /// The same attack without this member.
    pub fn without(&self, seat: Seat) -> Self {
        match self {
            Attack::None => Attack::None,
            Attack::Stallers(when, faulty) => {
                let mut faulty = faulty.clone();
                faulty.remove(&seat);
                if faulty.is_empty() { Attack::None } else { Attack::Stallers(*when, faulty) }
            }
            Attack::Resenders(faulty) => {
                let mut faulty = faulty.clone();
                faulty.remove(&seat);
                if faulty.is_empty() { Attack::None } else { Attack::Resenders(faulty) }
            }
            Attack::Coalition(members) => {
                let mut members = members.clone();
                members.remove(&seat);
                if members.is_empty() { Attack::None } else { Attack::Coalition(members) }
            }
        }
    }

    /// An attack in a word, or in several for a mixed coalition.
    pub fn name(&self) -> String {
        match self {
            Attack::None => "none".to_owned(),
            Attack::Stallers(when, _) => format!("{when:?}").to_lowercase(),
            Attack::Resenders(_) => RESENDERS.to_owned(),
            Attack::Coalition(members) => {
                let names: BTreeSet<&str> = members.values().map(|one| one.name()).collect();
                names.into_iter().collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// The attack of this name by these members: `none`, one of the ROAST paper's attackers, or a
    /// behaviour.
    pub fn named(name: &str, faulty: BTreeSet<Seat>) -> Option<Self> {
        let behaviour = Behaviour::ALL.iter().copied().find(|one| one.name() == name);
        Some(match (name, behaviour) {
            ("none", _) => Attack::None,
            ("static", _) => Attack::Stallers(Stalling::Static, faulty),
            ("coordinated", _) => Attack::Stallers(Stalling::Coordinated, faulty),
            ("adaptive", _) => Attack::Stallers(Stalling::Adaptive, faulty),
            (RESENDERS, _) => Attack::Resenders(faulty),
            (_, Some(behaviour)) => {
                Attack::Coalition(faulty.into_iter().map(|seat| (seat, behaviour)).collect())
            }
            (_, None) => return None,
        })
    }

    /// All names of attacks.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ["none", "static", "coordinated", "adaptive", RESENDERS]
            .into_iter()
            .chain(Behaviour::ALL.iter().map(|one| one.name()))
    }

    /// The attacker.
    pub fn attacker(&self, seed: u64) -> Attacker {
        match self {
            Attack::None => Attacker::None(NoAdversary),
            Attack::Stallers(when, faulty) => {
                Attacker::Stallers(Stallers::new(*when, faulty.clone()))
            }
            Attack::Resenders(members) => Attacker::Resenders(Resenders::new(members.clone())),
            Attack::Coalition(members) => {
                Attacker::Coalition(Box::new(Coalition::new(members.clone(), seed)))
            }
        }
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |seats: &BTreeSet<Seat>| {
            seats.iter().map(Seat::to_string).collect::<Vec<_>>().join(", ")
        };
        match self {
            Attack::None => f.write_str("no member is faulty"),
            Attack::Stallers(Stalling::Adaptive, faulty) => {
                write!(f, "adaptive stallers, any {} seats", faulty.len())
            }
            Attack::Stallers(when, faulty) => {
                write!(f, "{} stallers, seat {}", format!("{when:?}").to_lowercase(), list(faulty))
            }
            Attack::Resenders(faulty) => write!(f, "{RESENDERS}, seat {}", list(faulty)),
            Attack::Coalition(members) => {
                let members: Vec<String> =
                    members.iter().map(|(seat, behaviour)| format!("{seat} {behaviour}")).collect();
                write!(f, "a coalition: {}", members.join(", "))
            }
        }
    }
}

/// The adversary that carries out an attack.
#[derive(Debug)]
pub enum Attacker {
    /// No attack.
    None(NoAdversary),
    /// An attacker of the ROAST paper.
    Stallers(Stallers),
    /// A coalition.
    Coalition(Box<Coalition>),
    /// Members that send their shares again.
    Resenders(Resenders),
}

impl Attacker {
    /// The attack as it goes on in the next session: a member that an adaptive attacker took stays
    /// faulty.
    pub fn afterwards(&self, attack: Attack) -> Attack {
        match self {
            Attacker::Stallers(stallers)
                if matches!(attack, Attack::Stallers(Stalling::Adaptive, _)) =>
            {
                Attack::Stallers(Stalling::Coordinated, stallers.corrupted().clone())
            }
            _ => attack,
        }
    }

    /// The coalition, if it is one.
    pub fn coalition(&self) -> Option<&Coalition> {
        match self {
            Attacker::Coalition(coalition) => Some(coalition),
            _ => None,
        }
    }
}

macro_rules! forward {
    ($self:ident, $one:ident => $call:expr) => {
        match $self {
            Attacker::None($one) => $call,
            Attacker::Stallers($one) => $call,
            Attacker::Coalition($one) => $call,
            Attacker::Resenders($one) => $call,
        }
    };
}

impl Adversary for Attacker {
    fn controls(&self, seat: Seat) -> bool {
        forward!(self, one => one.controls(seat))
    }
    fn observe(&mut self, view: View<'_>, packet: &Packet) {
        forward!(self, one => one.observe(view, packet));
    }
    fn spoke(&mut self, view: View<'_>, node: usize, bytes: &Arc<[u8]>) {
        forward!(self, one => one.spoke(view, node, bytes));
    }
    fn reached(&mut self, view: View<'_>, receiver: Receiver, packet: &Packet) {
        forward!(self, one => one.reached(view, receiver, packet));
    }
    fn send(&mut self, view: View<'_>, packet: Packet) -> Vec<Delayed> {
        forward!(self, one => one.send(view, packet))
    }
    fn receive(&mut self, view: View<'_>, packet: &Packet) -> Reception {
        forward!(self, one => one.receive(view, packet))
    }
    fn due(&self) -> Option<Duration> {
        forward!(self, one => one.due())
    }
    fn act(&mut self, view: View<'_>) -> Vec<Delayed> {
        forward!(self, one => one.act(view))
    }
}
