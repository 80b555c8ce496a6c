//! The engines and the arithmetic: what is signed, what is refused, and how secrets
//! end.

mod aggregation;
mod ends;
mod fakes;
mod one_use;
mod refusals;
mod vectors;

use std::ops::Range;

use roastery_frost::{AggregateNonce, PartialSignature, PublicNonce};
use roastery_protocol::{
    Seat,
    clock::Moment,
    member::{
        Incarnation,
        engine::{
            Answer, Arithmetic, DrawContext, Engine, EngineError, FakeArithmetic, FakeEngine,
            FrostArithmetic, FrostEngine, SignOrder, SlotRange, Verdict,
        },
    },
    request::ApprovedRequest,
};
use roastery_testkit::*;

fn frost_arithmetic(fixture: &Fixture) -> FrostArithmetic {
    FrostArithmetic::new(fixture.group.keys().clone())
}

fn frost(fixture: &Fixture, seat: Seat) -> FrostEngine {
    FrostEngine::new(frost_arithmetic(fixture), [(seat, fixture.share(seat))])
}

fn now<T>(answer: Answer<T>) -> Result<T, EngineError> {
    match answer {
        Answer::Now(result) => result,
        Answer::Later(job) => panic!("job {job} is not answered yet"),
    }
}

fn right<T>(verdict: Verdict<T>) -> T {
    match verdict {
        Verdict::Right(value) => value,
        Verdict::Wrong { position } => panic!("wrong at {position}"),
    }
}

fn incarnation(milliseconds: u64) -> Incarnation {
    Incarnation::after(None, milliseconds, [3; 8])
}

fn range(seat: Seat, coordinator: Seat, indexes: Range<u32>) -> SlotRange {
    SlotRange { seat, coordinator, indexes }
}

fn context(fixture: &Fixture, at: Moment) -> DrawContext {
    DrawContext { group: fixture.group.id(), incarnation: incarnation(1), now: at }
}

/// One seat's engine, a request of which it has the session open, and slots for one coordinator.
struct One<E> {
    fixture: Fixture,
    engine: E,
    request: ApprovedRequest,
    seat: Seat,
    coordinator: Seat,
    other: Seat,
    nonces: Vec<PublicNonce>,
}

/// The slots that are drawn to begin with.
const DRAWN: u32 = 8;

impl<E: Engine> One<E> {
    fn new(messages: usize, engine: impl FnOnce(&Fixture, Seat) -> E) -> Self {
        let fixture = Fixture::new(2, 3).messages(messages);
        let (seat, coordinator, other) = (seat(0), seat(1), seat(2));
        let engine = engine(&fixture, seat);
        let request = fixture.request(1);
        let mut one =
            One { fixture, engine, request, seat, coordinator, other, nonces: Vec::new() };
        now(one.engine.open(&one.request)).unwrap();
        one.nonces = one.draw(0..DRAWN).unwrap();
        one
    }

    fn draw(&mut self, indexes: Range<u32>) -> Result<Vec<PublicNonce>, EngineError> {
        let slots = range(self.seat, self.coordinator, indexes);
        now(self.engine.draw(&slots, &context(&self.fixture, self.fixture.now)))
    }

    /// An order for the slots from `first` on, in a package with the seat `other`, of which this
    /// engine knows nothing.
    fn order(&self, first: u32) -> SignOrder {
        let (_, theirs) =
            roastery_frost::danger::nonce_gen_with(&[9; 32], &Default::default()).unwrap();
        let aggregates = (0..self.request.keys().len())
            .map(|at| {
                let own = self.nonces.get(first as usize + at).unwrap_or(&self.nonces[0]);
                roastery_frost::nonce_agg([own, &theirs])
            })
            .collect();
        SignOrder {
            session: self.request.session_id(),
            seat: self.seat,
            coordinator: self.coordinator,
            incarnation: incarnation(1),
            first,
            signers: vec![self.seat, self.other],
            aggregates,
        }
    }

    fn sign(&mut self, order: &SignOrder) -> Result<Vec<PartialSignature>, EngineError> {
        self.sign_at(order, self.fixture.now)
    }

    fn sign_at(
        &mut self,
        order: &SignOrder,
        at: Moment,
    ) -> Result<Vec<PartialSignature>, EngineError> {
        now(self.engine.sign(order, at))
    }
}

/// t engines that sign one request under a coordinator.
struct Several<E, A> {
    fixture: Fixture,
    engines: Vec<E>,
    arithmetic: A,
    coordinator: Seat,
}

impl Several<FrostEngine, FrostArithmetic> {
    fn frost(fixture: Fixture) -> Self {
        let engines = fixture.group.seats().map(|seat| frost(&fixture, seat)).collect();
        let arithmetic = frost_arithmetic(&fixture);
        Self { fixture, engines, arithmetic, coordinator: seat(0) }
    }
}

impl Several<FakeEngine, FakeArithmetic> {
    fn fake(fixture: Fixture) -> Self {
        let engines = fixture.group.seats().map(|seat| FakeEngine::new([seat])).collect();
        Self { fixture, engines, arithmetic: FakeArithmetic::default(), coordinator: seat(0) }
    }
}

/// A package whose slots are drawn and not used.
struct Named {
    request: ApprovedRequest,
    signers: Vec<Seat>,
    first: u32,
    nonces: Vec<Vec<PublicNonce>>,
    aggregates: Vec<AggregateNonce>,
}

impl<E: Engine, A: Arithmetic> Several<E, A> {
    /// A package of these signers for request `id`, with their slots from `first` on.
    fn name(&mut self, id: u8, signers: &[Seat], first: u32) -> Named {
        let request = self.fixture.request(id);
        let m = request.keys().len();
        let context = context(&self.fixture, self.fixture.now);
        let mut nonces = Vec::new();
        for signer in signers {
            let engine = &mut self.engines[signer.index()];
            now(engine.open(&request)).unwrap();
            let slots = range(*signer, self.coordinator, first..first + m as u32);
            nonces.push(now(engine.draw(&slots, &context)).unwrap());
        }
        let lists: Vec<&[PublicNonce]> = nonces.iter().map(|list| &list[..]).collect();
        let aggregates = self.arithmetic.aggregate_nonces(m, &lists).unwrap();
        Named { request, signers: signers.to_vec(), first, nonces, aggregates }
    }

    fn order(&self, named: &Named, seat: Seat) -> SignOrder {
        SignOrder {
            session: named.request.session_id(),
            seat,
            coordinator: self.coordinator,
            incarnation: incarnation(1),
            first: named.first,
            signers: named.signers.clone(),
            aggregates: named.aggregates.clone(),
        }
    }

    fn shares(&mut self, named: &Named) -> Vec<Vec<PartialSignature>> {
        let at = self.fixture.now;
        let sign = |seat: &Seat| {
            let order = self.order(named, *seat);
            now(self.engines[seat.index()].sign(&order, at)).unwrap()
        };
        named.signers.iter().map(sign).collect()
    }

    fn prepare(&self, named: &Named) -> A::Package {
        self.arithmetic.prepare(named.request.keys(), &named.signers, &named.aggregates).unwrap()
    }
}
