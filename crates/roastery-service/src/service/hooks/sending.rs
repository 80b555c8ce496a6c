//! The task that tells: of each hook one notice after the other, from the outbox.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use bitcoin::hex::DisplayHex as _;
use futures_util::{FutureExt as _, future::join_all};
use roastery_store::{Durability, KeptNotice, Notice, NoticeEnd, NoticeKind, StateKind};
use tokio::time::timeout;

use super::{
    message::{Facts, Message},
    pace::{Attempts, Next},
};
use crate::{
    Time,
    config::HookDetail,
    metrics::HookOutcome,
    service::{
        Service, ServiceError,
        group::turns::Lane,
        lifecycle::running::stopped_signal,
        now_ms,
        outbox::{HookHere, event_of},
    },
    view,
};

/// How often the outbox is looked at without a cause, and the pause after an error of the store.
const LOOK: Duration = Duration::from_secs(5);

/// How long a request may be examined for a notice. What is not known then is left out.
const EXAMINING: Duration = Duration::from_secs(10);

/// The pause after a panic of a hook's task.
const PAUSE_AFTER_PANIC: Duration = Duration::from_secs(60);

/// Runs a task again after each panic: what is told is no reason to end the node.
async fn again_after_panics<F: Future<Output = ()>>(
    task: impl Fn() -> F,
    broken: impl Fn(),
    pause: Duration,
) {
    // Nothing of the task is used again.
    while AssertUnwindSafe(task()).catch_unwind().await.is_err() {
        tracing::error!("the task of a hook has panicked, and begins again");
        broken();
        tokio::time::sleep(pause).await;
    }
}

/// A notice that is to be told.
struct Due {
    notice: Notice,
    /// Its place in the outbox; none if it is told from memory.
    kept: Option<KeptNotice>,
}

impl Service {
    /// Tells what is in the outbox until the node stops.
    pub(in crate::service) async fn tell_hooks(self: Arc<Self>) {
        let mut stopped = self.stop.subscribe();
        self.forget_old_hooks().await;
        let all = self.shared.hooks.all.iter().map(|hook| async {
            let broken = || {
                let reason = "it broke off: the program's log says more".to_owned();
                hook.recent().failure = Some((Time::from_milliseconds(now_ms()), reason));
            };
            again_after_panics(|| self.tell_hook(hook), broken, PAUSE_AFTER_PANIC).await;
        });
        tokio::select! {
            () = async {
                join_all(all).await;
                // There is no hook.
                std::future::pending().await
            } => {}
            () = stopped_signal(&mut stopped) => {}
        }
    }

    /// What waits for hooks that are configured no more is dropped.
    async fn forget_old_hooks(&self) {
        let hooks = &self.shared.hooks;
        let known = match self.shared.store(|store| store.hooks()).await {
            Ok(known) => known,
            Err(error) => return tracing::error!(%error, "the outbox cannot be read"),
        };
        for old in
            known.into_iter().filter(|old| hooks.all.iter().all(|one| one.name() != old.name))
        {
            let name = old.name.clone();
            let forget =
                move |change: &mut roastery_store::Transaction<'_>| change.forget_hook(&name);
            match self.shared.write(Durability::Deferred, forget).await {
                Ok(0) => {}
                Ok(count) => tracing::warn!(
                    hook = old.name,
                    count,
                    "notices are dropped: the hook is not in the configuration any more"
                ),
                Err(error) => tracing::error!(hook = old.name, %error, "it is not forgotten"),
            }
        }
    }

    /// Tells one hook what there is for it.
    async fn tell_hook(self: &Arc<Self>, hook: &HookHere) {
        let begun = Instant::now();
        let mut under_way: Option<([u8; 16], Attempts)> = None;
        loop {
            let due = match self.due(hook).await {
                Ok(Some(due)) => due,
                Ok(None) => {
                    let _ = timeout(LOOK, hook.wake.notified()).await;
                    continue;
                }
                Err(error) => {
                    tracing::warn!(hook = hook.name(), %error, "the outbox cannot be read");
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
            };
            let id = due.notice.id;
            let age = Duration::from_millis(now_ms().saturating_sub(due.notice.time_ms));
            let attempts = match &mut under_way {
                Some((before, attempts)) if *before == id => attempts,
                other => &mut other.insert((id, Attempts::new(begun.elapsed(), age))).1,
            };
            let detail = if attempts.is_bare() { HookDetail::None } else { hook.config.detail };
            let end = match self.try_to_tell(hook, &due.notice, detail).await {
                Ok(end) => end,
                Err(reason) => {
                    self.not_taken(hook, &due.notice, reason);
                    match attempts.failed(begun.elapsed()) {
                        Next::Again(pause) => {
                            self.pause(hook, id, pause).await;
                            continue;
                        }
                        Next::GivenUp => NoticeEnd::GivenUp,
                    }
                }
            };
            self.end(hook, due, end).await;
        }
    }

    /// Waits until a notice is tried again, or until another one is to be told before it.
    async fn pause(&self, hook: &HookHere, id: [u8; 16], pause: Duration) {
        let until = Instant::now() + pause;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || timeout(left, hook.wake.notified()).await.is_err() {
                return;
            }
            if std::mem::take(&mut hook.recent().again) {
                return;
            }
            if let Ok(Some(due)) = self.due(hook).await
                && due.notice.id != id
            {
                return;
            }
        }
    }

    /// What is to be told next.
    async fn due(&self, hook: &HookHere) -> Result<Option<Due>, ServiceError> {
        if let Some(notice) = hook.recent().unstored.clone() {
            return Ok(Some(Due { notice, kept: None }));
        }
        let name = hook.name().to_owned();
        let next = self.shared.store(move |store| store.next_notice(&name)).await?;
        Ok(next.map(|kept| Due { notice: kept.notice.clone(), kept: Some(kept) }))
    }

    /// Tells a notice, unless there is nothing to tell any more.
    async fn try_to_tell(
        self: &Arc<Self>,
        hook: &HookHere,
        notice: &Notice,
        detail: HookDetail,
    ) -> Result<NoticeEnd, String> {
        if self.is_moot(notice).await {
            return Ok(NoticeEnd::Moot);
        }
        let facts = self.facts(notice, detail).await;
        hook.call(&self.shared, Message::new(&facts, detail)).await?;
        hook.recent().failure = None;
        Ok(NoticeEnd::Delivered(now_ms()))
    }

    /// Whether a request that was waiting is decided, or forgotten.
    async fn is_moot(&self, notice: &Notice) -> bool {
        let (NoticeKind::RequestWaiting, Some(session)) = (notice.kind, notice.session) else {
            return false;
        };
        match self.shared.store(move |store| store.request(session)).await {
            Ok(known) => known.is_none_or(|known| known.state.kind() != StateKind::Proposed),
            // What is told too much does less harm.
            Err(_) => false,
        }
    }

    fn not_taken(&self, hook: &HookHere, notice: &Notice, reason: String) {
        let event = event_of(notice.kind);
        tracing::warn!(hook = hook.name(), event, reason, "a notice was not taken");
        self.shared.metrics.notified(hook.name(), HookOutcome::Failed, 1);
        hook.recent().failure = Some((Time::from_milliseconds(now_ms()), reason));
    }

    /// The notice leaves the outbox. Until the store takes that, no other one is told: it would be
    /// told again and again.
    async fn end(self: &Arc<Self>, hook: &HookHere, due: Due, end: NoticeEnd) {
        let (here, name, outcome) = (
            hook,
            hook.name().to_owned(),
            match end {
                NoticeEnd::Delivered(_) => HookOutcome::Delivered,
                NoticeEnd::GivenUp => HookOutcome::GivenUp,
                NoticeEnd::Moot => HookOutcome::Overtaken,
            },
        );
        self.shared.metrics.notified(&name, outcome, 1);
        if end == NoticeEnd::GivenUp {
            let event = event_of(due.notice.kind);
            hook.recent().lost += 1;
            tracing::error!(hook = name, event, "a notice is given up: it was not taken for a day");
        }
        let Some(kept) = due.kept else {
            let mut recent = hook.recent();
            if recent.unstored.as_ref().is_some_and(|other| other.id == due.notice.id) {
                recent.unstored = None;
            }
            return;
        };
        loop {
            let (hook, kept) = (name.clone(), kept.clone());
            let ended = self
                .shared
                .write(Durability::Deferred, move |change| change.end_notice(&hook, &kept, end));
            match ended.await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(hook = name, %error, "the outbox cannot be written");
                    self.tell_unstored(here).await;
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// Tells what the store has not taken, while it takes nothing.
    async fn tell_unstored(self: &Arc<Self>, hook: &HookHere) {
        let Some(notice) = hook.recent().unstored.clone() else { return };
        match self.try_to_tell(hook, &notice, hook.config.detail).await {
            Ok(_) => hook.recent().unstored = None,
            Err(reason) => self.not_taken(hook, &notice, reason),
        }
    }

    /// What is known of a notice now.
    async fn facts(self: &Arc<Self>, notice: &Notice, detail: HookDetail) -> Facts {
        let group = notice
            .group
            .and_then(|id| self.groups().into_iter().find(|group| group.group.id() == id));
        let member = group.as_ref().zip(notice.seat).map(|(group, seat)| group.shown_as(seat));
        let request = match (&group, notice.session) {
            (Some(group), Some(session)) if detail > HookDetail::None => {
                let kept = self.shared.store(move |store| store.request(session)).await;
                match kept.ok().flatten() {
                    None => None,
                    Some(kept) => {
                        let brief = group.known(kept.clone());
                        let whole = group.known_whole(kept, Lane::Command, None);
                        let known = match detail {
                            HookDetail::Full => timeout(EXAMINING, whole).await.unwrap_or(brief),
                            HookDetail::None | HookDetail::Summary => brief,
                        };
                        Some(view::Request::from(known))
                    }
                }
            }
            _ => None,
        };
        Facts {
            id: format!("msg_{}", notice.id.to_lower_hex_string()),
            event: event_of(notice.kind),
            time_ms: notice.time_ms,
            group: group
                .map(|group| group.name.clone())
                .or_else(|| notice.group.map(|id| id.to_string())),
            session: notice.session.map(|session| session.to_string()),
            member,
            text: notice.text.clone(),
            request,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_begins_again_and_ends_when_it_ends_by_itself() {
        let (begun, broken) = (Cell::new(0), Cell::new(0));
        let task = || async {
            begun.set(begun.get() + 1);
            assert!(begun.get() > 2, "a message that cannot be made");
        };
        again_after_panics(task, || broken.set(broken.get() + 1), Duration::ZERO).await;
        assert_eq!((begun.get(), broken.get()), (3, 2));
    }
}
