//! Rows 6, 7, 65, 67: what is asked for, what is approved, and that these are the same.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use roastery_protocol::request::{
    ApprovalError, ApprovedRequest, Derivation, DerivationError, MAX_LIFETIME_SECONDS, MAX_TEXT,
    MAX_TRANSACTION, MessageToSign, Policy, RefusalReason, RequestError, SigningRequest, Step,
    Subject, SubjectError, Taproot,
};

use super::*;
use roastery_testkit::forge::files::{RawMessage, RawRequest, RawTaproot};

/// A policy with one answer that remembers what it was asked.
struct Recorder {
    answer: Result<(), RefusalReason>,
    asked: Mutex<Vec<(SigningRequest, Step)>>,
}

impl Recorder {
    fn new(answer: Result<(), RefusalReason>) -> Arc<Self> {
        Arc::new(Recorder { answer, asked: Mutex::default() })
    }

    fn asked(&self) -> Vec<(SigningRequest, Step)> {
        self.asked.lock().unwrap().clone()
    }
}

impl Policy for Recorder {
    fn judge(&self, request: &SigningRequest, step: Step) -> Result<(), RefusalReason> {
        self.asked.lock().unwrap().push((request.clone(), step));
        self.answer
    }
}

fn entry(path: Vec<u32>) -> MessageToSign {
    MessageToSign {
        message: [1; 32],
        derivation: Derivation { path, taproot: Taproot::KeyPathOnly },
    }
}

/// A request of these messages, made and read.
fn made_and_read(messages: &[MessageToSign]) -> [Result<SigningRequest, RequestError>; 2] {
    let group = roastery_protocol::GroupId::from_bytes([5; 32]);
    let raw = RawRequest {
        version: 1,
        group: [5; 32],
        id: [6; 32],
        expiry: 7,
        messages: messages
            .iter()
            .map(|entry| RawMessage {
                message: entry.message,
                path: entry.derivation.path.clone(),
                taproot: RawTaproot::KeyPathOnly,
            })
            .collect(),
    };
    [
        SigningRequest::new(group, [6; 32], 7, messages.to_vec()),
        SigningRequest::decode(&raw.bytes()),
    ]
}

#[test]
fn a_request_has_1_to_64_messages() {
    for (count, good) in [(0, false), (1, true), (64, true), (65, false)] {
        for result in made_and_read(&vec![entry(Vec::new()); count]) {
            match result {
                Ok(request) => assert!(good && request.messages().len() == count),
                Err(RequestError::MessageCount { count: said }) => {
                    assert!(!good && said == count);
                }
                Err(other) => panic!("{count}: {other}"),
            }
        }
    }
}

// Row 65: a raw tweak that cannot be judged.

#[test]
fn a_path_has_at_most_8_steps() {
    for length in [0, 1, 8, 9, 10] {
        for result in made_and_read(&[entry(Vec::new()), entry(vec![0; length])]) {
            match result {
                Ok(_) => assert!(length <= 8),
                Err(RequestError::Derivation { message: 1, source }) => {
                    assert_eq!(source, DerivationError::PathTooLong { length });
                    assert!(length > 8);
                }
                Err(other) => panic!("{length}: {other}"),
            }
        }
    }
}

#[test]
fn a_step_of_a_path_is_below_two_to_the_thirty_first() {
    let hardened = 1 << 31;
    for index in [0, 1, hardened - 1, hardened, hardened + 1, u32::MAX] {
        for step in [0, 7] {
            let mut path = vec![0; 8];
            path[step] = index;
            for result in made_and_read(&[entry(path.clone())]) {
                match result {
                    Ok(_) => assert!(index < hardened),
                    Err(RequestError::Derivation { message: 0, source }) => {
                        assert_eq!(source, DerivationError::Hardened { step, index });
                        assert!(index >= hardened);
                    }
                    Err(other) => panic!("{index}: {other}"),
                }
            }
            let fixture = Fixture::new(2, 2);
            let derivation = Derivation { path, taproot: Taproot::Untweaked };
            assert_eq!(derivation.tweaks(&fixture.group).is_ok(), index < hardened);
        }
    }
}

#[test]
fn a_request_names_a_path_and_a_kind_of_output_and_carries_no_tweak() {
    // A new field or kind makes this not compile.
    let MessageToSign { message: _, derivation: Derivation { path, taproot } } = entry(vec![1, 2]);
    match taproot {
        Taproot::Untweaked | Taproot::KeyPathOnly | Taproot::ScriptRoot([_, ..]) => {}
    }
    let _: Vec<u32> = path;
}

// Row 67: a proposal that differs by one bit at some nodes.

#[test]
fn each_bit_of_a_request_makes_another_session() {
    let request = Fixture::new(2, 2).messages(3).signing_request(1);
    let bytes = request.encode();
    let mut sessions = BTreeSet::from([request.session_id()]);
    let mut read = 1;
    for bit in 0..8 * bytes.len() {
        let mut other = bytes.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = SigningRequest::decode(&other) {
            assert_ne!(other, request);
            sessions.insert(other.session_id());
            read += 1;
        }
    }
    assert_eq!(sessions.len(), read);
    // All but version, counts and kinds can be anything, within their range.
    assert!(read > 8 * (32 + 32 + 8 + 3 * 32), "{read}");
}

#[test]
fn a_subject_that_is_too_long_and_a_text_for_several_messages_are_refused() {
    let fixture = Fixture::new(2, 3);
    let of = |messages: Vec<[u8; 32]>| {
        let derivation = Derivation::key_path_only();
        let entry = |message| MessageToSign { message, derivation: derivation.clone() };
        let messages = messages.into_iter().map(entry).collect();
        SigningRequest::new(fixture.group.id(), [1; 32], 1, messages).unwrap()
    };
    let text = |text: &str| Subject::Text(text.to_owned());
    let pay = [7; 32];
    assert_eq!(text("pay").check(&of(vec![pay])), Ok(()));
    let count = SubjectError::MessageCount { count: 2 };
    assert_eq!(text("pay").check(&of(vec![pay, pay])), Err(count));
    assert_eq!(Subject::Hash.check(&of(vec![pay, pay])), Ok(()));

    let longest = "a".repeat(MAX_TEXT);
    assert_eq!(text(&longest).check(&of(vec![pay])), Ok(()));
    let longer = longest + "a";
    let (length, most) = (MAX_TEXT + 1, MAX_TEXT);
    let too_long = SubjectError::TooLong { kind: "text", length, most };
    assert_eq!(text(&longer).check(&of(vec![pay])), Err(too_long));
    assert_eq!(Subject::Transaction(vec![0; MAX_TRANSACTION]).check(&of(vec![pay])), Ok(()));
    let (length, most) = (MAX_TRANSACTION + 1, MAX_TRANSACTION);
    let too_long = SubjectError::TooLong { kind: "transaction", length, most };
    assert_eq!(Subject::Transaction(vec![0; length]).check(&of(vec![pay])), Err(too_long));
}

#[test]
fn what_was_approved_is_what_the_policy_saw_and_what_the_engine_gets() {
    let fixture = Fixture::new(2, 2).messages(5);
    let policy = Recorder::new(Ok(()));
    let bytes = fixture.signing_request(1).encode();
    let request = SigningRequest::decode(&bytes).unwrap();
    let approved =
        ApprovedRequest::obtain(request, &fixture.group, policy.clone(), fixture.now).unwrap();
    assert_eq!(policy.asked(), [(approved.request().clone(), Step::Join)]);
    assert_eq!(approved.request().encode(), bytes);
    assert_eq!(approved.session_id(), approved.request().session_id());
    for (key, entry) in approved.keys().iter().zip(approved.request().messages()) {
        assert_eq!(key.message, entry.message);
        let tweaks = entry.derivation.tweaks(&fixture.group).unwrap();
        assert_eq!(key.public_key(), tweaks.x_only_public_key());
    }
    assert_eq!(approved.keys().len(), 5);
}

// Rows 6, 7: nothing is signed that this node did not approve.

#[test]
fn what_the_policy_refuses_is_not_approved_and_the_reason_is_told() {
    let fixture = Fixture::new(2, 2);
    for reason in [RefusalReason::Policy, RefusalReason::Busy, RefusalReason::Operator] {
        let policy = Recorder::new(Err(reason));
        let request = fixture.signing_request(1);
        let refused =
            ApprovedRequest::obtain(request.clone(), &fixture.group, policy.clone(), fixture.now)
                .unwrap_err();
        assert_eq!(refused, ApprovalError::Refused(reason));
        assert_eq!(refused.reason(), reason);
        assert_eq!(policy.asked(), [(request, Step::Join)]);
    }
}

#[test]
fn a_request_of_another_group_is_refused_before_the_policy_is_asked() {
    let (fixture, elsewhere) = (Fixture::new(2, 2), Fixture::new(2, 2));
    let policy = Recorder::new(Ok(()));
    let request = elsewhere.signing_request(1);
    let refused = ApprovedRequest::obtain(request, &fixture.group, policy.clone(), fixture.now);
    let (requested, group) = (elsewhere.group.id(), fixture.group.id());
    let refused = refused.unwrap_err();
    assert_eq!(refused, ApprovalError::OtherGroup { requested, group });
    assert_eq!(refused.reason(), RefusalReason::Unacceptable);
    assert_eq!(policy.asked(), []);
}

/// Whether a request that expires at this time by the wall clock is approved now.
fn approval(fixture: &Fixture, expiry: u64) -> Result<ApprovedRequest, ApprovalError> {
    let policy = Recorder::new(Ok(()));
    let request =
        SigningRequest::new(fixture.group.id(), [1; 32], expiry, vec![entry(Vec::new())]).unwrap();
    let result = ApprovedRequest::obtain(request, &fixture.group, policy.clone(), fixture.now);
    assert_eq!(result.is_ok(), !policy.asked().is_empty());
    result
}

#[test]
fn a_request_is_approved_up_to_the_second_before_its_expiry() {
    let mut fixture = Fixture::new(2, 2);
    let now = fixture.now.wall_seconds();
    for fraction in [0, 1, 999_999_999] {
        fixture.now.wall = std::time::Duration::new(now, fraction);
        assert!(approval(&fixture, now + 1).is_ok());
        for expiry in [now, now - 1, 0] {
            let refused = approval(&fixture, expiry).unwrap_err();
            assert_eq!(refused, ApprovalError::Expired { expiry, now });
            assert_eq!(refused.reason(), RefusalReason::Expired);
        }
    }
}

#[test]
fn a_request_lives_for_a_week_at_most() {
    let fixture = Fixture::new(2, 2);
    let week = 7 * 24 * 60 * 60;
    assert_eq!(MAX_LIFETIME_SECONDS, week);
    let now = fixture.now.wall_seconds();
    for seconds in [week - 1, week] {
        assert!(approval(&fixture, now + seconds).is_ok());
    }
    for seconds in [week + 1, u64::MAX - now] {
        let refused = approval(&fixture, now + seconds).unwrap_err();
        assert_eq!(refused, ApprovalError::TooLong { seconds });
        assert_eq!(refused.reason(), RefusalReason::Unacceptable);
    }
}
