use std::{collections::BTreeMap, rc::Rc};

use roastery_frost::PartialSignature;
use roastery_protocol::{Attempt, BodyHash, Incarnation, Seat, SlotHash, message::SlotNonces};

use super::{Case, Invariant, MessageLog, ShareCheck, Statement, Violation};

/// Each nonce pair of an honest member answers at most one package, and every share that leaves it
/// is right.
#[derive(Debug)]
pub struct OneNonce {
    case: Rc<Case>,
    answered: BTreeMap<SlotHash, (BodyHash, Vec<PartialSignature>)>,
    shown: BTreeMap<(Seat, Attempt, Incarnation, u32), SlotNonces>,
}

impl OneNonce {
    /// Starts without a used nonce.
    pub fn new(case: Rc<Case>) -> Self {
        Self { case, answered: BTreeMap::new(), shown: BTreeMap::new() }
    }

    /// An honest member sends a message.
    pub fn said(
        &mut self,
        statement: &Statement,
        message_log: &MessageLog,
    ) -> Result<(), Violation> {
        let seat = statement.sender;
        if let Some((attempt, run, index, nonces)) = statement.slot() {
            let known = self.shown.entry((seat, attempt, run, index)).or_insert(nonces.clone());
            if *known != nonces {
                return Err(violation(format!(
                    "seat {seat} showed other nonces as slot {index} of attempt {attempt} before"
                )));
            }
        }
        let Some((_, share)) = statement.share() else { return Ok(()) };
        let Some(package) = message_log.package(share.package) else {
            return Err(violation(format!("seat {seat} answers a package that no member sent")));
        };
        let Some(slot) = package.content.slot_of(seat) else {
            return Err(violation(format!("seat {seat} answers a package that does not name it")));
        };
        let answer = (share.package, share.scalars.clone());
        let known = self.answered.entry(slot).or_insert(answer.clone());
        if *known != answer {
            return Err(violation(format!("seat {seat} answers twice with one slot")));
        }
        let Some(nonces) = message_log.nonces(slot).first() else {
            // The coordinator's own slot is sent to no member.
            return Ok(());
        };
        match self.case.check_share(&package.content, seat, nonces, share) {
            ShareCheck::Wrong => Err(violation(format!("seat {seat} released a wrong share"))),
            ShareCheck::Right | ShareCheck::Unknown => Ok(()),
        }
    }
}

fn violation(what: String) -> Violation {
    Violation::of(Invariant::OneNonceOneEquation, what)
}
