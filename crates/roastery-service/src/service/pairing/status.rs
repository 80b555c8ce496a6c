//! The status of a pairing, for its operator: it has the lines' secrets and this node's own words.

use std::{collections::BTreeMap, fmt};

use roastery_protocol::{
    KeygenId, Seat,
    group::PeerId,
    pairing::{Ended, Pairing},
};

use crate::service::{
    Service,
    pairing::{running::text_of, under_way::Running},
};

/// A pairing at this node.
#[derive(Clone)]
pub struct PairingStatus {
    /// Its id at this node.
    pub id: String,
    /// Whether this node invites.
    pub invites: bool,
    /// How far it is.
    pub phase: PairingPhase,
    /// The group's name, once it is offered.
    pub group: Option<String>,
    /// The threshold, once it is offered.
    pub threshold: usize,
    /// The attempt, of five.
    pub attempt: u8,
    /// This node's seat, once it is offered.
    pub own: Option<Seat>,
    /// The members by seat.
    pub members: Vec<PairingMember>,
    /// This node's words, to be said.
    pub words: Vec<&'static str>,
    /// The key generation, once all words were right here.
    pub keygen: Option<KeygenId>,
    /// How it has ended.
    pub ended: Option<Ended>,
    /// What stands in its way now.
    pub note: String,
    /// When it ends, in seconds since 1970.
    pub deadline: u64,
}

/// The words are not shown, and of the members no line.
impl fmt::Debug for PairingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, phase, attempt, members, .. } = self;
        f.debug_struct("PairingStatus")
            .field("id", id)
            .field("phase", phase)
            .field("attempt", attempt)
            .field("members", members)
            .finish_non_exhaustive()
    }
}

/// How far a pairing is at this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairingPhase {
    /// The node that invites has not answered yet.
    Calling,
    /// The operator must accept what is offered.
    Offered,
    /// Members are missing.
    Waiting,
    /// All are there, and try to reach each other.
    Reaching,
    /// Words are there, and are to be compared.
    Comparing,
    /// All words were right, here and at the others.
    Agreed,
    /// It has ended.
    Ended,
}

/// A member of a pairing.
#[derive(Clone)]
pub struct PairingMember {
    /// Its seat.
    pub seat: Seat,
    /// Its name.
    pub name: String,
    /// Its line, at the inviter, until it was used.
    pub line: Option<String>,
    /// When its line was used, in seconds since 1970, and from which IP address.
    pub used: Option<(u64, Option<String>)>,
    /// Whether it has entered.
    pub entered: bool,
    /// Whether its operator does not take part.
    pub declined: bool,
    /// Whether this node is connected to it.
    pub reached: bool,
    /// Whether it has revealed its number.
    pub revealed: bool,
    /// Whether its words were right here.
    pub right: bool,
    /// The members whose words it has found right.
    pub compared: Vec<Seat>,
}

/// The line has a secret.
impl fmt::Debug for PairingMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seat, name, used, entered, .. } = self;
        f.debug_struct("PairingMember")
            .field("seat", seat)
            .field("name", name)
            .field("used", used)
            .field("entered", entered)
            .finish_non_exhaustive()
    }
}

impl Service {
    /// The pairings of this node.
    pub async fn pairings(&self) -> Vec<PairingStatus> {
        let all = self.pairings.all.lock().await;
        all.iter().map(|(id, running)| status_of(*id, running)).collect()
    }
}

pub(super) fn status_of(id: [u8; 8], running: &Running) -> PairingStatus {
    let machine = &running.machine;
    let own = machine.own_seat();
    let terms = machine.terms();
    let lines: BTreeMap<Seat, String> =
        machine.lines().into_iter().map(|(seat, line)| (seat, line.to_string())).collect();
    let seats: Vec<Seat> = terms.map(|terms| terms.seats().collect()).unwrap_or_default();
    let from = |peer: &PeerId| running.from.get(peer).cloned();
    let members = seats.iter().map(|seat| {
        let used = machine.used(*seat).map(|(peer, at)| (at, from(peer)));
        let compared = machine.compared(*seat);
        PairingMember {
            seat: *seat,
            name: terms
                .and_then(|terms| terms.name(*seat))
                .map(ToString::to_string)
                .unwrap_or_default(),
            line: lines.get(seat).filter(|_| used.is_none()).cloned(),
            used,
            entered: machine.roster().is_some() || machine.entered(*seat) || own == Some(*seat),
            declined: machine.declined(*seat),
            reached: running.reached.has(*seat),
            revealed: machine.revealed(*seat),
            right: own.is_some_and(|own| machine.compared(own).has(*seat)),
            compared: seats.iter().copied().filter(|other| compared.has(*other)).collect(),
        }
    });
    PairingStatus {
        id: text_of(id),
        invites: machine.invited_by().is_none(),
        phase: phase_of(machine),
        group: terms.map(|terms| terms.group.to_string()),
        threshold: terms.map_or(0, |terms| terms.threshold.into()),
        attempt: machine.attempt(),
        own,
        members: members.collect(),
        // What is not stored yet may not have been, after a restart.
        words: match machine.ended().is_none() && machine.is_stored() {
            true => machine.own_words(),
            false => Vec::new(),
        },
        keygen: machine
            .agreed()
            .filter(|_| machine.is_stored())
            .map(|roster| roster.invitation().id()),
        ended: machine.ended(),
        note: running.note.clone(),
        deadline: machine.deadline(),
    }
}

fn phase_of(machine: &Pairing) -> PairingPhase {
    let is_joiner = machine.invited_by().is_some();
    if machine.ended().is_some() {
        PairingPhase::Ended
    } else if machine.agreed().is_some() && machine.is_stored() {
        PairingPhase::Agreed
    } else if !machine.own_words().is_empty() {
        PairingPhase::Comparing
    } else if machine.roster().is_some() {
        PairingPhase::Reaching
    } else if is_joiner && machine.terms().is_none() {
        PairingPhase::Calling
    } else if is_joiner && !machine.accepted() {
        PairingPhase::Offered
    } else {
        PairingPhase::Waiting
    }
}
