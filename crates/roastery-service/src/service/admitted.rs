//! Tokens and passkeys that come and go: what changes who may act here is recorded and told in the
//! transaction that does it.

use roastery_store::{Durability, NoticeKind, Principal, StoreError, Transaction};

use crate::service::{ServiceError, asking::asked, outbox::Told, shared::Shared};

/// A change of who may act here.
pub(in crate::service) struct Admission<'a> {
    pub(in crate::service) by: Principal,
    /// The operation, and what it is about, as they are recorded.
    pub(in crate::service) operation: &'a str,
    pub(in crate::service) about: &'a str,
    /// What hooks are told.
    pub(in crate::service) told: String,
}

impl Shared {
    /// Makes the change. Where it changes nothing, nothing is recorded and nothing is told. Returns
    /// whether it has changed something.
    pub(in crate::service) async fn admit(
        &self,
        admission: Admission<'_>,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<bool, StoreError> + Send + 'static,
    ) -> Result<bool, ServiceError> {
        let Admission { by, operation, about, told } = admission;
        let act = asked(by, operation, about);
        let told = Told::here(NoticeKind::OperatorChanged, told);
        let (hooks, metrics) = (self.hooks.clone(), self.metrics.clone());
        self.write(Durability::Synced, move |transaction| {
            let changed = change(transaction)?;
            if changed {
                transaction.append_act(&act)?;
                hooks.put(transaction, &told, &metrics)?;
            }
            Ok(changed)
        })
        .await
    }
}
