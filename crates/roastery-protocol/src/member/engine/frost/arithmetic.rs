//! Public arithmetic with libsecp256k1.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roastery_frost::{
    AggregateError, AggregateNonce, GroupKeys, PartialSigError, PartialSignature, PublicNonce,
    Seat, SessionContext, Signature, Signers, nonce_agg,
};

use crate::{
    member::engine::{Arithmetic, ArithmeticError, Verdict},
    request::MessageKey,
};

/// The real arithmetic: BIP-445 with libsecp256k1, for one group.
///
/// It keeps the package that it prepared last, and its clones share it: a node that coordinates and
/// signs prepares its own package once. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct FrostArithmetic {
    keys: Arc<GroupKeys>,
    last: Arc<Mutex<Option<FrostPackage>>>,
}

/// A package prepared by the real arithmetic. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct FrostPackage(Arc<Prepared>);

#[derive(Debug)]
struct Prepared {
    signers: Signers,
    messages: Vec<MessageKey>,
    aggregates: Vec<AggregateNonce>,
    contexts: Vec<SessionContext>,
}

impl FrostArithmetic {
    /// The arithmetic of the group with these keys.
    pub fn new(keys: Arc<GroupKeys>) -> Self {
        Self { keys, last: Arc::default() }
    }

    /// The group's keys.
    pub fn keys(&self) -> &Arc<GroupKeys> {
        &self.keys
    }

    // A panic while the lock was held leaves a whole package or none.
    fn last(&self) -> MutexGuard<'_, Option<FrostPackage>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FrostPackage {
    pub(super) fn contexts(&self) -> &[SessionContext] {
        &self.0.contexts
    }

    /// Whether it was prepared from these very values.
    fn is_of(
        &self,
        messages: &[MessageKey],
        signers: &[Seat],
        aggregates: &[AggregateNonce],
    ) -> bool {
        let same = |(one, other): (&MessageKey, &MessageKey)| {
            one.message == other.message && one.tweaks == other.tweaks
        };
        self.0.signers.seats() == signers
            && self.0.aggregates == aggregates
            && self.0.messages.len() == messages.len()
            && self.0.messages.iter().zip(messages).all(same)
    }
}

impl Arithmetic for FrostArithmetic {
    type Package = FrostPackage;

    fn decode_nonces(
        &self,
        nonces: &[[u8; 66]],
    ) -> Result<Verdict<Vec<PublicNonce>>, ArithmeticError> {
        decode(nonces)
    }

    fn aggregate_nonces(
        &self,
        messages: usize,
        nonces: &[&[PublicNonce]],
    ) -> Result<Vec<AggregateNonce>, ArithmeticError> {
        sums(messages, nonces)
    }

    fn prepare(
        &self,
        messages: &[MessageKey],
        signers: &[Seat],
        aggregates: &[AggregateNonce],
    ) -> Result<FrostPackage, ArithmeticError> {
        ArithmeticError::check_count(aggregates.len(), messages.len())?;
        let last = self.last().clone();
        if let Some(package) = last.filter(|one| one.is_of(messages, signers, aggregates)) {
            return Ok(package);
        }
        let signers = self.keys.signers(signers).map_err(|_| ArithmeticError::NotAPackage)?;
        let contexts = messages.iter().zip(aggregates).map(|(entry, aggregate)| {
            SessionContext::new(&signers, aggregate, &entry.tweaks, &entry.message)
                .map_err(|_| ArithmeticError::NotAPackage)
        });
        let contexts = contexts.collect::<Result<_, _>>()?;
        let (messages, aggregates) = (messages.to_vec(), aggregates.to_vec());
        let package = FrostPackage(Arc::new(Prepared { signers, messages, aggregates, contexts }));
        *self.last() = Some(package.clone());
        Ok(package)
    }

    fn check_share(
        &self,
        package: &FrostPackage,
        signer: Seat,
        nonces: &[PublicNonce],
        share: &[PartialSignature],
    ) -> Result<Verdict<()>, ArithmeticError> {
        let contexts = package.contexts();
        ArithmeticError::check_count(nonces.len(), contexts.len())?;
        ArithmeticError::check_count(share.len(), contexts.len())?;
        for (position, (context, (nonce, scalar))) in
            contexts.iter().zip(nonces.iter().zip(share)).enumerate()
        {
            match context.verify(scalar, nonce, signer) {
                Ok(()) => {}
                Err(PartialSigError::Invalid { .. }) => return Ok(Verdict::Wrong { position }),
                Err(PartialSigError::NotASigner { seat }) => {
                    return Err(ArithmeticError::NotASigner(seat));
                }
            }
        }
        Ok(Verdict::Right(()))
    }

    fn aggregate(
        &self,
        package: &FrostPackage,
        shares: &[&[PartialSignature]],
    ) -> Result<Verdict<Vec<Signature>>, ArithmeticError> {
        let contexts = package.contexts();
        for share in shares {
            ArithmeticError::check_count(share.len(), contexts.len())?;
        }
        let mut signatures = Vec::with_capacity(contexts.len());
        for (position, context) in contexts.iter().enumerate() {
            let scalars: Vec<PartialSignature> =
                shares.iter().filter_map(|share| share.get(position).copied()).collect();
            match context.aggregate_verified(&scalars) {
                Ok(signature) => signatures.push(signature),
                Err(AggregateError::Invalid) => return Ok(Verdict::Wrong { position }),
                Err(AggregateError::Count { shares, signers }) => {
                    return Err(ArithmeticError::Count { given: shares, needed: signers });
                }
            }
        }
        Ok(Verdict::Right(signatures))
    }

    fn verify(
        &self,
        messages: &[MessageKey],
        signatures: &[Signature],
    ) -> Result<Verdict<()>, ArithmeticError> {
        let is_right = |(entry, signature): (&MessageKey, &Signature)| {
            signature.verify(&entry.public_key(), &entry.message)
        };
        let right = messages.iter().zip(signatures).take_while(|pair| is_right(*pair)).count();
        match right == messages.len() && right == signatures.len() {
            true => Ok(Verdict::Right(())),
            false => Ok(Verdict::Wrong { position: right }),
        }
    }
}

/// The nonces of these bytes.
pub(in crate::member::engine) fn decode(
    nonces: &[[u8; 66]],
) -> Result<Verdict<Vec<PublicNonce>>, ArithmeticError> {
    let mut decoded = Vec::with_capacity(nonces.len());
    for (position, bytes) in nonces.iter().enumerate() {
        match PublicNonce::from_bytes(bytes) {
            Ok(nonce) => decoded.push(nonce),
            Err(_) => return Ok(Verdict::Wrong { position }),
        }
    }
    Ok(Verdict::Right(decoded))
}

/// The sums of these nonces, one for each message.
pub(in crate::member::engine) fn sums(
    messages: usize,
    nonces: &[&[PublicNonce]],
) -> Result<Vec<AggregateNonce>, ArithmeticError> {
    for one in nonces {
        ArithmeticError::check_count(one.len(), messages)?;
    }
    let sum = |position| nonce_agg(nonces.iter().filter_map(|one| one.get(position)));
    Ok((0..messages).map(sum).collect())
}
