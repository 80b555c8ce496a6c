//! An inviter that is no honest machine.

use roastery_protocol::{
    machine::{Link, Machine as _},
    pairing::*,
};

use super::world::*;

/// It says what it wants to one honest joiner of key 2.
pub struct Cheat {
    pub bert: Node,
    pub terms: Terms,
}

impl Cheat {
    pub fn new() -> Self {
        let secret = Secret::new([5; 16]);
        let expiry = (START + 86_400) as u32;
        let (purpose, addresses) = (Purpose::Join, Vec::new());
        let line = Line { purpose, inviter: [1; 32], secret, expiry, addresses };
        let mut machine = Pairing::join(line, peer(1), own(2, 7), at(0)).unwrap();
        machine.handle_link(&peer(1), Link::Up, at(0));
        let names = ["anna", "bert", "cleo"].map(name).to_vec();
        let terms = Terms {
            pairing: [9; 16],
            group: name("treasury"),
            threshold: 2,
            names,
            network: "main".to_owned(),
        };
        Self { bert: Node::new(2, machine), terms }
    }

    pub fn say(&mut self, frame: &Frame) -> Result<(), Rejected> {
        let said = self.bert.machine.handle_message(&peer(1), &frame.encode(), at(0));
        self.bert.turn(at(0));
        said
    }

    pub fn offer(&mut self, attempt: u8) -> Result<(), Rejected> {
        let (terms, version) = (self.terms.clone(), "0.1.0".to_owned());
        self.say(&Frame::Offer(Offer { terms, attempt, seat: 1, clock: START * 1000, version }))
    }

    pub fn entered(&self) -> Entry {
        let entered = self.bert.left.iter().rev().find_map(|(_, bytes)| {
            match Frame::decode(bytes, MAX_FRAME) {
                Ok(Frame::Enter(enter)) => Some(enter.entry),
                _ => None,
            }
        });
        entered.unwrap()
    }

    pub fn entry(&self, key: u8, at: u32, attempt: u8, random: [u8; 32]) -> Entry {
        let card = card(key, &self.terms.names[at as usize]);
        let commitment = commitment(&self.terms.pairing, attempt, seat(at), &card, &random);
        Entry { card, whereabouts: whereabouts(key), version: "0.1.0".to_owned(), commitment }
    }

    /// What a false roster has: cheats of keys 1 and 9 at seats 0 and 2.
    pub fn entries(&self, attempt: u8) -> Vec<Entry> {
        vec![
            self.entry(1, 0, attempt, [attempt; 32]),
            self.entered(),
            self.entry(9, 2, attempt, [attempt; 32]),
        ]
    }

    pub fn to_roster(attempt: u8) -> Self {
        let mut cheat = Self::new();
        cheat.offer(attempt).unwrap();
        cheat.bert.machine.accept(at(0)).unwrap();
        cheat.bert.turn(at(0));
        cheat
    }

    pub fn roster(&mut self, attempt: u8, entries: Vec<Entry>) -> Result<(), Rejected> {
        self.say(&Frame::Roster(AllEntries { attempt, entries }))
    }

    pub fn linked(&mut self) {
        self.bert.machine.reached([seat(0), seat(2)].into_iter().collect(), at(0));
        self.bert.turn(at(0));
        let (attempt, reached) = (self.bert.machine.attempt(), Seats::default());
        // Refused before the roster is there.
        let _ = self.say(&Frame::Reach(Reach { attempt, seat: seat(0), reached }));
    }

    pub fn differs(&self) -> bool {
        self.bert.machine.ended().is_some_and(|ended| ended.reason == EndReason::Differ)
    }
}
