use bitcoin::sighash::TaprootError;
use roastery_protocol::{
    GroupId,
    request::{DerivationError, MAX_MESSAGES, RequestError},
};
use thiserror::Error;

use super::{MAX_PARTS, ProofError};
use crate::{
    psbt::PsbtError,
    wallet::{MOST_CONTROL_BLOCKS, MOST_KEYS},
};

/// Why the group signs nothing of a PSBT. Inputs are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CannotSign {
    /// BIP-341 signs the amounts and scripts of all inputs, so all must be known and free of
    /// contradiction.
    #[error(
        "input {input}: what it spends is missing or contradicts itself; every input's output is signed"
    )]
    UnknownOutput {
        /// The input's index, from 0.
        input: usize,
    },
    /// No transaction may be without outputs: all of it would be fee.
    #[error("the transaction has no outputs; at least one is needed")]
    NoOutputs,
    /// The outputs are worth more than the inputs.
    #[error("more goes out than comes in")]
    Overspent,
    /// Its first input is that of a signed text (BIP-322), and the rest is not as it must be.
    #[error("a proof of funds that is not as it must be: {0}")]
    Proof(ProofError),
    /// More derivation fields, or more leaves with a key of the group, than are looked into: whose
    /// an input or output is may have been missed.
    #[error(
        "more derivation fields or leaves than are looked into: at most {MOST_KEYS} keys are derived and {MOST_CONTROL_BLOCKS} control blocks checked; leave out those of others"
    )]
    TooMuchWork,
    /// Nothing is this group's, or all of it is signed already.
    #[error("no input is left for this group to sign")]
    NothingToSign,
    /// More signatures than [`MAX_PARTS`] requests have.
    #[error("{count} signatures; at most {most} are made for one transaction", most = MAX_PARTS * MAX_MESSAGES)]
    TooMany {
        /// The number of signatures that the PSBT takes.
        count: usize,
    },
    /// The signature hash cannot be computed.
    #[error("input {input}: no signature hash: {source}")]
    Hash {
        /// The input's index, from 0.
        input: usize,
        /// The reason.
        source: TaprootError,
    },
}

/// Why a PSBT makes no signing request.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpendRequestError {
    /// The group signs nothing of it.
    #[error(transparent)]
    CannotSign(#[from] CannotSign),
    /// No valid request can be made of what is to be signed.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// How a signing request differs from what the PSBT asks for. Messages are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The PSBT cannot be signed.
    #[error(transparent)]
    CannotSign(#[from] CannotSign),
    /// The request names another group.
    #[error("the request is for group {requested:#}; this is group {group:#}")]
    Group {
        /// The group that the request names.
        requested: GroupId,
        /// This group.
        group: GroupId,
    },
    /// The request's id names a part that the PSBT does not have.
    #[error("the request is for part {number}; the PSBT has {parts} parts, counted from 0")]
    Part {
        /// The number of the part in the request's id.
        number: usize,
        /// The number of parts.
        parts: usize,
    },
    /// The request has more or fewer messages than the PSBT takes.
    #[error("the request has {requested} messages; the PSBT has {computed} to sign")]
    Count {
        /// The number of messages in the request.
        requested: usize,
        /// The number of messages computed from the PSBT.
        computed: usize,
    },
    /// A message is not the input's signature hash.
    #[error("message {message} is not the signature hash of input {input}")]
    Hash {
        /// The message's position in the request, from 0.
        message: usize,
        /// The index of the input that it should be of, from 0.
        input: usize,
    },
    /// The request derives another key for a message than the input takes.
    #[error("message {message} is to be signed by another key than input {input} takes")]
    Key {
        /// The message's position in the request, from 0.
        message: usize,
        /// The index of the input that it should be of, from 0.
        input: usize,
    },
}

/// Why signatures do not complete a PSBT.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompleteError {
    /// The PSBT cannot be signed.
    #[error(transparent)]
    CannotSign(#[from] CannotSign),
    /// More or fewer signatures than messages.
    #[error("{signatures} signatures; the PSBT takes {messages}")]
    Count {
        /// The number of signatures given.
        signatures: usize,
        /// The number of signatures that the PSBT takes.
        messages: usize,
    },
    /// The key of a message cannot be derived.
    #[error("message {message}: {source}")]
    Derivation {
        /// The message's position in the request, from 0.
        message: usize,
        /// The error of the derivation.
        source: DerivationError,
    },
    /// A signature that is not valid.
    #[error("signature {message} is not valid for input {input}")]
    Invalid {
        /// The signature's position, from 0.
        message: usize,
        /// The input's index, from 0.
        input: usize,
    },
    /// The PSBT cannot be written.
    #[error(transparent)]
    Psbt(#[from] PsbtError),
}
