//! The durable store of a node: one file, encrypted under a passphrase.
//!
//! ```
//! use roastery_frost::SigningKey;
//! use roastery_store::{NodeKeys, Passphrase, PassphraseCost, Store, TransportSecret};
//! use zeroize::Zeroizing;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("roastery-store-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! let path = folder.join("node.roastery");
//! let passphrase = Passphrase::new("correct horse battery staple".to_owned());
//! // Cheap, for this page; the default takes 256 MiB.
//! let cost = PassphraseCost::new(64, 1, 1)?;
//!
//! let store = Store::create(&path, &passphrase, cost)?;
//! let mut transport = Zeroizing::new([0; 32]);
//! getrandom::fill(transport.as_mut())?;
//! let identity = SigningKey::generate(&mut getrandom::SysRng)?;
//! let transport = TransportSecret::from_bytes(transport);
//! store.keep_keys(&NodeKeys { identities: vec![identity], transport })?;
//! drop(store);
//!
//! let store = Store::open(&path, &passphrase)?;
//! assert!(store.keys()?.is_some());
//! store.backup(folder.join("backup.roastery"))?;
//! # drop(store);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is kept, and what never is
//!
//! | kept | |
//! |---|---|
//! | the node's keys | identity keys and transport key; once |
//! | groups | the group, this node's seats and secret shares, the recovery file. The shares are sealed under the key of their epoch, which is in a small file beside the store and can be erased |
//! | host keys | those made here for changes and for pairings, sealed like shares, and which plan each has accepted or which key generation it belongs to |
//! | plans | the plans of changes that were shown to this node, with the records of their changes and their certificates |
//! | epochs | the recovery files of the epochs of this node's keys, and the records of the switch |
//! | log of changes | what this node, its person, a command or a rule have done in changes; entries are added and never changed |
//! | kits | of each host key of a pairing the node's own sealed kit, whether its words were typed back and who keeps it; and the kits that this node keeps for other members |
//! | host key files | of which host keys files were made that are kept elsewhere, and when |
//! | made backups | when backups were made, and of which groups they have shares |
//! | names | which group a name means; final |
//! | key generations | while under way: invitation, and of each own seat its seed and the transcript that it has signed. Afterwards the id only, so that none is begun again with another seed |
//! | requests | with their state: proposed, approved, refused, signed (with the signatures), stopped |
//! | changes | an index of the requests by group and state, in the order in which they changed |
//! | messages | an index of the requests by what they sign |
//! | evidence | valid proofs, by group and member at fault |
//! | bars | the seats that the operator has barred, by group |
//! | pairings | the state of each one that is under way |
//! | wallets | of each wallet what its chain source has found, its labels, and the requests whose transactions are to be sent |
//! | incarnations | of each group the last one of this node |
//! | outbox | what is to be told through hooks, until it is told or given up; of each hook at most [`MAX_NOTICES`], and counts of what became of the others |
//! | audit log | one entry for each share that left; entries are added and never changed. Entries at the beginning can be cut, with a record of the cut |
//!
//! **Secret nonces are never stored**: no function takes one. Nor is the host key of the node's
//! card, which the operator keeps offline, nor any protocol message: a node that restarts
//! is another incarnation.
//!
//! # Guarantees
//!
//! * A function of [`Store`] that changes something returns when it is on the disk, unless it says
//!   otherwise. If the machine stops before, or after an error of the disk, the file holds the
//!   state before or the one after; after an error the store must be opened again. [`Store::write`]
//!   makes several changes at once, all or none, and [`Durability`] says when they are on the disk.
//! * Many concurrent changes are cheap through a [`StoreWriter`]: those that come in while the disk
//!   is busy are written together.
//! * One process has the file open at a time. Functions may be called from several threads; writes
//!   wait for each other. All of them block (a write for some milliseconds, opening for as long as
//!   the passphrase costs): an async task calls them where blocking is allowed.
//! * Every value is sealed on its own (XChaCha20-Poly1305) for its table and row. One that was
//!   altered, or moved to another row, is an error when it is read; [`Store::check`] reads all.
//!   Opening checks the database around them.
//!
//! # What the file reveals
//!
//! A reader of the file learns how many keys, groups, key generations, requests, proofs and audit
//! entries there are, about how large each is, and from two states of one file which rows changed.
//! Of the requests also how many are in each state of each group, in which order they came into it,
//! and how many are for the same messages, but not which group and state that is, nor when; and how
//! many hooks there are, and how many notices wait for all of them together. Neither
//! names nor members nor messages: rows are named by a keyed hash. With a weak passphrase it can
//! learn everything, at the cost of one derivation for each trial.
//!
//! An attacker who can *write* to the file can roll back the whole file, or any row, or remove
//! rows: no software on one machine notices that. It cannot make a node sign twice with one nonce,
//! since no nonce is stored; it could make this node sign a second transcript in a key generation
//! under way. [Backups](Store::backup) have none under way for that reason.
//!
//! After a [new passphrase](Store::change_passphrase) the old one does not open the file any more.
//! It still opens older copies, which hold the same data key. Deleted values stay in the file's
//! free pages, sealed; shares whose epoch was [erased](Store::erase_epoch) under a key that is not
//! there any more.
//!
//! # Secrets in memory
//!
//! The data key, keys derived from passphrases and opened values are overwritten after use. The
//! cipher is in constant time (RustCrypto, on the usual processors); Argon2id accesses memory
//! depending on the passphrase in its later passes.
//!
//! `docs/store.md` describes the file.

mod acts;
mod audit;
mod backups;
mod bars;
mod change_log;
mod cipher;
mod copies;
mod cuts;
mod decision;
mod epochs;
mod erasures;
mod error;
mod evidence;
mod groups;
mod header;
mod host_key_files;
mod host_keys;
mod incarnations;
mod index;
mod keygens;
mod keys;
mod kits;
mod layer;
mod lineages;
mod list;
mod memory;
mod messages;
mod names;
mod new_keys;
mod outbox;
mod pairing_host_keys;
mod pairings;
mod passkeys;
mod passphrase;
mod place;
mod plans;
mod reopen;
mod request;
mod request_record;
mod requests;
mod returns;
mod rows;
mod sealed;
mod secret;
mod snapshot;
mod state;
mod table;
mod tokens;
mod transaction;
mod vault;
mod wallets;
mod writer;

use std::{
    fmt,
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::Mutex,
};

use redb::{Database, StorageBackend, backends::FileBackend};

pub use self::{
    acts::{Act, ChainHead, Deed, KeptAct, Principal},
    audit::{AuditEntry, Release},
    backups::{KEPT_DIGESTS, MadeBackups},
    bars::KeptBar,
    change_log::{ChangeAct, ChangeEntry},
    cuts::AuditCut,
    decision::{Coin, Decider, Decision, Examination, MAX_COINS, Rejection, Spending},
    erasures::Erasure,
    error::{ContentError, Entry, Part, StoreError},
    evidence::KeptProof,
    groups::{KeptGroup, KnownGroup},
    host_key_files::HostKeyFiles,
    keygens::{KeptKeygen, KeptSeat},
    keys::{NodeKeys, TransportSecret},
    kits::{KeptKit, KitSecrets, OwnKit, open_kit, open_kits, seal_kit},
    lineages::KeptEpochs,
    list::{Listing, Waiting},
    outbox::{Counts, KeptHook, KeptNotice, MAX_NOTICES, Notice, NoticeEnd, NoticeKind},
    pairings::KeptPairing,
    passkeys::{
        KeptAssertion, KeptPasskey, MAX_ASSERTION_PART, MAX_CREDENTIAL, MAX_PASSKEYS,
        MAX_REMOTE_APPROVALS, PasskeyKey, RemoteApproval,
    },
    passphrase::{Passphrase, PassphraseCost, PassphraseCostError},
    plans::KeptPlan,
    request::{Change, KeptRequest, RequestState, StateKind},
    returns::{ReturnNoted, SeatReturn},
    sealed::SealedSecret,
    tokens::{KeptToken, MAX_TOKENS},
    transaction::Transaction,
    wallets::{MAX_WALLET, WalletPart},
    writer::{StoreWriter, StoreWriting},
};
use self::{
    cipher::Cipher,
    epochs::EpochKeys,
    header::Header,
    place::NewFile,
    rows::{create_database, header, open_database},
    vault::Vault,
};

/// The number of the file's format, which stands in its header.
pub const FORMAT: u32 = 2;

/// The longest text for people in a record, in bytes.
pub const MAX_TEXT: usize = 1024;

/// When a change is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When its function returns.
    Synced,
    /// With the next change that is synced, of any kind, or when the store is closed. Readers see
    /// it at once. If the machine stops before, the file holds the state before it.
    Deferred,
}

/// Opens the store's database.
type Source = Box<dyn Fn() -> Result<Database, StoreError> + Send + Sync>;

/// A node's store, open. See the [module](self).
pub struct Store {
    vault: Vault,
    source: Source,
    epochs: EpochKeys,
    making: Mutex<()>,
}

impl Store {
    /// Makes a new store and opens it. After a crash the file is there whole or not at all; on Unix
    /// only the operator's account may read it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Exists`] if there is a file at this path; an error of the disk, and too little
    /// memory or randomness.
    pub fn create(
        path: impl AsRef<Path>,
        passphrase: &Passphrase,
        cost: PassphraseCost,
    ) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let (header, key) = Header::new(passphrase, cost)?;
        let (new, file) = NewFile::for_target(path)?;
        create_database(FileBackend::new(file)?, &header)?.close()?;
        new.put_in_place()?;
        Self::open_with(path, |_| Ok(Cipher::new(&key)))
    }

    /// Opens a store, also after a crash.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Locked`], [`StoreError::WrongPassphrase`],
    /// [`StoreError::NewerFormat`], [`StoreError::Damaged`], and an error of the disk.
    pub fn open(path: impl AsRef<Path>, passphrase: &Passphrase) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref(), |header| Ok(Cipher::new(&header.open(passphrase)?)))
    }

    /// Makes a new store on a storage that is not a file of its own: a disk of a simulation, for
    /// example.
    ///
    /// # Errors
    ///
    /// An error of the storage, and too little memory or randomness.
    pub fn create_on(
        storage: impl StorageBackend,
        passphrase: &Passphrase,
        cost: PassphraseCost,
    ) -> Result<(), StoreError> {
        let (header, _) = Header::new(passphrase, cost)?;
        Ok(create_database(storage, &header)?.close()?)
    }

    /// Opens a store on such a storage. `storage` is called now and at each
    /// [`reopen`](Self::reopen). The key files of epochs are in this folder.
    ///
    /// # Errors
    ///
    /// Those of [`Store::open`], but for those of paths.
    pub fn open_on<B: StorageBackend>(
        storage: impl Fn() -> B + Send + Sync + 'static,
        epochs: impl Into<PathBuf>,
        passphrase: &Passphrase,
    ) -> Result<Self, StoreError> {
        let open = move || open_database(storage());
        let epochs = EpochKeys::in_folder(epochs.into());
        Self::on(Box::new(open), epochs, |header| Ok(Cipher::new(&header.open(passphrase)?)))
    }

    /// Changes the passphrase. The data key stays the same and is sealed anew, with a new salt.
    ///
    /// # Errors
    ///
    /// [`StoreError::WrongPassphrase`] if `current` is not the passphrase.
    pub fn change_passphrase(
        &self,
        current: &Passphrase,
        new: &Passphrase,
        cost: PassphraseCost,
    ) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| {
            let key = transaction.header()?.open(current)?;
            transaction.put_header(&Header::sealing(&key, new, cost)?);
            Ok(())
        })
    }

    /// Makes changes that become visible together, or not at all if `change` fails.
    ///
    /// # Errors
    ///
    /// That of `change`, and an error of the disk.
    pub fn write<T>(
        &self,
        durability: Durability,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.vault.write(durability, change)
    }

    /// Waits until all changes so far are on the disk.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.write(Durability::Synced, |_| Ok(()))
    }

    /// How often the store has synced since it was opened.
    pub fn syncs(&self) -> u64 {
        self.vault.syncs()
    }

    fn open_with(
        path: &Path,
        cipher: impl FnOnce(Header) -> Result<Cipher, StoreError>,
    ) -> Result<Self, StoreError> {
        let (path, epochs) = (path.to_owned(), EpochKeys::beside(path));
        let open = move || {
            let file = open_file(&path, File::options().read(true).write(true))?;
            open_database(FileBackend::new(file)?)
        };
        Self::on(Box::new(open), epochs, cipher)
    }

    fn on(
        source: Source,
        epochs: EpochKeys,
        cipher: impl FnOnce(Header) -> Result<Cipher, StoreError>,
    ) -> Result<Self, StoreError> {
        let database = source()?;
        let cipher = cipher(header(&database)?)?;
        let vault = Vault::new(database, cipher)?;
        messages::make_whole(&vault)?;
        let store = Self { vault, source, epochs, making: Mutex::new(()) };
        match store.finish_erasing() {
            // A damaged group is an error where it is read.
            Err(StoreError::Damaged(_)) | Ok(()) => Ok(store),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store(..)")
    }
}

fn open_file(path: &Path, options: &OpenOptions) -> Result<File, StoreError> {
    options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => StoreError::NotFound(path.to_owned()),
        _ => StoreError::io(error),
    })
}

fn check_text(text: &str, most: usize) -> Result<(), ContentError> {
    let length = text.len();
    if length > most { Err(ContentError::TextTooLong { length, most }) } else { Ok(()) }
}
