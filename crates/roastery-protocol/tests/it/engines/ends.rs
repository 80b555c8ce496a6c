//! Secret nonces end: when they are used, void or of an earlier incarnation, after a fault of the
//! machine, in a panic. And nothing shows or copies them.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rand_core::{TryCryptoRng, TryRng};
use roastery_frost::{SecretNonce, SecretShare};
use roastery_protocol::member::engine::Void;
use roastery_testkit::holder::{Alive, Holder};

use super::*;

fn held(messages: usize) -> (One<Holder<FrostEngine>>, Alive) {
    let alive = Alive::default();
    let one = One::new(messages, |fixture, seat| Holder::new(frost(fixture, seat), &alive));
    assert_eq!(alive.slots(), DRAWN as usize);
    (one, alive)
}

#[test]
fn a_void_stock_leaves_nothing_secret() {
    for what in [
        Void::Slots(range(seat(0), seat(1), 0..DRAWN)),
        Void::Slots(range(seat(0), seat(1), 0..u32::MAX)),
        Void::Coordinator(seat(1)),
        Void::All,
    ] {
        let (mut one, alive) = held(1);
        one.engine.void(what);
        assert_eq!(alive.slots(), 0);
    }
}

#[test]
fn what_is_void_is_what_was_named_and_nothing_else() {
    let (mut one, alive) = held(1);
    let context = context(&one.fixture, one.fixture.now);
    now(one.engine.draw(&range(one.seat, one.other, 0..4), &context)).unwrap();
    one.engine.void(Void::Slots(range(one.seat, one.coordinator, 2..4)));
    one.engine.void(Void::Slots(range(one.other, one.coordinator, 0..DRAWN)));
    #[allow(clippy::reversed_empty_ranges, reason = "a caller's fault voids nothing")]
    one.engine.void(Void::Slots(range(one.seat, one.coordinator, 6..5)));
    assert_eq!(alive.slots(), DRAWN as usize - 2 + 4);
    assert!(one.sign(&one.order(1)).is_ok());
    one.engine.void(Void::Coordinator(one.coordinator));
    assert_eq!(alive.slots(), 4);
    let order = SignOrder { coordinator: one.other, ..one.order(0) };
    assert!(one.sign(&order).is_ok());
    assert_eq!(alive.slots(), 3);
}

#[test]
fn signing_ends_the_secrets_of_its_slots_also_where_it_fails() {
    let (mut one, alive) = held(3);
    one.sign(&one.order(0)).unwrap();
    assert_eq!(alive.slots(), DRAWN as usize - 3);
    let order = SignOrder { signers: vec![one.seat], ..one.order(3) };
    one.sign(&order).unwrap_err();
    assert_eq!(alive.slots(), DRAWN as usize - 6);
}

#[test]
fn closing_a_session_leaves_the_stock_which_is_the_groups() {
    let (mut one, alive) = held(1);
    one.engine.close(one.request.session_id());
    assert_eq!(alive.slots(), DRAWN as usize);
    drop(one);
    assert_eq!(alive.holders(), 0);
}

#[test]
fn a_machine_that_computes_a_wrong_share_releases_none_and_voids_everything() {
    // The share of another seat: what is computed with it does not verify.
    let wrong = |fixture: &Fixture, own: Seat| {
        FrostEngine::new(frost_arithmetic(fixture), [(own, fixture.share(seat(2)))])
    };
    let mut one = One::new(1, wrong);
    let context = context(&one.fixture, one.fixture.now);
    now(one.engine.draw(&range(one.seat, one.other, 0..4), &context)).unwrap();
    assert_eq!(one.sign(&one.order(0)), Err(EngineError::OwnShareInvalid));
    assert_eq!(one.engine.live_slots(), 0);
}

/// A random generator that gives the same byte a given number of times, and then does what it says.
#[derive(Clone)]
struct Stuck {
    left: Arc<AtomicUsize>,
    panics: bool,
}

impl std::fmt::Debug for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stuck")
    }
}

#[derive(Debug)]
struct NoRandomness;

impl std::fmt::Display for NoRandomness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no randomness")
    }
}

impl std::error::Error for NoRandomness {}

impl From<Infallible> for NoRandomness {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl TryRng for Stuck {
    type Error = NoRandomness;
    fn try_next_u32(&mut self) -> Result<u32, NoRandomness> {
        Err(NoRandomness)
    }
    fn try_next_u64(&mut self) -> Result<u64, NoRandomness> {
        Err(NoRandomness)
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        let left = self.left.load(Ordering::SeqCst);
        assert!(left > 0 || !self.panics, "the generator panics");
        self.left.store(left.checked_sub(1).ok_or(NoRandomness)?, Ordering::SeqCst);
        bytes.fill(0x5a);
        Ok(())
    }
}

impl TryCryptoRng for Stuck {}

fn stuck(panics: bool) -> One<FrostEngine<Stuck>> {
    let left = Arc::new(AtomicUsize::new(DRAWN as usize + 2));
    One::new(1, |fixture, seat| {
        let shares = [(seat, fixture.share(seat))];
        FrostEngine::with_nonces(frost_arithmetic(fixture), shares, Stuck { left, panics })
    })
}

#[test]
fn a_random_generator_that_fails_in_the_middle_leaves_no_slot_and_no_index_behind() {
    let mut one = stuck(false);
    assert_eq!(one.draw(DRAWN..DRAWN + 4), Err(EngineError::Randomness));
    assert_eq!(one.engine.live_slots(), DRAWN as usize);
    // None of them was shown, so they are drawn for the first time.
    assert_eq!(one.draw(DRAWN..DRAWN + 1), Err(EngineError::Randomness));
    assert!(one.sign(&one.order(0)).is_ok());
}

#[test]
fn a_panic_in_the_engine_drops_what_it_was_drawing_and_leaves_the_rest_usable() {
    let mut one = stuck(true);
    let result = catch_unwind(AssertUnwindSafe(|| one.draw(DRAWN..DRAWN + 4)));
    assert!(result.is_err());
    assert_eq!(one.engine.live_slots(), DRAWN as usize);
    assert!(one.sign(&one.order(0)).is_ok());
    assert!(one.sign(&one.order(0)).is_err());
}

#[test]
fn a_panic_above_an_engine_drops_it() {
    let (one, alive) = held(1);
    let result = catch_unwind(AssertUnwindSafe(move || {
        let _held = one;
        panic!("a fault above the engine");
    }));
    assert!(result.is_err());
    assert_eq!(alive.holders(), 0);
}

#[test]
fn nonces_from_a_generator_that_repeats_still_differ() {
    let one = stuck(false);
    for (at, nonce) in one.nonces.iter().enumerate() {
        assert!(!one.nonces[..at].contains(nonce));
    }
}

#[test]
fn no_debug_output_of_an_engine_shows_a_nonce_or_a_share() {
    let one = stuck(false);
    let shown = format!("{:?} {:#?}", one.engine, one.engine);
    assert!(shown.contains("SecretShare(..)"), "{shown}");
    assert!(!shown.contains("SecretNonce"), "{shown}");
    let shown: String = shown.chars().filter(char::is_ascii_alphanumeric).collect();
    for window in one.fixture.shares[one.seat.index()].windows(6) {
        let hex: String = window.iter().map(|byte| format!("{byte:02x}")).collect();
        let decimal: String = window.iter().map(u8::to_string).collect();
        assert!(!shown.to_lowercase().contains(&hex));
        assert!(!shown.contains(&decimal));
    }
}

/// Has one `check` for types that cannot be cloned and two, of which none is chosen, for others.
trait NotClone<Marker> {
    fn check() {}
}

impl<T> NotClone<()> for T {}
impl<T: Clone> NotClone<u8> for T {}

#[test]
fn nothing_secret_can_be_cloned() {
    <FrostEngine as NotClone<_>>::check();
    <FrostEngine<Stuck> as NotClone<_>>::check();
    <SecretNonce as NotClone<_>>::check();
    <SecretShare as NotClone<_>>::check();
}
