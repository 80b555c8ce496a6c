//! Kinds of frames and events of signing in words, for people who read a trace.

use roastery_protocol::member::{frame::Kind, machine::Event};

/// The name of a kind, for tables.
pub fn kind(kind: Kind) -> &'static str {
    use roastery_protocol::member::frame::{ControlKind, StatementKind};
    match kind {
        Kind::Statement(StatementKind::Proposal) => "proposal",
        Kind::Statement(StatementKind::SigningPackage) => "package",
        Kind::Statement(StatementKind::SignatureShare) => "share",
        Kind::Statement(StatementKind::Signature) => "signature",
        Kind::Statement(StatementKind::Refusal) => "refusal",
        Kind::Statement(StatementKind::Evidence) => "evidence",
        Kind::Control(ControlKind::Slots) => "slots",
        Kind::Control(ControlKind::Ready) => "ready",
        Kind::Control(ControlKind::Want) => "want",
        Kind::Control(ControlKind::Nonces) => "nonces",
    }
}

/// An event in words.
pub fn event(event: &Event) -> String {
    match event {
        Event::Reigning { run, .. } => format!("coordinates from now on, run {run}"),
        Event::PackageIssued { run, number, signers, .. } => {
            let seats: Vec<String> = signers.iter().map(|seat| seat.to_string()).collect();
            format!("issues package {number} of run {run} to {}", seats.join(", "))
        }
        Event::ShareReleased { package, .. } => format!("gives a share for package {package:#}"),
        Event::Proven { fault, .. } => {
            format!("has a proof against seat {}: {}", fault.accused, fault.fault)
        }
        Event::Refused { seat, reason, .. } => format!("hears that seat {seat} refuses: {reason}"),
        Event::Signed(outcome) => format!("HAS THE SIGNATURES, by package {:#}", outcome.package),
        Event::Stopped { reason, .. } => format!("STOPS: {reason}"),
        other => format!("{other:?}"),
    }
}
