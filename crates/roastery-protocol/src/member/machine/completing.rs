//! The end of a session.

use std::time::Duration;

use roastery_frost::{PartialSignature, Seat, Signature};

use super::{
    Decline, Event, Outcome, Rejected, StopReason,
    core::Core,
    session::{Phase, Session},
};
use crate::{
    BodyHash,
    clock::Moment,
    member::{
        engine::{Arithmetic, Engine, Verdict},
        frame::{Content, FinalSignature, Statement},
    },
};

/// How long evidence is collected after the signatures are there.
const LINGER: Duration = Duration::from_secs(30);

impl<E: Engine, A: Arithmetic> Core<E, A> {
    /// This node has made the signatures: all others receive them.
    pub(super) fn complete(
        &mut self,
        session: &mut Session<A::Package>,
        package: BodyHash,
        signatures: Vec<Signature>,
        now: Moment,
    ) {
        let content = FinalSignature { package, signatures };
        let statement = self.seal(session.id, session.seat, &Content::Signature(content.clone()));
        self.broadcast(&statement);
        self.finish(session, content, statement, now);
    }

    /// The signatures are there and verified. Secrets of the session end; what its slots used of a
    /// credit is returned.
    pub(super) fn finish(
        &mut self,
        session: &mut Session<A::Package>,
        content: FinalSignature,
        statement: Statement,
        now: Moment,
    ) {
        if matches!(session.phase, Phase::Signed { .. }) {
            return;
        }
        let late: Vec<Seat> = match &session.turn {
            Some(turn) => turn.reign.penalised().iter().copied().collect(),
            None => Vec::new(),
        };
        self.late.extend(late);
        if let Some(package) = session.retained.find(content.package) {
            for entry in &package.content.signers {
                self.late.remove(&entry.seat);
            }
        }
        let FinalSignature { package, signatures } = content;
        let origin = session.origin(package);
        let outcome = Outcome { session: session.id, signatures, package, origin };
        self.engine.close(session.id);
        self.own.iter_mut().for_each(|own| own.stock.signed(session.id));
        session.turn = None;
        let until = Some(now.monotonic.saturating_add(LINGER));
        session.phase = Phase::Signed { outcome: outcome.clone(), statement, until };
        self.ended.push(session.id);
        self.event(Event::Signed(outcome));
    }

    /// A request that has expired, or with which the policy does not agree any more, is stopped: an
    /// own share may be among those that this node holds, and has not left it.
    pub(super) fn end_withdrawn(
        &mut self,
        session: &mut Session<A::Package>,
        reason: Decline,
        now: Moment,
    ) {
        match reason {
            Decline::Expired => self.stop(session, StopReason::Expired, now),
            Decline::Withdrawn(reason) => self.stop(session, StopReason::Withdrawn(reason), now),
            _ => {}
        }
    }

    /// A node that holds a package and t shares for it makes the signatures, whichever coordinator
    /// they were for. `via` is the seat whose link brought the last of them.
    pub(super) fn try_to_complete(
        &mut self,
        session: &mut Session<A::Package>,
        hash: BodyHash,
        via: Seat,
        now: Moment,
    ) -> Result<(), Rejected> {
        if !session.is_running() {
            return Ok(());
        }
        let is_own = session.turn.as_ref().is_some_and(|turn| turn.reign.find(hash).is_some());
        let Some((package, shares)) = session.retained.complete(hash).filter(|_| !is_own) else {
            return Ok(());
        };
        if let Err(reason) = self.still_agrees(session, now) {
            self.end_withdrawn(session, reason, now);
            return Ok(());
        }
        let (seats, keys) = (package.content.seats(), session.request.keys());
        let prepared = self.arithmetic.prepare(keys, &seats, &package.content.aggregates)?;
        let shares: Vec<&[PartialSignature]> =
            shares.iter().map(|share| &share.content.scalars[..]).collect();
        match self.arithmetic.aggregate(&prepared, &shares)? {
            Verdict::Right(signatures) => self.complete(session, hash, signatures, now),
            Verdict::Wrong { .. } => {
                session.retained.fail(hash);
                self.failed(session, hash, via, now);
            }
        }
        Ok(())
    }
}
