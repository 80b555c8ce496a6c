//! The machines of this node's pairings: what arrives, what leaves, what is stored, and the key
//! generation that follows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use roastery_libp2p::{
    PairEvent, PairEvents, Pairings, TransportKey, Whereabouts, addresses_of_line,
};
use roastery_protocol::{
    group::PeerId,
    machine::{Destination, Link, Machine as _, Output},
    pairing::{Event, Pairing, Rejected, Roster, Seats},
};
use roastery_store::KeptPairing;
use zeroize::Zeroizing;

use crate::{
    files::{InvitationFile, NodeCard},
    service::{Service, ServiceError, ServiceEvent, pairing::own::moment},
};

/// How often connections, timers and calls are looked at.
const TURN: Duration = Duration::from_millis(250);

/// The pause after the first call that did not connect; each further one is twice as long.
const FIRST_CALL: Duration = Duration::from_millis(500);

/// The longest pause between two calls.
const LONGEST_CALL: Duration = Duration::from_secs(30);

/// This node's pairings.
#[derive(Debug)]
pub(in crate::service) struct PairingsHere {
    pub(in crate::service) key: TransportKey,
    pub(in crate::service) calls: Pairings,
    pub(in crate::service) all: tokio::sync::Mutex<BTreeMap<[u8; 8], Running>>,
}

/// A pairing under way.
#[derive(Debug)]
pub(in crate::service) struct Running {
    pub(super) machine: Pairing,
    /// The peers with a stream.
    here: BTreeSet<PeerId>,
    /// From which IP addresses peers have come.
    pub(super) from: BTreeMap<PeerId, String>,
    /// The members that this node is connected to.
    pub(super) reached: Seats,
    /// What stands in its way now, for the operator.
    pub(super) note: String,
    next_call: Duration,
    pause: Duration,
    /// Whether the roster's members were put into this node's roster.
    met: bool,
    /// Whether its key generation was begun, or is there.
    begun: bool,
}

impl Running {
    pub(super) fn new(machine: Pairing) -> Self {
        Self {
            machine,
            here: BTreeSet::new(),
            from: BTreeMap::new(),
            reached: Seats::default(),
            note: String::new(),
            next_call: Duration::ZERO,
            pause: FIRST_CALL,
            met: false,
            begun: false,
        }
    }

    fn inviter(&self) -> Option<&PeerId> {
        self.machine.invited_by().map(|(_, inviter)| inviter)
    }

    /// Whether nodes that this one does not know may come for it.
    fn is_open(&self) -> bool {
        let members = self.machine.terms().map_or(0, |terms| terms.names.len());
        let all = self.machine.roster().is_some_and(|roster| {
            let seats = roster.invitation().seats();
            seats.into_iter().all(|seat| {
                let compared = self.machine.compared(seat);
                let seats = roster.invitation().seats();
                seats.into_iter().filter(|other| compared.has(*other)).count() + 1 == members
            })
        });
        self.inviter().is_none() && self.machine.ended().is_none() && !all
    }
}

impl Service {
    /// Takes up the pairings that were under way before the restart. Those that have ended, or
    /// whose group is made, are forgotten.
    pub(in crate::service) async fn resume_pairings(self: &Arc<Self>) -> Result<(), ServiceError> {
        for KeptPairing { id, state } in self.shared.store(|store| store.pairings()).await? {
            let restored = self.own().and_then(|own| {
                Pairing::restore(&state, own, moment())
                    .map_err(|error| ServiceError::Internal(error.into()))
            });
            let machine = match restored {
                Ok(machine) => machine,
                Err(error) => {
                    let pairing = text_of(id);
                    tracing::error!(pairing, %error, "a pairing is not taken up again");
                    continue;
                }
            };
            let made = machine.agreed().is_some_and(|roster| self.is_made(roster));
            if made || machine.ended().is_some() {
                self.shared.store(move |store| store.forget_pairing(id)).await?;
                continue;
            }
            self.pairings.all.lock().await.insert(id, Running::new(machine));
        }
        Ok(())
    }

    fn is_made(&self, roster: &Roster) -> bool {
        self.made_by(roster.invitation().id()).is_some()
    }

    /// Runs all pairings, until the bus ends.
    pub(in crate::service) async fn pair(self: Arc<Self>, mut events: PairEvents) {
        let mut turn = tokio::time::interval(TURN);
        turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.handle_pair_event(event).await,
                    // The bus has ended: so does the node.
                    None => return std::future::pending().await,
                },
                _ = turn.tick() => self.turn_pairings().await,
            }
        }
    }

    async fn handle_pair_event(self: &Arc<Self>, event: PairEvent) {
        let mut all = self.pairings.all.lock().await;
        let now = moment();
        match event {
            PairEvent::Connected { peer, called, from } => {
                for running in all.values_mut() {
                    let is_its_inviter = called && running.inviter() == Some(&peer);
                    if is_its_inviter || (running.inviter().is_none() && !called) {
                        running.from.extend(from.clone().map(|from| (peer.clone(), from)));
                        running.here.insert(peer.clone());
                    }
                    if is_its_inviter {
                        running.pause = FIRST_CALL;
                        running.note.clear();
                        running.machine.handle_link(&peer, Link::Up, now);
                    }
                }
            }
            PairEvent::Disconnected { peer } => {
                for running in all.values_mut() {
                    running.here.remove(&peer);
                    // Where a line was used from stays known; of others nothing is kept.
                    let lines = running.machine.lines();
                    let mut used = lines.iter().filter_map(|(seat, _)| running.machine.used(*seat));
                    if !used.any(|(user, _)| *user == peer) {
                        running.from.remove(&peer);
                    }
                    running.machine.handle_link(&peer, Link::Down, now);
                }
            }
            PairEvent::NotReached { peer, reason } => {
                for running in all.values_mut().filter(|one| one.inviter() == Some(&peer)) {
                    running.note = format!(
                        "the node that invites does not answer: {reason}; is it up, and its port open?"
                    );
                }
            }
            PairEvent::Message { peer, bytes } => {
                let mut taken = false;
                let mut closes = true;
                for running in all.values_mut() {
                    if !running.here.contains(&peer) {
                        continue;
                    }
                    match running.machine.handle_message(&peer, bytes.as_bytes(), now) {
                        Ok(()) => taken = true,
                        Err(error) => {
                            closes &= error.closes();
                            tracing::debug!(%peer, %error, "a message of a pairing had no effect");
                            if let Some(note) = note_of(&error) {
                                running.note = note;
                            }
                        }
                    }
                }
                if taken {
                    self.pairings.calls.admit(&peer);
                }
                self.follow(&mut all).await;
                if !taken && closes {
                    self.pairings.calls.close(&peer);
                }
                return;
            }
        }
        self.follow(&mut all).await;
    }

    /// Timers, calls, connections.
    async fn turn_pairings(self: &Arc<Self>) {
        let mut all = self.pairings.all.lock().await;
        self.pairings.calls.open(all.values().any(Running::is_open));
        if all.is_empty() {
            return;
        }
        let now = moment();
        let stats = self.mux.stats();
        let linked: BTreeSet<&PeerId> = stats
            .bus
            .links()
            .filter(|(_, link)| link.awaited_since.is_none())
            .map(|(peer, _)| peer)
            .collect();
        for running in all.values_mut() {
            if running.machine.next_timeout().is_some_and(|due| due <= now.monotonic) {
                running.machine.handle_timeout(now);
            }
            if let Some(roster) = running.machine.roster() {
                let members = roster.invitation().seats().zip(roster.entries());
                let reached: Seats = members
                    .filter(|(_, entry)| linked.contains(entry.card.peer()))
                    .map(|(seat, _)| seat)
                    .collect();
                running.reached = reached;
                running.machine.reached(reached, now);
            }
            self.call_inviter(running, now.monotonic);
        }
        self.follow(&mut all).await;
    }

    fn call_inviter(self: &Arc<Self>, running: &mut Running, now: Duration) {
        let made = running.machine.agreed().is_some_and(|roster| self.is_made(roster));
        let over = made || running.machine.ended().is_some();
        let Some((line, inviter)) = running.machine.invited_by() else { return };
        if over || running.here.contains(inviter) || now < running.next_call {
            return;
        }
        let (peer, addresses) = (inviter.clone(), addresses_of_line(line));
        running.next_call = now + running.pause;
        running.pause = (2 * running.pause).min(LONGEST_CALL);
        let calls = self.pairings.calls.clone();
        self.shared.finite("a call of a pairing", async move {
            calls.call(&peer, addresses).await;
        });
    }

    /// Takes what the machines have to say, and does what follows.
    pub(super) async fn follow(self: &Arc<Self>, all: &mut BTreeMap<[u8; 8], Running>) {
        for (id, running) in all.iter_mut() {
            self.take_outputs(*id, running).await;
            if !running.met
                && let Some(roster) = running.machine.roster().cloned()
            {
                running.met = true;
                self.meet(&roster);
            }
            if !running.begun
                && let Some(roster) = running.machine.agreed().cloned()
            {
                running.begun = true;
                if !self.is_made(&roster) {
                    self.begin_paired(*id, roster);
                }
            }
        }
    }

    async fn take_outputs(self: &Arc<Self>, id: [u8; 8], running: &mut Running) {
        while let Some(output) = running.machine.poll_output() {
            match output {
                Output::Send { to: Destination::Seat(peer), bytes } => {
                    // If its queue is full its stream is closed, and it gets all again.
                    if !self.pairings.calls.send(&peer, bytes.to_vec()) {
                        self.pairings.calls.close(&peer);
                    }
                }
                Output::Persist(record) => {
                    let state = Zeroizing::new(record.as_bytes().to_vec());
                    let kept = KeptPairing { id, state };
                    let stored = self.shared.store(move |store| store.keep_pairing(&kept)).await;
                    if let Err(error) = &stored {
                        running.note = format!("the state of the pairing is not stored: {error}");
                    }
                    running.machine.persisted(record, stored.is_ok(), moment());
                }
                Output::Event(event) => self.tell_pairing(id, running, &event),
                Output::Send { to: Destination::Everyone, .. } => {}
            }
        }
    }

    fn tell_pairing(&self, id: [u8; 8], running: &Running, event: &Event) {
        let terms = running.machine.terms();
        let name = |seat| {
            let name = terms.and_then(|terms| terms.name(seat));
            name.map(ToString::to_string).unwrap_or_default()
        };
        let (kind, text) = match event {
            Event::Used { seat, peer } => {
                let from = running.from.get(peer).map(|from| format!(" from {from}"));
                let from = from.unwrap_or_default();
                ("line-used", format!("the line of {} was used{from}", name(*seat)))
            }
            Event::Entered(seat) => ("entered", format!("{} takes part", name(*seat))),
            Event::Offered => ("offered", "the node that invites has answered".to_owned()),
            Event::Attempt(number) => ("attempt", format!("attempt {number} of 5")),
            Event::Sealed => ("roster", "all members are there".to_owned()),
            Event::Words => ("words", "the words are there, and are to be compared".to_owned()),
            Event::Compared(seat) => ("compared", format!("{} compares", name(*seat))),
            Event::Agreed => ("agreed", "all words were right here".to_owned()),
            Event::Ended(ended) => ("ended", ended.reason.to_string()),
            _ => return,
        };
        let group = terms.map(|terms| terms.group.to_string()).unwrap_or_default();
        self.shared.tell(ServiceEvent::new(&group, text_of(id), kind, text));
    }

    /// Puts the members of a roster into this node's, with their addresses, so that they reach each
    /// other.
    fn meet(&self, roster: &Roster) {
        for entry in roster.entries() {
            let peer = entry.card.peer();
            if *peer == self.peer {
                continue;
            }
            self.shared.set_name(peer.clone(), entry.card.named.name.to_string());
            let said = entry.whereabouts.clone();
            match Whereabouts::check(peer.clone(), said.sequence, said.addresses, said.signature) {
                Ok(said) => {
                    if let Err(error) = self.learn(&said) {
                        tracing::error!(%error, "the addresses of a member could not be kept");
                    }
                }
                Err(error) => tracing::warn!(%error, "the addresses of a member are not used"),
            }
            self.reach(peer.clone());
        }
    }

    /// Begins the key generation of a roster of which all words were right.
    fn begin_paired(self: &Arc<Self>, id: [u8; 8], roster: Roster) {
        let this = self.clone();
        self.shared.finite("the start of a key generation", async move {
            let invitation = roster.invitation().clone();
            if let Err(error) = this.join_and_begin(&roster).await {
                let group = invitation.name().to_owned();
                tracing::error!(group, %error, "the key generation is not begun");
                if let Some(running) = this.pairings.all.lock().await.get_mut(&id) {
                    running.note = format!("the key generation is not begun: {error}");
                }
            }
        });
    }

    async fn join_and_begin(self: &Arc<Self>, roster: &Roster) -> Result<(), ServiceError> {
        let cards: Result<Vec<NodeCard>, _> =
            roster.entries().iter().map(NodeCard::of_pairing).collect();
        let cards = cards.map_err(|error| ServiceError::Internal(error.into()))?;
        let invitation = roster.invitation();
        let (name, number) = (invitation.name(), invitation.number());
        let file = InvitationFile::new(name, number, invitation.threshold(), cards)
            .map_err(|error| ServiceError::Internal(error.into()))?;
        if file.invitation() != invitation {
            let reason = "the invitation is another one than that of the words";
            return Err(ServiceError::Internal(reason.into()));
        }
        self.join(file.to_text(), None).await?;
        let fingerprint = invitation.fingerprint().to_string();
        self.begin_keygen(&invitation.id().to_string(), &fingerprint).await?;
        Ok(())
    }
}

/// What the operator can do about a message that had no effect.
fn note_of(error: &Rejected) -> Option<String> {
    match error {
        Rejected::Clock { .. } => {
            Some(format!("{error}: set the clock of the node that is wrong (timedatectl)"))
        }
        Rejected::Network { .. } => Some(error.to_string()),
        Rejected::OtherOffer => Some(
            "the node that invites shows other names than it offered: stop, and speak with its operator"
                .to_owned(),
        ),
        _ => None,
    }
}

/// The id of a pairing as text.
pub(super) fn text_of(id: [u8; 8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
