//! The golden vectors of `docs/keylife.md`, which a program of its own makes: equal byte for byte.

use roastery_frost::change::{
    Certificate, ChangeParams, Dealing, DealtShare, Transcript, deal, open, take,
};
use roastery_frost::chilldkg::HostSecretKey;
use roastery_frost::{GroupKeys, SecretShare, Signature, decode_point};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::behaviour::support::seat;
use crate::bip445::format::Hex;

#[derive(Deserialize)]
struct Case {
    comment: String,
    plan: Hex,
    old: Old,
    excluded: Vec<u32>,
    t: usize,
    host_secret_keys: Vec<Hex>,
    host_public_keys: Vec<Hex>,
    dealings: Vec<DealingCase>,
    choice: Vec<u32>,
    transcript: Hex,
    transcript_hash: Hex,
    member_aux_rand: Vec<Hex>,
    signatures: Vec<Hex>,
    certificate: Hex,
    new_public_shares: Vec<Hex>,
    new_shares: Vec<Hex>,
}

#[derive(Deserialize)]
struct Old {
    t: usize,
    threshold_public_key: Hex,
    public_shares: Vec<Hex>,
    shares: Vec<Hex>,
}

#[derive(Deserialize)]
struct DealingCase {
    dealer: u32,
    aux_rand: Hex,
    head: Hex,
    head_hash: Hex,
    bytes: Hex,
}

impl Case {
    fn params(&self) -> ChangeParams {
        let point = |hex: &Hex| decode_point(&hex.array().unwrap()).unwrap();
        let key = point(&self.old.threshold_public_key);
        let shares = self.old.public_shares.iter().map(point).collect();
        let old = GroupKeys::new(self.old.t, key, shares).unwrap();
        let excluded: Vec<_> = self.excluded.iter().map(|&id| seat(id)).collect();
        let hostpubkeys = self.host_public_keys.iter().map(|key| key.array().unwrap()).collect();
        let plan = self.plan.array().unwrap();
        ChangeParams::new(plan, &old, &excluded, hostpubkeys, self.t).unwrap()
    }

    fn host_keys(&self) -> Vec<HostSecretKey> {
        let key = |hex: &Hex| HostSecretKey::from_bytes(Zeroizing::new(hex.array().unwrap()));
        self.host_secret_keys.iter().map(|hex| key(hex).unwrap()).collect()
    }
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../vectors/change/change.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), 5);
    cases
}

#[test]
fn dealings_are_those_of_the_vectors() {
    for case in cases() {
        let params = case.params();
        assert_eq!(params.dealers().count(), case.dealings.len(), "{}", case.comment);
        for expected in &case.dealings {
            let share = &case.old.shares[expected.dealer as usize];
            let share = SecretShare::from_bytes(Zeroizing::new(share.array().unwrap())).unwrap();
            let (dealer, aux_rand) = (seat(expected.dealer), expected.aux_rand.array().unwrap());
            let dealing = deal(&params, dealer, &share, &aux_rand).unwrap();
            assert_eq!(dealing.to_bytes(), expected.bytes.0, "{}", case.comment);
            assert_eq!(dealing.head().to_bytes().as_slice(), expected.head.0);
            assert_eq!(dealing.head().hash(params.plan()).as_slice(), expected.head_hash.0);
            assert_eq!(Dealing::parse(&params, dealer, &expected.bytes.0), Ok(dealing));
        }
    }
}

#[test]
fn transcript_signatures_and_certificate_are_those_of_the_vectors() {
    for case in cases() {
        let (params, keys) = (case.params(), case.host_keys());
        let of = |dealer| case.dealings.iter().find(|d| d.dealer == dealer).unwrap();
        let dealings: Vec<Dealing> = case
            .choice
            .iter()
            .map(|&i| Dealing::parse(&params, seat(i), &of(i).bytes.0).unwrap())
            .collect();
        let transcript = Transcript::new(&params, &dealings.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(transcript.as_bytes(), case.transcript.0, "{}", case.comment);
        assert_eq!(transcript.as_bytes().len(), Transcript::len_bytes(&params));
        assert_eq!(transcript.hash().as_slice(), case.transcript_hash.0);

        let mut signatures: Vec<Signature> = Vec::new();
        for (j, key) in keys.iter().enumerate() {
            let dealt: Vec<DealtShare> = dealings.iter().map(|d| open(key, d).unwrap()).collect();
            let aux_rand = case.member_aux_rand[j].array().unwrap();
            let (output, signature) = take(key, &transcript, &dealt, &aux_rand).unwrap();
            assert_eq!(output.share().expose_bytes().as_slice(), case.new_shares[j].0);
            assert_eq!(signature.to_bytes().as_slice(), case.signatures[j].0);
            signatures.push(signature);
        }
        let certificate = Certificate::new(transcript, signatures).unwrap();
        assert_eq!(certificate.to_bytes(), case.certificate.0, "{}", case.comment);
    }
}

#[test]
fn the_certificates_of_the_vectors_verify_and_give_every_share() {
    for case in cases() {
        let params = case.params();
        let certificate = Certificate::parse(&params, &case.certificate.0).unwrap();
        let group = certificate.transcript().group();
        assert_eq!(group.threshold_public_key(), params.old().threshold_public_key());
        assert_eq!((group.threshold(), group.n()), (case.t, case.host_secret_keys.len()));
        let public = group.public_shares().iter().map(|share| share.serialize().to_vec());
        assert!(public.eq(case.new_public_shares.iter().map(|share| share.0.clone())));
        for (key, share) in case.host_keys().iter().zip(&case.new_shares) {
            let recovered = certificate.recover(key).unwrap();
            assert_eq!(recovered.share().expose_bytes().as_slice(), share.0, "{}", case.comment);
        }
    }
}
