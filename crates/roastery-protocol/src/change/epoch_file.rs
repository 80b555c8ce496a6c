use std::{io, sync::Arc};

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::change::{Certificate, CertificateError, ChangeParamsError};
use thiserror::Error;

use super::{EpochOrder, MAX_PLAN, Parent, Plan, PlanError};
use crate::{ChangeTranscriptHash, group::Group, tags::VERSION, wire};

/// The longest certificate of any change, in bytes ([`Certificate::len_bytes`]): 128 old and 128
/// new members, both thresholds 128.
pub const MAX_CERTIFICATE: usize = 32 + 67 * 128 + 33 * 127 + 32 * 128 + 64 * 128 + 64 * 128;

/// The longest recovery file of an epoch, in bytes.
pub const MAX_EPOCH_FILE: usize = 1 + 4 + MAX_PLAN + 4 + MAX_CERTIFICATE;

/// The recovery file of an epoch after 0: its plan and its certificate, which with a host key of
/// the plan give that seat's share.
///
/// Encoded as `version u8 = 1 | plan: bytes | certificate: bytes`, both with a length `u32`. The
/// plan was read and is well-formed; what the certificate proves shows
/// [`Lineage::verify`](super::Lineage::verify) only, under the group before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochFile {
    plan: Plan,
    certificate: Vec<u8>,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct File {
    version: u8,
    #[borsh(deserialize_with = "wire::take_bytes::<MAX_PLAN, _>")]
    plan: Vec<u8>,
    #[borsh(deserialize_with = "wire::take_bytes::<MAX_CERTIFICATE, _>")]
    certificate: Vec<u8>,
}

/// Why bytes are no recovery file of an epoch.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EpochFileError {
    /// It is longer than such a file may be.
    #[error("a recovery file of {length} bytes; at most {MAX_EPOCH_FILE} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It is of another version.
    #[error("a recovery file of version {version}; this program reads version {VERSION}")]
    OtherVersion {
        /// The version byte, or 0 if there is none.
        version: u8,
    },
    /// It does not decode.
    #[error("the recovery file does not decode: {0}")]
    Encoding(#[source] io::Error),
    /// The plan is none.
    #[error("{0}")]
    Plan(#[from] PlanError),
}

impl EpochFile {
    /// Reads a file. Its certificate is not looked at.
    ///
    /// # Errors
    ///
    /// [`EpochFileError`] names what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, EpochFileError> {
        let length = bytes.len();
        if length > MAX_EPOCH_FILE {
            return Err(EpochFileError::TooLong { length });
        }
        match bytes.first() {
            Some(&VERSION) => {}
            other => {
                return Err(EpochFileError::OtherVersion { version: other.copied().unwrap_or(0) });
            }
        }
        let file: File = wire::decode(bytes).map_err(EpochFileError::Encoding)?;
        Ok(Self { plan: Plan::decode(&file.plan)?, certificate: file.certificate })
    }

    /// The file's bytes; [`EpochFile::decode`] reads them.
    pub fn encode(&self) -> Vec<u8> {
        let (plan, certificate) = (self.plan.encode(), self.certificate.clone());
        wire::encode(&File { version: VERSION, plan, certificate })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// An epoch that exists: its certificate was verified under the group before it.
#[derive(Clone, Debug)]
pub struct CertifiedEpoch {
    order: EpochOrder,
    parent: EpochOrder,
    plan: Plan,
    certificate: Certificate,
    group: Arc<Group>,
}

/// Why a certificate makes no epoch of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotCertified {
    /// The group is not the plan's parent.
    #[error("the group is not the one that the plan changes")]
    OtherParent,
    /// The plan does not fit the group.
    #[error("{0}")]
    Params(#[from] ChangeParamsError),
    /// The certificate is none of the plan.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
}

impl CertifiedEpoch {
    /// Verifies a file under its parent, a group of this place: t + n' signatures.
    pub(super) fn verify(
        file: &EpochFile,
        parent: &Group,
        place: EpochOrder,
    ) -> Result<Self, NotCertified> {
        let plan = file.plan.clone();
        if *plan.parent() != Parent::of(parent) {
            return Err(NotCertified::OtherParent);
        }
        let certificate = Certificate::parse(&plan.params(parent)?, &file.certificate)?;
        Ok(Self::of(plan, certificate, parent, place))
    }

    /// Of a certificate that was verified for this plan and parent.
    fn of(plan: Plan, certificate: Certificate, parent: &Group, place: EpochOrder) -> Self {
        let hash = ChangeTranscriptHash::from_bytes(*certificate.transcript().hash());
        let order = EpochOrder::of(&plan, hash);
        let group = Arc::new(plan.group(parent, &certificate));
        Self { order, parent: place, plan, certificate, group }
    }

    /// The place that its certificate claims, which is not verified. None if the certificate does
    /// not have the length of one.
    pub(super) fn peek(file: &EpochFile, parent: &Group) -> Option<EpochOrder> {
        let params = file.plan.params(parent).ok()?;
        let hash = Certificate::peek_transcript_hash(&params, &file.certificate)?;
        Some(EpochOrder::of(&file.plan, ChangeTranscriptHash::from_bytes(hash)))
    }

    /// Its place in the order of epochs.
    pub fn order(&self) -> EpochOrder {
        self.order
    }

    /// The place of the epoch before it.
    pub fn parent(&self) -> EpochOrder {
        self.parent
    }

    /// The plan that led to it.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The group of the epoch, with the bindings of the plan's cards.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// The recovery file, which anyone verifies under the group before.
    pub fn file(&self) -> EpochFile {
        EpochFile { plan: self.plan.clone(), certificate: self.certificate.to_bytes() }
    }
}

impl EpochFile {
    /// The file of a plan and the certificate that its change has come to.
    pub fn new(plan: Plan, certificate: &Certificate) -> Self {
        Self { plan, certificate: certificate.to_bytes() }
    }
}
