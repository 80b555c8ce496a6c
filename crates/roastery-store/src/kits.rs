//! Kits: how they are sealed, this node's own, and those that it keeps for other members.

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{Point, SecretShare, SigningKey};
use roastery_protocol::{
    GroupId, KeyId, KeygenId, Seat,
    group::Name,
    keygen::RecoveryFile,
    kit::{KITS_OF_ONE, Kit, KitWords, SEALED_LENGTH},
};
use zeroize::Zeroizing;

use super::{
    ContentError, Durability, Entry, Part, PassphraseCost, Store, StoreError, TransportSecret,
    cipher::{open_bytes, random, seal_bytes},
    groups::GroupRecord,
    host_keys::HostKeyRecord,
    returns::{ReturnRecord, SeatReturn},
    table::{Record, Table},
};

/// The secrets of a kit.
const SECRETS: usize = SEALED_LENGTH - 16;

/// What has become of a kit of another member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptKit {
    /// It is kept now.
    New,
    /// It was kept before.
    Known,
    /// It is not kept: there are as many of this host key as are kept.
    Refused,
}

/// What a kit brings back.
#[derive(Debug)]
pub struct KitSecrets {
    /// The host key of the seat.
    pub host: SigningKey,
    /// The identity key of the node.
    pub identity: SigningKey,
    /// The transport key of the node.
    pub transport: TransportSecret,
    /// The key generation of the group.
    pub keygen: KeygenId,
}

/// The key of a kit: Argon2id of the words with the public host key as salt. Of the 64 bytes the
/// second half is for a key to which backups can be sealed, and is not used yet.
fn derive(words: &KitWords, host: &Point) -> Result<Zeroizing<[u8; 32]>, StoreError> {
    let mut both = Zeroizing::new([0; 64]);
    let (text, salt) = (words.text(), host.serialize());
    PassphraseCost::default().derive_into(text.as_bytes(), &salt, both.as_mut())?;
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(&both[..32]);
    Ok(key)
}

/// Seals a kit under its words. Takes as long as a passphrase does.
///
/// # Errors
///
/// [`StoreError::Memory`] and [`StoreError::Randomness`].
pub fn seal_kit(
    of: (GroupId, u32, Seat),
    secrets: &KitSecrets,
    words: &KitWords,
) -> Result<Kit, StoreError> {
    let nonce = *random()?;
    seal_with(of, secrets, words, &nonce)
}

fn seal_with(
    of: (GroupId, u32, Seat),
    KitSecrets { host, identity, transport, keygen }: &KitSecrets,
    words: &KitWords,
    nonce: &[u8; 24],
) -> Result<Kit, StoreError> {
    let public = host.plain_public_key();
    let mut content = Zeroizing::new([0; SECRETS]);
    let parts = [&host.expose_bytes(), &identity.expose_bytes(), &transport.expose_bytes()];
    for (at, part) in parts.into_iter().enumerate() {
        content[32 * at..][..32].copy_from_slice(part.as_slice());
    }
    content[96..].copy_from_slice(keygen.as_bytes());
    let key = derive(words, &public)?;
    let sealed =
        seal_bytes::<SECRETS, SEALED_LENGTH>(&content, &key, nonce, &Kit::beside(of, &public));
    Ok(Kit::new(of, &public, nonce, &sealed))
}

/// Opens a kit with its words. Takes as long as a passphrase does.
///
/// # Errors
///
/// [`StoreError::WrongPassphrase`] if these are not its words, or anything of it was altered;
/// [`StoreError::Memory`].
pub fn open_kit(kit: &Kit, words: &KitWords) -> Result<KitSecrets, StoreError> {
    open_under(kit, &*derive(words, &kit.host())?)
}

/// Opens those of several kits of one host key that these words open; of each, whether it is
/// altered or of another paper shows in that it does not. Takes as long as a passphrase does, once.
///
/// # Errors
///
/// [`StoreError::Memory`].
pub fn open_kits(
    host: &Point,
    kits: &[Kit],
    words: &KitWords,
) -> Result<Vec<Option<KitSecrets>>, StoreError> {
    let key = derive(words, host)?;
    let open = |kit: &Kit| match open_under(kit, &key) {
        Err(StoreError::WrongPassphrase) => Ok(None),
        opened => opened.map(Some),
    };
    kits.iter().map(open).collect()
}

fn open_under(kit: &Kit, key: &[u8; 32]) -> Result<KitSecrets, StoreError> {
    let content =
        open_bytes::<SECRETS, SEALED_LENGTH>(&kit.sealed(), key, &kit.nonce(), kit.head())?;
    let part = |at: usize| {
        let mut part = Zeroizing::new([0; 32]);
        part.copy_from_slice(&content[32 * at..][..32]);
        part
    };
    let key = |at| SigningKey::from_bytes(part(at)).map_err(|_| StoreError::WrongPassphrase);
    let (host, identity) = (key(0)?, key(1)?);
    if host.plain_public_key() != kit.host() {
        return Err(StoreError::WrongPassphrase);
    }
    let transport = TransportSecret::from_bytes(part(2));
    Ok(KitSecrets { host, identity, transport, keygen: KeygenId::from_bytes(*part(3)) })
}

/// A kit of this node.
#[derive(Clone, Debug)]
pub struct OwnKit {
    /// The key of its group.
    pub key: KeyId,
    /// The sealed kit.
    pub kit: Kit,
    /// Whether words of its paper were typed back.
    pub confirmed: bool,
    /// The seats of the members that have shown that they keep it, and when they did last, in
    /// milliseconds since 1970.
    pub held: Vec<(Seat, u64)>,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct OwnKitRecord {
    key: KeyId,
    kit: Vec<u8>,
    confirmed: bool,
    held: Vec<(u16, u64)>,
}

/// The kits of one host key that are kept for another member, the newest first.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct KeptKitsRecord {
    key: KeyId,
    kits: Vec<Vec<u8>>,
}

impl Record for OwnKitRecord {
    const TABLE: Table = Table::OwnKits;
}

impl Record for KeptKitsRecord {
    const TABLE: Table = Table::KeptKits;
}

fn decode(bytes: &[u8], table: Table) -> Result<Kit, StoreError> {
    Kit::decode(bytes).map_err(|_| StoreError::Damaged(Part::Value { table: table.name() }))
}

impl OwnKitRecord {
    pub(super) fn read(self) -> Result<OwnKit, StoreError> {
        let kit = decode(&self.kit, Self::TABLE)?;
        let seat = |number: u16| Seat::new(number.into()).ok();
        let held = self.held.iter().filter_map(|(number, at)| Some((seat(*number)?, *at)));
        Ok(OwnKit { key: self.key, kit, confirmed: self.confirmed, held: held.collect() })
    }
}

impl KeptKitsRecord {
    pub(super) fn read(self) -> Result<(KeyId, Vec<Kit>), StoreError> {
        let kits = self.kits.iter().map(|kit| decode(kit, Self::TABLE));
        Ok((self.key, kits.collect::<Result<_, _>>()?))
    }
}

impl Store {
    /// Keeps a kit of this node, in place of the one before of the same host key: nothing of it was
    /// typed back yet, and no member has it. It is on the disk when this returns.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if the host key is not here: only a kit that can still be made
    /// again is replaced.
    pub fn keep_own_kit(&self, key: KeyId, kit: &Kit) -> Result<(), StoreError> {
        let host = kit.host().serialize();
        let record =
            OwnKitRecord { key, kit: kit.as_bytes().to_vec(), confirmed: false, held: Vec::new() };
        self.write(Durability::Synced, |transaction| {
            let there = transaction.get::<HostKeyRecord>(&host)?;
            if there.is_none_or(|there| there.epoch_key().is_none()) {
                return Err(ContentError::Missing(Entry::HostKey).into());
            }
            transaction.put(&host, &record)
        })
    }

    /// The kits of this node.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if one was altered.
    pub fn own_kits(&self) -> Result<Vec<OwnKit>, StoreError> {
        self.vault.snapshot()?.collect(|record: OwnKitRecord| record.read().map(Some))
    }

    /// Keeps that words of this kit's paper were typed back.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if another kit has taken its place.
    pub fn confirm_own_kit(&self, kit: &Kit) -> Result<(), StoreError> {
        self.change_own_kit(kit, |record| record.confirmed = true)
    }

    /// Keeps who has shown that this kit is kept, and when.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if another kit has taken its place.
    pub fn keep_kit_holders(&self, kit: &Kit, held: &[(Seat, u64)]) -> Result<(), StoreError> {
        let held: Vec<(u16, u64)> = held.iter().map(|(seat, at)| (seat.to_u16(), *at)).collect();
        self.change_own_kit(kit, |record| record.held = held)
    }

    fn change_own_kit(
        &self,
        kit: &Kit,
        change: impl FnOnce(&mut OwnKitRecord),
    ) -> Result<(), StoreError> {
        let host = kit.host().serialize();
        self.write(Durability::Synced, |transaction| {
            let record: Option<OwnKitRecord> = transaction.get(&host)?;
            let record = record.filter(|record| record.kit == kit.as_bytes());
            let mut record = record.ok_or(ContentError::Missing(Entry::Kit))?;
            change(&mut record);
            transaction.put(&host, &record)
        })
    }

    /// Erases the host key of a kit of this node: that it is erased is on the disk first, then the
    /// key that sealed it is overwritten and its file removed, as for the shares of an epoch. Who
    /// keeps the kit is the caller's to decide.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if another kit has taken its place;
    /// [`ContentError::KitNotConfirmed`] if no words of its paper were typed back. Without the
    /// group's certificate and this node's share it stays as well. After an error
    /// of the disk it may be called again.
    pub fn release_host_key(&self, kit: &Kit) -> Result<(), StoreError> {
        let host = kit.host().serialize();
        self.write(Durability::Synced, |transaction| {
            let record: Option<OwnKitRecord> = transaction.get(&host)?;
            let record = record.filter(|record| record.kit == kit.as_bytes());
            let record = record.ok_or(ContentError::Missing(Entry::Kit))?;
            if !record.confirmed {
                return Err(ContentError::KitNotConfirmed.into());
            }
            let group: Option<GroupRecord> = transaction.get(kit.group().as_bytes())?;
            if !group.is_some_and(|group| group.is_certified()) {
                return Err(ContentError::Missing(Entry::Group).into());
            }
            match transaction.get::<HostKeyRecord>(&host)? {
                Some(key) => transaction.erase_host_key(&key),
                None => Ok(()),
            }
        })?;
        self.finish_erasing()
    }

    /// Puts what a kit brings back into a store that has been used for nothing: the node's keys in
    /// place of those that it was made with, the group with this share under this name, and the
    /// kit. The host key stays in the kit alone. `through` is the seat whose line was used, and
    /// when, in milliseconds since 1970: the others are to be told. All of it or nothing.
    ///
    /// # Errors
    ///
    /// [`ContentError::AlreadyThere`] if the store has a group, a key generation, a plan, a pairing
    /// or a host key: keys that other members know are never overwritten. Those of
    /// [`Store::keep_group`].
    pub fn return_seat(
        &self,
        kit: &Kit,
        secrets: &KitSecrets,
        share: (Seat, SecretShare),
        recovery: &RecoveryFile,
        name: &Name,
        through: Option<(Seat, u64)>,
    ) -> Result<(), StoreError> {
        if self.is_used()? {
            return Err(ContentError::AlreadyThere(Entry::Group).into());
        }
        let (group, keygen) = (recovery.group(), recovery.invitation().id());
        let host = kit.host();
        let own = OwnKitRecord {
            key: group.key_id(),
            kit: kit.as_bytes().to_vec(),
            confirmed: true,
            held: Vec::new(),
        };
        self.write_group(group, &[share], Some(recovery), |transaction, new| {
            transaction.replace_keys(&secrets.identity, &secrets.transport)?;
            new.put(transaction)?;
            transaction.end_keygen(keygen)?;
            transaction.keep_pairing_of(&host, keygen)?;
            transaction.put(&host.serialize(), &own)?;
            if let Some((through, at_ms)) = through {
                let (host, key, seat) = (host.serialize(), group.key_id(), kit.seat());
                let (noted_ms, told) = (at_ms, Vec::new());
                let own = SeatReturn { host, key, seat, through, at_ms, noted_ms, told };
                transaction.put(&host, &ReturnRecord::of(&own))?;
            }
            transaction.bind_name(name, group.id())
        })
    }

    /// Whether there is a group, a key generation, a plan, a pairing or a host key: keys that other
    /// members know.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if one was altered.
    pub fn is_used(&self) -> Result<bool, StoreError> {
        Ok(!self.known_groups()?.is_empty()
            || !self.keygens()?.is_empty()
            || !self.plans()?.is_empty()
            || !self.pairings()?.is_empty()
            || self.vault.snapshot()?.count(Table::HostKeys)? > 0)
    }

    /// Keeps a kit for another member, beside those before of the same host key: up to 16, and none
    /// is dropped for a newer one: what a member was told that is kept stays, whatever its machine
    /// sends later. Whose it is, the caller has checked.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn keep_kit(&self, key: KeyId, kit: &Kit) -> Result<KeptKit, StoreError> {
        let host = kit.host().serialize();
        self.write(Durability::Synced, |transaction| {
            let known: Option<KeptKitsRecord> = transaction.get(&host)?;
            let mut kits = known.map_or_else(Vec::new, |known| known.kits);
            let bytes = kit.as_bytes().to_vec();
            if kits.first() == Some(&bytes) {
                return Ok(KeptKit::Known);
            }
            let is_known = kits.contains(&bytes);
            if !is_known && kits.len() >= KITS_OF_ONE {
                return Ok(KeptKit::Refused);
            }
            kits.retain(|known| *known != bytes);
            kits.insert(0, bytes);
            transaction.put(&host, &KeptKitsRecord { key, kits })?;
            Ok(if is_known { KeptKit::Known } else { KeptKit::New })
        })
    }

    /// The kits of this host key that are kept for another member, the newest first.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if one was altered.
    pub fn kept_kits_of(&self, host: &Point) -> Result<Vec<Kit>, StoreError> {
        let record: Option<KeptKitsRecord> = self.vault.snapshot()?.get(&host.serialize())?;
        record.map_or(Ok(Vec::new()), |record| record.read().map(|(_, kits)| kits))
    }

    /// All kits that are kept for other members, with the key of their group.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if one was altered.
    pub fn kept_kits(&self) -> Result<Vec<(KeyId, Kit)>, StoreError> {
        let kept =
            self.vault.snapshot()?.collect(|record: KeptKitsRecord| record.read().map(Some))?;
        Ok(kept
            .into_iter()
            .flat_map(|(key, kits)| kits.into_iter().map(move |kit| (key, kit)))
            .collect())
    }
}

/// For tests of the others: a member whose copies are altered.
#[cfg(feature = "fake")]
impl Store {
    /// Alters one byte in what is sealed of each kit that is kept for others.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn alter_kept_kits(&self) -> Result<usize, StoreError> {
        let kept = self.kept_kits()?;
        self.write(Durability::Synced, |transaction| {
            for (_, kit) in &kept {
                let host = kit.host().serialize();
                let Some(mut record) = transaction.get::<KeptKitsRecord>(&host)? else { continue };
                record.kits.iter_mut().for_each(|kit| kit[200] ^= 1);
                transaction.put(&host, &record)?;
            }
            Ok(kept.len())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTOR: &str = include_str!("../tests/vectors/kit.txt");

    fn of() -> (GroupId, u32, Seat) {
        (GroupId::from_bytes([1; 32]), 0, Seat::new(2).unwrap())
    }

    fn secrets() -> KitSecrets {
        let key = |byte| SigningKey::from_bytes(Zeroizing::new([byte; 32])).unwrap();
        let transport = TransportSecret::from_bytes(Zeroizing::new([5; 32]));
        let keygen = KeygenId::from_bytes([6; 32]);
        KitSecrets { host: key(3), identity: key(4), transport, keygen }
    }

    fn words() -> KitWords {
        KitWords::from_random(&Zeroizing::new([0xa5; 13]))
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_bytes_of_a_kit_are_those_of_the_vector() {
        let kit = seal_with(of(), &secrets(), &words(), &[7; 24]).unwrap();
        let text = words().text();
        let lines = [
            ("words", text.to_string()),
            ("label", kit.label().to_string()),
            ("kit", hex(kit.as_bytes())),
            ("id", hex(kit.id().as_bytes())),
            ("held", hex(&kit.held(&[8; 32]))),
        ];
        let found: String = lines.iter().map(|(name, value)| format!("{name} {value}\n")).collect();
        assert_eq!(found, VECTOR);
    }

    #[test]
    fn a_kit_opens_with_its_words_and_unchanged_only() {
        let kit = seal_kit(of(), &secrets(), &words()).unwrap();
        let found = open_kit(&kit, &words()).unwrap();
        let expected = secrets();
        assert_eq!(*found.host.expose_bytes(), *expected.host.expose_bytes());
        assert_eq!(*found.identity.expose_bytes(), *expected.identity.expose_bytes());
        assert_eq!(*found.transport.expose_bytes(), *expected.transport.expose_bytes());
        assert_eq!(found.keygen, expected.keygen);
        // The group, the epoch, the seat, the nonce, what is sealed, the tag.
        let key = derive(&words(), &kit.host()).unwrap();
        for at in [1, 33, 37, 72, 96, 239] {
            let mut bytes = *kit.as_bytes();
            bytes[at] ^= 1;
            let altered = Kit::decode(&bytes).unwrap();
            assert!(matches!(open_under(&altered, &key), Err(StoreError::WrongPassphrase)));
        }
        let other = KitWords::from_random(&Zeroizing::new([0x5a; 13]));
        assert!(matches!(open_kit(&kit, &other), Err(StoreError::WrongPassphrase)));
    }

    #[test]
    fn of_several_copies_each_that_is_unchanged_opens_and_no_other_one() {
        let kit = seal_kit(of(), &secrets(), &words()).unwrap();
        let mut bytes = *kit.as_bytes();
        bytes[200] ^= 1;
        let altered = Kit::decode(&bytes).unwrap();
        let older = KitWords::from_random(&Zeroizing::new([0x5a; 13]));
        let older = seal_kit(of(), &secrets(), &older).unwrap();
        let kits = [altered, kit.clone(), older, kit.clone()];
        let opened = open_kits(&kit.host(), &kits, &words()).unwrap();
        let opens: Vec<bool> = opened.iter().map(Option::is_some).collect();
        assert_eq!(opens, [false, true, false, true]);
    }
}
