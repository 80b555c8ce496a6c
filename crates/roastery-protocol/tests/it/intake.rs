//! Incoming messages: only a message that the right member has signed for this session, attempt and
//! kind has an effect.

mod authority;
mod binding;
mod form;
mod identity;

use std::time::Duration;

use roastery_protocol::{
    Seat,
    engine::{FakeEngine, FakeSession},
    message::{Body, Envelope, FinalSignature, Kind, Proposal, RefusalReason, Want},
    proof::{Fault, Proof},
    request::Subject,
    signing::Settings,
};
use roastery_testkit::{forge::*, *};

/// Three of five, with all commitments in transit to the coordinator.
struct Scene {
    world: World<FakeSession>,
    engines: Vec<FakeEngine>,
    coordinator: Seat,
    /// All other seats. As messages arrive in order, the coordinator picks itself and the first two
    /// of these.
    others: Vec<Seat>,
}

impl Scene {
    fn new() -> Self {
        Self::of(Fixture::new(3, 5))
    }

    fn of(fixture: Fixture) -> Self {
        let engines = fixture.fake_engines();
        let world = World::open(fixture, engines.iter().cloned().map(Some), Settings::default());
        let coordinator = world.coordinator();
        let others = world.fixture.group.seats().filter(|seat| *seat != coordinator).collect();
        Scene { world, engines, coordinator, others }
    }

    /// Up to the point where the first package is in transit.
    fn package(&mut self) -> Envelope {
        self.world.deliver_all(Kind::Commitments);
        self.world.sent_by(self.coordinator, Kind::SigningPackage)
    }

    /// Up to the point where the shares are in transit. Returns the share of the first of the
    /// others.
    fn share(&mut self) -> Envelope {
        self.package();
        self.world.deliver_all(Kind::SigningPackage);
        self.world.sent_by(self.others[0], Kind::SignatureShare)
    }

    /// The session goes on to its end, undisturbed by what was tried before: all members have the
    /// signatures, t shares were made, and no member is blamed but these.
    fn ends_well_and_blames_only(mut self, accused: &[Seat]) {
        self.world.run();
        assert_eq!(self.world.signed(), 5);
        // Every pending evidence broadcast is sent.
        self.world.pass_time(Duration::from_secs(1));
        assert_eq!(self.engines.iter().map(|engine| engine.calls().sign).sum::<usize>(), 3);
        assert_eq!(self.engines.iter().map(|engine| engine.calls().check_share).sum::<usize>(), 0);
        for at in 0..5 {
            let proven = self.world.proven(at);
            assert_eq!(proven, accused.iter().map(|seat| seat.index()).collect::<Vec<_>>());
        }
    }

    /// A sound message of each kind, as it is sent in this session, when shares are in transit.
    fn one_of_each_kind(&mut self) -> Vec<Envelope> {
        let share = self.share();
        let fixture = &self.world.fixture;
        let (first, request) = (self.others[0], fixture.signing_request(1));
        let signature = roastery_frost::Signature::from_bytes(&[7; 64]);
        let package = self.world.sent_by(self.coordinator, Kind::SigningPackage).body_hash();
        let end = FinalSignature { package, signatures: vec![signature] };
        let proof = Proof::new(request.clone(), Fault::MalformedMessage { message: share.clone() });
        vec![
            fixture.seal(first, 0, &Body::Proposal(Proposal { request, subject: Subject::Hash })),
            self.world.sent_by(first, Kind::Commitments),
            self.world.sent_by(self.coordinator, Kind::SigningPackage),
            share,
            fixture.seal(first, 0, &Body::Signature(end)),
            fixture.seal(first, 0, &Body::Want(Want::Outcome)),
            fixture.seal(first, 0, &Body::Refusal(RefusalReason::Operator)),
            fixture.seal(first, 0, &Body::Evidence(proof)),
        ]
    }
}
