//! The six proofs before a third party that has the group file: what each proves, and what proves
//! nothing.

mod undecided;

use roastery_frost::nonce_agg;
use roastery_protocol::{
    Seat,
    message::{Body, Envelope, Kind, NextSlot, RefusalReason, SigningPackage, SlotNonces, Want},
    proof::{Fault, Indeterminate, Proof, ProvenFault, Verdict},
};
use roastery_testkit::{byzantine::*, *};

/// The messages of attempt 0 of a 3-of-5 that signs two messages.
struct Stage {
    fixture: Fixture,
    coordinator: Seat,
    signers: [Seat; 3],
    /// Neither the coordinator nor a signer.
    outsider: Seat,
    content: SigningPackage,
    package: Envelope,
    nonces: Vec<SlotNonces>,
    shares: Vec<Envelope>,
}

fn stage() -> Stage {
    let fixture = Fixture::new(3, 5).messages(2);
    let coordinator = fixture.coordinator_of(0);
    let others = fixture.seats_but(&[coordinator]);
    let signers = [others[0], others[1], others[2]];
    let slots: Vec<OwnSlot> = signers.iter().map(|s| fixture.draw(*s, 0, run(1), 0)).collect();
    let shown: Vec<_> = slots.iter().map(OwnSlot::shown).collect();
    let content = fixture.package(0, run(1), 0, &shown);
    let package = fixture.seal_package(0, &content);
    let nonces = slots.iter().map(|slot| slot.slot.to_nonces()).collect();
    let shares = slots
        .into_iter()
        .map(|slot| {
            let (seat, next) = (slot.seat, fixture.draw(slot.seat, 0, run(1), 1));
            let scalars = fixture.sign(slot, &content);
            fixture.seal_share(seat, 0, package.body_hash(), scalars, Some(&next))
        })
        .collect();
    let outsider = others[3];
    Stage { fixture, coordinator, signers, outsider, content, package, nonces, shares }
}

impl Stage {
    /// The package with something changed, as its coordinator signs it.
    fn other_package(&self, change: impl FnOnce(&mut SigningPackage)) -> Envelope {
        let mut content = self.content.clone();
        change(&mut content);
        self.fixture.seal_package(0, &content)
    }

    /// The first signer's share with something changed.
    fn other_share(
        &self,
        change: impl FnOnce(&mut roastery_protocol::message::SignatureShare),
    ) -> Envelope {
        let Body::SignatureShare(mut content) = self.fixture.read(&self.shares[0]) else {
            unreachable!()
        };
        change(&mut content);
        self.fixture.seal(self.signers[0], 0, &Body::SignatureShare(content))
    }

    fn bad_share(&self, position: usize) -> Envelope {
        self.other_share(|share| share.scalars = spoiled_at(&share.scalars, position))
    }

    fn invalid_share(&self, share: Envelope, message: u8) -> Fault {
        let (package, nonces) = (self.package.clone(), self.nonces[0].clone());
        Fault::InvalidShare { package, nonces, share, message }
    }

    /// A share of which the first scalar is the order of the group: no scalar.
    fn undecodable_share(&self) -> Envelope {
        let mut body = self.shares[0].body().to_vec();
        body[72 + 32 + 4..][..32].fill(0xff);
        sealed_bytes(Kind::SignatureShare, self.signers[0], &body, [0; 32])
    }

    fn wrong_sum(&self, position: usize) -> Envelope {
        self.other_package(|package| package.aggregates[position] = nonce_agg([]))
    }

    /// One true claim of each kind, with the seat of which it proves a fault.
    fn true_claims(&self) -> Vec<(Fault, Seat)> {
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
            (Fault::MalformedMessage { message: self.undecodable_share() }, signer),
        ]
    }
}

/// The same claim with each of its envelopes in turn replaced.
fn with_each_envelope(fault: &Fault, replace: impl Fn(&Envelope) -> Envelope) -> Vec<Fault> {
    match fault.clone() {
        Fault::PackageConflict { first, second } => vec![
            Fault::PackageConflict { first: replace(&first), second: second.clone() },
            Fault::PackageConflict { second: replace(&second), first },
        ],
        Fault::SlotAssignedTwice { first, second } => vec![
            Fault::SlotAssignedTwice { first: replace(&first), second: second.clone() },
            Fault::SlotAssignedTwice { second: replace(&second), first },
        ],
        Fault::WrongAggregateNonce { package, slots } => {
            vec![Fault::WrongAggregateNonce { package: replace(&package), slots }]
        }
        Fault::ShareConflict { first, second } => vec![
            Fault::ShareConflict { first: replace(&first), second: second.clone() },
            Fault::ShareConflict { second: replace(&second), first },
        ],
        Fault::InvalidShare { package, nonces, share, message } => vec![
            Fault::InvalidShare {
                package: replace(&package),
                nonces: nonces.clone(),
                share: share.clone(),
                message,
            },
            Fault::InvalidShare { package, nonces, share: replace(&share), message },
        ],
        Fault::MalformedMessage { message } => {
            vec![Fault::MalformedMessage { message: replace(&message) }]
        }
    }
}

// Rows 24 to 29: what each of the six proves.

#[test]
fn each_of_the_six_true_claims_convicts_its_author_and_survives_its_encoding() {
    let stage = stage();
    let session = stage.fixture.signing_request(1).session_id();
    let mut kinds = Vec::new();
    for (fault, accused) in stage.true_claims() {
        let proof = Proof::new(stage.fixture.signing_request(1), fault.clone());
        let finding = ProvenFault { accused, fault: fault.kind(), session };
        assert_eq!(proof.verify(&stage.fixture.group), Verdict::Invalid(finding), "{fault:?}");
        let read = Proof::decode(&proof.encode()).unwrap();
        assert_eq!((&read, read.id()), (&proof, proof.id()));
        kinds.push(fault.kind());
    }
    kinds.dedup();
    assert_eq!(kinds.len(), 6);
}

#[test]
fn a_bad_scalar_in_any_message_is_found_there_and_nowhere_else() {
    let stage = stage();
    for position in 0..2 {
        let verdict = |message: u8| {
            stage.fixture.verdict(stage.invalid_share(stage.bad_share(position), message))
        };
        assert!(matches!(verdict(position as u8), Verdict::Invalid(_)));
        assert_eq!(verdict(1 - position as u8), Verdict::Valid);
    }
}

#[test]
fn a_coordinator_that_names_nonces_that_are_no_points_is_convicted_and_not_their_signer() {
    let stage = stage();
    let mut garbage = stage.nonces[0].clone();
    garbage.0[1][..33].fill(0xff);
    let session = stage.fixture.signing_request(1).session_id();
    let hash = garbage.hash(stage.fixture.group.id(), session, attempt(0), stage.signers[0]);
    let package = stage.other_package(|package| package.signers[0].slot = hash);
    let mut slots = stage.nonces.clone();
    slots[0] = garbage.clone();
    let claim = Fault::WrongAggregateNonce { package: package.clone(), slots };
    let Verdict::Invalid(finding) = stage.fixture.verdict(claim) else { panic!() };
    assert_eq!(finding.accused, stage.coordinator);

    let share = stage.other_share(|share| share.package = package.body_hash());
    let claim = Fault::InvalidShare { package, nonces: garbage, share, message: 1 };
    assert_eq!(
        stage.fixture.verdict(claim),
        Verdict::Indeterminate(Indeterminate::UndecodableNonces)
    );
}

#[test]
fn what_honest_members_say_is_valid_in_every_claim_about_it() {
    let stage = stage();
    let share = || stage.shares[0].clone();
    let package = || stage.package.clone();
    let resigned = sealed_bytes(Kind::SigningPackage, stage.coordinator, package().body(), [1; 32]);
    let fresh: Vec<_> =
        stage.signers.iter().map(|s| stage.fixture.draw(*s, 0, run(1), 1).shown()).collect();
    let further = stage.fixture.seal_package(0, &stage.fixture.package(0, run(1), 1, &fresh));
    let next = stage.fixture.draw(stage.signers[0], 0, run(2), 0);
    let claims = [
        Fault::PackageConflict { first: package(), second: package() },
        Fault::PackageConflict { first: package(), second: resigned.clone() },
        Fault::SlotAssignedTwice { first: package(), second: resigned },
        Fault::SlotAssignedTwice { first: package(), second: further },
        Fault::WrongAggregateNonce { package: package(), slots: stage.nonces.clone() },
        Fault::ShareConflict { first: share(), second: share() },
        Fault::ShareConflict { first: share(), second: stage.other_share(|s| s.next = None) },
        Fault::ShareConflict {
            first: share(),
            second: stage.other_share(|share| {
                let slot = next.slot.clone();
                share.next = Some(NextSlot { run: run(2), index: 0, slot });
            }),
        },
        stage.invalid_share(share(), 0),
        stage.invalid_share(share(), 1),
    ];
    for claim in claims {
        assert_eq!(stage.fixture.verdict(claim.clone()), Verdict::Valid, "{claim:?}");
    }
    let said = [
        stage.fixture.commitments(&next),
        package(),
        share(),
        stage.fixture.seal(stage.outsider, 0, &Body::Want(Want::Outcome)),
        stage.fixture.seal(stage.outsider, 65_535, &Body::Refusal(RefusalReason::Fault)),
    ];
    for message in said {
        let claim = Fault::MalformedMessage { message };
        assert_eq!(stage.fixture.verdict(claim.clone()), Verdict::Valid, "{claim:?}");
    }
}

// Row 29.

#[test]
fn a_proof_altered_in_any_byte_convicts_no_member_but_the_guilty() {
    let stage = stage();
    for (fault, guilty) in stage.true_claims() {
        let bytes = Proof::new(stage.fixture.signing_request(1), fault).encode();
        for at in 0..bytes.len() {
            for mask in [1, 0xff] {
                let mut altered = bytes.clone();
                altered[at] ^= mask;
                let Ok(proof) = Proof::decode(&altered) else { continue };
                if let Verdict::Invalid(finding) = proof.verify(&stage.fixture.group) {
                    assert_eq!(finding.accused, guilty, "byte {at} of {}", proof.id());
                }
            }
        }
        for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            assert!(Proof::decode(&bytes[..length]).is_err());
        }
        assert!(Proof::decode(&[&bytes[..], &[0]].concat()).is_err());
    }
}
