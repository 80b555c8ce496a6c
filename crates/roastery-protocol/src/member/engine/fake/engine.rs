//! The fake engine.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use roastery_frost::{PartialSignature, Point, PublicNonce, Seat, decode_point, hash::tagged_hash};

use super::{digest, scalar, share};
use crate::{
    SessionId,
    clock::Moment,
    member::engine::{
        Answer, Answered, DrawContext, Engine, EngineError, Job, SignOrder, SlotRange, Void,
        secrets::Secrets,
    },
    request::ApprovedRequest,
    wire,
};

/// An engine without a key. It keeps all rules of the real one about slots and sessions, does what
/// its [`Programme`] says, and records its calls. Its clones are handles of the same engine.
#[derive(Clone, Debug)]
pub struct FakeEngine {
    shared: Arc<Mutex<Shared>>,
}

/// What a fake engine is to do.
#[derive(Clone, Debug, Default)]
pub struct Programme {
    /// Drawing fails with this.
    pub draw: Option<EngineError>,
    /// Opening fails with this.
    pub open: Option<EngineError>,
    /// Signing fails with this; the slots are used up all the same.
    pub sign: Option<EngineError>,
    /// Shares are wrong in the message of this position.
    pub wrong_share: Option<usize>,
    /// All calls are answered later, when [`FakeEngine::answer`] is asked.
    pub later: bool,
}

/// A call of a fake engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// [`Engine::draw`] of these slots.
    Draw(SlotRange),
    /// [`Engine::open`] of the request of this session.
    Open(SessionId),
    /// [`Engine::sign`] with this order.
    Sign(SignOrder),
    /// [`Engine::void`] of these.
    Void(Void),
    /// [`Engine::close`] of this session.
    Close(SessionId),
}

#[derive(Debug)]
struct Shared {
    seats: Vec<Seat>,
    programme: Programme,
    calls: Vec<Call>,
    secrets: Secrets<()>,
    answers: BTreeMap<Job, Result<Answered, EngineError>>,
    jobs: u64,
}

impl FakeEngine {
    /// A well-behaved fake of these seats, with room for any number of slots.
    pub fn new(seats: impl IntoIterator<Item = Seat>) -> Self {
        Self::with_most_slots(seats, usize::MAX)
    }

    /// A well-behaved fake with room for this many slots.
    pub fn with_most_slots(seats: impl IntoIterator<Item = Seat>, most: usize) -> Self {
        let shared = Shared {
            seats: seats.into_iter().collect(),
            programme: Programme::default(),
            calls: Vec::new(),
            secrets: Secrets::new(most),
            answers: BTreeMap::new(),
            jobs: 0,
        };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// Changes what it does from now on.
    pub fn programme(&self, programme: Programme) {
        self.lock().programme = programme;
    }

    /// Takes the record of the calls since it was taken last, in their order.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.lock().calls)
    }

    /// The calls that are still to be answered, oldest first.
    pub fn pending(&self) -> Vec<Job> {
        self.lock().answers.keys().copied().collect()
    }

    /// The answer of a call that was to be answered later, once. What it did to the slots it did
    /// when it was called.
    pub fn answer(&self, job: Job) -> Option<Result<Answered, EngineError>> {
        self.lock().answers.remove(&job)
    }

    // A panic elsewhere while the lock was held leaves plain data that is still worth reading.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn answer<T>(
        &mut self,
        result: Result<T, EngineError>,
        answered: impl FnOnce(T) -> Answered,
    ) -> Answer<T> {
        if !self.programme.later {
            return Answer::Now(result);
        }
        let job = Job::new(self.jobs);
        self.jobs += 1;
        self.answers.insert(job, result.map(answered));
        Answer::Later(job)
    }

    fn check_seat(&self, seat: Seat) -> Result<(), EngineError> {
        if self.seats.contains(&seat) { Ok(()) } else { Err(EngineError::NoSuchSeat(seat)) }
    }

    fn draw(
        &mut self,
        slots: &SlotRange,
        context: &DrawContext,
    ) -> Result<Vec<PublicNonce>, EngineError> {
        self.check_seat(slots.seat)?;
        if let Some(error) = self.programme.draw {
            return Err(error);
        }
        let nonces = Nonces::of(slots, context);
        self.secrets.draw(slots, context, |index| Ok(((), nonces.at(index))))
    }

    fn sign(
        &mut self,
        order: &SignOrder,
        now: Moment,
    ) -> Result<Vec<PartialSignature>, EngineError> {
        self.check_seat(order.seat)?;
        let (_, request) = self.secrets.take(order, now)?;
        if let Some(error) = self.programme.sign {
            if error == EngineError::OwnShareInvalid {
                self.secrets.void(&Void::All);
            }
            return Err(error);
        }
        if !order.signers.contains(&order.seat) {
            return Err(EngineError::NotAPackage);
        }
        let digest = digest(request.keys(), &order.signers, &order.aggregates);
        let mut shares = share(&digest, order.seat, request.keys().len());
        if let Some(wrong) = self.programme.wrong_share.and_then(|at| shares.get_mut(at)) {
            *wrong = scalar(tagged_hash("fake/wrong", &[&wrong.to_bytes()]));
        }
        Ok(shares)
    }
}

impl Engine for FakeEngine {
    fn draw(&mut self, slots: &SlotRange, context: &DrawContext) -> Answer<Vec<PublicNonce>> {
        let mut shared = self.lock();
        shared.calls.push(Call::Draw(slots.clone()));
        let result = shared.draw(slots, context);
        shared.answer(result, Answered::Drawn)
    }

    fn open(&mut self, request: &ApprovedRequest) -> Answer<()> {
        let mut shared = self.lock();
        shared.calls.push(Call::Open(request.session_id()));
        let result = match shared.programme.open {
            Some(error) => Err(error),
            None => {
                shared.secrets.open(request);
                Ok(())
            }
        };
        shared.answer(result, |()| Answered::Opened)
    }

    fn sign(&mut self, order: &SignOrder, now: Moment) -> Answer<Vec<PartialSignature>> {
        let mut shared = self.lock();
        shared.calls.push(Call::Sign(order.clone()));
        let result = shared.sign(order, now);
        shared.answer(result, Answered::Signed)
    }

    fn void(&mut self, what: Void) {
        let mut shared = self.lock();
        shared.secrets.void(&what);
        shared.calls.push(Call::Void(what));
    }

    fn close(&mut self, session: SessionId) {
        let mut shared = self.lock();
        shared.secrets.close(session);
        shared.calls.push(Call::Close(session));
    }

    fn live_slots(&self) -> usize {
        self.lock().secrets.live()
    }
}

/// How many points there are in the table: all pairs of two of them are 2^20 nonces.
const POINTS: u32 = 1 << 10;

/// The nonces of one seat for one coordinator in one incarnation: 2^20 different ones.
struct Nonces {
    first: u32,
}

impl Nonces {
    fn of(slots: &SlotRange, context: &DrawContext) -> Self {
        let hash = tagged_hash(
            "fake/nonces",
            &[
                context.group.as_bytes(),
                &slots.seat.to_u16().to_le_bytes(),
                &slots.coordinator.to_u16().to_le_bytes(),
                &wire::encode(&context.incarnation),
            ],
        );
        Self { first: u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]) }
    }

    fn at(&self, index: u32) -> PublicNonce {
        static TABLE: OnceLock<Vec<Point>> = OnceLock::new();
        let table = TABLE.get_or_init(|| {
            let candidates = (0u32..).map(|at| tagged_hash("fake/point", &[&at.to_le_bytes()]));
            // About every second x coordinate is on the curve.
            let points = candidates.filter_map(|x| {
                let mut bytes = [2; 33];
                bytes[1..].copy_from_slice(&x);
                decode_point(&bytes).ok()
            });
            points.take(POINTS as usize).collect()
        });
        let pair = self.first.wrapping_add(index) % (POINTS * POINTS);
        let point = |at: u32| table[at as usize];
        PublicNonce::from_points(point(pair / POINTS), point(pair % POINTS))
    }
}
