use secp::{MaybePoint, MaybeScalar, Point, Scalar};
use secp256k1::{
    Message, Secp256k1,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use std::hint::black_box;
use std::time::Instant;
fn time<T>(name: &str, mut f: impl FnMut() -> T) {
    let mut v = vec![];
    for _ in 0..200 {
        let s = Instant::now();
        for _ in 0..5 {
            black_box(f());
        }
        v.push(s.elapsed().as_secs_f64() * 1e6 / 5.0);
    }
    v.sort_by(f64::total_cmp);
    println!("{name:30} {:.2} min {:.2}", v[100], v[0]);
}
fn main() {
    let secp = Secp256k1::new();
    let a = MaybeScalar::reduce_from(&[0xa7; 32]).unwrap();
    let b = MaybeScalar::reduce_from(&[0x3b; 32]).unwrap();
    let p = MaybeScalar::reduce_from(&[0x77; 32]).unwrap().base_point_mul();
    let q = MaybeScalar::reduce_from(&[0x71; 32]).unwrap().base_point_mul();
    let dm = |p: Point, a: Scalar, g: Scalar| -> Point {
        let c = p.serialize();
        let r = Scalar::from_slice(&c[1..]).unwrap();
        let mut sig = [0u8; 64];
        sig[..32].copy_from_slice(&c[1..]);
        sig[32..].copy_from_slice(&(a * r).serialize());
        let z = (-(g * r)).serialize();
        let id = RecoveryId::try_from((c[0] & 1) as i32).unwrap();
        let s = RecoverableSignature::from_compact(&sig, id).unwrap();
        secp.recover_ecdsa(Message::from_digest(z), &s).unwrap().into()
    };
    assert_eq!(dm(p, a, b), (p * a + b.base_point_mul()).unwrap());
    for _ in 0..2 {
        time("G*k", || a.base_point_mul());
        time("P*k", || p * a);
        time("double recover", || dm(p, a, b));
        time("double separate", || p * a + b.base_point_mul());
        time("add_exp_tweak", || {
            secp256k1::PublicKey::from(p).add_exp_tweak(&secp, &b.into()).unwrap()
        });
        time("add", || p + q);
        time("sum4", || Point::sum([p, q, p, q]));
        time("neg", || -p);
        time("invert", || a.invert());
        time("smul", || a * b);
        time("eq", || p == q);
        time("parity", || p.has_odd_y());
        time("ser", || p.serialize());
        time("xonly", || p.serialize_xonly());
        time("u128", || MaybeScalar::from(0xfffffffffffffffffffffffffu128));
        time("maybesum inf", || MaybePoint::sum([MaybePoint::Valid(p), MaybePoint::Valid(-p)]));
        time("hash 300", || roastery_frost::hash::tagged_hash("BIP0445/noncecoef", &[&[0u8; 400]]));
    }

    let seats: Vec<_> = (0..67).map(|i| roastery_frost::Seat::new(i + i / 3).unwrap()).collect();
    let (g, shares) =
        roastery_frost::danger_trusted_dealer::deal(67, 100, &mut getrandom::SysRng).unwrap();
    use roastery_frost::*;
    let (sn, pn) = nonce_gen(&mut getrandom::SysRng, &Default::default()).unwrap();
    let b64 = danger::secret_nonce_to_bytes(&sn);
    let agg = nonce_agg([&pn, &nonce_gen(&mut getrandom::SysRng, &Default::default()).unwrap().1]);
    let tw = TweakContext::new(g.threshold_public_key());
    let sg = g.signers(&seats).unwrap();
    let ctx = SessionContext::new(&sg, &agg, &tw, &[7; 32]).unwrap();
    let ps = sign(sn, &shares[0], seats[0], &ctx).unwrap();
    for _ in 0..3 {
        time("P*k", || p * a);
        time("reduce", || MaybeScalar::reduce_from(&[0x55; 32]));
        time("from_slice", || MaybeScalar::from_slice(&[0x55; 32]));
        time("lambda", || sg.interpolating_value(seats[5]));
        time("neg scalar", || -a);
        time("add scalar", || a + b);
        time("agg to bytes", || agg.to_bytes());
        time("message", || std::sync::Arc::<[u8]>::from(&[1u8; 32][..]));
        time("signers", || g.signers(&seats).unwrap());
        time("signers+lambda", || g.signers(&seats).unwrap().interpolating_value(seats[3]));
        time("context", || SessionContext::new(&sg, &agg, &tw, &[7; 32]).unwrap());
        time("verify", || ctx.verify(&ps, &pn, seats[0]).unwrap());
        time("double recover", || dm(p, a, b));
        time("nonce from bytes", || danger::secret_nonce_from_bytes(&b64).unwrap());
        time("nonce from bytes+sign", || {
            sign(danger::secret_nonce_from_bytes(&b64).unwrap(), &shares[0], seats[0], &ctx)
                .unwrap()
        });
    }
}
