//! What a node does every second, and every hour.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use roastery_store::Store;

use crate::{
    limits::Limit,
    service::{
        Service,
        lifecycle::{clocks::ClockWatch, running::stopped_signal, watching::BusWatch},
        now,
    },
};

/// The interval of the pulse of the task runtime.
const PULSE: Duration = Duration::from_secs(1);

/// The age of the last pulse from which the tasks count as stuck. With the interval it is reported
/// within ten seconds.
pub(in crate::service) const STUCK: Duration = Duration::from_secs(8);

/// How often expired requests are removed.
const TIDY: Duration = Duration::from_secs(3600);

impl Service {
    pub(in crate::service) async fn beat(self: Arc<Self>) {
        let mut stopped = self.stop.subscribe();
        let mut tidied = Instant::now();
        let (mut bus, mut lines_lost) = (BusWatch::default(), 0);
        let mut clocks = ClockWatch::default();
        loop {
            let now = self.started.elapsed().as_millis();
            self.pulse.store(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Relaxed);
            if tidied.elapsed() >= TIDY {
                tidied = Instant::now();
                self.tidy().await;
            }
            bus.look(&self.mux.stats(), &self.shared.limits);
            self.shared.look_at_store();
            let lost = crate::log::lost_lines();
            let new = lost.saturating_sub(lines_lost);
            self.shared.limits.hit_times(Limit::LogLines, "standard error", new);
            lines_lost = lost;
            self.shared.limits.log_left_out();
            clocks.look(&self.mux.clocks(), &self.shared);
            tokio::select! {
                () = tokio::time::sleep(PULSE) => {}
                () = stopped_signal(&mut stopped) => return,
            }
        }
    }

    /// Removes the requests that are not kept any longer.
    async fn tidy(&self) {
        let at = now();
        let kept_for = self.config.store.keep_ended();
        for group in self.groups() {
            let id = group.group.id();
            let forget = move |store: &Store| {
                store.forget_expired(id, at)?;
                match kept_for {
                    Some(time) => store.forget_ended(id, at.saturating_sub(time.as_secs())),
                    None => Ok(0),
                }
            };
            let done = self.shared.store(forget).await;
            if done.is_ok() {
                group.holdings.expired(at);
            }
            match done {
                Ok(0) => {}
                Ok(count) => {
                    tracing::info!(group = group.name, count, "ended requests were forgotten");
                }
                Err(error) => {
                    tracing::error!(group = group.name, %error, "old requests were not forgotten");
                }
            }
        }
    }
}
