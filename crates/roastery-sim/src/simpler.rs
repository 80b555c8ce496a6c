/// Collects scenarios that are one change simpler than another and as fair.
#[derive(Debug)]
pub(crate) struct Simpler<'a, G> {
    of: &'a G,
    is_fair: fn(&G) -> bool,
    found: Vec<G>,
}

impl<'a, G: Clone + PartialEq> Simpler<'a, G> {
    pub(crate) fn new(of: &'a G, is_fair: fn(&G) -> bool) -> Self {
        Self { of, is_fair, found: Vec::new() }
    }

    /// The scenario with this change, unless that changes nothing or is unfair.
    pub(crate) fn with(&mut self, change: impl FnOnce(&mut G)) {
        let mut other = self.of.clone();
        change(&mut other);
        if other != *self.of && (self.is_fair)(&other) {
            self.found.push(other);
        }
    }

    /// All scenarios, in the order in which they were made.
    pub(crate) fn found(self) -> Vec<G> {
        self.found
    }
}
