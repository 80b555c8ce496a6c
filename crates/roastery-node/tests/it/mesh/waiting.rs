//! Guarantees for a reader that waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::time::Duration;

use super::*;

/// Counts, and uses the mesh at once, like an executor that polls inside `wake`.
struct Wakes {
    count: AtomicUsize,
    mesh: Mesh,
}

impl Wakes {
    fn of(mesh: &Mesh) -> Arc<Self> {
        Arc::new(Self { count: AtomicUsize::new(0), mesh: mesh.clone() })
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        assert_ne!(self.mesh.stats(&peer("bob")), None);
        self.count.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_receive_that_is_dropped_loses_nothing() {
    let mesh = mesh();
    let [mut alice, mut bob] = joined(&mesh, ["alice", "bob"]);
    alice.send(to("bob"), b"one").unwrap();
    drop(bob.receive());
    assert_eq!(next(&mut bob), message("alice", b"one"), "dropped before it was polled");

    let wakes = Wakes::of(&mesh);
    {
        let mut waits = pin!(bob.receive());
        let waker = Waker::from(Arc::clone(&wakes));
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        alice.send(to("bob"), b"two").unwrap();
        assert_eq!(wakes.count(), 1);
    }
    assert_eq!(next(&mut bob), message("alice", b"two"), "dropped after it was woken");
}

#[test]
fn a_waiting_reader_is_woken_by_a_message_a_connection_its_end_and_the_close() {
    let mesh = mesh();
    let [mut alice, mut bob] = joined(&mesh, ["alice", "bob"]);
    let wakes = Wakes::of(&mesh);
    let waker = Waker::from(Arc::clone(&wakes));
    let mut carol = None;
    for (woken, step) in (1..).zip(["message", "joined", "left", "closed"]) {
        {
            let mut waits = pin!(bob.receive());
            assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            match step {
                "message" => alice.send(to("bob"), b"one").unwrap(),
                "joined" => carol = Some(mesh.join(peer("carol")).unwrap()),
                "left" => drop(carol.take()),
                _ => mesh.close(),
            }
            assert_eq!(wakes.count(), woken, "{step}");
            assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_ready(), "{step}");
        }
    }
}

/// A waker whose last reference owns a bus: some executors drop a task, and all that it owns, with
/// its last waker.
struct OwnsABus(#[expect(dead_code, reason = "it is there to be dropped")] MeshBus);

impl Wake for OwnsABus {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_waker_that_drops_a_bus_when_it_is_dropped_does_not_lock_up_the_mesh() {
    let mesh = mesh();
    let [alice, mut bob, carol] = joined(&mesh, ["alice", "bob", "carol"]);
    let owns = |bus| Waker::from(Arc::new(OwnsABus(bus)));

    assert!(pin!(bob.receive()).poll(&mut Context::from_waker(&owns(alice))).is_pending());
    assert_eq!(waiting(&mut bob), None, "the waker is replaced, and alice goes with the old one");
    assert_eq!(next(&mut bob), disconnected("alice"));
    // The inbox's last waker is dropped with the inbox.
    let mut dave = mesh.join(peer("dave")).unwrap();
    while waiting(&mut dave).is_some() {}
    assert!(pin!(dave.receive()).poll(&mut Context::from_waker(&owns(carol))).is_pending());
    drop(dave);
    assert_eq!(mesh.stats(&peer("carol")), None);
}

async fn every_peer_receives_from_every_other() {
    let mesh = Mesh::default();
    let names = ["alice", "bob", "carol", "dave"];
    let rounds = 100_u8;
    // All have joined before the first one sends: a later one does not receive earlier messages.
    let tasks = joined(&mesh, names).map(|mut bus| {
        tokio::spawn(async move {
            let mut heard = 0;
            let mut said = 0;
            // Sends after it receives, so that a fast one waits for the others and no queue
            // overflows.
            while heard < 3 * usize::from(rounds) {
                if said < rounds && heard >= 3 * usize::from(said.saturating_sub(10)) {
                    bus.send(Destination::Everyone, &[said]).unwrap();
                    said += 1;
                } else if let Some(BusEvent::Message { .. }) = bus.receive().await {
                    heard += 1;
                }
            }
            bus
        })
    });
    for task in tasks {
        let bus = tokio::time::timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
        for name in names.iter().filter(|name| peer(name) != *bus.local_peer()) {
            assert_eq!(bus.stats().of(&peer(name)).delivered, u64::from(rounds));
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn every_peer_receives_from_every_other_on_one_thread() {
    every_peer_receives_from_every_other().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_peer_receives_from_every_other_on_many_threads() {
    every_peer_receives_from_every_other().await;
}

/// What a driver does: one task that owns any bus at all, which must be possible to spawn.
async fn echo(mut bus: impl Bus) {
    while let Some(event) = bus.receive().await {
        if let BusEvent::Message { from, bytes } = event {
            let _gone_meanwhile = bus.send(Destination::Peer(from), &bytes);
        }
    }
}

#[tokio::test]
async fn a_task_can_own_a_bus_through_the_trait_alone() {
    let mesh = mesh();
    let [mut alice, bob] = joined(&mesh, ["alice", "bob"]);
    let echo = tokio::spawn(echo(bob));
    alice.send(to("bob"), b"ping").unwrap();
    assert_eq!(alice.receive().await, message("bob", b"ping"));
    mesh.close();
    echo.await.unwrap();
}

#[tokio::test]
async fn select_with_a_timer_loses_no_message() {
    let [mut alice, mut bob] = joined(&Mesh::default(), ["alice", "bob"]);
    let count = 200_u8;
    let sender = tokio::spawn(async move {
        for i in 0..count {
            alice.send(to("bob"), &[i]).unwrap();
            tokio::time::sleep(Duration::from_micros(u64::from(i % 7) * 200)).await;
        }
        alice
    });
    let mut heard = Vec::new();
    while heard.len() < usize::from(count) {
        tokio::select! {
            event = bob.receive() => match event {
                Some(BusEvent::Message { bytes, .. }) => heard.push(bytes[0]),
                other => panic!("{other:?}"),
            },
            () = tokio::time::sleep(Duration::from_micros(300)) => {}
        }
    }
    assert_eq!(heard, (0..count).collect::<Vec<_>>());
    drop(sender.await.unwrap());
}
