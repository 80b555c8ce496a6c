//! The messages that the operator has rejected.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use roastery_protocol::{SessionId, request::SigningRequest};

use crate::policy::Key;

/// The most messages that are remembered for each key, the latest rejections.
pub(in crate::service) const MOST_MESSAGES: usize = 65_536;

/// The messages that the operator has rejected, by key: over all groups that share one.
#[derive(Debug, Default)]
pub(in crate::service) struct RejectedMessages(Mutex<BTreeMap<Key, Known>>);

/// The request in which each message was rejected first, and their order.
#[derive(Debug, Default)]
struct Known {
    requests: BTreeMap<[u8; 32], SessionId>,
    order: VecDeque<[u8; 32]>,
}

impl RejectedMessages {
    /// The operator has rejected a request. Returns how many messages were evicted for it, the
    /// oldest rejections first.
    pub(in crate::service) fn note(&self, key: Key, request: &SigningRequest) -> u64 {
        let mut all = self.lock();
        let known = all.entry(key).or_default();
        let mut forgotten = 0;
        for entry in request.messages() {
            if known.requests.contains_key(&entry.message) {
                continue;
            }
            if known.order.len() >= MOST_MESSAGES
                && let Some(oldest) = known.order.pop_front()
            {
                known.requests.remove(&oldest);
                forgotten += 1;
            }
            known.order.push_back(entry.message);
            known.requests.insert(entry.message, request.session_id());
        }
        forgotten
    }

    /// The operator has approved a request: these messages are rejected no more.
    pub(in crate::service) fn forget(&self, key: Key, request: &SigningRequest) {
        let mut all = self.lock();
        let Some(known) = all.get_mut(&key) else { return };
        let mut found = false;
        for entry in request.messages() {
            found |= known.requests.remove(&entry.message).is_some();
        }
        if found {
            let Known { requests, order } = known;
            order.retain(|message| requests.contains_key(message));
        }
    }

    /// The rejected request that has one of these messages: one signature of two would sign a part
    /// of what was rejected.
    pub(in crate::service) fn twin<'a>(
        &self,
        key: Key,
        messages: impl IntoIterator<Item = &'a [u8; 32]>,
    ) -> Option<SessionId> {
        let all = self.lock();
        let known = all.get(&key)?;
        messages.into_iter().find_map(|message| known.requests.get(message).copied())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Known>> {
        // A panic in between leaves a message in one of two lists, and ends the process.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use roastery_protocol::{
        GroupId,
        request::{Derivation, MessageToSign},
    };

    use super::*;

    const KEY: Key = [1; 32];

    fn request(id: u8, messages: &[u32]) -> SigningRequest {
        let messages = messages.iter().map(|number| {
            let mut message = [0; 32];
            message[..4].copy_from_slice(&number.to_be_bytes());
            MessageToSign { message, derivation: Derivation::key_path_only() }
        });
        SigningRequest::new(GroupId::from_bytes([2; 32]), [id; 32], 9, messages.collect()).unwrap()
    }

    fn twin_of(
        rejected: &RejectedMessages,
        key: Key,
        request: &SigningRequest,
    ) -> Option<SessionId> {
        rejected.twin(key, request.messages().iter().map(|entry| &entry.message))
    }

    #[test]
    fn what_was_rejected_is_known_again_under_another_id_and_in_part() {
        let rejected = RejectedMessages::default();
        let first = request(1, &[1, 2]);
        assert_eq!(rejected.note(KEY, &first), 0);
        let twin = |request| twin_of(&rejected, KEY, &request);
        for same in [request(2, &[1, 2]), request(3, &[2]), request(4, &[3, 1])] {
            assert_eq!(twin(same), Some(first.session_id()));
        }
        assert_eq!(twin(request(5, &[3])), None);
        // Another key is independent of it.
        assert_eq!(twin_of(&rejected, [2; 32], &request(2, &[1, 2])), None);
        // The operator approves it after all.
        rejected.forget(KEY, &request(2, &[1, 2]));
        assert_eq!(twin_of(&rejected, KEY, &request(3, &[1])), None);
        assert_eq!(rejected.note(KEY, &request(6, &[1])), 0);
        assert_eq!(twin_of(&rejected, KEY, &request(3, &[1])), Some(request(6, &[1]).session_id()));
    }

    #[test]
    fn of_too_many_rejected_messages_the_oldest_leave_first_and_are_counted() {
        let rejected = RejectedMessages::default();
        let most = u32::try_from(MOST_MESSAGES).unwrap();
        for first in (0..most).step_by(64) {
            let messages: Vec<u32> = (first..first + 64).collect();
            assert_eq!(rejected.note(KEY, &request(1, &messages)), 0);
        }
        assert_eq!(rejected.note(KEY, &request(2, &[most, most + 1])), 2);
        assert_eq!(twin_of(&rejected, KEY, &request(3, &[0])), None);
        assert!(twin_of(&rejected, KEY, &request(3, &[2])).is_some());
        assert!(twin_of(&rejected, KEY, &request(3, &[most + 1])).is_some());
    }
}
