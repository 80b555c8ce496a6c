//! The faults that are injected.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

use crate::chaos::{
    SIZE,
    books::Books,
    chance::Chance,
    nodes::{CLOCKS, Nodes, SMALL_DISK},
};

/// The greatest step of a clock, in seconds: within an hour together, so that an hour's limit can
/// be counted.
const FURTHEST: i64 = 20 * 60;

/// The most nodes with a fault at once.
const MOST_AT_ONCE: usize = 2;

/// Injects faults until the end, and waits until each is over. Nodes that end are started again, as
/// by a service manager.
pub(crate) async fn strike(
    nodes: &Arc<Nodes>,
    books: &Arc<Books>,
    chance: &mut Chance,
    end: Instant,
) {
    let mut under_way: Vec<JoinHandle<()>> = Vec::new();
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(chance.within(300, 2_000))).await;
        under_way.retain(|task| !task.is_finished());
        let (kind, node) = (chance.within(0, 100), chance.within(0, SIZE as u64) as usize);
        let (long, more) = (chance.within(0, 10_000), chance.next());
        for node in 0..SIZE {
            if nodes.at_peace_for(node).is_some() && nodes.restart_if_ended(node) {
                books.fault("ended by itself");
            }
        }
        if under_way.len() < MOST_AT_ONCE {
            under_way.extend(fault(nodes, books, kind, node, long, more));
        }
    }
    for task in under_way {
        task.await.unwrap();
    }
}

/// Injects one fault.
fn fault(
    nodes: &Arc<Nodes>,
    books: &Arc<Books>,
    kind: u64,
    node: usize,
    long: u64,
    more: u64,
) -> Option<JoinHandle<()>> {
    let of = nodes.clone();
    match kind {
        0..30 => {
            books.fault("kill");
            hurt(nodes, node, async move {
                of.signal(node, "KILL");
                tokio::time::sleep(Duration::from_millis(long / 4)).await;
                // A process that was killed ends a moment later.
                while !of.restart_if_ended(node) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
        }
        30..55 => {
            books.fault("pause");
            hurt(nodes, node, async move {
                of.signal(node, "STOP");
                tokio::time::sleep(Duration::from_millis(500 + long / 2)).await;
                of.signal(node, "CONT");
            })
        }
        55..70 if nodes.has_small_disk() => hurt(nodes, SMALL_DISK, {
            books.fault("full disk");
            async move {
                of.fill_disk();
                tokio::time::sleep(Duration::from_millis(5_000 + long)).await;
                of.empty_disk();
                // A node that cannot go on must end.
                tokio::time::sleep(Duration::from_secs(1)).await;
                of.restart_if_ended(SMALL_DISK);
            }
        }),
        70..80 if nodes.has_clocks() => {
            books.fault("clock step");
            let node = CLOCKS[more as usize % CLOCKS.len()];
            let step = (more / 7) as i64 % FURTHEST;
            hurt(nodes, node, async move {
                of.set_clock(node, if more.is_multiple_of(2) { step } else { -step });
                tokio::time::sleep(Duration::from_secs(2)).await;
            })
        }
        80.. => {
            let other = (node + 1 + more as usize % (SIZE - 1)) % SIZE;
            books.fault("cut link");
            Some(tokio::spawn(async move {
                of.between(node, other).iter().for_each(|link| link.cut());
                tokio::time::sleep(Duration::from_millis(1_000 + long)).await;
                of.between(node, other).iter().for_each(|link| link.heal());
            }))
        }
        _ => None,
    }
}

/// Injects a fault into a node that has none.
fn hurt(
    nodes: &Arc<Nodes>,
    node: usize,
    act: impl Future<Output = ()> + Send + 'static,
) -> Option<JoinHandle<()>> {
    if !nodes.hurt(node) {
        return None;
    }
    let nodes = nodes.clone();
    Some(tokio::spawn(async move {
        act.await;
        nodes.healed(node);
    }))
}
