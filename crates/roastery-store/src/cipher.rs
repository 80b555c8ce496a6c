//! Sealing of values, and names of rows.

use borsh::{BorshDeserialize, BorshSerialize};
use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305, XNonce};
use roastery_frost::hash::tagged_hash;
use zeroize::Zeroizing;

use super::{FORMAT, Part, StoreError, table::Table};

const NONCE: usize = 24;
const TAG: usize = 16;
const ROW_NAME: &str = "roastery/store/1/row";

/// The data key: 64 random bytes, 32 that seal values and 32 that name rows.
pub(super) type DataKey = Zeroizing<[u8; 64]>;

/// The key of an epoch: 32 random bytes.
pub(super) type EpochKey = Zeroizing<[u8; 32]>;

/// Seals and opens values with the data key, or with the key of an epoch.
#[derive(Clone)]
pub(super) struct Cipher {
    values: XChaCha20Poly1305,
    rows: Zeroizing<[u8; 32]>,
}

impl Cipher {
    pub(super) fn new(key: &DataKey) -> Self {
        let (values, rows) = key.split_at(32);
        let mut name_key = Zeroizing::new([0; 32]);
        name_key.copy_from_slice(rows);
        let values =
            XChaCha20Poly1305::new_from_slice(values).expect("half of 64 bytes is a key's length");
        Self { values, rows: name_key }
    }

    /// Seals under the key of an epoch. Rows have the same names as those of this one.
    pub(super) fn of_epoch(&self, key: &EpochKey) -> Self {
        Self { values: XChaCha20Poly1305::new((&**key).into()), rows: self.rows.clone() }
    }

    /// The name of a row: the file shows no names of groups or sessions. The inputs of one table
    /// have one length, and all begin with the same 32 secret bytes, so that no input is a prefix
    /// of another.
    pub(super) fn row(&self, table: Table, key: &[u8]) -> [u8; 32] {
        let name = table.name().as_bytes();
        tagged_hash(ROW_NAME, &[self.rows.as_slice(), &[name.len() as u8], name, key])
    }

    /// Nonce, ciphertext and tag of a value for this row and no other.
    pub(super) fn seal<T: BorshSerialize>(
        &self,
        table: Table,
        row: &[u8],
        value: &T,
    ) -> Result<Vec<u8>, StoreError> {
        let length = borsh::object_length(value).expect("counting bytes does not fail");
        // With room for all from the start, no reallocation leaves a copy of a secret.
        let mut sealed = Vec::with_capacity(NONCE + length + TAG);
        let nonce = random::<NONCE>()?;
        sealed.extend(*nonce);
        borsh::to_writer(&mut sealed, value).expect("writing into memory does not fail");
        let context = context(table.name(), row);
        let tag = self
            .values
            .encrypt_inout_detached(&XNonce::from(*nonce), &context, (&mut sealed[NONCE..]).into())
            .expect("a value is far shorter than the cipher's 256 GiB");
        sealed.extend(tag);
        Ok(sealed)
    }

    /// The value that was sealed for this row.
    pub(super) fn open<T: BorshDeserialize>(
        &self,
        table: Table,
        row: &[u8],
        sealed: &[u8],
    ) -> Result<T, StoreError> {
        let damaged = || StoreError::Damaged(Part::Value { table: table.name() });
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or_else(damaged)?;
        let mut value = Zeroizing::new(ciphertext.to_vec());
        self.values
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                &context(table.name(), row),
                value.as_mut_slice().into(),
                &(*tag).into(),
            )
            .map_err(|_| damaged())?;
        borsh::from_slice(&value).map_err(|_| damaged())
    }
}

/// Seals N bytes under a passphrase's key; SEALED is N and the tag.
pub(super) fn seal_bytes<const N: usize, const SEALED: usize>(
    bytes: &Zeroizing<[u8; N]>,
    under: &[u8; 32],
    nonce: &[u8; NONCE],
    context: &[u8],
) -> [u8; SEALED] {
    const { assert!(SEALED == N + TAG) }
    let mut sealed = [0; SEALED];
    sealed[..N].copy_from_slice(bytes.as_slice());
    let tag = XChaCha20Poly1305::new(under.into())
        .encrypt_inout_detached(&XNonce::from(*nonce), context, (&mut sealed[..N]).into())
        .expect("so few bytes are not too long");
    sealed[N..].copy_from_slice(&tag);
    sealed
}

/// Opens what [`seal_bytes`] has sealed.
pub(super) fn open_bytes<const N: usize, const SEALED: usize>(
    sealed: &[u8; SEALED],
    under: &[u8; 32],
    nonce: &[u8; NONCE],
    context: &[u8],
) -> Result<Zeroizing<[u8; N]>, StoreError> {
    const { assert!(SEALED == N + TAG) }
    let (ciphertext, tag) = sealed.split_at(N);
    let mut bytes = Zeroizing::new([0; N]);
    bytes.copy_from_slice(ciphertext);
    let tag = tag.try_into().expect("what follows is the tag");
    XChaCha20Poly1305::new(under.into())
        .decrypt_inout_detached(&XNonce::from(*nonce), context, bytes.as_mut_slice().into(), tag)
        .map_err(|_| StoreError::WrongPassphrase)?;
    Ok(bytes)
}

pub(super) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, StoreError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut()).map_err(|_| StoreError::Randomness)?;
    Ok(bytes)
}

/// The associated data of a value: the table, the row, the format.
fn context(table: &str, row: &[u8]) -> Vec<u8> {
    let format = FORMAT.to_le_bytes();
    [&[table.len() as u8], table.as_bytes(), &[row.len() as u8], row, &format].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_in_its_own_table_and_row_and_under_its_own_key_only() {
        let cipher = Cipher::new(&Zeroizing::new([1; 64]));
        let sealed = cipher.seal(Table::Groups, b"row", &7_u64).unwrap();
        assert_eq!(cipher.open::<u64>(Table::Groups, b"row", &sealed).unwrap(), 7);
        for (table, row) in
            [(Table::Groups, &b"raw"[..]), (Table::Keys, b"row"), (Table::Keys, b"")]
        {
            let error = cipher.open::<u64>(table, row, &sealed).unwrap_err();
            assert!(
                matches!(error, StoreError::Damaged(Part::Value { table: name }) if name == table.name())
            );
        }
        let other = Cipher::new(&Zeroizing::new([2; 64]));
        assert!(other.open::<u64>(Table::Groups, b"row", &sealed).is_err());
        // There must be exactly one value.
        assert!(cipher.open::<u32>(Table::Groups, b"row", &sealed).is_err());
        assert!(cipher.open::<[u64; 2]>(Table::Groups, b"row", &sealed).is_err());
    }

    #[test]
    fn sealing_twice_gives_two_ciphertexts_and_naming_twice_one_name() {
        let cipher = Cipher::new(&Zeroizing::new([1; 64]));
        let seal = || cipher.seal(Table::Groups, b"row", &7_u64).unwrap();
        let (first, second) = (seal(), seal());
        assert_ne!(first[..NONCE], second[..NONCE]);
        assert_ne!(first[NONCE..], second[NONCE..]);
        assert_eq!(cipher.row(Table::Groups, b"x"), cipher.row(Table::Groups, b"x"));
        assert_ne!(cipher.row(Table::Groups, b"x"), cipher.row(Table::Keys, b"x"));
    }
}
