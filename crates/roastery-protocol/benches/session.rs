//! A whole session in one thread, at three sizes: how long it takes all nodes together, and how
//! much of that is pure cryptography.
//!
//! The session runs all n nodes one after the other, with the real engine. The cryptography is
//! counted while it runs and priced by the same operations measured beside it: nonces, shares with
//! their own check, contexts, aggregation, points decoded, envelopes signed and verified, final
//! signatures verified, keys derived. What is left is the protocol's own: state, encoding, hashing
//! of identities, queues.

use std::{
    fmt::Write as _,
    hint::black_box,
    time::{Duration, Instant},
};

use roastery_frost::{PublicNonce, SessionContext, SigningKey, nonce_agg};
use roastery_protocol::{
    Attempt, Incarnation,
    engine::{Engine, EngineSession, SlotContext, SlotId},
    message::Kind,
    request::Derivation,
    signing::Settings,
};
use roastery_testkit::{Fixture, World, seat};

const ROUNDS: usize = 9;

fn main() {
    println!(
        "{:<10} {:>12} {:>14} {:>12} {:>10} {:>10}",
        "size", "session", "cryptography", "own", "own/crypto", "messages"
    );
    let mut json = String::from("[\n");
    for (at, (t, n)) in [(3, 5), (11, 15), (67, 100)].into_iter().enumerate() {
        let mut rounds: Vec<Round> = (0..ROUNDS).map(|_| round(t, n)).collect();
        rounds.sort_by(|one, other| one.ratio().total_cmp(&other.ratio()));
        let Round { session, cryptography, messages } = rounds[ROUNDS / 2];
        let own = session.saturating_sub(cryptography);
        let ratio = rounds[ROUNDS / 2].ratio();
        println!(
            "{:<10} {:>9.3} ms {:>11.3} ms {:>9.3} ms {:>10.2} {:>10}",
            format!("{t}-of-{n}"),
            milliseconds(session),
            milliseconds(cryptography),
            milliseconds(own),
            ratio,
            messages
        );
        let comma = if at == 0 { "" } else { ",\n" };
        write!(
            json,
            "{comma}  {{\"threshold\": {t}, \"signers\": {n}, \"session_ms\": {:.3}, \"cryptography_ms\": {:.3}, \
             \"own_ms\": {:.3}, \"own_by_cryptography\": {ratio:.3}, \"messages\": {messages}}}",
            milliseconds(session),
            milliseconds(cryptography),
            milliseconds(own),
        )
        .expect("writing to a string");
    }
    json.push_str("\n]\n");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    std::fs::write(folder.join("session.json"), json).expect("the target folder can be written");
    println!(
        "\nMedian of {ROUNDS} rounds by ratio; all n nodes in one thread. Also in target/bench/session.json"
    );
}

#[derive(Clone, Copy)]
struct Round {
    session: Duration,
    cryptography: Duration,
    messages: usize,
}

impl Round {
    /// The protocol's own cost by the cryptography's.
    fn ratio(&self) -> f64 {
        self.session.saturating_sub(self.cryptography).as_secs_f64()
            / self.cryptography.as_secs_f64()
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn round(t: usize, n: usize) -> Round {
    let fixture = Fixture::new(t, n);
    let prices = Prices::measure(&fixture, t);
    let engines = fixture.frost_engines();
    let start = Instant::now();
    let mut world = World::open(fixture, engines, Settings::default());
    world.run();
    let session = start.elapsed();
    assert_eq!(world.signed(), n);
    let count = |kind| world.count_sent(kind) as u32;
    let (signers, nodes) = (t as u32, n as u32);
    // A signer draws its first slot, and one more with its share where another share may follow.
    let slots = nodes + if n > t { signers } else { 0 };
    // Own messages are decoded as well, without being sent.
    let slots_read = slots;
    let envelopes = nodes + signers + 1 + nodes;
    let cryptography = prices.slot * slots
        + prices.point * (2 * slots_read)
        + prices.point * (2 * nodes)
        + prices.context * (signers + 1)
        + prices.share * signers
        + prices.nonce_sum
        + prices.aggregation
        + prices.verify * count(Kind::SigningPackage)
        + prices.verify * count(Kind::Signature)
        + prices.seal * envelopes
        + prices.key;
    Round { session, cryptography, messages: world.sent.len() }
}

/// What one operation costs here and now.
struct Prices {
    slot: Duration,
    point: Duration,
    context: Duration,
    share: Duration,
    nonce_sum: Duration,
    aggregation: Duration,
    seal: Duration,
    verify: Duration,
    key: Duration,
}

impl Prices {
    fn measure(fixture: &Fixture, t: usize) -> Self {
        let request = fixture.request(1);
        let mut sessions: Vec<_> = (0..t)
            .map(|at| fixture.frost(seat(at)).open(&request).expect("the engine opens"))
            .collect();
        let context = SlotContext {
            session: request.session_id(),
            incarnation: Incarnation::new(1, [0; 8]),
            now: fixture.now,
        };
        let slot = |index| SlotId { attempt: Attempt::FIRST, index };
        let slots: Vec<Vec<PublicNonce>> = sessions
            .iter_mut()
            .map(|one| one.commit(slot(0), &context).expect("commits"))
            .collect();
        let nonces: Vec<&[PublicNonce]> = slots.iter().map(|slot| &slot[..]).collect();
        let aggregates = sessions[0].aggregate_nonces(&nonces);
        let seats: Vec<_> = (0..t).map(seat).collect();
        let package = sessions[0].prepare(&seats, &aggregates).expect("prepares");
        let shares: Vec<_> =
            sessions.iter_mut().map(|one| one.sign(slot(0), &package).expect("signs")).collect();
        let borrowed: Vec<_> = shares.iter().map(|share| &share[..]).collect();

        let mut index = 0;
        let mut drawn = Vec::new();
        let slot_price = price(|| {
            index += 1;
            drawn.push(slot(index));
            black_box(sessions[0].commit(slot(index), &context).expect("commits"));
        });
        let share = price(|| {
            let slot = drawn.pop().expect("as many slots were drawn as are used");
            black_box(sessions[0].sign(slot, &package).expect("signs"));
        });
        let key = SigningKey::from_bytes([5; 32].into()).expect("a valid key");
        let signature = key.sign(&[1; 32], &[0; 32]);
        let public = key.public_key();
        let nonce = slots[0][0].to_bytes();
        let signers = fixture.group.keys().signers(&seats).expect("valid signers");
        let message = &request.keys()[0];
        Prices {
            slot: slot_price,
            share,
            point: price(|| {
                black_box(PublicNonce::from_bytes(black_box(&nonce)).expect("a nonce"));
            }) / 2,
            context: price(|| {
                black_box(
                    SessionContext::new(
                        &signers,
                        &aggregates[0],
                        &message.tweaks,
                        &message.message,
                    )
                    .expect("a context"),
                );
            }),
            nonce_sum: price(|| {
                black_box(nonce_agg(slots.iter().map(|slot| &slot[0])));
            }),
            aggregation: price(|| {
                black_box(sessions[0].aggregate(&package, &borrowed).expect("aggregates"));
            }),
            seal: price(|| {
                black_box(key.sign(black_box(&[1; 32]), &[0; 32]));
            }),
            verify: price(|| {
                assert!(signature.verify(&public, black_box(&[1; 32])));
            }),
            key: price(|| {
                black_box(Derivation::key_path_only().tweaks(&fixture.group).expect("a key"));
            }),
        }
    }
}

/// The mean of a few dozen.
fn price(mut operation: impl FnMut()) -> Duration {
    const TIMES: u32 = 40;
    let start = Instant::now();
    (0..TIMES).for_each(|_| operation());
    start.elapsed() / TIMES
}
