use std::fmt;

/// What people compare of an invitation or a plan: the first 16 bytes of its id, in eight groups of
/// four hexadecimal digits.
///
/// An attacker that shows two different ones to two members can try many of each; to make two of
/// one fingerprint takes 2^64 trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    pub(crate) fn of(id: &[u8; 32]) -> Self {
        let mut first = [0; 16];
        first.copy_from_slice(&id[..16]);
        Self(first)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, pair) in self.0.chunks(2).enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{:02x}{:02x}", pair[0], pair[1])?;
        }
        Ok(())
    }
}
