//! A disk that stops after a number of operations, and what may be on it then.

use std::{
    io,
    sync::{Arc, Mutex},
};

use redb::StorageBackend;

const SECTOR: usize = 512;

/// A clone is the same disk.
#[derive(Clone, Debug)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// The content that the running machine sees.
    seen: Vec<u8>,
    /// The content at the last sync.
    synced: Vec<u8>,
    since: Vec<Change>,
    done: usize,
    stop: Option<(usize, io::ErrorKind)>,
}

#[derive(Clone, Debug)]
enum Change {
    Length(usize),
    Bytes { at: usize, bytes: Vec<u8> },
}

/// How much of what was not synced is on the disk after the machine has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    Nothing,
    Everything,
    /// All but the last change.
    AllButTheLast,
    /// The last change only.
    TheLast,
    /// Random sectors of random changes.
    Torn(u64),
}

impl Disk {
    /// A disk that works.
    pub fn new(content: Vec<u8>) -> Self {
        let (seen, since) = (content.clone(), Vec::new());
        Self(Arc::new(Mutex::new(State { seen, synced: content, since, done: 0, stop: None })))
    }

    /// Fails with this error after this many further changes and syncs, for ever.
    pub fn stop_after(&self, operations: usize, error: io::ErrorKind) {
        let mut state = self.0.lock().unwrap();
        state.stop = Some((state.done + operations, error));
    }

    /// The number of changes and syncs so far.
    pub fn operations(&self) -> usize {
        self.0.lock().unwrap().done
    }

    /// All that was written, synced or not.
    pub fn content(&self) -> Vec<u8> {
        self.0.lock().unwrap().seen.clone()
    }

    /// What is on the disk after the machine has stopped.
    pub fn after(&self, survival: Survival) -> Vec<u8> {
        let state = self.0.lock().unwrap();
        let mut content = state.synced.clone();
        let last = state.since.len().saturating_sub(1);
        let mut chance = match survival {
            Survival::Torn(seed) => seed,
            _ => 0,
        };
        for (at, change) in state.since.iter().enumerate() {
            match survival {
                Survival::Nothing => {}
                Survival::Everything => change.apply(&mut content, || true),
                Survival::AllButTheLast => change.apply(&mut content, || at != last),
                Survival::TheLast => change.apply(&mut content, || at == last),
                Survival::Torn(_) => change.apply(&mut content, || coin(&mut chance)),
            }
        }
        content
    }
}

impl Change {
    /// Applies the part of the change that survives: asks for each sector.
    fn apply(&self, content: &mut Vec<u8>, mut survives: impl FnMut() -> bool) {
        match self {
            Change::Length(length) => {
                if survives() {
                    content.resize(*length, 0);
                }
            }
            Change::Bytes { at, bytes } => {
                let mut from = 0;
                while from < bytes.len() {
                    let position = at + from;
                    let to = bytes.len().min(from + SECTOR - position % SECTOR);
                    if survives() {
                        let end = position + to - from;
                        content.resize(content.len().max(end), 0);
                        content[position..end].copy_from_slice(&bytes[from..to]);
                    }
                    from = to;
                }
            }
        }
    }
}

/// A pseudo-random bit (xorshift); the same ones for the same seed.
fn coin(state: &mut u64) -> bool {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state & (1 << 32) != 0
}

impl State {
    fn check(&self) -> io::Result<()> {
        match self.stop {
            Some((stop, error)) if self.done >= stop => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// A change during which the machine stops may be on the disk in part.
    fn change(&mut self, change: Change) -> io::Result<()> {
        let stopped = matches!(self.stop, Some((stop, _)) if self.done > stop);
        let failed = self.check();
        self.done += 1;
        if !stopped {
            self.since.push(change.clone());
        }
        failed?;
        change.apply(&mut self.seen, || true);
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        let state = self.0.lock().unwrap();
        state.check()?;
        Ok(state.seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        state.check()?;
        let from = offset as usize;
        let bytes = state.seen.get(from..from + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.lock().unwrap().change(Change::Length(length as usize))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let change = Change::Bytes { at: offset as usize, bytes: data.to_vec() };
        self.0.lock().unwrap().change(change)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let failed = state.check();
        state.done += 1;
        failed?;
        state.synced = state.seen.clone();
        state.since.clear();
        Ok(())
    }
}
