//! The one list of domain tags.
//!
//! Every hash and every signature that the protocol makes is a BIP-340 tagged hash under one of
//! these tags. The version is part of each tag, so that nothing made by another version can be
//! mistaken for this one: signing by [`member`](crate::member), [`pairing`](crate::pairing) and
//! [`kit`](crate::kit) have version 2, everything else version 1. Every variable part that goes
//! into a hash is framed (fixed length, or length first), so that two different inputs never have
//! the same bytes.

use roastery_frost::hash::tagged_hash;

/// The version of the protocol: one byte, in the tags, the group file, the request and every body.
/// It covers the revision of BIP-445 (0.12.1) as well. Nothing is negotiated.
pub const VERSION: u8 = 1;

/// The version of signing with [`member`](crate::member): one byte, in its tags, in every body and
/// in every proof. Group file and request have [`VERSION`].
pub const SIGNING_VERSION: u8 = 2;

/// A domain tag of the form `roastery/1/...`, or `roastery/2/...` for signing with
/// [`member`](crate::member), for [`pairing`](crate::pairing) and for [`kit`](crate::kit).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    /// The group file: gives the [`GroupId`](crate::GroupId).
    Group,
    /// Threshold public key and chain code: gives the [`KeyId`](crate::KeyId).
    Key,
    /// An encoded signing request: gives the [`SessionId`](crate::SessionId).
    Session,
    /// The order in which the seats coordinate.
    Order,
    /// A body of a key generation: gives the [`BodyHash`](crate::BodyHash).
    Body,
    /// What a host key signs: the binding of identity key and transport peer to a seat.
    Binding,
    /// The invitation to a key generation: gives the [`KeygenId`](crate::KeygenId).
    Keygen,
    /// What a member draws from its seed for one key generation.
    KeygenRandomness,
    /// A key generation and its transcript: gives the [`TranscriptHash`](crate::TranscriptHash).
    Transcript,
    /// The chain code of the group that a key generation makes.
    ChainCode,
    /// A recovery file: gives the check at its end.
    RecoveryFile,
    /// The signature of an envelope that carries a member's first message of a key generation.
    FirstMessage,
    /// The signature of an envelope that carries a coordinator's transcript of a key generation.
    KeygenTranscript,
    /// The signature of an envelope that carries a member's signature of a transcript.
    TranscriptSignature,
    /// The signature of an envelope that carries a certified transcript.
    Certificate,
    /// The signature of an envelope that asks for something in a key generation.
    KeygenWant,
    /// The signature of an envelope that answers the investigation of a wrong share.
    Investigation,
    /// The signature of an envelope that states that a member does not go on with a key generation.
    KeygenRefusal,
    /// A plan of a change: gives the [`PlanId`](crate::PlanId).
    Plan,
    /// Threshold and public shares of the group that a plan changes.
    Parent,
    /// What a host key signs when its holder accepts a plan.
    Acceptance,
    /// The signature of an envelope that carries a plan.
    ChangePlan,
    /// The signature of an envelope that carries an old member's approval of a plan.
    ChangeApproval,
    /// The signature of an envelope that carries a new member's acceptance of a plan.
    ChangeAcceptance,
    /// The signature of an envelope that carries the withdrawal of an approval.
    ChangeWithdrawal,
    /// The signature of an envelope that carries a roll.
    ChangeRoll,
    /// The signature of an envelope that carries a dealing.
    ChangeDealing,
    /// The signature of an envelope that carries a coordinator's choice of dealings.
    ChangeChoice,
    /// The signature of an envelope that carries a complaint about a dealing.
    ChangeComplaint,
    /// The signature of an envelope that carries a new member's signature of a transcript.
    ChangeSignature,
    /// The signature of an envelope that carries the certificate of a change.
    ChangeCertificate,
    /// The signature of an envelope that carries a receipt.
    ChangeReceipt,
    /// The signature of an envelope that carries a question in a change.
    ChangeWant,
    /// The identity key of a further seat of a node; secret.
    FurtherIdentity,
    /// What an identity key signs of the card that names it.
    CardIdentity,
    /// What a transport key signs of the card that names it.
    CardTransport,
    /// What a transport key signs of where its node is called.
    Whereabouts,
    /// The secret of an invitation line: its first 8 bytes name the line to the inviter.
    PairLine,
    /// What a joiner proves with the secret of its line: secret, joiner's peer, inviter's peer.
    PairHello,
    /// What a member commits itself to before a pairing's roster is made.
    PairCommitment,
    /// A pairing's roster: offered terms, attempt, and all entries.
    PairRoster,
    /// A pairing's words: key generation, roster and all revealed numbers.
    PairWords,
    /// One word of one member of a pairing.
    PairWord,
    /// The check at the end of a kit's words.
    KitCheck,
    /// A sealed kit: gives the [`KitId`](crate::kit::KitId).
    Kit,
    /// A host key: gives the label of its kit's paper.
    KitLabel,
    /// What a node says that has a kit: nonce and kit.
    KitHeld,
    /// The slots that a package names of one signer: gives the [`SlotHash`](crate::SlotHash).
    NamedSlots,
    /// A body of a statement or a control frame: gives the [`BodyHash`](crate::BodyHash).
    StatementBody,
    /// The signature of a statement that proposes a request.
    ProposalStatement,
    /// The signature of a statement that is a signing package.
    SigningPackageStatement,
    /// The signature of a statement that is a signature share.
    SignatureShareStatement,
    /// The signature of a statement that carries final signatures.
    SignatureStatement,
    /// The signature of a statement that refuses.
    RefusalStatement,
    /// The signature of a statement that carries a proof.
    EvidenceStatement,
    /// A proof as a file: gives the [`ProofId`](crate::ProofId).
    ProofFile,
}

impl Tag {
    /// Every tag, in the order of the specification.
    pub const ALL: [Tag; 56] = [
        Tag::Group,
        Tag::Key,
        Tag::Session,
        Tag::Order,
        Tag::Body,
        Tag::Binding,
        Tag::Keygen,
        Tag::KeygenRandomness,
        Tag::Transcript,
        Tag::ChainCode,
        Tag::RecoveryFile,
        Tag::FirstMessage,
        Tag::KeygenTranscript,
        Tag::TranscriptSignature,
        Tag::Certificate,
        Tag::KeygenWant,
        Tag::Investigation,
        Tag::KeygenRefusal,
        Tag::Plan,
        Tag::Parent,
        Tag::Acceptance,
        Tag::ChangePlan,
        Tag::ChangeApproval,
        Tag::ChangeAcceptance,
        Tag::ChangeWithdrawal,
        Tag::ChangeRoll,
        Tag::ChangeDealing,
        Tag::ChangeChoice,
        Tag::ChangeComplaint,
        Tag::ChangeSignature,
        Tag::ChangeCertificate,
        Tag::ChangeReceipt,
        Tag::ChangeWant,
        Tag::FurtherIdentity,
        Tag::CardIdentity,
        Tag::CardTransport,
        Tag::Whereabouts,
        Tag::PairLine,
        Tag::PairHello,
        Tag::PairCommitment,
        Tag::PairRoster,
        Tag::PairWords,
        Tag::PairWord,
        Tag::KitCheck,
        Tag::Kit,
        Tag::KitLabel,
        Tag::KitHeld,
        Tag::NamedSlots,
        Tag::StatementBody,
        Tag::ProposalStatement,
        Tag::SigningPackageStatement,
        Tag::SignatureShareStatement,
        Tag::SignatureStatement,
        Tag::RefusalStatement,
        Tag::EvidenceStatement,
        Tag::ProofFile,
    ];

    /// The tag's text, as it goes into the hash (UTF-8, no terminator).
    pub const fn as_str(self) -> &'static str {
        match self {
            Tag::Group => "roastery/1/group",
            Tag::Key => "roastery/1/key",
            Tag::Session => "roastery/1/session",
            Tag::Order => "roastery/1/order",
            Tag::Body => "roastery/1/body",
            Tag::Binding => "roastery/1/binding",
            Tag::Keygen => "roastery/1/ceremony",
            Tag::KeygenRandomness => "roastery/1/ceremony/randomness",
            Tag::Transcript => "roastery/1/ceremony/transcript",
            Tag::ChainCode => "roastery/1/ceremony/chain-code",
            Tag::RecoveryFile => "roastery/1/recovery-file",
            Tag::FirstMessage => "roastery/1/envelope/ceremony/first-message",
            Tag::KeygenTranscript => "roastery/1/envelope/ceremony/transcript",
            Tag::TranscriptSignature => "roastery/1/envelope/ceremony/signature",
            Tag::Certificate => "roastery/1/envelope/ceremony/certificate",
            Tag::KeygenWant => "roastery/1/envelope/ceremony/want",
            Tag::Investigation => "roastery/1/envelope/ceremony/investigation",
            Tag::KeygenRefusal => "roastery/1/envelope/ceremony/refusal",
            Tag::Plan => "roastery/1/change/plan",
            Tag::Parent => "roastery/1/change/parent",
            Tag::Acceptance => "roastery/1/change/acceptance",
            Tag::ChangePlan => "roastery/1/envelope/change/plan",
            Tag::ChangeApproval => "roastery/1/envelope/change/approval",
            Tag::ChangeAcceptance => "roastery/1/envelope/change/acceptance",
            Tag::ChangeWithdrawal => "roastery/1/envelope/change/withdrawal",
            Tag::ChangeRoll => "roastery/1/envelope/change/roll",
            Tag::ChangeDealing => "roastery/1/envelope/change/dealing",
            Tag::ChangeChoice => "roastery/1/envelope/change/choice",
            Tag::ChangeComplaint => "roastery/1/envelope/change/complaint",
            Tag::ChangeSignature => "roastery/1/envelope/change/signature",
            Tag::ChangeCertificate => "roastery/1/envelope/change/certificate",
            Tag::ChangeReceipt => "roastery/1/envelope/change/receipt",
            Tag::ChangeWant => "roastery/1/envelope/change/want",
            Tag::FurtherIdentity => "roastery/1/identity/further",
            Tag::CardIdentity => "roastery/1/card/identity",
            Tag::CardTransport => "roastery/1/card/transport",
            Tag::Whereabouts => "roastery/1/whereabouts",
            Tag::PairLine => "roastery/2/pair/line",
            Tag::PairHello => "roastery/2/pair/hello",
            Tag::PairCommitment => "roastery/2/pair/commit",
            Tag::PairRoster => "roastery/2/pair/roster",
            Tag::PairWords => "roastery/2/pair/words",
            Tag::PairWord => "roastery/2/pair/word",
            Tag::KitCheck => "roastery/2/kit-check",
            Tag::Kit => "roastery/2/kit",
            Tag::KitLabel => "roastery/2/kit-label",
            Tag::KitHeld => "roastery/2/kit-held",
            Tag::NamedSlots => "roastery/2/slots",
            Tag::StatementBody => "roastery/2/body",
            Tag::ProposalStatement => "roastery/2/statement/proposal",
            Tag::SigningPackageStatement => "roastery/2/statement/signing-package",
            Tag::SignatureShareStatement => "roastery/2/statement/signature-share",
            Tag::SignatureStatement => "roastery/2/statement/signature",
            Tag::RefusalStatement => "roastery/2/statement/refusal",
            Tag::EvidenceStatement => "roastery/2/statement/evidence",
            Tag::ProofFile => "roastery/2/evidence-file",
        }
    }

    /// The BIP-340 tagged hash of the concatenated parts under this tag, 32 bytes.
    pub fn hash(self, parts: &[&[u8]]) -> [u8; 32] {
        tagged_hash(self.as_str(), parts)
    }
}
