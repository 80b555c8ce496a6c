use std::{io, sync::Arc};

use roastery_protocol::{
    ChangeTranscriptHash, Seat,
    change::{
        EpochOrder, Party, Role,
        machine::{Change, Engine, Event, OpenError, Opening, Record},
    },
    clock::Moment,
    group::PeerId,
    machine::{Machine, Output},
};
use thiserror::Error;
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

/// A node in a change of a group, with its bus: one change, up to its certificate. Members that
/// lack that get it from the [`SwitchDriver`](super::SwitchDriver) of the key.
#[derive(Debug)]
pub struct ChangeDriver<B, E> {
    bus: B,
    change: Change<E>,
    clock: Clock,
    orders: mpsc::UnboundedReceiver<Order>,
    reports: watch::Sender<ChangeReport>,
    /// A listener for its events, if there is one.
    watch: Option<mpsc::UnboundedSender<Event>>,
    phase: ChangePhase,
    /// This node's old seats that may approve, and its new ones.
    own: (Vec<Seat>, Vec<Seat>),
}

/// What a person decides about a change that runs. Clones are for the same change.
#[derive(Clone, Debug)]
pub struct ChangeHandle {
    orders: mpsc::UnboundedSender<Order>,
}

#[derive(Debug)]
struct Order {
    what: Decision,
    done: oneshot::Sender<Result<bool, Arc<io::Error>>>,
}

#[derive(Clone, Copy, Debug)]
enum Decision {
    Approve,
    Withdraw,
    Accept,
    AcceptByRule,
    BarDealing,
    Superseded(EpochOrder),
}

/// How far a change is at this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeReport {
    /// The old seats that approve, as far as this node knows, in order.
    pub approved: Vec<Seat>,
    /// The new seats that have not accepted, in order.
    pub unaccepted: Vec<Seat>,
    /// How far it is.
    pub phase: ChangePhase,
}

/// The phase of a change at a node.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangePhase {
    /// Approvals or acceptances are missing. Nothing is dealt.
    Waiting,
    /// All have accepted and enough have approved: members deal, and the new members come to hold
    /// the key.
    Dealing,
    /// This node has signed a transcript: the change can take effect, whatever happens here.
    Signed,
    /// The certificate is here and stored: the new epoch exists.
    Certified(ChangeTranscriptHash),
    /// It has expired.
    Expired {
        /// Whether it can still take effect.
        open: bool,
    },
}

impl ChangePhase {
    /// Its place among the phases, each of which comes after those below it.
    fn step(self) -> u8 {
        match self {
            Self::Waiting => 0,
            Self::Dealing => 1,
            Self::Signed => 2,
            Self::Expired { .. } => 3,
            Self::Certified(_) => 4,
        }
    }
}

/// Why a decision is not in force.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ChangeNotKept {
    /// It could not be stored, and is tried again.
    #[error("it could not be stored: {0}")]
    Store(#[source] Arc<io::Error>),
    /// The change does not run any more.
    #[error("the change does not run any more")]
    Ended,
}

impl ChangeHandle {
    /// Approves the plan as an old member, with all old seats that it does not exclude. It is
    /// stored when this returns. Returns whether the approval counts: not where the plan has
    /// expired, or another epoch than the one that it changes is current.
    ///
    /// # Errors
    ///
    /// [`ChangeNotKept`].
    pub async fn approve(&self) -> Result<bool, ChangeNotKept> {
        self.order(Decision::Approve).await
    }

    /// Takes the approval back. Returns whether all of it is taken back: not once this node has
    /// dealt; its seats that have not dealt do not deal any more all the same.
    ///
    /// # Errors
    ///
    /// [`ChangeNotKept`]: it holds all the same, until a restart.
    pub async fn withdraw(&self) -> Result<bool, ChangeNotKept> {
        self.order(Decision::Withdraw).await
    }

    /// Accepts the plan as a new member. It is stored when this returns. Returns whether the
    /// acceptance counts: not where the plan has expired, or the store is from a backup without it.
    ///
    /// # Errors
    ///
    /// [`ChangeNotKept`].
    pub async fn accept(&self) -> Result<bool, ChangeNotKept> {
        self.order(Decision::Accept).await
    }

    /// The same by a rule of this node: it does not count either where the person has taken the
    /// approval back.
    ///
    /// # Errors
    ///
    /// [`ChangeNotKept`].
    pub async fn accept_by_rule(&self) -> Result<bool, ChangeNotKept> {
        self.order(Decision::AcceptByRule).await
    }

    /// From now on this node does not deal in this change: it has approved a plan with a higher
    /// number.
    ///
    /// # Errors
    ///
    /// [`ChangeNotKept::Ended`].
    pub async fn bar_dealing(&self) -> Result<(), ChangeNotKept> {
        self.order(Decision::BarDealing).await.map(drop)
    }

    /// An epoch of another plan is certified, and known here: where it is the greatest, this node
    /// does not deal in this change from now on, and signs nothing that is below it.
    ///
    /// # Errors
    ///
    /// [`ChangeNotKept::Ended`].
    pub async fn superseded(&self, by: EpochOrder) -> Result<(), ChangeNotKept> {
        self.order(Decision::Superseded(by)).await.map(drop)
    }

    async fn order(&self, what: Decision) -> Result<bool, ChangeNotKept> {
        let (done, answer) = oneshot::channel();
        self.orders.send(Order { what, done }).map_err(|_| ChangeNotKept::Ended)?;
        answer.await.map_err(|_| ChangeNotKept::Ended)?.map_err(ChangeNotKept::Store)
    }
}

impl<B: Bus, E: Engine> ChangeDriver<B, E> {
    /// Opens a change at this member's bus, for the first time or again. `opening` gets the time by
    /// the driver's clocks, for the deadline.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(
        bus: B,
        opening: impl FnOnce(Moment) -> Opening<E>,
    ) -> Result<(Self, ChangeHandle), OpenError> {
        let clock = Clock::start(clock::system);
        let now = clock.now();
        let opening = opening(now);
        let phase = phase_of(&opening.stored);
        let seats = |own: &[(Seat, _)]| own.iter().map(|(seat, _)| *seat).collect::<Vec<_>>();
        let (mut old, new) = (seats(&opening.old), seats(&opening.new));
        old.retain(|seat| !opening.plan.excluded().contains(seat));
        let own = (old, new);
        let change = Change::open(opening, now)?;
        let (sender, orders) = mpsc::unbounded_channel();
        let reports = watch::Sender::new(report(&change, phase));
        let driver = Self { bus, change, clock, orders, reports, watch: None, phase, own };
        Ok((driver, ChangeHandle { orders: sender }))
    }

    /// Sends the events from here on to a listener. A change has few events: their number is
    /// bounded by its members.
    pub fn watch(&mut self, listener: mpsc::UnboundedSender<Event>) {
        self.watch = Some(listener);
    }

    /// The report after each turn.
    pub fn reports(&self) -> watch::Receiver<ChangeReport> {
        self.reports.subscribe()
    }

    /// Runs until the certificate is stored and told to all, the plan has expired without any part
    /// of this node in it, or the bus is closed. `store` is called with each record before what
    /// depends on it leaves, and must not return before it is stored.
    pub async fn run(
        mut self,
        mut store: impl FnMut(&Record, &Change<E>) -> io::Result<()> + Send,
    ) {
        loop {
            // What could not be stored is asked for again by the change.
            let _ = self.flush(&mut store);
            self.tell_report();
            if matches!(self.phase, ChangePhase::Certified(_)) || self.change.is_over() {
                return;
            }
            consume_budget().await;
            let wake = self.clock.until(self.change.next_timeout());
            tokio::select! {
                event = self.bus.receive() => match event {
                    Some(event) => turn::take(&mut self.change, event, self.clock.now()),
                    None => return,
                },
                Some(order) = self.orders.recv() => self.obey(order, &mut store),
                () = wake => self.change.handle_timeout(self.clock.now()),
            }
        }
    }

    fn obey(
        &mut self,
        Order { what, done }: Order,
        store: &mut impl FnMut(&Record, &Change<E>) -> io::Result<()>,
    ) {
        let now = self.clock.now();
        let mut can_be = match what {
            Decision::Approve => {
                self.change.approve(now);
                true
            }
            Decision::Withdraw => self.change.withdraw(now),
            Decision::Accept => {
                self.change.accept(now);
                true
            }
            Decision::AcceptByRule => {
                self.change.accept_by_rule(now);
                true
            }
            Decision::BarDealing => {
                self.change.bar_dealing();
                true
            }
            Decision::Superseded(by) => {
                self.change.set_current(by);
                true
            }
        };
        let stored = self.flush(store).map_err(Arc::new);
        let (call, (old, new)) = (self.change.roll_call(), &self.own);
        match what {
            Decision::Approve => {
                can_be = !old.is_empty() && old.iter().all(|seat| call.has_approved(*seat));
            }
            Decision::Accept | Decision::AcceptByRule => {
                can_be = !new.is_empty() && call.missing().all(|missing| !new.contains(&missing));
            }
            _ => {}
        }
        // Who has decided looks at the report next.
        self.tell_report();
        // The caller may be gone.
        let _ = done.send(stored.map(|()| can_be));
    }

    fn tell_report(&self) {
        let report = report(&self.change, self.phase);
        turn::tell(&self.reports, report, PartialEq::eq);
    }

    /// Does what the change has asked for. An error is the last one of the store.
    fn flush(
        &mut self,
        store: &mut impl FnMut(&Record, &Change<E>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut stored = Ok(());
        while let Some(output) = self.change.poll_output() {
            match output {
                Output::Send { to, bytes } => {
                    let change = &self.change;
                    send(&mut self.bus, to, |party| peer_of(change, party), &bytes);
                }
                Output::Persist(record) => {
                    let kept = store(&record, &self.change);
                    let is_kept = kept.is_ok();
                    stored = kept.and(stored);
                    self.change.persisted(record, is_kept, self.clock.now());
                }
                Output::Event(event) => self.on_event(event),
            }
        }
        stored
    }

    fn on_event(&mut self, event: Event) {
        let phase = match &event {
            Event::RollComplete => Some(ChangePhase::Dealing),
            Event::Signed(_) => Some(ChangePhase::Signed),
            Event::Certified(transcript) => Some(ChangePhase::Certified(*transcript)),
            Event::Expired { open } => Some(ChangePhase::Expired { open: *open }),
            _ => None,
        };
        // It never goes back: after a restart the roll comes again where this node has signed.
        self.phase = phase.filter(|new| new.step() >= self.phase.step()).unwrap_or(self.phase);
        // The listener may be dropped.
        let _ = self.watch.as_ref().map(|watch| watch.send(event));
    }
}

fn peer_of<E: Engine>(change: &Change<E>, Party { role, seat }: Party) -> Option<PeerId> {
    let member = match role {
        Role::Old => change.parent().member(seat),
        Role::New => change.plan().member(seat),
    };
    member.map(|member| member.peer.clone())
}

/// How far a change is that is opened again with these records.
fn phase_of(stored: &[Record]) -> ChangePhase {
    let mut phase = ChangePhase::Waiting;
    for record in stored {
        phase = match (record, phase) {
            (Record::Certified(transcript), _) => ChangePhase::Certified(*transcript),
            (_, ChangePhase::Certified(_)) => phase,
            (Record::Expired, _) => {
                let open = phase == ChangePhase::Signed;
                ChangePhase::Expired { open }
            }
            (_, ChangePhase::Expired { .. }) => phase,
            (Record::Signed { .. }, _) => ChangePhase::Signed,
            (Record::Dealt(_), ChangePhase::Waiting) => ChangePhase::Dealing,
            _ => phase,
        };
    }
    phase
}

fn report<E: Engine>(change: &Change<E>, phase: ChangePhase) -> ChangeReport {
    let call = change.roll_call();
    let approved = change.parent().seats().filter(|seat| call.has_approved(*seat));
    ChangeReport { approved: approved.collect(), unaccepted: call.missing().collect(), phase }
}
