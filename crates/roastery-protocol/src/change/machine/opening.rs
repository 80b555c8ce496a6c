use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use roastery_frost::{
    Seat,
    change::{Certificate, CertificateError, ChangeParamsError},
};
use thiserror::Error;

use super::{Change, Engine, Fixed, Record, dealings::Dealings, signing::Choice};
use crate::{
    SessionId,
    change::{EpochOrder, Parent, Plan, RollCall, journal::Journal, message::Body},
    clock::Moment,
    election::Order,
    group::Group,
    keys::IdentityKey,
    machine::{Backoff, ReplyLimiter},
};

/// Intervals of a change. They matter to liveness only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The time without a certificate after which the number of live coordinators doubles.
    pub interval: Duration,
    /// The minimum interval between two sendings of one message to one receiver.
    pub repeat_min: Duration,
    /// The maximum interval between retransmissions of one message that is still owed.
    pub repeat_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            repeat_min: Duration::from_millis(500),
            repeat_max: Duration::from_secs(15),
        }
    }
}

/// Everything that a change needs to be opened.
#[derive(Debug)]
pub struct Opening<E> {
    /// The plan. The caller has checked it ([`Plan::check`]).
    pub plan: Plan,
    /// The group that it changes.
    pub parent: Arc<Group>,
    /// The place of that group in the order of epochs. Nothing is dealt unless it is current.
    pub place: EpochOrder,
    /// This node's old seats, each with the identity key of the parent's roster.
    pub old: Vec<(Seat, Arc<IdentityKey>)>,
    /// This node's new seats, each with the identity key of its card.
    pub new: Vec<(Seat, Arc<IdentityKey>)>,
    /// Holds this node's secrets.
    pub engine: E,
    /// How many members this node waits for before it deals: so many must have approved, however
    /// many seats each of them has, and t seats in any case.
    pub approving: usize,
    /// Whether this node may deal in the plan: it is the one with the highest number that was
    /// approved here, or none was
    /// ([`ApprovedNumbers::may_deal_in`](crate::change::ApprovedNumbers::may_deal_in)).
    pub may_deal: bool,
    /// When the plan ends, on the monotonic clock ([`Plan::check`]).
    pub deadline: Duration,
    /// The greatest certified epoch that this node knows; the parent's place at the least.
    pub current: EpochOrder,
    /// All records that were stored for this plan, in the order in which they were.
    pub stored: Vec<Record>,
    /// The certificate, if one was stored.
    pub certificate: Option<Vec<u8>>,
    /// Intervals.
    pub settings: Settings,
}

/// Why a change cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The group is not the plan's parent, or the place not that of the group.
    #[error("the group is not the one that the plan changes")]
    OtherParent,
    /// The node has no seat, old or new.
    #[error("the node has no seat in the change")]
    NoSeat,
    /// The seat has another identity key, or there is no such seat.
    #[error("the identity key is not that of the seat")]
    OtherIdentity,
    /// The engine has another host key than the card of a new seat, or none.
    #[error("the host key of new seat {seat} is not that of its card")]
    OtherHostKey {
        /// The new seat.
        seat: Seat,
    },
    /// The plan does not fit the group.
    #[error("{0}")]
    Params(#[from] ChangeParamsError),
    /// What was stored as the certificate is none.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
}

impl<E: Engine> Change<E> {
    /// Opens a change, or opens it again with what was stored.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the parts do not belong together.
    pub fn open(opening: Opening<E>, now: Moment) -> Result<Self, OpenError> {
        let Opening { plan, parent, place, old, new, engine, settings, .. } = opening;
        let number_and_plan = (parent.epoch().number(), parent.epoch().plan());
        if *plan.parent() != Parent::of(&parent) || (place.epoch(), place.plan()) != number_and_plan
        {
            return Err(OpenError::OtherParent);
        }
        if old.is_empty() && new.is_empty() {
            return Err(OpenError::NoSeat);
        }
        let is = |member: Option<&crate::group::Member>, key: &IdentityKey| {
            member.is_some_and(|member| member.identity_key == key.public_key())
        };
        let right = old.iter().all(|(seat, key)| is(parent.member(*seat), key))
            && new.iter().all(|(seat, key)| is(plan.member(*seat), key));
        if !right {
            return Err(OpenError::OtherIdentity);
        }
        let host_of = |seat| plan.member(seat).map(|member| member.host_key);
        let mut seats = new.iter().map(|(seat, _)| *seat);
        if let Some(seat) = seats.find(|seat| engine.host_public_key(*seat) != host_of(*seat)) {
            return Err(OpenError::OtherHostKey { seat });
        }
        let id = *plan.id().as_bytes();
        let params = plan.params(&parent)?;
        let certificate = opening.certificate.map(|bytes| Certificate::parse(&params, &bytes));
        let certificate = certificate.transpose()?;
        let choices = opening.stored.iter().filter_map(|record| match record {
            Record::Signed { coordinator, choice, .. } => {
                Some((*coordinator, Choice::new(choice.clone())))
            }
            _ => None,
        });
        let (min, max) = (settings.repeat_min, settings.repeat_max);
        let mut opened = Self {
            engine,
            choices: choices.collect(),
            refused: BTreeSet::new(),
            trials: BTreeMap::new(),
            has_signed: false,
            wants_to_approve: stands(&opening.stored),
            approval: approval_after(&opening.stored),
            wants_to_accept: opening.stored.contains(&Record::Accepted),
            withdraws: opening.stored.contains(&Record::Withdrawn),
            call: RollCall::new(plan.clone(), parent.clone()),
            called: false,
            running: None,
            dealings: Dealings::default(),
            own_dealings: BTreeMap::new(),
            cannot_deal: BTreeSet::new(),
            may_deal: opening.may_deal,
            coordinating: BTreeMap::new(),
            certificate: None,
            tells_stored: false,
            current: opening.current.max(place),
            announcing: Backoff::new(now.monotonic, min, max),
            said: BTreeSet::new(),
            wrong_certificates: BTreeMap::new(),
            disconnected: BTreeSet::new(),
            replies: ReplyLimiter::default(),
            expired: false,
            open_at: None,
            reported_open: false,
            outbox: VecDeque::new(),
            journal: Journal::stored(opening.stored),
            fixed: Fixed {
                // Both names are hashes under tags of their own, so that no session has the order
                // of a change.
                order: Order::of(SessionId::from_bytes(id), plan.seats()),
                plan,
                parent,
                place,
                params,
                old: old.into_iter().collect(),
                new: new.into_iter().collect(),
                approving: opening.approving,
                deadline: opening.deadline,
                settings,
            },
        };
        if opened.journal.has(&Record::Withdrawn) {
            for seat in opened.undealt() {
                opened.call.withdraw(seat);
            }
        }
        if let Some(certificate) = certificate {
            let envelope = opened.seal_as_any(&Body::Certificate(certificate.to_bytes()));
            opened.certificate = Some((certificate, envelope));
            opened.tells_stored = true;
        }
        opened.has_signed = opened.may_have_signed();
        if opened.has_signed {
            opened.may_be_open(now);
        }
        if opened.is_bound() {
            opened.begin_turns(now);
        }
        opened.progress(now);
        Ok(opened)
    }
}

/// Whether a stored approval still stands. One in a store from a backup may have been taken back
/// after it, or another plan approved: it stands again once it is given again. Until then only the
/// old seats whose own dealing is stored go on: it has left.
fn stands(stored: &[Record]) -> bool {
    let approvals = [Record::Approved, Record::ApprovedAgain];
    let last = stored.iter().rposition(|record| approvals.contains(record));
    let restored = stored.iter().rposition(|record| *record == Record::Restored);
    last.is_some() && !stored.contains(&Record::Withdrawn) && last > restored
}

/// What is stored before the next approval counts: one that does not stand any more is stored
/// already, and says nothing of another one.
fn approval_after(stored: &[Record]) -> Record {
    let is_again = stored.contains(&Record::ApprovedAgain);
    let is_void = stored.contains(&Record::Approved) && !stands(stored);
    if is_again || is_void { Record::ApprovedAgain } else { Record::Approved }
}
