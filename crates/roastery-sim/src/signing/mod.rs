//! Sessions of signing, version 1, in a simulated world. Several nodes of one seat may run beside
//! each other, and the time that nodes compute may count.

mod node;
mod setup;
mod watch;

use std::{fmt, sync::Arc, time::Duration};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::{
    Seat,
    clock::Moment,
    message::{Envelope, Shape},
    request::SigningRequest,
    signing::{Event, Session, Stop},
};

pub use self::{
    node::Node,
    setup::{Compute, Counts, Setup},
    watch::{Blind, Step, Watch},
};
pub use crate::world::Injection;
use crate::{
    adversary::{Adversary, Delayed, Packet, Receiver, Reception, Stage, View},
    invariants::Violation,
    members::{DAWN, Members, SimulatedEngine},
    network::Network,
    world::{self, End, Hooks, Intake, Script},
};

/// A group that signs in virtual time.
pub type World<E, A, W> = world::World<SigningHooks<E, A, W>>;

/// What a simulation of sessions adds: members, coalition and what watches.
pub struct SigningHooks<E, A, W> {
    /// The keys of all members.
    pub members: Members,
    /// The coalition.
    pub adversary: A,
    /// Checks every step.
    pub watch: W,
    /// The counters.
    pub counts: Counts,
    request: SigningRequest,
    setup: Setup,
    shape: Shape,
    /// The engine of each node.
    engines: Vec<E>,
    rng: ChaCha8Rng,
}

impl<E, A, W> fmt::Debug for SigningHooks<E, A, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningHooks").field("setup", &self.setup).finish_non_exhaustive()
    }
}

/// What the coalition may look at. It is lent while the coalition itself is borrowed.
macro_rules! view {
    ($hooks:expr, $now:expr) => {
        View { members: &$hooks.members, request: &$hooks.request, shape: &$hooks.shape, now: $now }
    };
}

impl<E: SimulatedEngine, A: Adversary, W: Watch<E>> World<E, A, W> {
    /// Opens a session of one request at every seat that is not late, at time zero.
    pub fn of_signing(members: Members, adversary: A, watch: W, setup: Setup) -> Self {
        let rng = |salt: u64| ChaCha8Rng::seed_from_u64(setup.seed.rotate_left(32) ^ salt);
        let request = members.request(setup.seed, setup.messages);
        let network = Network::new(setup.links.clone(), rng(1));
        let (injections, late) = (setup.script.clone(), setup.late.clone());
        let script = Script { injections, late, ..Script::default() };
        let hooks = SigningHooks {
            shape: Shape::new(&members.group, request.session_id(), setup.messages),
            rng: rng(2),
            members,
            adversary,
            watch,
            counts: Counts::default(),
            request,
            engines: Vec::new(),
            setup,
        };
        Self::new(hooks, network, script)
    }

    /// Goes on until all honest nodes that are up have signed, or until the time is up. Whether
    /// they have.
    ///
    /// # Errors
    ///
    /// What the watch finds violated.
    pub fn run_until_signed(&mut self, limit: Duration) -> Result<bool, Violation> {
        while !self.all_signed() {
            if self.now() > limit || !self.step()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether all honest nodes that are up hold the signatures, and there is at least one.
    pub fn all_signed(&self) -> bool {
        let mut honest = self.honest().peekable();
        honest.peek().is_some() && honest.all(|node| node.done_at.is_some())
    }

    /// The nodes that are up and not the coalition's.
    pub fn honest(&self) -> impl Iterator<Item = &Node<E::Session>> {
        let adversary = &self.hooks.adversary;
        self.nodes().iter().filter(|node| node.is_up() && !adversary.controls(node.seat))
    }

    /// The engine of each node.
    pub fn engines(&self) -> &[E] {
        &self.hooks.engines
    }

    /// When the first and when the last honest node held the signatures.
    pub fn signed_at(&self) -> Option<(Duration, Duration)> {
        let times = || self.honest().filter_map(|node| node.done_at);
        Some((times().min()?, times().max()?))
    }

    /// The request that is signed.
    pub fn request(&self) -> &SigningRequest {
        &self.hooks.request
    }

    /// The structural rules of the session.
    pub fn shape(&self) -> &Shape {
        &self.hooks.shape
    }
}

impl<E: SimulatedEngine, A: Adversary, W: Watch<E>> SigningHooks<E, A, W> {
    /// A node as a coalition sees it.
    fn receiver(&self, at: usize, node: &Node<E::Session>, now: Duration) -> Receiver {
        let stage = match (node.done_at, node.stopped_at) {
            (None, None) => Stage::Running,
            (Some(at), _) if now >= at + self.setup.settings.linger => Stage::Pruned,
            _ => Stage::Lingering,
        };
        Receiver { node: at, seat: node.seat, stage }
    }
}

impl<E: SimulatedEngine, A: Adversary, W: Watch<E>> Hooks for SigningHooks<E, A, W> {
    type Machine = Session<E::Session>;
    type Violation = Violation;

    const CALM_OPENS_ALL: bool = false;
    const SEVERAL_NODES: bool = true;

    fn seats(&self) -> Vec<Seat> {
        self.members.group.seats().collect()
    }

    fn open(
        &mut self,
        seat: Seat,
        _stored: &[std::convert::Infallible],
        now: Moment,
    ) -> Option<Self::Machine> {
        let record = self.setup.records.get(&seat).cloned().unwrap_or_default();
        let remembered = (self.setup.settings, record);
        let (session, engine) =
            self.members.open::<E>(seat, &self.request, remembered, now, &mut self.rng);
        self.engines.push(engine);
        Some(session)
    }

    fn moment(&self, seat: Seat, now: Duration) -> Moment {
        let error = self.setup.clock_errors_ms.get(seat.index()).copied().unwrap_or(0);
        let right = DAWN + now;
        let error_size = Duration::from_millis(error.unsigned_abs());
        let wall = if error < 0 { right - error_size } else { right + error_size };
        Moment { monotonic: now, wall }
    }

    fn computing_takes_time(&self) -> bool {
        self.setup.compute == Compute::Measured
    }

    fn ends(event: &Event) -> Option<End> {
        match event {
            Event::Signed(_) => Some(End::Done),
            Event::Stopped(_) => Some(End::Stopped),
            _ => None,
        }
    }

    fn has_done(machine: &Self::Machine) -> bool {
        machine.outcome().is_some()
    }

    fn cancel(machine: &mut Self::Machine, now: Moment) {
        machine.stop(Stop::Cancelled, now);
    }

    fn controls(&self, seat: Seat) -> bool {
        self.adversary.controls(seat)
    }

    fn observe(&mut self, now: Duration, packet: &Packet) {
        self.adversary.observe(view!(self, now), packet);
    }

    fn spoke(&mut self, now: Duration, node: usize, bytes: &Arc<[u8]>) {
        self.adversary.spoke(view!(self, now), node, bytes);
    }

    fn receive(&mut self, now: Duration, packet: &Packet, _: &[Node<E::Session>]) -> Intake {
        let passes = !self.adversary.controls(packet.to)
            || self.adversary.receive(view!(self, now), packet) == Reception::Take;
        Intake { passes, sends: Vec::new() }
    }

    fn delivered(&mut self, now: Duration, at: usize, node: &Node<E::Session>, packet: &Packet) {
        self.watch.delivered(now, at, packet);
        if !self.adversary.controls(packet.to) {
            let receiver = self.receiver(at, node, now);
            self.adversary.reached(view!(self, now), receiver, packet);
        }
    }

    fn send(&mut self, now: Duration, packet: Packet) -> Vec<Delayed> {
        self.adversary.send(view!(self, now), packet)
    }

    fn due(&self) -> Option<Duration> {
        self.adversary.due()
    }

    fn turn(&mut self, now: Duration) -> Vec<Delayed> {
        self.adversary.act(view!(self, now))
    }

    fn sent(&mut self, at: Duration, packet: &Packet) {
        if let Ok(envelope) = Envelope::parse(&packet.bytes) {
            self.counts.messages[envelope.kind() as usize] += 1;
        }
        self.counts.bytes += packet.bytes.len();
        self.watch.sent(at, packet);
    }

    fn event(&mut self, at: Duration, node: usize, seat: Seat, event: &Event) {
        if matches!(event, Event::PackageIssued { .. }) {
            self.counts.packages += 1;
        }
        self.watch.event(at, node, seat, event);
    }

    fn injection(&mut self, at: Duration, injection: &Injection) {
        self.watch.injection(at, injection);
    }

    fn step(
        &mut self,
        at: Duration,
        nodes: &[Node<E::Session>],
        touched: &[usize],
    ) -> Result<(), Violation> {
        self.watch.step(&Step { at, nodes, touched, members: &self.members })
    }
}
