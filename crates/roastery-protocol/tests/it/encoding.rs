//! The bytes of everything that is hashed, signed, sent or stored: which they are, that they mean
//! one thing only, and how many there may be.

mod bounds;
pub mod golden;
mod keygen;
pub mod layout;
mod properties;
pub mod values;

use std::sync::{Arc, LazyLock};

use roastery_protocol::{
    Attempt, BodyHash, Incarnation, Seat, SessionId, SlotHash,
    group::Group,
    keys::IdentityKey,
    message::{
        Body, Commitments, Envelope, FinalSignature, Header, Kind, NextSlot, Proposal,
        RefusalReason, Shape, SignatureShare, SignerSlot, SigningPackage, Slot, SlotNonces, Want,
    },
    proof::{Fault, Proof},
    request::{Derivation, MessageToSign, SigningRequest, Subject, Taproot},
};
use roastery_testkit::{
    forge::{files::*, *},
    *,
};

/// Two of three with fixed keys, and a request of two messages.
pub struct Fixed {
    pub group: Arc<Group>,
    pub request: SigningRequest,
    pub session: SessionId,
    shape: Shape,
}

const ATTEMPT: u32 = 4;

pub fn fixed() -> &'static Fixed {
    static FIXED: LazyLock<Fixed> = LazyLock::new(Fixed::new);
    &FIXED
}

impl Fixed {
    fn new() -> Self {
        let group = Arc::new(Group::decode(&RawGroup::fixed(3, 8).bytes()).unwrap());
        let messages = vec![
            MessageToSign {
                message: [0x11; 32],
                derivation: Derivation { path: vec![0, 5], taproot: Taproot::KeyPathOnly },
            },
            MessageToSign {
                message: [0x22; 32],
                derivation: Derivation {
                    path: vec![(1 << 31) - 1],
                    taproot: Taproot::ScriptRoot([0x33; 32]),
                },
            },
        ];
        let request = SigningRequest::new(group.id(), [0x44; 32], 1_800_000_000, messages).unwrap();
        let session = request.session_id();
        let shape = Shape::new(&group, session, 2);
        Fixed { group, request, session, shape }
    }

    pub fn identity(seat: Seat) -> IdentityKey {
        IdentityKey::new(SigningKeyOf(1).at(seat.index()))
    }

    /// The coordinator of the attempt of the fixed messages.
    fn coordinator(&self) -> Seat {
        self.shape.order().coordinator(Attempt::new(ATTEMPT).unwrap())
    }

    fn signer(&self) -> Seat {
        self.group.seats().find(|seat| *seat != self.coordinator()).unwrap()
    }

    fn seal(&self, sender: Seat, body: &Body) -> Envelope {
        let header =
            Header::new(body.kind(), self.group.id(), self.session, ATTEMPT, sender.to_u16());
        Envelope::seal(header, body, &Self::identity(sender))
    }

    fn proposal(&self, subject: Subject) -> Body {
        Body::Proposal(Proposal { request: self.request.clone(), subject })
    }

    fn run() -> Incarnation {
        Incarnation::new(0x0102_0304_0506_0708, *b"entropy!")
    }

    fn slot(k: u128) -> Slot {
        Slot(vec![nonce(10 * k), nonce(10 * k + 1)])
    }

    fn slot_hash(&self, signer: Seat, k: u128) -> SlotHash {
        let attempt = Attempt::new(ATTEMPT).unwrap();
        Self::slot(k).to_nonces().hash(self.group.id(), self.session, attempt, signer)
    }

    /// A package of the first two seats, with slots 1 and 2.
    fn package(&self, number: u16) -> SigningPackage {
        let signers = [(seat(0), 1), (seat(1), 2)]
            .map(|(seat, k)| SignerSlot { seat, slot: self.slot_hash(seat, k) });
        let slots = [Self::slot(1), Self::slot(2)];
        let sum = |at: usize| roastery_frost::nonce_agg(slots.iter().map(|slot| &slot.0[at]));
        SigningPackage {
            run: Self::run(),
            number,
            signers: signers.to_vec(),
            aggregates: vec![sum(0), sum(1)],
        }
    }

    fn share(package: BodyHash, scalar: u8) -> SignatureShare {
        let scalars = [scalar, 2]
            .map(|byte| roastery_frost::PartialSignature::from_bytes(&[byte; 32]).unwrap());
        let next = Some(NextSlot { run: Self::run(), index: 1, slot: Self::slot(3) });
        SignatureShare { package, scalars: scalars.to_vec(), next }
    }

    /// A message of each kind and of each variant of its content, with a name.
    fn messages(&self) -> Vec<(String, Envelope)> {
        let (coordinator, signer) = (self.coordinator(), self.signer());
        let package = self.seal(coordinator, &Body::SigningPackage(self.package(0)));
        let hash = package.body_hash();
        let mut infinite = self.package(1);
        infinite.aggregates[0] =
            roastery_frost::AggregateNonce::from_bytes(&pair(&INFINITY, &INFINITY)).unwrap();
        let last = SignatureShare { next: None, ..Self::share(hash, 1) };
        let commitments = Commitments { run: Self::run(), index: 0, slot: Self::slot(1) };
        let signatures =
            [7, 8].map(|byte| roastery_frost::Signature::from_bytes(&[byte; 64])).to_vec();
        let end = FinalSignature { package: hash, signatures };
        let by_signer = |name: &str, body: Body| (name.to_owned(), self.seal(signer, &body));
        let infinite = self.seal(coordinator, &Body::SigningPackage(infinite));
        let mut messages = vec![
            by_signer("proposal", self.proposal(Subject::Hash)),
            by_signer("proposal/text", self.proposal(Subject::Text("pay".to_owned()))),
            by_signer("proposal/transaction", self.proposal(Subject::Transaction(vec![7; 3]))),
            by_signer("commitments", Body::Commitments(commitments)),
            ("signing-package".to_owned(), package),
            ("signing-package/infinite".to_owned(), infinite),
            by_signer("signature-share", Body::SignatureShare(Self::share(hash, 1))),
            by_signer("signature-share/last", Body::SignatureShare(last)),
            by_signer("signature", Body::Signature(end)),
        ];
        let slot = self.slot_hash(signer, 1);
        for (name, want) in [
            ("slot", Want::Slot),
            ("package", Want::Package(hash)),
            ("share", Want::Share(hash)),
            ("nonces", Want::Nonces(slot)),
            ("outcome", Want::Outcome),
        ] {
            messages.push(by_signer(&format!("want/{name}"), Body::Want(want)));
        }
        for (name, reason) in [
            ("policy", RefusalReason::Policy),
            ("expired", RefusalReason::Expired),
            ("busy", RefusalReason::Busy),
            ("operator", RefusalReason::Operator),
            ("unacceptable", RefusalReason::Unacceptable),
            ("fault", RefusalReason::Fault),
            ("too-many", RefusalReason::TooMany),
        ] {
            messages.push(by_signer(&format!("refusal/{name}"), Body::Refusal(reason)));
        }
        for (name, _, proof) in self.proofs() {
            messages.push(by_signer(&format!("evidence/{name}"), Body::Evidence(proof)));
        }
        messages
    }

    /// A proof of each fault that proves it, with its name and the member at fault.
    fn proofs(&self) -> Vec<(&'static str, Seat, Proof)> {
        let coordinator = self.coordinator();
        let packaged = |package| self.seal(coordinator, &Body::SigningPackage(package));
        let mut other = self.package(0);
        other.signers[1] = SignerSlot { seat: seat(2), slot: SlotHash::from_bytes([5; 32]) };
        let mut wrong = self.package(0);
        wrong.aggregates.swap(0, 1);
        let honest = packaged(self.package(0));
        let shared = |scalar| {
            self.seal(seat(0), &Body::SignatureShare(Self::share(honest.body_hash(), scalar)))
        };
        let nonces = |k| -> SlotNonces { Self::slot(k).to_nonces() };
        let raw = Raw::new(self.group.id(), self.session, Kind::Refusal, seat(2)).content(&255u8);
        let message = Envelope::parse(&raw.sealed()).unwrap();
        let faults = [
            (
                "package-conflict",
                coordinator,
                Fault::PackageConflict { first: honest.clone(), second: packaged(other) },
            ),
            (
                "slot-assigned-twice",
                coordinator,
                Fault::SlotAssignedTwice {
                    first: honest.clone(),
                    second: packaged(self.package(1)),
                },
            ),
            (
                "wrong-aggregate-nonce",
                coordinator,
                Fault::WrongAggregateNonce {
                    package: packaged(wrong),
                    slots: vec![nonces(1), nonces(2)],
                },
            ),
            (
                "share-conflict",
                seat(0),
                Fault::ShareConflict { first: shared(1), second: shared(3) },
            ),
            (
                "invalid-share",
                seat(0),
                Fault::InvalidShare {
                    package: honest.clone(),
                    nonces: nonces(1),
                    share: shared(1),
                    message: 1,
                },
            ),
            ("malformed-message", seat(2), Fault::MalformedMessage { message }),
        ];
        faults
            .into_iter()
            .map(|(name, accused, fault)| (name, accused, Proof::new(self.request.clone(), fault)))
            .collect()
    }
}
