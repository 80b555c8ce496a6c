//! A nonce answers one package, over all sessions and coordinators, in whatever order an engine is
//! asked.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};
use roastery_protocol::member::engine::Void;

use super::*;

/// One thing that is asked of an engine. Sessions are 1 and 2 and have as many messages.
#[derive(Clone, Debug)]
enum Step {
    Draw { coordinator: usize, first: u32, count: u32 },
    Sign { session: u8, coordinator: usize, first: u32 },
    Void(usize),
    VoidSlots { coordinator: usize, first: u32, count: u32 },
    VoidAll,
    Open(u8),
    Close(u8),
    Renew,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let coordinator = 1..4_usize;
    let session = 1..3_u8;
    let step = prop_oneof![
        6 => (coordinator.clone(), 0..12_u32, 0..5_u32).prop_map(|(coordinator, first, count)| {
            Step::Draw { coordinator, first, count }
        }),
        9 => (session.clone(), coordinator.clone(), 0..12_u32).prop_map(
            |(session, coordinator, first)| Step::Sign { session, coordinator, first }
        ),
        1 => coordinator.clone().prop_map(Step::Void),
        2 => (coordinator, 0..12_u32, 0..3_u32).prop_map(|(coordinator, first, count)| {
            Step::VoidSlots { coordinator, first, count }
        }),
        1 => Just(Step::VoidAll),
        2 => session.clone().prop_map(Step::Open),
        1 => session.prop_map(Step::Close),
        1 => Just(Step::Renew),
    ];
    vec(step, 1..60)
}

type Name = (usize, u32);

/// What an engine must know, as simply as it can be written.
#[derive(Default)]
struct Model {
    unused: BTreeMap<Name, PublicNonce>,
    next: BTreeMap<usize, u32>,
    open: BTreeSet<u8>,
    answered: BTreeSet<[u8; 66]>,
    life: u64,
}

fn plays<E: Engine>(mut engine: E, fixture: &Fixture, steps: &[Step]) {
    let (own, other) = (seat(0), seat(4));
    let mut model = Model::default();
    let (_, theirs) =
        roastery_frost::danger::nonce_gen_with(&[9; 32], &Default::default()).unwrap();
    for step in steps {
        let life = incarnation(1 + model.life);
        match step {
            Step::Draw { coordinator, first, count } => {
                let slots = range(own, seat(*coordinator), *first..first + count);
                let context =
                    DrawContext { group: fixture.group.id(), incarnation: life, now: fixture.now };
                let next = model.next.get(coordinator).copied().unwrap_or(0);
                let drawn = now(engine.draw(&slots, &context));
                assert_eq!(drawn.is_ok(), *first >= next, "{step:?}");
                if let Ok(drawn) = drawn {
                    let names = (*first..).map(|index| (*coordinator, index));
                    model.unused.extend(names.zip(drawn));
                    model.next.insert(*coordinator, next.max(first + count));
                }
            }
            Step::Sign { session, coordinator, first } => {
                let request = fixture.request(*session);
                let m = request.keys().len() as u32;
                let nonces: Vec<Option<PublicNonce>> = (*first..first + m)
                    .map(|at| model.unused.remove(&(*coordinator, at)))
                    .collect();
                let own_nonces = nonces.iter().map(|one| one.clone().unwrap_or(theirs.clone()));
                let order = SignOrder {
                    session: request.session_id(),
                    seat: own,
                    coordinator: seat(*coordinator),
                    incarnation: life,
                    first: *first,
                    signers: vec![own, other],
                    aggregates: own_nonces
                        .map(|nonce| roastery_frost::nonce_agg([&nonce, &theirs]))
                        .collect(),
                };
                let shares = now(engine.sign(&order, fixture.now));
                let may = model.open.contains(session) && nonces.iter().all(Option::is_some);
                assert_eq!(shares.is_ok(), may, "{step:?} {shares:?}");
                if let Ok(shares) = shares {
                    assert_eq!(shares.len(), nonces.len());
                    for nonce in nonces.iter().flatten() {
                        assert!(model.answered.insert(nonce.to_bytes()), "a nonce signed twice");
                    }
                }
            }
            Step::Void(coordinator) => {
                engine.void(Void::Coordinator(seat(*coordinator)));
                model.unused.retain(|(of, _), _| of != coordinator);
            }
            Step::VoidSlots { coordinator, first, count } => {
                let indexes = *first..first + count;
                engine.void(Void::Slots(range(own, seat(*coordinator), indexes.clone())));
                model.unused.retain(|(of, at), _| of != coordinator || !indexes.contains(at));
            }
            Step::VoidAll => {
                engine.void(Void::All);
                model.unused.clear();
            }
            Step::Open(session) => {
                now(engine.open(&fixture.request(*session))).unwrap();
                model.open.insert(*session);
            }
            Step::Close(session) => {
                engine.close(fixture.request(*session).session_id());
                model.open.remove(session);
            }
            Step::Renew => {
                // An empty order tells an engine of a new incarnation.
                model.life += 1;
                let context = DrawContext {
                    group: fixture.group.id(),
                    incarnation: incarnation(1 + model.life),
                    now: fixture.now,
                };
                now(engine.draw(&range(own, seat(1), 0..0), &context)).unwrap();
                model.unused.clear();
                model.next.clear();
            }
        }
        assert_eq!(engine.live_slots(), model.unused.len(), "{step:?}");
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn fixture() -> &'static Fixture {
    static FIXTURE: std::sync::OnceLock<Fixture> = std::sync::OnceLock::new();
    FIXTURE.get_or_init(|| Fixture::new(2, 5).messages(2))
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn a_slot_answers_one_package_over_all_sessions_whatever_a_fake_engine_is_asked(steps in steps()) {
        plays(FakeEngine::new([seat(0)]), fixture(), &steps);
    }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn a_nonce_answers_one_package_over_all_sessions_in_any_order_of_calls(steps in steps()) {
        plays(frost(fixture(), seat(0)), fixture(), &steps);
    }
}
