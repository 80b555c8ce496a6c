use std::io;

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::Zeroizing;

/// 32 secret bytes inside a record. Overwritten on drop.
pub(super) struct Secret(pub(super) Zeroizing<[u8; 32]>);

impl BorshSerialize for Secret {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(self.0.as_slice())
    }
}

impl BorshDeserialize for Secret {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        reader.read_exact(bytes.as_mut())?;
        Ok(Self(bytes))
    }
}
