//! Decisions about requests: who or what decided, about what, in which state, and when.

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::hash::tagged_hash;
use roastery_protocol::{
    message::RefusalReason,
    request::{SigningRequest, Subject},
};

const EXAMINATION: &str = "roastery/store/1/examination";

/// The most coins that one request spends: a transaction of the longest PSBT has fewer inputs.
pub const MAX_COINS: usize = 8192;

/// A decision about one request. Every step that follows from it compares against it: as a whole,
/// never by its words.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Decision {
    /// Who or what decided.
    pub by: Decider,
    /// What was decided about: the request, what was shown with it, and what this node found in it.
    pub about: Examination,
    /// The revision of the request's row that was decided about
    /// ([`KeptRequest::revision`](super::KeptRequest::revision)). A decision about another revision
    /// than the current one does not take effect.
    pub revision: u64,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// Who or what decides about requests.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Decider {
    /// The person who runs this node.
    Operator,
    /// The rules in the configuration alone.
    Rules,
    /// The configured command, which printed this, in at most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    Command {
        /// The first line that it printed.
        said: String,
    },
}

/// What was looked at before a decision: a hash over the request, what was shown with it, and what
/// was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Examination([u8; 32]);

impl Examination {
    /// The examination of a request shown with this subject, in which this was found; what was not
    /// looked into has found nothing.
    pub fn new(request: &SigningRequest, subject: &Subject, found: &[u8]) -> Self {
        let shown = borsh::to_vec(subject).expect("writing into memory does not fail");
        // Hashed apart, so that no part continues another.
        let part = |bytes: &[u8]| tagged_hash(EXAMINATION, &[bytes]);
        let parts = [*request.session_id().as_bytes(), part(&shown), part(found)];
        Self(tagged_hash(EXAMINATION, &[parts.as_flattened()]))
    }

    /// The hash.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}

/// Why this node does not take part in a request.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Rejection {
    /// The decision.
    pub decision: Decision,
    /// What the other members are told.
    pub reason: RefusalReason,
    /// For people: the rule, or the operator's note, in at most [`MAX_TEXT`](super::MAX_TEXT)
    /// bytes.
    pub text: String,
}

/// What leaves a group's wallet with a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Spending {
    /// How much, in satoshi, fee included.
    pub amount: u64,
    /// The coins that are spent for it, each once, at most [`MAX_COINS`].
    pub coins: Vec<Coin>,
}

/// A coin: an output of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Coin {
    /// The transaction's id, in the order of its bytes.
    pub transaction: [u8; 32],
    /// The number of the output.
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
