use std::{collections::BTreeSet, rc::Rc};

use roastery_protocol::Seat;

use super::{Answer, Case, Invariant, KnownPackage, MessageLog, ShareCheck, Statement, Violation};

/// What makes ROAST end (eprint 2022/550, section 4): in a run of an honest coordinator each
/// unfinished package has a signer that owes, or owes a right share, and is in no later one.
#[derive(Debug)]
pub struct Blockers {
    case: Rc<Case>,
}

impl Blockers {
    /// Starts without a package.
    pub fn new(case: Rc<Case>) -> Self {
        Self { case }
    }

    /// An honest member sends a message.
    pub fn said(
        &mut self,
        statement: &Statement,
        message_log: &MessageLog,
    ) -> Result<(), Violation> {
        let Some((attempt, package)) = statement.package() else { return Ok(()) };
        let most = self.case.group.most_packages();
        let all = message_log.packages_of(attempt, package.run);
        // It is itself the last one that was seen.
        let Some((_, earlier)) = all.split_last() else { return Ok(()) };
        let place = format!("package {} of attempt {attempt}", package.number);
        if usize::from(package.number) != earlier.len() || all.len() > most {
            return Err(violation(format!(
                "{place} is number {} of its run, which may have {most}",
                all.len()
            )));
        }
        let named: BTreeSet<_> = earlier.iter().flat_map(|one| &one.content.signers).collect();
        if let Some(entry) = package.signers.iter().find(|entry| named.contains(entry)) {
            return Err(violation(format!("{place} names a slot of seat {} again", entry.seat)));
        }
        for entry in &package.signers {
            for before in earlier.iter().filter(|one| one.content.slot_of(entry.seat).is_some()) {
                self.may_be_picked(entry.seat, before, message_log).map_err(|why| {
                    violation(format!("{place} picks seat {}, {why}", entry.seat))
                })?;
            }
        }
        Ok(())
    }

    fn may_be_picked(
        &self,
        seat: Seat,
        before: &KnownPackage,
        message_log: &MessageLog,
    ) -> Result<(), String> {
        let number = before.content.number;
        match message_log.answer(before, seat) {
            Answer::Own => {}
            Answer::Owed => return Err(format!("which owes a share for package {number}")),
            Answer::Came(share) => {
                if message_log.check(before, share) == ShareCheck::Wrong {
                    return Err(format!("whose share for package {number} is wrong"));
                }
            }
        }
        // All t shares are right and there is no signature: the nonces of the t cancel.
        match message_log.bad_answers(before) {
            Some(bad) if bad.is_empty() => {
                Err(format!("although package {number} failed with t right shares"))
            }
            _ => Ok(()),
        }
    }
}

fn violation(what: String) -> Violation {
    Violation::of(Invariant::Blockers, what)
}
