//! Decisions of people elsewhere at a node of a group of two.

mod anew;

use bitcoin::Amount;
use roastery_bitcoin::wallet::Wallet;
use roastery_store::{
    Deed, Durability, KeptPasskey, KeptRequest, Principal, RequestState, Transaction,
};
use roastery_testkit::{payments::spend_of, peer, seat};

use super::{deciding::Proven, *};
use crate::{
    config::{PolicyConfig, SubjectKind},
    passkey::{
        Assertion, PasskeyError, RemoteError,
        tests::{Authenticator, authenticator_data, client_data},
    },
    service::{KnownRequest, Seen, fixture::TestNode, group::turns::Lane, passkeys::RemoteAct},
};

const ORIGIN: &str = "https://treasury.anna.example";
const HOST: &str = "treasury.anna.example";
const USER: Principal = Principal::User(1000);

/// Present and verified.
const SEEN: u8 = 5;

/// A person elsewhere, with a passkey of this node.
struct Person {
    name: &'static str,
    authenticator: Authenticator,
    credential: Vec<u8>,
}

impl Person {
    async fn added(node: &TestNode, name: &'static str, acts: bool) -> Self {
        let authenticator = Authenticator::p256();
        let credential = name.as_bytes().to_vec();
        let (key, kept_as) = (authenticator.key(), credential.clone());
        let passkey = KeptPasskey {
            name: name.to_owned(),
            credential: kept_as,
            key,
            acts,
            count: 0,
            made: 1,
        };
        let kept = passkey.clone();
        let keep = move |change: &mut Transaction<'_>| change.keep_passkey(&kept);
        assert!(node.shared.write(Durability::Synced, keep).await.unwrap());
        node.shared.remote.get().unwrap().change(|all| all.push(passkey));
        Self { name, authenticator, credential }
    }

    fn signs_as(
        &self,
        challenge: &[u8; 32],
        (kind, origin): (&str, &str),
        data: Vec<u8>,
    ) -> Assertion {
        let signed = self.authenticator.assert(client_data(kind, challenge, origin), data);
        Assertion { credential: self.credential.clone(), ..signed }
    }

    /// What the person's browser and authenticator give for a challenge.
    fn signs(&self, challenge: &[u8; 32], count: u32) -> Assertion {
        let data = authenticator_data(HOST, SEEN, count);
        self.signs_as(challenge, ("webauthn.get", ORIGIN), data)
    }
}

struct World {
    node: TestNode,
    anna: Person,
    kept: KeptRequest,
    seen: Seen,
    /// What leaves with the payment.
    leaves: u64,
}

/// A node on which a payment waits, and Anna elsewhere; `most` of the amount of the payment.
async fn world(most: impl FnOnce(u64) -> PolicyConfig) -> World {
    let amount = {
        let node = TestNode::with(policy(0)).await;
        let kept = node.stored(&node.payment_from(1), 1).await;
        node.group.examine(&kept).await.unwrap().spending().amount
    };
    let node = TestNode::with(most(amount)).await;
    let remote = Remote::new(ORIGIN.parse().unwrap(), &peer(seat(0))).unwrap();
    node.shared.remote.set(remote).unwrap();
    let anna = Person::added(&node, "anna", true).await;
    let kept = node.stored(&node.payment_from(1), 1).await;
    let seen = seen(&node, &kept).await;
    World { node, anna, kept, seen, leaves: amount }
}

fn policy(remote_most: u64) -> PolicyConfig {
    let kinds = vec![SubjectKind::Transaction, SubjectKind::Hash];
    PolicyConfig { kinds, remote_most, ..PolicyConfig::default() }
}

async fn seen(node: &TestNode, kept: &KeptRequest) -> Seen {
    let known = node.group.known_whole(kept.clone(), Lane::Operator, None).await;
    known.details.unwrap().seen
}

impl World {
    fn challenge(
        &self,
        person: &Person,
        approves: bool,
        kept: &KeptRequest,
        seen: Seen,
    ) -> Challenge {
        let session = kept.request.session_id();
        let passkey = person.name.to_owned();
        let wish = RemoteWish::Decide { approves, passkey, session, seen };
        self.node.shared.remote_challenge(&wish).unwrap()
    }

    /// A challenge to approve the payment.
    fn to_approve(&self) -> Challenge {
        self.challenge(&self.anna, true, &self.kept, self.seen)
    }

    fn prove(&self, ticket: &[u8], assertion: &Assertion) -> Result<Proven, ServiceError> {
        let acts = [RemoteAct::Approve, RemoteAct::Reject];
        self.node.shared.prove(ticket, assertion, &acts)
    }

    /// Hands on what was signed for a request, as the API does.
    async fn decide(
        &self,
        kept: &KeptRequest,
        ticket: &[u8],
        assertion: &Assertion,
    ) -> Result<KnownRequest, ServiceError> {
        let proven = self.prove(ticket, assertion)?;
        let kept = self.node.kept(kept.request.session_id()).await;
        self.node.group.decide_remotely(kept, proven, ticket, assertion).await
    }

    /// Anna approves a request as it is seen now.
    async fn approve(&self, kept: &KeptRequest, count: u32) -> Result<KnownRequest, ServiceError> {
        let seen = seen(&self.node, kept).await;
        let made = self.challenge(&self.anna, true, kept, seen);
        self.decide(kept, &made.ticket, &self.anna.signs(&made.challenge, count)).await
    }

    async fn is_untouched(&self) {
        let session = self.kept.request.session_id();
        assert_eq!(self.node.kept(session).await, self.kept);
        assert!(!self.node.group.is_running(session));
    }

    /// What the store counts for the limit of a day, in satoshi.
    async fn counted(&self) -> Vec<u64> {
        let read = |change: &mut Transaction<'_>| change.remote_approvals();
        let counted = self.node.shared.write(Durability::Deferred, read).await.unwrap();
        counted.iter().map(|one| one.satoshi).collect()
    }

    async fn acts(&self) -> Vec<(Principal, Deed)> {
        let acts = self.node.shared.store(|store| store.acts(0, 99)).await.unwrap();
        acts.into_iter().map(|(_, kept)| (kept.act.by, kept.act.deed)).collect()
    }
}

fn refused<T: std::fmt::Debug>(done: Result<T, ServiceError>) -> RemoteError {
    match done {
        Err(ServiceError::Remote(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_within_the_limit_is_approved_by_what_a_passkey_signs_and_that_is_recorded_first()
{
    let world = world(policy).await;
    let made = world.to_approve();
    assert_eq!(made.credential.as_ref(), Some(&world.anna.credential));
    let assertion = world.anna.signs(&made.challenge, 7);
    world.decide(&world.kept, &made.ticket, &assertion).await.unwrap();
    let session = world.kept.request.session_id();
    assert!(matches!(world.node.kept(session).await.state, RequestState::Approved(_)));
    let acts = world.acts().await;
    let anna = Principal::Passkey("anna".to_owned());
    let [(first, asserted), (second, approved)] = &acts[..] else { panic!("{acts:?}") };
    assert_eq!((first, second), (&anna, &anna));
    let Deed::Asserted { session: of, seen, approves: true, assertion: kept, .. } = asserted else {
        panic!("{asserted:?}")
    };
    assert_eq!((*of, *seen), (session, world.seen.to_bytes()));
    assert_eq!((&kept.ticket, &kept.signature), (&made.ticket, &assertion.signature));
    assert!(matches!(approved, Deed::Approved { session: of, .. } if *of == session));
    world.node.shared.store(|store| store.check_chain()).await.unwrap();
    // What was used is of no use again, neither as it is nor with another counter.
    assert_eq!(
        refused(world.decide(&world.kept, &made.ticket, &assertion).await),
        RemoteError::TicketUsed
    );
    let again = world.anna.signs(&made.challenge, 8);
    assert_eq!(refused(world.prove(&made.ticket, &again)), RemoteError::TicketUsed);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_approved_from_elsewhere_before_a_limit_is_set_and_a_rejection_needs_none() {
    let world = world(|_| policy(0)).await;
    let error = refused(world.approve(&world.kept, 1).await);
    assert!(matches!(error, RemoteError::AboveRequest { most: Amount::ZERO, .. }), "{error}");
    world.is_untouched().await;
    assert!(world.acts().await.is_empty());
    let made = world.challenge(&world.anna, false, &world.kept, world.seen);
    let assertion = world.anna.signs(&made.challenge, 2);
    world.decide(&world.kept, &made.ticket, &assertion).await.unwrap();
    let session = world.kept.request.session_id();
    let RequestState::Refused(_) = world.node.kept(session).await.state else { panic!() };
    assert!(matches!(&world.acts().await[0].1, Deed::Asserted { approves: false, .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_satoshi_above_the_limit_of_a_request_is_for_the_terminal() {
    let world = world(|amount| policy(amount - 1)).await;
    let sat = Amount::from_sat;
    let expected =
        RemoteError::AboveRequest { amount: sat(world.leaves), most: sat(world.leaves - 1) };
    assert_eq!(refused(world.approve(&world.kept, 1).await), expected);
    assert!(expected.is_limit());
    world.is_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sum_of_a_day_is_kept_over_a_restart_and_what_is_above_it_is_recorded_and_not_approved()
{
    let world = world(|amount| PolicyConfig {
        remote_most_per_day: Some(2 * amount - 1),
        ..policy(2 * amount)
    })
    .await;
    world.approve(&world.kept, 1).await.unwrap();
    // It pays another amount, so that it is not taken for the same payment.
    let mut psbt = world.node.payment_from(2).document().decoded().clone();
    psbt.unsigned_tx.output.iter_mut().for_each(|output| output.value -= Amount::from_sat(1_000));
    let wallet = Wallet::new(world.node.members().clone()).unwrap();
    let other = world.node.stored(&spend_of(psbt, &wallet), 2).await;
    let error = refused(world.approve(&other, 2).await);
    assert!(matches!(error, RemoteError::AboveDay { .. }), "{error}");
    assert!(!world.node.group.is_running(other.request.session_id()));
    assert!(matches!(world.acts().await.last().unwrap().1, Deed::Asserted { .. }));
    // It is in the store, where the next start finds it.
    assert_eq!(world.counted().await, [world.leaves]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_approved_after_all_takes_nothing_of_the_sum_of_a_day() {
    // The policy of the node refuses what its limits for people elsewhere would allow.
    let world = world(|amount| {
        let transactions = roastery_bitcoin::policy::Rules {
            most_per_day: Some(amount - 1),
            ..Default::default()
        };
        PolicyConfig { transactions, ..policy(amount) }
    })
    .await;
    let refused = world.approve(&world.kept, 1).await.unwrap_err();
    assert!(matches!(refused, ServiceError::Refused(_)), "{refused}");
    world.is_untouched().await;
    assert!(world.counted().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_for_another_act_request_or_person_decides_nothing() {
    let world = world(policy).await;
    let bert = Person::added(&world.node, "bert", true).await;
    let made = world.to_approve();
    let to_reject = world.challenge(&world.anna, false, &world.kept, world.seen);
    // What was signed to approve is handed on with the ticket of a rejection, and the other way.
    for (ticket, challenge) in
        [(&to_reject.ticket, &made.challenge), (&made.ticket, &to_reject.challenge)]
    {
        let assertion = world.anna.signs(challenge, 1);
        let error = refused(world.prove(ticket, &assertion));
        assert_eq!(error, RemoteError::Passkey(PasskeyError::Challenge));
    }
    // The act stands in the ticket, which cannot be changed.
    let mut turned = to_reject.ticket.clone();
    turned[0] = made.ticket[0];
    let assertion = world.anna.signs(&to_reject.challenge, 1);
    assert_eq!(refused(world.prove(&turned, &assertion)), RemoteError::NoTicket);
    // Another person's passkey.
    assert_eq!(
        refused(world.prove(&made.ticket, &bert.signs(&made.challenge, 1))),
        RemoteError::OtherPasskey
    );
    // Another person's, under Anna's name.
    let forged =
        Assertion { credential: world.anna.credential.clone(), ..bert.signs(&made.challenge, 1) };
    assert_eq!(
        refused(world.prove(&made.ticket, &forged)),
        RemoteError::Passkey(PasskeyError::Signature)
    );
    // A sign-in is no decision, and a decision no sign-in.
    let entry = world.node.shared.remote_challenge(&RemoteWish::SignIn).unwrap();
    let assertion = world.anna.signs(&entry.challenge, 1);
    assert_eq!(refused(world.prove(&entry.ticket, &assertion)), RemoteError::OtherAct);
    let assertion = world.anna.signs(&made.challenge, 1);
    assert_eq!(
        refused(world.node.shared.sign_in(&made.ticket, &assertion).await),
        RemoteError::OtherAct
    );
    world.is_untouched().await;
    // The sign-in itself is good, once, and is recorded.
    let assertion = world.anna.signs(&entry.challenge, 1);
    let signed_in = world.node.shared.sign_in(&entry.ticket, &assertion).await.unwrap();
    assert_eq!(signed_in.name, "anna");
    assert_eq!(
        refused(world.node.shared.sign_in(&entry.ticket, &assertion).await),
        RemoteError::TicketUsed
    );
    assert_eq!(world.acts().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_of_another_page_site_or_without_a_verified_person_decides_nothing() {
    let world = world(policy).await;
    let made = world.to_approve();
    let good = authenticator_data(HOST, SEEN, 1);
    let get = ("webauthn.get", ORIGIN);
    for (said, data) in [
        (("webauthn.get", "https://evil.example"), good.clone()),
        (("webauthn.create", ORIGIN), good.clone()),
        (get, authenticator_data("evil.example", SEEN, 1)),
        (get, authenticator_data(HOST, 1, 1)),
        (get, authenticator_data(HOST, 4, 1)),
        (get, good[..36].to_vec()),
    ] {
        let assertion = world.anna.signs_as(&made.challenge, said, data);
        let error = refused(world.prove(&made.ticket, &assertion));
        assert!(matches!(error, RemoteError::Passkey(_)), "{error}");
    }
    let long = Assertion { signature: vec![0; 4096], ..world.anna.signs(&made.challenge, 1) };
    let error = refused(world.prove(&made.ticket, &long));
    assert!(matches!(error, RemoteError::Passkey(PasskeyError::TooLong { .. })), "{error}");
    world.is_untouched().await;
    // None of these has used the challenge up.
    world.decide(&world.kept, &made.ticket, &world.anna.signs(&made.challenge, 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_does_not_rise_decides_nothing_unless_the_passkey_counts_none() {
    let world = world(policy).await;
    let reject = async |count| {
        let made = world.challenge(&world.anna, false, &world.kept, world.seen);
        world.decide(&world.kept, &made.ticket, &world.anna.signs(&made.challenge, count)).await
    };
    // One that counts nothing.
    let entry = world.node.shared.remote_challenge(&RemoteWish::SignIn).unwrap();
    let assertion = world.anna.signs(&entry.challenge, 0);
    world.node.shared.sign_in(&entry.ticket, &assertion).await.unwrap();
    let entry = world.node.shared.remote_challenge(&RemoteWish::SignIn).unwrap();
    let assertion = world.anna.signs(&entry.challenge, 5);
    world.node.shared.sign_in(&entry.ticket, &assertion).await.unwrap();
    for count in [0, 4, 5] {
        let error = refused(reject(count).await);
        let name = "anna".to_owned();
        assert_eq!(error, RemoteError::Counter { name, count, before: 5 });
        world.is_untouched().await;
        // It is recorded.
        let anna = Principal::Passkey("anna".to_owned());
        let (operation, about) =
            ("passkey whose counter does not rise".to_owned(), format!("anna: {count} after 5"));
        assert_eq!(*world.acts().await.last().unwrap(), (anna, Deed::Asked { operation, about }));
    }
    reject(6).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_that_was_removed_or_may_only_read_decides_nothing() {
    let world = world(policy).await;
    let made = world.to_approve();
    let assertion = world.anna.signs(&made.challenge, 1);
    world.node.shared.remove_passkey("anna", USER).await.unwrap();
    assert_eq!(refused(world.prove(&made.ticket, &assertion)), RemoteError::UnknownPasskey);
    assert!(world.node.shared.store(|store| store.passkeys()).await.unwrap().is_empty());
    let cleo = Person::added(&world.node, "cleo", false).await;
    let session = world.kept.request.session_id();
    let (passkey, seen) = ("cleo".to_owned(), world.seen);
    let wish = RemoteWish::Decide { approves: false, passkey, session, seen };
    let error = refused(world.node.shared.remote_challenge(&wish));
    assert_eq!(error, RemoteError::ReadsOnly("cleo".to_owned()));
    let entry = world.node.shared.remote_challenge(&RemoteWish::SignIn).unwrap();
    let assertion = cleo.signs(&entry.challenge, 1);
    assert_eq!(world.node.shared.sign_in(&entry.ticket, &assertion).await.unwrap().name, "cleo");
    world.is_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_origin_a_passkey_is_removed_from_the_store_all_the_same() {
    let node = TestNode::with(policy(0)).await;
    let key = Authenticator::p256().key();
    let (name, credential) = ("anna".to_owned(), b"anna".to_vec());
    let kept = KeptPasskey { name, credential, key, acts: true, count: 0, made: 1 };
    let keep = move |change: &mut Transaction<'_>| change.keep_passkey(&kept);
    assert!(node.shared.write(Durability::Synced, keep).await.unwrap());
    node.shared.remove_passkey("anna", USER).await.unwrap();
    assert!(node.shared.store(|store| store.passkeys()).await.unwrap().is_empty());
    let none = node.shared.remove_passkey("anna", USER).await.unwrap_err();
    assert!(matches!(none, ServiceError::NotFound { .. }), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_changed_since_it_was_seen_is_not_approved() {
    let world = world(policy).await;
    let made = world.to_approve();
    let assertion = world.anna.signs(&made.challenge, 1);
    // Another payment comes that spends a coin of it.
    let twin = world.node.replacing(&world.node.payment_from(1), 1);
    let twin = world.node.stored(&twin, 2).await;
    world.node.group.examine(&twin).await.unwrap();
    let changed = world.decide(&world.kept, &made.ticket, &assertion).await.unwrap_err();
    assert!(matches!(changed, ServiceError::Changed), "{changed}");
    // As it is now it has a warning that stops, which is for the terminal.
    let error = refused(world.approve(&world.kept, 2).await);
    assert!(matches!(error, RemoteError::Stops(_)), "{error}");
    world.is_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pays_nothing_is_for_the_terminal() {
    let world = world(policy).await;
    let hashes = world.node.proposed().await;
    assert_eq!(refused(world.approve(&hashes, 1).await), RemoteError::NoPayment);
    assert!(!world.node.group.is_running(hashes.request.session_id()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_comes_by_the_code_of_the_terminal_and_counts_when_the_terminal_keeps_it() {
    let node = TestNode::with(policy(0)).await;
    let none = node.shared.open_enrolment("anna", true).unwrap_err();
    assert!(matches!(none, ServiceError::NotReady(_)), "{none}");
    let remote = Remote::new(ORIGIN.parse().unwrap(), &peer(seat(0))).unwrap();
    node.shared.remote.set(remote).unwrap();
    for bad in ["", "Anna", "a b"] {
        assert!(matches!(node.shared.open_enrolment(bad, true), Err(ServiceError::Invalid(_))));
    }
    let code = node.shared.open_enrolment("anna", true).unwrap();
    assert_eq!(refused(node.shared.begin_enrolment("qqqqqqqqqqqq")), RemoteError::NoCode);
    let begun = node.shared.begin_enrolment(&code).unwrap();
    let authenticator = Authenticator::p256();
    let data = authenticator.new_data(HOST, b"credential of anna");
    let made = client_data("webauthn.create", &begun.challenge, ORIGIN);
    // Made for another challenge, or at another page.
    let other = client_data("webauthn.create", &[9; 32], ORIGIN);
    let evil = client_data("webauthn.create", &begun.challenge, "https://evil.example");
    for bad in [other, evil] {
        assert!(matches!(refused(node.shared.enrol(&code, &bad, &data)), RemoteError::Passkey(_)));
    }
    let shown = node.shared.enrol(&code, &made, &data).unwrap();
    // It counts for nothing yet, and the code for nothing more.
    let remote = node.shared.remote.get().unwrap();
    assert!(remote.all().is_empty());
    assert_eq!(refused(node.shared.enrol(&code, &made, &data)), RemoteError::NoCode);
    let wrong = node.shared.keep_enrolled("0000 0000 0000 0000", USER).await.unwrap_err();
    assert!(matches!(wrong, ServiceError::NotFound { .. }), "{wrong}");
    let kept = node.shared.keep_enrolled(&shown, USER).await.unwrap();
    assert_eq!((kept.name.as_str(), kept.key), ("anna", authenticator.key()));
    assert_eq!(remote.all(), std::slice::from_ref(&kept));
    assert_eq!(node.shared.store(|store| store.passkeys()).await.unwrap(), [kept]);
    let again = node.shared.open_enrolment("anna", true).unwrap_err();
    assert!(matches!(again, ServiceError::Conflict(_)), "{again}");
    // The same credential under another name.
    let code = node.shared.open_enrolment("bert", true).unwrap();
    let begun = node.shared.begin_enrolment(&code).unwrap();
    assert_eq!(begun.others, [b"credential of anna".to_vec()]);
    let made = client_data("webauthn.create", &begun.challenge, ORIGIN);
    let twice = node.shared.enrol(&code, &made, &data).unwrap_err();
    assert!(matches!(twice, ServiceError::Conflict(_)), "{twice}");
}
