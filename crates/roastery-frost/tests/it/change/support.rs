//! Whole changes, and a dealer that is written anew here, so that it can break every rule.

use roastery_frost::change::{
    Certificate, ChangeOutput, ChangeParams, Dealing, DealtShare, Transcript, deal, open, take,
};
use roastery_frost::chilldkg::HostSecretKey;
use roastery_frost::hash::tagged_hash;
use roastery_frost::{
    GroupKeys, MaybeScalar, Point, Scalar, Seat, SecretShare, Signature, danger_trusted_dealer,
};
use secp::G;
use zeroize::Zeroizing;

use crate::behaviour::support::{Run, TestRng, seat};

/// 32 bytes that differ for every purpose and number.
pub(crate) fn bytes(purpose: &str, number: usize) -> [u8; 32] {
    tagged_hash(purpose, &[&(number as u64).to_be_bytes()])
}

pub(crate) fn scalar(value: usize) -> Scalar {
    MaybeScalar::from(value as u128).unwrap()
}

pub(crate) fn hash_scalar(tag: &str, parts: &[&[u8]]) -> Scalar {
    MaybeScalar::reduce_from(&tagged_hash(tag, parts)).unwrap()
}

/// The keys and all shares of a group.
pub(crate) struct Group {
    pub(crate) keys: GroupKeys,
    pub(crate) shares: Vec<SecretShare>,
}

impl Group {
    pub(crate) fn new(t: usize, n: usize) -> Group {
        let (keys, shares) =
            danger_trusted_dealer::deal(t, n, &mut TestRng::new((1000 * t + n) as u64)).unwrap();
        Group { keys, shares }
    }

    pub(crate) fn scalar(&self, index: usize) -> Scalar {
        Scalar::from_slice(self.shares[index].expose_bytes().as_slice()).unwrap()
    }

    /// The secret that these seats' shares interpolate to at zero.
    pub(crate) fn secret(&self, seats: &[usize]) -> MaybeScalar {
        let points: Vec<_> = seats.iter().map(|&i| (i + 1, self.scalar(i))).collect();
        interpolate(&points)
    }

    /// The group whose polynomial is this one's and `polynomial` together.
    pub(crate) fn plus(&self, polynomial: &[MaybeScalar]) -> Group {
        let value = |x: usize| {
            let terms = polynomial.iter().rev();
            terms.fold(MaybeScalar::Zero, |value, &a| value * scalar(x) + a)
        };
        let share = |i: usize| {
            let share = (self.scalar(i) + value(i + 1)).unwrap();
            SecretShare::from_bytes(Zeroizing::new(share.serialize())).unwrap()
        };
        let shares: Vec<SecretShare> = (0..self.shares.len()).map(share).collect();
        let key = self.keys.threshold_public_key() + polynomial[0] * G;
        let public_shares = shares.iter().map(SecretShare::public_share).collect();
        let t = self.keys.threshold();
        Group { keys: GroupKeys::new(t, key.unwrap(), public_shares).unwrap(), shares }
    }

    /// A signature by these seats, which must verify, under the key with all tweaks.
    pub(crate) fn sign(
        &self,
        seats: &[Seat],
        tweaks: &roastery_frost::TweakContext,
        message: &[u8],
    ) -> Signature {
        let mut rng = TestRng::new(9);
        let run = Run::new(&self.keys, &self.shares, seats, tweaks, message, &mut rng);
        run.session.aggregate_verified(&run.psigs).unwrap()
    }
}

/// The value at zero of the polynomial through points with distinct `x`.
pub(crate) fn interpolate(points: &[(usize, Scalar)]) -> MaybeScalar {
    let term =
        |&(x, y): &(usize, Scalar)| y * weight(&points.iter().map(|p| p.0).collect::<Vec<_>>(), x);
    points.iter().map(|point| MaybeScalar::from(term(point))).sum()
}

/// The interpolating value at zero of `x` among `all`.
pub(crate) fn weight(all: &[usize], x: usize) -> Scalar {
    let others = all.iter().filter(|&&other| other != x);
    others.fold(scalar(1), |product, &other| {
        let difference = scalar(other.abs_diff(x)).invert();
        product * scalar(other) * if other < x { -difference } else { difference }
    })
}

/// A plan with the new members' host keys.
pub(crate) struct Change {
    pub(crate) params: ChangeParams,
    pub(crate) keys: Vec<HostSecretKey>,
}

pub(crate) fn host_keys(plan: usize, n: usize) -> Vec<HostSecretKey> {
    let key = |j| bytes("host key", 1000 * plan + j);
    (0..n).map(|j| HostSecretKey::from_bytes(Zeroizing::new(key(j))).unwrap()).collect()
}

pub(crate) fn hostpubkeys(keys: &[HostSecretKey]) -> Vec<[u8; 33]> {
    keys.iter().map(HostSecretKey::hostpubkey_gen).collect()
}

impl Change {
    pub(crate) fn new(plan: usize, old: &Group, t: usize, n: usize) -> Change {
        Change::without(plan, old, &[], t, n)
    }

    pub(crate) fn without(
        plan: usize,
        old: &Group,
        excluded: &[Seat],
        t: usize,
        n: usize,
    ) -> Change {
        let keys = host_keys(plan, n);
        let plan = bytes("plan", plan);
        let params = ChangeParams::new(plan, &old.keys, excluded, hostpubkeys(&keys), t).unwrap();
        Change { params, keys }
    }

    pub(crate) fn deal(&self, old: &Group, dealer: usize) -> Dealing {
        let aux = bytes("aux of a dealer", dealer);
        let dealing = deal(&self.params, seat(dealer as u32), &old.shares[dealer], &aux).unwrap();
        self.parse(dealer, &dealing.to_bytes())
    }

    pub(crate) fn parse(&self, dealer: usize, bytes: &[u8]) -> Dealing {
        Dealing::parse(&self.params, seat(dealer as u32), bytes).unwrap()
    }

    pub(crate) fn deal_all(&self, old: &Group, dealers: &[usize]) -> Vec<Dealing> {
        dealers.iter().map(|&dealer| self.deal(old, dealer)).collect()
    }

    pub(crate) fn transcript(&self, dealings: &[Dealing]) -> Transcript {
        Transcript::new(&self.params, &dealings.iter().collect::<Vec<_>>()).unwrap()
    }

    pub(crate) fn open_all(&self, member: usize, dealings: &[Dealing]) -> Vec<DealtShare> {
        dealings.iter().map(|dealing| open(&self.keys[member], dealing).unwrap()).collect()
    }

    /// What each new member takes and signs.
    pub(crate) fn take_all(
        &self,
        dealings: &[Dealing],
    ) -> (Transcript, Vec<(ChangeOutput, Signature)>) {
        let transcript = self.transcript(dealings);
        let takes = self.keys.iter().enumerate().map(|(member, key)| {
            let dealt = self.open_all(member, dealings);
            take(key, &transcript, &dealt, &bytes("aux of a member", member)).unwrap()
        });
        let takes = takes.collect();
        (transcript, takes)
    }

    /// The whole change with dealings of these dealers.
    pub(crate) fn run(&self, old: &Group, dealers: &[usize]) -> (Group, Certificate) {
        self.run_with(&self.deal_all(old, dealers))
    }

    pub(crate) fn run_with(&self, dealings: &[Dealing]) -> (Group, Certificate) {
        let (transcript, takes) = self.take_all(dealings);
        let (outputs, signatures): (Vec<_>, Vec<_>) = takes.into_iter().unzip();
        let keys = transcript.group().clone();
        let certificate = Certificate::new(transcript, signatures).unwrap();
        let shares = outputs.into_iter().map(|output| output.into_parts().0).collect();
        (Group { keys, shares }, certificate)
    }
}

/// A dealer that follows the specification in its own code, and any of whose values can be
/// replaced.
pub(crate) struct Forger {
    pub(crate) dealer: usize,
    /// What it signs its dealing with.
    pub(crate) share: Scalar,
    /// The polynomial, from the constant term upwards.
    pub(crate) polynomial: Vec<MaybeScalar>,
    pub(crate) secnonce: Scalar,
}

impl Forger {
    /// One that deals as an honest dealer does.
    pub(crate) fn new(change: &Change, old: &Group, dealer: usize) -> Forger {
        let (share, index) = (old.scalar(dealer), (dealer as u16).to_le_bytes());
        let parts: [&[u8]; 3] = [&share.serialize(), change.params.plan(), &index];
        let seed = tagged_hash("roastery/1/change/seed", &parts);
        let above = (1..change.params.t() as u16).map(|k| {
            hash_scalar("roastery/1/change/coefficient", &[&seed, &k.to_le_bytes()]).into()
        });
        let polynomial = [share.into()].into_iter().chain(above).collect();
        let secnonce = hash_scalar("roastery/1/change/nonce", &[&seed]);
        Forger { dealer, share, polynomial, secnonce }
    }

    pub(crate) fn nonce(&self) -> Point {
        self.secnonce * G
    }

    pub(crate) fn value(&self, x: usize) -> MaybeScalar {
        let x = scalar(x);
        self.polynomial.iter().rev().fold(MaybeScalar::Zero, |value, &a| value * x + a)
    }

    pub(crate) fn pad(&self, params: &ChangeParams, receiver: usize) -> MaybeScalar {
        let key = params.hostpubkeys()[receiver];
        let shared = roastery_frost::decode_point(&key).unwrap() * self.secnonce;
        let (dealer, index) = ((self.dealer as u16).to_le_bytes(), (receiver as u16).to_le_bytes());
        let nonce = self.nonce().serialize();
        let parts: [&[u8]; 6] = [&shared.serialize(), params.plan(), &dealer, &nonce, &key, &index];
        MaybeScalar::reduce_from(&tagged_hash("roastery/1/change/pad", &parts))
    }

    /// The encrypted shares.
    pub(crate) fn enc_shares(&self, params: &ChangeParams) -> Vec<MaybeScalar> {
        (0..params.n()).map(|j| self.value(j + 1) + self.pad(params, j)).collect()
    }

    /// The commitments to all coefficients but the constant one.
    pub(crate) fn commitments(&self) -> Vec<u8> {
        self.polynomial[1..].iter().flat_map(|&a| (a * G).serialize()).collect()
    }

    pub(crate) fn content(&self, params: &ChangeParams) -> Vec<u8> {
        let enc_shares = self.enc_shares(params);
        let enc_shares = enc_shares.iter().flat_map(|c| c.serialize());
        self.commitments().into_iter().chain(enc_shares).collect()
    }

    /// The dealing with this content, signed.
    pub(crate) fn seal(&self, plan: &[u8; 32], content: &[u8]) -> Vec<u8> {
        let nonce = self.nonce().serialize();
        self.seal_with_nonce(plan, &nonce, content)
    }

    pub(crate) fn seal_with_nonce(
        &self,
        plan: &[u8; 32],
        nonce: &[u8; 33],
        content: &[u8],
    ) -> Vec<u8> {
        let length = (content.len() as u32).to_le_bytes();
        let digest = tagged_hash("roastery/1/change/content", &[&length, content]);
        let dealer = (self.dealer as u16).to_le_bytes();
        let head = tagged_hash("roastery/1/change/dealing", &[plan, &dealer, nonce, &digest]);
        let signature = sign_with_share(self.share, &head);
        [nonce.as_slice(), content, &signature].concat()
    }

    pub(crate) fn deal(&self, change: &Change) -> Dealing {
        let content = self.content(&change.params);
        change.parse(self.dealer, &self.seal(change.params.plan(), &content))
    }
}

/// BIP-340 under the tag of a dealing's challenge, with a nonce of its own.
pub(crate) fn sign_with_share(share: Scalar, message: &[u8; 32]) -> [u8; 64] {
    let even = |secret: Scalar| if (secret * G).has_even_y() { secret } else { -secret };
    let d = even(share);
    let k = even(hash_scalar("nonce of a forger", &[&d.serialize(), message]));
    let (r, p) = ((k * G).serialize_xonly(), (d * G).serialize_xonly());
    let e = hash_scalar("roastery/1/change/dealing/challenge", &[&r, &p, message]);
    let s = k + e * d;
    [r, s.serialize()].concat().try_into().unwrap()
}
