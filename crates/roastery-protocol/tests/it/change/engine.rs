//! The engine of a node in a test of a change.

use roastery_frost::{
    Point, Seat, Signature,
    change::{ChangeParams, DealError, Dealing, OpenError, TakeError, Transcript},
    decode_point,
};
use roastery_protocol::{
    PlanId,
    change::machine::{Engine, FrostEngine},
};

/// An engine that finds the dealing of one old seat wrong, as it is where that one has dealt it a
/// wrong share.
#[derive(Debug)]
pub struct TestEngine {
    pub frost: FrostEngine,
    pub finds_wrong: Option<Seat>,
    /// It finds wrong and takes nothing for this new seat only; for all of the node, if there is
    /// none.
    pub finds_wrong_at: Option<Seat>,
    /// It takes no share, from whatever transcript.
    pub takes_nothing: bool,
    /// How often it was asked to take one.
    pub asked: usize,
    /// How many acceptances it was asked for.
    pub accepted: usize,
}

impl Engine for TestEngine {
    fn host_public_key(&self, seat: Seat) -> Option<Point> {
        self.frost.host_key(seat).map(|key| decode_point(&key.hostpubkey_gen()).unwrap())
    }

    fn accept(&mut self, plan: PlanId, seat: Seat) -> Option<Signature> {
        self.accepted += 1;
        self.frost.accept(plan, seat)
    }

    fn deal(&mut self, params: &ChangeParams, dealer: Seat) -> Result<Dealing, DealError> {
        self.frost.deal(params, dealer)
    }

    fn open(&mut self, dealing: &Dealing, seat: Seat) -> Result<(), OpenError> {
        let dealer = dealing.dealer();
        let is_meant = self.finds_wrong_at.is_none_or(|at| at == seat);
        if self.finds_wrong == Some(dealer) && is_meant {
            return Err(OpenError::WrongShare { dealer });
        }
        self.frost.open(dealing, seat)
    }

    fn take(
        &mut self,
        transcript: &Transcript,
        dealings: &[&Dealing],
        seat: Seat,
    ) -> Result<Signature, TakeError> {
        assert!(dealings.iter().all(|dealing| Some(dealing.dealer()) != self.finds_wrong));
        self.asked += 1;
        if self.takes_nothing && self.finds_wrong_at.is_none_or(|at| at == seat) {
            return Err(TakeError::NotAMember);
        }
        self.frost.take(transcript, dealings, seat)
    }
}
