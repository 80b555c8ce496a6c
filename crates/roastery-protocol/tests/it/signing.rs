//! A group signs: one attempt, end to end.

use roastery_protocol::{
    message::Kind,
    signing::{Event, Settings},
};
use roastery_testkit::*;

#[test]
fn an_honest_session_of_any_size_is_one_package_t_shares_no_share_check_and_at_most_4n_messages() {
    for (t, n) in [(2, 2), (2, 3), (3, 5), (11, 15), (67, 100), (128, 128), (2, 128)] {
        let fixture = Fixture::new(t, n);
        let engines = fixture.fake_engines();
        let mut world =
            World::open(fixture, engines.iter().cloned().map(Some), Settings::default());
        world.run();
        assert_eq!(world.signed(), n, "{t} of {n}");
        let packages =
            world.events.iter().filter(|(_, event)| matches!(event, Event::PackageIssued { .. }));
        assert_eq!(packages.count(), 1);
        let shares = engines.iter().map(|engine| engine.calls().sign).sum::<usize>();
        assert_eq!(shares, t);
        assert_eq!(engines.iter().map(|engine| engine.calls().check_share).sum::<usize>(), 0);
        assert!(world.sent.len() <= 4 * n, "{} messages for {n} seats", world.sent.len());
        // The coordinator's own commitments and share are not sent.
        assert_eq!(world.count_sent(Kind::Commitments), n - 1);
        assert_eq!(world.count_sent(Kind::SigningPackage), n - 1);
        assert_eq!(world.count_sent(Kind::SignatureShare), t - 1);
        assert_eq!(world.count_sent(Kind::Signature), n - 1);
    }
}

#[test]
fn every_node_ends_with_signatures_that_verify_under_the_keys_of_the_request() {
    for (t, n, messages) in [(2, 2, 1), (2, 3, 3), (3, 5, 64), (11, 15, 2)] {
        let fixture = Fixture::new(t, n).messages(messages);
        let engines = fixture.frost_engines();
        let mut world = World::open(fixture, engines, Settings::default());
        world.run();
        let request = world.fixture.request(1);
        for at in 0..n {
            let outcome = world.session(at).outcome().unwrap();
            assert_eq!(outcome.signatures.len(), messages);
            for (key, signature) in request.keys().iter().zip(&outcome.signatures) {
                assert!(signature.verify(&key.public_key(), &key.message));
            }
            let origin = outcome.origin.as_ref().unwrap();
            assert_eq!(origin.signers.len(), t);
            assert_eq!(origin.coordinator, world.coordinator());
        }
    }
}
