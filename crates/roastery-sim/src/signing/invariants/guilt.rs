use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use roastery_protocol::{
    BodyHash, Seat, SessionId,
    member::{
        Run,
        frame::{Content, SigningPackage, StatementKind},
        machine::Event,
    },
};

use super::{Case, Found, Heard, Invariant, Read};
use crate::{
    signing::Node,
    violation::Violation,
    world::{Injection, Packet},
};

/// A node that has been given something provable has a proof after that step, whatever follows: two
/// packages of one run and number, two of one run that name one slot, two shares for one package, a
/// malformed statement. Packages are kept of a coordinator's first and two newest runs.
#[derive(Debug)]
pub(super) struct Guilt {
    case: Rc<Case>,
    /// What each node holds, by node and session.
    held: BTreeMap<(Seat, SessionId), Held>,
    /// The faults that nodes must have proven after the step: by node and session.
    due: BTreeMap<(Seat, SessionId), BTreeSet<(Seat, &'static str)>>,
    proven: BTreeSet<(Seat, Seat)>,
}

#[derive(Debug, Default)]
struct Held {
    packages: BTreeMap<Seat, BTreeMap<Run, Vec<(BodyHash, SigningPackage)>>>,
    first: BTreeMap<Seat, Run>,
    shares: BTreeMap<(Seat, BodyHash), Vec<Vec<u8>>>,
}

impl Guilt {
    pub(super) fn new(case: Rc<Case>) -> Self {
        let (held, due, proven) = Default::default();
        Self { case, held, due, proven }
    }

    /// A frame is given to an honest node.
    pub(super) fn delivered(&mut self, node: &Node, _: &Packet, heard: &Heard) {
        let Read::Statement(session, statement, content) = &heard.read else { return };
        let is_running = node
            .machine()
            .is_some_and(|machine| machine.knows(*session) && machine.outcome(*session).is_none());
        let here = node.seat;
        if !is_running || self.case.node_of(heard.sender) == here {
            return;
        }
        if self.proven.contains(&(here, heard.sender)) {
            return;
        }
        let held = self.held.entry((here, *session)).or_default();
        let found = match content.as_deref() {
            Some(Content::SigningPackage(package)) => {
                held.package(heard.sender, statement.body_hash(), package)
            }
            Some(Content::SignatureShare(share)) => {
                let scalars = share.scalars.iter().flat_map(|scalar| scalar.to_bytes()).collect();
                held.share(heard.sender, share.package, scalars)
            }
            Some(_) => None,
            None => {
                let kinds = [
                    StatementKind::SigningPackage,
                    StatementKind::SignatureShare,
                    StatementKind::Signature,
                ];
                kinds.contains(&statement.kind()).then_some("a malformed statement")
            }
        };
        if let Some(what) = found {
            self.due.entry((here, *session)).or_default().insert((heard.sender, what));
        }
    }

    /// An honest node reports an event.
    pub(super) fn event(&mut self, at: Seat, event: &Event) {
        if let Event::Proven { fault, .. } = event {
            self.proven.insert((at, fault.accused));
        }
    }

    /// A node that crashes or gets an older memory forgets what it was given. Its proofs are
    /// stored, and it hears a member no more that is proven faulty.
    pub(super) fn injection<A>(&mut self, injection: &Injection<A>) {
        if let Injection::Crash(seat) | Injection::Restore(seat) = injection {
            self.held.retain(|(node, _), _| node != seat);
            self.due.retain(|(node, _), _| node != seat);
        }
    }

    /// A step of a node is over.
    pub(super) fn step(&mut self, node: &Node) -> Result<(), Found> {
        if self.due.is_empty() {
            return Ok(());
        }
        for ((here, _), due) in &self.due {
            let missing = due.iter().find(|(seat, _)| !self.proven.contains(&(*here, *seat)));
            if let Some((seat, what)) = missing.filter(|_| *here == node.seat) {
                let what =
                    format!("seat {here} was given {what} of seat {seat} and proves nothing");
                return Err(Violation::of(Invariant::GuiltIsFound, what));
            }
        }
        self.due.retain(|(here, _), _| *here != node.seat);
        Ok(())
    }
}

impl Held {
    /// Keeps a package. Gives what it proves together with an earlier one.
    fn package(
        &mut self,
        sender: Seat,
        hash: BodyHash,
        package: &SigningPackage,
    ) -> Option<&'static str> {
        let runs = self.packages.entry(sender).or_default();
        let first = *self.first.entry(sender).or_insert(package.run);
        let newer = runs.keys().filter(|run| **run > package.run).count();
        if newer >= 2 && package.run != first {
            // Of an older run than the two newest nothing is kept.
            return None;
        }
        let known = runs.entry(package.run).or_default();
        if known.iter().any(|(other, _)| *other == hash) {
            return None;
        }
        let slots: BTreeSet<_> = package.signers.iter().map(|one| (one.seat, one.hash)).collect();
        let found = known.iter().find_map(|(_, other)| {
            if other.number == package.number {
                return Some("two packages of one number");
            }
            let mut named = other.signers.iter();
            named
                .any(|one| slots.contains(&(one.seat, one.hash)))
                .then_some("two packages that name one slot")
        });
        known.push((hash, package.clone()));
        let newest: BTreeSet<Run> = runs.keys().rev().take(2).copied().collect();
        runs.retain(|run, _| *run == first || newest.contains(run));
        found
    }

    /// Keeps a share. Gives what it proves together with an earlier one.
    fn share(&mut self, sender: Seat, package: BodyHash, scalars: Vec<u8>) -> Option<&'static str> {
        let runs = self.packages.values().flatten().flat_map(|(_, packages)| packages);
        let is_known = runs.into_iter().any(|(hash, _)| *hash == package);
        let known = self.shares.entry((sender, package)).or_default();
        let is_second = !known.is_empty() && !known.contains(&scalars);
        known.push(scalars);
        (is_second && is_known).then_some("two shares for one package")
    }
}
