//! The outbox: what is to be told through the hooks of the configuration, kept in the store with
//! what it tells. The module `hooks` tells it.

mod secret;
mod told;

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use roastery_store::{Notice, NoticeKind};
use tokio::sync::Notify;

use self::secret::Secret;
pub(in crate::service) use self::told::Told;
use crate::{
    Time,
    config::{Config, HookConfig, HookEvent, HookTarget},
    files::Folder,
    service::ServiceError,
};

/// The hooks of a node.
#[derive(Debug, Default)]
pub(in crate::service) struct Hooks {
    pub(in crate::service) all: Vec<HookHere>,
    /// Whether something was put into the outbox that the tasks do not know of.
    put: AtomicBool,
}

/// A hook of this node.
#[derive(Debug)]
pub(in crate::service) struct HookHere {
    pub(in crate::service) config: HookConfig,
    /// The secret of its messages, if it is a server.
    pub(in crate::service) secret: Option<Secret>,
    /// Wakes its task.
    pub(in crate::service) wake: Notify,
    /// Held while it is called: one call at a time.
    pub(in crate::service) calling: tokio::sync::Mutex<()>,
    recent: Mutex<Recent>,
}

/// What is known of a hook since the start.
#[derive(Clone, Debug, Default)]
pub(in crate::service) struct Recent {
    /// When a call has failed last, and why; none after one that has not.
    pub(in crate::service) failure: Option<(Time, String)>,
    /// How many notices were lost: dropped or given up.
    pub(in crate::service) lost: u64,
    /// What the store did not take: it is told from memory.
    pub(in crate::service) unstored: Option<Notice>,
    /// Whether what waits is tried again without a pause: a person has seen a call succeed.
    pub(in crate::service) again: bool,
}

/// Checks that the hooks of a configuration can be opened, as the node does when it starts.
///
/// # Errors
///
/// [`ServiceError::NotReady`] names the hook and what is wrong with its secret.
pub fn check_hooks(config: &Config, folder: &Folder) -> Result<(), ServiceError> {
    Hooks::open(&config.hooks, folder).map(|_| ())
}

impl Hooks {
    /// The hooks of a configuration, with their secrets.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotReady`] if a secret cannot be read, or other users can.
    pub(in crate::service) fn open(
        configured: &[HookConfig],
        folder: &Folder,
    ) -> Result<Self, ServiceError> {
        let open = |config: &HookConfig| {
            let secret = match &config.target {
                HookTarget::Command(_) => None,
                HookTarget::Webhook { secret_file, .. } => {
                    let secret = Secret::read(&folder.resolve(secret_file));
                    let name = &config.name;
                    Some(secret.map_err(|reason| {
                        ServiceError::NotReady(format!("hook {name}: secret_file: {reason}").into())
                    })?)
                }
            };
            Ok(HookHere {
                config: config.clone(),
                secret,
                wake: Notify::new(),
                calling: tokio::sync::Mutex::default(),
                recent: Mutex::default(),
            })
        };
        let all = configured.iter().map(open).collect::<Result<_, ServiceError>>()?;
        Ok(Self { all, put: AtomicBool::new(false) })
    }

    /// Wakes the tasks, if something was put into the outbox. To be called when it can be read.
    pub(in crate::service) fn wake(&self) {
        if self.put.swap(false, Ordering::Relaxed) {
            self.all.iter().for_each(|hook| hook.wake.notify_one());
        }
    }

    /// The hooks that are told of this.
    pub(in crate::service) fn told_of(&self, kind: NoticeKind) -> impl Iterator<Item = &HookHere> {
        self.all.iter().filter(move |hook| hook.config.on.iter().any(|on| kind_of(on) == kind))
    }
}

impl HookHere {
    pub(in crate::service) fn name(&self) -> &str {
        &self.config.name
    }

    pub(in crate::service) fn recent(&self) -> MutexGuard<'_, Recent> {
        // No step under the lock leaves it incomplete.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is kept of an event.
fn kind_of(event: &HookEvent) -> NoticeKind {
    match event {
        HookEvent::RequestWaiting => NoticeKind::RequestWaiting,
        HookEvent::Signed => NoticeKind::Signed,
        HookEvent::CannotSucceed => NoticeKind::CannotSucceed,
        HookEvent::MemberGone { .. } => NoticeKind::MemberGone,
        HookEvent::FaultProven => NoticeKind::FaultProven,
        HookEvent::Unhealthy => NoticeKind::Unhealthy,
        HookEvent::OperatorChanged => NoticeKind::OperatorChanged,
    }
}

/// What has happened, as a configuration names it.
pub(in crate::service) fn event_of(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::RequestWaiting => "request-waiting",
        NoticeKind::Signed => "signed",
        NoticeKind::CannotSucceed => "cannot-succeed",
        NoticeKind::MemberGone => "member-gone",
        NoticeKind::FaultProven => "fault-proven",
        NoticeKind::Unhealthy => "unhealthy",
        NoticeKind::OperatorChanged => "operator-changed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_hook_is_told_of_is_called_as_in_the_configuration() {
        for event in [
            "request-waiting",
            "signed",
            "cannot-succeed",
            "fault-proven",
            "unhealthy",
            "operator-changed",
            "member-gone:5m",
        ] {
            let read: HookEvent = event.parse().unwrap();
            assert_eq!(event_of(kind_of(&read)), event.trim_end_matches(":5m"));
            assert_eq!(read.to_string().parse::<HookEvent>().unwrap(), read);
        }
    }
}
