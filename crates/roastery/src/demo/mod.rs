//! `roastery demo`: a group of nodes in this process signs, and each step is shown.

mod engine;
mod group;
mod live;
mod options;
mod order;
mod outcome;
mod policy;
mod show;
mod signing;
mod spend;

use std::{error::Error, io::Write, path::Path, process::ExitCode};

use bitcoin::secp256k1;
use roastery_frost::{Signature, XOnlyPublicKey};
use roastery_protocol::{group::Group, request::MessageToSign};
use roastery_service::files::{Access, Folder, write_secrets};
use serde::Serialize;

pub(crate) use self::options::Options;
use self::{
    group::{KeyOrigin, Keygen, Made},
    options::Settings,
    outcome::{Finished, Unfinished},
    show::Show,
    spend::Spend,
};
use crate::output;

/// Runs the demo; the exit status is the program's.
pub(crate) fn run(options: &Options) -> ExitCode {
    if options.console {
        return live::run(options.time);
    }
    let plan = match options.plan() {
        Ok(plan) => plan,
        Err(line) => return output::error(&line),
    };
    match sign(&plan) {
        Ok(code) => code,
        Err(error) => {
            output::error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// What `--json` prints. Keys, messages and signatures in hexadecimal.
#[derive(Serialize)]
struct Summary {
    /// X-only, after all tweaks.
    threshold_public_key: String,
    messages: Vec<String>,
    signatures: Vec<String>,
    /// The seats whose shares make the signatures, ascending.
    signers: Vec<u16>,
    coordinator: u16,
    /// From the first message of key generation to the last member that held the certificate;
    /// absent with a dealer.
    keygen_ms: Option<f64>,
    /// From the request to the first node that held the signatures.
    elapsed_ms: f64,
    /// The number of seats that could coordinate by then.
    coordinators: usize,
}

fn sign(plan: &Settings) -> Result<ExitCode, Box<dyn Error>> {
    let show = Show::new(plan);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    show.stage(&format!(
        "making the key: each of {} members checks what all others send",
        plan.signers
    ));
    let made = runtime.block_on(group::make(plan.signers, plan.threshold, plan.dealer))?;
    show.stage("signing");
    let Made { group, nodes, origin } = made;
    show.origin(&origin);
    let key = plan.derivation.tweaks(&group)?.x_only_public_key();
    show.key(&key);
    let spend = plan.messages.is_empty().then(|| Spend::of(&key));
    let messages = match &spend {
        Some(spend) => vec![spend.signature_hash()?],
        None => plan.messages.clone(),
    };
    show.messages(&messages, spend.is_some());
    let to_sign: Vec<MessageToSign> = messages
        .iter()
        .map(|message| MessageToSign { message: *message, derivation: plan.derivation.clone() })
        .collect();
    let finished = match runtime.block_on(signing::sign(&group, nodes, to_sign, plan, &show))? {
        Ok(finished) => finished,
        Err(unfinished) => return Ok(give_up(&unfinished)),
    };
    for (message, signature) in messages.iter().zip(&finished.signatures) {
        verify_independently(&key, message, signature)?;
    }
    let spent = match (&spend, finished.signatures.first()) {
        (Some(spend), Some(signature)) => {
            let transaction = spend.signed(signature)?;
            spend
                .verify(&transaction)
                .map_err(|error| format!("consensus code says: {error:?}"))?;
            Some(transaction)
        }
        _ => None,
    };
    if let (Some(folder), KeyOrigin::Keygen(keygen)) = (&plan.recovery, &origin) {
        write_recovery(folder, keygen)?;
    }
    if let Some(folder) = &plan.evidence {
        write_evidence(folder, &group, &finished)?;
    }
    if plan.json {
        print_json(&key, &messages, (&origin, &finished))?;
    } else {
        show.end(&key, &finished, spent.as_ref(), plan.evidence.as_deref());
    }
    Ok(ExitCode::SUCCESS)
}

/// BIP-340 by libsecp256k1 alone, from bytes: no code of this project takes part.
fn verify_independently(
    key: &XOnlyPublicKey,
    message: &[u8; 32],
    signature: &Signature,
) -> Result<(), secp256k1::Error> {
    let key = secp256k1::XOnlyPublicKey::from_slice(&key.to_bytes())?;
    let signature = secp256k1::schnorr::Signature::from_slice(&signature.to_bytes())?;
    let message = secp256k1::Message::from_digest(*message);
    secp256k1::Secp256k1::verification_only().verify_schnorr(&signature, &message, &key)
}

/// Writes the group file and each proof, as `roastery evidence verify` reads them.
fn write_evidence(folder: &Path, group: &Group, finished: &Finished) -> Result<(), Box<dyn Error>> {
    let write = |name: &str, bytes: Vec<u8>| {
        let path = folder.join(name);
        Folder::replace(&path, &bytes, Access::Everyone)
    };
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    write("group.roastery", group.encode())?;
    for (finding, proof) in &finished.proofs {
        write(&format!("proof-against-seat-{}.roastery", finding.accused), proof.encode())?;
    }
    Ok(())
}

/// Writes the recovery file, and each member's host key, as `roastery recover` reads them. Only a
/// demo has all host keys in one place.
fn write_recovery(folder: &Path, keygen: &Keygen) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let path = folder.join("recovery.roastery");
    Folder::replace(&path, &keygen.file.encode(), Access::Everyone)?;
    for (seat, key) in keygen.host_keys.iter().enumerate() {
        let path = folder.join(format!("host-key-of-seat-{seat}"));
        write_secrets(&path, std::slice::from_ref(key))?;
    }
    Ok(())
}

fn print_json(
    key: &XOnlyPublicKey,
    messages: &[[u8; 32]],
    (origin, finished): (&KeyOrigin, &Finished),
) -> Result<(), Box<dyn Error>> {
    use bitcoin::hex::DisplayHex as _;
    let summary = Summary {
        threshold_public_key: key.to_string(),
        messages: messages.iter().map(|message| message.to_lower_hex_string()).collect(),
        signatures: finished.signatures.iter().map(ToString::to_string).collect(),
        signers: finished.origin.signers.iter().map(|seat| seat.to_u16()).collect(),
        coordinator: finished.origin.coordinator.to_u16(),
        keygen_ms: match origin {
            KeyOrigin::Keygen(keygen) => Some(milliseconds(keygen.times.last)),
            KeyOrigin::Dealer => None,
        },
        elapsed_ms: milliseconds(finished.first),
        coordinators: finished.coordinators,
    };
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &summary)?;
    writeln!(out)?;
    Ok(())
}

fn milliseconds(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn give_up(unfinished: &Unfinished) -> ExitCode {
    output::remark(&format!("no signature: {}", unfinished.reason));
    for line in show::awaited(&unfinished.reports) {
        output::remark(&format!("  {line}"));
    }
    ExitCode::FAILURE
}
