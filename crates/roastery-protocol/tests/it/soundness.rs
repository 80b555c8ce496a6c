//! No proof against an honest member can be made, out of everything ever sent, over all its runs
//! (rows 29 and 31).

mod arena;

use std::collections::{BTreeMap, BTreeSet};

use arena::Arena;
use roastery_protocol::{
    Seat, SlotHash,
    message::{Body, Envelope, Kind, SigningPackage, SlotNonces},
    proof::{Fault, FaultKind, Verdict},
    signing::Settings,
};
use roastery_testkit::{byzantine::*, *};

/// Has all that was ever sent, and tries to prove a fault of an honest member.
struct Prosecutor<'a> {
    arena: &'a Arena,
    envelopes: Vec<Envelope>,
    nonces: BTreeMap<SlotHash, SlotNonces>,
    convicted: BTreeSet<(Seat, FaultKind)>,
}

impl<'a> Prosecutor<'a> {
    fn new(arena: &'a Arena) -> Self {
        let envelopes = arena.envelopes();
        let shown = envelopes.iter().filter_map(|envelope| {
            let slot = match arena.fixture.try_read(envelope).ok()? {
                Body::Commitments(content) => content.slot,
                Body::SignatureShare(content) => content.next?.slot,
                _ => return None,
            };
            let sender = seat(envelope.header().sender.into());
            let hash = arena.fixture.slot_hash(envelope.header().attempt, sender, &slot);
            Some((hash, slot.to_nonces()))
        });
        let nonces = shown.collect();
        Prosecutor { arena, envelopes, nonces, convicted: BTreeSet::new() }
    }

    fn claim(&mut self, fault: Fault) {
        let kind = fault.kind();
        if let Verdict::Invalid(finding) = self.arena.fixture.verdict(fault.clone()) {
            assert_eq!(finding.fault, kind);
            let guilty = self.arena.corrupt.contains(&finding.accused);
            assert!(guilty, "seat {} is honest: {fault:?}", finding.accused);
            self.convicted.insert((finding.accused, kind));
        }
    }

    fn of_kind(&self, kind: Kind) -> Vec<Envelope> {
        self.envelopes.iter().filter(|envelope| envelope.kind() == kind).cloned().collect()
    }

    fn contents(&self, package: &Envelope) -> Option<SigningPackage> {
        match self.arena.fixture.try_read(package) {
            Ok(Body::SigningPackage(content)) => Some(content),
            _ => None,
        }
    }

    /// Every pair in the claims that two envelopes can make: those of the right kind all with all,
    /// and everything with a few others.
    fn pairs(&mut self, chance: &mut Chance) {
        let all = self.envelopes.clone();
        let few: Vec<Envelope> = (0..3).map(|_| chance.pick(&all).clone()).collect();
        let packages = self.of_kind(Kind::SigningPackage);
        let shares = self.of_kind(Kind::SignatureShare);
        for (firsts, seconds) in [(&packages, &packages), (&all, &few), (&few, &all)] {
            for (first, second) in product(firsts, seconds) {
                self.claim(Fault::PackageConflict { first: first.clone(), second: second.clone() });
                self.claim(Fault::SlotAssignedTwice { first, second });
            }
        }
        for (firsts, seconds) in [(&shares, &shares), (&all, &few), (&few, &all)] {
            for (first, second) in product(firsts, seconds) {
                self.claim(Fault::ShareConflict { first, second });
            }
        }
    }

    /// Every share under every package, in every message: with the nonces that it was made with and
    /// with some others.
    fn shares(&mut self, chance: &mut Chance) {
        let all: Vec<SlotNonces> = self.nonces.values().cloned().collect();
        for package in self.of_kind(Kind::SigningPackage) {
            let content = self.contents(&package);
            for share in self.of_kind(Kind::SignatureShare) {
                let sender = seat(share.header().sender.into());
                let named = content.as_ref().and_then(|content| content.slot_of(sender));
                let right = named.and_then(|slot| self.nonces.get(&slot).cloned());
                for nonces in [right, Some(chance.pick(&all).clone())].into_iter().flatten() {
                    for message in 0..=self.arena.fixture.messages as u8 {
                        let (package, share) = (package.clone(), share.clone());
                        let nonces = nonces.clone();
                        self.claim(Fault::InvalidShare { package, nonces, share, message });
                    }
                }
            }
        }
    }

    /// Every package with the nonces that it names, with each of them replaced by some others, and
    /// in wrong order.
    fn sums(&mut self, chance: &mut Chance) {
        let all: Vec<SlotNonces> = self.nonces.values().cloned().collect();
        for package in self.of_kind(Kind::SigningPackage) {
            let Some(content) = self.contents(&package) else { continue };
            let right: Option<Vec<SlotNonces>> =
                content.signers.iter().map(|entry| self.nonces.get(&entry.slot).cloned()).collect();
            let Some(right) = right else { continue };
            let mut lists = vec![right.clone(), right.iter().rev().cloned().collect()];
            for at in 0..right.len() {
                lists.extend((0..5).map(|_| {
                    let mut slots = right.clone();
                    slots[at] = chance.pick(&all).clone();
                    slots
                }));
            }
            for slots in lists {
                self.claim(Fault::WrongAggregateNonce { package: package.clone(), slots });
            }
        }
    }

    /// Every message as malformed, as it is and with bytes changed, cut off and added.
    fn forms(&mut self, chance: &mut Chance) {
        for envelope in self.envelopes.clone() {
            self.claim(Fault::MalformedMessage { message: envelope.clone() });
            for _ in 0..6 {
                let mut bytes = envelope.as_bytes().to_vec();
                match chance.below(5) {
                    0 => bytes.truncate(136 + chance.below(bytes.len() - 135)),
                    1 => bytes.push(chance.number() as u8),
                    _ => {
                        let at = chance.below(bytes.len());
                        bytes[at] ^= 1 << chance.below(8);
                    }
                }
                if let Ok(message) = Envelope::parse(&bytes) {
                    self.claim(Fault::MalformedMessage { message });
                }
            }
        }
    }
}

fn product(firsts: &[Envelope], seconds: &[Envelope]) -> Vec<(Envelope, Envelope)> {
    let pairs = firsts.iter().flat_map(|first| seconds.iter().map(move |second| (first, second)));
    pairs.map(|(first, second)| (first.clone(), second.clone())).collect()
}

/// Lets a session run and the checker try. Returns the proven faults of the corrupt members.
fn try_session(seed: u64, corrupt: usize, steps: usize) -> BTreeSet<FaultKind> {
    let mut chance = Chance::new(seed ^ 0x5eed);
    let n = 3 + chance.below(3);
    let t = 2 + chance.below(n - 1);
    let corrupt = corrupt.min(n - 1);
    let mut arena = Arena::new(t, n, corrupt, 1 + chance.below(2), seed);
    for _ in 0..steps {
        arena.step();
        for session in arena.sessions() {
            for (finding, _) in session.proofs() {
                assert!(arena.corrupt.contains(&finding.accused), "seed {seed}: {finding:?}");
            }
        }
    }
    let mut prosecutor = Prosecutor::new(&arena);
    prosecutor.pairs(&mut chance);
    prosecutor.shares(&mut chance);
    prosecutor.sums(&mut chance);
    prosecutor.forms(&mut chance);
    assert!(corrupt > 0 || prosecutor.convicted.is_empty());
    prosecutor.convicted.into_iter().map(|(_, kind)| kind).collect()
}

#[test]
fn an_honest_group_that_restarts_and_opens_twice_gives_nothing_to_prove_anything_with() {
    for seed in 0..7 {
        try_session(seed, 0, 300);
    }
}

#[test]
fn whatever_corrupt_members_do_no_honest_member_is_convicted_and_each_fault_is() {
    let convicted: BTreeSet<FaultKind> =
        (100..107).flat_map(|seed| try_session(seed, 1 + (seed % 3) as usize, 200)).collect();
    // The attacks are real ones.
    assert_eq!(convicted.len(), 6, "{convicted:?}");
}

// Rows 36 to 38.

#[test]
fn whatever_n_minus_t_corrupt_members_do_the_honest_end_with_a_signature() {
    for seed in 1000..1020 {
        let mut chance = Chance::new(seed);
        let n = 3 + chance.below(4);
        let t = 2 + chance.below(n - 1);
        let mut arena = Arena::new(t, n, n - t, 1, seed);
        for _ in 0..chance.below(300) {
            arena.step();
        }
        let took = arena.settle().expect("every honest member ends with a signature");
        assert!(took < 2 * Settings::default().repeat_max, "seed {seed}: {took:?}");
        for session in arena.sessions() {
            for (finding, _) in session.proofs() {
                assert!(arena.corrupt.contains(&finding.accused), "seed {seed}: {finding:?}");
            }
        }
    }
}
