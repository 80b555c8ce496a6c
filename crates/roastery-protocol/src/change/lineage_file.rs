//! The recovery files of all epochs of a key in one file, and the share that a host key gives with
//! it.

use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{Point, SecretShare, change::RecoverError};
use thiserror::Error;

use super::{CertifiedEpoch, EpochFile, EpochFileError, EpochRefused, Lineage, MAX_EPOCH_FILE};
use crate::{
    Seat,
    group::{Group, GroupError, MAX_GROUP_FILE},
    keygen::{MAX_RECOVERY_FILE, RecoveryError, RecoveryFile, recover_group},
    keys::HostKey,
    tags::VERSION,
    wire,
};

/// The longest lineage file, in bytes: more than a thousand epochs of a 67-of-100.
pub const MAX_LINEAGE_FILE: usize = 64 << 20;

/// The first bytes of such a file. A recovery file of a key generation begins with its version.
const MARK: &[u8; 8] = b"rstlinea";

/// What a lineage begins with.
#[derive(Clone, Debug)]
pub enum LineageRoot {
    /// The recovery file of the key generation, which proves that the group exists.
    Generated(Box<RecoveryFile>),
    /// A group file, which proves nothing: the group of a trusted dealer, or at a member that has
    /// joined the one that its plan changed.
    Group(Arc<Group>),
}

impl LineageRoot {
    /// The first group.
    pub fn group(&self) -> &Arc<Group> {
        match self {
            Self::Generated(file) => file.group(),
            Self::Group(group) => group,
        }
    }
}

/// The first group of a key and the epochs that lead to its current one, the lowest first. Each was
/// verified under the group before it.
///
/// It is public. With the host key of a seat of one of its epochs it gives the share of that seat.
#[derive(Clone, Debug)]
pub struct LineageFile {
    root: LineageRoot,
    lineage: Lineage,
}

#[derive(BorshSerialize, BorshDeserialize)]
enum Root {
    Generated(#[borsh(deserialize_with = "wire::take_bytes::<MAX_RECOVERY_FILE, _>")] Vec<u8>),
    Group(#[borsh(deserialize_with = "wire::take_bytes::<MAX_GROUP_FILE, _>")] Vec<u8>),
}

#[derive(BorshSerialize, BorshDeserialize)]
struct Epoch(#[borsh(deserialize_with = "wire::take_bytes::<MAX_EPOCH_FILE, _>")] Vec<u8>);

#[derive(BorshSerialize, BorshDeserialize)]
struct Head {
    mark: [u8; 8],
    version: u8,
    root: Root,
    epochs: u32,
}

/// Why bytes are no lineage file, or bring nothing back.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LineageFileError {
    /// It is longer than such a file may be.
    #[error("a recovery file of {length} bytes; at most {MAX_LINEAGE_FILE} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It does not begin as one.
    #[error("no recovery file of a key with several epochs")]
    OtherFile,
    /// It is of another version.
    #[error("a recovery file of version {version}; this program reads version {VERSION}")]
    OtherVersion {
        /// The version byte.
        version: u8,
    },
    /// It does not decode.
    #[error("the recovery file does not decode, it has been cut off or changed: {0}")]
    Encoding(#[source] std::io::Error),
    /// The recovery file of the key generation in it is none.
    #[error("epoch 0: {0}")]
    Generated(#[from] RecoveryError),
    /// The group file in it is none.
    #[error("the first group: {0}")]
    Group(#[from] GroupError),
    /// The recovery file of an epoch in it is none.
    #[error("epoch file {at}: {source}")]
    Epoch {
        /// Its place in the file, from 1.
        at: usize,
        /// What is wrong with it.
        source: EpochFileError,
    },
    /// An epoch does not follow from those before it.
    #[error("epoch file {at}: {source}")]
    Refused {
        /// Its place in the file, from 1.
        at: usize,
        /// What is wrong with it.
        source: EpochRefused,
    },
    /// An epoch is verified, and is not the one after that before it in the file.
    #[error("epoch file {at} does not follow the one before it")]
    NotNext {
        /// Its place in the file, from 1.
        at: usize,
    },
    /// The host key is of the first group, whose recovery file is not there.
    #[error(
        "the host key is of epoch {epoch}, with which this file begins, and the certificate of that \
         epoch is not in it: take the file of a member that was there from the start"
    )]
    NoCertificate {
        /// The number of the epoch.
        epoch: u32,
    },
    /// No seat of a group in the file has this host key.
    #[error(
        "the host key is that of no seat in this file: of {epochs}; it may be of another group, or \
         the file is older than the epoch of the host key"
    )]
    OtherHostKey {
        /// The epochs of the file, for people.
        epochs: String,
    },
    /// The certificate gives no share with this host key.
    #[error("{0}")]
    Share(#[from] RecoverError),
}

/// What a host key brings back with a lineage file.
#[derive(Debug)]
pub struct RecoveredShare {
    /// The group of the epoch that the host key is of.
    pub group: Arc<Group>,
    /// The seat.
    pub seat: Seat,
    /// Its secret share.
    pub share: SecretShare,
    /// Whether the file has a greater epoch, which supersedes this one.
    pub is_superseded: bool,
}

impl LineageFile {
    /// The epochs of a lineage that lead to its current one. The root is what the lineage begins
    /// with.
    ///
    /// # Errors
    ///
    /// [`LineageFileError::Refused`] if the lineage begins with another group.
    pub fn of(root: LineageRoot, lineage: &Lineage) -> Result<Self, LineageFileError> {
        let mut chain: Vec<EpochFile> = lineage.chain().map(CertifiedEpoch::file).collect();
        chain.reverse();
        Self::verified(root, chain.into_iter().map(Ok))
    }

    fn verified(
        root: LineageRoot,
        files: impl Iterator<Item = Result<EpochFile, EpochFileError>>,
    ) -> Result<Self, LineageFileError> {
        let mut lineage = Lineage::new(root.group().clone());
        for (at, file) in (1..).zip(files) {
            let file = file.map_err(|source| LineageFileError::Epoch { at, source })?;
            let epoch = lineage.verify(&file);
            let epoch = epoch.map_err(|source| LineageFileError::Refused { at, source })?;
            if epoch.parent() != lineage.current() {
                return Err(LineageFileError::NotNext { at });
            }
            lineage.add(epoch);
        }
        Ok(Self { root, lineage })
    }

    /// Whether bytes begin as such a file does.
    pub fn begins(bytes: &[u8]) -> bool {
        bytes.starts_with(MARK)
    }

    /// Reads a file and verifies all of it, each epoch under the group before it: t + n' signatures
    /// for an epoch, beside those of its cards.
    ///
    /// # Errors
    ///
    /// [`LineageFileError`] names what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, LineageFileError> {
        let length = bytes.len();
        if length > MAX_LINEAGE_FILE {
            return Err(LineageFileError::TooLong { length });
        }
        match bytes.strip_prefix(MARK).map(<[u8]>::first) {
            None => return Err(LineageFileError::OtherFile),
            Some(Some(&version)) if version != VERSION => {
                return Err(LineageFileError::OtherVersion { version });
            }
            Some(_) => {}
        }
        let mut rest = bytes;
        let head = Head::deserialize(&mut rest).map_err(LineageFileError::Encoding)?;
        let root = match head.root {
            Root::Generated(file) => LineageRoot::Generated(Box::new(RecoveryFile::decode(&file)?)),
            Root::Group(file) => LineageRoot::Group(Arc::new(Group::decode(&file)?)),
        };
        // Each is verified before the next is read, so that a long file of nothing costs little.
        let mut broken = None;
        let files = (0..head.epochs).map_while(|_| match Epoch::deserialize(&mut rest) {
            Ok(Epoch(file)) => Some(EpochFile::decode(&file)),
            Err(error) => {
                broken = Some(error);
                None
            }
        });
        let read = Self::verified(root, files)?;
        if let Some(error) = broken {
            return Err(LineageFileError::Encoding(error));
        }
        if !rest.is_empty() {
            let error = std::io::Error::other(format!("{} bytes follow it", rest.len()));
            return Err(LineageFileError::Encoding(error));
        }
        Ok(read)
    }

    /// The file's bytes; [`LineageFile::decode`] reads them.
    pub fn encode(&self) -> Vec<u8> {
        let root = match &self.root {
            LineageRoot::Generated(file) => Root::Generated(file.encode()),
            LineageRoot::Group(group) => Root::Group(group.encode()),
        };
        let epochs = u32::try_from(self.lineage.epochs().count()).unwrap_or(u32::MAX);
        let mut bytes = wire::encode(&Head { mark: *MARK, version: VERSION, root, epochs });
        for epoch in self.lineage.epochs() {
            bytes.extend(wire::encode(&Epoch(epoch.file().encode())));
        }
        bytes
    }

    /// What it begins with.
    pub fn root(&self) -> &LineageRoot {
        &self.root
    }

    /// The epochs, all of them verified.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// The group of the last epoch.
    pub fn current_group(&self) -> &Arc<Group> {
        self.lineage.group(self.lineage.current()).unwrap_or(self.lineage.root())
    }

    /// The epochs in words: their first and last number.
    pub fn numbers(&self) -> String {
        let (first, last) = (self.lineage.root_order().epoch(), self.lineage.current().epoch());
        if first == last { format!("epoch {first}") } else { format!("epochs {first} to {last}") }
    }

    /// The group and the seat that have this host key, of the greatest epoch that has.
    pub fn seat_of(&self, host: Point) -> Option<(Arc<Group>, Seat)> {
        let epochs = self.lineage.epochs().rev().map(CertifiedEpoch::group);
        let mut groups = epochs.chain([self.lineage.root()]);
        groups.find_map(|group| {
            let mut seats = group.seats().zip(group.members());
            let (seat, _) = seats.find(|(_, member)| member.host_key == host)?;
            Some((group.clone(), seat))
        })
    }

    /// The share that this host key gives.
    ///
    /// # Errors
    ///
    /// [`LineageFileError::OtherHostKey`] if no group of the file has it,
    /// [`LineageFileError::NoCertificate`] if it is of the first group and that one's certificate
    /// is not there, [`LineageFileError::Share`].
    pub fn recover(&self, host: HostKey) -> Result<RecoveredShare, LineageFileError> {
        let public = host.public_key();
        let of_epoch = self.lineage.epochs().rev().find_map(|epoch| {
            let mut seats = epoch.group().seats().zip(epoch.group().members());
            let (seat, _) = seats.find(|(_, member)| member.host_key == public)?;
            Some((epoch, seat))
        });
        if let Some((epoch, seat)) = of_epoch {
            let (share, _) = epoch.certificate().recover(&host.for_change())?.into_parts();
            let is_superseded = epoch.order() < self.lineage.current();
            return Ok(RecoveredShare { group: epoch.group().clone(), seat, share, is_superseded });
        }
        let in_root = |group: &Group| group.members().iter().any(|one| one.host_key == public);
        match &self.root {
            LineageRoot::Generated(file) if in_root(file.group()) => {
                let recovered = recover_group(host, &file.encode(), None)?;
                let is_superseded = self.lineage.epochs().next().is_some();
                let (group, seat, share) = (recovered.group, recovered.seat, recovered.share);
                Ok(RecoveredShare { group, seat, share, is_superseded })
            }
            LineageRoot::Group(group) if in_root(group) => {
                Err(LineageFileError::NoCertificate { epoch: group.epoch().number() })
            }
            _ => Err(LineageFileError::OtherHostKey { epochs: self.numbers() }),
        }
    }
}
