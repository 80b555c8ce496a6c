use super::{Place, PsbtError};

/// A field as it stands in a PSBT: its key (type and data together) and its value.
pub(super) type RawField<'a> = (&'a [u8], &'a [u8]);

/// One map: its fields in the order in which they stand, no key twice.
pub(super) struct Map<'a>(Vec<RawField<'a>>);

impl<'a> Map<'a> {
    /// The value of the field whose key is this type alone.
    pub(super) fn get(&self, kind: u8) -> Option<&'a [u8]> {
        self.0.iter().find(|(key, _)| *key == [kind]).map(|(_, value)| *value)
    }

    /// All fields, in their order.
    pub(super) fn fields(&self) -> impl Iterator<Item = RawField<'a>> {
        self.0.iter().copied()
    }
}

/// Reads the maps of a PSBT without a copy, whatever lengths it announces.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// One map, with the separator at its end.
    pub(super) fn map(&mut self, place: Place) -> Result<Map<'a>, PsbtError> {
        let mut fields = Vec::new();
        loop {
            let length = self.size(place)?;
            let key = self.take(length, place)?;
            if key.is_empty() {
                break;
            }
            let length = self.size(place)?;
            fields.push((key, self.take(length, place)?));
        }
        let mut keys: Vec<&[u8]> = fields.iter().map(|(key, _)| *key).collect();
        keys.sort_unstable();
        match keys.array_windows().find(|[key, next]| key == next) {
            Some([key, _]) => Err(PsbtError::DuplicateKey { place, key: key[0] }),
            None => Ok(Map(fields)),
        }
    }

    /// As many maps as there are inputs or outputs.
    pub(super) fn maps(
        &mut self,
        count: usize,
        place: fn(usize) -> Place,
    ) -> Result<Vec<Map<'a>>, PsbtError> {
        (0..count).map(|index| self.map(place(index))).collect()
    }

    /// A compact size, as Bitcoin writes lengths.
    pub(super) fn size(&mut self, place: Place) -> Result<u64, PsbtError> {
        let wide =
            |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        let (size, least) = match self.take(1, place)?.first() {
            Some(0xfd) => (wide(self.take(2, place)?), 0xfd),
            Some(0xfe) => (wide(self.take(4, place)?), 0x1_0000),
            Some(0xff) => (wide(self.take(8, place)?), 0x1_0000_0000),
            byte => return Ok(byte.copied().unwrap_or(0).into()),
        };
        if size < least { Err(PsbtError::Length { place }) } else { Ok(size) }
    }

    /// Checks that no bytes follow.
    pub(super) fn end(&self) -> Result<(), PsbtError> {
        match self.0.len() {
            0 => Ok(()),
            count => Err(PsbtError::TrailingBytes { count }),
        }
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn take(&mut self, length: u64, place: Place) -> Result<&'a [u8], PsbtError> {
        let there = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length));
        let Some((taken, rest)) = there else {
            let missing = length.saturating_sub(self.0.len() as u64);
            return Err(PsbtError::Truncated { place, missing });
        };
        self.0 = rest;
        Ok(taken)
    }
}

/// Writes a map with its separator.
pub(super) fn write<'a>(map: impl IntoIterator<Item = RawField<'a>>, to: &mut Vec<u8>) {
    for (key, value) in map {
        write_field(key, value, to);
    }
    to.push(0);
}

/// Writes one field of a map.
pub(super) fn write_field(key: &[u8], value: &[u8], to: &mut Vec<u8>) {
    for part in [key, value] {
        to.extend(bitcoin::consensus::serialize(&bitcoin::VarInt::from(part.len())));
        to.extend_from_slice(part);
    }
}
