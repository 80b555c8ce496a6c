use std::{collections::BTreeMap, io, sync::Arc};

use roastery_frost::change::Certificate;
use roastery_protocol::{
    PlanId, Seat,
    change::{
        CertifiedEpoch, EpochOrder, Holding, Missing, Parent, PersonsWord, Plan,
        switch::{Event, NotCurrent, OpenError, Opening, Record, Switch, Wish},
    },
    clock::Moment,
    group::{Group, PeerId},
    machine::{Machine, Output},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::coop::consume_budget,
};

use super::{
    clock::{self, Clock},
    sending::send,
    turn,
};
use crate::bus::Bus;

/// The switch of a node to new epochs of one key, with its bus: for as long as the node runs.
#[derive(Debug)]
pub struct SwitchDriver<B> {
    bus: B,
    switch: Switch,
    clock: Clock,
    orders: mpsc::UnboundedReceiver<Order>,
    reports: watch::Sender<SwitchReport>,
    /// A listener for its events, if there is one.
    watch: Option<mpsc::UnboundedSender<Event>>,
}

/// What a node and its person tell the switch of a key. Clones are for the same switch.
#[derive(Clone, Debug)]
pub struct SwitchHandle {
    orders: mpsc::UnboundedSender<Order>,
}

#[derive(Debug)]
enum Order {
    Certified(Box<(Plan, Certificate)>),
    Hold(EpochOrder),
    Decided(PlanId, PersonsWord),
    Withdrawn(PlanId),
    Acknowledge(EpochOrder, oneshot::Sender<bool>),
    Erase(EpochOrder, Wish, oneshot::Sender<Result<usize, NotCurrent>>),
    StopErasing(oneshot::Sender<bool>),
}

/// Whether a record of the switch is stored.
#[derive(Debug)]
pub enum SwitchKept {
    /// It is stored, and what it says was read back.
    Yes,
    /// Of an epoch that is to be adopted: this node has neither the share nor the host key that
    /// gives it.
    Lacking,
    /// It could not be stored. It is tried again.
    No(io::Error),
}

/// The epochs of a key at a node.
#[derive(Clone, Debug)]
pub struct SwitchReport {
    /// The greatest certified epoch that is known.
    pub current: EpochOrder,
    /// The groups of all known epochs and the first group, by place.
    pub groups: BTreeMap<EpochOrder, Arc<Group>>,
    /// The places of all shares and host keys in the store, the lowest first.
    pub held: Vec<EpochOrder>,
    /// How many of them the current epoch supersedes.
    pub superseded: usize,
    /// How far this node is with the current epoch; none if it has no seat in it, adopts it now, or
    /// that is the first group.
    pub holding: Option<Holding>,
    /// What this node's person has done for the current epoch.
    pub word: Option<PersonsWord>,
    /// What the members say of the current epoch, by seat.
    pub receipts: BTreeMap<Seat, Holding>,
    /// Whether a wish to erase waits for something.
    pub erasing: bool,
    /// What stands against erasing what the current epoch supersedes, if there is such a thing.
    pub missing: Vec<Missing>,
}

impl SwitchReport {
    /// The group of the current epoch.
    pub fn current_group(&self) -> Option<&Arc<Group>> {
        self.groups.get(&self.current)
    }

    /// The greatest place of the group that a plan names as its parent, if it is known.
    pub fn place_of(&self, parent: &Parent) -> Option<EpochOrder> {
        let mut places = self.groups.iter().rev();
        places.find(|(_, group)| Parent::of(group) == *parent).map(|(place, _)| *place)
    }

    fn is_same(&self, other: &Self) -> bool {
        // A place stands for its group.
        self.current == other.current
            && self.groups.keys().eq(other.groups.keys())
            && self.held == other.held
            && self.superseded == other.superseded
            && self.holding == other.holding
            && self.word == other.word
            && self.receipts == other.receipts
            && self.erasing == other.erasing
            && self.missing == other.missing
    }
}

impl SwitchHandle {
    /// A change has come to its certificate here.
    pub fn certified(&self, plan: Plan, certificate: Certificate) {
        self.order(Order::Certified(Box::new((plan, certificate))));
    }

    /// A share or host key of this place is in the store from now on.
    pub fn hold(&self, place: EpochOrder) {
        self.order(Order::Hold(place));
    }

    /// This node's person has approved a plan, or accepted it by hand.
    pub fn decided(&self, plan: PlanId, word: PersonsWord) {
        self.order(Order::Decided(plan, word));
    }

    /// This node's person has taken its approval of a plan back.
    pub fn withdrawn(&self, plan: PlanId) {
        self.order(Order::Withdrawn(plan));
    }

    /// This node's person has typed the words of an epoch. Returns whether such an epoch is known
    /// and the acknowledgement is stored; none if the switch has ended.
    pub async fn acknowledge(&self, epoch: EpochOrder) -> Option<bool> {
        let (done, answer) = oneshot::channel();
        self.order(Order::Acknowledge(epoch, done));
        answer.await.ok()
    }

    /// This node's person wishes to erase what the epoch `by` supersedes. Returns how many places
    /// that are, or which epoch is current if it is another one; none if the switch has ended. What
    /// is missing is in the reports.
    pub async fn erase(&self, by: EpochOrder, wish: Wish) -> Option<Result<usize, NotCurrent>> {
        let (done, answer) = oneshot::channel();
        self.order(Order::Erase(by, wish, done));
        answer.await.ok()
    }

    /// This node's person takes the wish to erase back. Returns whether one waited; none if the
    /// switch has ended.
    pub async fn stop_erasing(&self) -> Option<bool> {
        let (done, answer) = oneshot::channel();
        self.order(Order::StopErasing(done));
        answer.await.ok()
    }

    fn order(&self, order: Order) {
        // It ends with the node. What it is told is in the store as well.
        let _ = self.orders.send(order);
    }
}

impl<B: Bus> SwitchDriver<B> {
    /// Opens the switch of a key at this node's bus, for the first time or again.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(bus: B, opening: Opening) -> Result<(Self, SwitchHandle), OpenError> {
        let clock = Clock::start(clock::system);
        let switch = Switch::open(opening, clock.now())?;
        let (sender, orders) = mpsc::unbounded_channel();
        let reports = watch::Sender::new(report(&switch));
        let driver = Self { bus, switch, clock, orders, reports, watch: None };
        Ok((driver, SwitchHandle { orders: sender }))
    }

    /// Sends the events from here on to a listener. The machine bounds their number.
    pub fn watch(&mut self, listener: mpsc::UnboundedSender<Event>) {
        self.watch = Some(listener);
    }

    /// The report after each turn.
    pub fn reports(&self) -> watch::Receiver<SwitchReport> {
        self.reports.subscribe()
    }

    /// All epochs that are known when it is opened.
    pub fn epochs(&self) -> impl Iterator<Item = &CertifiedEpoch> {
        self.switch.lineage().epochs()
    }

    /// The group with which the lineage begins.
    pub fn root(&self) -> &Group {
        self.switch.lineage().root()
    }

    /// Runs until the bus is closed. `keep` is called with each record and must not return before
    /// what it says is done and stored.
    pub async fn run(mut self, mut keep: impl FnMut(&Record, &Switch) -> SwitchKept + Send) {
        loop {
            self.flush(&mut keep);
            self.tell_report();
            consume_budget().await;
            let wake = self.clock.until(self.switch.next_timeout());
            tokio::select! {
                event = self.bus.receive() => match event {
                    Some(event) => turn::take(&mut self.switch, event, self.clock.now()),
                    None => return,
                },
                Some(order) = self.orders.recv() => self.obey(order, &mut keep),
                () = wake => self.switch.handle_timeout(self.clock.now()),
            }
        }
    }

    fn obey(&mut self, order: Order, keep: &mut impl FnMut(&Record, &Switch) -> SwitchKept) {
        let now = self.clock.now();
        match order {
            Order::Certified(epoch) => {
                let (plan, certificate) = *epoch;
                // Known already, where a peer has told it before.
                let _ = self.switch.certified(&plan, &certificate, now);
            }
            Order::Hold(place) => self.switch.hold(place),
            Order::Decided(plan, word) => self.switch.decided(plan, word),
            Order::Withdrawn(plan) => self.switch.withdrawn(plan),
            Order::Acknowledge(epoch, done) => {
                self.switch.acknowledge(epoch, now);
                self.flush(keep);
                self.tell_report();
                // The caller may be gone.
                let _ = done.send(self.switch.is_acknowledged(epoch));
            }
            Order::StopErasing(done) => {
                let waited = self.switch.stop_erasing();
                self.tell_report();
                let _ = done.send(waited);
            }
            Order::Erase(by, wish, done) => {
                let places = self.switch.erase(by, wish, now);
                self.flush(keep);
                // Who has asked looks at the report next.
                self.tell_report();
                let _ = done.send(places);
            }
        }
    }

    fn tell_report(&self) {
        let report = report(&self.switch);
        turn::tell(&self.reports, report, SwitchReport::is_same);
    }

    /// Does what the switch has asked for.
    fn flush(&mut self, keep: &mut impl FnMut(&Record, &Switch) -> SwitchKept) {
        while let Some(output) = self.switch.poll_output() {
            match output {
                Output::Send { to, bytes } => {
                    send(&mut self.bus, to, |peer: PeerId| Some(peer), &bytes);
                }
                Output::Persist(record) => {
                    let kept = keep(&record, &self.switch);
                    let now: Moment = self.clock.now();
                    match (kept, record) {
                        (SwitchKept::Yes, _) => self.switch.persisted(record, true, now),
                        (SwitchKept::Lacking, Record::Adopted(epoch)) => {
                            self.switch.lacks(epoch, now);
                        }
                        (SwitchKept::Lacking | SwitchKept::No(_), _) => {
                            self.switch.persisted(record, false, now);
                        }
                    }
                }
                Output::Event(event) => {
                    if let Some(watch) = &self.watch {
                        // The listener may be dropped.
                        let _ = watch.send(event);
                    }
                }
            }
        }
    }
}

fn report(switch: &Switch) -> SwitchReport {
    let (lineage, current) = (switch.lineage(), switch.current());
    let root = (lineage.root_order(), lineage.root().clone());
    let epochs = lineage.epochs().map(|epoch| (epoch.order(), epoch.group().clone()));
    let receipts = switch.receipts().into_iter().flat_map(|receipts| {
        let seats = lineage.group(current).into_iter().flat_map(|group| group.seats());
        seats.filter_map(|seat| Some((seat, receipts.get(seat)?)))
    });
    SwitchReport {
        current,
        groups: std::iter::once(root).chain(epochs).collect(),
        held: switch.held().collect(),
        superseded: switch.superseded_places(),
        holding: switch.holding(),
        word: switch.word(current),
        receipts: receipts.collect(),
        erasing: switch.is_erasing(),
        missing: switch.missing(&Wish::default()),
    }
}
