//! Decisions about requests: who decided, about what, in which state of the request, and when.

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::hash::tagged_hash;
use roastery_protocol::{
    request::RefusalReason,
    request::{SigningRequest, Subject},
};

const EXAMINATION: &str = "roastery/store/1/examination";

/// The most coins that one request spends: a transaction of the longest PSBT has fewer inputs.
pub const MAX_COINS: usize = 8192;

/// A decision about one request. Every later step compares against all of it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Decision {
    /// Who or what decided.
    pub by: Decider,
    /// What was decided about: the request, the subject that was shown, and what this node found in
    /// it.
    pub about: Examination,
    /// The revision of the request's row that was decided about
    /// ([`KeptRequest::revision`](super::KeptRequest::revision)). A decision about an older
    /// revision than the current one does not take effect.
    pub revision: u64,
    /// When it was made, in seconds since 1970.
    pub at: u64,
}

/// Who or what decides about requests.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Decider {
    /// The operator of this node.
    Operator,
    /// The rules in the configuration alone.
    Rules,
    /// The configured command, which printed this, in at most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    Command {
        /// The first line of its output.
        said: String,
    },
}

/// What was examined before a decision: a hash over the request, the subject that was shown, and
/// what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Examination([u8; 32]);

impl Examination {
    /// The examination of a request shown with this subject, in which this was found; empty if the
    /// subject was not examined.
    pub fn new(request: &SigningRequest, subject: &Subject, found: &[u8]) -> Self {
        let shown = borsh::to_vec(subject).expect("writing into memory does not fail");
        // Hashed separately, so that no part can be shifted into another.
        let part = |bytes: &[u8]| tagged_hash(EXAMINATION, &[bytes]);
        let parts = [*request.session_id().as_bytes(), part(&shown), part(found)];
        Self(tagged_hash(EXAMINATION, &[parts.as_flattened()]))
    }

    /// The hash, of 32 bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}

/// Why this node does not take part in a request.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Rejection {
    /// The decision not to take part.
    pub decision: Decision,
    /// The reason that the other members receive.
    pub reason: RefusalReason,
    /// The reason for the operator: the rule, or the operator's note, in at most
    /// [`MAX_TEXT`](super::MAX_TEXT) bytes.
    pub text: String,
}

/// What a request spends from a group's wallet.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Spending {
    /// The amount in satoshi, fee included.
    pub amount: u64,
    /// The coins that are spent for it, each once, at most [`MAX_COINS`].
    pub coins: Vec<Coin>,
}

/// A coin: an output of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Coin {
    /// The transaction id, in the byte order of the transaction's encoding.
    pub transaction: [u8; 32],
    /// The index of the output.
    pub output: u32,
}

#[cfg(test)]
mod tests {
    use roastery_protocol::{
        GroupId,
        request::{Derivation, MessageToSign},
    };

    use super::*;

    #[test]
    fn an_examination_is_of_one_request_one_subject_and_one_finding() {
        let request = |id: u8| {
            let derivation = Derivation::key_path_only();
            let messages = vec![MessageToSign { message: [1; 32], derivation }];
            SigningRequest::new(GroupId::from_bytes([2; 32]), [id; 32], 9, messages).unwrap()
        };
        let all = [
            Examination::new(&request(1), &Subject::Hash, b""),
            Examination::new(&request(2), &Subject::Hash, b""),
            Examination::new(&request(1), &Subject::Transaction(vec![]), b""),
            Examination::new(&request(1), &Subject::Transaction(vec![1]), b""),
            Examination::new(&request(1), &Subject::Transaction(vec![]), b"\x01"),
        ];
        for (at, one) in all.iter().enumerate() {
            assert_eq!(all.iter().position(|other| other == one), Some(at));
        }
        assert_eq!(Examination::new(&request(1), &Subject::Hash, b""), all[0]);
    }
}
