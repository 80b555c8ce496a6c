//! What the sessions of a signer cost its store: CPU time and syncs of each, through one writer.
//!
//! A session is a request that comes in, is approved, whose share is recorded before it leaves, and
//! which is signed then. Linux only: CPU time is read from `/proc`.
//!
//! ```console
//! $ cargo run --release -p roastery-store --example sessions -- 5000 32
//! ```

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::{
    env, fs,
    sync::{Arc, mpsc},
    thread,
};

use roastery_protocol::{
    BodyHash, GroupId, Seat,
    member::machine::Outcome,
    request::{Derivation, MessageToSign, SigningRequest, Subject},
};
use roastery_store::{
    AuditEntry, Decider, Decision, Durability, Examination, Passphrase, PassphraseCost, Release,
    RequestState, Spending, Store, StoreError, StoreWriter, Transaction,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const EXPIRY: u64 = 4_000_000_000;

fn main() -> Result<(), Failure> {
    let mut numbers = env::args().skip(1).map(|number| number.parse::<u32>());
    let sessions = numbers.next().unwrap_or(Ok(5000))?;
    let at_once = numbers.next().unwrap_or(Ok(32))?.max(1);
    let folder = env::temp_dir().join(format!("roastery-sessions-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let done = measure(&folder.join("store"), sessions, at_once);
    fs::remove_dir_all(&folder)?;
    done
}

fn measure(path: &std::path::Path, sessions: u32, at_once: u32) -> Result<(), Failure> {
    let cost = PassphraseCost::new(8, 1, 1)?;
    let store = Arc::new(Store::create(path, &Passphrase::new("a".to_owned()), cost)?);
    let (writer, writing) = StoreWriter::new(store.clone());
    let thread = thread::spawn(move || writing.run());
    let (cpu, syncs) = (cpu_ms()?, store.syncs());
    let lanes = (0..at_once).map(|lane| {
        let writer = writer.clone();
        let mut numbers = (0..sessions).filter(move |number| number % at_once == lane);
        thread::spawn(move || numbers.try_for_each(|number| session(&writer, number)))
    });
    for lane in lanes.collect::<Vec<thread::JoinHandle<Result<(), Failure>>>>() {
        lane.join().map_err(|_| "a thread has panicked")??;
    }
    drop(writer);
    thread.join().map_err(|_| "the writer has panicked")?;
    let each = |all: f64| all / f64::from(sessions.max(1));
    println!("{sessions} sessions, {at_once} at once");
    println!("  CPU          {:.3} ms a session", each(cpu_ms()? - cpu));
    println!("  disk         {:.3} syncs a session", each((store.syncs() - syncs) as f64));
    Ok(())
}

/// All changes of one session, each when the one before can be read or is on the disk.
fn session(writer: &StoreWriter, number: u32) -> Result<(), Failure> {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&number.to_le_bytes());
    let message = MessageToSign { message: id, derivation: Derivation::key_path_only() };
    let request = SigningRequest::new(GroupId::from_bytes([1; 32]), id, EXPIRY, vec![message])?;
    let (group, session) = (request.group(), request.session_id());
    let about = Examination::new(&request, &Subject::Hash, b"");
    let decision = Decision { by: Decider::Rules, about, revision: 0, at: 8 };
    let entry = AuditEntry {
        time_ms: 9,
        group,
        session,
        seat: Seat::new(0)?,
        coordinator: Seat::new(1)?,
        package: BodyHash::from_bytes([4; 32]),
        messages: vec![id],
        key: [3; 32],
        decision: decision.clone(),
        spending: Spending::default(),
    };
    let signatures = vec![roastery_frost::Signature::from_bytes(&[5; 64])];
    let package = BodyHash::from_bytes([4; 32]);
    let signed = RequestState::Signed(Outcome { session, signatures, package, origin: None });
    let deferred = Durability::Deferred;
    make(writer, deferred, move |change| change.add_request(&request, &Subject::Hash, None, 7))?;
    make(writer, deferred, move |change| {
        change.change_request(session, 8, |_| Some(RequestState::Approved(decision)))
    })?;
    if make(writer, Durability::Synced, move |change| change.release(&entry))? != Release::Recorded
    {
        return Err("a share was not recorded".into());
    }
    make(writer, deferred, move |change| change.change_request(session, 9, |_| Some(signed)))?;
    Ok(())
}

fn make<T: Send + 'static>(
    writer: &StoreWriter,
    durability: Durability,
    change: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Failure> {
    let (done, made) = mpsc::channel();
    // The receiver waits for it.
    writer.write(durability, change, move |made| drop(done.send(made)));
    Ok(made.recv()??)
}

/// The CPU time of this process, in milliseconds: Linux shows hundredths of a second.
fn cpu_ms() -> Result<f64, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = [11, 12].map(|at| fields.get(at).and_then(|field| field.parse::<f64>().ok()));
    let [Some(user), Some(system)] = ticks else { return Err("no times in /proc".into()) };
    Ok((user + system) * 10.0)
}
