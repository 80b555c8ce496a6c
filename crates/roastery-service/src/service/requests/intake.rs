//! The queues of received proposals, one for each member: handling a proposal may wait for an
//! examination, and must not delay the proposals of other members.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use roastery_protocol::{Seat, member::machine::Proposed, request::Proposal, request::Subject};
use roastery_store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::{
    limits::Limit,
    service::{ServiceError, group::service::GroupService, now},
};

/// The most proposals of one member in its queue.
const MOST_IN_LINE: usize = 1024;

/// The pause before a proposal that the store could not keep is handled again.
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// The most bytes in them together.
const MOST_BYTES_IN_LINE: usize = 16 * 1024 * 1024;

/// The queues of the members that have proposed something.
#[derive(Debug)]
struct Lines<T>(BTreeMap<Seat, Line<T>>);

#[derive(Debug)]
struct Line<T> {
    entries: mpsc::Sender<InLine<T>>,
    bytes: Arc<Semaphore>,
}

/// A queued entry and its size in bytes.
#[derive(Debug)]
struct InLine<T> {
    entry: T,
    _bytes: OwnedSemaphorePermit,
}

impl<T> Lines<T> {
    /// Appends to a member's queue, and starts a task with `begin` for a new queue. Returns the
    /// entry if there is no room.
    fn put(
        &mut self,
        by: Seat,
        bytes: usize,
        entry: T,
        begin: impl FnOnce(mpsc::Receiver<InLine<T>>),
    ) -> Result<(), T> {
        let line = self.0.entry(by).or_insert_with(|| {
            let (entries, line) = mpsc::channel(MOST_IN_LINE);
            begin(line);
            Line { entries, bytes: Arc::new(Semaphore::new(MOST_BYTES_IN_LINE)) }
        });
        let wanted = u32::try_from(bytes).unwrap_or(u32::MAX);
        let Ok(taken) = line.bytes.clone().try_acquire_many_owned(wanted) else {
            return Err(entry);
        };
        let put = line.entries.try_send(InLine { entry, _bytes: taken });
        put.map_err(|error| error.into_inner().entry)
    }
}

impl GroupService {
    /// Handles received proposals: of each member one at a time.
    pub(in crate::service) async fn receive_proposals(
        self: Arc<Self>,
        mut proposals: mpsc::Receiver<Proposed>,
    ) {
        let mut lines = Lines(BTreeMap::new());
        while let Some(Proposed { by, proposal }) = proposals.recv().await {
            let bytes = length(&proposal.subject);
            let part = format!("the proposals of seat {by} of group {}", self.name);
            let serve = |line| drop(self.shared.finite(part, self.clone().serve(by, line)));
            if let Err(proposal) = lines.put(by, bytes, proposal, serve) {
                let who = format!("{}, seat {by}", self.name);
                self.shared.limits.hit(Limit::ProposalsOfMember, &who);
                // It is retransmitted.
                self.handle.not_taken(proposal.request.session_id()).await;
            }
        }
    }

    async fn serve(self: Arc<Self>, by: Seat, mut line: mpsc::Receiver<InLine<Proposal>>) {
        while let Some(InLine { entry: proposal, _bytes }) = line.recv().await {
            let (session, expiry) = (proposal.request.session_id(), proposal.request.expiry());
            while let Err(error) = self.receive_proposal(by, proposal.clone()).await {
                tracing::warn!(group = self.name, seat = %by, %error, "a proposal was not kept");
                // Its sender may take it to be known here already, and not repeat it: what failed
                // for the store's disk is tried again.
                let may_pass = match &error {
                    ServiceError::Store(error) => !matches!(error, StoreError::Content(_)),
                    _ => false,
                };
                if !may_pass || expiry <= now() {
                    self.handle.not_taken(session).await;
                    break;
                }
                tokio::time::sleep(TRIED_AGAIN_AFTER).await;
            }
        }
    }
}

fn length(subject: &Subject) -> usize {
    match subject {
        Subject::Hash => 0,
        Subject::Text(text) => text.len(),
        Subject::Transaction(psbt) => psbt.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(seat: u32) -> Seat {
        Seat::new(seat).expect("a small number is a seat's")
    }

    #[tokio::test]
    async fn a_member_whose_proposals_wait_keeps_no_other_members_waiting() {
        let mut lines = Lines(BTreeMap::new());
        // This queue is never read.
        let mut held = None;
        for number in 0..MOST_IN_LINE {
            lines.put(seat(1), 1, number, |line| held = Some(line)).unwrap();
        }
        assert_eq!(lines.put(seat(1), 1, 7, drop), Err(7), "its line is full");
        let mut other = None;
        lines.put(seat(2), 1, 8, |line| other = Some(line)).unwrap();
        assert_eq!(other.unwrap().recv().await.unwrap().entry, 8);
        // After one is read there is room for one more.
        assert_eq!(held.as_mut().unwrap().recv().await.unwrap().entry, 0);
        assert_eq!(lines.put(seat(1), 1, 9, drop), Ok(()));
    }

    #[tokio::test]
    async fn a_members_line_has_a_bounded_number_of_bytes() {
        let mut lines = Lines(BTreeMap::new());
        let mut held = None;
        lines.put(seat(1), MOST_BYTES_IN_LINE, 1, |line| held = Some(line)).unwrap();
        assert_eq!(lines.put(seat(1), 1, 2, drop), Err(2));
        drop(held.as_mut().unwrap().recv().await);
        assert_eq!(lines.put(seat(1), 1, 2, drop), Ok(()));
    }
}
