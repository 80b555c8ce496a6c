use roastery_protocol::{
    GroupId,
    request::{DerivationError, MAX_MESSAGES},
};
use thiserror::Error;

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
        /// The input.
        input: usize,
    },
    /// No transaction may be without outputs: all of it would be fee.
    #[error("the transaction has no outputs; at least one is needed")]
    NoOutputs,
    /// More goes out than in.
    #[error("more goes out than comes in")]
    Overspent,
    /// Nothing is this group's, or all of it is signed already.
    #[error("no input is left for this group to sign")]
    NothingToSign,
    /// More signatures than one request has.
    #[error("{count} signatures; one request has at most {most}", most = MAX_MESSAGES)]
    TooMany {
        /// How many it takes.
        count: usize,
    },
    /// The signature hash cannot be computed.
    #[error("input {input}: no signature hash: {reason}")]
    Hash {
        /// The input.
        input: usize,
        /// Why.
        reason: String,
    },
    /// A request that cannot be.
    #[error("{0}")]
    Request(String),
}

/// How a signing request differs from what the PSBT asks for. Messages are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The PSBT asks for nothing that could be signed.
    #[error("{0}")]
    CannotSign(#[from] CannotSign),
    /// Another group.
    #[error("the request is for group {requested:#}; this is group {group:#}")]
    Group {
        /// The group that the request names.
        requested: GroupId,
        /// This group.
        group: GroupId,
    },
    /// More or fewer messages.
    #[error("the request has {requested} messages; the PSBT has {computed} to sign")]
    Count {
        /// In the request.
        requested: usize,
        /// In the PSBT.
        computed: usize,
    },
    /// Another message than the input's signature hash.
    #[error("message {message} is not the signature hash of input {input}")]
    Hash {
        /// The message.
        message: usize,
        /// The input that it should be of.
        input: usize,
    },
    /// Another key.
    #[error("message {message} is to be signed by another key than input {input} takes")]
    Key {
        /// The message.
        message: usize,
        /// The input that it should be of.
        input: usize,
    },
}

/// Why signatures do not complete a PSBT.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CompleteError {
    /// There is nothing to sign.
    #[error("{0}")]
    CannotSign(#[from] CannotSign),
    /// More or fewer signatures than messages.
    #[error("{signatures} signatures; the PSBT takes {messages}")]
    Count {
        /// Signatures.
        signatures: usize,
        /// Messages.
        messages: usize,
    },
    /// The key does not derive.
    #[error("message {message}: {source}")]
    Derivation {
        /// The message, from 0.
        message: usize,
        /// Why not.
        source: DerivationError,
    },
    /// A signature that is not valid.
    #[error("signature {message} is not valid for input {input}")]
    Invalid {
        /// Which, from 0.
        message: usize,
        /// The input.
        input: usize,
    },
    /// The signatures of this group are not enough for an input.
    #[error("input {input} cannot be finalised: {reason}")]
    Unfinished {
        /// The input.
        input: usize,
        /// Why not.
        reason: String,
    },
}
