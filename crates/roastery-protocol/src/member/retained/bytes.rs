//! How many bytes are kept, who is charged for them, and what is dropped first where all sessions
//! together keep too much.

use std::collections::BTreeMap;

use roastery_frost::Seat;

use super::{KeptPackage, Retained};
use crate::member::frame::Statement;

/// What a statement takes beside its bytes: its decoded content, and its place.
const BESIDE_BYTES: usize = 256;

/// An estimate of the memory that a statement of so many bytes takes with its content, which is no
/// longer than twice its bytes.
pub(crate) fn memory(length: usize) -> usize {
    3 * length + BESIDE_BYTES
}

fn memory_of(statement: &Statement) -> usize {
    memory(statement.as_bytes().len())
}

impl KeptPackage {
    fn memory(&self) -> usize {
        let spent = self.spent.values().map(|(_, nonces)| nonces.0.len() * 66 + BESIDE_BYTES);
        memory_of(&self.statement) + spent.sum::<usize>()
    }

    /// An own seat has answered it, or it made no signature: it is evidence longer than others are.
    fn is_evidence(&self) -> bool {
        !self.spent.is_empty() || self.failed || self.investigated
    }
}

impl Retained {
    /// An estimate of the bytes that are kept, by the seat whose link is charged for them, if they
    /// have changed since this was asked last.
    pub fn take_bytes_by_link(&mut self) -> Option<BTreeMap<Seat, usize>> {
        if !std::mem::take(&mut self.is_changed) {
            return None;
        }
        let packages = self.packages().map(|package| (package.link, package.memory()));
        let waiting = self.unknown.values().flatten().map(|(_, share)| share);
        let shares = self.shares.values().chain(waiting);
        let shares = shares.map(|share| (share.link, memory_of(&share.statement)));
        let mut bytes = BTreeMap::new();
        for (link, one) in packages.chain(shares) {
            *bytes.entry(link).or_default() += one;
        }
        Some(bytes)
    }

    /// Drops something that one of these seats' link has brought, because all sessions together
    /// keep too much: a share for a package that is not known, else the package that came first and
    /// that no own seat has answered, else a share, else the package that came first. What is
    /// dropped is taken again when it comes again. Gives whether there was anything.
    pub fn evict(&mut self, links: &[Seat]) -> bool {
        self.is_changed = true;
        let waiting = self.unknown.values_mut();
        let mut waiting = waiting.filter_map(|waiting| {
            let at = waiting.iter().position(|(_, share)| links.contains(&share.link))?;
            waiting.remove(at)
        });
        if waiting.next().is_some() {
            return true;
        }
        let of_links = self.packages().filter(|package| links.contains(&package.link));
        let first = of_links.min_by_key(|package| (package.is_evidence(), package.arrival));
        let first = first.map(|package| (package.hash, package.is_evidence()));
        if let Some((hash, false)) = first {
            self.forget_package(hash);
            return true;
        }
        let share = self.shares.iter().find(|(_, share)| links.contains(&share.link));
        let share = share.map(|(place, _)| *place);
        if share.and_then(|place| self.shares.remove(&place)).is_some() {
            return true;
        }
        if let Some((hash, _)) = first {
            self.forget_package(hash);
        }
        first.is_some()
    }

    /// How many bytes of statements are kept of this author.
    pub fn bytes_kept_of(&self, author: Seat) -> usize {
        let packages = self.packages().filter(|package| package.sender == author);
        let packages = packages.map(|package| package.statement.as_bytes().len());
        let shares = self.shares.iter().filter(|((of, _), _)| *of == author);
        let waiting = self.unknown.values().flatten().filter(|(of, _)| *of == author);
        let shares = shares.map(|(_, share)| share).chain(waiting.map(|(_, share)| share));
        packages.chain(shares.map(|share| share.statement.as_bytes().len())).sum()
    }
}
