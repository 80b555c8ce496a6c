//! Changes of a group in a simulated world.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use roastery_protocol::{Seat, clock::Moment};

use super::{
    Action, Coalition, Event, Holder, Injection, Invariant, Node, Participants, Row, Watch,
};
use crate::{
    members::DAWN,
    violation::Violation,
    world::{self, Delayed, Disk, End, Hooks, Intake, Packet},
};

/// People with their nodes in virtual time.
pub type World = world::World<ChangeHooks>;

/// What a simulation of changes adds: people, coalition and invariants.
#[derive(Debug)]
pub struct ChangeHooks {
    /// All keys, and the plans so far.
    pub participants: Rc<RefCell<Participants>>,
    /// The faulty members.
    pub coalition: Coalition,
    /// The invariants.
    pub watch: Watch,
    starts: BTreeMap<Seat, u64>,
    /// Whose disk an old backup was written over since its node was up.
    overwritten: BTreeSet<Seat>,
    /// The plans of such backups.
    restored: BTreeMap<Seat, BTreeSet<usize>>,
}

impl ChangeHooks {
    /// Of these people.
    pub fn new(
        participants: Rc<RefCell<Participants>>,
        coalition: Coalition,
        watch: Watch,
    ) -> Self {
        Self {
            participants,
            coalition,
            watch,
            starts: BTreeMap::new(),
            overwritten: BTreeSet::new(),
            restored: BTreeMap::new(),
        }
    }

    /// How often nodes were opened again.
    pub fn restarts(&self) -> usize {
        self.starts.values().map(|starts| starts.saturating_sub(1) as usize).sum()
    }
}

impl Hooks for ChangeHooks {
    type Machine = Holder;
    type Violation = Violation<Invariant>;
    type Action = Action;
    type Opening = ();

    const CALM_OPENS_ALL: bool = true;
    const LINKED: bool = true;

    fn seats(&self) -> Vec<Seat> {
        let people = self.participants.borrow().people();
        people.filter_map(|person| Seat::new(person as u32).ok()).collect()
    }

    fn open(&mut self, seat: Seat, stored: &[Row], now: Moment) -> Option<Holder> {
        let start = self.starts.entry(seat).or_default();
        *start += 1;
        let start = *start;
        let restored = self.restored.entry(seat).or_default();
        if self.overwritten.remove(&seat) {
            restored.extend(stored.iter().filter_map(|row| match row {
                Row::Decided { plan, .. } => Some(*plan),
                _ => None,
            }));
        }
        Some(Holder::open(
            seat.index(),
            self.participants.clone(),
            stored,
            start,
            restored.clone(),
            now,
        ))
    }

    fn opening(&self, _: Seat) {}

    fn ends(_: &Event) -> Option<End> {
        None
    }

    fn has_done(&self, _: &Holder) -> bool {
        false
    }

    fn act(&mut self, seat: Seat, action: &Action, machine: Option<&mut Holder>, now: Moment) {
        let Some(machine) = machine else { return };
        if let Action::Propose(proposal) = action
            && let Some(switch) = machine.switch()
            && let Some(group) = switch.lineage().group(switch.current()).cloned()
        {
            let place = switch.current();
            self.participants.borrow_mut().propose(&group, place, proposal, now.wall_seconds());
        }
        if let Action::Erase { leave_out } = action {
            self.watch.wishes(seat.index(), *leave_out);
        }
        machine.act(action, now);
    }

    fn controls(&self, seat: Seat) -> bool {
        self.coalition.controls(seat)
    }

    fn observe(&mut self, _: Duration, packet: &Packet) {
        self.coalition.observe(packet);
    }

    fn receive(&mut self, _: Duration, _: &Packet, _: &[Node]) -> Intake {
        Intake { passes: true, sends: Vec::new() }
    }

    fn send(&mut self, _: Duration, packet: Packet) -> Vec<Delayed> {
        let packets = self.coalition.send(packet);
        packets.into_iter().filter(|one| one.packet.from != one.packet.to).collect()
    }

    fn turn(&mut self, _: Duration) -> Vec<Delayed> {
        Vec::new()
    }

    fn sent(&mut self, at: Duration, packet: &Packet) {
        self.watch.sent(at, packet);
    }

    fn event(&mut self, at: Duration, node: usize, seat: Seat, event: &Event) {
        self.watch.trace.reported(at, node, seat, || format!("{event:?}"));
    }

    fn injection(&mut self, at: Duration, injection: &Injection) {
        self.watch.trace.injection(at, injection);
        if let Injection::Disk(seat, Disk::Restored | Disk::Lost) = injection {
            self.watch.restored.insert(seat.index());
            self.overwritten.insert(*seat);
        }
    }

    fn step(
        &mut self,
        _: Duration,
        nodes: &[Node],
        touched: &[usize],
    ) -> Result<(), Violation<Invariant>> {
        for at in touched {
            let Some(node) = nodes.get(*at).filter(|one| self.controls(one.seat)) else { continue };
            let Some(holder) = node.machine() else { continue };
            for (place, shares) in holder.shares() {
                self.coalition
                    .shares
                    .entry((node.seat.index(), *place))
                    .or_insert_with(|| shares.clone());
            }
        }
        self.watch.step(nodes, touched)
    }

    fn wall(&self, _: Seat, now: Duration) -> Duration {
        DAWN + now
    }
}
