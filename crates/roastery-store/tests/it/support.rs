//! Fills a store, and reads all of it.

use roastery_frost::{Signature, SigningKey};
use roastery_protocol::{
    BodyHash, GroupId, Seat,
    keygen::Invitation,
    member::{
        Incarnation,
        machine::{Origin, Outcome},
    },
    request::RefusalReason,
    request::{Derivation, MessageToSign, SigningRequest, Subject},
};
use roastery_store::{
    Act, AuditCut, AuditEntry, Coin, ContentError, Decider, Decision, Deed, Durability,
    Examination, KeptBar, KeptGroup, Listing, NodeKeys, Notice, NoticeKind, Passphrase,
    PassphraseCost, Principal, Rejection, RequestState, Spending, StateKind, Store, StoreError,
    TransportSecret, WalletPart,
};
use zeroize::Zeroizing;

use super::fixture::*;

pub fn passphrase() -> Passphrase {
    Passphrase::new("correct horse".to_owned())
}

pub fn cheap() -> PassphraseCost {
    PassphraseCost::new(8, 1, 1).unwrap()
}

pub fn keys() -> NodeKeys {
    let identity = SigningKey::from_bytes(Zeroizing::new(IDENTITY)).unwrap();
    let transport = TransportSecret::from_bytes(Zeroizing::new(TRANSPORT));
    NodeKeys { identities: vec![identity], transport }
}

pub fn entry(kept: &Kept, time_ms: u64) -> AuditEntry {
    AuditEntry {
        time_ms,
        group: kept.group().id(),
        session: kept.request(0).session_id(),
        seat: Seat::new(0).unwrap(),
        coordinator: Seat::new(1).unwrap(),
        package: BodyHash::from_bytes([4; 32]),
        messages: vec![[9; 32]],
        key: [3; 32],
        decision: decision(Decider::Rules),
        spending: Spending {
            amount: 60_000,
            coins: vec![Coin { transaction: [6; 32], output: 1 }],
        },
    }
}

/// An incarnation; the greater is the later.
pub fn incarnation(milliseconds: u64) -> Incarnation {
    Incarnation::after(None, milliseconds, [1; 8])
}

/// A bar of a seat, at a time in milliseconds.
pub fn bar(seat: u32, time_ms: u64) -> KeptBar {
    KeptBar { seat: Seat::new(seat).unwrap(), time_ms }
}

/// A user of the machine has barred a member.
pub fn asked(time_ms: u64, about: &str) -> Act {
    let deed = Deed::Asked { operation: "bar".to_owned(), about: about.to_owned() };
    Act { time_ms, by: Principal::User(1000), deed }
}

/// The cut of the entries from one number to before another.
pub fn cut(first: u64, end: u64) -> AuditCut {
    AuditCut { first, end, sha256: [7; 32], time_ms: 9 }
}

/// A decision about a request of the fixture.
pub fn decision(by: Decider) -> Decision {
    let group = GroupId::from_bytes([2; 32]);
    let derivation = Derivation::key_path_only();
    let messages = vec![MessageToSign { message: [1; 32], derivation }];
    let request = SigningRequest::new(group, [1; 32], 9, messages).unwrap();
    let about = Examination::new(&request, &Subject::Hash, b"");
    Decision { by, about, revision: 0, at: 8 }
}

pub fn refused_by(by: Decider) -> RequestState {
    let (reason, text) = (RefusalReason::Policy, String::new());
    RequestState::Refused(Rejection { decision: decision(by), reason, text })
}

pub fn refused(reason: RefusalReason, text: &str) -> RequestState {
    let decision = decision(Decider::Operator);
    RequestState::Refused(Rejection { decision, reason, text: text.to_owned() })
}

pub fn refused_by_rules(reason: RefusalReason, text: &str) -> RequestState {
    let decision = decision(Decider::Rules);
    RequestState::Refused(Rejection { decision, reason, text: text.to_owned() })
}

pub fn approved() -> RequestState {
    RequestState::Approved(decision(Decider::Rules))
}

pub fn outcome(kept: &Kept) -> Outcome {
    Outcome {
        session: kept.request(0).session_id(),
        signatures: vec![Signature::from_bytes(&[5; 64])],
        package: BodyHash::from_bytes([4; 32]),
        origin: Some(Origin { coordinator: kept.accused, signers: kept.group().seats().collect() }),
    }
}

/// Stores one entry of each kind.
pub fn fill(store: &Store, kept: &Kept) {
    store.keep_keys(&keys()).unwrap();
    store.begin_keygen(&kept.invitation, &Kept::seeds()).unwrap();
    store.sign_transcript(kept.invitation.id(), kept.signed()).unwrap();
    store.finish_keygen(&kept.seats, &kept.recovery).unwrap();
    store.bind_name(&"treasury".parse().unwrap(), kept.group().id()).unwrap();
    store.begin_keygen(&second_invitation(kept), &Kept::seeds()).unwrap();
    for number in 0..2 {
        store.add_request(&kept.request(number), &Subject::Hash, None, 7).unwrap();
    }
    store.set_request(&kept.request(0), &RequestState::Signed(outcome(kept)), 9).unwrap();
    store.set_request(&kept.request(1), &approved(), 9).unwrap();
    store.keep_proof(kept.group(), &kept.proof).unwrap();
    store.keep_bars(kept.group().id(), &[bar(1, 5)]).unwrap();
    store.keep_wallet("tr(...)", WalletPart::Labels, b"labels".to_vec()).unwrap();
    store.keep_incarnation(kept.group().id(), incarnation(7)).unwrap();
    store.append_audit(&[entry(kept, 1)]).unwrap();
    store.append_act(&asked(2, "first")).unwrap();
    store.append_audit(&[entry(kept, 2)]).unwrap();
    let session = kept.request(1).session_id();
    let put = store.write(Durability::Synced, |transaction| {
        transaction.tell_once(NoticeKind::RequestWaiting, session)?;
        transaction.put_notice("phone", &notice(NoticeKind::RequestWaiting, 1))
    });
    put.unwrap();
}

/// A notice, distinguished by a number.
pub fn notice(kind: NoticeKind, number: u64) -> Notice {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    let (group, session, seat) = (None, None, Some(Seat::new(1).unwrap()));
    Notice { id, kind, time_ms: number, group, session, seat, text: "a reason".to_owned() }
}

fn id_of(kept: &KeptGroup) -> GroupId {
    kept.group.id()
}

/// Every request of these groups.
pub fn all_of(groups: impl IntoIterator<Item = GroupId>) -> Listing {
    let (groups, states) = (groups.into_iter().collect(), StateKind::ALL.to_vec());
    Listing { groups, states, before: u64::MAX, limit: usize::MAX }
}

/// An invitation of the same members, after the first.
pub fn second_invitation(kept: &Kept) -> Invitation {
    Invitation::new("treasury", 1, 2, kept.invitation.named_members()).unwrap()
}

/// The whole content of a store, secrets too, in an order that does not depend on the file.
pub fn everything(store: &Store) -> String {
    let keys = store.keys().unwrap();
    let keys = keys.map(|keys| {
        let identities = keys.identities.iter().map(SigningKey::expose_bytes).collect::<Vec<_>>();
        (identities, keys.transport.expose_bytes())
    });
    let groups = store.groups().unwrap();
    let groups: Vec<_> = groups
        .iter()
        .map(|kept| {
            let recovery = kept.recovery.as_ref().map(|file| file.encode());
            let seats = kept.seats.iter().map(|(seat, share)| (*seat, share.expose_bytes()));
            (kept.group.encode(), seats.collect::<Vec<_>>(), recovery)
        })
        .collect();
    let mut keygens: Vec<_> = store
        .keygens()
        .unwrap()
        .iter()
        .map(|kept| {
            let seats =
                kept.seats.iter().map(|own| (own.seat, own.seed.expose_bytes(), own.signed));
            (kept.invitation.encode(), seats.collect::<Vec<_>>())
        })
        .collect();
    keygens.sort_by(|a, b| a.0.cmp(&b.0));
    let requests = store.list(&all_of(store.groups().unwrap().iter().map(id_of))).unwrap();
    let names: Vec<_> = store
        .groups()
        .unwrap()
        .iter()
        .map(|kept| store.name_of(kept.group.id()).unwrap())
        .collect();
    let proofs = groups.iter().zip(store.groups().unwrap());
    let proofs: Vec<_> = proofs.map(|(_, kept)| store.proofs(kept.group.id()).unwrap()).collect();
    let bars = store.groups().unwrap();
    let bars: Vec<_> = bars.iter().map(|kept| store.bars(kept.group.id()).unwrap()).collect();
    let labels = store.wallet("tr(...)", WalletPart::Labels).unwrap();
    let (cuts, audit) = (store.audit_cuts().unwrap(), store.audit(0, 1000).unwrap());
    let (acts, head) = (store.acts(0, 1000).unwrap(), store.chain_head().unwrap());
    format!(
        "{keys:?} {groups:?} {keygens:?} {names:?} {requests:?} {proofs:?} {bars:?} {labels:?} {cuts:?} {acts:?} \
         {audit:?} {head:?}"
    )
}

/// Why the store refuses a content.
pub fn refusal(error: StoreError) -> ContentError {
    let StoreError::Content(error) = error else { panic!("{error}") };
    error
}
