//! The investigation of a package of another coordinator whose t shares make no signature: either a
//! share is bad, or the aggregate nonce is. Both show only with the nonces of the slots, so they
//! are asked for by slot hash (section 10). In doubt no member is blamed.
//!
//! A value that is given what is known and returns what to ask. It computes nothing.

use std::time::Duration;

use roastery_frost::{PartialSignature, Seat};

use super::frame::{NamedSlots, SignerSlots, Statement};
use crate::{BodyHash, SlotHash, machine::Backoff};

/// The most packages that are investigated at the same time in one session.
pub const MOST_AT_ONCE: usize = 4;

/// How often an investigation has asked before another one may take its place.
const ROUNDS_KEPT: usize = 4;

/// The investigations of one session. `P` is a package prepared for checks.
#[derive(Debug)]
pub struct Investigations<P> {
    open: Vec<Investigation<P>>,
}

/// One package that is investigated.
#[derive(Debug)]
pub struct Investigation<P> {
    /// Its body hash.
    pub hash: BodyHash,
    /// Its coordinator.
    pub coordinator: Seat,
    /// Its statement.
    pub package: Statement,
    /// What shares are checked with.
    pub prepared: P,
    /// Its t signers, ascending.
    pub suspects: Vec<Suspect>,
    /// The seat whose link brought what failed.
    via: Seat,
    rounds: usize,
    repeat: Backoff,
}

/// One signer of a package that is investigated.
#[derive(Debug)]
pub struct Suspect {
    /// The signer.
    pub seat: Seat,
    /// Its slots, as the package names them.
    pub slot: SlotHash,
    /// Its share, if it is known.
    pub share: Option<(Statement, Vec<PartialSignature>)>,
    /// The nonces of its slots, once they are known.
    pub nonces: Option<NamedSlots>,
}

impl Suspect {
    /// A signer of which nothing is known.
    pub fn new(entry: &SignerSlots) -> Self {
        Self { seat: entry.seat, slot: entry.hash, share: None, nonces: None }
    }
}

impl<P> Default for Investigations<P> {
    fn default() -> Self {
        Self { open: Vec::new() }
    }
}

impl<P> Investigation<P> {
    /// Begins now. `via` is the seat whose link brought what failed; questions are repeated after
    /// `first`, twice as long each time, up to `most`.
    pub fn new(
        (hash, package): (BodyHash, Statement),
        coordinator: Seat,
        prepared: P,
        suspects: Vec<Suspect>,
        via: Seat,
        now: Duration,
        (first, most): (Duration, Duration),
    ) -> Self {
        let repeat = Backoff::new(now, first, most);
        Self { hash, coordinator, package, prepared, suspects, via, rounds: 0, repeat }
    }

    /// Whether the nonces of all t signers are known.
    pub fn is_complete(&self) -> bool {
        self.suspects.iter().all(|suspect| suspect.nonces.is_some())
    }

    /// The seats that can be at fault: the signers and the coordinator.
    pub fn seats(&self) -> impl Iterator<Item = Seat> + '_ {
        self.suspects.iter().map(|suspect| suspect.seat).chain([self.coordinator])
    }

    /// What to ask in this round, and of whom: one question for each signer whose nonces are not
    /// known, to the signer, then to the link that brought what failed, then to the coordinator;
    /// `may_ask` says whether a seat can be asked.
    pub fn questions(&mut self, may_ask: impl Fn(Seat) -> bool) -> Vec<(Seat, SlotHash)> {
        let round = self.rounds;
        self.rounds += 1;
        let open = self.suspects.iter().filter(|suspect| suspect.nonces.is_none());
        open.filter_map(|suspect| {
            let all = [suspect.seat, self.via, self.coordinator];
            let mut sources: Vec<Seat> = Vec::new();
            for seat in all.into_iter().filter(|seat| may_ask(*seat)) {
                if !sources.contains(&seat) {
                    sources.push(seat);
                }
            }
            let at = round.checked_rem(sources.len())?;
            Some((sources[at], suspect.slot))
        })
        .collect()
    }
}

impl<P> Investigations<P> {
    /// Whether another package can be investigated: one place is free, or one that has asked often
    /// without all answers makes room.
    pub fn has_room(&self) -> bool {
        self.open.len() < MOST_AT_ONCE || self.open.iter().any(|one| one.rounds >= ROUNDS_KEPT)
    }

    /// Begins one. The caller has asked for room.
    pub fn begin(&mut self, investigation: Investigation<P>) {
        if self.open.len() >= MOST_AT_ONCE {
            let oldest = self.open.iter().enumerate().max_by_key(|(_, one)| one.rounds);
            if let Some((at, _)) = oldest {
                self.open.remove(at);
            }
        }
        self.open.push(investigation);
    }

    /// The investigation of this package.
    pub fn find_mut(&mut self, hash: BodyHash) -> Option<&mut Investigation<P>> {
        self.open.iter_mut().find(|one| one.hash == hash)
    }

    /// The one that has an open question about these slots, and the signer.
    pub fn awaiting(&mut self, slot: SlotHash) -> Option<(&mut Investigation<P>, usize)> {
        self.open.iter_mut().find_map(|one| {
            let at = one
                .suspects
                .iter()
                .position(|suspect| suspect.slot == slot && suspect.nonces.is_none())?;
            Some((one, at))
        })
    }

    /// The nonces of these slots, if they were learned here.
    pub fn nonces(&self, slot: SlotHash) -> Option<&NamedSlots> {
        let mut all = self.open.iter().flat_map(|one| &one.suspects);
        all.find(|suspect| suspect.slot == slot).and_then(|suspect| suspect.nonces.as_ref())
    }

    /// Ends the one of this package, and gives it.
    pub fn end(&mut self, hash: BodyHash) -> Option<Investigation<P>> {
        let at = self.open.iter().position(|one| one.hash == hash)?;
        Some(self.open.remove(at))
    }

    /// Ends those in which one of these seats takes part: its proven fault explains the failure.
    pub fn end_explained(&mut self, is_proven: impl Fn(Seat) -> bool) {
        self.open.retain(|one| !one.seats().any(&is_proven));
    }

    /// Ends all.
    pub fn clear(&mut self) {
        self.open.clear();
    }

    /// The packages whose questions are due.
    pub fn due(&mut self, now: Duration) -> Vec<BodyHash> {
        let due = self.open.iter_mut().filter_map(|one| one.repeat.fire(now).then_some(one.hash));
        due.collect()
    }

    /// When [`Investigations::due`] gives something, on the monotonic clock.
    pub fn next_timeout(&self) -> Option<Duration> {
        self.open.iter().map(|one| one.repeat.due()).min()
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests;
