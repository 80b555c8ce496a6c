use std::fmt;

/// What a faulty member does. It runs the honest code, and the coalition may replace what that
/// sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Sends nothing at all.
    Silent,
    /// Sends its first message and nothing else.
    SilentAfterFirst,
    /// Sends one member a wrong share.
    BadShareToOne,
    /// Sends every member a wrong share.
    BadShareToAll,
    /// Does not prove that it knows its secret.
    BadProof,
    /// Its nonce is no point.
    BadNonce,
    /// Commits to the secret zero.
    BadCommitment,
    /// Its signature of the transcript is invalid.
    BadSignature,
    /// Sends different first messages to different members, and signs whatever transcript it sees.
    Equivocates,
    /// The same, and its first messages have one nonce and one proof: they differ in the second
    /// coefficient of its polynomial, and in the shares that go with it.
    EquivocatesInShares,
    /// Makes different transcripts of the same first messages for two halves, and signs both.
    SplitsTranscripts,
    /// Changes one member's share in the transcript, and signs it.
    AltersShare,
    /// The same, and answers the investigation so that another member seems to be at fault.
    FramesInInvestigation,
    /// Changes one member's share in the transcript, and puts a certificate without that member's
    /// signature together.
    ForgesCertificate,
    /// Changes bits of its messages and signs the envelope anew.
    Mutates,
    /// Sends a wrong signature first and the right one when it repeats it; coordinates nothing.
    WrongThenRight,
    /// Follows the protocol as a participant, but coordinates nothing.
    SilentCoordinator,
    /// Follows the protocol as a participant; as a coordinator it sends its transcript to one half
    /// of the members and nothing more.
    CrashesHalfWay,
    /// Follows the protocol, but sends the certificate to no member.
    WithholdsCertificate,
    /// Follows the protocol as a participant; as a coordinator it changes the sums of the
    /// commitments, so that all shares are wrong.
    AltersSums,
    /// Follows the protocol as a participant; as a coordinator it changes the proof of one member,
    /// which is not part of the transcript.
    AltersProof,
    /// Follows the protocol as a participant; as a coordinator it sends all but one member two
    /// transcripts with changed proofs, and that one the right one. The others check no third one
    /// of the same coordinator.
    AltersProofTwice,
    /// Follows the protocol as a participant; as a coordinator it sends garbage.
    Garbage,
    /// Follows the protocol, and sends messages about every member that no member has asked for.
    Slanders,
    /// Follows the protocol, and replays messages: of others, of another key generation, in the
    /// name of others.
    Replays,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Fault; 25] = [
        Fault::Silent,
        Fault::SilentAfterFirst,
        Fault::BadShareToOne,
        Fault::BadShareToAll,
        Fault::BadProof,
        Fault::BadNonce,
        Fault::BadCommitment,
        Fault::BadSignature,
        Fault::Equivocates,
        Fault::EquivocatesInShares,
        Fault::SplitsTranscripts,
        Fault::AltersShare,
        Fault::FramesInInvestigation,
        Fault::ForgesCertificate,
        Fault::Mutates,
        Fault::WrongThenRight,
        Fault::SilentCoordinator,
        Fault::CrashesHalfWay,
        Fault::WithholdsCertificate,
        Fault::AltersSums,
        Fault::AltersProof,
        Fault::AltersProofTwice,
        Fault::Garbage,
        Fault::Slanders,
        Fault::Replays,
    ];

    /// Whether it can prevent the key. All must sign one transcript, so a member that does not
    /// take part can, and so can one that makes honest members sign different ones.
    pub fn can_prevent(self) -> bool {
        self < Fault::WrongThenRight
    }

    /// Whether it signs whatever transcript it sees.
    pub(super) fn signs_everything(self) -> bool {
        matches!(
            self,
            Fault::Equivocates
                | Fault::EquivocatesInShares
                | Fault::SplitsTranscripts
                | Fault::AltersShare
                | Fault::FramesInInvestigation
                | Fault::ForgesCertificate
        )
    }

    /// Whether it follows the protocol as a participant, and its honest code does not coordinate:
    /// if at all, the coalition does.
    pub(super) fn leaves_coordinating(self) -> bool {
        matches!(
            self,
            Fault::WrongThenRight
                | Fault::SilentCoordinator
                | Fault::CrashesHalfWay
                | Fault::AltersSums
                | Fault::AltersProof
                | Fault::AltersProofTwice
                | Fault::Garbage
        )
    }

    /// Whether it sends the certificate to no member.
    pub(super) fn hides_certificate(self) -> bool {
        matches!(
            self,
            Fault::WrongThenRight
                | Fault::SilentCoordinator
                | Fault::CrashesHalfWay
                | Fault::WithholdsCertificate
                | Fault::ForgesCertificate
                | Fault::Garbage
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Silent => "is silent",
            Fault::SilentAfterFirst => "is silent after its first message",
            Fault::BadShareToOne => "sends one member a wrong share",
            Fault::BadShareToAll => "sends all a wrong share",
            Fault::BadProof => "sends a wrong proof of possession",
            Fault::BadNonce => "sends a nonce that is no point",
            Fault::BadCommitment => "commits to zero",
            Fault::BadSignature => "signs wrongly",
            Fault::Equivocates => "sends two first messages and signs everything",
            Fault::EquivocatesInShares => "sends two first messages with one nonce",
            Fault::SplitsTranscripts => "makes two transcripts for two halves",
            Fault::AltersShare => "changes a share in the transcript",
            Fault::FramesInInvestigation => "changes a share and answers falsely about it",
            Fault::ForgesCertificate => "makes a certificate without the signature of one member",
            Fault::Mutates => "changes bits of what it says",
            Fault::WrongThenRight => "signs wrongly before it signs rightly",
            Fault::SilentCoordinator => "coordinates nothing",
            Fault::CrashesHalfWay => "shows its transcript to one half and says no more",
            Fault::WithholdsCertificate => "withholds the certificate",
            Fault::AltersSums => "changes the sums of the commitments",
            Fault::AltersProof => "changes a proof in the transcript",
            Fault::AltersProofTwice => "changes proofs in two transcripts and shows the right one",
            Fault::Garbage => "sends garbage as a coordinator",
            Fault::Slanders => "accuses all",
            Fault::Replays => "replays messages",
        })
    }
}
