//! An honest pairing, with restarts and broken connections at random.

use std::time::Duration;

use rand::{RngExt as _, seq::IndexedRandom as _};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::machine::Link;

use super::{
    Invariant, Played,
    world::{Checked, World},
};
use crate::violation::Violation;

/// The steps at random before all is connected for good.
const STEPS: u32 = 150;

pub(super) fn play(seed: u64) -> Checked<Played> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let members = rng.random_range(2..=5usize);
    let threshold = rng.random_range(2..=members) as u16;
    let keys: Vec<u8> = (1..=members as u8).collect();
    let mut world = World::new(&keys, threshold, seed);
    world.collect()?;
    let mut played = Played::default();
    for step in 0..STEPS {
        act(&mut world, &mut rng, seed ^ u64::from(step) << 32, &mut played)?;
    }
    complete(&mut world)?;
    agree(&world)?;
    played.messages = world.delivered;
    played.reveals = world.reveals();
    Ok(played)
}

fn act(world: &mut World, rng: &mut ChaCha8Rng, seed: u64, played: &mut Played) -> Checked {
    let joiners = world.joiners();
    let Some(joiner) = joiners.choose(rng).cloned() else { return Ok(()) };
    match rng.random_range(0..20) {
        0..=11 => {
            world.deliver()?;
        }
        12 | 13 => world.link(&joiner, Link::Up),
        14 => {
            world.link(&joiner, Link::Down);
            played.breaks += 1;
        }
        15 => {
            let restarted = if rng.random_bool(0.5) { world.inviter.clone() } else { joiner };
            let cut: Vec<_> = match restarted == world.inviter {
                true => joiners,
                false => vec![restarted.clone()],
            };
            cut.iter().for_each(|joiner| world.link(joiner, Link::Down));
            let now = world.now;
            if let Some(node) = world.nodes.get_mut(&restarted) {
                node.restart(seed, now)?;
            }
            played.restarts += 1;
        }
        16 => world.go_on(),
        17 => compare(world, rng.random_range(0..8)),
        _ => world.pass(Duration::from_millis(rng.random_range(1..3000))),
    }
    world.collect()
}

/// People type the words that they hear: of some members, or of all.
fn compare(world: &mut World, but: usize) {
    let words: Vec<_> = world
        .nodes
        .values()
        .filter_map(|node| Some((node.machine.own_seat()?, node.machine.own_words())))
        .collect();
    for node in world.nodes.values_mut() {
        for (seat, words) in words.iter().filter(|(seat, _)| seat.index() != but) {
            for word in words {
                // Own words, and those that were right already, are not taken.
                let _ = node.machine.compare(*seat, word, world.now);
            }
        }
    }
    confirm(world);
}

/// Each person says whose words were right, and who hears it of all the others says so.
fn confirm(world: &mut World) {
    let found: Vec<_> = world
        .nodes
        .values()
        .filter_map(|node| node.machine.own_seat())
        .zip(world.nodes.values().map(|node| node.machine.all_right()))
        .collect();
    for node in world.nodes.values_mut() {
        let own = node.machine.own_seat();
        if found.iter().all(|(seat, right)| Some(*seat) == own || *right) {
            // Those that have not typed all words are refused.
            let _ = node.machine.confirm(world.now);
        }
    }
}

fn complete(world: &mut World) -> Checked {
    for joiner in world.joiners() {
        world.link(&joiner, Link::Down);
        world.pass(Duration::from_secs(2));
        world.link(&joiner, Link::Up);
    }
    for _ in 0..3 {
        world.until_words()?;
        world.pass(Duration::from_secs(6));
    }
    compare(world, usize::MAX);
    world.settle()
}

fn agree(world: &World) -> Checked {
    let mut rosters = world.nodes.values().map(|node| node.machine.agreed());
    let first = rosters.next().flatten().map(|roster| roster.invitation().id());
    let same = |id| first.is_some_and(|first| first == id);
    for roster in rosters {
        match roster {
            None => return Err(Violation::of(Invariant::Completion, "a node has no invitation")),
            Some(roster) if !same(roster.invitation().id()) => {
                return Err(Violation::of(Invariant::Agreement, "two nodes have two invitations"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
