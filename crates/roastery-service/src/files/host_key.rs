use bitcoin::hex::{DisplayHex as _, FromHex as _};
use roastery_frost::{Point, Seat, SigningKey};
use roastery_protocol::{KeyId, PlanId};
use roastery_store::{Passphrase, PassphraseCost, SealedSecret, StoreError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest host key file, in bytes.
pub const MAX_HOST_KEY_FILE: usize = 4096;

/// What every host key file that is sealed begins with, and none in clear.
pub const HOST_KEY_FILE_BEGINS: &[u8; 17] = b"# The host key of";

/// The version of the file.
const VERSION: u32 = 1;

const HEAD: &str = "# The host key of one seat in one epoch of a key. With the public recovery file of the key it gives the\n\
                    # share of that seat: keep it offline, and its passphrase elsewhere. roastery hostkey check says when it\n\
                    # may be destroyed.\n";

/// A host key of an epoch that is kept offline: sealed under a passphrase, with what it is of
/// beside it, which is sealed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKeyFile {
    key: KeyId,
    epoch: u32,
    plan: PlanId,
    seat: Seat,
    host: Point,
    sealed: SealedSecret,
}

/// Why a text is no host key file, or does not open.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HostKeyFileError {
    /// It is longer than allowed.
    #[error("{length} bytes; a host key file has at most {MAX_HOST_KEY_FILE}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It has a wrong form. What stands in it is not shown: it may be a secret in clear.
    #[error("it has not the form that roastery hostkey export writes")]
    Form,
    /// It has another version.
    #[error("a host key file of version {version}; this program reads version {VERSION}")]
    OtherVersion {
        /// The version.
        version: u32,
    },
    /// One of its values is none.
    #[error("{what}: not what stands there in a host key file")]
    Value {
        /// The value.
        what: &'static str,
    },
    /// It cannot be sealed or opened. Another passphrase and a changed file are not told apart.
    #[error("{0}, or the file was changed")]
    Sealed(#[from] StoreError),
    /// What was sealed is not the secret of the public host key.
    #[error("what is sealed in it is not the host key that it names")]
    OtherKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    key: String,
    epoch: u32,
    plan: String,
    seat: u16,
    host: String,
    sealed: String,
}

impl HostKeyFile {
    /// Seals the host key of a seat of an epoch, which a plan has made.
    ///
    /// # Errors
    ///
    /// [`HostKeyFileError::Sealed`] without memory or randomness.
    pub fn seal(
        (key, epoch, plan, seat): (KeyId, u32, PlanId, Seat),
        host: &SigningKey,
        passphrase: &Passphrase,
        cost: PassphraseCost,
    ) -> Result<Self, HostKeyFileError> {
        let public = host.plain_public_key();
        let beside = beside(key, epoch, plan, seat, &public);
        let sealed = SealedSecret::seal(&host.expose_bytes(), &beside, passphrase, cost)?;
        Ok(Self { key, epoch, plan, seat, host: public, sealed })
    }

    /// The host key, if the passphrase is right and nothing of the file was changed.
    ///
    /// # Errors
    ///
    /// [`HostKeyFileError::Sealed`] and [`HostKeyFileError::OtherKey`].
    pub fn open(&self, passphrase: &Passphrase) -> Result<SigningKey, HostKeyFileError> {
        let beside = beside(self.key, self.epoch, self.plan, self.seat, &self.host);
        let secret = self.sealed.open(&beside, passphrase)?;
        let key = SigningKey::from_bytes(secret).map_err(|_| HostKeyFileError::OtherKey)?;
        if key.plain_public_key() == self.host { Ok(key) } else { Err(HostKeyFileError::OtherKey) }
    }

    /// Reads a file. Nothing that it says is proven before it is [opened](Self::open).
    ///
    /// # Errors
    ///
    /// [`HostKeyFileError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, HostKeyFileError> {
        let length = text.len();
        if length > MAX_HOST_KEY_FILE {
            return Err(HostKeyFileError::TooLong { length });
        }
        let file: File = toml::from_str(text).map_err(|_| HostKeyFileError::Form)?;
        if file.version != VERSION {
            return Err(HostKeyFileError::OtherVersion { version: file.version });
        }
        let value = |what| move || HostKeyFileError::Value { what };
        let hash = |text: &str| <[u8; 32]>::from_hex(text).ok();
        let host = <[u8; 33]>::from_hex(&file.host).ok();
        let host = host.and_then(|bytes| Point::from_slice(&bytes).ok());
        let sealed = Vec::<u8>::from_hex(&file.sealed).ok();
        Ok(Self {
            key: hash(&file.key).map(KeyId::from_bytes).ok_or_else(value("key"))?,
            epoch: file.epoch,
            plan: hash(&file.plan).map(PlanId::from_bytes).ok_or_else(value("plan"))?,
            seat: Seat::new(file.seat.into()).map_err(|_| value("seat")())?,
            host: host.ok_or_else(value("host"))?,
            sealed: sealed
                .and_then(|bytes| SealedSecret::decode(&bytes))
                .ok_or_else(value("sealed"))?,
        })
    }

    /// The file's text; [`HostKeyFile::parse`] reads it.
    pub fn to_text(&self) -> String {
        let file = File {
            version: VERSION,
            key: self.key.to_string(),
            epoch: self.epoch,
            plan: self.plan.to_string(),
            seat: self.seat.to_u16(),
            host: self.host.serialize().to_lower_hex_string(),
            sealed: self.sealed.encode().to_lower_hex_string(),
        };
        let text = toml::to_string(&file).expect("numbers and digits are written as TOML");
        format!("{HEAD}{text}")
    }

    /// What the file is called: it says of which key, epoch and seat it is.
    pub fn name(&self) -> String {
        let (key, seat) = (self.key.to_string(), self.seat);
        format!("host-key-{}-epoch-{}-seat-{seat}.toml", &key[..8], self.epoch)
    }

    /// The key.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// The number of the epoch.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The plan of the epoch.
    pub fn plan(&self) -> PlanId {
        self.plan
    }

    /// The seat.
    pub fn seat(&self) -> Seat {
        self.seat
    }

    /// The public host key.
    pub fn host(&self) -> &Point {
        &self.host
    }
}

fn beside(key: KeyId, epoch: u32, plan: PlanId, seat: Seat, host: &Point) -> Vec<u8> {
    let seat = seat.to_u16().to_le_bytes();
    let parts: [&[u8]; 5] =
        [key.as_bytes(), &epoch.to_le_bytes(), plan.as_bytes(), &seat, &host.serialize()];
    parts.concat()
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn made() -> (HostKeyFile, Passphrase) {
        let host = SigningKey::from_bytes(Zeroizing::new([9; 32])).unwrap();
        let words = Passphrase::new("of the host key".to_owned());
        let of =
            (KeyId::from_bytes([1; 32]), 3, PlanId::from_bytes([2; 32]), Seat::new(2).unwrap());
        let cost = PassphraseCost::new(8, 1, 1).unwrap();
        (HostKeyFile::seal(of, &host, &words, cost).unwrap(), words)
    }

    #[test]
    fn a_host_key_file_says_in_its_name_and_its_content_what_it_is_of() {
        let (file, words) = made();
        assert_eq!(file.name(), "host-key-01010101-epoch-3-seat-2.toml");
        let text = file.to_text();
        assert!(text.as_bytes().starts_with(HOST_KEY_FILE_BEGINS), "{text}");
        let digits = "09".repeat(32);
        assert!(text.contains("epoch = 3\n") && !text.contains(&digits), "{text}");
        let read = HostKeyFile::parse(&text).unwrap();
        assert_eq!(read, file);
        assert_eq!(read.open(&words).unwrap().plain_public_key(), *file.host());
    }

    #[test]
    fn what_a_host_key_file_says_cannot_be_changed_without_its_passphrase() {
        let (file, words) = made();
        let text = file.to_text();
        for (from, to) in [
            ("epoch = 3", "epoch = 4"),
            ("seat = 2", "seat = 1"),
            (&"01".repeat(32)[..], &"03".repeat(32)[..]),
            (&"02".repeat(32)[..], &"03".repeat(32)[..]),
        ] {
            let changed = HostKeyFile::parse(&text.replacen(from, to, 1)).unwrap();
            let error = changed.open(&words).unwrap_err();
            assert!(error.to_string().contains("or the file was changed"), "{error}");
        }
        let other = Passphrase::new("another one".to_owned());
        assert!(file.open(&other).is_err());
        for (from, to) in [("version = 1", "version = 2"), ("host = \"0", "host = \"1")] {
            HostKeyFile::parse(&text.replacen(from, to, 1)).unwrap_err();
        }
        let long = format!("{text}#{}", " ".repeat(MAX_HOST_KEY_FILE));
        assert!(matches!(HostKeyFile::parse(&long), Err(HostKeyFileError::TooLong { .. })));
    }
}
