//! A member that sends arbitrary messages.

use proptest::prelude::*;
use roastery_frost::chilldkg::{HostSecretKey, participant_step1};
use roastery_protocol::{
    Seat,
    keygen::message::{Body, Kind},
};

use super::world::*;
use roastery_testkit::seat;

/// What the faulty member sends is lost, changed in a bit or a scalar, replaced by a first message
/// of other random bytes, or sent to another member; all of it signed by it.
fn twisted(world: &World, packet: Packet, fate: &mut Fate) -> Option<Packet> {
    let at = packet.from.index();
    let mut content = packet.envelope.content().to_vec();
    let mut packet = packet;
    match fate.next(8) {
        0 => return None,
        1 => {
            let bit = fate.next(8 * content.len() as u64) as usize;
            content[bit / 8] ^= 1 << (bit % 8);
        }
        // The last byte of a scalar or a signature.
        2 => *content.last_mut()? ^= 1,
        3 => {
            let random = [fate.next(3) as u8 + 1; 32];
            let host = HostSecretKey::from(host(at));
            let (_, other) = participant_step1(&host, world.invitation.params(), &random).unwrap();
            packet.envelope = world.seal(at, &Body::FirstMessage(other));
            return Some(packet);
        }
        4 => packet.to = seat(fate.next(world.n() as u64) as usize),
        5 => {
            let Ok(Body::Signature(mut signature)) =
                Body::read(&packet.envelope, world.invitation.params())
            else {
                return Some(packet);
            };
            signature.transcript = roastery_protocol::TranscriptHash::from_bytes([9; 32]);
            packet.envelope = world.seal(at, &Body::Signature(signature));
            return Some(packet);
        }
        _ => return Some(packet),
    }
    if packet.envelope.header().sender == packet.from.to_u16() {
        packet.envelope = sealed(world, at, packet.kind(), &content);
    }
    Some(packet)
}

/// All groups that members have are one, and no honest member has signed two transcripts.
fn assert_one_outcome(world: &World, faulty: Seat) {
    let groups: Vec<_> = (0..world.n()).filter_map(|at| world.node(at).group()).collect();
    assert!(groups.windows(2).all(|pair| pair[0].id() == pair[1].id()));
    for at in (0..world.n()).filter(|at| *at != faulty.index()) {
        let mut signed: Vec<_> = world
            .sent
            .iter()
            .filter(|one| one.kind() == Kind::Signature && one.from == seat(at))
            .map(|one| one.envelope.content()[..32].to_vec())
            .collect();
        signed.dedup();
        assert!(signed.len() <= 1, "seat {at} has signed {signed:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_one_member_says_there_is_one_outcome_at_most_and_no_honest_member_is_blamed(
        seed: u64,
        which in 0usize..4,
        (t, n) in prop_oneof![Just((2, 2)), Just((2, 3)), Just((3, 4))],
    ) {
        let mut world = World::new(t, n);
        let faulty = which % n;
        let mut fate = Fate(seed);
        world.run_for(3 * MINUTE, |world, packet| {
            if packet.from != seat(faulty) {
                return Some(packet);
            }
            twisted(world, packet, &mut fate)
        });
        assert_only_guilty(&world, &[faulty]);
        assert_one_outcome(&world, seat(faulty));
        // Honest nodes know each other's outcome.
        let done = (0..n).filter(|at| *at != faulty && world.is_done(*at)).count();
        prop_assert!(done == 0 || done == n - 1, "{:?}", world.reports());
    }
}
