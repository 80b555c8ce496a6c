//! No proof against an honest member can be made out of everything ever sent, over all its
//! incarnations, runs and sessions, whatever corrupt members do; and what they do is proven.
//!
//! The honest members here keep only the rules on which the proofs rest: a slot answers one
//! package, a run names no slots twice and gives no number twice, nonces are decoded before they
//! are named, and a restart draws new slots and a new run.

use std::collections::{BTreeMap, BTreeSet};

use roastery_frost::PublicNonce;
use roastery_protocol::member::{
    frame::StatementKind,
    proof::{FaultKind, Verdict},
};
use roastery_testkit::{
    Chance,
    forge::{SigningKeyOf, spoiled_at},
};

use super::{
    proofs::{Drawn, Table, run, signed_anew},
    *,
};

const SEATS: usize = 4;

/// Slots as a coordinator has them.
#[derive(Clone)]
struct Shown {
    signer: Seat,
    first: u32,
    nonces: NamedSlots,
}

/// What a coordinator counts.
#[derive(Default)]
struct Reign {
    run: u64,
    number: u16,
    named: BTreeSet<SlotHash>,
}

struct Arena {
    table: Table,
    chance: Chance,
    corrupt: [Seat; 2],
    /// Of each honest signer for each coordinator, the slots that have answered nothing.
    own: BTreeMap<(Seat, Seat), Vec<Drawn>>,
    /// What each coordinator has been shown, and has not used if it is honest.
    shown: BTreeMap<Seat, Vec<Shown>>,
    reigns: BTreeMap<(u8, Seat), Reign>,
    runs: u64,
    /// Everything ever said: with the number of the request.
    said: Vec<(u8, Statement)>,
    nonces: BTreeMap<SlotHash, NamedSlots>,
}

impl Arena {
    fn new(seed: u64) -> Self {
        Arena {
            table: Table::new(2, SEATS),
            chance: Chance::new(seed),
            corrupt: [seat(1), seat(3)],
            own: BTreeMap::new(),
            shown: BTreeMap::new(),
            reigns: BTreeMap::new(),
            runs: 0,
            said: Vec::new(),
            nonces: BTreeMap::new(),
        }
    }

    fn is_corrupt(&self, member: Seat) -> bool {
        self.corrupt.contains(&member)
    }

    fn any_seat(&mut self) -> Seat {
        seat(self.chance.below(SEATS))
    }

    fn say(&mut self, request: u8, sender: Seat, content: &Content) -> Statement {
        let statement = self.table.seal(request, sender, content);
        self.said.push((request, statement.clone()));
        // Another member passes it on with a signature that it has from elsewhere.
        if self.chance.one_in(4) {
            let key = SigningKeyOf(1).at(sender.index());
            let again = signed_anew(&statement, &key, statement.kind().tag(), 1);
            self.said.push((request, again));
        }
        statement
    }

    /// A signer shows slots to a coordinator: a corrupt one also those of others, ones that it has
    /// shown before, and what is no point.
    fn show(&mut self) {
        let (signer, coordinator) = (self.any_seat(), self.any_seat());
        let slots = self.own.entry((signer, coordinator)).or_default();
        let drawn = self.table.draw(signer, 2 * slots.len() as u32);
        let mut shown = Shown { signer, first: drawn.first, nonces: drawn.nonces() };
        slots.push(drawn);
        if self.is_corrupt(signer) {
            let all: Vec<NamedSlots> = self.nonces.values().cloned().collect();
            if !all.is_empty() && self.chance.one_in(2) {
                shown.nonces = self.chance.pick(&all).clone();
            }
            if self.chance.one_in(4) {
                shown.nonces.0[1][..33].fill(0xff);
            }
            shown.first = self.chance.number() as u32;
        }
        let hash = self.table.hash(coordinator, signer, &shown.nonces);
        self.nonces.insert(hash, shown.nonces.clone());
        self.shown.entry(coordinator).or_default().push(shown);
    }

    /// A member starts again: its slots are void, and it begins new runs.
    fn restart(&mut self) {
        let member = self.any_seat();
        self.own.retain(|(signer, _), _| *signer != member);
        self.reigns.retain(|(_, coordinator), _| *coordinator != member);
    }

    /// A coordinator names slots, if it has those of two signers.
    fn issue(&mut self) {
        let (request, coordinator) = (1 + self.chance.below(2) as u8, self.any_seat());
        let corrupt = self.is_corrupt(coordinator);
        if !self.reigns.contains_key(&(request, coordinator)) {
            self.runs += 1;
            let reign = Reign { run: self.runs, ..Reign::default() };
            self.reigns.insert((request, coordinator), reign);
        }
        let mut picked = self.pick(request, coordinator, corrupt);
        picked.sort_by_key(|shown| shown.signer);
        let [one, two] = &picked[..] else { return };
        if one.signer == two.signer {
            return;
        }
        let Some(reign) = self.reigns.get_mut(&(request, coordinator)) else { return };
        let number = reign.number;
        reign.number += 1;
        let sum = |at: usize| {
            let of = |shown: &Shown| PublicNonce::from_bytes(&shown.nonces.0[at]).ok();
            Some(nonce_agg([&of(one)?, &of(two)?]))
        };
        let aggregates = (0..2).map(|at| sum(at).unwrap_or(nonce_agg([])));
        let entry = |shown: &Shown| SignerSlots {
            seat: shown.signer,
            first: shown.first,
            hash: self.table.hash(coordinator, shown.signer, &shown.nonces),
        };
        let mut content = SigningPackage {
            run: run(reign.run),
            number: number % 3,
            signers: picked.iter().map(entry).collect(),
            aggregates: aggregates.collect(),
        };
        if number > 2 && !corrupt {
            return;
        }
        if corrupt {
            match self.chance.below(6) {
                0 => content.aggregates[0] = nonce_agg([]),
                1 => content.run = run(1 + self.chance.below(self.runs as usize) as u64),
                2 => content.signers[0].first ^= 1,
                3 => content.number = self.chance.below(4) as u16,
                _ => {}
            }
        }
        let package = self.say(request, coordinator, &Content::SigningPackage(content.clone()));
        for entry in content.signers {
            self.answer(request, coordinator, &package, entry);
        }
    }

    fn pick(&mut self, request: u8, coordinator: Seat, corrupt: bool) -> Vec<Shown> {
        let Some(shown) = self.shown.get_mut(&coordinator) else { return Vec::new() };
        if corrupt {
            let chosen = |chance: &mut Chance, shown: &[Shown]| chance.pick(shown).clone();
            return (0..2).map(|_| chosen(&mut self.chance, shown)).collect();
        }
        let Some(reign) = self.reigns.get_mut(&(request, coordinator)) else {
            return Vec::new();
        };
        let mut picked: Vec<Shown> = Vec::new();
        while picked.len() < 2
            && let Some(next) = shown.pop()
        {
            let hash = self.table.hash(coordinator, next.signer, &next.nonces);
            let points = next.nonces.0.iter().all(|pair| PublicNonce::from_bytes(pair).is_ok());
            let another = picked.iter().all(|other| other.signer != next.signer);
            if points && another && reign.named.insert(hash) {
                picked.push(next);
            }
        }
        picked
    }

    /// A signer answers a package that names its slots.
    fn answer(&mut self, request: u8, coordinator: Seat, package: &Statement, entry: SignerSlots) {
        let signer = entry.seat;
        let shape = Shape::new(&self.table.fixture.group, 2);
        if shape.read(package).is_err() || self.chance.one_in(8) {
            return;
        }
        if !self.is_corrupt(signer) {
            let slots = self.own.entry((signer, coordinator)).or_default();
            let named = slots.iter().position(|drawn| {
                self.table.hash(coordinator, signer, &drawn.nonces()) == entry.hash
                    && drawn.first == entry.first
            });
            if let Some(at) = named {
                let drawn = slots.remove(at);
                let share = self.table.answer(request, drawn, package);
                self.said.push((request, share));
            }
            return;
        }
        let scalars = [1, 2].map(|byte| PartialSignature::from_bytes(&[byte; 32]).unwrap());
        let mut share = SignatureShare { package: package.body_hash(), scalars: scalars.to_vec() };
        self.say(request, signer, &Content::SignatureShare(share.clone()));
        share.scalars = spoiled_at(&share.scalars, 1);
        if self.chance.one_in(2) {
            share.scalars.pop();
        }
        self.say(request, signer, &Content::SignatureShare(share));
    }

    fn of_kind(&self, kind: StatementKind) -> Vec<Statement> {
        let of_kind = self.said.iter().filter(|(_, statement)| statement.kind() == kind);
        of_kind.map(|(_, statement)| statement.clone()).collect()
    }

    /// Every claim that can be put together from what was said and shown.
    fn claims(&mut self) -> Vec<Fault> {
        let mut claims = Vec::new();
        let packages = self.of_kind(StatementKind::SigningPackage);
        let shares = self.of_kind(StatementKind::SignatureShare);
        let all: Vec<NamedSlots> = self.nonces.values().cloned().collect();
        let shape = Shape::new(&self.table.fixture.group, 2);
        for first in &packages {
            for second in &packages {
                let (first, second) = (first.clone(), second.clone());
                claims
                    .push(Fault::PackageConflict { first: first.clone(), second: second.clone() });
                claims.push(Fault::SlotAssignedTwice { first, second });
            }
            let Ok(Content::SigningPackage(content)) = shape.read(first) else { continue };
            let named = |entry: &SignerSlots| self.nonces.get(&entry.hash).cloned();
            if let Some(slots) = content.signers.iter().map(named).collect::<Option<Vec<_>>>() {
                for at in 0..slots.len() {
                    let (package, mut slots) = (first.clone(), slots.clone());
                    slots[at] = self.chance.pick(&all).clone();
                    claims.push(Fault::WrongAggregateNonce { package, slots });
                }
                claims.push(Fault::WrongAggregateNonce { package: first.clone(), slots });
            }
            for share in &shares {
                let signer = share.sender(&self.table.fixture.group).unwrap();
                let right = content.entry_of(signer).and_then(&named);
                for nonces in [right, Some(self.chance.pick(&all).clone())].into_iter().flatten() {
                    for message in 0..2 {
                        let (package, share) = (first.clone(), share.clone());
                        let nonces = nonces.clone();
                        claims.push(Fault::InvalidShare { package, nonces, share, message });
                    }
                }
            }
        }
        for first in &shares {
            for second in &shares {
                let (first, second) = (first.clone(), second.clone());
                claims.push(Fault::ShareConflict { first, second });
            }
        }
        for (_, statement) in self.said.clone() {
            for _ in 0..4 {
                let mut bytes = statement.as_bytes().to_vec();
                match self.chance.below(4) {
                    0 => {}
                    1 => bytes.truncate(133 + self.chance.below(bytes.len() - 132)),
                    2 => bytes.push(self.chance.number() as u8),
                    _ => {
                        let at = self.chance.below(bytes.len());
                        bytes[at] ^= 1 << self.chance.below(8);
                    }
                }
                if let Ok(message) = Statement::parse(&bytes) {
                    claims.push(Fault::MalformedMessage { message });
                }
            }
        }
        claims
    }
}

#[test]
fn whatever_corrupt_members_say_no_honest_member_is_convicted_and_each_fault_of_theirs_is() {
    let mut proven = BTreeSet::new();
    for seed in 0..4 {
        let mut arena = Arena::new(seed);
        for _ in 0..120 {
            match arena.chance.below(20) {
                0 => arena.restart(),
                1..=12 => arena.show(),
                _ => arena.issue(),
            }
        }
        let requests = [1, 2].map(|id| arena.table.fixture.signing_request(id));
        let answers = arena.of_kind(StatementKind::SignatureShare);
        let honest = |statement: &Statement| {
            !arena.is_corrupt(statement.sender(&arena.table.fixture.group).unwrap())
        };
        assert!(answers.iter().filter(|share| honest(share)).count() > 3, "seed {seed}");
        for fault in arena.claims() {
            for request in &requests {
                let proof = Proof::new(request.clone(), fault.clone());
                if let Verdict::Invalid(finding) = proof.verify(&arena.table.fixture.group) {
                    assert!(arena.is_corrupt(finding.accused), "seed {seed}: {fault:?}");
                    proven.insert(finding.fault);
                }
            }
        }
    }
    let all = [
        FaultKind::PackageConflict,
        FaultKind::SlotAssignedTwice,
        FaultKind::WrongAggregateNonce,
        FaultKind::ShareConflict,
        FaultKind::InvalidShare,
        FaultKind::MalformedMessage,
    ];
    assert_eq!(proven, BTreeSet::from(all));
}
