//! The signature of a message to a server, by the rules of Standard Webhooks.

use std::path::Path;

use bitcoin::{
    base64::{Engine as _, prelude::BASE64_STANDARD},
    hashes::{Hash as _, HashEngine as _, Hmac, HmacEngine, sha256},
};
use zeroize::Zeroizing;

use crate::files::{Folder, open_to_others};

/// The longest file of a secret, in bytes.
const MAX_FILE: usize = 256;

/// How many bytes a secret has.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// The prefix of a secret in its file.
const PREFIX: &str = "whsec_";

/// How a secret is made.
const MAKE: &str =
    "printf 'whsec_%s\\n' \"$(head -c 32 /dev/urandom | base64)\" > FILE; chmod 0600 FILE";

/// The secret that a node shares with a server.
pub(in crate::service) struct Secret(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// Reads a secret. The error shows nothing of it.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let make = |reason: String| format!("{reason}. A new one: {MAKE}");
        let text = Folder::read_own(path, MAX_FILE).map_err(|error| make(error.to_string()))?;
        let text = Zeroizing::new(text);
        if let Some(open) = open_to_others(path) {
            return Err(open.to_string());
        }
        Self::parse(text.trim_ascii()).ok_or_else(|| {
            make(format!(
                "{} is no secret: {PREFIX} and 24 to 64 bytes in base64, in one line",
                path.display()
            ))
        })
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX.as_bytes()).unwrap_or(text);
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(digits).ok()?);
        LENGTHS.contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The header `webhook-signature` of a message with this id, sent at this time (seconds since
    /// 1970).
    pub(in crate::service) fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let mut engine = HmacEngine::<sha256::Hash>::new(&self.0);
        engine.input(format!("{id}.{timestamp}.").as_bytes());
        engine.input(body);
        let mac = Hmac::from_engine(engine).to_byte_array();
        format!("v1,{}", BASE64_STANDARD.encode(mac))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let secret = Secret::parse(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, time) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
        let signature = secret.sign(id, time, b"{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        for (id, time, body) in [
            ("msg_p5jXN8AQM9LWM0D4loKWxJek", time + 1, "{\"test\": 2432232314}"),
            ("msg_p5jXN8AQM9LWM0D4loKWxJe", time, "{\"test\": 2432232314}"),
            (id, time, "{\"test\": 2432232315}"),
        ] {
            assert_ne!(secret.sign(id, time, body.as_bytes()), signature);
        }
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }

    #[test]
    fn a_secret_that_is_short_or_open_to_others_is_refused_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ops.secret");
        let read = |text: &str, mode: u32| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Secret::read(&path).map(drop)
        };
        let good = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n";
        read(good, 0o600).unwrap();
        read(&good[PREFIX.len()..], 0o400).unwrap();
        let open = read(good, 0o640).unwrap_err();
        assert!(open.contains("run chmod 0600 ") && !open.contains("MfKQ"), "{open}");
        let long = format!("whsec_{}", "A".repeat(88));
        for bad in
            ["", "whsec_c2hvcnRzaG9ydHNob3J0", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZI*o2LaLaS", &long]
        {
            let error = read(bad, 0o600).unwrap_err();
            assert!(error.contains("24 to 64 bytes") && error.contains("/dev/urandom"), "{error}");
            assert!(!error.contains("MfKQ") && !error.contains("c2hv"), "{error}");
        }
        let missing = Secret::read(&folder.path().join("none")).unwrap_err();
        assert!(missing.contains("/none") && missing.contains("/dev/urandom"), "{missing}");
    }
}
