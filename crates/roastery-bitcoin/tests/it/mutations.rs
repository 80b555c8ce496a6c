//! Changes of PSBTs of all kinds, from one seed: whatever comes out is read or refused, shown,
//! judged, and written again, without a panic and within bounds.

use std::{fs, path::Path, time::Duration};

use bitcoin::{
    Amount, Network,
    base64::{Engine as _, prelude::BASE64_STANDARD},
    hex::FromHex as _,
};
use roastery_bitcoin::{
    policy::{Review, Rules, SpendPolicy},
    psbt::{MAX_INPUTS, MAX_OUTPUTS, read},
    spend::{Completion, MAX_PARTS, Report, Spend},
    wallet::Wallet,
};
use roastery_frost::Signature;
use roastery_protocol::request::MAX_MESSAGES;
use roastery_testkit::{
    Chance,
    maps::{Maps, version_2},
    payments::{ordinary, proof_of_funds},
};

use crate::cases::wallet;

/// What the unoptimised code may compute about one change; the most that was seen is a tenth of it.
const MOST_WORK: Duration = Duration::from_secs(4);

/// The memory that one change may take beside what was there before, in KiB; the most that was seen
/// is 1 MiB.
const MOST_MEMORY: u64 = 16 * 1024;

/// A line of what a person reads.
const LONGEST_LINE: usize = 1_000;

/// The cases of real use, published PSBTs, those of another program, and payments and proofs of
/// funds of both versions.
fn seeds(wallet: &Wallet) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "psbt" || end == "txt"))
        .collect();
    files.sort();
    let files = files.into_iter().map(|path| fs::read(path).unwrap());
    let published: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/psbt.json")).unwrap();
    let published = published.as_array().unwrap().clone().into_iter();
    let published = published.map(|case| Vec::from_hex(case["psbt"].as_str().unwrap()).unwrap());
    let made: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/embit.json")).unwrap();
    let made = made["psbts"].as_array().unwrap().clone().into_iter();
    let made = made.map(|case| case["psbt"].as_str().unwrap().as_bytes().to_vec());
    let own = [ordinary(wallet), proof_of_funds(wallet, "ours", &[5_000, 6_000])];
    let own = own.iter().flat_map(|psbt| [psbt.serialize(), version_2(psbt).bytes()]);
    let seeds: Vec<_> = files.chain(published).chain(made).chain(own).collect();
    assert!(seeds.len() > 100, "{}", seeds.len());
    seeds
}

/// Changes bytes of any PSBT, or fields of a sound one.
fn change(chance: &mut Chance, seeds: &[Vec<u8>], sound: &[Maps]) -> Vec<u8> {
    if chance.one_in(4) {
        let bytes = chance.pick(seeds).clone();
        return change_bytes(chance, bytes);
    }
    let mut maps = chance.pick(sound).clone();
    for _ in 0..=chance.below(3) {
        change_fields(chance, &mut maps, sound);
    }
    maps.bytes()
}

fn change_bytes(chance: &mut Chance, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..=chance.below(6) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = chance.below(bytes.len());
        match chance.below(5) {
            0 => bytes[at] = chance.number() as u8,
            1 => bytes[at] ^= 1 << chance.below(8),
            2 => bytes.insert(at, chance.number() as u8),
            3 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

fn change_fields(chance: &mut Chance, maps: &mut Maps, sound: &[Maps]) {
    let at = chance.below(maps.0.len());
    let length = maps.0[at].len();
    if length == 0 || chance.one_in(4) {
        // A field of another PSBT, in a map of the same kind or of another.
        let other = chance.pick(sound);
        let fields = chance.pick(&other.0);
        if !fields.is_empty() {
            maps.0[at].push(chance.pick(fields).clone());
        }
        return;
    }
    let field = chance.below(length);
    let map = &mut maps.0[at];
    match chance.below(9) {
        0 => drop(map.remove(field)),
        1 | 7 | 8 => map.swap(0, field),
        2 => map[field].0[0] = chance.number() as u8 & 0x1f,
        3 => map[field].0 = change_key(chance, &map[field].0),
        4 => {
            let value = std::mem::take(&mut map[field].1);
            map[field].1 = change_bytes(chance, value);
        }
        5 => {
            // Many of the same kind.
            let (key, value) = map[field].clone();
            for number in 0..chance.below(40) as u8 {
                let mut key = key.clone();
                *key.last_mut().unwrap() ^= number;
                map.push((key, value.clone()));
            }
        }
        _ => {
            let repeated = map[field].1.repeat(1 + chance.below(20));
            map[field].1 = repeated;
        }
    }
}

fn change_key(chance: &mut Chance, key: &[u8]) -> Vec<u8> {
    let changed = change_bytes(chance, key[1..].to_vec());
    [&key[..1], &changed].concat()
}

/// Everything that a node does with a PSBT; returns whether it was read, and whether it can be
/// signed.
fn walk(bytes: &[u8], wallet: &Wallet, policies: &[SpendPolicy]) -> (bool, bool) {
    let document = match read(bytes) {
        Ok(document) => {
            let text = BASE64_STANDARD.encode(document.bytes());
            assert_eq!(read(text.as_bytes()).unwrap().bytes(), document.bytes());
            document
        }
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains('\n') && line.len() < LONGEST_LINE, "{line}");
            return (false, false);
        }
    };
    let parts = document.decoded();
    let (inputs, outputs) = (parts.inputs.len(), parts.outputs.len());
    assert!(inputs <= MAX_INPUTS && outputs <= MAX_OUTPUTS);
    let older = document.to_version_0().unwrap();
    assert_eq!(read(older.bytes()).unwrap().decoded(), parts);
    let spend = Spend::of(document.clone(), wallet);
    // A few for each input and output, and a few for the whole.
    assert!(spend.warnings().len() <= 3 * inputs + 4 * outputs + 4);
    let lines = spend.warnings().iter().map(ToString::to_string);
    lines.for_each(|line| assert!(!line.contains('\n') && line.len() < LONGEST_LINE, "{line}"));
    let report = Report::of(&spend, Network::Regtest);
    let _ = (report.to_string(), serde_json::to_string(&report).unwrap());
    for policy in policies {
        let _ = policy.evaluate(&spend, Amount::ZERO);
    }
    let Ok(messages) = spend.messages() else { return (true, false) };
    assert!((1..=MAX_PARTS * MAX_MESSAGES).contains(&messages.len()));
    for part in spend.requests([0; 32], 1).unwrap() {
        spend.check(&part).unwrap();
    }
    // Signatures of nothing are refused by number.
    let nothing = vec![Signature::from_bytes(&[1; 64]); messages.len()];
    for completion in [Completion::Partial, Completion::Finalised] {
        assert!(spend.complete(&nothing, completion).is_err());
    }
    (true, true)
}

/// Walks through so many changes, and looks after each.
fn play(changes: usize, mut after: impl FnMut(&[u8])) {
    let wallet = wallet("group");
    let seeds = seeds(&wallet);
    let rules = [Rules { most_fee: Some(1), ..Rules::default() }, Rules::default()];
    let policies = rules.map(|rules| rules.check(Network::Regtest, Review::RulesAlone).unwrap());
    let sound = seeds.iter().filter_map(|seed| Some(Maps::of(read(seed).ok()?.bytes())));
    let sound: Vec<Maps> = sound.collect();
    let mut chance = Chance::new(15);
    let (mut were_read, mut signed) = (0, 0);
    for _ in 0..changes {
        let bytes = change(&mut chance, &seeds, &sound);
        let (was_read, can_be_signed) = walk(&bytes, &wallet, &policies);
        were_read += usize::from(was_read);
        signed += usize::from(can_be_signed);
        after(&bytes);
    }
    // Enough of them come so far that it means something.
    assert!(were_read > changes / 5, "{were_read} were read");
    assert!(signed > changes / 50, "{signed} could be signed");
}

#[test]
fn hundreds_of_changes_of_psbts_are_read_or_refused_within_bounds() {
    play(400, |_| ());
}

/// What this thread has computed. A clock would count what other programs take.
fn computed() -> Duration {
    let of_thread = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = of_thread.split(' ').next().unwrap();
    Duration::from_nanos(nanoseconds.parse().unwrap())
}

/// The most memory that the process has had, in KiB, and from now on anew.
fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    fs::write("/proc/self/clear_refs", "5").unwrap();
    most.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[test]
#[ignore = "must run alone, since it measures memory: just psbt-mutations"]
fn four_thousand_changes_of_psbts_take_bounded_time_and_memory() {
    let (mut work, mut memory) = (Duration::ZERO, 0);
    let (mut before, mut least) = (computed(), u64::MAX);
    play(4_000, |bytes| {
        let now = computed();
        let took = now - before;
        let most = most_memory();
        least = least.min(most);
        let psbt = || BASE64_STANDARD.encode(bytes);
        assert!(took < MOST_WORK, "{took:?}: {}", psbt());
        assert!(most - least < MOST_MEMORY, "{} KiB: {}", most - least, psbt());
        (work, memory) = (work.max(took), memory.max(most - least));
        before = computed();
    });
    println!("at most {work:?} and {memory} KiB for one change");
}
