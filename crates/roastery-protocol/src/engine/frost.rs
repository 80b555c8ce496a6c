use std::{collections::BTreeMap, sync::Arc};

use getrandom::SysRng;
use rand_core::TryCryptoRng;
use roastery_frost::{
    AggregateNonce, GroupKeys, NonceGenInputs, PartialSignature, PublicNonce, Seat, SecretNonce,
    SecretShare, SessionContext, SignError, Signature, Signers, nonce_agg, nonce_gen, sign,
};

use super::{Engine, EngineError, EngineSession, SlotContext, SlotId};
use crate::request::{ApprovedRequest, MessageKey};

/// The real engine: BIP-445 with libsecp256k1.
///
/// `R` is the random generator: the operating system's, except in simulations.
#[derive(Debug)]
pub struct FrostEngine<R = SysRng> {
    seat: Seat,
    keys: Arc<GroupKeys>,
    share: Arc<SecretShare>,
    rng: R,
}

impl FrostEngine {
    /// An engine for this seat. The caller has checked the share against the group
    /// ([`Group::check_seat_keys`](crate::group::Group::check_seat_keys)); a wrong one makes shares
    /// that fail their own check and never leave.
    pub fn new(seat: Seat, keys: Arc<GroupKeys>, share: SecretShare) -> Self {
        Self::with_rng(seat, keys, share, SysRng)
    }
}

impl<R> FrostEngine<R> {
    /// An engine that draws its nonces from this generator. For simulations: a generator that
    /// repeats gives the share away.
    pub fn with_rng(seat: Seat, keys: Arc<GroupKeys>, share: SecretShare, rng: R) -> Self {
        Self { seat, keys, share: Arc::new(share), rng }
    }
}

impl<R: TryCryptoRng + Clone + Send> Engine for FrostEngine<R> {
    type Session = FrostSession<R>;

    fn seat(&self) -> Seat {
        self.seat
    }

    fn open(&self, request: &ApprovedRequest) -> Result<FrostSession<R>, EngineError> {
        let public_share = self.keys.public_share(self.seat).ok_or(EngineError::NotAPackage)?;
        Ok(FrostSession {
            seat: self.seat,
            keys: self.keys.clone(),
            public_share: public_share.serialize(),
            messages: request.keys().to_vec(),
            secrets: Some(Secrets { share: self.share.clone(), slots: BTreeMap::new() }),
            rng: self.rng.clone(),
        })
    }
}

/// A session of the real engine. Everything secret is in one field, which is gone after the end.
#[derive(Debug)]
pub struct FrostSession<R = SysRng> {
    seat: Seat,
    keys: Arc<GroupKeys>,
    public_share: [u8; 33],
    messages: Vec<MessageKey>,
    secrets: Option<Secrets>,
    rng: R,
}

#[derive(Debug)]
struct Secrets {
    share: Arc<SecretShare>,
    slots: BTreeMap<SlotId, Vec<SecretNonce>>,
}

/// A package prepared by the real engine.
#[derive(Debug)]
pub struct FrostPackage {
    contexts: Vec<SessionContext>,
}

impl<R: TryCryptoRng + Send> EngineSession for FrostSession<R> {
    type Package = FrostPackage;

    fn commit(
        &mut self,
        slot: SlotId,
        context: &SlotContext,
    ) -> Result<Vec<PublicNonce>, EngineError> {
        let secrets = self.secrets.as_mut().ok_or(EngineError::Aborted)?;
        if secrets.slots.contains_key(&slot) {
            return Err(EngineError::SlotExists(slot));
        }
        let mut secret_nonces = Vec::with_capacity(self.messages.len());
        let mut public_nonces = Vec::with_capacity(self.messages.len());
        for (position, message) in self.messages.iter().enumerate() {
            let inputs = NonceGenInputs {
                secret_share: Some(&secrets.share),
                public_share: Some(&self.public_share),
                threshold_public_key: Some(&message.public_key().to_bytes()),
                message: Some(&message.message),
                extra_in: Some(&extra_in(slot, context, position)),
            };
            let (secret, public) =
                nonce_gen(&mut self.rng, &inputs).map_err(|_| EngineError::Randomness)?;
            secret_nonces.push(secret);
            public_nonces.push(public);
        }
        secrets.slots.insert(slot, secret_nonces);
        Ok(public_nonces)
    }

    fn aggregate_nonces(&self, slots: &[&[PublicNonce]]) -> Vec<AggregateNonce> {
        (0..self.messages.len())
            .map(|position| nonce_agg(slots.iter().filter_map(|slot| slot.get(position))))
            .collect()
    }

    fn prepare(
        &self,
        signers: &[Seat],
        aggregates: &[AggregateNonce],
    ) -> Result<FrostPackage, EngineError> {
        if aggregates.len() != self.messages.len() {
            return Err(EngineError::NotAPackage);
        }
        let signers: Signers = self.keys.signers(signers).map_err(|_| EngineError::NotAPackage)?;
        let contexts = self.messages.iter().zip(aggregates).map(|(message, aggregate)| {
            SessionContext::new(&signers, aggregate, &message.tweaks, &message.message)
                .map_err(|_| EngineError::NotAPackage)
        });
        Ok(FrostPackage { contexts: contexts.collect::<Result<_, _>>()? })
    }

    fn sign(
        &mut self,
        slot: SlotId,
        package: &FrostPackage,
    ) -> Result<Vec<PartialSignature>, EngineError> {
        let secrets = self.secrets.as_mut().ok_or(EngineError::Aborted)?;
        let nonces = secrets.slots.remove(&slot).ok_or(EngineError::NoSuchSlot(slot))?;
        nonces
            .into_iter()
            .zip(&package.contexts)
            .map(|(nonce, context)| sign(nonce, &secrets.share, self.seat, context))
            .collect::<Result<_, SignError>>()
            .map_err(|error| match error {
                SignError::OwnShareInvalid { .. } | SignError::OtherShare { .. } => {
                    EngineError::OwnShareInvalid
                }
                SignError::NotASigner { .. } => EngineError::NotAPackage,
            })
    }

    fn check_share(
        &self,
        package: &FrostPackage,
        signer: Seat,
        nonces: &[PublicNonce],
        share: &[PartialSignature],
    ) -> Result<(), usize> {
        for (position, context) in package.contexts.iter().enumerate() {
            let (Some(nonce), Some(scalar)) = (nonces.get(position), share.get(position)) else {
                return Err(position);
            };
            context.verify(scalar, nonce, signer).map_err(|_| position)?;
        }
        Ok(())
    }

    fn aggregate(
        &self,
        package: &FrostPackage,
        shares: &[&[PartialSignature]],
    ) -> Option<Vec<Signature>> {
        package
            .contexts
            .iter()
            .enumerate()
            .map(|(position, context)| {
                let scalars: Option<Vec<PartialSignature>> =
                    shares.iter().map(|share| share.get(position).copied()).collect();
                context.aggregate_verified(&scalars?).ok()
            })
            .collect()
    }

    fn verify(&self, signatures: &[Signature]) -> bool {
        signatures.len() == self.messages.len()
            && self
                .messages
                .iter()
                .zip(signatures)
                .all(|(entry, signature)| signature.verify(&entry.public_key(), &entry.message))
    }

    fn discard(&mut self, slot: SlotId) {
        if let Some(secrets) = &mut self.secrets {
            secrets.slots.remove(&slot);
        }
    }

    fn abort(&mut self) {
        self.secrets = None;
    }

    fn live_slots(&self) -> usize {
        self.secrets.as_ref().map_or(0, |secrets| secrets.slots.len())
    }
}

/// `extra_in`: session (32 bytes) || attempt (4) || incarnation (16) || index (4) || message
/// position (1) || monotonic and wall time in nanoseconds (16 each), integers little-endian.
fn extra_in(slot: SlotId, context: &SlotContext, position: usize) -> Vec<u8> {
    let mut extra = Vec::with_capacity(89);
    extra.extend(context.session.as_bytes());
    extra.extend(slot.attempt.number().to_le_bytes());
    extra.extend(crate::wire::encode(&context.incarnation));
    extra.extend(slot.index.to_le_bytes());
    extra.push(position as u8);
    extra.extend(context.now.monotonic.as_nanos().to_le_bytes());
    extra.extend(context.now.wall.as_nanos().to_le_bytes());
    extra
}
