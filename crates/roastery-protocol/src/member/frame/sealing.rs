use roastery_frost::Seat;

use super::{
    FinalSignature, Form, Header, Kind, Refusal, SignatureShare, SigningPackage, Statement,
    StatementKind, evidence::Proof,
};
use crate::{GroupId, SessionId, envelope::SIGNATURE, keys::IdentityKey, request::Proposal, wire};

/// The content of a statement, decoded and structurally sound for its session.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// See [`StatementKind::Proposal`].
    Proposal(Proposal),
    /// See [`StatementKind::SigningPackage`].
    SigningPackage(SigningPackage),
    /// See [`StatementKind::SignatureShare`].
    SignatureShare(SignatureShare),
    /// See [`StatementKind::Signature`].
    Signature(FinalSignature),
    /// See [`StatementKind::Refusal`].
    Refusal(Refusal),
    /// See [`StatementKind::Evidence`].
    Evidence(Proof),
}

impl Content {
    /// Its kind.
    pub fn kind(&self) -> StatementKind {
        match self {
            Content::Proposal(_) => StatementKind::Proposal,
            Content::SigningPackage(_) => StatementKind::SigningPackage,
            Content::SignatureShare(_) => StatementKind::SignatureShare,
            Content::Signature(_) => StatementKind::Signature,
            Content::Refusal(_) => StatementKind::Refusal,
            Content::Evidence(_) => StatementKind::Evidence,
        }
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Content::Proposal(content) => wire::encode(content),
            Content::SigningPackage(content) => wire::encode(content),
            Content::SignatureShare(content) => wire::encode(content),
            Content::Signature(content) => wire::encode(content),
            Content::Refusal(content) => wire::encode(content),
            Content::Evidence(content) => wire::encode(content),
        }
    }
}

impl Statement {
    /// Signs a content with the sender's identity key, under the tag of its kind.
    pub fn seal(
        group: GroupId,
        session: SessionId,
        sender: Seat,
        content: &Content,
        key: &IdentityKey,
    ) -> Self {
        let (kind, header) = (content.kind(), Header { group, session, sender: sender.to_u16() });
        let mut bytes = vec![0; Form::Statement.body_at()];
        bytes[0] = Form::Statement as u8;
        header.write(Kind::Statement(kind), &mut bytes);
        bytes.extend(content.encode());
        let (prefix, body) = bytes.split_at_mut(Form::Statement.body_at());
        prefix[1..].copy_from_slice(&key.sign(kind.tag(), body).to_bytes());
        Self { kind, header, bytes: bytes.into() }
    }

    /// A statement with a signature that was made before. It is not checked.
    pub(crate) fn assemble(
        group: GroupId,
        session: SessionId,
        sender: Seat,
        content: &Content,
        signature: &[u8; SIGNATURE],
    ) -> Self {
        let header = Header { group, session, sender: sender.to_u16() };
        let kind = content.kind();
        let mut bytes = vec![Form::Statement as u8];
        bytes.extend(signature);
        header.write(Kind::Statement(kind), &mut bytes);
        bytes.extend(content.encode());
        Self { kind, header, bytes: bytes.into() }
    }
}
