//! Sessions of one request at honest seats, over restarts and second openings, among members that
//! do what they like. Every byte that is ever sent is recorded.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use roastery_frost::nonce_agg;
use roastery_protocol::{
    Seat, SlotHash,
    clock::Moment,
    engine::{FrostEngine, FrostSession},
    machine::{Destination, Machine},
    message::{Body, Commitments, Envelope, Kind, SigningPackage, Slot, Want},
    signing::{Output, Session, Settings},
};

use roastery_testkit::{byzantine::*, *};

pub struct Arena {
    pub fixture: Fixture,
    pub corrupt: Vec<Seat>,
    /// Every message ever sent, honest or not.
    pub ever: BTreeSet<Arc<[u8]>>,
    openings: Vec<Vec<Session<FrostSession<Chance>>>>,
    queue: Vec<(Seat, Seat, Arc<[u8]>)>,
    chance: Chance,
    now: Moment,
    runs: u64,
    /// What corrupt members have shown and not yet used.
    drawn: BTreeMap<SlotHash, OwnSlot>,
    issued: u16,
}

impl Arena {
    pub fn new(t: usize, n: usize, corrupt: usize, messages: usize, seed: u64) -> Self {
        let fixture = Fixture::seeded(t, n, seed).messages(messages);
        let mut chance = Chance::new(seed);
        let mut seats: Vec<Seat> = fixture.group.seats().collect();
        let corrupt = (0..corrupt).map(|_| seats.remove(chance.below(seats.len()))).collect();
        let mut arena = Arena {
            now: fixture.now,
            openings: (0..n).map(|_| Vec::new()).collect(),
            fixture,
            corrupt,
            ever: BTreeSet::new(),
            queue: Vec::new(),
            chance,
            runs: 0,
            drawn: BTreeMap::new(),
            issued: 0,
        };
        seats.into_iter().for_each(|seat| arena.open(seat));
        arena
    }

    /// One more opening of the request at a seat, beside those that it has.
    fn open(&mut self, seat: Seat) {
        self.runs += 1;
        let rng = Chance::new(self.chance.number());
        let engine = FrostEngine::with_rng(
            seat,
            self.fixture.group.keys().clone(),
            self.fixture.share(seat),
            rng,
        );
        let request = self.fixture.request(1);
        let opening = self.fixture.opening(seat, &request, self.runs, Settings::default());
        let session = Session::open(opening, &engine, self.now).unwrap();
        self.openings[seat.index()].push(session);
        self.collect(seat);
    }

    pub fn sessions(&self) -> impl Iterator<Item = &Session<FrostSession<Chance>>> {
        self.openings.iter().flatten()
    }

    fn collect(&mut self, from: Seat) {
        let n = self.fixture.n();
        for session in &mut self.openings[from.index()] {
            while let Some(output) = session.poll_output() {
                let Output::Send { to, bytes } = output else { continue };
                self.ever.insert(bytes.clone());
                match to {
                    Destination::Seat(to) => self.queue.push((from, to, bytes)),
                    Destination::Everyone => self.queue.extend(
                        (0..n)
                            .map(seat)
                            .filter(|to| *to != from)
                            .map(|to| (from, to, bytes.clone())),
                    ),
                }
            }
        }
    }

    fn deliver(&mut self, from: Seat, to: Seat, bytes: &[u8]) {
        for session in &mut self.openings[to.index()] {
            let _ = session.handle_message(&peer(from), bytes, self.now);
        }
        self.collect(to);
    }

    /// One random step.
    pub fn step(&mut self) {
        match self.chance.below(20) {
            0 => self.pass_time(),
            1 => self.restart_or_open_again(),
            2..=7 if !self.corrupt.is_empty() => self.misbehave(),
            _ => self.deliver_something(),
        }
    }

    /// From here on the honest reach each other, while the corrupt go on. Gives how long it takes
    /// until all have the signature.
    pub fn settle(&mut self) -> Option<Duration> {
        let begun = self.now.monotonic;
        for _ in 0..600 {
            for _ in 0..6 {
                if !self.corrupt.is_empty() {
                    self.misbehave();
                }
            }
            for _ in 0..20 {
                for (from, to, bytes) in std::mem::take(&mut self.queue) {
                    self.deliver(from, to, &bytes);
                }
            }
            if self.sessions().all(|session| session.outcome().is_some()) {
                return Some(self.now.monotonic - begun);
            }
            self.pass_time();
        }
        None
    }

    fn deliver_something(&mut self) {
        if self.queue.is_empty() {
            return self.pass_time();
        }
        // In order mostly, otherwise the sessions come to nothing.
        let most = if self.chance.one_in(4) { self.queue.len() } else { 1 };
        let at = self.chance.below(most);
        let (from, to, bytes) = match self.chance.below(12) {
            0 => self.queue[at].clone(),
            _ => self.queue.remove(at),
        };
        // Few signatures come through, so that there is something to go on with.
        let percent_lost = match Envelope::parse(&bytes).map(|envelope| envelope.kind()) {
            Ok(Kind::Signature) => 80,
            Ok(Kind::SignatureShare) => 40,
            _ => 10,
        };
        if self.chance.below(100) >= percent_lost {
            self.deliver(from, to, &bytes);
        }
    }

    fn pass_time(&mut self) {
        self.now = later(self.now, Duration::from_millis(self.chance.below(1500) as u64));
        for at in 0..self.openings.len() {
            for session in &mut self.openings[at] {
                session.handle_timeout(self.now);
            }
            self.collect(seat(at));
        }
    }

    fn restart_or_open_again(&mut self) {
        let honest = self.fixture.seats_but(&self.corrupt);
        let seat = *self.chance.pick(&honest);
        if self.openings[seat.index()].len() > 1 || self.chance.one_in(2) {
            self.openings[seat.index()].clear();
        }
        self.open(seat);
    }

    fn say(&mut self, envelope: &Envelope, to: Seat) {
        self.ever.insert(envelope.as_bytes().clone());
        let from = seat(envelope.header().sender.into());
        self.queue.push((from, to, envelope.as_bytes().clone()));
    }

    fn tell_some(&mut self, envelope: &Envelope) {
        for to in self.fixture.seats_but(&self.corrupt) {
            if !self.chance.one_in(3) {
                self.say(envelope, to);
            }
        }
    }

    fn misbehave(&mut self) {
        let who = *self.chance.pick(&self.corrupt);
        match self.chance.below(10) {
            0..=1 => self.commit(who),
            2..=4 => self.coordinate(who),
            5..=6 => self.answer(who),
            7 => self.ask(who),
            8 => self.replay(who),
            _ => self.garble(who),
        }
    }

    /// Some attempt out of the first few.
    fn some_attempt(&mut self) -> u32 {
        self.chance.below(2 * self.fixture.n()) as u32
    }

    fn commit(&mut self, who: Seat) {
        let attempt = self.chance.below(self.fixture.n().min(3)) as u32;
        let run = run(self.chance.below(3) as u64);
        let index = self.chance.below(4) as u32;
        let own = self.fixture.draw_from(&mut self.chance, who, attempt, run, index);
        let hash = self.fixture.slot_hash(attempt, who, &own.slot);
        let commitments = self.fixture.commitments(&own);
        self.drawn.insert(hash, own);
        self.say(&commitments, self.fixture.coordinator_of(attempt));
    }

    /// A package with slots that were shown, right or wrong in this or that.
    fn coordinate(&mut self, who: Seat) {
        let attempts = 0..self.fixture.n() as u32;
        let Some(attempt) = attempts.into_iter().find(|k| self.fixture.coordinator_of(*k) == who)
        else {
            return;
        };
        // Honest members enter when they are asked.
        let want = self.fixture.seal(who, attempt, &Body::Want(Want::Slot));
        self.tell_some(&want);
        let mut shown: BTreeMap<Seat, Vec<Slot>> = BTreeMap::new();
        for envelope in self.envelopes() {
            let header = envelope.header();
            if header.attempt == attempt
                && let Ok(body) = self.fixture.try_read(&envelope)
            {
                let slot = match body {
                    Body::Commitments(Commitments { slot, .. }) => Some(slot),
                    Body::SignatureShare(share) => share.next.map(|next| next.slot),
                    _ => None,
                };
                shown.entry(seat(header.sender.into())).or_default().extend(slot);
            }
        }
        shown.retain(|_, slots| !slots.is_empty());
        let t = self.fixture.group.threshold();
        while shown.len() > t {
            let seats: Vec<Seat> = shown.keys().copied().collect();
            shown.remove(self.chance.pick(&seats));
        }
        if shown.len() < t {
            return;
        }
        let picked: Vec<(Seat, Slot)> = shown
            .into_iter()
            .map(|(seat, slots)| (seat, self.chance.pick(&slots).clone()))
            .collect();
        self.issued += 1;
        let most = self.fixture.group.most_packages() as u16;
        let number = if self.chance.one_in(2) { 0 } else { self.issued % most };
        let run = run(self.chance.below(2) as u64);
        let mut package = self.fixture.package(attempt, run, number, &picked);
        if self.chance.one_in(4) {
            package.aggregates[0] = nonce_agg(&picked[0].1.0);
        }
        if self.chance.one_in(12) {
            package.signers.reverse();
        }
        let envelope = self.fixture.seal_package(attempt, &package);
        self.tell_some(&envelope);
    }

    /// A share for a package that names a slot of one's own: right, wrong, both, or of no form.
    fn answer(&mut self, who: Seat) {
        let packages: Vec<(Envelope, SigningPackage)> = self
            .envelopes()
            .into_iter()
            .filter_map(|envelope| match self.fixture.try_read(&envelope) {
                Ok(Body::SigningPackage(content)) => Some((envelope, content)),
                _ => None,
            })
            .filter(|(_, content)| {
                content.slot_of(who).is_some_and(|slot| self.drawn.contains_key(&slot))
            })
            .collect();
        if packages.is_empty() {
            return;
        }
        let (envelope, content) = self.chance.pick(&packages).clone();
        let own = content.slot_of(who).and_then(|slot| self.drawn.remove(&slot)).unwrap();
        let attempt = own.attempt;
        let coordinator = self.fixture.coordinator_of(attempt);
        let (run, index) = (own.run, own.index);
        let scalars = self.fixture.sign(own, &content);
        let next = self.fixture.draw_from(&mut self.chance, who, attempt, run, index + 1);
        let variants = match self.chance.below(4) {
            0 => vec![scalars],
            1 => vec![spoiled(&scalars)],
            2 => vec![scalars.clone(), spoiled(&scalars)],
            _ => vec![spoiled_at(&scalars, scalars.len() - 1), scalars],
        };
        for scalars in variants {
            let hash = envelope.body_hash();
            let share = self.fixture.seal_share(who, attempt, hash, scalars, Some(&next));
            self.say(&share, coordinator);
            self.tell_some(&share);
        }
        let hash = self.fixture.slot_hash(attempt, who, &next.slot);
        self.drawn.insert(hash, next);
    }

    fn ask(&mut self, who: Seat) {
        let envelopes = self.envelopes();
        if envelopes.is_empty() {
            return;
        }
        let about = self.chance.pick(&envelopes).clone();
        let want = match self.fixture.try_read(&about) {
            Ok(Body::SigningPackage(content)) if self.chance.one_in(2) => {
                Want::Nonces(content.signers[0].slot)
            }
            Ok(Body::SigningPackage(_)) => Want::Share(about.body_hash()),
            Ok(Body::SignatureShare(content)) => Want::Package(content.package),
            _ if self.chance.one_in(2) => Want::Slot,
            _ => Want::Outcome,
        };
        let attempt = self.some_attempt();
        let envelope = self.fixture.seal(who, attempt, &Body::Want(want));
        self.tell_some(&envelope);
    }

    /// Replays a member's message, to any member, on one's own link.
    fn replay(&mut self, who: Seat) {
        let all: Vec<Arc<[u8]>> = self.ever.iter().cloned().collect();
        if all.is_empty() {
            return;
        }
        let bytes = self.chance.pick(&all).clone();
        let honest = self.fixture.seats_but(&self.corrupt);
        let to = *self.chance.pick(&honest);
        self.queue.push((who, to, bytes));
    }

    /// A message of one's own with a byte changed, signed all the same.
    fn garble(&mut self, who: Seat) {
        let own: Vec<Envelope> = self
            .envelopes()
            .into_iter()
            .filter(|envelope| envelope.header().sender == who.to_u16())
            .filter(|envelope| !matches!(envelope.kind(), Kind::Evidence | Kind::Proposal))
            .collect();
        if own.is_empty() {
            return;
        }
        let envelope = self.chance.pick(&own).clone();
        let mut body = envelope.body().to_vec();
        // The header stays sound but for the attempt.
        let at = 66 + self.chance.below(body.len() - 66);
        if !(70..72).contains(&at) {
            body[at] ^= 1 << self.chance.below(8);
        }
        let garbled = sealed_bytes(envelope.kind(), who, &body, [0; 32]);
        self.tell_some(&garbled);
    }

    pub fn envelopes(&self) -> Vec<Envelope> {
        self.ever.iter().filter_map(|bytes| Envelope::parse(bytes).ok()).collect()
    }
}
