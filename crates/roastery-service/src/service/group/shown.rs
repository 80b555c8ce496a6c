//! What a person sees of a request, and whether a decision is about the same.

use std::{fmt, str::FromStr};

use bitcoin::hex::{DisplayHex as _, FromHex as _};
use roastery_bitcoin::spend::{Level, Spend};
use roastery_frost::hash::tagged_hash;
use roastery_protocol::{
    GroupId,
    request::{SigningRequest, Subject},
};
use roastery_store::{Examination, KeptRequest, StoreError, Transaction};
use thiserror::Error;

use crate::{
    config::ApprovalMode,
    policy::{Examined, Refusal},
    service::group::{
        conflicts::{CoinsElsewhere, Conflicts},
        service::GroupService,
        state::{State, is_decided},
        warning::{RequestWarning, warnings_of},
    },
};

const SUBJECT: &str = "roastery/service/1/seen/subject";
const DRAFT: &str = "roastery/service/1/seen/draft";
const WHOLE: &str = "roastery/service/1/seen";

/// The length of each half of [`Seen`], in bytes.
const HALF: usize = 16;

/// What a person saw of a request: 16 bytes over the request and the subject that is shown with it,
/// and 16 bytes over that with the revision, the state, the warnings and what the policy says of
/// it. Of requests that only are proposed with the same coins it has whether there are some, and
/// not which: else one member could keep it changing. Opaque to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen([u8; 2 * HALF]);

impl Seen {
    pub(in crate::service) fn of_bytes(bytes: [u8; 2 * HALF]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub(in crate::service) fn to_bytes(self) -> [u8; 2 * HALF] {
        self.0
    }

    /// The same of a transaction that is not asked for yet: it has no request.
    fn of_draft(group: GroupId, subject: &Subject) -> [u8; HALF] {
        let Subject::Transaction(psbt) = subject else { return [0; HALF] };
        first_half(tagged_hash(DRAFT, &[group.as_bytes(), psbt]))
    }

    fn of_subject(request: &SigningRequest, subject: &Subject) -> [u8; HALF] {
        first_half(tagged_hash(SUBJECT, &[&Examination::new(request, subject, b"").to_bytes()]))
    }

    /// Whether it is of this request with this subject, whatever its state is.
    pub(in crate::service) fn is_of_subject(
        self,
        request: &SigningRequest,
        subject: &Subject,
    ) -> bool {
        self.0.starts_with(&Self::of_subject(request, subject))
    }
}

fn first_half(hash: [u8; 32]) -> [u8; HALF] {
    let mut half = [0; HALF];
    half.copy_from_slice(&hash[..HALF]);
    half
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hex().fmt(f)
    }
}

/// A text that is no [`Seen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("seen has 64 hexadecimal digits, as the request was shown with them")]
pub struct NotSeen;

impl FromStr for Seen {
    type Err = NotSeen;

    fn from_str(text: &str) -> Result<Self, NotSeen> {
        <[u8; 2 * HALF]>::from_hex(text).map(Self).map_err(|_| NotSeen)
    }
}

/// What the policy of this node says of a request now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// The rule or the limit that it breaks; `None` if it is allowed.
    pub refused: Option<String>,
    /// Who approves what is allowed.
    pub by: ApprovalMode,
    /// Why only the operator may approve it, whatever approves the others.
    pub left: Option<String>,
}

/// What a person sees of a request when deciding about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) struct Shown {
    pub(in crate::service) warnings: Vec<RequestWarning>,
    /// `None` if there is nothing to decide any more.
    pub(in crate::service) ruling: Option<Ruling>,
    pub(in crate::service) seen: Seen,
    /// What is as good as that: seen while further requests with the same coins were proposed,
    /// which are over by now.
    also: Vec<Seen>,
}

impl Shown {
    fn new(
        (subject, revision): ([u8; HALF], u64),
        state: State,
        mut warnings: Vec<RequestWarning>,
        conflicts: Conflicts,
        ruling: Option<Ruling>,
    ) -> Self {
        let mut compared = warnings.clone();
        compared.extend(conflicts.decided.iter().cloned());
        let [look, stop] = conflicts.proposed();
        let of = |proposed| seen(subject, revision, state, &compared, proposed, ruling.as_ref());
        let also = [[true, stop], [look, true], [true, true]].into_iter();
        let also = also.filter(|more| *more != [look, stop]).map(of).collect();
        let seen = of([look, stop]);
        warnings.extend(conflicts.lines());
        Self { warnings, ruling, seen, also }
    }

    /// Whether it is what was seen.
    pub(in crate::service) fn is(&self, seen: Seen) -> bool {
        self.seen == seen || self.also.contains(&seen)
    }
}

fn seen(
    subject: [u8; HALF],
    revision: u64,
    state: State,
    warnings: &[RequestWarning],
    proposed: [bool; 2],
    ruling: Option<&Ruling>,
) -> Seen {
    let mut bytes = subject.to_vec();
    bytes.extend(revision.to_le_bytes());
    put(&mut bytes, &state.to_string());
    bytes.extend(length(warnings.len()));
    for RequestWarning { code, level, text } in warnings {
        bytes.push(u8::from(*level == Level::Stop));
        put(&mut bytes, code);
        put(&mut bytes, text);
    }
    bytes.extend(proposed.map(u8::from));
    if let Some(Ruling { refused, by, left }) = ruling {
        put(&mut bytes, by.as_str());
        for text in [refused, left] {
            bytes.push(u8::from(text.is_some()));
            put(&mut bytes, text.as_deref().unwrap_or_default());
        }
    }
    let mut seen = [0; 2 * HALF];
    seen[..HALF].copy_from_slice(&subject);
    seen[HALF..].copy_from_slice(&first_half(tagged_hash(WHOLE, &[&bytes])));
    Seen(seen)
}

fn length(length: usize) -> [u8; 8] {
    (length as u64).to_le_bytes()
}

/// Appends a text, its length first.
fn put(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(length(text.len()));
    bytes.extend(text.as_bytes());
}

impl GroupService {
    /// What is shown of a request, with its transaction if that could be read, what its examination
    /// gave, and the other requests that spend its coins.
    pub(in crate::service) fn shown(
        &self,
        kept: &KeptRequest,
        spend: Option<&Spend>,
        examined: &Result<Examined, Refusal>,
        elsewhere: &CoinsElsewhere,
    ) -> Shown {
        let subject = Seen::of_subject(&kept.request, &kept.subject);
        self.shown_about((subject, kept.revision), kept, spend, examined, elsewhere)
    }

    /// The same of a transaction that is not asked for yet. It does not depend on the request that
    /// was made of it for its examination.
    pub(in crate::service) fn shown_as_draft(
        &self,
        kept: &KeptRequest,
        spend: &Spend,
        examined: &Result<Examined, Refusal>,
        elsewhere: &CoinsElsewhere,
    ) -> Shown {
        let subject = Seen::of_draft(self.group.id(), &kept.subject);
        self.shown_about((subject, 0), kept, Some(spend), examined, elsewhere)
    }

    /// The same of a request that exists, as if it were this draft of its transaction.
    pub(in crate::service) fn shown_instead(
        &self,
        draft: &Subject,
        kept: &KeptRequest,
        examined: &Examined,
        elsewhere: &CoinsElsewhere,
    ) -> Shown {
        let about = (Seen::of_draft(self.group.id(), draft), 0);
        let spend = examined.spend().map(|spend| &**spend);
        self.shown_about(about, kept, spend, &Ok(examined.clone()), elsewhere)
    }

    fn shown_about(
        &self,
        about: ([u8; HALF], u64),
        kept: &KeptRequest,
        spend: Option<&Spend>,
        examined: &Result<Examined, Refusal>,
        elsewhere: &CoinsElsewhere,
    ) -> Shown {
        let warnings = spend.map(warnings_of).unwrap_or_default();
        let state = self.current_state(kept).state;
        let conflicts = self.conflicts(kept, elsewhere);
        let ruling = (!is_decided(state)).then(|| {
            let checked = examined.as_ref().map(|examined| (examined, self.check(examined)));
            let (refused, left) = match checked {
                Err(refusal) => (Some(refusal.clone()), None),
                Ok((examined, check)) => (
                    check.and_then(|()| self.check_paid_once(&conflicts)).err(),
                    self.left_now(kept, examined, &conflicts),
                ),
            };
            let refused = refused.map(|refusal| refusal.to_string());
            Ruling { refused, by: self.approval_mode(), left }
        });
        Shown::new(about, state, warnings, conflicts, ruling)
    }

    /// Whether a request that was examined still shows what was seen: the request of this change,
    /// with the others that spend its coins or pay the same as they are in it.
    pub(in crate::service) fn still_shows(
        &self,
        change: &Transaction<'_>,
        kept: &KeptRequest,
        examined: &Examined,
        seen: Seen,
    ) -> Result<bool, StoreError> {
        let spend = examined.spend().map(|spend| &**spend);
        let elsewhere = self.elsewhere(kept, spend, |other| change.request(other))?;
        Ok(self.shows(kept, examined, &elsewhere, seen))
    }

    /// Whether a request that was examined shows what was seen.
    pub(in crate::service) fn shows(
        &self,
        kept: &KeptRequest,
        examined: &Examined,
        elsewhere: &CoinsElsewhere,
        seen: Seen,
    ) -> bool {
        let spend = examined.spend().map(|spend| &**spend);
        self.shown(kept, spend, &Ok(examined.clone()), elsewhere).is(seen)
    }
}

#[cfg(test)]
mod tests {
    use roastery_bitcoin::wallet::Wallet;
    use roastery_store::RequestState;
    use roastery_testkit::payments::{ordinary, spend_of};

    use super::*;
    use crate::{
        config::{PolicyConfig, SubjectKind},
        service::{
            ServiceError,
            decisions::{approval::ApprovalBasis, decision::tests::request},
            fixture::{TestNode, asking},
            group::turns::Lane,
        },
    };

    fn warning() -> RequestWarning {
        RequestWarning { code: "spent_twice", level: Level::Stop, text: "look".to_owned() }
    }

    fn about(kept: &KeptRequest) -> ([u8; HALF], u64) {
        (Seen::of_subject(&kept.request, &kept.subject), kept.revision)
    }

    fn ruling() -> Ruling {
        Ruling { refused: None, by: ApprovalMode::Manual, left: None }
    }

    #[test]
    fn what_was_seen_is_one_subject_revision_state_warning_and_ruling() {
        let kept = request();
        let seen = |kept: &KeptRequest, state, warnings: &[RequestWarning], ruling| {
            Shown::new(about(kept), state, warnings.to_vec(), Conflicts::default(), ruling).seen
        };
        let other = KeptRequest { subject: Subject::Transaction(vec![1]), ..kept.clone() };
        let later = KeptRequest { revision: 1, ..kept.clone() };
        let (mut milder, mut named) = (warning(), warning());
        milder.level = Level::Look;
        named.code = "burnt";
        let proposed = State::Proposed;
        let refused = Ruling { refused: Some("too much".to_owned()), ..ruling() };
        let left = Ruling { left: Some("too much".to_owned()), ..ruling() };
        let all = [
            seen(&kept, proposed, &[], Some(ruling())),
            seen(&other, proposed, &[], Some(ruling())),
            seen(&later, proposed, &[], Some(ruling())),
            seen(&kept, State::Failed, &[], Some(ruling())),
            seen(&kept, proposed, &[warning()], Some(ruling())),
            seen(&kept, proposed, &[milder], Some(ruling())),
            seen(&kept, proposed, &[named], Some(ruling())),
            seen(&kept, proposed, &[warning(), warning()], Some(ruling())),
            seen(&kept, proposed, &[], Some(refused)),
            seen(&kept, proposed, &[], Some(left)),
            seen(&kept, proposed, &[], Some(Ruling { by: ApprovalMode::Automatic, ..ruling() })),
            seen(&kept, proposed, &[], None),
        ];
        for (at, one) in all.iter().enumerate() {
            assert_eq!(all.iter().position(|other| other == one), Some(at));
            let of_subject = one.is_of_subject(&kept.request, &kept.subject);
            assert_eq!(of_subject, at != 1);
        }
        assert_eq!(seen(&kept, proposed, &[], Some(ruling())), all[0]);
        assert_eq!(all[0].to_string().parse(), Ok(all[0]));
        assert_eq!("12".parse::<Seen>(), Err(NotSeen));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_approval_of_what_was_seen_has_no_effect_once_a_coin_of_it_is_spent_elsewhere_too() {
        let kinds = vec![SubjectKind::Transaction];
        let node = TestNode::with(PolicyConfig { kinds, ..Default::default() }).await;
        let wallet = Wallet::new(node.members().clone()).unwrap();
        let spend = spend_of(ordinary(&wallet), &wallet);
        let kept = node.stored(&spend, 1).await;
        let session = kept.request.session_id();
        let shown = async || {
            let known =
                node.group.known_whole(node.kept(session).await, Lane::Operator, None).await;
            known.details.unwrap()
        };
        let before = shown().await;
        assert!(before.warnings.is_empty(), "{:?}", before.warnings);
        let examined = node.group.examine(&kept).await.unwrap();

        // Another one that spends a coin of it comes while the approval is under way.
        let twin = node.stored(&node.replacing(&spend, 1), 2).await;
        node.group.examine(&twin).await.unwrap();
        let approve = async |seen| {
            let basis = ApprovalBasis::Operator { asking: asking(0), seen: Some(seen) };
            node.group.approve(&kept, &examined, basis).await
        };
        let approved = approve(before.seen).await;
        assert!(matches!(approved, Err(ServiceError::Changed)), "{approved:?}");
        assert_eq!(node.kept(session).await, kept);
        assert!(!node.group.is_running(session));

        let after = shown().await;
        assert_ne!(after.seen, before.seen);
        let [RequestWarning { code, level, .. }] = &after.warnings[..] else {
            panic!("{:?}", after.warnings)
        };
        assert_eq!((*code, *level), ("spent_twice", Level::Stop));

        // Further ones change nothing that a decision is about.
        for number in 3..6 {
            let further = node.stored(&node.replacing(&spend, number.into()), number).await;
            node.group.examine(&further).await.unwrap();
        }
        let later = shown().await;
        assert_eq!(later.warnings.len(), 4);
        assert_eq!(later.seen, after.seen);
        let basis = ApprovalBasis::by_operator(0);
        let of_twin = node.group.examine(&twin).await.unwrap();
        node.group.approve(&twin, &of_twin, basis).await.unwrap();
        let approved = approve(after.seen).await;
        assert!(matches!(approved, Err(ServiceError::Changed)), "{approved:?}");
        let after = shown().await;
        assert!(after.warnings[0].text.contains("approved"), "{:?}", after.warnings);
        approve(after.seen).await.unwrap();
        assert!(matches!(node.kept(session).await.state, RequestState::Approved(_)));
    }

    #[test]
    fn one_member_that_proposes_and_lets_expire_changes_what_was_seen_once() {
        let kept = request();
        let shown = |proposed: &[RequestWarning], unread| {
            let conflicts =
                Conflicts { proposed: proposed.to_vec(), unread, ..Conflicts::default() };
            Shown::new(about(&kept), State::Proposed, Vec::new(), conflicts, Some(ruling()))
        };
        let look = RequestWarning { level: Level::Look, ..warning() };
        let (none, one) = (shown(&[], 0), shown(&[warning()], 0));
        assert!(!one.is(none.seen) && !shown(std::slice::from_ref(&look), 0).is(none.seen));
        assert!(!shown(&[look.clone(), warning()], 0).is(one.seen));
        assert_eq!(shown(&[warning(), warning()], 7).seen, one.seen);
        assert_eq!(shown(&[], 7).seen, one.seen);
        // What was there is over.
        assert!(none.is(one.seen));
        assert!(none.is(shown(&[look, warning()], 3).seen));
    }
}
