use std::collections::{BTreeMap, BTreeSet};

use roastery_protocol::{Seat, TranscriptHash, keygen::NodeKeygen};

use super::{Invariant, Participants, signatures::OneSignature};
use crate::{keygen::Node, violation::Violation};

/// All certificates that honest members ever hold are of one transcript, and each honest member has
/// signed it.
#[derive(Debug, Default)]
pub(super) struct OneCertificate {
    first: Option<(Seat, TranscriptHash)>,
    /// The last opening of each seat that was looked at.
    seen: BTreeMap<Seat, usize>,
}

impl OneCertificate {
    pub(super) fn step(
        &mut self,
        participants: &Participants,
        node: &Node,
        machine: &NodeKeygen,
        signatures: &OneSignature,
        faulty: &BTreeSet<Seat>,
    ) -> Result<(), Violation<Invariant>> {
        let Some(file) = machine.recovery_file() else { return Ok(()) };
        if self.seen.insert(node.seat, node.openings) == Some(node.openings) {
            return Ok(());
        }
        let seat = node.seat;
        let hash = participants.name_of(file.data().transcript().as_bytes());
        let (other, first) = *self.first.get_or_insert((seat, hash));
        if first != hash {
            return violation(format!(
                "honest seat {other} holds a certificate of {first:#} and seat {seat} of {hash:#}"
            ));
        }
        let honest = participants.seats().filter(|seat| !faulty.contains(seat));
        for member in honest {
            // A signature may never have left its node as a message: its own certificate carries
            // it.
            let is_own = participants.node_of(member) == seat;
            let signed = signatures.of(member).or(is_own.then_some(hash));
            if signed != Some(hash) {
                return violation(format!(
                    "seat {seat} holds a certificate of {hash:#}; honest seat {member} has not signed it"
                ));
            }
        }
        Ok(())
    }
}

fn violation(what: String) -> Result<(), Violation<Invariant>> {
    Err(Violation::of(Invariant::OneCertificate, what))
}
