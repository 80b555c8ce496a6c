//! `roastery evidence`: a proof is a file that a third party checks offline.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use bitcoin::hex::DisplayHex as _;
use clap::Subcommand;
use roastery_protocol::{
    group::Group,
    member::{
        frame::{MAX_EVIDENCE_FRAME, Statement},
        proof::{Fault, Proof, Verdict},
    },
};

use crate::{
    files::{read, read_group},
    node::{self, At},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what a proof claims, and the messages in it, without verifying it
    Show {
        /// The proof
        file: std::path::PathBuf,
    },
    /// List the proofs that the node holds
    List(crate::node::EvidenceList),
    /// Verify proofs: exit status 0 if each proves its claim, 1 if not, 2 if a file cannot be read
    Verify {
        /// The group file
        #[arg(long)]
        group: std::path::PathBuf,
        /// The proofs
        #[arg(required = true)]
        files: Vec<std::path::PathBuf>,
    },
}

/// Runs the command; the exit status is the program's.
pub(crate) fn run(at: &At, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Show { file } => show(&file),
        Command::Verify { group, files } => verify(&read_group(&group)?, &files),
        Command::List(options) => Ok(node::run(at, node::Command::Evidence(options))),
    }
}

fn read_proof(path: &Path) -> anyhow::Result<Proof> {
    let bytes = read(path, MAX_EVIDENCE_FRAME)?;
    Proof::decode(&bytes).with_context(|| path.display().to_string())
}

fn show(path: &Path) -> anyhow::Result<ExitCode> {
    let proof = read_proof(path)?;
    let request = proof.request();
    say!("Claim         {} by seat {}", proof.fault().kind(), accused(&proof));
    say!("Proof         {}", proof.id());
    say!("Group         {}", request.group());
    say!("Session       {}", request.session_id());
    for (number, message) in request.messages().iter().enumerate() {
        say!("Message {number:<5} {}", message.message.to_lower_hex_string());
    }
    for statement in statements(proof.fault()) {
        say!(
            "Said          by seat {}: {:?}, {} bytes, {}",
            statement.header().sender,
            statement.kind(),
            statement.as_bytes().len(),
            statement.body_hash()
        );
    }
    if let Fault::InvalidShare { message, .. } = proof.fault() {
        say!("Fails         the equation of message {message}");
    }
    say!("\nThis is what it claims; roastery evidence verify says whether it is so.");
    Ok(ExitCode::SUCCESS)
}

/// All files are read before any result is printed.
fn verify(group: &Group, paths: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let proofs: Vec<Proof> = paths.iter().map(|path| read_proof(path)).collect::<Result<_, _>>()?;
    let mut all = true;
    for (path, proof) in paths.iter().zip(&proofs) {
        if proofs.len() > 1 {
            say!("{}", path.display());
        }
        all &= is_valid(group, proof);
    }
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints whether a proof proves its claim.
fn is_valid(group: &Group, proof: &Proof) -> bool {
    let claim = format!("{} by seat {}", proof.fault().kind(), accused(proof));
    match proof.verify(group) {
        Verdict::Invalid(finding) => {
            say!(
                "proven: {} by seat {} in session {}",
                finding.fault,
                finding.accused,
                finding.session
            );
            say!("        {}", meaning(proof.fault()));
            true
        }
        Verdict::Valid => {
            say!("not proven: {claim}: what the accused said is valid");
            false
        }
        Verdict::Indeterminate(reason) => {
            say!("not proven: {claim}: {reason}");
            false
        }
    }
}

fn accused(proof: &Proof) -> u16 {
    proof.fault().accused_statement().header().sender
}

fn statements(fault: &Fault) -> Vec<&Statement> {
    match fault {
        Fault::PackageConflict { first, second }
        | Fault::SlotAssignedTwice { first, second }
        | Fault::ShareConflict { first, second } => vec![first, second],
        Fault::WrongAggregateNonce { package, .. } => vec![package],
        Fault::InvalidShare { package, share, .. } => vec![package, share],
        Fault::MalformedMessage { message } => vec![message],
    }
}

fn meaning(fault: &Fault) -> &'static str {
    match fault {
        Fault::PackageConflict { .. } => "it signed two different packages of one run and number",
        Fault::SlotAssignedTwice { .. } => {
            "it named one slot of one signer in two packages of a run"
        }
        Fault::WrongAggregateNonce { .. } => {
            "the aggregate nonce that it signed is not the sum of the nonces that it named"
        }
        Fault::ShareConflict { .. } => {
            "it signed two shares with different scalars for one package"
        }
        Fault::InvalidShare { .. } => {
            "the share that it signed does not fit its own nonces and public share"
        }
        Fault::MalformedMessage { .. } => {
            "it signed a message that breaks a structural rule of its version"
        }
    }
}
