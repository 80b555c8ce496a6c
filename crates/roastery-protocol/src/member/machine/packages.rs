//! Packages of other coordinators as they arrive (sections 8, 9 and 10).
//!
//! What comes over its sender's own link is authentic for this node. The signature is checked where
//! the package names a seat of this node, is relayed, contradicts another one, or is passed on: a
//! node that is not asked to sign computes nothing for it.

use std::sync::Arc;

use roastery_frost::Seat;

use super::{
    Decline, Rejected,
    core::{Core, Reply},
    receiving::Via,
    session::{Given, Session},
};
use crate::{
    BodyHash,
    clock::Moment,
    member::{
        engine::{Arithmetic, Engine},
        frame::{Content, SigningPackage, Statement},
        proof::Fault,
        retained::PackageOutcome,
    },
};

impl<E: Engine, A: Arithmetic> Core<E, A> {
    pub(super) fn on_package(
        &mut self,
        session: &mut Session<A::Package>,
        sender: Seat,
        statement: Statement,
        package: SigningPackage,
        via: Via,
        now: Moment,
    ) -> Result<(), Rejected> {
        if session.is_over() {
            return Err(Rejected::Over);
        }
        // After the end what contradicts is looked for, and nothing else.
        let lingers = session.outcome().is_some();
        let names_own = self.own.iter().any(|own| package.entry_of(own.seat).is_some());
        let is_checked = !via.is_own || names_own;
        if is_checked && !statement.is_signed_by_its_sender(&self.group) {
            return Err(Rejected::NotSigned { sender });
        }
        if self.is_own(sender) && lingers {
            return Err(Rejected::Repeat);
        }
        if self.is_own(sender) {
            // This seat reigned in an incarnation that this node has forgotten, or in a clone.
            self.runs.go_beyond(package.run);
            let is_greater =
                session.turn.as_ref().is_some_and(|turn| turn.reign.run() < package.run);
            if is_greater {
                self.begin_run(session, now);
            }
            return Err(Rejected::Repeat);
        }
        let hash = statement.body_hash();
        let kept = session.retained.package(sender, statement, package, is_checked);
        if matches!(kept, PackageOutcome::New) || via.is_own {
            session.retained.package_brought(hash, via.seat);
        }
        match kept {
            PackageOutcome::New => {}
            PackageOutcome::Repeat if lingers => return Err(Rejected::Repeat),
            PackageOutcome::Repeat => {
                return self.on_repeated_package(session, sender, hash, via, now);
            }
            PackageOutcome::OldRun => {
                if via.is_own && !lingers {
                    self.show_newest_package(session, sender, now);
                }
                return Err(Rejected::Stale { sender });
            }
            PackageOutcome::Fault(fault) => {
                return self.on_contradiction(session, sender, *fault, via, now);
            }
        }
        session.questions.answered(hash);
        if lingers {
            return Ok(());
        }
        self.news(now);
        session.schedule.package_arrived(self.links.interval(), now.monotonic);
        for announcements in session.announcements.values_mut() {
            announcements.acknowledged(sender);
        }
        let answered = self.consider(session, sender, hash, now);
        if via.is_own {
            self.show_if_behind(session, sender, &answered, now);
        }
        self.try_to_complete(session, hash, via.seat, now)?;
        answered
    }

    /// A package contradicts one that is kept. It counts where both are their sender's; a kept one
    /// that is not gives its place away.
    fn on_contradiction(
        &mut self,
        session: &mut Session<A::Package>,
        sender: Seat,
        fault: Fault,
        via: Via,
        now: Moment,
    ) -> Result<(), Rejected> {
        let (Fault::PackageConflict { first, second } | Fault::SlotAssignedTwice { first, second }) =
            &fault
        else {
            return Err(Rejected::Repeat);
        };
        if !second.is_signed_by_its_sender(&self.group) {
            return Err(Rejected::NotSigned { sender });
        }
        if first.is_signed_by_its_sender(&self.group) {
            self.report(session, fault, now);
            return Err(Rejected::Conflict { sender });
        }
        session.retained.forget_package(first.body_hash());
        match session.shape.read(second) {
            Ok(Content::SigningPackage(package)) => {
                self.on_package(session, sender, second.clone(), package, via, now)
            }
            _ => Err(Rejected::Repeat),
        }
    }

    /// Whether a package that is kept is its sender's: asked before it is passed on or used against
    /// a member.
    pub(super) fn is_genuine(&self, session: &mut Session<A::Package>, hash: BodyHash) -> bool {
        let Some(kept) = session.retained.find(hash) else { return false };
        if kept.is_checked {
            return true;
        }
        let is_signed = kept.statement.is_signed_by_its_sender(&self.group);
        if is_signed {
            session.retained.package_checked(hash);
        } else {
            session.retained.forget_package(hash);
        }
        is_signed
    }

    /// A package that is known: its coordinator may have missed this node's answer. What another
    /// member relays is answered to it and from its allowance.
    fn on_repeated_package(
        &mut self,
        session: &mut Session<A::Package>,
        sender: Seat,
        hash: BodyHash,
        via: Via,
        now: Moment,
    ) -> Result<(), Rejected> {
        for own in self.own_seats() {
            let given = session.given.get(&(own, sender)).filter(|given| given.package == hash);
            if let Some(given) = given {
                self.repeat_share(session, (own, via.seat), given, now);
            } else if session.cannot.contains_key(&(own, sender)) {
                if via.is_own && self.may_say_ready(sender, session.id, own, now) {
                    self.say_ready(session.id, own, sender);
                }
            } else if !self.is_being_answered(session, own, sender, hash) {
                // What kept this node from an answer may be over.
                let answered = self.consider(session, sender, hash, now);
                if via.is_own {
                    self.show_if_behind(session, sender, &answered, now);
                }
            }
        }
        Err(Rejected::Repeat)
    }

    /// A coordinator that has sent a package of an older run is shown the newest one. What another
    /// member relays takes no answer from it.
    fn show_if_behind(
        &mut self,
        session: &Session<A::Package>,
        coordinator: Seat,
        answered: &Result<(), Rejected>,
        now: Moment,
    ) {
        if matches!(answered, Err(Rejected::NotToBeSigned(Decline::OlderRun))) {
            self.show_newest_package(session, coordinator, now);
        }
    }

    /// A share of an own seat that has left is sent again as long as it might leave now. Gives
    /// whether it is.
    pub(super) fn repeat_share(
        &mut self,
        session: &Session<A::Package>,
        (own, to): (Seat, Seat),
        given: &Given,
        now: Moment,
    ) -> bool {
        !self.is_shunned(to)
            && !given.signers.iter().any(|seat| self.is_shunned(*seat))
            && self.still_agrees(session, now).is_ok()
            && self.reply_share((own, to), given.package, given.statement.as_bytes(), now)
    }

    /// A coordinator that is behind is shown the newest package of its own seat.
    pub(super) fn show_newest_package(
        &mut self,
        session: &Session<A::Package>,
        coordinator: Seat,
        now: Moment,
    ) {
        let newest = session.retained.newest_of(coordinator);
        let bytes: Option<Arc<[u8]>> = newest.map(|newest| newest.statement.as_bytes().clone());
        if let Some(bytes) = bytes {
            self.reply(coordinator, Reply::NewestPackage(session.id), &bytes, now);
        }
    }
}
