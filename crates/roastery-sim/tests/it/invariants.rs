//! Each invariant detects its violation, in forged statements and events that are given to it
//! directly.

use std::{collections::BTreeSet, rc::Rc, sync::Arc, time::Duration};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_frost::{PartialSignature, Signature, nonce_agg};
use roastery_protocol::{
    Attempt, BodyHash, Incarnation, Seat,
    clock::Moment,
    engine::{FrostEngine, FrostSession},
    message::{
        Body, Commitments, Envelope, Header, SignatureShare, SignerSlot, SigningPackage, Slot,
    },
    signing::{Event, Outcome, PeerHistory, Session, Settings, StopReason},
};
use roastery_sim::{
    adversary::Packet,
    framing::FramingChecker,
    invariants::*,
    members::{DAWN, Members},
};

type Real = FrostEngine<ChaCha8Rng>;

/// 2 of 3, in which seat `faulty` may break the protocol.
struct Court {
    members: Members,
    case: Rc<Case>,
    message_log: MessageLog,
    rng: ChaCha8Rng,
}

const FIRST: Attempt = Attempt::FIRST;

fn seat(at: u32) -> Seat {
    Seat::new(at).unwrap()
}

fn run() -> Incarnation {
    Incarnation::new(1, [1; 8])
}

impl Court {
    fn new(faulty: &[u32]) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let members = Members::make(2, 3, &mut rng);
        let request = members.request(5, 1);
        let faulty: BTreeSet<Seat> = faulty.iter().map(|at| seat(*at)).collect();
        let case = Rc::new(Case::new::<Real>(&members, &request, Settings::default(), faulty));
        Self { message_log: MessageLog::new(case.clone()), members, case, rng }
    }

    fn coordinator(&self) -> Seat {
        self.case.shape.order().coordinator(FIRST)
    }

    /// The members that do not coordinate.
    fn signers(&self) -> Vec<Seat> {
        let coordinator = self.coordinator();
        self.case.group.seats().filter(|seat| *seat != coordinator).collect()
    }

    fn packet(&self, from: Seat, body: &Body) -> Packet {
        let (group, session) = (self.case.group.id(), self.case.request.session_id());
        let header = Header::new(body.kind(), group, session, 0, from.to_u16());
        let envelope = Envelope::seal(header, body, self.members.identity(from));
        let to = self.case.group.seats().find(|seat| *seat != from).unwrap();
        Packet { from, to, bytes: envelope.as_bytes().clone() }
    }

    fn say(&mut self, from: Seat, body: Body) -> Rc<Statement> {
        let packet = self.packet(from, &body);
        self.message_log.hear(&packet).0.unwrap()
    }

    fn open(&mut self, seat: Seat) -> Session<FrostSession<ChaCha8Rng>> {
        let now = Moment { monotonic: Duration::ZERO, wall: DAWN };
        let (request, settings) = (self.case.request.clone(), Settings::default());
        self.members
            .open::<Real>(seat, &request, (settings, PeerHistory::default()), now, &mut self.rng)
            .0
    }

    /// A slot of a signer, and its hash.
    fn slot(&mut self, signer: Seat, index: u32) -> (SignerSlot, Slot) {
        let mut random = [index as u8 + 1; 32];
        random[0] = signer.index() as u8;
        let nonce = roastery_frost::danger::nonce_gen_with(&random, &Default::default()).unwrap().1;
        let slot = Slot(vec![nonce]);
        let (group, session) = (self.case.group.id(), self.case.request.session_id());
        let name = slot.to_nonces().hash(group, session, FIRST, signer);
        let shown = Commitments { run: run(), index, slot: slot.clone() };
        self.say(signer, Body::Commitments(shown));
        (SignerSlot { seat: signer, slot: name }, slot)
    }

    /// A package of this number to the two that do not coordinate, with their slots of these
    /// numbers.
    fn package(&mut self, number: u16, slots: [u32; 2]) -> SigningPackage {
        let signers = self.signers();
        let shown = [self.slot(signers[0], slots[0]), self.slot(signers[1], slots[1])];
        let aggregate = nonce_agg([&shown[0].1.0[0], &shown[1].1.0[0]]);
        let signers = shown.map(|(entry, _)| entry).to_vec();
        SigningPackage { run: run(), number, signers, aggregates: vec![aggregate] }
    }
}

fn scalar(byte: u8) -> PartialSignature {
    PartialSignature::from_bytes(&[byte; 32]).unwrap()
}

fn share(package: BodyHash, byte: u8) -> Body {
    Body::SignatureShare(SignatureShare { package, scalars: vec![scalar(byte)], next: None })
}

fn outcome() -> Outcome {
    let signatures = vec![Signature::from_bytes(&[7; 64])];
    Outcome { signatures, package: BodyHash::from_bytes([0; 32]), origin: None }
}

#[track_caller]
fn refuses(result: Result<(), Violation>, invariant: Invariant) {
    assert_eq!(result.unwrap_err().invariant, invariant);
}

#[test]
fn no_frame_refuses_two_packages_of_one_number_by_an_honest_coordinator() {
    let mut court = Court::new(&[]);
    let mut framing = FramingChecker::new(court.case.clone());
    let coordinator = court.coordinator();
    for slots in [[0, 0], [1, 1]] {
        let package = court.package(0, slots);
        let said = court.say(coordinator, Body::SigningPackage(package));
        let result = framing.heard(&said, &court.message_log);
        if slots == [1, 1] {
            refuses(result, Invariant::Accountability);
        } else {
            result.unwrap();
        }
    }
}

#[test]
fn no_frame_refuses_a_wrong_share_and_two_different_shares_of_an_honest_signer() {
    let mut court = Court::new(&[]);
    let mut framing = FramingChecker::new(court.case.clone());
    let (coordinator, signer) = (court.coordinator(), court.signers()[0]);
    let package = court.package(0, [0, 0]);
    let said = court.say(coordinator, Body::SigningPackage(package));
    let wrong = court.say(signer, share(said.hash, 1));
    // Before a member has the package two shares are all that there is.
    framing.heard(&wrong, &court.message_log).unwrap();
    let other = court.say(signer, share(said.hash, 2));
    refuses(framing.heard(&other, &court.message_log), Invariant::Accountability);

    let mut framing = FramingChecker::new(court.case.clone());
    framing.heard(&said, &court.message_log).unwrap();
    refuses(framing.heard(&wrong, &court.message_log), Invariant::Accountability);
}

#[test]
fn no_frame_refuses_a_wrong_sum_and_a_malformed_message_of_honest_members() {
    let mut court = Court::new(&[]);
    let mut framing = FramingChecker::new(court.case.clone());
    let (coordinator, signer) = (court.coordinator(), court.signers()[0]);
    let mut package = court.package(0, [0, 0]);
    package.aggregates = court.package(1, [1, 1]).aggregates;
    let said = court.say(coordinator, Body::SigningPackage(package.clone()));
    refuses(framing.heard(&said, &court.message_log), Invariant::Accountability);

    // Only the coordinator may state what a package is.
    let usurped = court.say(signer, Body::SigningPackage(package));
    refuses(framing.heard(&usurped, &court.message_log), Invariant::Accountability);
}

#[test]
fn one_nonce_refuses_a_second_answer_with_one_slot() {
    let mut court = Court::new(&[]);
    let mut one_nonce = OneNonce::new(court.case.clone());
    let (coordinator, signer) = (court.coordinator(), court.signers()[0]);
    let package = court.package(0, [0, 0]);
    let said = court.say(coordinator, Body::SigningPackage(package));
    let wrong = court.say(signer, share(said.hash, 1));
    refuses(one_nonce.said(&wrong, &court.message_log), Invariant::OneNonceOneEquation);
    let unknown = court.say(signer, share(BodyHash::from_bytes([1; 32]), 1));
    refuses(one_nonce.said(&unknown, &court.message_log), Invariant::OneNonceOneEquation);

    let mut shows = |slot: Slot| {
        let said = court.say(signer, Body::Commitments(Commitments { run: run(), index: 9, slot }));
        one_nonce.said(&said, &court.message_log)
    };
    let nonce = |byte| {
        let secret = [byte; 32];
        Slot(vec![roastery_frost::danger::nonce_gen_with(&secret, &Default::default()).unwrap().1])
    };
    shows(nonce(1)).unwrap();
    refuses(shows(nonce(2)), Invariant::OneNonceOneEquation);
}

#[test]
fn only_what_was_authorised_refuses_other_sessions_wrong_signatures_and_late_shares() {
    let court = Court::new(&[]);
    let mut authorised = OnlyWhatWasAuthorised::new(court.case.clone());
    let packet = Packet { from: seat(0), to: seat(1), bytes: Arc::from([0; 8]) };
    refuses(authorised.unreadable(&packet), Invariant::OnlyWhatWasAuthorised);
    refuses(authorised.event(0, &Event::Signed(outcome())), Invariant::OnlyWhatWasAuthorised);
    authorised.event(1, &Event::Stopped(StopReason::Cancelled)).unwrap();
    let late = Event::ShareReleased { attempt: FIRST, package: BodyHash::from_bytes([0; 32]) };
    refuses(authorised.event(1, &late), Invariant::OnlyWhatWasAuthorised);
}

#[test]
fn blockers_refuses_a_member_that_owes_a_share_or_gave_a_wrong_one_and_slots_named_again() {
    for answer in [None, Some(1)] {
        let mut court = Court::new(&[]);
        let mut blockers = Blockers::new(court.case.clone());
        let (coordinator, signers) = (court.coordinator(), court.signers());
        let first = court.package(0, [0, 0]);
        let said = court.say(coordinator, Body::SigningPackage(first.clone()));
        court.message_log.issued(said.hash, 0);
        blockers.said(&said, &court.message_log).unwrap();
        if let Some(byte) = answer {
            for signer in signers {
                let packet =
                    Packet { to: coordinator, ..court.packet(signer, &share(said.hash, byte)) };
                let share = court.message_log.hear(&packet).0.unwrap();
                court.message_log.delivered(0, &share, &packet);
            }
        }
        let second = court.package(1, [1, 1]);
        let said = court.say(coordinator, Body::SigningPackage(second));
        refuses(blockers.said(&said, &court.message_log), Invariant::Blockers);
    }
    let mut court = Court::new(&[]);
    let mut blockers = Blockers::new(court.case.clone());
    let coordinator = court.coordinator();
    for number in [0, 1] {
        let package = court.package(number, [0, 0]);
        let said = court.say(coordinator, Body::SigningPackage(package));
        let result = blockers.said(&said, &court.message_log);
        if number == 1 { refuses(result, Invariant::Blockers) } else { result.unwrap() }
    }
}

#[test]
fn fault_completeness_refuses_a_known_fault_without_a_proof() {
    let mut court = Court::new(&[0, 1, 2]);
    let coordinator = court.coordinator();
    let signer = court.signers()[0];
    let package = court.package(0, [0, 0]);
    let other = court.package(0, [1, 1]);
    let session = court.open(signer);
    for bodies in [
        // Two packages of one number; a package by a seat that does not coordinate.
        vec![
            (coordinator, Body::SigningPackage(package.clone())),
            (coordinator, Body::SigningPackage(other)),
        ],
        vec![(court.signers()[1], Body::SigningPackage(package))],
    ] {
        let mut fault_completeness = FaultCompleteness::new(court.case.clone());
        for (from, body) in bodies {
            let packet = Packet { to: signer, ..court.packet(from, &body) };
            let said = court.message_log.hear(&packet).0.unwrap();
            fault_completeness.delivered(0, &packet, &said, &court.message_log);
        }
        refuses(fault_completeness.step(0, Duration::ZERO, &session), Invariant::FaultCompleteness);
    }
}

#[test]
fn outcome_is_monotone_refuses_a_signature_that_goes_away() {
    let mut court = Court::new(&[]);
    let session = court.open(seat(0));
    let mut monotone = OutcomeIsMonotone::default();
    monotone.event(0, &Event::Signed(outcome())).unwrap();
    refuses(monotone.step(0, &session), Invariant::OutcomeIsMonotone);
    let stops = Event::Stopped(StopReason::Expired);
    refuses(monotone.event(0, &stops), Invariant::OutcomeIsMonotone);
    refuses(monotone.event(0, &Event::Signed(outcome())), Invariant::OutcomeIsMonotone);
}

#[test]
fn bounded_refuses_a_flood_from_an_honest_seat_and_more_than_may_be_kept() {
    let court = Court::new(&[]);
    let mut bounded = Bounded::new(court.case.clone());
    let packet = court.packet(seat(0), &share(BodyHash::from_bytes([1; 32]), 1));
    let mut results = (0..20).map(|_| bounded.sent(Duration::ZERO, &packet));
    refuses(results.find(Result::is_err).unwrap(), Invariant::Bounded);
    drop(results);
    let most = bounded.most_bytes_kept();
    bounded.kept(seat(0), seat(1), most).unwrap();
    refuses(bounded.kept(seat(0), seat(1), most + 1), Invariant::Bounded);
}

#[test]
fn secrets_end_refuses_nonces_without_a_slot_and_slots_without_nonces() {
    let mut court = Court::new(&[]);
    let session = court.open(seat(0));
    let coordinator = court.coordinator();
    let mut secrets = SecretsEnd::new(3, 2);
    refuses(secrets.step(0, &session), Invariant::SecretsEnd);
    secrets.event(0, &Event::Committed { attempt: FIRST, coordinator });
    secrets.step(0, &session).unwrap();
    let next = Attempt::new(1).unwrap();
    secrets.event(0, &Event::Committed { attempt: next, coordinator });
    refuses(secrets.step(0, &session), Invariant::SecretsEnd);
}

#[test]
fn honest_runs_are_cheap_refuses_each_cost_above_its_bound() {
    let cheap = HonestRunsAreCheap { members: 5, threshold: 3 };
    let least = Cost { packages: 1, shares: 3, share_checks: 0, messages: 20 };
    cheap.judge(least).unwrap();
    for cost in [
        Cost { packages: 2, ..least },
        Cost { shares: 4, ..least },
        Cost { share_checks: 1, ..least },
        Cost { messages: 21, ..least },
    ] {
        refuses(cheap.judge(cost), Invariant::HonestRunsAreCheap);
    }
}
