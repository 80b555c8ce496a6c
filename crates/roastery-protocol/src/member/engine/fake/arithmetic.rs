//! The fake arithmetic.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roastery_frost::{AggregateNonce, PartialSignature, PublicNonce, Seat, Signature};

use super::{digest, share, signature};
use crate::{
    member::engine::{Arithmetic, ArithmeticError, Verdict, frost},
    request::MessageKey,
};

/// An arithmetic that knows what [`FakeEngine`](super::FakeEngine)s make, does what its
/// [`ArithmeticProgramme`] says and counts its [`ArithmeticCalls`]. Its clones are handles of the
/// same one.
#[derive(Clone, Debug, Default)]
pub struct FakeArithmetic {
    shared: Arc<Mutex<Shared>>,
}

/// What a fake arithmetic is to do.
#[derive(Clone, Debug, Default)]
pub struct ArithmeticProgramme {
    /// Preparing a package fails with this.
    pub prepare: Option<ArithmeticError>,
    /// Checking a share fails with this.
    pub check_share: Option<ArithmeticError>,
    /// Aggregating fails with this.
    pub aggregate: Option<ArithmeticError>,
    /// Verifying signatures fails with this.
    pub verify: Option<ArithmeticError>,
    /// The signature of message 0 is wrong although each share is right.
    pub aggregate_is_wrong: bool,
}

/// The number of calls of a fake arithmetic, by operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArithmeticCalls {
    /// Single nonces decoded.
    pub decode: usize,
    /// Sums of nonces.
    pub sum: usize,
    /// Packages prepared.
    pub prepare: usize,
    /// Shares checked.
    pub check_share: usize,
    /// Aggregations tried.
    pub aggregate: usize,
    /// Lists of final signatures verified.
    pub verify: usize,
}

#[derive(Debug, Default)]
struct Shared {
    programme: ArithmeticProgramme,
    calls: ArithmeticCalls,
}

/// A package prepared by a fake arithmetic.
#[derive(Clone, Debug)]
pub struct FakePackage {
    messages: Vec<MessageKey>,
    signers: Vec<Seat>,
    digest: [u8; 32],
}

impl FakeArithmetic {
    /// Changes what it does from now on.
    pub fn programme(&self, programme: ArithmeticProgramme) {
        self.lock().programme = programme;
    }

    /// The number of calls up to now.
    pub fn calls(&self) -> ArithmeticCalls {
        self.lock().calls
    }

    // A panic elsewhere while the lock was held leaves plain data that is still worth reading.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, call: impl FnOnce(&mut ArithmeticCalls)) -> ArithmeticProgramme {
        let mut shared = self.lock();
        call(&mut shared.calls);
        shared.programme.clone()
    }
}

impl Arithmetic for FakeArithmetic {
    type Package = FakePackage;

    fn decode_nonces(
        &self,
        nonces: &[[u8; 66]],
    ) -> Result<Verdict<Vec<PublicNonce>>, ArithmeticError> {
        self.count(|calls| calls.decode += nonces.len());
        frost::decode(nonces)
    }

    fn aggregate_nonces(
        &self,
        messages: usize,
        nonces: &[&[PublicNonce]],
    ) -> Result<Vec<AggregateNonce>, ArithmeticError> {
        self.count(|calls| calls.sum += 1);
        frost::sums(messages, nonces)
    }

    fn prepare(
        &self,
        messages: &[MessageKey],
        signers: &[Seat],
        aggregates: &[AggregateNonce],
    ) -> Result<FakePackage, ArithmeticError> {
        if let Some(error) = self.count(|calls| calls.prepare += 1).prepare {
            return Err(error);
        }
        ArithmeticError::check_count(aggregates.len(), messages.len())?;
        let digest = digest(messages, signers, aggregates);
        Ok(FakePackage { messages: messages.to_vec(), signers: signers.to_vec(), digest })
    }

    fn check_share(
        &self,
        package: &FakePackage,
        signer: Seat,
        nonces: &[PublicNonce],
        given: &[PartialSignature],
    ) -> Result<Verdict<()>, ArithmeticError> {
        if let Some(error) = self.count(|calls| calls.check_share += 1).check_share {
            return Err(error);
        }
        if !package.signers.contains(&signer) {
            return Err(ArithmeticError::NotASigner(signer));
        }
        let messages = package.messages.len();
        ArithmeticError::check_count(nonces.len(), messages)?;
        ArithmeticError::check_count(given.len(), messages)?;
        let right = share(&package.digest, signer, messages);
        Ok(match right.iter().zip(given).position(|(right, given)| right != given) {
            Some(position) => Verdict::Wrong { position },
            None => Verdict::Right(()),
        })
    }

    fn aggregate(
        &self,
        package: &FakePackage,
        shares: &[&[PartialSignature]],
    ) -> Result<Verdict<Vec<Signature>>, ArithmeticError> {
        let programme = self.count(|calls| calls.aggregate += 1);
        if let Some(error) = programme.aggregate {
            return Err(error);
        }
        ArithmeticError::check_count(shares.len(), package.signers.len())?;
        let messages = package.messages.len();
        for one in shares {
            ArithmeticError::check_count(one.len(), messages)?;
        }
        if programme.aggregate_is_wrong {
            return Ok(Verdict::Wrong { position: 0 });
        }
        // As in a sum, the order makes no difference.
        let wrong = (0..messages).find(|&at| {
            let mut right: Vec<[u8; 32]> = package
                .signers
                .iter()
                .map(|signer| share(&package.digest, *signer, messages)[at].to_bytes())
                .collect();
            let mut given: Vec<[u8; 32]> = shares.iter().map(|one| one[at].to_bytes()).collect();
            right.sort_unstable();
            given.sort_unstable();
            right != given
        });
        Ok(match wrong {
            Some(position) => Verdict::Wrong { position },
            None => Verdict::Right(package.messages.iter().map(signature).collect()),
        })
    }

    fn verify(
        &self,
        messages: &[MessageKey],
        signatures: &[Signature],
    ) -> Result<Verdict<()>, ArithmeticError> {
        if let Some(error) = self.count(|calls| calls.verify += 1).verify {
            return Err(error);
        }
        let all = messages.iter().zip(signatures);
        let right = all.take_while(|(entry, given)| signature(entry) == **given).count();
        Ok(match right == messages.len() && right == signatures.len() {
            true => Verdict::Right(()),
            false => Verdict::Wrong { position: right },
        })
    }
}
