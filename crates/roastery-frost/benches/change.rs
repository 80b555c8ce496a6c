//! What a change costs: one dealer, and one new member from the bytes of t dealings to its share
//! and the certificate. CPU time of the one thread, so that what else runs on the machine counts
//! little.

use roastery_frost::change::{
    Certificate, ChangeParams, Dealing, DealtShare, Transcript, deal, open, take,
};
use roastery_frost::chilldkg::HostSecretKey;
use roastery_frost::{Seat, SecretShare, Signature, SigningKey, danger_trusted_dealer};
use rustix::time::{ClockId, clock_gettime};

use crate::measure::Operation;

#[expect(dead_code, reason = "one side only, and CPU time in place of the time that passes")]
mod measure;

/// Old threshold and number of seats, and new ones.
const SIZES: [[usize; 4]; 3] = [[3, 5, 4, 7], [67, 100, 67, 100], [128, 128, 128, 128]];

fn main() {
    // Under `cargo test` the larger ones take too long.
    let (sizes, rounds) = if measure::is_measured() { (&SIZES[..], 9) } else { (&SIZES[..1], 1) };
    let mut changes = Vec::new();
    for &[t, n, new_t, new_n] in sizes {
        let name = format!("{t}-of-{n} to {new_t}-of-{new_n}");
        let change = Change::new(t, n, new_t, new_n);
        let rows = measure::measure(change.operations(), rounds, if t > 10 { 1 } else { 20 });
        println!("\n{name}, microseconds of CPU time (medians)");
        rows.iter().for_each(|row| println!("{:<32} {:>12.0}", row.name, row.ours));
        println!("{:<32} {:>12}", "bytes of a dealing", Dealing::len_bytes(&change.params));
        println!("{:<32} {:>12}", "bytes of a certificate", Certificate::len_bytes(&change.params));
        let rows = rows.iter().map(|row| format!("\"{}\": {:.3}", row.name, row.ours));
        let rows: Vec<String> = rows.collect();
        changes.push(format!("  \"{name}\": {{\n    {}\n  }}", rows.join(",\n    ")));
    }
    if measure::is_measured() {
        let unit = "microseconds of CPU time, median";
        let json = format!("{{\n  \"unit\": \"{unit}\",\n{}\n}}\n", changes.join(",\n"));
        measure::write("change", &json);
    }
}

/// The CPU time of this thread that `operation` takes, in microseconds.
fn cpu_time<T>(operation: impl FnOnce() -> T) -> f64 {
    let now = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
    };
    let start = now();
    let result = std::hint::black_box(operation());
    let elapsed = now() - start;
    drop(result);
    elapsed
}

/// A change in the middle: dealings as bytes, and the signatures of all new members.
struct Change {
    params: ChangeParams,
    share: SecretShare,
    key: HostSecretKey,
    dealers: Vec<Seat>,
    dealings: Vec<Vec<u8>>,
    read: Vec<Dealing>,
    transcript: Transcript,
    signatures: Vec<Signature>,
    certificate: Vec<u8>,
}

impl Change {
    fn new(t: usize, n: usize, new_t: usize, new_n: usize) -> Change {
        let mut rng = getrandom::SysRng;
        let (old, mut shares) = danger_trusted_dealer::deal(t, n, &mut rng).expect("a group");
        let mut keys: Vec<HostSecretKey> =
            (0..new_n).map(|_| SigningKey::generate(&mut rng).expect("a key").into()).collect();
        let hostpubkeys = keys.iter().map(HostSecretKey::hostpubkey_gen).collect();
        let params = ChangeParams::new([7; 32], &old, &[], hostpubkeys, new_t).expect("parameters");
        let dealers: Vec<Seat> = params.dealers().skip(n - t).collect();
        let dealings: Vec<Vec<u8>> = dealers
            .iter()
            .map(|&i| deal(&params, i, &shares[i.index()], &[1; 32]).expect("a dealing").to_bytes())
            .collect();
        let read = read(&params, &dealers, &dealings);
        let transcript = transcript(&params, &read);
        let signatures: Vec<Signature> = keys
            .iter()
            .map(|key| {
                let dealt: Vec<DealtShare> = open_all(key, &read);
                take(key, &transcript, &dealt, &[2; 32]).expect("a share").1
            })
            .collect();
        let certificate = Certificate::new(transcript.clone(), signatures.clone());
        let certificate = certificate.expect("a certificate").to_bytes();
        let share = shares.swap_remove(dealers[0].index());
        let key = keys.swap_remove(0);
        Change { params, share, key, dealers, dealings, read, transcript, signatures, certificate }
    }

    fn operations(&self) -> Vec<(&'static str, Operation<'_>, Option<Operation<'_>>)> {
        let operations: Vec<(&'static str, Operation<'_>)> = vec![
            ("a dealer", Box::new(|| self.deal())),
            ("a new member, all of it", Box::new(|| self.member())),
            ("read t dealings", Box::new(|| self.read())),
            ("open t dealings", Box::new(|| self.open())),
            ("make the transcript", Box::new(|| self.transcript())),
            ("take the share and sign", Box::new(|| self.take())),
            ("verify all n' signatures", Box::new(|| self.certify())),
            ("read a certificate, recover", Box::new(|| self.recover())),
        ];
        operations.into_iter().map(|(name, operation)| (name, operation, None)).collect()
    }

    fn member(&self) -> f64 {
        self.read() + self.open() + self.transcript() + self.take() + self.certify()
    }

    fn deal(&self) -> f64 {
        cpu_time(|| deal(&self.params, self.dealers[0], &self.share, &[3; 32]).expect("a dealing"))
    }

    fn read(&self) -> f64 {
        cpu_time(|| read(&self.params, &self.dealers, &self.dealings))
    }

    fn open(&self) -> f64 {
        cpu_time(|| open_all(&self.key, &self.read))
    }

    fn transcript(&self) -> f64 {
        cpu_time(|| transcript(&self.params, &self.read))
    }

    fn take(&self) -> f64 {
        let dealt = open_all(&self.key, &self.read);
        cpu_time(|| take(&self.key, &self.transcript, &dealt, &[2; 32]).expect("a share"))
    }

    fn certify(&self) -> f64 {
        let (transcript, signatures) = (self.transcript.clone(), self.signatures.clone());
        cpu_time(|| Certificate::new(transcript, signatures).expect("a certificate"))
    }

    fn recover(&self) -> f64 {
        cpu_time(|| {
            let certificate = Certificate::parse(&self.params, &self.certificate);
            certificate.expect("a certificate").recover(&self.key).expect("a share")
        })
    }
}

fn read(params: &ChangeParams, dealers: &[Seat], dealings: &[Vec<u8>]) -> Vec<Dealing> {
    let dealings = dealers.iter().zip(dealings);
    dealings.map(|(&i, bytes)| Dealing::parse(params, i, bytes).expect("a dealing")).collect()
}

fn open_all(key: &HostSecretKey, dealings: &[Dealing]) -> Vec<DealtShare> {
    dealings.iter().map(|dealing| open(key, dealing).expect("a share")).collect()
}

fn transcript(params: &ChangeParams, dealings: &[Dealing]) -> Transcript {
    Transcript::new(params, &dealings.iter().collect::<Vec<_>>()).expect("a transcript")
}
