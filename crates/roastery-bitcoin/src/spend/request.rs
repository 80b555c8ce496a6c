use bitcoin::{
    TapLeafHash, TapSighashType, Transaction, TxOut, XOnlyPublicKey,
    hashes::Hash as _,
    sighash::{Prevouts, SighashCache},
};
use roastery_protocol::request::{Derivation, MAX_MESSAGES, MessageToSign, SigningRequest};

use super::{CannotSign, Mismatch, Signing, Spend, SpendRequestError, input::sighash_type};
use crate::message::{key_path_hash, to_spend};

/// The most sessions in which one transaction is signed, with at most [`MAX_MESSAGES`] signatures
/// each.
pub const MAX_PARTS: usize = 16;

/// Which part of a transaction's signatures a request asks for: each part has its own session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The part's number, from 0.
    pub number: usize,
    /// The number of parts: 1 where all signatures fit into one session.
    pub of: usize,
}

impl Part {
    /// The number of the part that a request asks for, if its transaction has several.
    pub fn number_in(request: &SigningRequest) -> usize {
        usize::from(request.id()[NUMBER])
    }

    /// Whether a request can be one of several parts. Most are none, and need not be read to know
    /// that.
    pub fn may_be(request: &SigningRequest) -> bool {
        let number = Self::number_in(request);
        number < MAX_PARTS && (number > 0 || request.messages().len() == MAX_MESSAGES)
    }

    /// Whether one transaction can have both requests as parts: only their numbers differ. What
    /// they show and sign says whether it has.
    pub fn may_be_of_one(one: &SigningRequest, other: &SigningRequest) -> bool {
        Self::may_be(one)
            && Self::may_be(other)
            && one.group() == other.group()
            && one.expiry() == other.expiry()
            && one.id()[..NUMBER] == other.id()[..NUMBER]
    }
}

/// The byte of a request's id that is the number of the part.
const NUMBER: usize = 31;

/// One signature to make.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(super) input: usize,
    pub(super) leaf: Option<(XOnlyPublicKey, TapLeafHash)>,
    pub(super) sighash_type: TapSighashType,
    pub(super) message: MessageToSign,
}

impl Spend {
    /// What this group signs, in the order of the inputs and within one by leaf: at most
    /// [`MAX_PARTS`] times [`MAX_MESSAGES`] BIP-341 signature hashes, each with its key.
    ///
    /// # Errors
    ///
    /// [`CannotSign`] says why nothing is signed.
    pub fn messages(&self) -> Result<Vec<MessageToSign>, CannotSign> {
        Ok(self.tasks()?.iter().map(|task| task.message.clone()).collect())
    }

    /// The requests to sign all of it, named by `id`, until `expiry` (seconds since 1970): one, or
    /// if there are more signatures than [`MAX_MESSAGES`] as many as it takes, of which the last
    /// byte of the id is the number. From one of them all follow.
    ///
    /// # Errors
    ///
    /// [`SpendRequestError`] names the reason why nothing is signed.
    pub fn requests(
        &self,
        id: [u8; 32],
        expiry: u64,
    ) -> Result<Vec<SigningRequest>, SpendRequestError> {
        let parts = self.tasks()?.chunks(MAX_MESSAGES);
        let several = parts.len() > 1;
        let request = |(part, number): (&[Task], u8)| {
            let mut id = id;
            if several {
                id[NUMBER] = number;
            }
            let messages = part.iter().map(|task| task.message.clone()).collect();
            Ok(SigningRequest::new(self.group.id(), id, expiry, messages)?)
        };
        parts.zip(0..).map(request).collect()
    }

    /// Checks that a proposed request asks for exactly what this PSBT takes, or for one of the
    /// [parts](Self::requests) of it: the same messages with the same keys in the same order,
    /// nothing more and nothing less. Every hash is computed here, so a request with a wrong
    /// amount, script, path or hash has another message than the one that an honest node computes.
    ///
    /// # Errors
    ///
    /// [`Mismatch`] names the first message that differs, and in what.
    pub fn check(&self, request: &SigningRequest) -> Result<Part, Mismatch> {
        if request.group() != self.group.id() {
            let (requested, group) = (request.group(), self.group.id());
            return Err(Mismatch::Group { requested, group });
        }
        let mut parts = self.tasks()?.chunks(MAX_MESSAGES);
        let of = parts.len();
        let number = if of > 1 { Part::number_in(request) } else { 0 };
        let tasks = parts.nth(number).ok_or(Mismatch::Part { number, parts: of })?;
        let (requested, computed) = (request.messages().len(), tasks.len());
        if requested != computed {
            return Err(Mismatch::Count { requested, computed });
        }
        for (message, (proposed, task)) in request.messages().iter().zip(tasks).enumerate() {
            let input = task.input;
            if proposed.message != task.message.message {
                return Err(Mismatch::Hash { message, input });
            }
            if proposed.derivation != task.message.derivation {
                return Err(Mismatch::Key { message, input });
            }
        }
        Ok(Part { number, of })
    }

    /// The signatures to make, in the order of [`Spend::messages`]. The hashes are computed by the
    /// first call.
    pub(crate) fn tasks(&self) -> Result<&[Task], CannotSign> {
        let tasks = self.tasks.get_or_init(|| self.compute_tasks());
        tasks.as_deref().map_err(Clone::clone)
    }

    /// Other messages by which the same is signed: what [`Spend::messages`] signs under each of the
    /// signature hash types for which this group signs, which make one transaction valid, and for a
    /// proof of funds its text alone.
    ///
    /// # Errors
    ///
    /// [`CannotSign`], as of [`Spend::messages`].
    pub fn equivalents(&self) -> Result<Vec<[u8; 32]>, CannotSign> {
        let tasks = self.tasks()?;
        let previous = self.previous()?;
        let previous = Prevouts::All(&previous);
        let mut cache = SighashCache::new(self.transaction());
        let text = self.proof().and_then(|proof| {
            key_path_hash(&to_spend(proof.script.clone(), proof.text.as_bytes()))
        });
        let mut all: Vec<[u8; 32]> = text.into_iter().collect();
        for task in tasks {
            for sighash_type in [TapSighashType::Default, TapSighashType::All] {
                all.push(hash(&mut cache, &previous, task.input, task.leaf, sighash_type)?);
            }
        }
        Ok(all)
    }

    /// The outputs that the inputs spend.
    fn previous(&self) -> Result<Vec<&TxOut>, CannotSign> {
        let inputs = self.inputs.iter().enumerate();
        let previous = inputs
            .map(|(input, look)| look.previous.as_ref().ok_or(CannotSign::UnknownOutput { input }));
        previous.collect()
    }

    fn compute_tasks(&self) -> Result<Vec<Task>, CannotSign> {
        #[cfg(test)]
        tests::COMPUTED.with(|computed| computed.set(computed.get() + 1));
        if let Some(Err(error)) = &self.proof {
            return Err(CannotSign::Proof(error.clone()));
        }
        if self.exceeds_work {
            return Err(CannotSign::TooMuchWork);
        }
        let previous = self.previous()?;
        if self.transaction().output.is_empty() {
            return Err(CannotSign::NoOutputs);
        }
        self.fee().ok_or(CannotSign::Overspent)?;
        let count =
            self.inputs.iter().filter(|input| input.to_sign()).map(|input| match &input.signing {
                Signing::KeyPath(_) => 1,
                Signing::Leaves(leaves) => leaves.len(),
                Signing::NotOurs => 0,
            });
        match count.sum() {
            0 => return Err(CannotSign::NothingToSign),
            count if count > MAX_PARTS * MAX_MESSAGES => {
                return Err(CannotSign::TooMany { count });
            }
            _ => {}
        }
        let previous = Prevouts::All(&previous);
        let mut cache = SighashCache::new(self.transaction());
        let mut tasks = Vec::new();
        for (input, look) in self.inputs.iter().enumerate().filter(|(_, look)| look.to_sign()) {
            let Ok(sighash_type) = sighash_type(self.document.decoded(), input) else { continue };
            let mut task = |leaf: Option<(XOnlyPublicKey, TapLeafHash)>,
                            derivation: &Derivation| {
                let message = hash(&mut cache, &previous, input, leaf, sighash_type)?;
                let message = MessageToSign { message, derivation: derivation.clone() };
                tasks.push(Task { input, leaf, sighash_type, message });
                Ok::<_, CannotSign>(())
            };
            match &look.signing {
                Signing::KeyPath(derivation) => task(None, derivation)?,
                Signing::Leaves(leaves) => {
                    for leaf in leaves {
                        task(Some((leaf.key, leaf.leaf_hash)), &leaf.derivation)?;
                    }
                }
                Signing::NotOurs => {}
            }
        }
        Ok(tasks)
    }
}

/// The BIP-341 signature hash of an input, for the key path or a leaf.
fn hash(
    cache: &mut SighashCache<&Transaction>,
    previous: &Prevouts<'_, &TxOut>,
    input: usize,
    leaf: Option<(XOnlyPublicKey, TapLeafHash)>,
    sighash_type: TapSighashType,
) -> Result<[u8; 32], CannotSign> {
    let hash = match leaf {
        None => cache.taproot_key_spend_signature_hash(input, previous, sighash_type),
        Some((_, leaf)) => {
            cache.taproot_script_spend_signature_hash(input, previous, leaf, sighash_type)
        }
    };
    Ok(hash.map_err(|source| CannotSign::Hash { input, source })?.to_byte_array())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use bitcoin::{Amount, Network};
    use roastery_testkit::payments::{TestGroup, ordinary};

    use crate::{
        policy::{Review, Rules},
        psbt::read,
        spend::{Completion, Report, Spend},
        wallet::Wallet,
    };

    thread_local! {
        /// How often this thread has computed the signature hashes of a PSBT.
        pub(super) static COMPUTED: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn the_signature_hashes_of_a_psbt_are_computed_once() {
        let group = TestGroup::three_of_five();
        let wallet = Wallet::new(group.group.clone()).unwrap();
        let spend = Spend::of(read(&ordinary(&group.wallet()).serialize()).unwrap(), &wallet);
        assert_eq!(COMPUTED.get(), 0, "not before they are needed");
        let messages = spend.messages().unwrap();
        let requests = spend.requests([1; 32], 2_000_000_000).unwrap();
        spend.check(&requests[0]).unwrap();
        let policy = Rules::default().check(Network::Bitcoin, Review::RulesAlone).unwrap();
        policy.evaluate(&spend, Amount::ZERO).unwrap();
        let _ = Report::of(&spend, Network::Bitcoin);
        let signatures = group.sign(&messages);
        spend.clone().complete(&signatures, Completion::Finalised).unwrap();
        assert_eq!(COMPUTED.get(), 1);
    }
}
