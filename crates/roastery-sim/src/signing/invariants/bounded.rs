use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
    time::Duration,
};

use roastery_protocol::{
    BodyHash, Seat, SessionId,
    member::{
        Run,
        frame::{Content, SigningPackage},
    },
};

use super::{Case, Found, Heard, Invariant, Read};
use crate::{violation::Violation, world::Packet};

/// Runs of one coordinator that a signer answers within a second in one session: the pauses between
/// them are 125 ms, 250 ms and 500 ms. A pause that was long gives one run more.
const RUNS_A_SECOND: usize = 5;

/// What one node sends another in a second, beside what it says for each session.
const FRAMES_A_SECOND: usize = 80;

/// What is sent and given is bounded: frames a second on a link, whatever the peer sends; for each
/// coordinator and session runs a second and shares a run.
#[derive(Debug)]
pub(super) struct Bounded {
    case: Rc<Case>,
    packages: BTreeMap<BodyHash, (Seat, Run)>,
    /// Of signer, coordinator and session: the runs that were answered in the last second.
    runs: BTreeMap<(Seat, Seat, SessionId), VecDeque<(Duration, Run)>>,
    shares: BTreeMap<(Seat, Seat, SessionId, Run), BTreeSet<BodyHash>>,
    sent: BTreeMap<(Seat, Seat), (Duration, usize)>,
}

impl Bounded {
    pub(super) fn new(case: Rc<Case>) -> Self {
        Self {
            case,
            packages: BTreeMap::new(),
            runs: BTreeMap::new(),
            shares: BTreeMap::new(),
            sent: BTreeMap::new(),
        }
    }

    /// An honest node sends a frame.
    pub(super) fn sent(
        &mut self,
        at: Duration,
        packet: &Packet,
        heard: Option<&Heard>,
    ) -> Result<(), Found> {
        self.frames(at, packet)?;
        let Some(Heard { sender, read: Read::Statement(session, statement, content) }) = heard
        else {
            return Ok(());
        };
        match content.as_deref() {
            Some(Content::SigningPackage(SigningPackage { run, .. })) => {
                self.packages.insert(statement.body_hash(), (*sender, *run));
                Ok(())
            }
            Some(Content::SignatureShare(share)) => {
                self.share(at, *sender, *session, share.package)
            }
            _ => Ok(()),
        }
    }

    fn frames(&mut self, at: Duration, packet: &Packet) -> Result<(), Found> {
        let (since, count) = self.sent.entry((packet.from, packet.to)).or_insert((at, 0));
        if at.saturating_sub(*since) >= Duration::from_secs(1) {
            (*since, *count) = (at, 0);
        }
        *count += 1;
        // At the end of a session each node may say a share, a package, the outcome and proofs.
        let most = (FRAMES_A_SECOND + 4 * self.case.group.size()) * self.case.requests.len();
        if *count <= most {
            return Ok(());
        }
        let what =
            format!("seat {} sends seat {} {count} frames in a second", packet.from, packet.to);
        Err(Violation::of(Invariant::Bounded, what))
    }

    fn share(
        &mut self,
        at: Duration,
        signer: Seat,
        session: SessionId,
        package: BodyHash,
    ) -> Result<(), Found> {
        let Some((coordinator, run)) = self.packages.get(&package).copied() else { return Ok(()) };
        let of_run = self.shares.entry((signer, coordinator, session, run)).or_default();
        of_run.insert(package);
        if of_run.len() > self.case.group.most_packages() {
            let what = format!("seat {signer} gives seat {coordinator} too many shares in a run");
            return Err(Violation::of(Invariant::Bounded, what));
        }
        let runs = self.runs.entry((signer, coordinator, session)).or_default();
        runs.retain(|(since, known)| *known != run && at <= *since + Duration::from_secs(1));
        runs.push_back((at, run));
        if runs.len() <= RUNS_A_SECOND {
            return Ok(());
        }
        let what =
            format!("seat {signer} answers {} runs of seat {coordinator} in a second", runs.len());
        Err(Violation::of(Invariant::Bounded, what))
    }

    /// A frame of a member that does not follow the protocol.
    pub(super) fn heard(&mut self, heard: &Heard) {
        if let Read::Statement(_, statement, Some(content)) = &heard.read
            && let Content::SigningPackage(package) = &**content
        {
            self.packages.insert(statement.body_hash(), (heard.sender, package.run));
        }
    }
}
