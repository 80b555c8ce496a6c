//! What brings a share and its group back, with the host key and nothing else that is secret.

use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{
    SecretShare,
    chilldkg::{self, HostSecretKey, RecoverError, RecoveryData, RecoveryDataError},
};
use thiserror::Error;

use super::{Invitation, InvitationError, invitation::MAX_INVITATION};
use crate::{
    GroupId, Seat,
    group::{Group, GroupError, Member, RebindError},
    keys::HostKey,
    tags::{Tag, VERSION},
    wire,
};

/// The longest recovery file, in bytes: 128 members, 128 to sign, all of them with a newer binding.
pub const MAX_RECOVERY_FILE: usize =
    1 + 4 + MAX_INVITATION + 4 + 4 + 33 * 128 + 162 * 128 + 4 + 128 * 202 + 32;

const CHECK: usize = 32;

/// The public outcome of a key generation, which may be kept anywhere: the invitation, the
/// certified transcript, and the newer bindings of members that have changed their keys since.
///
/// A value of this type is the proof that all members have signed, and that the group exists. The
/// certificate covers host keys, threshold and key; the bindings cover identity keys and peers. The
/// name and the number go into the chain code and so into the group's id, and no member has signed
/// them: to verify them, compare the group's id.
#[derive(Clone, Debug)]
pub struct RecoveryFile {
    invitation: Invitation,
    data: RecoveryData,
    group: Arc<Group>,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct File {
    version: u8,
    invitation: Vec<u8>,
    data: Vec<u8>,
    rebound: Vec<Member>,
}

/// Why bytes are no valid recovery file, or do not recover the expected group.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// It is longer than a recovery file may be.
    #[error("a recovery file of {length} bytes; at most {MAX_RECOVERY_FILE} are allowed")]
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
    /// It ends before its content does.
    #[error("the recovery file has been cut off: it ends before its content does")]
    CutOff,
    /// It has been changed: the hash at its end is not that of what comes before.
    #[error("the recovery file has been changed: its check does not fit its content")]
    Damaged,
    /// It does not decode.
    #[error("the recovery file does not decode: {0}")]
    Encoding(#[source] std::io::Error),
    /// The invitation in it is invalid.
    #[error("{0}")]
    Invitation(#[from] InvitationError),
    /// The certified transcript in it is invalid.
    #[error("{0}")]
    Data(#[from] RecoveryDataError),
    /// The transcript is not that of the members in the invitation, or of another threshold.
    #[error("the transcript is not that of the invitation's members and threshold")]
    OtherMembers,
    /// Its parts do not make a valid group.
    #[error("{0}")]
    Group(#[from] GroupError),
    /// A newer binding in it is invalid.
    #[error("{0}")]
    Rebinding(#[from] RebindError),
    /// It is the file of another group.
    #[error("the recovery file is that of group {found}, not of group {expected}")]
    OtherGroup {
        /// The group of the file.
        found: GroupId,
        /// The group that the caller asked for.
        expected: GroupId,
    },
    /// The host key is that of no member, or gives no share.
    #[error("{0}")]
    Share(#[from] RecoverError),
}

impl RecoveryFile {
    pub(super) fn new(invitation: Invitation, data: RecoveryData) -> Result<Self, RecoveryError> {
        if data.params() != invitation.params() {
            return Err(RecoveryError::OtherMembers);
        }
        let transcript = data.transcript().as_bytes();
        let chain_code = Tag::ChainCode.hash(&[invitation.id().as_bytes(), transcript]);
        let members = invitation.members().to_vec();
        let group = Arc::new(Group::new(data.group().clone(), chain_code, members)?);
        Ok(Self { invitation, data, group })
    }

    /// Reads a recovery file and checks all of it: *n* signatures of the certificate, and the
    /// bindings.
    ///
    /// # Errors
    ///
    /// [`RecoveryError`] names what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecoveryError> {
        if bytes.len() > MAX_RECOVERY_FILE {
            return Err(RecoveryError::TooLong { length: bytes.len() });
        }
        match bytes.first() {
            Some(&VERSION) => {}
            other => {
                return Err(RecoveryError::OtherVersion { version: other.copied().unwrap_or(0) });
            }
        }
        let (content, check) = bytes.split_last_chunk::<CHECK>().ok_or(RecoveryError::CutOff)?;
        if Tag::RecoveryFile.hash(&[content]) != *check {
            // Version, invitation, transcript, and how many bindings follow: all that this can lack
            // is bytes.
            let whole = <(u8, Vec<u8>, Vec<u8>, u32)>::deserialize(&mut &*content).is_ok();
            return Err(if whole { RecoveryError::Damaged } else { RecoveryError::CutOff });
        }
        let file: File = wire::decode(content).map_err(RecoveryError::Encoding)?;
        let invitation = Invitation::decode(&file.invitation)?;
        let recovered = Self::new(invitation, RecoveryData::parse(&file.data)?)?;
        file.rebound.into_iter().try_fold(recovered, |file, member| Ok(file.rebind(member)?))
    }

    /// The file's bytes; [`RecoveryFile::decode`] reads them.
    pub fn encode(&self) -> Vec<u8> {
        let cards = self.group.members().iter().zip(self.invitation.members());
        let rebound = cards.filter(|(now, then)| now != then).map(|(now, _)| now.clone());
        let mut bytes = wire::encode(&File {
            version: VERSION,
            invitation: self.invitation.encode(),
            data: self.data.to_bytes(),
            rebound: rebound.collect(),
        });
        let check = Tag::RecoveryFile.hash(&[&bytes]);
        bytes.extend(check);
        bytes
    }

    /// The file with a member's newer binding; see [`Group::rebind`].
    ///
    /// # Errors
    ///
    /// [`RebindError`].
    pub fn rebind(self, member: Member) -> Result<Self, RebindError> {
        let group = Arc::new(self.group.rebind(member)?);
        Ok(Self { group, ..self })
    }

    /// The invitation that all members agreed on before the key generation.
    pub fn invitation(&self) -> &Invitation {
        &self.invitation
    }

    /// The certified transcript.
    pub fn data(&self) -> &RecoveryData {
        &self.data
    }

    /// The group, with the newest bindings in the file.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }
}

/// What is recovered from a host key and a recovery file.
#[derive(Debug)]
pub struct Recovered {
    /// The seat.
    pub seat: Seat,
    /// Its secret share.
    pub share: SecretShare,
    /// The group.
    pub group: Arc<Group>,
}

/// Recovers the secret share of the host key's seat, and the group, from the bytes of a
/// [`RecoveryFile`].
///
/// # Errors
///
/// [`RecoveryError`] names what is wrong: with the file, with the host key, or that it is the file
/// of another group than the one expected, where one is.
pub fn recover_group(
    host: HostKey,
    file: &[u8],
    expected: Option<GroupId>,
) -> Result<Recovered, RecoveryError> {
    let file = RecoveryFile::decode(file)?;
    let found = file.group.id();
    if let Some(expected) = expected
        && expected != found
    {
        return Err(RecoveryError::OtherGroup { found, expected });
    }
    file.recover(&HostSecretKey::from(host))
}

impl RecoveryFile {
    pub(super) fn recover(&self, host: &HostSecretKey) -> Result<Recovered, RecoveryError> {
        let not_in_session = RecoverError::HostSeckey(chilldkg::HostSeckeyError::NotInSession);
        let seat = self.data.params().participant_of(&host.hostpubkey_gen());
        let seat = seat.ok_or(not_in_session)?;
        let (share, _) = chilldkg::recover(host, &self.data)?.0.into_parts();
        Ok(Recovered { seat, share, group: self.group.clone() })
    }
}
