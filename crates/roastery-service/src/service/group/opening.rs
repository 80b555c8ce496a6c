//! Approvals that are about to take effect, beside rejections that are under way.
//!
//! A transaction may have many parts, which are approved one after the other and rejected together.
//! An approval is in here until its session is among those that are open, and a rejection until all
//! parts are rejected: so a rejection finds every approval, or is found by it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use roastery_bitcoin::spend::Part;
use roastery_protocol::request::{RefusalReason, SigningRequest};

use crate::policy::Approval;

/// Those of one group.
#[derive(Clone, Debug, Default)]
pub(in crate::service) struct Openings(Arc<Mutex<All>>);

#[derive(Debug, Default)]
struct All {
    next: u64,
    approvals: BTreeMap<u64, (SigningRequest, Arc<Approval>)>,
    rejections: BTreeMap<u64, SigningRequest>,
}

/// An approval or a rejection that is under way as long as this exists.
#[derive(Debug)]
pub(in crate::service) struct UnderWay {
    all: Arc<Mutex<All>>,
    number: u64,
}

/// Whether two requests may sign one transaction, or are the same.
fn are_of_one(one: &SigningRequest, other: &SigningRequest) -> bool {
    one == other || Part::may_be_of_one(one, other)
}

fn lock(all: &Mutex<All>) -> MutexGuard<'_, All> {
    // No step under the lock leaves it incomplete.
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

impl All {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Openings {
    /// Begins an approval; `None` while the request, or one that may be another part of its
    /// transaction, is being rejected.
    pub(in crate::service) fn approve(
        &self,
        request: &SigningRequest,
        approval: &Arc<Approval>,
    ) -> Option<UnderWay> {
        let mut all = lock(&self.0);
        if all.rejections.values().any(|rejected| are_of_one(rejected, request)) {
            return None;
        }
        let number = all.number();
        all.approvals.insert(number, (request.clone(), approval.clone()));
        Some(UnderWay { all: self.0.clone(), number })
    }

    /// Begins a rejection: all approvals under way that it concerns are withdrawn, and none begins
    /// until it has ended.
    pub(in crate::service) fn reject(
        &self,
        request: &SigningRequest,
        reason: RefusalReason,
    ) -> UnderWay {
        let mut all = lock(&self.0);
        for (approved, approval) in all.approvals.values() {
            if are_of_one(approved, request) {
                approval.withdraw(reason);
            }
        }
        let number = all.number();
        all.rejections.insert(number, request.clone());
        UnderWay { all: self.0.clone(), number }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut all = lock(&self.all);
        all.approvals.remove(&self.number);
        all.rejections.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use roastery_protocol::{
        GroupId,
        request::{Derivation, MessageToSign},
    };

    use super::*;

    fn request(id: u8) -> SigningRequest {
        let derivation = Derivation::key_path_only();
        let messages = vec![MessageToSign { message: [1; 32], derivation }];
        SigningRequest::new(GroupId::from_bytes([2; 32]), [id; 32], 9, messages).unwrap()
    }

    fn approval(id: u8) -> Arc<Approval> {
        Arc::new(Approval::new(request(id).session_id()))
    }

    #[test]
    fn a_rejection_withdraws_what_is_under_way_and_lets_nothing_begin_until_it_has_ended() {
        let all = Openings::default();
        let (first, other) = (approval(1), approval(2));
        let opening = all.approve(&request(1), &first).unwrap();
        let _other = all.approve(&request(2), &other).unwrap();
        let rejection = all.reject(&request(1), RefusalReason::Operator);
        assert!(first.is_withdrawn() && !other.is_withdrawn());
        assert!(all.approve(&request(1), &approval(1)).is_none());
        assert!(all.approve(&request(2), &approval(2)).is_some());
        drop(rejection);
        drop(opening);
        assert!(all.approve(&request(1), &approval(1)).is_some());
        // What has ended is withdrawn no more.
        let ended = approval(3);
        drop(all.approve(&request(3), &ended));
        drop(all.reject(&request(3), RefusalReason::Operator));
        assert!(!ended.is_withdrawn());
    }
}
