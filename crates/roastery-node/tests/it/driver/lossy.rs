//! A bus that loses, repeats, delays and so reorders messages.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use roastery_frost::Seat;
use roastery_node::bus::{Bus, BusEvent, BusStats, Destination, Mesh, MeshBus, SendError};
use roastery_protocol::group::PeerId;
use roastery_testkit::nodes::*;
use tokio::time::{Instant, sleep, sleep_until};

/// A pseudo-random generator (SplitMix64).
struct Lots(u64);

impl Lots {
    fn draw(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// A partition: no message passes from one side to the other.
#[derive(Default)]
struct Wall {
    one_side: BTreeSet<PeerId>,
    stands: AtomicBool,
}

impl Wall {
    fn parts(&self, one: &PeerId, other: &PeerId) -> bool {
        self.stands.load(Ordering::Relaxed)
            && self.one_side.contains(one) != self.one_side.contains(other)
    }
}

struct Lossy {
    inner: MeshBus,
    lots: Lots,
    /// How many of a hundred messages are lost.
    lost: u64,
    wall: Arc<Wall>,
    delayed: BTreeMap<(Instant, u64), BusEvent>,
}

impl Lossy {
    fn delay(&mut self, event: BusEvent) {
        let BusEvent::Message { from, .. } = &event else { return };
        if self.wall.parts(from, self.inner.local_peer()) || self.lots.draw(100) < self.lost {
            return;
        }
        let copies = 1 + u64::from(self.lots.draw(5) == 0);
        for _ in 0..copies {
            let at = Instant::now() + Duration::from_millis(self.lots.draw(300));
            self.delayed.insert((at, self.lots.draw(u64::MAX)), event.clone());
        }
    }
}

impl Bus for Lossy {
    fn local_peer(&self) -> &PeerId {
        self.inner.local_peer()
    }

    fn max_message_bytes(&self) -> usize {
        self.inner.max_message_bytes()
    }

    fn send(&mut self, to: Destination, message: &[u8]) -> Result<(), SendError> {
        self.inner.send(to, message)
    }

    async fn receive(&mut self) -> Option<BusEvent> {
        loop {
            let next = self.delayed.first_key_value().map(|((at, _), _)| *at);
            tokio::select! {
                event = self.inner.receive() => match event? {
                    event @ BusEvent::Message { .. } => self.delay(event),
                    other => return Some(other),
                },
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    return self.delayed.pop_first().map(|(_, event)| event);
                }
            }
        }
    }

    fn stats(&self) -> BusStats {
        self.inner.stats()
    }
}

fn start(
    fixture: &Fixture,
    mesh: &Mesh,
    seats: &[Seat],
    lossy: impl Fn(MeshBus) -> Lossy,
) -> Vec<Up> {
    let buses = fixture.join(mesh, seats).into_iter().zip(seats);
    buses.map(|(bus, seat)| fixture.start(lossy(bus), *seat)).collect()
}

#[tokio::test(start_paused = true)]
async fn whatever_is_lost_repeated_and_reordered_every_node_ends_with_the_same_keys_signatures() {
    let fixture = Fixture::new(3, 5);
    let mut longest = Duration::ZERO;
    for seed in 0..120 {
        let request = fixture.request(seed);
        // Every third time as many members are silent as possible, every third time one.
        let silent = fixture.all_but(&[])[..[0, 1, 2][seed as usize % 3]].to_vec();
        let seats = fixture.all_but(&silent);
        let lost = u64::from(seed) * 17 % 50;
        let mesh = Mesh::default();
        let nodes = start(&fixture, &mesh, &seats, |inner| {
            let lots = Lots(u64::from(seed) << 32 | u64::from(inner.local_peer().as_bytes()[5]));
            Lossy { inner, lots, lost, wall: Arc::default(), delayed: BTreeMap::new() }
        });
        let begin = Instant::now();
        let sessions = sign_at(&nodes, &request).await;
        all_signed(&sessions, &request).await;
        longest = longest.max(begin.elapsed());
    }
    assert!(longest < 180 * SECOND, "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn when_a_partition_heals_those_that_could_not_sign_learn_the_outcome_of_those_that_could() {
    let fixture = Fixture::new(3, 5);
    for seed in 0..20 {
        let request = fixture.request(seed);
        let cut_off = [seat(seed as usize % 5), seat((seed as usize + 2) % 5)];
        let wall = Arc::new(Wall {
            one_side: cut_off.map(peer).into_iter().collect(),
            stands: AtomicBool::new(true),
        });
        let mesh = Mesh::default();
        let nodes = start(&fixture, &mesh, &fixture.all_but(&[]), |inner| {
            let lots = Lots(u64::from(seed) << 32 | u64::from(inner.local_peer().as_bytes()[5]));
            Lossy { inner, lots, lost: 10, wall: wall.clone(), delayed: BTreeMap::new() }
        });
        let sessions = sign_at(&nodes, &request).await;
        sleep(60 * SECOND).await;
        for (node, session) in nodes.iter().zip(&sessions) {
            let alone = cut_off.contains(&node.seat);
            let ended = session.report().await.unwrap().awaited.is_empty();
            assert_eq!(ended, !alone);
        }
        wall.stands.store(false, Ordering::Relaxed);
        let healed = Instant::now();
        all_signed(&sessions, &request).await;
        assert!(healed.elapsed() < 30 * SECOND, "{:?}", healed.elapsed());
    }
}
