//! Who keeps a kit: what is sent to whom, and what answers show.

use roastery_protocol::{
    GroupId, KeyId,
    kit::{
        Asking, Heard, Holders, Kit, KitContent, KitId, KitMessage, KitMessageError, SEALED_LENGTH,
    },
};
use roastery_testkit::{Fixture, peer, seat};

const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// A time later than a week after 1970.
const NOW_MS: u64 = 10 * WEEK_MS;

fn kit(fixture: &Fixture, sealed: u8) -> Kit {
    let own = seat(0);
    let host = fixture.group.member(own).unwrap().host_key;
    Kit::new((fixture.group.id(), 0, own), &host, &[1; 24], &[sealed; SEALED_LENGTH])
}

fn holders(fixture: &Fixture) -> Holders {
    Holders::new(kit(fixture, 2), &fixture.group, &peer(seat(0)), &[])
}

/// Numbers that differ, in place of random ones.
fn counting() -> impl FnMut() -> Option<[u8; 32]> {
    let mut last = 0;
    move || {
        last += 1;
        Some([last; 32])
    }
}

/// What a member answers that keeps what it was given.
fn honest(kept: &mut Option<Kit>, asked: &KitContent) -> KitContent {
    match asked {
        KitContent::Keep { nonce, kit } => {
            *kept = Some((**kit).clone());
            KitContent::Held { nonce: *nonce, proof: kit.held(nonce) }
        }
        KitContent::Ask { nonce, kit } => match kept.as_ref().filter(|kept| kept.id() == *kit) {
            Some(kept) => KitContent::Held { nonce: *nonce, proof: kept.held(nonce) },
            None => KitContent::Lacking { nonce: *nonce },
        },
        other => panic!("not asked: {other:?}"),
    }
}

#[test]
fn enough_keep_a_kit_when_as_many_have_shown_it_as_must_sign() {
    let fixture = Fixture::new(3, 5);
    let mut holders = holders(&fixture);
    assert_eq!(holders.needed(), 3);
    let due = holders.due(NOW_MS, false, counting());
    assert_eq!(due.len(), 4);
    for (at, (from, asked)) in due.iter().enumerate() {
        assert!(matches!(asked, KitContent::Keep { .. }), "{asked:?}");
        assert_eq!(holders.are_enough(NOW_MS), at >= 3);
        assert_eq!(holders.handle(from, &honest(&mut None, asked), NOW_MS), Heard::Holds);
    }
    assert_eq!(holders.held().count(), 4);
    // In a 2-of-2 the other one alone is all that there is.
    let two = Fixture::new(2, 2);
    assert_eq!(self::holders(&two).needed(), 1);
}

#[test]
fn who_answers_for_another_kit_or_to_no_question_has_shown_nothing() {
    let fixture = Fixture::new(2, 3);
    let mut holders = holders(&fixture);
    let (bert, cleo) = (peer(seat(1)), peer(seat(2)));
    let due = holders.due(NOW_MS, false, counting());
    let nonce_of = |whose| match due.iter().find(|(peer, _)| *peer == whose) {
        Some((_, KitContent::Keep { nonce, .. })) => *nonce,
        other => panic!("{other:?}"),
    };
    let (of_bert, of_cleo) = (nonce_of(bert.clone()), nonce_of(cleo.clone()));
    let own = kit(&fixture, 2);
    let held = |nonce, kit: &Kit| KitContent::Held { nonce, proof: kit.held(&nonce) };
    // The answer to another member's question, passed on.
    let passed_on = held(of_cleo, &own);
    assert_eq!(holders.handle(&bert, &passed_on, NOW_MS), Heard::Nothing);
    // That of a member that has altered what it keeps.
    assert_eq!(holders.handle(&bert, &held(of_bert, &kit(&fixture, 3)), NOW_MS), Heard::Lacks);
    // The question is closed: a second answer to it counts for nothing.
    assert_eq!(holders.handle(&bert, &held(of_bert, &own), NOW_MS), Heard::Nothing);
    assert_eq!(holders.held().count(), 0);
    assert!(!holders.are_enough(NOW_MS));
    // It is sent again, with another nonce.
    let mut again = holders.due(NOW_MS + 10_000, false, || Some([77; 32]));
    again.retain(|(peer, _)| *peer == bert);
    let [(_, KitContent::Keep { nonce, .. })] = again.as_slice() else { panic!("{again:?}") };
    assert_eq!(holders.handle(&bert, &held(*nonce, &own), NOW_MS), Heard::Holds);
}

#[test]
fn a_member_is_asked_again_after_a_week_and_gets_the_kit_again_if_it_was_lost() {
    let fixture = Fixture::new(2, 3);
    let mut holders = holders(&fixture);
    let (mut draw, bert) = (counting(), peer(seat(1)));
    let mut kept = None;
    for (from, asked) in holders.due(NOW_MS, false, &mut draw) {
        let mut other = None;
        let kept = if from == bert { &mut kept } else { &mut other };
        let answer = honest(kept, &asked);
        holders.handle(&from, &answer, NOW_MS);
    }
    assert_eq!(holders.due(NOW_MS + WEEK_MS - 1, false, &mut draw), []);
    let later = NOW_MS + WEEK_MS;
    let asked = holders.due(later, false, &mut draw);
    assert!(asked.iter().all(|(_, asked)| matches!(asked, KitContent::Ask { .. })), "{asked:?}");
    let (_, of_bert) = asked.iter().find(|(peer, _)| *peer == bert).unwrap();
    let answer = honest(&mut None, of_bert);
    assert_eq!(holders.handle(&bert, &answer, later), Heard::Lacks);
    assert!(!holders.held().any(|(seat, _)| seat == self::seat(1)));
    let again = holders.due(later + 10_000, false, &mut draw);
    let (_, of_bert) = again.iter().find(|(peer, _)| *peer == bert).unwrap();
    assert!(matches!(of_bert, KitContent::Keep { .. }), "{of_bert:?}");
    // One whose answer is awaited is not asked each time.
    assert_eq!(holders.due(later + 10_001, false, &mut draw), []);
    // A member that has connected is asked at once.
    holders.connected(&bert);
    assert_eq!(holders.due(later + 10_001, false, &mut draw).len(), 1);
    // What was shown before a restart is told of after it.
    let shown = [(seat(1), NOW_MS), (seat(2), NOW_MS)];
    let mut restarted = Holders::new(kit(&fixture, 2), &fixture.group, &peer(seat(0)), &shown);
    assert_eq!(restarted.held().count(), 2);
    assert_eq!(restarted.due(NOW_MS + 1, false, &mut draw), []);
}

#[test]
fn the_host_key_leaves_on_what_was_shown_within_the_last_hour_and_not_before_a_restart() {
    const HOUR_MS: u64 = 60 * 60 * 1000;
    let fixture = Fixture::new(2, 3);
    let (mut draw, own) = (counting(), kit(&fixture, 2));
    let shown = [(seat(1), NOW_MS), (seat(2), NOW_MS)];
    let mut holders = Holders::new(own.clone(), &fixture.group, &peer(seat(0)), &shown);
    assert!(!holders.are_enough(NOW_MS));
    // All are asked again.
    let asked = holders.due(NOW_MS, true, &mut draw);
    assert_eq!(asked.len(), 2);
    for (from, asked) in &asked {
        assert!(!holders.are_enough(NOW_MS));
        let answer = honest(&mut Some(own.clone()), asked);
        assert_eq!(holders.handle(from, &answer, NOW_MS), Heard::Holds);
    }
    assert!(holders.are_enough(NOW_MS + HOUR_MS - 1));
    assert_eq!(holders.due(NOW_MS + HOUR_MS - 1, true, &mut draw), []);
    assert!(!holders.are_enough(NOW_MS + HOUR_MS));
    assert!(!holders.are_enough(NOW_MS - 1));
    assert_eq!(holders.due(NOW_MS + HOUR_MS, false, &mut draw), []);
    assert_eq!(holders.due(NOW_MS + HOUR_MS, true, &mut draw).len(), 2);
}

#[test]
fn one_that_always_lacks_the_kit_is_sent_it_after_pauses_that_grow() {
    let fixture = Fixture::new(2, 2);
    let mut holders = holders(&fixture);
    let (mut draw, mut now) = (counting(), NOW_MS);
    for (round, pause) in [2_000, 4_000, 8_000, 16_000].into_iter().enumerate() {
        let [(from, asked)] = holders.due(now, false, &mut draw).try_into().unwrap();
        let KitContent::Keep { nonce, .. } = asked else { panic!("{asked:?}") };
        let heard = holders.handle(&from, &KitContent::Lacking { nonce }, now);
        assert_eq!(heard, if round == 0 { Heard::Lacks } else { Heard::StillLacks });
        assert_eq!(holders.due(now + pause - 1, false, &mut draw), []);
        now += pause;
    }
}

#[test]
fn members_are_asked_until_each_has_answered_its_own_question_once() {
    let (bert, cleo) = (peer(seat(1)), peer(seat(2)));
    let mut asking = Asking::new([bert.clone(), cleo.clone()]);
    let mut draw = counting();
    let due = asking.due(NOW_MS, &mut draw);
    assert_eq!(due.len(), 2);
    let (of_bert, of_cleo) = (due[0].1, due[1].1);
    // Another one's question, and none.
    assert!(!asking.answered(&bert, &of_cleo) && !asking.answered(&peer(seat(3)), &of_bert));
    assert!(asking.answered(&bert, &of_bert) && !asking.answered(&bert, &of_bert));
    // The other one is asked again, after pauses that grow, and at once when it connects.
    assert_eq!(asking.due(NOW_MS + 1_999, &mut draw), []);
    assert_eq!(asking.due(NOW_MS + 2_000, &mut draw).len(), 1);
    assert_eq!(asking.due(NOW_MS + 5_999, &mut draw), []);
    asking.connected(&cleo);
    let again = asking.due(NOW_MS + 5_999, &mut draw);
    // What was asked before is not open any more.
    assert!(!asking.is_done() && !asking.answered(&cleo, &of_cleo));
    assert!(asking.answered(&cleo, &again[0].1) && asking.is_done());
}

#[test]
fn messages_about_kits_are_read_as_they_were_written_and_nothing_else_is() {
    let fixture = Fixture::new(2, 3);
    let (nonce, kit) = ([3; 32], kit(&fixture, 2));
    let key = KeyId::from_bytes([9; 32]);
    let (id, proof) = (kit.id(), kit.held(&nonce));
    for content in [
        KitContent::Keep { nonce, kit: Box::new(kit.clone()) },
        KitContent::Ask { nonce, kit: id },
        KitContent::Held { nonce, proof },
        KitContent::Lacking { nonce },
        KitContent::Give { nonce, host: kit.host().serialize() },
        KitContent::Returned { nonce, seat: seat(2), through: seat(1), at_ms: NOW_MS },
        KitContent::Noted { nonce },
    ] {
        let message = KitMessage { key, content };
        let bytes = message.encode();
        assert_eq!(KitMessage::peek_key(&bytes), Some(key));
        assert_eq!(KitMessage::decode(&bytes).unwrap(), message);
        for length in 0..bytes.len() {
            assert!(KitMessage::decode(&bytes[..length]).is_err());
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(matches!(KitMessage::decode(&longer), Err(KitMessageError::Length { .. })));
    }
    // Of whole kits each number up to 16 is a message.
    for count in [0, 1, 16, 17] {
        let content = KitContent::Given { nonce, kits: vec![kit.clone(); count.min(16)] };
        let message = KitMessage { key, content };
        let mut bytes = message.encode();
        assert_eq!(KitMessage::decode(&bytes).unwrap(), message);
        assert!(KitMessage::decode(&bytes[..bytes.len() - 1]).is_err());
        if count == 17 {
            bytes.extend(kit.as_bytes());
            assert!(KitMessage::decode(&bytes).is_err());
        }
    }
    // What stands in a kit is checked before it is one.
    for at in [0, 39, 37] {
        let mut bytes = *kit.as_bytes();
        bytes[at] = 0xff;
        assert!(Kit::decode(&bytes).is_err(), "{at}");
    }
    assert_eq!(Kit::decode(kit.as_bytes()).unwrap(), kit);
    assert_eq!(kit.group(), fixture.group.id());
    assert_ne!(KitId::from_bytes([0; 32]), id);
    assert_ne!(GroupId::from_bytes([0; 32]), kit.group());
}
