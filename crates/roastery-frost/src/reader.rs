/// Reads fixed lengths one after the other from bytes whose length was found to be their sum.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// `None` if the length is another one than `expected`.
    pub(crate) fn new(bytes: &'a [u8], expected: usize) -> Option<Reader<'a>> {
        (bytes.len() == expected).then_some(Reader(bytes))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let (array, rest) = self.0.split_first_chunk().expect("the length was checked");
        self.0 = rest;
        *array
    }

    pub(crate) fn arrays<const N: usize>(&mut self, count: usize) -> Vec<[u8; N]> {
        (0..count).map(|_| self.array()).collect()
    }
}
