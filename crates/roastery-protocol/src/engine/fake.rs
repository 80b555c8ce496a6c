use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use roastery_frost::{
    AggregateNonce, PartialSignature, PublicNonce, Seat, Signature, decode_point,
    hash::tagged_hash, nonce_agg,
};

use super::{Engine, EngineError, EngineSession, SlotContext, SlotId};
use crate::{SessionId, request::ApprovedRequest};

/// An engine without a key, for tests of the protocol: it multiplies no points, gives distinct
/// values for each member, slot and package, does what its [`Programme`] says and counts its
/// [`Calls`].
///
/// Its nonces are valid points and its scalars valid scalars, so that all messages have their real
/// form, and its aggregate nonces are real sums. Its shares satisfy its own check and not
/// BIP-445's, and its signatures are made of the session alone: a fake engine verifies what fake
/// engines made.
#[derive(Clone, Debug)]
pub struct FakeEngine {
    seat: Seat,
    shared: Arc<Mutex<Shared>>,
}

/// The failures that a fake engine is to show.
#[derive(Clone, Debug, Default)]
pub struct Programme {
    /// Opening fails with this.
    pub open: Option<EngineError>,
    /// Committing fails with this.
    pub commit: Option<EngineError>,
    /// Preparing a package fails with this.
    pub prepare: Option<EngineError>,
    /// Signing fails with this; the slot is used up all the same.
    pub sign: Option<EngineError>,
    /// Shares are wrong in the message of this position.
    pub wrong_share: Option<usize>,
    /// Aggregation fails although each share is right.
    pub aggregation_fails: bool,
}

/// The number of calls of a fake engine, by operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Sessions opened.
    pub open: usize,
    /// Slots drawn.
    pub commit: usize,
    /// Packages prepared.
    pub prepare: usize,
    /// Shares made.
    pub sign: usize,
    /// Single shares checked.
    pub check_share: usize,
    /// Aggregations tried.
    pub aggregate: usize,
    /// Final signatures verified.
    pub verify: usize,
    /// Aborts.
    pub abort: usize,
}

#[derive(Debug, Default)]
struct Shared {
    programme: Programme,
    calls: Calls,
}

impl FakeEngine {
    /// A well-behaved fake of this seat.
    pub fn new(seat: Seat) -> Self {
        Self { seat, shared: Arc::default() }
    }

    /// Changes what it does, in sessions that are open already as well.
    pub fn programme(&self, programme: Programme) {
        lock(&self.shared).programme = programme;
    }

    /// The number of calls up to now, in all its sessions.
    pub fn calls(&self) -> Calls {
        lock(&self.shared).calls
    }
}

// A panic elsewhere while the lock was held leaves plain data that is still worth reading.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine for FakeEngine {
    type Session = FakeSession;

    fn seat(&self) -> Seat {
        self.seat
    }

    fn open(&self, request: &ApprovedRequest) -> Result<FakeSession, EngineError> {
        let mut shared = lock(&self.shared);
        shared.calls.open += 1;
        if let Some(error) = shared.programme.open {
            return Err(error);
        }
        Ok(FakeSession {
            seat: self.seat,
            session: request.session_id(),
            messages: request.keys().len(),
            slots: Some(BTreeMap::new()),
            shared: self.shared.clone(),
        })
    }
}

/// A session of a fake engine.
#[derive(Debug)]
pub struct FakeSession {
    seat: Seat,
    session: SessionId,
    messages: usize,
    slots: Option<BTreeMap<SlotId, Vec<PublicNonce>>>,
    shared: Arc<Mutex<Shared>>,
}

impl FakeSession {
    fn count(&self, call: impl FnOnce(&mut Calls)) -> Programme {
        let mut shared = lock(&self.shared);
        call(&mut shared.calls);
        shared.programme.clone()
    }

    fn nonce(&self, slot: SlotId, context: &SlotContext, position: usize) -> PublicNonce {
        let run = crate::wire::encode(&context.incarnation);
        let mut pair = [2; 66];
        for half in 0..2 {
            let place = &mut pair[33 * half..33 * (half + 1)];
            // About every second x coordinate is on the curve.
            for salt in 0u32.. {
                place[1..].copy_from_slice(&tagged_hash(
                    "fake/nonce",
                    &[
                        self.session.as_bytes(),
                        &self.seat.to_u16().to_le_bytes(),
                        &slot.attempt.number().to_le_bytes(),
                        &slot.index.to_le_bytes(),
                        &run,
                        &[position as u8, half as u8],
                        &salt.to_le_bytes(),
                    ],
                ));
                if <&[u8; 33]>::try_from(&*place).is_ok_and(|bytes| decode_point(bytes).is_ok()) {
                    break;
                }
            }
        }
        PublicNonce::from_bytes(&pair).expect("both halves were found to be points")
    }

    fn share(&self, package: &FakePackage, signer: Seat) -> Vec<PartialSignature> {
        let seat = signer.to_u16().to_le_bytes();
        (0..self.messages)
            .map(|position| {
                scalar(tagged_hash("fake/share", &[&package.digest, &seat, &[position as u8]]))
            })
            .collect()
    }

    fn signature(&self, position: usize) -> Signature {
        let half = |half: u8| {
            tagged_hash("fake/signature", &[self.session.as_bytes(), &[position as u8, half]])
        };
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&half(0));
        bytes[32..].copy_from_slice(&half(1));
        Signature::from_bytes(&bytes)
    }
}

fn scalar(mut bytes: [u8; 32]) -> PartialSignature {
    bytes[0] = 0;
    PartialSignature::from_bytes(&bytes).expect("below 2^248 is below the order")
}

/// A package prepared by a fake engine.
#[derive(Debug)]
pub struct FakePackage {
    signers: Vec<Seat>,
    digest: [u8; 32],
}

impl EngineSession for FakeSession {
    type Package = FakePackage;

    fn commit(
        &mut self,
        slot: SlotId,
        context: &SlotContext,
    ) -> Result<Vec<PublicNonce>, EngineError> {
        if let Some(error) = self.count(|calls| calls.commit += 1).commit {
            return Err(error);
        }
        let nonces: Vec<PublicNonce> =
            (0..self.messages).map(|position| self.nonce(slot, context, position)).collect();
        let slots = self.slots.as_mut().ok_or(EngineError::Aborted)?;
        match slots.insert(slot, nonces.clone()) {
            None => Ok(nonces),
            Some(_) => Err(EngineError::SlotExists(slot)),
        }
    }

    fn aggregate_nonces(&self, slots: &[&[PublicNonce]]) -> Vec<AggregateNonce> {
        (0..self.messages)
            .map(|position| nonce_agg(slots.iter().filter_map(|slot| slot.get(position))))
            .collect()
    }

    fn prepare(
        &self,
        signers: &[Seat],
        aggregates: &[AggregateNonce],
    ) -> Result<FakePackage, EngineError> {
        if let Some(error) = self.count(|calls| calls.prepare += 1).prepare {
            return Err(error);
        }
        let aggregates: Vec<[u8; 66]> = aggregates.iter().map(AggregateNonce::to_bytes).collect();
        let seats: Vec<u8> = signers.iter().flat_map(|seat| seat.to_u16().to_le_bytes()).collect();
        let mut parts: Vec<&[u8]> = vec![self.session.as_bytes(), &seats];
        parts.extend(aggregates.iter().map(|aggregate| &aggregate[..]));
        Ok(FakePackage { signers: signers.to_vec(), digest: tagged_hash("fake/package", &parts) })
    }

    fn sign(
        &mut self,
        slot: SlotId,
        package: &FakePackage,
    ) -> Result<Vec<PartialSignature>, EngineError> {
        let programme = self.count(|calls| calls.sign += 1);
        let slots = self.slots.as_mut().ok_or(EngineError::Aborted)?;
        slots.remove(&slot).ok_or(EngineError::NoSuchSlot(slot))?;
        if let Some(error) = programme.sign {
            return Err(error);
        }
        let mut share = self.share(package, self.seat);
        if let Some(scalar_there) = programme.wrong_share.and_then(|at| share.get_mut(at)) {
            *scalar_there = scalar(tagged_hash("fake/wrong", &[&scalar_there.to_bytes()]));
        }
        Ok(share)
    }

    fn check_share(
        &self,
        package: &FakePackage,
        signer: Seat,
        _nonces: &[PublicNonce],
        share: &[PartialSignature],
    ) -> Result<(), usize> {
        self.count(|calls| calls.check_share += 1);
        let right = self.share(package, signer);
        match (0..self.messages).find(|&at| right.get(at) != share.get(at)) {
            Some(position) => Err(position),
            None => Ok(()),
        }
    }

    fn aggregate(
        &self,
        package: &FakePackage,
        shares: &[&[PartialSignature]],
    ) -> Option<Vec<Signature>> {
        let programme = self.count(|calls| calls.aggregate += 1);
        let whole = shares.len() == package.signers.len();
        let sound = package
            .signers
            .iter()
            .zip(shares)
            .all(|(signer, share)| self.share(package, *signer) == **share);
        (whole && sound && !programme.aggregation_fails)
            .then(|| (0..self.messages).map(|position| self.signature(position)).collect())
    }

    fn verify(&self, signatures: &[Signature]) -> bool {
        self.count(|calls| calls.verify += 1);
        signatures.len() == self.messages
            && signatures
                .iter()
                .enumerate()
                .all(|(position, signature)| *signature == self.signature(position))
    }

    fn discard(&mut self, slot: SlotId) {
        if let Some(slots) = &mut self.slots {
            slots.remove(&slot);
        }
    }

    fn abort(&mut self) {
        self.count(|calls| calls.abort += 1);
        self.slots = None;
    }

    fn live_slots(&self) -> usize {
        self.slots.as_ref().map_or(0, BTreeMap::len)
    }
}
