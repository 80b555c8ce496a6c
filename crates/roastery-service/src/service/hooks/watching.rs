//! What no transaction tells: members that are missing, and a node that does not do its work.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use roastery_protocol::{GroupId, Seat, group::PeerId};
use roastery_store::{Durability, NoticeKind};
use tokio::time::timeout;

use crate::{
    service::{Service, ServiceError, lifecycle::running::stopped_signal, outbox::Told},
    words::span,
};

/// How often members are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// How long the store may take to take a notice. One that hangs takes none.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a member that was missed, has come back and is gone again is not told of once more: one
/// that comes and goes pushes nothing else out of the outbox.
const NOT_AGAIN: Duration = Duration::from_secs(5 * 60);

/// Every so many looks the health is checked.
const CHECK_EVERY: u32 = 5;

/// What was told, so that it is told once as long as it lasts.
#[derive(Debug, Default)]
struct Watch {
    /// Which hook was told that a member of a group is missing.
    gone: BTreeSet<(usize, GroupId, PeerId)>,
    /// When it was told so last.
    last: BTreeMap<(usize, GroupId, PeerId), Instant>,
    /// How many checks in a row have found a problem.
    unhealthy: u32,
}

impl Watch {
    /// Whether a hook is to be told now that a member is missing.
    fn is_news(&self, key: &(usize, GroupId, PeerId), now: Instant) -> bool {
        let last = self.last.get(key);
        !self.gone.contains(key)
            && last.is_none_or(|last| now.saturating_duration_since(*last) >= NOT_AGAIN)
    }

    /// Whether the health is to be told of after this check: it is, once, when two in a row have
    /// found a problem. One alone may be a moment's.
    fn checked(&mut self, healthy: bool) -> bool {
        self.unhealthy = if healthy { 0 } else { self.unhealthy.saturating_add(1) };
        self.unhealthy == 2
    }
}

impl Service {
    /// Looks for what is to be told until the node stops.
    pub(in crate::service) async fn watch_for_hooks(self: Arc<Self>) {
        let mut stopped = self.stop.subscribe();
        let (mut watch, mut looks) = (Watch::default(), 0_u32);
        loop {
            self.look_for_members(&mut watch).await;
            if looks.is_multiple_of(CHECK_EVERY) {
                self.look_at_health(&mut watch).await;
            }
            looks = looks.wrapping_add(1);
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stopped_signal(&mut stopped) => return,
            }
        }
    }

    async fn look_at_health(&self, watch: &mut Watch) {
        let hooks = &self.shared.hooks;
        if !hooks.are_told_of(NoticeKind::Unhealthy) {
            return;
        }
        let problems = self.health().await;
        if !watch.checked(problems.is_empty()) {
            return;
        }
        let told = Told::here(NoticeKind::Unhealthy, problems.join("; "));
        let (putting, metrics) = (hooks.clone(), self.shared.metrics.clone());
        let what = told.clone();
        let put = move |change: &mut roastery_store::Transaction<'_>| {
            putting.put(change, &what, &metrics)
        };
        if let Err(error) = within(self.shared.write(Durability::Deferred, put)).await {
            tracing::warn!(%error, "that the node does not do its work is told from memory");
            for hook in hooks.told_of(NoticeKind::Unhealthy) {
                hook.recent().unstored = Some(told.notice(hook.name()));
                hook.wake.notify_one();
            }
        }
    }

    async fn look_for_members(&self, watch: &mut Watch) {
        let hooks = &self.shared.hooks;
        if !hooks.are_told_of(NoticeKind::MemberGone) {
            return;
        }
        let missing = self.missing();
        watch.gone.retain(|(_, group, peer)| {
            missing.iter().any(|one| one.group == *group && one.peer == *peer)
        });
        for (at, hook) in hooks.all.iter().enumerate() {
            for after in hook.config.gone_after() {
                for one in missing.iter().filter(|one| one.since.elapsed() >= after) {
                    let key = (at, one.group, one.peer.clone());
                    if !watch.is_news(&key, Instant::now()) {
                        continue;
                    }
                    let text = format!("no connection for {}", span(after.as_secs()));
                    let told = Told::here(NoticeKind::MemberGone, text).about(one.seat);
                    let notice = Told { group: Some(one.group), ..told }.notice(hook.name());
                    let (hooks, metrics) = (hooks.clone(), self.shared.metrics.clone());
                    let put = self.shared.write(Durability::Deferred, move |change| {
                        let hook = hooks.all.get(at);
                        hook.map_or(Ok(()), |hook| hooks.put_for(hook, change, &notice, &metrics))
                    });
                    match within(put).await {
                        Ok(()) => {
                            watch.last.insert(key.clone(), Instant::now());
                            watch.gone.insert(key);
                        }
                        // It is missing still at the next look.
                        Err(error) => {
                            let hook = hook.name();
                            tracing::warn!(hook, %error, "that a member is missing is not told yet");
                        }
                    }
                }
            }
        }
    }

    /// The members of the latest epochs that are not connected, by their first seats, without those
    /// that are barred.
    fn missing(&self) -> Vec<Missing> {
        let stats = self.mux.stats();
        let mut all = Vec::new();
        for (peer, link) in stats.bus.links() {
            let Some(since) = link.awaited_since else { continue };
            for group in self.current() {
                let seats = group.group.seats().zip(group.group.members());
                let mut seats = seats.filter(|(_, member)| member.peer == *peer);
                let (group, seat) = match seats.next() {
                    Some((seat, _)) => (group.group.id(), seat),
                    None => continue,
                };
                if self.shared.bars.since(group, seat).is_none() {
                    all.push(Missing { group, seat, peer: peer.clone(), since });
                }
            }
        }
        all
    }
}

/// What a write of the store gives, if it ends in time.
async fn within<T>(
    write: impl Future<Output = Result<T, ServiceError>>,
) -> Result<T, ServiceError> {
    let late = |_| ServiceError::Internal("the store does not answer".into());
    timeout(PATIENCE, write).await.map_err(late)?
}

/// A member that is missing.
struct Missing {
    group: GroupId,
    seat: Seat,
    peer: PeerId,
    since: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_once_as_long_as_it_lasts_and_not_of_a_moment() {
        let mut watch = Watch::default();
        let checks = [true, false, true, false, false, false, false, true, false, false];
        let told = checks.map(|healthy| watch.checked(healthy));
        let told: Vec<usize> = (0..told.len()).filter(|at| told[*at]).collect();
        assert_eq!(told, [4, 9]);
    }

    #[test]
    fn a_member_that_comes_and_goes_is_told_of_once_in_five_minutes() {
        let (mut watch, begun) = (Watch::default(), Instant::now());
        let key = (0, GroupId::from_bytes([1; 32]), PeerId::new([2; 3]).unwrap());
        assert!(watch.is_news(&key, begun));
        watch.gone.insert(key.clone());
        watch.last.insert(key.clone(), begun);
        assert!(!watch.is_news(&key, begun + 2 * NOT_AGAIN), "it has not been back");
        watch.gone.clear();
        assert!(!watch.is_news(&key, begun + NOT_AGAIN / 2));
        assert!(watch.is_news(&key, begun + NOT_AGAIN));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_is_one_that_fails() {
        assert!(within(std::future::pending::<Result<(), ServiceError>>()).await.is_err());
        assert!(within(async { Ok(()) }).await.is_ok());
    }
}
