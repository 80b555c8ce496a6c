//! A group in one test: sessions of all seats, a queue between them, and time that the test moves.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use roastery_protocol::{
    Seat,
    clock::Moment,
    engine::{Engine, EngineSession},
    machine::{Destination, Machine},
    message::{Envelope, Kind},
    signing::{Event, Output, Rejected, Session, Settings},
};

use crate::{Fixture, later, peer, seat};

/// A message in transit.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The seat on whose link it is sent.
    pub from: Seat,
    pub to: Seat,
    pub bytes: Arc<[u8]>,
}

impl Packet {
    pub fn kind(&self) -> Kind {
        Envelope::parse(&self.bytes).unwrap().kind()
    }

    pub fn envelope(&self) -> Envelope {
        Envelope::parse(&self.bytes).unwrap()
    }
}

/// Sessions of one request at all seats that are up.
pub struct World<S: EngineSession> {
    pub fixture: Fixture,
    pub sessions: Vec<Option<Session<S>>>,
    pub queue: VecDeque<Packet>,
    pub events: Vec<(Seat, Event)>,
    pub rejected: Vec<(Seat, Rejected)>,
    pub sent: Vec<Packet>,
    pub now: Moment,
}

impl<S: EngineSession> World<S> {
    /// Opens a session at each seat for which there is an engine.
    pub fn open<E: Engine<Session = S>>(
        fixture: Fixture,
        engines: impl IntoIterator<Item = Option<E>>,
        settings: Settings,
    ) -> Self {
        let now = fixture.now;
        let request = fixture.request(1);
        let mut world = World {
            sessions: Vec::new(),
            queue: VecDeque::new(),
            events: Vec::new(),
            rejected: Vec::new(),
            sent: Vec::new(),
            now,
            fixture,
        };
        for (at, engine) in engines.into_iter().enumerate() {
            let session = engine.map(|engine| {
                let opening = world.fixture.opening(seat(at), &request, at as u64, settings);
                Session::open(opening, &engine, now).unwrap()
            });
            world.sessions.push(session);
            world.collect(seat(at));
        }
        world
    }

    pub fn session(&self, at: usize) -> &Session<S> {
        self.sessions[at].as_ref().unwrap()
    }

    pub fn session_mut(&mut self, at: usize) -> &mut Session<S> {
        self.sessions[at].as_mut().unwrap()
    }

    /// The coordinator of the first attempt.
    pub fn coordinator(&self) -> Seat {
        self.fixture.coordinator(&self.fixture.request(1), 0)
    }

    /// Takes the outputs of a session.
    pub fn collect(&mut self, from: Seat) {
        let Some(session) = self.sessions[from.index()].as_mut() else { return };
        while let Some(output) = session.poll_output() {
            match output {
                Output::Event(event) => self.events.push((from, event)),
                Output::Send { to, bytes } => {
                    let n = self.fixture.group.size();
                    let receivers: Vec<Seat> = match to {
                        Destination::Seat(seat) => vec![seat],
                        Destination::Everyone => (0..n).map(seat).filter(|s| *s != from).collect(),
                    };
                    for to in receivers {
                        let packet = Packet { from, to, bytes: bytes.clone() };
                        self.sent.push(packet.clone());
                        self.queue.push_back(packet);
                    }
                }
            }
        }
    }

    /// Delivers one message, on the link of `from`.
    pub fn deliver(&mut self, from: Seat, to: Seat, bytes: &[u8]) -> Result<(), Rejected> {
        let now = self.now;
        let peer = peer(from);
        let Some(session) = self.sessions[to.index()].as_mut() else { return Ok(()) };
        let result = session.handle_message(&peer, bytes, now);
        if let Err(rejected) = &result {
            self.rejected.push((to, rejected.clone()));
        }
        self.collect(to);
        result
    }

    /// Delivers until no message is in transit. Messages that `pass` refuses are lost.
    pub fn run_with(&mut self, mut pass: impl FnMut(&Packet) -> bool) {
        while let Some(packet) = self.queue.pop_front() {
            if pass(&packet) {
                let _ = self.deliver(packet.from, packet.to, &packet.bytes);
            }
        }
    }

    pub fn run(&mut self) {
        self.run_with(|_| true);
    }

    /// Moves both clocks and wakes all sessions, then delivers.
    pub fn pass_time(&mut self, by: Duration) {
        self.now = later(self.now, by);
        for at in 0..self.sessions.len() {
            let now = self.now;
            if let Some(session) = self.sessions[at].as_mut() {
                session.handle_timeout(now);
            }
            self.collect(seat(at));
        }
        self.run();
    }

    pub fn signed(&self) -> usize {
        self.sessions.iter().flatten().filter(|session| session.outcome().is_some()).count()
    }

    pub fn count_sent(&self, kind: Kind) -> usize {
        self.sent.iter().filter(|packet| packet.kind() == kind).count()
    }

    pub fn proven(&self, at: usize) -> Vec<usize> {
        self.session(at).proofs().map(|(finding, _)| finding.accused.index()).collect()
    }
}
