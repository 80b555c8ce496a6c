//! A process that is killed loses no change that was reported as durable.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use roastery_store::Store;

use crate::{fixture::*, new_store, support::*};

const PATH: &str = "ROASTERY_STORE_OF_THE_KILLED";

/// Not a test, but the process that is killed: it writes and reports each write, for ever.
#[test]
#[ignore = "the process that the test below starts and kills"]
fn writer() {
    let Some(path) = env::var_os(PATH) else { return };
    let (kept, store) = (Kept::new(), Store::open(path, &passphrase()).unwrap());
    let mut said = std::io::stdout();
    loop {
        let number = store.audit(0, usize::MAX).unwrap().len() as u64;
        assert_eq!(store.append_audit(&[entry(&kept, number)]).unwrap(), number);
        writeln!(said, "\nwritten {number}").unwrap();
        said.flush().unwrap();
    }
}

#[test]
fn what_was_acknowledged_is_there_however_often_the_process_is_killed() {
    let folder = Folder::new();
    let path = folder.file("store");
    drop(new_store(&folder));
    let mut least = 0;
    for _ in 0..8 {
        let mut random = [0; 2];
        getrandom::fill(&mut random).unwrap();
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "killed::writer", "--ignored", "--nocapture"])
            .env(PATH, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let written = lines.filter_map(|line| {
            line.unwrap().strip_prefix("written ").map(|number| number.parse::<u64>().unwrap())
        });
        let mut written = written.skip(usize::from(random[0] % 8));
        least = least.max(written.next().unwrap() + 1);
        // Some time into the next write.
        for _ in 0..u32::from(random[1]) * 64 {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        least = written.last().map_or(least, |number| number + 1);

        let store = Store::open(&path, &passphrase()).unwrap();
        store.check().unwrap();
        let entries = store.audit(0, usize::MAX).unwrap();
        assert!(entries.len() as u64 >= least, "{} of {least}", entries.len());
        assert!(entries.iter().all(|(number, entry)| entry.time_ms == *number));
        // One that was being written when the process died may be there as well.
        assert!(entries.len() as u64 <= least + 1);
    }
}
