//! Pairings with an attacker. Where it pairs with honest members, each time it does as the rules
//! are, for the honest machines take nothing else.

use rand::RngExt as _;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::{
    machine::{Link, Machine as _},
    pairing::{
        AllEntries, Checked as Typed, EndReason, Entry, Frame, Line, MOST_ATTEMPTS, Offer, Pairing,
        Purpose, Reach, Seats, Secret, Terms, Word, commitment,
        fake::{card, peer},
    },
};

use super::{
    Cheat, Invariant, Played,
    world::{Checked, Node, World, at, differs, name, own, seat, whereabouts},
};
use crate::violation::Violation;

pub(super) fn play(seed: u64, cheat: Cheat, bits: u32) -> Checked<Played> {
    match cheat {
        Cheat::Roster => roster(seed, bits, 1),
        Cheat::BreakingOff => roster(seed, bits, MOST_ATTEMPTS),
        Cheat::Chat => chat(seed, bits),
        Cheat::StolenLine => stolen_line(seed),
        Cheat::AlteredCard => altered_card(seed),
        Cheat::Grinding => grinding(seed),
    }
}

/// Whether the person at this node finds this member's word right, which it has heard from
/// elsewhere.
fn right(world: &mut World, key: u8, of: usize, heard: Option<&'static str>) -> bool {
    let (now, heard) = (world.now, heard.unwrap_or_default());
    let typed = world.node(key).machine.compare(seat(of), heard, now);
    matches!(typed, Ok(Typed::Right { .. }))
}

/// The attacker has key 1; Bert (2) sees a Cleo with key 9, and Cleo (3) a Bert with key 8.
fn roster(seed: u64, bits: u32, attempts: u8) -> Checked<Played> {
    let mut one = World::new(&[1, 2, 9], 2, 2 * seed).with_words()?;
    let mut other = World::new(&[1, 8, 3], 2, 2 * seed + 1).with_words()?;
    let mut undetected = false;
    for attempt in 1..=attempts {
        // The attacker knows all numbers of both, and whether it will be noticed.
        one.node(2).machine.compare_bits(bits);
        other.node(3).machine.compare_bits(bits);
        let (berts, cleos) = (one.word(2), other.word(3));
        let matches = agree(&one, &other, bits);
        if matches || attempt == attempts {
            undetected = right(&mut one, 2, 2, cleos) & right(&mut other, 3, 1, berts);
            break;
        }
        for world in [&mut one, &mut other] {
            let now = world.now;
            let begun = world.node(1).machine.attempt_again(now);
            begun.map_err(|error| Violation::of(Invariant::Completion, error.to_string()))?;
            world.until_words()?;
        }
    }
    let reveals = one.reveals() + other.reveals();
    let messages = one.delivered + other.delivered;
    Ok(Played { undetected, reveals, messages, ..Played::default() })
}

/// Whether Bert and Cleo would find each other's words right: the attacker computes what they will
/// compare from what both have revealed; its own nodes show the words that they expect.
fn agree(one: &World, other: &World, bits: u32) -> bool {
    let same = |expected: Option<&'static str>, said: Option<&'static str>| {
        let number = |word: Option<&'static str>| word.and_then(number_of);
        match (number(expected), number(said)) {
            (Some(a), Some(b)) => (a ^ b) >> (11 - bits) == 0,
            _ => false,
        }
    };
    same(one.word(9), other.word(3)) && same(other.word(8), one.word(2))
}

fn number_of(word: &'static str) -> Option<u16> {
    Word::parse(word).map(Word::number)
}

/// The attacker owns the chat: Anna (1) and Cleo (3) pair with a Bert of key 8, and Bert (2) with
/// an Anna of key 7 and a Cleo of key 9.
fn chat(seed: u64, bits: u32) -> Checked<Played> {
    let mut one = World::new(&[1, 8, 3], 2, 2 * seed).with_words()?;
    let mut other = World::new(&[7, 2, 9], 2, 2 * seed + 1).with_words()?;
    for key in [1, 3] {
        one.node(key).machine.compare_bits(bits);
    }
    other.node(2).machine.compare_bits(bits);
    let (annas, berts, cleos) = (one.word(1), other.word(2), one.word(3));
    let undetected = right(&mut one, 1, 1, berts)
        & right(&mut one, 3, 1, berts)
        & right(&mut other, 2, 0, annas)
        & right(&mut other, 2, 2, cleos);
    let reveals = one.reveals() + other.reveals();
    let messages = one.delivered + other.delivered;
    Ok(Played { undetected, reveals, messages, ..Played::default() })
}

/// A thief (key 8) joins in Bert's place; Bert's own node comes after it.
fn stolen_line(seed: u64) -> Checked<Played> {
    let mut world = World::new(&[1, 8, 3], 2, seed).with_words()?;
    let line = world.node(1).machine.lines().first().map(|(_, line)| (*line).clone());
    let line = line.expect("a line for each member");
    let now = world.now;
    let machine = Pairing::join(line, peer(1), own(2, seed), now).expect("the line is new");
    world.nodes.insert(peer(2), Node::new(2, machine));
    world.link(&peer(2), Link::Up);
    world.settle()?;
    let bert = &world.node(2).machine;
    let told = bert.ended().is_some_and(|ended| matches!(ended.reason, EndReason::Used { .. }));
    if !told || !bert.own_words().is_empty() {
        return Err(Violation::of(Invariant::Noticed, "the second node with a line is not told"));
    }
    // Bert has no word to say, so Anna and Cleo type each other's and wait.
    let (annas, cleos) = (world.word(1), world.word(3));
    right(&mut world, 1, 2, cleos);
    right(&mut world, 3, 0, annas);
    // Nor does it help that both say that all have told them so.
    for key in [1, 3] {
        let _ = world.node(key).machine.confirm(now);
    }
    let undetected = [1, 3].into_iter().any(|key| world.node(key).machine.agreed().is_some());
    Ok(Played {
        undetected,
        reveals: world.reveals(),
        messages: world.delivered,
        ..Played::default()
    })
}

/// An attacker without a machine of its own: it says what it wants to Bert (2).
struct Inviter {
    bert: Node,
    terms: Terms,
    entered: Option<Entry>,
}

impl Inviter {
    fn new(seed: u64) -> Self {
        let secret = Secret::new([5; 16]);
        let expiry = (at(std::time::Duration::ZERO).wall_seconds() + 86_400) as u32;
        let (purpose, addresses) = (Purpose::Join, Vec::new());
        let line = Line { purpose, inviter: [1; 32], secret, expiry, addresses };
        let now = at(std::time::Duration::ZERO);
        let mut machine = Pairing::join(line, peer(1), own(2, seed), now).expect("it is new");
        machine.handle_link(&peer(1), Link::Up, now);
        let terms = Terms {
            pairing: [seed as u8; 16],
            group: "treasury".parse().expect("it is a name"),
            threshold: 2,
            names: (0..3).map(name).collect(),
            network: "main".to_owned(),
        };
        Self { bert: Node::new(2, machine), terms, entered: None }
    }

    fn say(&mut self, frame: &Frame) -> Checked<bool> {
        let now = at(std::time::Duration::ZERO);
        let taken = self.bert.machine.handle_message(&peer(1), &frame.encode(), now).is_ok();
        let _ = self.bert.machine.accept(now);
        self.bert.machine.reached([seat(0), seat(2)].into_iter().collect(), now);
        for (_, bytes) in self.bert.turn(now)? {
            if let Ok(Frame::Enter(enter)) = Frame::decode(&bytes, bytes.len()) {
                self.entered = Some(enter.entry);
            }
        }
        Ok(taken)
    }

    fn offer(&mut self, attempt: u8) -> Checked<bool> {
        let now = at(std::time::Duration::ZERO);
        let clock = now.wall.as_millis() as u64;
        let (terms, version) = (self.terms.clone(), "0.1.0".to_owned());
        self.say(&Frame::Offer(Offer { terms, attempt, seat: 1, clock, version }))
    }

    fn entry(&self, key: u8, at: usize, attempt: u8, random: [u8; 32]) -> Entry {
        let card = card(key, &name(at));
        let commitment = commitment(&self.terms.pairing, attempt, seat(at), &card, &random);
        Entry { card, whereabouts: whereabouts(key), version: "0.1.0".to_owned(), commitment }
    }

    fn entries(&self, attempt: u8, third: u8) -> Vec<Entry> {
        let entered = self.entered.clone().expect("Bert has entered");
        let first = self.entry(1, 0, attempt, [1; 32]);
        vec![first, entered, self.entry(third, 2, attempt, [third; 32])]
    }

    fn roster(&mut self, attempt: u8, entries: Vec<Entry>) -> Checked<bool> {
        let taken = self.say(&Frame::Roster(AllEntries { attempt, entries }))?;
        let reach = Reach { attempt, seat: seat(0), reached: Seats::default() };
        self.say(&Frame::Reach(reach))?;
        Ok(taken)
    }
}

/// One byte of the roster is another one when it comes to Bert.
fn altered_card(seed: u64) -> Checked<Played> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut inviter = Inviter::new(seed);
    inviter.offer(1)?;
    let entries = inviter.entries(1, 9);
    let mut bytes = Frame::Roster(AllEntries { attempt: 1, entries }).encode();
    let (at, bit) = (rng.random_range(1..bytes.len()), rng.random_range(0..8));
    bytes[at] ^= 1 << bit;
    let now = super::world::at(std::time::Duration::ZERO);
    let taken = inviter.bert.machine.handle_message(&peer(1), &bytes, now).is_ok();
    inviter.say(&Frame::Reach(Reach { attempt: 1, seat: seat(0), reached: Seats::default() }))?;
    // A commitment or a release of the attacker's own is its to say; all else is signed.
    let own_part = Frame::decode(&bytes, bytes.len()).is_ok_and(|frame| {
        let Frame::Roster(AllEntries { attempt: 1, entries }) = frame else { return false };
        let mut known = inviter.entries(1, 9);
        for (known, altered) in known.iter_mut().zip(&entries).step_by(2) {
            known.commitment = altered.commitment;
            known.version = altered.version.clone();
        }
        known == entries
    });
    if taken && !own_part {
        return Err(Violation::of(Invariant::Noticed, format!("bit {bit} of byte {at}")));
    }
    Ok(Played { reveals: inviter.bert.reveals() as u32, ..Played::default() })
}

/// Further rosters, further attempts, earlier ones, with restarts of Bert's node.
fn grinding(seed: u64) -> Checked<Played> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut inviter = Inviter::new(seed);
    let mut restarts = 0;
    inviter.offer(1)?;
    for turn in 0..60u64 {
        let attempt = rng.random_range(1..=8);
        match rng.random_range(0..4) {
            0 => {
                inviter.offer(attempt)?;
            }
            1 => {
                let now = at(std::time::Duration::ZERO);
                inviter.bert.turn(now)?;
                inviter.bert.restart(seed ^ turn << 32, now)?;
                inviter.bert.machine.handle_link(&peer(1), Link::Up, now);
                restarts += 1;
            }
            _ => {
                let attempt = inviter.bert.machine.attempt();
                // Now and then another one than before, which ends it.
                let third = if rng.random_bool(0.03) { 8 } else { 9 };
                let entries = inviter.entries(attempt, third);
                inviter.roster(attempt, entries)?;
            }
        }
    }
    let ended = inviter.bert.machine.ended().is_some();
    if ended && !differs(&inviter.bert.machine) {
        return Err(Violation::of(Invariant::Noticed, "a second roster ends it otherwise"));
    }
    Ok(Played { restarts, reveals: inviter.bert.reveals() as u32, ..Played::default() })
}
