//! What became of what is told through hooks.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// What became of a notice, or of one attempt to tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HookOutcome {
    /// It was told.
    Delivered,
    /// An attempt has failed.
    Failed,
    /// More waited than are kept.
    Dropped,
    /// It was not taken for a day.
    GivenUp,
    /// There was nothing to tell any more.
    Overtaken,
}

impl HookOutcome {
    const ALL: [Self; 5] =
        [Self::Delivered, Self::Failed, Self::Dropped, Self::GivenUp, Self::Overtaken];

    const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
            Self::GivenUp => "given_up",
            Self::Overtaken => "overtaken",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    hook: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Hook {
    hook: String,
}

/// The counters of all hooks.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    outcomes: Family<Outcome, Counter>,
    waiting: Family<Hook, Gauge>,
}

impl Hooks {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let new = Self::default();
        registry.register(
            "notifications",
            "What became of what is told through a hook, and of attempts to tell it",
            new.outcomes.clone(),
        );
        registry.register(
            "notifications_waiting",
            "What waits to be told through a hook",
            new.waiting.clone(),
        );
        new
    }

    pub(super) fn count(&self, hook: &str, outcome: HookOutcome, times: u64) {
        let label = Outcome { hook: hook.to_owned(), outcome: outcome.name() };
        self.outcomes.get_or_create(&label).inc_by(times);
    }

    /// A hook begins with zeros: a first loss is an increase.
    pub(super) fn begin(&self, hook: &str) {
        HookOutcome::ALL.iter().for_each(|outcome| self.count(hook, *outcome, 0));
    }

    pub(super) fn set_waiting(&self, hooks: &[(String, u64)]) {
        self.waiting.clear();
        for (hook, waiting) in hooks {
            let label = Hook { hook: hook.clone() };
            self.waiting.get_or_create(&label).set(waiting.cast_signed());
        }
    }
}
