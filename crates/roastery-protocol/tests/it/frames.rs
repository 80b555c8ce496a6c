//! The frames and proofs of signing: which bytes they are, that they mean one thing only,
//! how many there may be, and what proves a fault.

mod bounds;
mod golden;
mod layout;
mod proofs;
mod properties;
mod soundness;
mod undecided;
mod values;

use std::sync::Arc;

use roastery_frost::{AggregateNonce, PartialSignature, Signature, nonce_agg};
use roastery_protocol::{
    BodyHash, Seat, SessionId, SlotHash,
    member::{
        Incarnation, Run,
        frame::{
            Cannot, Content, Control, ControlContent, FinalSignature, NamedSlots, Nonces, Ready,
            ReadySession, Refusal, Shape, SignatureShare, SignerSlots, SigningPackage, Slots,
            Statement, Want, slot_hash,
        },
        proof::{Fault, Proof},
    },
    request::Subject,
    request::{Proposal, RefusalReason},
};
use roastery_testkit::{forge::*, *};

use crate::encoding::{Fixed, fixed};

fn shape() -> Shape {
    Shape::new(&fixed().group, 2)
}

/// Any seat may coordinate.
fn coordinator() -> Seat {
    seat(2)
}

fn run() -> Run {
    Run::new(0x0102_0304_0506_0708, *b"entropy!")
}

fn incarnation() -> Incarnation {
    Incarnation::after(None, 0x0102_0304_0506_0708, *b"entropy!")
}

fn seal(sender: Seat, content: &Content) -> Statement {
    let fixed = fixed();
    Statement::seal(fixed.group.id(), fixed.session, sender, content, &Fixed::identity(sender))
}

/// A control frame of the first seat to the coordinator.
fn control(content: &ControlContent) -> Control {
    Control::new(fixed().group.id(), fixed().session, seat(0), coordinator(), content)
}

/// The nonces of two slots, distinct for each `k`.
fn named(k: u128) -> NamedSlots {
    NamedSlots([nonce(10 * k), nonce(10 * k + 1)].map(|nonce| nonce.to_bytes()).to_vec())
}

fn hash_of(signer: Seat, k: u128) -> SlotHash {
    slot_hash(fixed().group.id(), coordinator(), signer, &named(k).0)
}

/// A package of the first two seats, with slots 1 and 2.
fn package(number: u16) -> SigningPackage {
    let signers = [(seat(0), 1, 6), (seat(1), 2, 0x0807_0605)]
        .map(|(seat, k, first)| SignerSlots { seat, first, hash: hash_of(seat, k) });
    let sum = |at: u128| nonce_agg([&nonce(10 + at), &nonce(20 + at)]);
    SigningPackage {
        run: run(),
        number,
        signers: signers.to_vec(),
        aggregates: vec![sum(0), sum(1)],
    }
}

fn share(package: BodyHash, scalar: u8) -> SignatureShare {
    let scalars = [scalar, 2].map(|byte| PartialSignature::from_bytes(&[byte; 32]).unwrap());
    SignatureShare { package, scalars: scalars.to_vec() }
}

fn proposal(subject: Subject) -> Content {
    Content::Proposal(Proposal { request: fixed().request.clone(), subject })
}

fn refusal(reason: RefusalReason) -> Refusal {
    Refusal { incarnation: incarnation(), counter: 3, reason }
}

const REASONS: [(&str, RefusalReason); 7] = [
    ("policy", RefusalReason::Policy),
    ("expired", RefusalReason::Expired),
    ("busy", RefusalReason::Busy),
    ("operator", RefusalReason::Operator),
    ("unacceptable", RefusalReason::Unacceptable),
    ("fault", RefusalReason::Fault),
    ("too-many", RefusalReason::TooMany),
];

/// A statement of each kind and of each variant of its content, with a name.
fn statements() -> Vec<(String, Statement)> {
    let by = |sender: Seat, name: &str, content: Content| (name.to_owned(), seal(sender, &content));
    let signed = seal(coordinator(), &Content::SigningPackage(package(0)));
    let hash = signed.body_hash();
    let mut infinite = package(1);
    infinite.aggregates[0] = AggregateNonce::from_bytes(&pair(&INFINITY, &INFINITY)).unwrap();
    let signatures = [7, 8].map(|byte| Signature::from_bytes(&[byte; 64])).to_vec();
    let end = FinalSignature { package: hash, signatures };
    let mut statements = vec![
        by(seat(0), "proposal", proposal(Subject::Hash)),
        by(seat(0), "proposal/text", proposal(Subject::Text("pay".to_owned()))),
        by(seat(0), "proposal/transaction", proposal(Subject::Transaction(vec![7; 3]))),
        ("signing-package".to_owned(), signed),
        by(coordinator(), "signing-package/infinite", Content::SigningPackage(infinite)),
        by(seat(0), "signature-share", Content::SignatureShare(share(hash, 1))),
        by(seat(0), "signature", Content::Signature(end)),
    ];
    for (name, reason) in REASONS {
        let content = Content::Refusal(refusal(reason));
        statements.push(by(seat(0), &format!("refusal/{name}"), content));
    }
    for (name, _, proof) in proofs() {
        statements.push(by(seat(0), &format!("evidence/{name}"), Content::Evidence(proof)));
    }
    statements
}

/// A control frame of each kind and of each variant of its content, with a name.
fn controls() -> Vec<(String, Control)> {
    let hash = seal(coordinator(), &Content::SigningPackage(package(0))).body_hash();
    let shown = |first, nonces| {
        ControlContent::Slots(Slots { incarnation: incarnation(), oldest: 6, first, nonces })
    };
    let said = |cannot| ReadySession { session: fixed().session, counter: 4, cannot };
    let cannot = ReadySession {
        session: SessionId::from_bytes([9; 32]),
        ..said(Some(Cannot { run: run(), number: 1 }))
    };
    let ready =
        |sessions| ControlContent::Ready(Ready { incarnation: incarnation(), oldest: 6, sessions });
    let contents = [
        ("slots", shown(8, named(1).0)),
        ("slots/none", shown(10, Vec::new())),
        ("ready", ready(vec![said(None)])),
        ("ready/cannot", ready(vec![said(None), cannot])),
        ("want/slots", ControlContent::Want(Want::Slots)),
        ("want/ready", ControlContent::Want(Want::Ready)),
        ("want/package", ControlContent::Want(Want::Package(hash))),
        ("want/share", ControlContent::Want(Want::Share(hash))),
        ("want/nonces", ControlContent::Want(Want::Nonces(hash_of(seat(2), 1)))),
        ("want/outcome", ControlContent::Want(Want::Outcome)),
        ("nonces", ControlContent::Nonces(Nonces { hash: hash_of(seat(0), 1), nonces: named(1) })),
    ];
    contents.map(|(name, content)| (name.to_owned(), control(&content))).to_vec()
}

/// The bytes of every frame, with its name.
fn frames() -> Vec<(String, Arc<[u8]>)> {
    let statements = statements().into_iter().map(|(name, it)| (name, it.as_bytes().clone()));
    let controls = controls().into_iter().map(|(name, it)| (name, it.as_bytes().clone()));
    statements.chain(controls).collect()
}

/// A proof of each fault that proves it, with its name and the member at fault.
fn proofs() -> Vec<(&'static str, Seat, Proof)> {
    let packaged = |package| seal(coordinator(), &Content::SigningPackage(package));
    let mut other = package(0);
    other.signers[1] = SignerSlots { seat: seat(2), first: 0, hash: SlotHash::from_bytes([5; 32]) };
    let mut wrong = package(0);
    wrong.aggregates.swap(0, 1);
    let honest = packaged(package(0));
    let shared =
        |scalar| seal(seat(0), &Content::SignatureShare(share(honest.body_hash(), scalar)));
    let mut few = share(honest.body_hash(), 1);
    few.scalars.pop();
    let faults = [
        (
            "package-conflict",
            coordinator(),
            Fault::PackageConflict { first: honest.clone(), second: packaged(other) },
        ),
        (
            "slot-assigned-twice",
            coordinator(),
            Fault::SlotAssignedTwice { first: honest.clone(), second: packaged(package(1)) },
        ),
        (
            "wrong-aggregate-nonce",
            coordinator(),
            Fault::WrongAggregateNonce {
                package: packaged(wrong),
                slots: vec![named(1), named(2)],
            },
        ),
        ("share-conflict", seat(0), Fault::ShareConflict { first: shared(1), second: shared(3) }),
        (
            "invalid-share",
            seat(0),
            Fault::InvalidShare {
                package: honest.clone(),
                nonces: named(1),
                share: shared(1),
                message: 1,
            },
        ),
        (
            "malformed-message",
            seat(0),
            Fault::MalformedMessage { message: seal(seat(0), &Content::SignatureShare(few)) },
        ),
    ];
    faults
        .into_iter()
        .map(|(name, accused, fault)| (name, accused, Proof::new(fixed().request.clone(), fault)))
        .collect()
}
