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
    clock::Moment,
    group::PeerId,
    machine::{Destination, Link, Machine as _, Output},
    pairing::{Event, Pairing, Rejected, Roster, Seats},
};
use roastery_store::KeptPairing;
use zeroize::Zeroizing;

use crate::{
    files::{InvitationFile, NodeCard},
    limits::Limit,
    service::{
        Service, ServiceError, ServiceEvent,
        pairing::{
            own::moment,
            under_way::{FIRST_CALL, Running},
        },
    },
};

/// How often connections, timers and calls are looked at.
const TURN: Duration = Duration::from_millis(250);

/// The longest pause between two calls.
const LONGEST_CALL: Duration = Duration::from_secs(30);

/// The pause before a key generation that could not be begun is begun again.
const BEGIN_AGAIN: Duration = Duration::from_secs(10);

/// All peers outside the roster: none of them is known by name.
const GUESTS: &str = "guests";

/// This node's pairings.
#[derive(Debug)]
pub(in crate::service) struct PairingsHere {
    pub(in crate::service) key: TransportKey,
    pub(in crate::service) calls: Pairings,
    pub(in crate::service) all: tokio::sync::Mutex<BTreeMap<[u8; 8], Running>>,
}

impl Service {
    /// Takes up the pairings that were under way before the restart. Those that have ended, or
    /// whose group is made, are forgotten; but one that has ended and was joined with a line stays
    /// as long as the line could be used, so that it is not joined again.
    pub(in crate::service) async fn resume_pairings(self: &Arc<Self>) -> Result<(), ServiceError> {
        for KeptPairing { id, state } in self.shared.store(|store| store.pairings()).await? {
            let restored = self.own(id).await.and_then(|own| {
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
            let running = match machine.ended() {
                None if !made => Running::restored(machine),
                Some(_) if has_usable_line(&machine, moment()) => Running::new(machine),
                _ => {
                    self.forget_host_key_of(id).await;
                    self.shared.store(move |store| store.forget_pairing(id)).await?;
                    continue;
                }
            };
            self.pairings.all.lock().await.insert(id, running);
        }
        Ok(())
    }

    fn is_made(&self, roster: &Roster) -> bool {
        self.made_by(roster.invitation().id()).is_some()
    }

    /// Whether it has ended, or its group is made: it has nothing to say or hear any more. Messages
    /// do not name their pairing, so what is over must take none of a later one.
    pub(super) fn is_over(&self, machine: &Pairing) -> bool {
        machine.ended().is_some() || machine.agreed().is_some_and(|roster| self.is_made(roster))
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
        if self.handle_return_event(&event).await {
            return;
        }
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
                    if is_its_inviter && !self.is_over(&running.machine) {
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
                    let made = running.machine.agreed().is_some_and(|roster| self.is_made(roster));
                    if !running.here.contains(&peer) || made {
                        continue;
                    }
                    match running.machine.handle_message(&peer, bytes.as_bytes(), now) {
                        Ok(()) => {
                            taken = true;
                            running.is_well_with(&peer);
                        }
                        Err(error) => {
                            closes &= error.closes();
                            tracing::debug!(%peer, %error, "a message of a pairing had no effect");
                            if let Some(note) = note_of(&error) {
                                running.note = note;
                                running.noted = Some(peer.clone());
                            }
                            if let Rejected::TooMany(_) | Rejected::TooSoon = error {
                                let who = peer.to_string();
                                self.shared.limits.hit(Limit::PairingMessages, &who);
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
        let returns = self.turn_returns().await;
        self.pairings.calls.open(returns || all.values().any(Running::is_open));
        let refused = self.pairings.calls.take_refused();
        self.shared.limits.hit_times(Limit::PairingGuests, GUESTS, refused);
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
        let over = self.is_over(&running.machine);
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
            if std::mem::take(&mut running.to_meet)
                && let Some(roster) = running.machine.roster()
            {
                self.meet(roster);
            }
            if running.to_begin.is_some_and(|due| due <= moment().monotonic)
                && let Some(roster) = running.machine.agreed().cloned()
            {
                running.to_begin = None;
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
                        // Where the stream has ended already there was no bound.
                        if running.here.contains(&peer) {
                            self.shared.limits.hit(Limit::PairingMessages, &peer.to_string());
                        }
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
                // An event waits for the record ahead of it, and so does what follows from it.
                Output::Event(event) => {
                    running.to_meet |= event == Event::Sealed;
                    if event == Event::Agreed {
                        running.to_begin = Some(Duration::ZERO);
                    }
                    self.tell_pairing(id, running, &event);
                }
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
            Event::Agreed => ("agreed", "all words were right, here and at the others".to_owned()),
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

    /// Begins the key generation of a roster of which all words were right. What fails is tried
    /// again.
    fn begin_paired(self: &Arc<Self>, id: [u8; 8], roster: Roster) {
        let this = self.clone();
        self.shared.finite("the start of a key generation", async move {
            let invitation = roster.invitation().clone();
            if let Err(error) = this.join_and_begin(&roster).await {
                let group = invitation.name().to_owned();
                tracing::error!(group, %error, "the key generation is not begun");
                if let Some(running) = this.pairings.all.lock().await.get_mut(&id) {
                    running.note = format!("the key generation is not begun: {error}");
                    running.to_begin = Some(moment().monotonic + BEGIN_AGAIN);
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
        let own = invitation.members().iter().find(|member| member.peer == self.peer);
        if let Some(host) = own.map(|member| member.host_key) {
            let id = invitation.id();
            self.shared.store(move |store| store.bind_pairing_host_key(&host, id)).await?;
        }
        self.join(file.to_text(), None).await?;
        let fingerprint = invitation.fingerprint().to_string();
        self.begin_keygen(&invitation.id().to_string(), &fingerprint).await?;
        Ok(())
    }
}

/// Whether it was joined with a line that could still be used.
fn has_usable_line(machine: &Pairing, now: Moment) -> bool {
    machine.invited_by().is_some_and(|(line, _)| u64::from(line.expiry) > now.wall_seconds())
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
