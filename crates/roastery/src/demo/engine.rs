//! The engine of a member of the demo, which may spoil its shares.

use roastery_frost::{AggregateNonce, PartialSignature, PublicNonce, Seat, Signature};
use roastery_protocol::{
    engine::{
        Engine, EngineError, EngineSession, FrostEngine, FrostPackage, FrostSession, SlotContext,
        SlotId,
    },
    request::ApprovedRequest,
};

/// What a member does with its shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conduct {
    /// Releases them as they are.
    Honest,
    /// Releases another scalar instead, signed as its own.
    Spoils,
}

/// The real engine, and what is done with its shares.
#[derive(Debug)]
pub(super) struct DemoEngine {
    pub(super) engine: FrostEngine,
    pub(super) conduct: Conduct,
}

#[derive(Debug)]
pub(super) struct DemoSession {
    session: FrostSession,
    conduct: Conduct,
}

impl Engine for DemoEngine {
    type Session = DemoSession;

    fn seat(&self) -> Seat {
        self.engine.seat()
    }

    fn open(&self, request: &ApprovedRequest) -> Result<DemoSession, EngineError> {
        Ok(DemoSession { session: self.engine.open(request)?, conduct: self.conduct })
    }
}

impl EngineSession for DemoSession {
    type Package = FrostPackage;

    fn commit(
        &mut self,
        slot: SlotId,
        context: &SlotContext,
    ) -> Result<Vec<PublicNonce>, EngineError> {
        self.session.commit(slot, context)
    }

    fn aggregate_nonces(&self, slots: &[&[PublicNonce]]) -> Vec<AggregateNonce> {
        self.session.aggregate_nonces(slots)
    }

    fn prepare(
        &self,
        signers: &[Seat],
        aggregates: &[AggregateNonce],
    ) -> Result<FrostPackage, EngineError> {
        self.session.prepare(signers, aggregates)
    }

    fn sign(
        &mut self,
        slot: SlotId,
        package: &FrostPackage,
    ) -> Result<Vec<PartialSignature>, EngineError> {
        let mut share = self.session.sign(slot, package)?;
        if self.conduct == Conduct::Spoils {
            share.iter_mut().for_each(spoil);
        }
        Ok(share)
    }

    fn check_share(
        &self,
        package: &FrostPackage,
        signer: Seat,
        nonces: &[PublicNonce],
        share: &[PartialSignature],
    ) -> Result<(), usize> {
        self.session.check_share(package, signer, nonces, share)
    }

    fn aggregate(
        &self,
        package: &FrostPackage,
        shares: &[&[PartialSignature]],
    ) -> Option<Vec<Signature>> {
        self.session.aggregate(package, shares)
    }

    fn verify(&self, signatures: &[Signature]) -> bool {
        self.session.verify(signatures)
    }

    fn discard(&mut self, slot: SlotId) {
        self.session.discard(slot);
    }

    fn abort(&mut self) {
        self.session.abort();
    }

    fn live_slots(&self) -> usize {
        self.session.live_slots()
    }
}

/// Adds one. Any number of members that do so spoil the sum, which two that each flip a bit might
/// not.
fn spoil(scalar: &mut PartialSignature) {
    let mut bytes = scalar.to_bytes();
    for byte in bytes.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
    // Only the greatest scalar has none above it, and that does not occur.
    if let Ok(other) = PartialSignature::from_bytes(&bytes) {
        *scalar = other;
    }
}
