use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use roastery_protocol::{
    SessionId,
    request::RefusalReason,
    request::{Policy, SigningRequest, Step},
};

/// An approval of one request, which can be withdrawn until a share has left.
#[derive(Debug)]
pub struct Approval {
    session: SessionId,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Holds,
    /// Until this time, unless it is renewed before.
    HoldsUntil(Instant),
    Withdrawn(RefusalReason),
}

impl Approval {
    /// An approval of this session's request.
    pub fn new(session: SessionId) -> Self {
        Self { session, state: Mutex::new(State::Holds) }
    }

    /// From now on it is valid for this long, unless it is renewed. One that was withdrawn stays
    /// withdrawn.
    pub fn renew(&self, validity: Duration) {
        let mut state = self.lock();
        if !matches!(*state, State::Withdrawn(_)) {
            *state = State::HoldsUntil(Instant::now() + validity);
        }
    }

    /// Withdraws it; the reason is sent to the others.
    pub fn withdraw(&self, reason: RefusalReason) {
        *self.lock() = State::Withdrawn(reason);
    }

    /// Whether it was withdrawn.
    pub fn is_withdrawn(&self) -> bool {
        matches!(*self.lock(), State::Withdrawn(_))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // One value, which is always consistent.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Policy for Approval {
    fn judge(&self, request: &SigningRequest, _: Step) -> Result<(), RefusalReason> {
        if request.session_id() != self.session {
            return Err(RefusalReason::Policy);
        }
        match *self.lock() {
            State::Holds => Ok(()),
            State::HoldsUntil(until) if Instant::now() < until => Ok(()),
            State::HoldsUntil(_) => Err(RefusalReason::Policy),
            State::Withdrawn(reason) => Err(reason),
        }
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

    #[test]
    fn an_approval_is_of_one_request_and_holds_until_it_is_withdrawn_or_has_run_out() {
        let approval = Approval::new(request(1).session_id());
        for step in [Step::Join, Step::Release] {
            assert_eq!(approval.judge(&request(1), step), Ok(()));
            assert_eq!(approval.judge(&request(2), step), Err(RefusalReason::Policy));
        }
        approval.renew(Duration::from_secs(3600));
        assert_eq!(approval.judge(&request(1), Step::Release), Ok(()));
        approval.renew(Duration::ZERO);
        assert_eq!(approval.judge(&request(1), Step::Release), Err(RefusalReason::Policy));
        approval.withdraw(RefusalReason::Operator);
        approval.renew(Duration::from_secs(3600));
        assert_eq!(approval.judge(&request(1), Step::Release), Err(RefusalReason::Operator));
    }
}
