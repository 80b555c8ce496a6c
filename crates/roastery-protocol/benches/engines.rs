//! The bare cost of one 3-of-5 signature in one thread: the engines of version 1 and version 2 in
//! turns, with what their machines ask of them and nothing else. No envelope, no queue, no record.
//!
//! Three signers draw, the coordinator, which is one of them, sums nonces and prepares, three sign
//! with the check of their own shares, the coordinator sums and verifies. In version 1 the
//! coordinator's session serves its own share with the package that it prepared, as in version 2.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use roastery_frost::{PartialSignature, PublicNonce};
use roastery_protocol::{
    Attempt, Incarnation as Incarnation1,
    clock::Moment,
    engine::{self as v1, Engine as _, EngineSession as _},
    group::Group,
    member::{
        Incarnation,
        engine::{
            Answer, Arithmetic as _, DrawContext, Engine as _, FrostArithmetic, FrostEngine,
            SignOrder, SlotRange, Verdict,
        },
    },
    request::ApprovedRequest,
};
use roastery_testkit::{Fixture, seat};

const ROUNDS: usize = 301;
const SIGNERS: usize = 3;

fn main() {
    let fixture = Fixture::new(SIGNERS, 5);
    let request = fixture.request(1);
    let mut first = Version1::new(&fixture);
    let mut second = Version2::new(&fixture, &request);
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        // The one that begins finds colder caches; they take turns.
        let [one, two] = match round % 2 {
            0 => [first.sign(&request), second.sign(&request)],
            _ => {
                let two = second.sign(&request);
                [first.sign(&request), two]
            }
        };
        rounds.push([one, two]);
    }
    println!("{:<12} {:>10} {:>10} {:>10} {:>10}", "us", "draws", "signs", "aggregate", "all");
    for (name, which) in [("version 1", 0), ("version 2", 1)] {
        let median = |part: fn(&Parts) -> Duration| {
            let mut times: Vec<Duration> = rounds.iter().map(|round| part(&round[which])).collect();
            times.sort_unstable();
            times[ROUNDS / 2].as_secs_f64() * 1e6
        };
        println!(
            "{name:<12} {:>10.1} {:>10.1} {:>10.1} {:>10.1}",
            median(|parts| parts.draws),
            median(|parts| parts.signs),
            median(|parts| parts.aggregate),
            median(Parts::all),
        );
    }
    let mut ratios: Vec<f64> =
        rounds.iter().map(|[one, two]| two.all().as_secs_f64() / one.all().as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    println!("version 2 by version 1: {:.3} (median of {ROUNDS} pairs)", ratios[ROUNDS / 2]);
}

/// The time of one signature by its parts. The coordinator's preparation counts as signing.
#[derive(Clone, Copy)]
struct Parts {
    draws: Duration,
    signs: Duration,
    aggregate: Duration,
}

impl Parts {
    fn all(&self) -> Duration {
        self.draws + self.signs + self.aggregate
    }
}

struct Version1<'a> {
    fixture: &'a Fixture,
    engines: Vec<v1::FrostEngine>,
}

impl<'a> Version1<'a> {
    fn new(fixture: &'a Fixture) -> Self {
        let engines = (0..SIGNERS).map(|at| fixture.frost(seat(at))).collect();
        Self { fixture, engines }
    }

    fn sign(&mut self, request: &ApprovedRequest) -> Parts {
        let slot = v1::SlotId { attempt: Attempt::FIRST, index: 0 };
        let context = v1::SlotContext {
            session: request.session_id(),
            incarnation: Incarnation1::new(1, [0; 8]),
            now: self.fixture.now,
        };
        let seats: Vec<_> = (0..SIGNERS).map(seat).collect();
        let start = Instant::now();
        let mut sessions: Vec<_> =
            self.engines.iter().map(|engine| engine.open(request).expect("it opens")).collect();
        let slots: Vec<Vec<PublicNonce>> =
            sessions.iter_mut().map(|one| one.commit(slot, &context).expect("it draws")).collect();
        let drawn = Instant::now();
        let nonces: Vec<&[PublicNonce]> = slots.iter().map(|slot| &slot[..]).collect();
        let aggregates = sessions[0].aggregate_nonces(&nonces);
        let mut packages = Vec::new();
        let mut shares = Vec::new();
        for one in &mut sessions {
            let package = one.prepare(&seats, &aggregates).expect("it prepares");
            shares.push(one.sign(slot, &package).expect("it signs"));
            packages.push(package);
        }
        let signed = Instant::now();
        let shares: Vec<&[PartialSignature]> = shares.iter().map(|share| &share[..]).collect();
        black_box(sessions[0].aggregate(&packages[0], &shares).expect("it is right"));
        Parts { draws: drawn - start, signs: signed - drawn, aggregate: signed.elapsed() }
    }
}

struct Version2<'a> {
    group: &'a Group,
    now: Moment,
    arithmetic: FrostArithmetic,
    engines: Vec<FrostEngine>,
    next: u32,
}

fn done<T>(answer: Answer<T>) -> T {
    match answer {
        Answer::Now(result) => result.expect("the engine does it"),
        Answer::Later(_) => unreachable!("this engine answers at once"),
    }
}

impl<'a> Version2<'a> {
    fn new(fixture: &'a Fixture, request: &ApprovedRequest) -> Self {
        // Each node has an arithmetic of its own; the coordinator is seat 0.
        let arithmetic: Vec<FrostArithmetic> =
            (0..SIGNERS).map(|_| FrostArithmetic::new(fixture.group.keys().clone())).collect();
        let mut engines: Vec<FrostEngine> = (0..SIGNERS)
            .map(|at| {
                FrostEngine::new(arithmetic[at].clone(), [(seat(at), fixture.share(seat(at)))])
            })
            .collect();
        let (group, now) = (&*fixture.group, fixture.now);
        let arithmetic = arithmetic[0].clone();
        // A stock of usual size, so that the map has its usual depth.
        let context = context(group, now);
        for (at, engine) in engines.iter_mut().enumerate() {
            for coordinator in 1..5 {
                let slots =
                    SlotRange { seat: seat(at), coordinator: seat(coordinator), indexes: 0..64 };
                done(engine.draw(&slots, &context));
            }
            done(engine.open(request));
        }
        Self { group, now, arithmetic, engines, next: 0 }
    }

    fn sign(&mut self, request: &ApprovedRequest) -> Parts {
        let context = context(self.group, self.now);
        let seats: Vec<_> = (0..SIGNERS).map(seat).collect();
        let (first, coordinator) = (self.next, seat(0));
        self.next += 1;
        let start = Instant::now();
        let mut slots: Vec<Vec<PublicNonce>> = Vec::new();
        for (at, engine) in self.engines.iter_mut().enumerate() {
            done(engine.open(request));
            let range = SlotRange { seat: seat(at), coordinator, indexes: first..first + 1 };
            slots.push(done(engine.draw(&range, &context)));
        }
        let drawn = Instant::now();
        let nonces: Vec<&[PublicNonce]> = slots.iter().map(|slot| &slot[..]).collect();
        let aggregates = self.arithmetic.aggregate_nonces(1, &nonces).expect("it sums");
        let package =
            self.arithmetic.prepare(request.keys(), &seats, &aggregates).expect("it prepares");
        let mut shares = Vec::new();
        for (at, engine) in self.engines.iter_mut().enumerate() {
            let order = SignOrder {
                session: request.session_id(),
                seat: seat(at),
                coordinator,
                incarnation: context.incarnation,
                first,
                signers: seats.clone(),
                aggregates: aggregates.clone(),
            };
            shares.push(done(engine.sign(&order, self.now)));
        }
        let signed = Instant::now();
        let shares: Vec<&[PartialSignature]> = shares.iter().map(|share| &share[..]).collect();
        let result = self.arithmetic.aggregate(&package, &shares);
        assert!(matches!(black_box(result), Ok(Verdict::Right(_))));
        Parts { draws: drawn - start, signs: signed - drawn, aggregate: signed.elapsed() }
    }
}

fn context(group: &Group, now: Moment) -> DrawContext {
    let incarnation = Incarnation::after(None, 1, [0; 8]);
    DrawContext { group: group.id(), incarnation, now }
}
