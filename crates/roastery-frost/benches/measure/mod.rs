//! What both benchmarks share: rounds in turns, medians, and where the results go.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

/// One side of a row: runs its operation once and says how long that took, in microseconds.
pub(crate) type Operation<'a> = Box<dyn Fn() -> f64 + 'a>;

/// One operation: the medians of both sides, where the other side has it.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) ours: f64,
    pub(crate) theirs: Option<f64>,
}

impl Row {
    pub(crate) fn ratio(&self) -> Option<f64> {
        self.theirs.map(|theirs| theirs / self.ours)
    }
}

/// Whether to measure. Without `--bench` (as under `cargo test --all-targets`) one round shows that
/// everything runs.
pub(crate) fn is_measured() -> bool {
    std::env::args().any(|arg| arg == "--bench")
}

/// Medians over rounds in which every operation of both sides runs in turn, `repetitions` times in
/// a row: the ratio holds whatever else the machine does meanwhile.
pub(crate) fn measure(
    operations: Vec<(&'static str, Operation<'_>, Option<Operation<'_>>)>,
    rounds: usize,
    repetitions: u32,
) -> Vec<Row> {
    let mean = |operation: &Operation<'_>| {
        (0..repetitions).map(|_| operation()).sum::<f64>() / f64::from(repetitions)
    };
    let mut samples = vec![(Vec::new(), Vec::new()); operations.len()];
    for _ in 0..rounds {
        for ((_, ours, theirs), samples) in operations.iter().zip(&mut samples) {
            samples.0.push(mean(ours));
            samples.1.extend(theirs.as_ref().map(mean));
        }
    }
    let rows = operations.iter().zip(samples).map(|((name, ..), (ours, theirs))| Row {
        name,
        ours: median(ours),
        theirs: (!theirs.is_empty()).then(|| median(theirs)),
    });
    rows.collect()
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// The time that `operation` takes, in microseconds.
pub(crate) fn time<T>(operation: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    let result = black_box(operation());
    let elapsed = start.elapsed();
    drop(result);
    elapsed.as_secs_f64() * 1e6
}

pub(crate) fn print_table(title: &str, ours: &str, theirs: &str, rows: &[Row]) {
    println!("\n{title}, microseconds (medians)");
    println!("{:<32} {ours:>14} {theirs:>20} {:>8}", "", "ratio");
    for row in rows {
        let number =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        let (theirs, ratio) = (number(row.theirs), number(row.ratio()));
        println!("{:<32} {:>14.2} {theirs:>20} {ratio:>8}", row.name, row.ours);
    }
}

/// The rows as a JSON list.
pub(crate) fn json(ours: &str, theirs: &str, rows: &[Row]) -> String {
    let number =
        |value: Option<f64>| value.map_or("null".to_owned(), |value| format!("{value:.3}"));
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            format!(
                "{{ \"operation\": \"{}\", \"{ours}\": {:.3}, \"{theirs}\": {}, \"ratio\": {} }}",
                row.name,
                row.ours,
                number(row.theirs),
                number(row.ratio()),
            )
        })
        .collect();
    format!("[\n    {}\n  ]", rows.join(",\n    "))
}

/// Writes `json` to `bench/<name>.json` in the target directory.
pub(crate) fn write(name: &str, json: &str) {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")),
        PathBuf::from,
    );
    let directory = target.join("bench");
    std::fs::create_dir_all(&directory).expect("the directory is created");
    let path = directory.join(name).with_extension("json");
    std::fs::write(&path, json).expect("the results are written");
    println!("\nwritten to {}", path.display());
}
