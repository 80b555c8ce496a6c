//! Key generation: ChillDKG of this crate beside the key generation of `frost-secp256k1-tr` 3.0.0,
//! in one process and in turns.
//!
//! Both have three steps per participant. What theirs leaves out ours does: encryption of the
//! shares to their receivers, and a certificate signed by all. Each row is what one participant
//! does from decoded messages; the decoding of the largest message stands in a row of its own.

use std::collections::BTreeMap;

use frost_secp256k1_tr as frost;
use rand_core_06::OsRng;
use roastery_frost::SigningKey;
use roastery_frost::chilldkg::{
    CoordinatorMsg1, CoordinatorMsg2, HostSecretKey, ParticipantMsg1, ParticipantMsg2,
    ParticipantState1, ParticipantState2, RecoveryData, SessionParams, coordinator_finalize,
    coordinator_step1, participant_finalize, participant_step1, participant_step2, recover,
};

use crate::measure::{Operation, Row, time};

mod measure;

const SIZES: [(usize, usize); 3] = [(3, 5), (11, 15), (67, 100)];

fn main() {
    // Under `cargo test` the largest takes too long.
    let (sizes, rounds) = if measure::is_measured() { (&SIZES[..], 5) } else { (&SIZES[..1], 1) };
    let mut groups = Vec::new();
    for &(t, n) in sizes {
        let rows = rows(t, n, rounds);
        measure::print_table(&format!("{t}-of-{n}"), "this crate", "frost-secp256k1-tr", &rows);
        let rows = measure::json("roastery_frost", "frost_secp256k1_tr", &rows);
        groups.push(format!("  \"{t}-of-{n}\": {rows}"));
    }
    if measure::is_measured() {
        let json =
            format!("{{\n  \"unit\": \"microseconds, median\",\n{}\n}}\n", groups.join(",\n"));
        measure::write("chilldkg_beside_frost", &json);
    }
}

fn rows(t: usize, n: usize, rounds: usize) -> Vec<Row> {
    let (ours, theirs) = (Ours::new(t, n), Theirs::new(t, n));
    let operations: Vec<(&'static str, Operation<'_>, Option<Operation<'_>>)> = vec![
        (
            "all steps of a participant",
            Box::new(|| ours.step1() + ours.step2() + ours.finalize()),
            Some(Box::new(|| theirs.part1() + theirs.part2() + theirs.part3())),
        ),
        ("step 1", Box::new(|| ours.step1()), Some(Box::new(|| theirs.part1()))),
        ("step 2", Box::new(|| ours.step2()), Some(Box::new(|| theirs.part2()))),
        ("finalize / part 3", Box::new(|| ours.finalize()), Some(Box::new(|| theirs.part3()))),
        ("decode the coordinator's message", Box::new(|| ours.decode()), None),
        ("both steps of the coordinator", Box::new(|| ours.coordinate()), None),
        ("read recovery data and recover", Box::new(|| ours.recover()), None),
    ];
    measure::measure(operations, rounds, 1)
}

struct Ours {
    params: SessionParams,
    key: HostSecretKey,
    pmsgs1: Vec<ParticipantMsg1>,
    cmsg1: CoordinatorMsg1,
    pmsgs2: Vec<ParticipantMsg2>,
    cmsg2: CoordinatorMsg2,
    recovery_data: Vec<u8>,
}

impl Ours {
    fn new(t: usize, n: usize) -> Ours {
        let mut rng = getrandom::SysRng;
        let mut keys: Vec<HostSecretKey> =
            (0..n).map(|_| SigningKey::generate(&mut rng).expect("a key").into()).collect();
        let hostpubkeys = keys.iter().map(HostSecretKey::hostpubkey_gen).collect();
        let params = SessionParams::new(hostpubkeys, t).expect("parameters");
        let (states, pmsgs1): (Vec<_>, Vec<_>) = keys.iter().map(|key| step1(key, &params)).unzip();
        let (state, cmsg1) = coordinator_step1(&pmsgs1, &params).expect("a message");
        let pmsgs2: Vec<ParticipantMsg2> =
            keys.iter().zip(states).map(|(key, state)| step2(key, state, &cmsg1).1).collect();
        let (cmsg2, _, recovery_data) = coordinator_finalize(state, &pmsgs2).expect("success");
        let (key, recovery_data) = (keys.swap_remove(0), recovery_data.to_bytes());
        Ours { params, key, pmsgs1, cmsg1, pmsgs2, cmsg2, recovery_data }
    }

    fn step1(&self) -> f64 {
        time(|| step1(&self.key, &self.params))
    }

    fn step2(&self) -> f64 {
        let (state, _) = step1(&self.key, &self.params);
        time(|| step2(&self.key, state, &self.cmsg1))
    }

    fn finalize(&self) -> f64 {
        let (state, _) = step1(&self.key, &self.params);
        let (state, _) = step2(&self.key, state, &self.cmsg1);
        time(|| participant_finalize(state, &self.cmsg2).expect("success"))
    }

    fn decode(&self) -> f64 {
        let bytes = self.cmsg1.to_bytes();
        time(|| CoordinatorMsg1::parse(&bytes, &self.params).expect("a message"))
    }

    fn coordinate(&self) -> f64 {
        time(|| {
            let (state, _) = coordinator_step1(&self.pmsgs1, &self.params).expect("a message");
            coordinator_finalize(state, &self.pmsgs2).expect("success")
        })
    }

    fn recover(&self) -> f64 {
        time(|| {
            let recovery_data = RecoveryData::parse(&self.recovery_data).expect("valid");
            recover(&self.key, &recovery_data).expect("a share")
        })
    }
}

fn step1(key: &HostSecretKey, params: &SessionParams) -> (ParticipantState1, ParticipantMsg1) {
    participant_step1(key, params, &[7; 32]).expect("a message")
}

fn step2(
    key: &HostSecretKey,
    state: ParticipantState1,
    cmsg1: &CoordinatorMsg1,
) -> (ParticipantState2, ParticipantMsg2) {
    participant_step2(key, state, cmsg1, &[8; 32]).expect("a signature")
}

type Packages<T> = BTreeMap<frost::Identifier, T>;

/// The first participant's view.
struct Theirs {
    t: u16,
    n: u16,
    identifier: frost::Identifier,
    secret1: frost::keys::dkg::round1::SecretPackage,
    secret2: frost::keys::dkg::round2::SecretPackage,
    received1: Packages<frost::keys::dkg::round1::Package>,
    received2: Packages<frost::keys::dkg::round2::Package>,
}

impl Theirs {
    fn new(t: usize, n: usize) -> Theirs {
        let (t, n) = (t as u16, n as u16);
        let (mut secrets, mut packages) = (Vec::new(), BTreeMap::new());
        for id in 1..=n {
            let identifier = id.try_into().expect("an identifier");
            let (secret, package) =
                frost::keys::dkg::part1(identifier, n, t, OsRng).expect("a package");
            secrets.push((identifier, secret));
            packages.insert(identifier, package);
        }
        let (identifier, secret1) = secrets[0].clone();
        let (mut secret2, mut received2) = (None, BTreeMap::new());
        for (sender, secret) in secrets {
            let mut received = packages.clone();
            received.remove(&sender);
            let (secret, sent) = frost::keys::dkg::part2(secret, &received).expect("packages");
            match sent.get(&identifier) {
                Some(package) => drop(received2.insert(sender, package.clone())),
                None => secret2 = Some(secret),
            }
        }
        let secret2 = secret2.expect("the first participant sends nothing to itself");
        packages.remove(&identifier);
        Theirs { t, n, identifier, secret1, secret2, received1: packages, received2 }
    }

    fn part1(&self) -> f64 {
        time(|| frost::keys::dkg::part1(self.identifier, self.n, self.t, OsRng).expect("a package"))
    }

    fn part2(&self) -> f64 {
        let secret = self.secret1.clone();
        time(|| frost::keys::dkg::part2(secret, &self.received1).expect("packages"))
    }

    fn part3(&self) -> f64 {
        time(|| {
            frost::keys::dkg::part3(&self.secret2, &self.received1, &self.received2).expect("a key")
        })
    }
}
