//! Sessions in which one member's cryptography is `btclib-ecc`, another implementation of BIP-445,
//! in a subprocess (`scripts/btclib-ecc` runs it): random groups, signers, messages and tweaks. As
//! a signer it draws its nonce and signs, as an aggregator it does all that the coordinator does,
//! and everything that both compute must be equal, also which share is wrong.
//!
//! ```sh
//! cargo run -p roastery-frost --example btclib_ecc -- 200 python3 scripts/btclib_member.py
//! ```

use std::{
    error::Error,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use getrandom::SysRng;
use rand_core::{Rng as _, TryRng as _, UnwrapErr};
use roastery_frost::{
    NonceGenInputs, PartialSignature, PublicNonce, Seat, SessionContext, Tweak, TweakContext,
    danger::{nonce_gen_with, secret_nonce_to_bytes},
    danger_trusted_dealer::deal,
    nonce_agg, sign,
};
use serde::Serialize;
use serde_json::{Value, json};

type Failure = Box<dyn Error>;

/// The other implementation: a question and an answer of one line of JSON each.
struct Other {
    _child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Other {
    fn start(command: &[String]) -> Result<Self, Failure> {
        let (program, arguments) = command.split_first().ok_or("no command of btclib-ecc")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = child.stdin.take().ok_or("no standard input")?;
        let answers = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        Ok(Self { _child: child, questions, answers })
    }

    fn ask(&mut self, question: &impl Serialize) -> Result<Value, Failure> {
        writeln!(self.questions, "{}", serde_json::to_string(question)?)?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes<const N: usize>(value: &Value) -> Result<[u8; N], Failure> {
    let text = value.as_str().ok_or_else(|| format!("{value} is no text"))?;
    let digits = (0..text.len()).step_by(2).map(|at| text.get(at..at + 2).ok_or("odd digits"));
    let bytes: Vec<u8> = digits
        .map(|pair| Ok::<_, Failure>(u8::from_str_radix(pair?, 16)?))
        .collect::<Result<_, _>>()?;
    bytes.try_into().map_err(|_| format!("{value} has not {N} bytes").into())
}

fn below(most: usize) -> usize {
    let drawn = usize::try_from(UnwrapErr(SysRng).next_u32()).unwrap_or(0);
    drawn % most
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes)
}

fn same(what: &str, ours: &str, theirs: &Value) -> Result<(), Failure> {
    match theirs.as_str() == Some(ours) {
        true => Ok(()),
        false => Err(format!("{what}: {ours} here, and {theirs} of btclib-ecc").into()),
    }
}

/// One session. Returns how many tweaks it had.
fn session(other: &mut Other) -> Result<usize, Failure> {
    let n = 2 + below(6);
    let t = 1 + below(n);
    let (group, shares) = deal(t, n, &mut SysRng)?;
    let mut ids: Vec<u32> = (0..u32::try_from(n)?).collect();
    for at in (1..n).rev() {
        ids.swap(at, below(at + 1));
    }
    ids.truncate(t + below(n - t + 1));
    let seats: Vec<Seat> = ids.iter().map(|id| Seat::new(*id)).collect::<Result<_, _>>()?;
    let message = random::<64>()?[..below(65)].to_vec();
    let mut context = TweakContext::new(group.threshold_public_key());
    let mut tweaks = Vec::new();
    for _ in 0..below(4) {
        let (tweak, x_only) = (random::<32>()?, below(2) == 0);
        context = context.apply(&if x_only { Tweak::XOnly(tweak) } else { Tweak::Plain(tweak) })?;
        tweaks.push((hex(&tweak), x_only));
    }
    let share = |seat: Seat| &shares[seat.index()];
    let key = context.x_only_public_key().to_bytes();

    // The first of the signers is the other implementation.
    let theirs = seats[0];
    let (drawn, extra_in) = (random::<32>()?, random::<40>()?[..below(41)].to_vec());
    let public_share = share(theirs).public_share().serialize();
    let inputs = NonceGenInputs {
        secret_share: Some(share(theirs)),
        seat: Some(theirs),
        public_share: Some(&public_share),
        threshold_public_key: Some(&key),
        message: Some(&message),
        extra_in: Some(&extra_in),
    };
    let (secret, public) = nonce_gen_with(&drawn, &inputs)?;
    let answer = other.ask(&json!({
        "do": "nonce", "rand": hex(&drawn), "secshare": hex(&*share(theirs).expose_bytes()),
        "id": ids[0], "pubshare": hex(&public_share), "key": hex(&key), "msg": hex(&message),
        "extra_in": hex(&extra_in),
    }))?;
    let secret_bytes = secret_nonce_to_bytes(&secret);
    same("secnonce", &hex(&*secret_bytes), &answer["secnonce"])?;
    same("pubnonce", &hex(&public.to_bytes()), &answer["pubnonce"])?;

    let mut nonces = vec![PublicNonce::from_bytes(&bytes(&answer["pubnonce"])?)?];
    let mut secrets = vec![secret];
    for seat in &seats[1..] {
        let inputs = NonceGenInputs {
            secret_share: Some(share(*seat)),
            seat: Some(*seat),
            message: Some(&message),
            ..NonceGenInputs::default()
        };
        let (secret, public) = nonce_gen_with(&random()?, &inputs)?;
        secrets.push(secret);
        nonces.push(public);
    }
    let aggregate = nonce_agg(&nonces);
    let session = SessionContext::new(&group.signers(&seats)?, &aggregate, &context, &message)?;
    let psigs: Vec<PartialSignature> = secrets
        .into_iter()
        .zip(&seats)
        .map(|(secret, seat)| sign(secret, share(*seat), *seat, &session))
        .collect::<Result<_, _>>()?;
    let signature = session.aggregate_verified(&psigs)?;
    let about = json!({
        "n": n, "t": t, "ids": ids,
        "pubshares": seats.iter().map(|seat| hex(&share(*seat).public_share().serialize())).collect::<Vec<_>>(),
        "thresh_pk": hex(&group.threshold_public_key().serialize()),
        "tweaks": tweaks.iter().map(|(tweak, _)| tweak).collect::<Vec<_>>(),
        "is_xonly": tweaks.iter().map(|(_, x_only)| x_only).collect::<Vec<_>>(),
        "pubnonces": nonces.iter().map(|nonce| hex(&nonce.to_bytes())).collect::<Vec<_>>(),
        "msg": hex(&message), "secnonce": hex(&*secret_bytes),
        "secshare": hex(&*share(theirs).expose_bytes()),
    });
    let of = |psigs: &[PartialSignature], what: &str| {
        let mut question = about.clone();
        question["do"] = json!(what);
        question["psigs"] = psigs.iter().map(|psig| hex(&psig.to_bytes())).collect();
        question
    };
    let answer = other.ask(&of(&psigs, "sign"))?;
    same("aggnonce", &hex(&aggregate.to_bytes()), &answer["aggnonce"])?;
    same("key", &hex(&key), &answer["key"])?;
    same("psig", &hex(&psigs[0].to_bytes()), &answer["psig"])?;
    same("signature", &hex(&signature.to_bytes()), &answer["signature"])?;
    if answer["wrong"] != json!([]) {
        return Err(format!("right shares are blamed: {answer}").into());
    }
    blamed_alike(other, &of, &psigs, (&session, &nonces, &seats))?;
    Ok(tweaks.len())
}

/// One share is that of another signature: both name the same signer.
fn blamed_alike(
    other: &mut Other,
    of: &impl Fn(&[PartialSignature], &str) -> Value,
    right: &[PartialSignature],
    (session, nonces, seats): (&SessionContext, &[PublicNonce], &[Seat]),
) -> Result<(), Failure> {
    let mut psigs = right.to_vec();
    let at = below(psigs.len());
    let mut wrong = psigs[at].to_bytes();
    wrong[31] ^= 1;
    psigs[at] = PartialSignature::from_bytes(&wrong)?;
    let refused: Vec<usize> = (0..psigs.len())
        .filter(|at| session.verify(&psigs[*at], &nonces[*at], seats[*at]).is_err())
        .collect();
    if refused != [at] || session.aggregate_verified(&psigs).is_ok() {
        return Err(format!("the share of signer {at} is wrong, and {refused:?} are blamed").into());
    }
    let answer = other.ask(&of(&psigs, "judge"))?;
    match answer["wrong"] == json!([at]) {
        true => Ok(()),
        false => Err(format!("signer {at} is blamed here, and {} there", answer["wrong"]).into()),
    }
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (runs, command) = arguments.split_first().ok_or("usage: RUNS COMMAND...")?;
    let mut other = Other::start(command)?;
    let runs: usize = runs.parse()?;
    let mut tweaks = 0;
    for run in 0..runs {
        tweaks += session(&mut other).map_err(|error| format!("run {run}: {error}"))?;
    }
    println!(
        "{runs} sessions with {tweaks} tweaks: all values are equal, wrong shares are blamed alike"
    );
    Ok(())
}
