//! The six proofs before a third party that has the group file: the guilty is
//! convicted, and what honest members say is valid in every claim about it.

use roastery_frost::{
    NonceGenInputs, PublicNonce, SecretNonce, SessionContext, SigningKey, nonce_gen, sign,
};
use roastery_protocol::{
    member::proof::{Indeterminate, ProvenFault, Verdict},
    tags::Tag,
};
use roastery_testkit::forge::{SigningKeyOf, spoiled_at};

use super::*;

/// Slots with their secret nonces, as only their signer has them.
pub struct Drawn {
    pub signer: Seat,
    pub first: u32,
    secret: Vec<SecretNonce>,
    public: Vec<PublicNonce>,
}

impl Drawn {
    pub fn nonces(&self) -> NamedSlots {
        NamedSlots(self.public.iter().map(PublicNonce::to_bytes).collect())
    }
}

/// A group whose members are driven by the test.
pub struct Table {
    pub fixture: Fixture,
}

impl Table {
    pub fn new(t: usize, n: usize) -> Self {
        Self { fixture: Fixture::new(t, n).messages(2) }
    }

    pub fn draw(&self, signer: Seat, first: u32) -> Drawn {
        let drawn = (0..self.fixture.messages)
            .map(|_| nonce_gen(&mut getrandom::SysRng, &NonceGenInputs::default()).unwrap());
        let (secret, public) = drawn.unzip();
        Drawn { signer, first, secret, public }
    }

    pub fn hash(&self, coordinator: Seat, signer: Seat, nonces: &NamedSlots) -> SlotHash {
        slot_hash(self.fixture.group.id(), coordinator, signer, &nonces.0)
    }

    /// The package of an honest coordinator that names these slots, in ascending order of seats.
    pub fn package(
        &self,
        coordinator: Seat,
        run: Run,
        number: u16,
        slots: &[&Drawn],
    ) -> SigningPackage {
        let entry = |drawn: &&Drawn| SignerSlots {
            seat: drawn.signer,
            first: drawn.first,
            hash: self.hash(coordinator, drawn.signer, &drawn.nonces()),
        };
        let sum = |at: usize| nonce_agg(slots.iter().map(|drawn| &drawn.public[at]));
        SigningPackage {
            run,
            number,
            signers: slots.iter().map(entry).collect(),
            aggregates: (0..self.fixture.messages).map(sum).collect(),
        }
    }

    /// A statement about the request of this number.
    pub fn seal(&self, request: u8, sender: Seat, content: &Content) -> Statement {
        let session = self.fixture.signing_request(request).session_id();
        let key = &self.fixture.identities[sender.index()];
        Statement::seal(self.fixture.group.id(), session, sender, content, key)
    }

    /// The right answer to a package about the request of this number.
    pub fn answer(&self, request: u8, drawn: Drawn, package: &Statement) -> Statement {
        let shape = Shape::new(&self.fixture.group, self.fixture.messages);
        let Ok(Content::SigningPackage(content)) = shape.read(package) else { unreachable!() };
        let signers = self.fixture.group.keys().signers(&content.seats()).unwrap();
        let (signer, own) = (drawn.signer, self.fixture.share(drawn.signer));
        let request_of = self.fixture.request(request);
        let keys = request_of.keys().iter().zip(&content.aggregates);
        let scalars = drawn.secret.into_iter().zip(keys).map(|(secret, (key, aggregate))| {
            let context = SessionContext::new(&signers, aggregate, &key.tweaks, &key.message);
            sign(secret, &own, signer, &context.unwrap()).unwrap()
        });
        let share = SignatureShare { package: package.body_hash(), scalars: scalars.collect() };
        self.seal(request, signer, &Content::SignatureShare(share))
    }

    /// What a third party finds in a claim about request 1.
    pub fn verdict(&self, fault: Fault) -> Verdict {
        let proof = Proof::new(self.fixture.signing_request(1), fault);
        let read = Proof::decode(&proof.encode()).unwrap();
        assert_eq!((&read, read.id()), (&proof, proof.id()));
        read.verify(&self.fixture.group)
    }
}

/// The run of a reign, distinct for each `which`.
pub fn run(which: u64) -> Run {
    Run::new(which << 20, [which as u8; 8])
}

/// A statement with another signature of the same sender: what a member may receive from another.
pub fn signed_anew(statement: &Statement, key: &SigningKey, tag: Tag, random: u8) -> Statement {
    let signature = key.sign(&tag.hash(&[statement.body()]), &[random; 32]).to_bytes();
    Statement::parse(&[&[1], &signature[..], statement.body()].concat()).unwrap()
}

/// One package of a 3-of-5 that signs two messages, and what its signers answered.
pub struct Stage {
    pub table: Table,
    pub coordinator: Seat,
    pub signers: [Seat; 3],
    /// Neither the coordinator nor a signer.
    pub outsider: Seat,
    pub content: SigningPackage,
    pub package: Statement,
    pub nonces: Vec<NamedSlots>,
    pub shares: Vec<Statement>,
}

pub fn stage() -> Stage {
    let table = Table::new(3, 5);
    let (coordinator, signers, outsider) = (seat(3), [seat(0), seat(1), seat(2)], seat(4));
    let drawn = signers.map(|signer| table.draw(signer, 8));
    let content = table.package(coordinator, run(1), 0, &drawn.each_ref());
    let package = table.seal(1, coordinator, &Content::SigningPackage(content.clone()));
    let nonces = drawn.iter().map(Drawn::nonces).collect();
    let shares = drawn.map(|drawn| table.answer(1, drawn, &package)).to_vec();
    Stage { table, coordinator, signers, outsider, content, package, nonces, shares }
}

impl Stage {
    /// The package with something changed, as its coordinator signs it.
    pub fn other_package(&self, change: impl FnOnce(&mut SigningPackage)) -> Statement {
        let mut content = self.content.clone();
        change(&mut content);
        self.table.seal(1, self.coordinator, &Content::SigningPackage(content))
    }

    pub fn share_content(&self) -> SignatureShare {
        let shape = Shape::new(&self.table.fixture.group, 2);
        let Ok(Content::SignatureShare(share)) = shape.read(&self.shares[0]) else {
            unreachable!()
        };
        share
    }

    /// The first signer's share with something changed.
    pub fn other_share(&self, change: impl FnOnce(&mut SignatureShare)) -> Statement {
        let mut content = self.share_content();
        change(&mut content);
        self.table.seal(1, self.signers[0], &Content::SignatureShare(content))
    }

    pub fn bad_share(&self, position: usize) -> Statement {
        self.other_share(|share| share.scalars = spoiled_at(&share.scalars, position))
    }

    pub fn invalid_share(&self, share: Statement, message: u8) -> Fault {
        let (package, nonces) = (self.package.clone(), self.nonces[0].clone());
        Fault::InvalidShare { package, nonces, share, message }
    }

    pub fn wrong_sum(&self, position: usize) -> Statement {
        self.other_package(|package| package.aggregates[position] = nonce_agg([]))
    }

    /// A share of one scalar, for a request of two messages.
    pub fn short_share(&self) -> Statement {
        self.other_share(|share| share.scalars.truncate(1))
    }

    /// One true claim of each kind, with the seat of which it proves a fault.
    pub fn true_claims(&self) -> Vec<(Fault, Seat)> {
        let (first, signer) = (self.package.clone(), self.signers[0]);
        vec![
            (
                Fault::PackageConflict { first: first.clone(), second: self.wrong_sum(0) },
                self.coordinator,
            ),
            (
                Fault::SlotAssignedTwice { first, second: self.other_package(|p| p.number = 1) },
                self.coordinator,
            ),
            (
                Fault::WrongAggregateNonce {
                    package: self.wrong_sum(1),
                    slots: self.nonces.clone(),
                },
                self.coordinator,
            ),
            (
                Fault::ShareConflict { first: self.shares[0].clone(), second: self.bad_share(1) },
                signer,
            ),
            (self.invalid_share(self.bad_share(1), 1), signer),
            (Fault::MalformedMessage { message: self.short_share() }, signer),
        ]
    }
}

#[test]
fn each_of_the_six_true_claims_of_version_2_convicts_its_author_whichever_member_shows_it() {
    let stage = stage();
    let session = stage.table.fixture.signing_request(1).session_id();
    let mut kinds = Vec::new();
    for (fault, accused) in stage.true_claims() {
        let finding = ProvenFault { accused, fault: fault.kind(), session };
        assert_eq!(stage.table.verdict(fault.clone()), Verdict::Invalid(finding), "{fault:?}");
        assert!(!kinds.contains(&fault.kind()));
        kinds.push(fault.kind());
    }
    assert_eq!(kinds.len(), 6);
}

#[test]
fn slots_named_twice_are_the_same_whatever_index_is_stated_for_them() {
    let stage = stage();
    let first = stage.package.clone();
    let fresh: Vec<Drawn> = stage.signers.iter().map(|at| stage.table.draw(*at, 90)).collect();
    let fresh: Vec<&Drawn> = fresh.iter().collect();
    let mut content = stage.table.package(stage.coordinator, run(1), 1, &fresh);
    let further = |content: &SigningPackage| {
        stage.table.seal(1, stage.coordinator, &Content::SigningPackage(content.clone()))
    };
    // All slots are others, at the same indexes: nothing is assigned twice.
    content.signers.iter_mut().for_each(|entry| entry.first = 8);
    let claim = Fault::SlotAssignedTwice { first: first.clone(), second: further(&content) };
    assert_eq!(stage.table.verdict(claim), Verdict::Valid);
    // One of them is the same slot at another index.
    content.signers[1] = SignerSlots { first: 77, ..stage.content.signers[1] };
    let claim = Fault::SlotAssignedTwice { first: first.clone(), second: further(&content) };
    let Verdict::Invalid(finding) = stage.table.verdict(claim) else { panic!() };
    assert_eq!(finding.accused, stage.coordinator);
    // The same hash for another signer is no slot of it.
    let mut content = stage.table.package(stage.coordinator, run(1), 1, &fresh);
    content.signers[0].hash = stage.content.signers[1].hash;
    let claim = Fault::SlotAssignedTwice { first, second: further(&content) };
    assert_eq!(stage.table.verdict(claim), Verdict::Valid);
}

#[test]
fn a_bad_scalar_of_version_2_is_found_in_its_message_and_nowhere_else() {
    let stage = stage();
    for position in 0..2 {
        let verdict = |message: u8| {
            stage.table.verdict(stage.invalid_share(stage.bad_share(position), message))
        };
        assert!(matches!(verdict(position as u8), Verdict::Invalid(_)));
        assert_eq!(verdict(1 - position as u8), Verdict::Valid);
    }
}

#[test]
fn each_kind_of_malformed_statement_that_is_provable_convicts_its_sender() {
    let stage = stage();
    let malformed = [
        stage.other_package(|package| package.number = 3),
        stage.other_package(|package| package.signers.truncate(2)),
        stage.other_package(|package| package.signers.swap(0, 1)),
        stage.other_package(|package| package.aggregates.truncate(1)),
        stage.short_share(),
        stage.table.seal(1, stage.outsider, &Content::Signature(end(1))),
    ];
    for message in malformed {
        let sender = message.sender(&stage.table.fixture.group).unwrap();
        let verdict = stage.table.verdict(Fault::MalformedMessage { message });
        assert!(matches!(verdict, Verdict::Invalid(finding) if finding.accused == sender));
    }
}

/// Final signatures for so many messages.
fn end(count: usize) -> FinalSignature {
    let package = BodyHash::from_bytes([1; 32]);
    FinalSignature { package, signatures: vec![Signature::from_bytes(&[1; 64]); count] }
}

#[test]
fn a_coordinator_that_names_nonces_that_are_no_points_is_convicted_of_it_and_not_their_signer() {
    let stage = stage();
    let mut garbage = stage.nonces[0].clone();
    garbage.0[1][..33].fill(0xff);
    let hash = stage.table.hash(stage.coordinator, stage.signers[0], &garbage);
    let package = stage.other_package(|package| package.signers[0].hash = hash);
    let mut slots = stage.nonces.clone();
    slots[0] = garbage.clone();
    let claim = Fault::WrongAggregateNonce { package: package.clone(), slots };
    let Verdict::Invalid(finding) = stage.table.verdict(claim) else { panic!() };
    assert_eq!(finding.accused, stage.coordinator);

    let share = stage.other_share(|share| share.package = package.body_hash());
    let claim = Fault::InvalidShare { package, nonces: garbage, share, message: 1 };
    let undecided = Verdict::Indeterminate(Indeterminate::UndecodableNonces);
    assert_eq!(stage.table.verdict(claim), undecided);
}

#[test]
fn what_honest_members_state_is_valid_in_every_claim_about_it() {
    let stage = stage();
    let share = || stage.shares[0].clone();
    let package = || stage.package.clone();
    let anew = |statement: &Statement, sender: Seat| {
        let key = SigningKeyOf(1).at(sender.index());
        signed_anew(statement, &key, statement.kind().tag(), 1)
    };
    let (package_anew, share_anew) =
        (anew(&stage.package, stage.coordinator), anew(&stage.shares[0], stage.signers[0]));
    let fresh: Vec<Drawn> = stage.signers.iter().map(|at| stage.table.draw(*at, 10)).collect();
    let fresh: Vec<&Drawn> = fresh.iter().collect();
    let further = stage.table.package(stage.coordinator, run(1), 1, &fresh);
    let further = stage.table.seal(1, stage.coordinator, &Content::SigningPackage(further));
    let claims = [
        Fault::PackageConflict { first: package(), second: package() },
        Fault::PackageConflict { first: package(), second: package_anew.clone() },
        Fault::SlotAssignedTwice { first: package(), second: package_anew },
        Fault::SlotAssignedTwice { first: package(), second: further.clone() },
        Fault::WrongAggregateNonce { package: package(), slots: stage.nonces.clone() },
        Fault::ShareConflict { first: share(), second: share() },
        Fault::ShareConflict { first: share(), second: share_anew },
        stage.invalid_share(share(), 0),
        stage.invalid_share(share(), 1),
    ];
    for claim in claims {
        assert_eq!(stage.table.verdict(claim.clone()), Verdict::Valid, "{claim:?}");
    }
    let with_any_indexes = stage.other_package(|package| {
        package.run = Run::new(u64::MAX, [255; 8]);
        package.signers.iter_mut().for_each(|entry| entry.first = u32::MAX);
    });
    let ended = stage.table.seal(1, stage.outsider, &Content::Signature(end(2)));
    for message in [package(), further, with_any_indexes, share(), ended] {
        let claim = Fault::MalformedMessage { message };
        assert_eq!(stage.table.verdict(claim.clone()), Verdict::Valid, "{claim:?}");
    }
}

#[test]
fn a_proof_of_version_2_altered_in_any_byte_convicts_no_member_but_the_guilty() {
    let stage = stage();
    for (fault, guilty) in stage.true_claims() {
        let bytes = Proof::new(stage.table.fixture.signing_request(1), fault).encode();
        for at in 0..bytes.len() {
            for mask in [1, 0xff] {
                let mut altered = bytes.clone();
                altered[at] ^= mask;
                let Ok(proof) = Proof::decode(&altered) else { continue };
                if let Verdict::Invalid(finding) = proof.verify(&stage.table.fixture.group) {
                    assert_eq!(finding.accused, guilty, "byte {at} of {}", proof.id());
                }
            }
        }
    }
}
