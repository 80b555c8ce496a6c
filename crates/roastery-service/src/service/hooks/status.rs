//! What an operator sees of the hooks, and the test of one.

use std::collections::BTreeMap;

use bitcoin::hex::DisplayHex as _;
use roastery_store::{Counts, Durability, KeptHook, Principal};

use super::message::{Facts, Message};
use crate::{
    Time,
    config::HookConfig,
    service::{Service, ServiceError, asking::asked, now_ms},
};

/// A hook, and what became of its notices.
#[derive(Clone, Debug)]
pub struct HookStatus {
    /// Its configuration.
    pub config: HookConfig,
    /// How many notices wait for it.
    pub waiting: u64,
    /// What became of the others, since there is such a hook.
    pub counts: Counts,
    /// When a call has failed last since the start, and why; none if the last one has not.
    pub failure: Option<(Time, String)>,
}

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookTest {
    /// Why the hook has not taken it; none if it has.
    pub failure: Option<String>,
}

impl Service {
    /// The hooks of this node, in the order of the configuration.
    ///
    /// # Errors
    ///
    /// An error of the store.
    pub async fn hooks(&self) -> Result<Vec<HookStatus>, ServiceError> {
        let kept = self.shared.store(|store| store.hooks()).await?;
        let mut kept: BTreeMap<String, KeptHook> =
            kept.into_iter().map(|hook| (hook.name.clone(), hook)).collect();
        let status = self.shared.hooks.all.iter().map(|hook| {
            let kept = kept.remove(hook.name());
            let (waiting, counts) =
                kept.map_or((0, Counts::default()), |kept| (kept.waiting, kept.counts));
            let failure = hook.recent().failure.clone();
            HookStatus { config: hook.config.clone(), waiting, counts, failure }
        });
        Ok(status.collect())
    }

    /// Tells a hook something that says that it is a test, once, beside what waits for it.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if there is no such hook.
    pub async fn test_hook(&self, name: &str, by: Principal) -> Result<HookTest, ServiceError> {
        let hook = self.shared.hooks.all.iter().find(|hook| hook.name() == name);
        let hook =
            hook.ok_or_else(|| ServiceError::NotFound { what: "hook", name: name.to_owned() })?;
        let act = asked(by, "hooks test", name);
        self.shared.write(Durability::Synced, move |change| change.append_act(&act)).await?;
        let mut id = [0; 16];
        getrandom::fill(&mut id)
            .map_err(|_| ServiceError::Internal("the system gave no randomness".into()))?;
        let facts = Facts {
            id: format!("msg_{}", id.to_lower_hex_string()),
            event: "test",
            time_ms: now_ms(),
            ..Facts::default()
        };
        let message = Message::new(&facts, hook.config.detail);
        let failure = hook.call(&self.shared, message).await.err();
        if failure.is_none() {
            // What waits for the end of a pause is tried now.
            let mut recent = hook.recent();
            recent.failure = None;
            recent.again = true;
            hook.wake.notify_one();
        }
        Ok(HookTest { failure })
    }

    /// What is wrong with the hooks, each in a line.
    pub(in crate::service) fn hook_warnings(&self) -> Vec<String> {
        let hooks = self.shared.hooks.all.iter().map(|hook| (hook.name(), hook.recent().clone()));
        let mut warnings = Vec::new();
        for (name, recent) in hooks {
            // Why is for operators: it can say where the hook leads.
            if let Some((at, _)) = recent.failure {
                warnings.push(format!(
                    "hook {name} has not taken what it was told at {at}: roastery hooks says why and shows what waits"
                ));
            }
            if recent.lost > 0 {
                let lost = recent.lost;
                warnings.push(format!(
                    "{lost} of what hook {name} was to be told is lost since the start: roastery hooks"
                ));
            }
        }
        warnings
    }
}
