//! Links, incarnations and stock: what is shown to each coordinator, and when.

use std::time::Duration;

use roastery_frost::Seat;

use super::{
    Event, Member, Rejected,
    core::{Core, Pending, Reply},
    session::Session,
};
use crate::{
    clock::Moment,
    group::PeerId,
    machine::{Destination, Link},
    member::{
        Incarnation,
        engine::{
            Answer, Answered, Arithmetic, DrawContext, Engine, EngineError, Job, SlotRange, Void,
        },
        frame::{ControlContent, NO_SESSION, Slots},
        links::Named,
        stock::{Draw, Voided},
    },
};

/// How long after anything new about a session or a proposal signers show new slots.
const ACTIVE_FOR: Duration = Duration::from_secs(900);

/// How long the stock for a coordinator outlives its link.
const HELD_WITHOUT_LINK: Duration = Duration::from_secs(30);

impl<E: Engine, A: Arithmetic> Member<E, A> {
    /// Looks at the clocks with each input: if they disagree the machine was suspended, cloned or
    /// set, and everything that was shown before is void.
    pub(super) fn observe(&mut self, now: Moment) {
        if !self.core.clocks_agree(now) {
            self.begin_incarnation(now);
        }
    }

    pub(super) fn begin_incarnation(&mut self, now: Moment) {
        self.core.renew(now);
        self.sessions.change_running(|session| {
            self.core.expire(session, now);
            self.core.begin_run(session, now);
        });
    }

    pub(super) fn link(&mut self, peer: &PeerId, link: Link, now: Moment) {
        let seats = self.core.seats_of(peer);
        let Some(&first) = seats.first() else { return };
        for seat in seats {
            match link {
                Link::RoundTrip(time) => self.core.links.measured(seat, time),
                Link::Down => {
                    self.core.links.down(seat, now.monotonic);
                    self.core.signatures_may_be_lost(seat);
                }
                Link::Up => self.core.links.up(seat),
            }
        }
        match link {
            Link::RoundTrip(_) => {}
            Link::Down => self.core.pace.down(first),
            Link::Up if self.core.pace.up(first, now.monotonic) => self.link_up(first, now),
            Link::Up => {}
        }
    }

    /// The link of the peer of this seat is up: what it may have missed is shown to it.
    pub(super) fn link_up(&mut self, peer: Seat, now: Moment) {
        for seat in self.core.seats_beside(peer) {
            self.core.show_all(seat, self.sessions.most_messages(), now);
            self.core.show_evidence_to(seat, now);
            self.sessions.change_running(|session| self.core.linked(session, seat, now));
            self.requests_linked(seat, now);
        }
    }

    pub(super) fn answered(
        &mut self,
        job: Job,
        answer: Result<Answered, EngineError>,
        now: Moment,
    ) {
        let Some(pending) = self.core.jobs.remove(&job) else { return };
        match (pending, answer) {
            (Pending::Draw { seat, draw, m, incarnation, ordered }, answer) => {
                let nonces = match answer {
                    Ok(Answered::Drawn(nonces)) => Ok(nonces),
                    Ok(_) => Err(EngineError::Unavailable),
                    Err(error) => Err(error),
                };
                if incarnation == self.core.incarnation {
                    // A slot ages from the order, as in the engine.
                    self.core.drawn(seat, draw, m, nonces, ordered);
                    // A package with a slot of this node's own may have waited for it.
                    if self.core.is_own(draw.coordinator) {
                        self.sessions.touch_running(|session| session.turn.is_some());
                    }
                }
            }
            (Pending::Open { session }, answer) => {
                if let (Err(error), Some(session)) = (answer, self.sessions.get_mut(session)) {
                    self.core.stop(session, super::StopReason::Engine(error), now);
                }
            }
            (Pending::Sign { seat, coordinator, session, package, signers }, answer) => {
                let shares = match answer {
                    Ok(Answered::Signed(shares)) => Ok(shares),
                    Ok(_) => Err(EngineError::Unavailable),
                    Err(error) => Err(error),
                };
                if let Some(session) = self.sessions.get_mut(session) {
                    let package = (package, signers);
                    self.core.signed(session, (seat, coordinator), package, shares, now);
                }
            }
        }
    }

    /// Slots of a member for a seat of this node.
    pub(super) fn on_slots(
        &mut self,
        sender: Seat,
        to: Seat,
        slots: &Slots,
        now: Moment,
    ) -> Result<(), Rejected> {
        // With a new incarnation all sessions are looked at, and are paid for.
        let are_looked_at = self.core.links.would_be_new(sender, slots.incarnation);
        self.named(sender, slots.incarnation, now)?;
        let most = self.sessions.most_messages();
        let shown = &mut self.core.own_seat_mut(to).shown;
        let had_enough = shown.has(sender, most, false, now);
        let had_spare = shown.has(sender, most, true, now);
        let new = shown.receive(sender, slots.oldest, slots.first, &slots.nonces, now);
        if new > 0 && !had_enough && self.sessions.has_running() {
            // It has begun to take part in something: the others may need slots as well. Spare ones
            // show nothing: of a request of many messages no batch has any.
            self.core.news(now);
        }
        // What is not paid for waits until its sessions are due.
        if new > 0
            && !had_spare
            && !are_looked_at
            && self.core.charge_looks(sender, self.sessions.running_count(), now).is_ok()
        {
            self.sessions.touch_running(|session| session.turn.is_some());
        }
        if new == 0 && !slots.nonces.is_empty() { Err(Rejected::Repeat) } else { Ok(()) }
    }

    /// A member names its incarnation over its own link.
    pub(super) fn named(
        &mut self,
        sender: Seat,
        incarnation: Incarnation,
        now: Moment,
    ) -> Result<(), Rejected> {
        if self.core.links.would_be_new(sender, incarnation) {
            // All sessions are looked at, however small the frame is.
            self.core.charge_looks(sender, self.sessions.running_count(), now)?;
        }
        match self.core.links.named(sender, incarnation) {
            Named::Present => Ok(()),
            Named::Old => Err(Rejected::Stale { sender }),
            Named::New => {
                self.core.own.iter_mut().for_each(|own| own.shown.renew(sender));
                self.early.forget_ready(sender);
                self.requests.outbox.forgotten_by(sender, now.monotonic);
                self.sessions.change_running(|session| {
                    session.said.remove(&sender);
                    if let Some(turn) = &mut session.turn {
                        turn.reign.member_returned(sender, now.monotonic);
                        turn.hurry(sender, now.monotonic);
                    }
                });
                Ok(())
            }
        }
    }

    /// Shows what is missing, and drops what is too old or has lost its link.
    pub(super) fn keep_stock(&mut self, now: Moment) {
        let m = self.sessions.most_messages();
        for own in self.core.own_seats() {
            for voided in self.core.own_seat_mut(own).stock.expire(now) {
                self.core.voided(own, voided);
            }
            for coordinator in self.core.others() {
                let down = self.core.links.down_since(coordinator);
                let ends = down.map(|since| since.saturating_add(HELD_WITHOUT_LINK));
                if ends.is_some_and(|ends| now.monotonic >= ends) {
                    let void = self.core.own_seat_mut(own).stock.void(coordinator);
                    void.into_iter().for_each(|voided| self.core.voided(own, voided));
                } else if self.core.is_active(now)
                    && self.core.links.is_up(coordinator)
                    && !self.core.is_shunned(coordinator)
                {
                    self.core.refill(own, coordinator, m, now);
                    self.core.refresh(own, coordinator, m, now);
                }
            }
        }
    }
}

impl<E: Engine, A: Arithmetic> Core<E, A> {
    /// A link has come up: what is unused is shown again as it was, and what is missing anew.
    pub(super) fn show_all(&mut self, coordinator: Seat, m: usize, now: Moment) {
        if self.is_shunned(coordinator) {
            return;
        }
        for own in self.own_seats() {
            self.show_unused(own, coordinator);
            let missing = self.own_seat_mut(own).stock.missing(coordinator, m, now);
            missing.into_iter().for_each(|draw| self.draw(own, draw, m, now));
        }
    }

    fn show_unused(&mut self, own: Seat, coordinator: Seat) {
        if !self.is_begun {
            return;
        }
        for batch in self.own_seat(own).stock.unused(coordinator) {
            self.show(own, coordinator, batch.first, batch.nonces);
        }
    }

    /// A coordinator asks for slots.
    pub(super) fn on_want_slots(
        &mut self,
        sender: Seat,
        own: Seat,
        m: usize,
        now: Moment,
    ) -> Result<(), Rejected> {
        if self.is_shunned(sender) {
            return Err(Rejected::Excluded { sender });
        }
        if !self.may_reply(sender, Reply::Slots(own), now) {
            return Err(Rejected::NoAnswer { sender });
        }
        self.show_unused(own, sender);
        let stock = &mut self.own_seat_mut(own).stock;
        let draw = stock.missing(sender, m, now).or_else(|| stock.asked(sender, m, now));
        draw.into_iter().for_each(|draw| self.draw(own, draw, m, now));
        Ok(())
    }

    fn refill(&mut self, own: Seat, coordinator: Seat, m: usize, now: Moment) {
        let low = self.own_seat_mut(own).stock.low(coordinator, m, now);
        low.into_iter().for_each(|draw| self.draw(own, draw, m, now));
    }

    fn refresh(&mut self, own: Seat, coordinator: Seat, m: usize, now: Moment) {
        let stock = &mut self.own_seat_mut(own).stock;
        if stock.stale_at(coordinator).is_some_and(|due| now.monotonic >= due) {
            let stale = stock.stale(coordinator, m, now);
            stock.note_attempt(coordinator, now);
            stale.into_iter().for_each(|draw| self.draw(own, draw, m, now));
        }
    }

    /// Signing goes on, or may soon: new slots are shown from now on, for 15 minutes. A session
    /// that only waits is nothing new, so its stock ends as that of an idle node.
    pub(super) fn news(&mut self, now: Moment) {
        self.active = Some(now.monotonic);
    }

    /// Whether anything new about a session or a proposal has happened in the last 15 minutes.
    fn is_active(&self, now: Moment) -> bool {
        self.active.is_some_and(|last| now.monotonic <= last.saturating_add(ACTIVE_FOR))
    }

    /// When the stock for a coordinator ends with its link, on the monotonic clock.
    pub(super) fn links_due(&self) -> Option<Duration> {
        let others = self.others().into_iter();
        let held = others.filter(|seat| self.own.iter().any(|own| own.stock.held(*seat) > 0));
        let down = held.filter_map(|seat| self.links.down_since(seat));
        down.map(|since| since.saturating_add(HELD_WITHOUT_LINK)).min()
    }

    /// When slots for a linked coordinator are drawn anew, on the monotonic clock.
    pub(super) fn refresh_due(&self) -> Option<Duration> {
        let until = self.active?.saturating_add(ACTIVE_FOR);
        let linked = self.others().into_iter();
        let linked = linked.filter(|seat| self.links.is_up(*seat) && !self.is_shunned(*seat));
        let due =
            linked.flat_map(|seat| self.own.iter().filter_map(move |own| own.stock.stale_at(seat)));
        // Beyond that time nothing is drawn, however late this machine is called.
        let is_active = self.is_active(self.last_seen());
        due.min().filter(|due| is_active && *due <= until)
    }

    /// Has the engine draw slots, one order at a time for each coordinator.
    pub(super) fn draw(&mut self, own: Seat, draw: Draw, m: usize, now: Moment) {
        let coordinator = draw.coordinator;
        if !self.is_begun || !self.own_seat_mut(own).drawing.insert(coordinator) {
            return;
        }
        let indexes = draw.first..draw.first + u32::from(draw.count);
        let slots = SlotRange { seat: own, coordinator, indexes };
        let incarnation = self.incarnation;
        let context = DrawContext { group: self.group.id(), incarnation, now };
        match self.engine.draw(&slots, &context) {
            Answer::Now(nonces) => self.drawn(own, draw, m, nonces, now),
            Answer::Later(job) => {
                let ordered = now;
                let pending = Pending::Draw { seat: own, draw, m, incarnation, ordered };
                self.jobs.insert(job, pending);
            }
        }
    }

    pub(super) fn drawn(
        &mut self,
        own: Seat,
        draw: Draw,
        m: usize,
        nonces: Result<Vec<roastery_frost::PublicNonce>, EngineError>,
        now: Moment,
    ) {
        self.own_seat_mut(own).drawing.remove(&draw.coordinator);
        let nonces = match nonces {
            Ok(nonces) if nonces.len() == usize::from(draw.count) => nonces,
            Ok(_) => return self.engine_failed(own, draw, EngineError::Unavailable),
            Err(error) => return self.engine_failed(own, draw, error),
        };
        let nonces: Vec<[u8; 66]> = nonces.iter().map(|nonce| nonce.to_bytes()).collect();
        let voided = self.own_seat_mut(own).stock.drawn(draw, &nonces, m, now);
        if !self.is_own(draw.coordinator) {
            self.show(own, draw.coordinator, draw.first, nonces);
        }
        voided.into_iter().for_each(|voided| self.voided(own, voided));
    }

    /// The order was not fulfilled: its indexes are not used again, and what the engine drew for
    /// it ends.
    fn engine_failed(&mut self, own: Seat, draw: Draw, error: EngineError) {
        self.own_seat_mut(own).stock.not_drawn(draw);
        let (coordinator, first) = (draw.coordinator, draw.first);
        let indexes = first..first + u32::from(draw.count);
        self.engine.void(Void::Slots(SlotRange { seat: own, coordinator, indexes }));
        self.event(Event::EngineFailed(error));
    }

    fn show(&mut self, own: Seat, coordinator: Seat, first: u32, nonces: Vec<[u8; 66]>) {
        if !self.links.is_up(coordinator) {
            return;
        }
        let oldest = self.own_seat(own).stock.oldest(coordinator);
        let slots = Slots { incarnation: self.incarnation, oldest, first, nonces };
        self.control(NO_SESSION, own, coordinator, &ControlContent::Slots(slots));
    }

    /// Slots of this node are void: their secrets end, and the coordinator is told.
    pub(super) fn voided(&mut self, own: Seat, voided: Voided) {
        let Voided { coordinator, indexes } = voided;
        self.engine.void(Void::Slots(SlotRange { seat: own, coordinator, indexes }));
        if !self.is_own(coordinator) {
            let first = self.own_seat(own).stock.oldest(coordinator);
            self.show(own, coordinator, first, Vec::new());
        }
    }

    /// The incarnation is on the disk: it may be named now.
    pub(super) fn begun(&mut self, incarnation: Incarnation, m: usize, now: Moment) {
        if incarnation == self.incarnation {
            self.is_begun = true;
            for coordinator in self.others() {
                if self.links.is_up(coordinator) {
                    self.show_all(coordinator, m, now);
                }
            }
        }
    }

    /// The link to a seat is up again: what it may have missed is sent again.
    fn linked(&mut self, session: &mut Session<A::Package>, seat: Seat, now: Moment) {
        if !session.is_running() {
            return;
        }
        session.waiting.remove(&seat);
        let is_live = session.schedule.is_live(seat);
        for (own, announcements) in &mut session.announcements {
            // One that has sent a package before it lost its memory counts on this seat as well.
            let key = (*own, seat);
            let is_known = session.given.contains_key(&key) || session.cannot.contains_key(&key);
            if is_live || is_known {
                announcements.say_now(seat, now.monotonic);
            }
        }
        let Some(turn) = &mut session.turn else { return };
        turn.reign.member_returned(seat, now.monotonic);
        // Sooner, and never later: a member that comes and goes delays no question to another.
        turn.hurry(seat, now.monotonic);
        let owed = turn.reign.owing().find(|(debtor, _)| *debtor == seat);
        let package = owed.and_then(|(_, id)| turn.prepared.get(&id));
        let bytes = package.map(|package| package.statement.as_bytes().clone());
        bytes.into_iter().for_each(|bytes| self.send(Destination::Seat(seat), bytes));
    }
}
