//! Schedules examinations: hostile transactions take seconds, and must not delay those of other
//! members, or the operator's.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use roastery_protocol::Seat;
use tokio::sync::oneshot;

/// The most examinations at once, beside one of the operator's.
const MOST_AT_ONCE: usize = 2;

/// For whom something is examined. The lanes are served round-robin, whatever the length of their
/// queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::service) enum Lane {
    /// The operator's decisions and queries: an additional place is reserved for them.
    Operator,
    /// Requests for the approval command.
    Command,
    /// Queries of readers.
    Reader,
    /// Proposals of this member.
    Member(Seat),
}

/// The scheduler of a group's examinations.
#[derive(Clone, Debug, Default)]
pub(in crate::service) struct Turns(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    operator: Mutex<Queue>,
    others: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    running: usize,
    waiting: BTreeMap<Lane, VecDeque<oneshot::Sender<Turn>>>,
    /// The lane that was served last.
    last: Option<Lane>,
}

/// The right to examine, until it is dropped.
#[derive(Debug)]
pub(in crate::service) struct Turn {
    lane: Lane,
    /// `None` once it has been passed on.
    of: Option<Arc<Inner>>,
}

impl Turns {
    /// Waits for a turn.
    pub(in crate::service) async fn take(&self, lane: Lane) -> Turn {
        let waiting = {
            let mut queue = self.0.queue(lane);
            if queue.running < most(lane) {
                queue.running += 1;
                queue.last = Some(lane);
                return Turn { lane, of: Some(self.0.clone()) };
            }
            let (give, given) = oneshot::channel();
            queue.waiting.entry(lane).or_default().push_back(give);
            given
        };
        match waiting.await {
            Ok(turn) => turn,
            // A sender is dropped with the whole queue only, which `self` holds.
            Err(_) => std::future::pending().await,
        }
    }
}

fn most(lane: Lane) -> usize {
    match lane {
        Lane::Operator => 1,
        Lane::Command | Lane::Reader | Lane::Member(_) => MOST_AT_ONCE,
    }
}

impl Inner {
    fn queue(&self, lane: Lane) -> MutexGuard<'_, Queue> {
        let queue = match lane {
            Lane::Operator => &self.operator,
            Lane::Command | Lane::Reader | Lane::Member(_) => &self.others,
        };
        // No step under the lock leaves the queue inconsistent.
        queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// The oldest entry of the lane after the last one.
    fn next(&mut self) -> Option<(Lane, oneshot::Sender<Turn>)> {
        let after = self.last.and_then(|last| {
            let later = (Bound::Excluded(last), Bound::Unbounded);
            self.waiting.range(later).next().map(|(lane, _)| *lane)
        });
        let lane = after.or_else(|| self.waiting.keys().next().copied())?;
        let queue = self.waiting.get_mut(&lane)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&lane);
        }
        self.last = Some(lane);
        next.map(|next| (lane, next))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(of) = self.of.take() else { return };
        let mut queue = of.queue(self.lane);
        while let Some((lane, next)) = queue.next() {
            match next.send(Turn { lane, of: Some(of.clone()) }) {
                Ok(()) => return,
                // That waiter is gone.
                Err(mut turn) => turn.of = None,
            }
        }
        queue.running -= 1;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn member(seat: u32) -> Lane {
        Lane::Member(Seat::new(seat).expect("a small number is a seat's"))
    }

    #[tokio::test]
    async fn examinations_of_one_member_do_not_delay_those_of_others() {
        let turns = Turns::default();
        let running = [turns.take(member(0)).await, turns.take(member(0)).await];
        let mut heavy: Vec<_> = (0..62).map(|_| Box::pin(turns.take(member(0)))).collect();
        assert!(heavy.iter_mut().all(|turn| turn.now_or_never().is_none()));
        let mut other = Box::pin(turns.take(member(1)));
        let mut reader = Box::pin(turns.take(Lane::Reader));
        let mut command = Box::pin(turns.take(Lane::Command));
        assert!((&mut other).now_or_never().is_none());
        assert!((&mut reader).now_or_never().is_none());
        assert!((&mut command).now_or_never().is_none());
        // The operator waits for none of them.
        let operator = turns.take(Lane::Operator).now_or_never();
        assert!(operator.is_some());
        drop(running);
        // Free turns go first to lanes that have had none, then to the next.
        assert!((&mut command).now_or_never().is_some());
        assert!((&mut other).now_or_never().is_some());
        assert!((&mut reader).now_or_never().is_some());
        // Their turns have ended, and each goes to another one of the first lane.
        let served = heavy.iter_mut().filter_map(|turn| turn.now_or_never()).count();
        assert_eq!(served, 62);
    }

    #[tokio::test]
    async fn a_waiter_that_is_gone_takes_no_turn() {
        let turns = Turns::default();
        let running = [turns.take(member(0)).await, turns.take(member(0)).await];
        let mut gone = Box::pin(turns.take(member(1)));
        assert!((&mut gone).now_or_never().is_none());
        let mut late = Box::pin(turns.take(member(2)));
        assert!((&mut late).now_or_never().is_none());
        drop(gone);
        drop(running);
        let late = late.now_or_never();
        assert!(late.is_some());
        // One was given and not used: when it is dropped it is free again.
        let second = turns.take(member(3)).await;
        let mut waits = Box::pin(turns.take(member(4)));
        assert!((&mut waits).now_or_never().is_none());
        drop(second);
        drop(waits);
        assert!(turns.take(member(5)).now_or_never().is_some());
    }
}
