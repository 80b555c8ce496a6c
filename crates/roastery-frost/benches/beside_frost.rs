//! This crate beside `frost-secp256k1-tr` 3.0.0, in one process and in turns, so that the ratio
//! holds whatever the machine does meanwhile.
//!
//! Each row is what one party has to do from decoded inputs. The same values are computed on both
//! sides: `frost-secp256k1-tr` derives everything from the list of commitments in every call, so
//! here the signer set, the session context and, but for the signer, the aggregate nonce are
//! counted in. Rows marked "ready" leave that out and have no counterpart.

use std::collections::BTreeMap;

use frost_secp256k1_tr as frost;
use rand_core_06::OsRng;
use roastery_frost::danger::{secret_nonce_from_bytes, secret_nonce_to_bytes};
use roastery_frost::{
    AggregateError, AggregateNonce, GroupKeys, NonceGenInputs, PartialSignature, PublicNonce, Seat,
    SecretNonce, SecretShare, SessionContext, TweakContext, danger_trusted_dealer, nonce_agg,
    nonce_gen, sign,
};
use zeroize::Zeroizing;

use crate::measure::{Operation, Row, time};

mod measure;

const MESSAGE: [u8; 32] = [0x42; 32];
const SIZES: [(usize, usize); 3] = [(3, 5), (11, 15), (67, 100)];

fn main() {
    let rounds = if measure::is_measured() { 20 } else { 1 };
    let repetitions = if measure::is_measured() { 10 } else { 1 };
    let mut groups = Vec::new();
    for (t, n) in SIZES {
        let rows = rows(t, n, rounds, repetitions);
        measure::print_table(&format!("{t}-of-{n}"), "this crate", "frost-secp256k1-tr", &rows);
        let rows = measure::json("roastery_frost", "frost_secp256k1_tr", &rows);
        groups.push(format!("  \"{t}-of-{n}\": {rows}"));
    }
    if measure::is_measured() {
        let json =
            format!("{{\n  \"unit\": \"microseconds, median\",\n{}\n}}\n", groups.join(",\n"));
        measure::write("beside_frost", &json);
    }
}

fn rows(t: usize, n: usize, rounds: usize, repetitions: u32) -> Vec<Row> {
    let (ours, theirs) = (Ours::new(t, n), Theirs::new(t, n));
    let operations: Vec<(&'static str, Operation<'_>, Option<Operation<'_>>)> = vec![
        ("sign", Box::new(|| ours.sign()), Some(Box::new(|| theirs.sign()))),
        ("sign, context ready", Box::new(|| ours.sign_ready()), None),
        ("share check", Box::new(|| ours.check()), Some(Box::new(|| theirs.check()))),
        ("share check, context ready", Box::new(|| ours.check_ready()), None),
        (
            "aggregate",
            Box::new(|| ours.aggregate()),
            Some(Box::new(|| theirs.aggregate(&theirs.shares))),
        ),
        ("aggregate, context ready", Box::new(|| ours.aggregate_ready()), None),
        (
            "aggregate, last share bad",
            Box::new(|| ours.aggregate_bad()),
            Some(Box::new(|| theirs.aggregate(&theirs.bad_shares))),
        ),
        ("nonce generation", Box::new(|| ours.nonce_gen()), Some(Box::new(|| theirs.nonce_gen()))),
    ];
    measure::measure(operations, rounds, repetitions)
}

struct Ours {
    group: GroupKeys,
    share: SecretShare,
    seats: Vec<Seat>,
    secret_nonce: Zeroizing<[u8; 64]>,
    nonces: Vec<PublicNonce>,
    aggregate_nonce: AggregateNonce,
    tweaks: TweakContext,
    context: SessionContext,
    psigs: Vec<PartialSignature>,
    bad_psigs: Vec<PartialSignature>,
}

impl Ours {
    fn new(t: usize, n: usize) -> Ours {
        let mut rng = getrandom::SysRng;
        let (group, shares) = danger_trusted_dealer::deal(t, n, &mut rng).expect("a group");
        let seats: Vec<Seat> = (0..t as u32).map(|id| Seat::new(id).expect("a seat")).collect();
        let mut secrets: Vec<SecretNonce> = Vec::new();
        let mut nonces = Vec::new();
        for _ in &seats {
            let (secret, public) =
                nonce_gen(&mut rng, &NonceGenInputs::default()).expect("a nonce");
            secrets.push(secret);
            nonces.push(public);
        }
        let secret_nonce = secret_nonce_to_bytes(&secrets[0]);
        let tweaks = TweakContext::new(group.threshold_public_key());
        let aggregate_nonce = nonce_agg(&nonces);
        let signers = group.signers(&seats).expect("signers");
        let context =
            SessionContext::new(&signers, &aggregate_nonce, &tweaks, &MESSAGE).expect("a session");
        let psigs: Vec<PartialSignature> = secrets
            .into_iter()
            .zip(&shares)
            .zip(&seats)
            .map(|((secret, share), &seat)| sign(secret, share, seat, &context).expect("a share"))
            .collect();
        let mut bad_psigs = psigs.clone();
        bad_psigs[t - 1] = psigs[0];
        let share = shares.into_iter().next().expect("a share");
        Ours {
            group,
            share,
            seats,
            secret_nonce,
            nonces,
            aggregate_nonce,
            tweaks,
            context,
            psigs,
            bad_psigs,
        }
    }

    fn session(&self, aggregate: &AggregateNonce) -> SessionContext {
        let signers = self.group.signers(&self.seats).expect("signers");
        SessionContext::new(&signers, aggregate, &self.tweaks, &MESSAGE).expect("a session")
    }

    fn secret_nonce(&self) -> SecretNonce {
        secret_nonce_from_bytes(&self.secret_nonce).expect("a secret nonce")
    }

    fn sign(&self) -> f64 {
        let nonce = self.secret_nonce();
        time(|| sign(nonce, &self.share, self.seats[0], &self.session(&self.aggregate_nonce)))
    }

    fn sign_ready(&self) -> f64 {
        let nonce = self.secret_nonce();
        time(|| sign(nonce, &self.share, self.seats[0], &self.context))
    }

    fn check(&self) -> f64 {
        time(|| {
            let context = self.session(&nonce_agg(&self.nonces));
            context.verify(&self.psigs[0], &self.nonces[0], self.seats[0]).expect("a valid share")
        })
    }

    fn check_ready(&self) -> f64 {
        time(|| self.context.verify(&self.psigs[0], &self.nonces[0], self.seats[0]).expect("valid"))
    }

    fn aggregate(&self) -> f64 {
        time(|| {
            self.session(&nonce_agg(&self.nonces)).aggregate_verified(&self.psigs).expect("valid")
        })
    }

    fn aggregate_ready(&self) -> f64 {
        time(|| self.context.aggregate_verified(&self.psigs).expect("valid"))
    }

    /// Tries the aggregate, then checks every share.
    fn aggregate_bad(&self) -> f64 {
        time(|| {
            let context = self.session(&nonce_agg(&self.nonces));
            assert_eq!(context.aggregate_verified(&self.bad_psigs), Err(AggregateError::Invalid));
            let culprits: Vec<Seat> = (0..self.seats.len())
                .filter(|&i| {
                    context.verify(&self.bad_psigs[i], &self.nonces[i], self.seats[i]).is_err()
                })
                .map(|i| self.seats[i])
                .collect();
            assert_eq!(culprits, self.seats[self.seats.len() - 1..]);
        })
    }

    fn nonce_gen(&self) -> f64 {
        let inputs = NonceGenInputs { secret_share: Some(&self.share), ..Default::default() };
        time(|| nonce_gen(&mut getrandom::SysRng, &inputs).expect("a nonce"))
    }
}

type FrostShares = BTreeMap<frost::Identifier, frost::round2::SignatureShare>;

struct Theirs {
    public: frost::keys::PublicKeyPackage,
    key: frost::keys::KeyPackage,
    nonces: frost::round1::SigningNonces,
    package: frost::SigningPackage,
    shares: FrostShares,
    bad_shares: FrostShares,
}

impl Theirs {
    fn new(t: usize, n: usize) -> Theirs {
        let (shares, public) = frost::keys::generate_with_dealer(
            n as u16,
            t as u16,
            frost::keys::IdentifierList::Default,
            OsRng,
        )
        .expect("a group");
        let keys: Vec<frost::keys::KeyPackage> =
            shares.into_values().take(t).map(|share| share.try_into().expect("a key")).collect();
        let (mut nonces, mut commitments) = (Vec::new(), BTreeMap::new());
        for key in &keys {
            let (secret, public) = frost::round1::commit(key.signing_share(), &mut OsRng);
            nonces.push(secret);
            commitments.insert(*key.identifier(), public);
        }
        let package = frost::SigningPackage::new(commitments, &MESSAGE);
        let shares: FrostShares = keys
            .iter()
            .zip(&nonces)
            .map(|(key, nonces)| {
                let share = frost::round2::sign(&package, nonces, key).expect("a share");
                (*key.identifier(), share)
            })
            .collect();
        let mut bad_shares = shares.clone();
        bad_shares.insert(*keys[t - 1].identifier(), shares[keys[0].identifier()]);
        let (nonces, key) = (nonces[0].clone(), keys[0].clone());
        Theirs { public, key, nonces, package, shares, bad_shares }
    }

    fn sign(&self) -> f64 {
        time(|| frost::round2::sign(&self.package, &self.nonces, &self.key).expect("a share"))
    }

    fn check(&self) -> f64 {
        time(|| {
            frost_core::verify_signature_share(
                *self.key.identifier(),
                self.key.verifying_share(),
                &self.shares[self.key.identifier()],
                &self.package,
                self.public.verifying_key(),
            )
            .expect("a valid share")
        })
    }

    /// With the default detection of cheaters, which stops at the first.
    fn aggregate(&self, shares: &FrostShares) -> f64 {
        time(|| frost::aggregate(&self.package, shares, &self.public))
    }

    fn nonce_gen(&self) -> f64 {
        time(|| frost::round1::commit(self.key.signing_share(), &mut OsRng))
    }
}
