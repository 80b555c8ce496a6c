//! What is put into the outbox, in the transaction of what it tells where there is one.

use std::sync::atomic::Ordering;

use roastery_frost::hash::tagged_hash;
use roastery_protocol::{GroupId, Seat, SessionId};
use roastery_store::{MAX_TEXT, Notice, NoticeKind, StoreError, Transaction};

use super::{HookHere, Hooks, event_of};
use crate::{
    metrics::{HookOutcome, Metrics},
    service::now_ms,
};

/// The tag of the hash that gives a notice its id.
const ID: &str = "roastery/service/1/notice";

/// Something that is told through the hooks that are told of it.
#[derive(Clone, Debug)]
pub(in crate::service) struct Told {
    pub(in crate::service) kind: NoticeKind,
    pub(in crate::service) group: Option<GroupId>,
    pub(in crate::service) session: Option<SessionId>,
    pub(in crate::service) seat: Option<Seat>,
    /// More about it: no secret, and perhaps a text of others.
    pub(in crate::service) text: String,
}

impl Told {
    /// Something about a request.
    pub(in crate::service) fn of(kind: NoticeKind, group: GroupId, session: SessionId) -> Self {
        let (group, session) = (Some(group), Some(session));
        Self { kind, group, session, seat: None, text: String::new() }
    }

    /// Something about this node.
    pub(in crate::service) fn here(kind: NoticeKind, text: String) -> Self {
        Self { kind, group: None, session: None, seat: None, text }
    }

    /// The same, with more about it.
    #[must_use]
    pub(in crate::service) fn saying(self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self }
    }

    /// The same, about this member.
    #[must_use]
    pub(in crate::service) fn about(self, seat: Seat) -> Self {
        Self { seat: Some(seat), ..self }
    }

    /// The notice for a hook. What is told once of a request has the same id whenever it is told.
    pub(in crate::service) fn notice(&self, hook: &str) -> Notice {
        let Self { kind, group, session, seat, text } = self.clone();
        let time_ms = now_ms();
        let once = match session {
            Some(session) if kind != NoticeKind::FaultProven => session.as_bytes().to_vec(),
            _ => {
                let mut random = [0; 16];
                // Without randomness the time makes it another one.
                let _ = getrandom::fill(&mut random);
                [&random[..], &time_ms.to_be_bytes()].concat()
            }
        };
        let length = [u8::try_from(hook.len()).unwrap_or(u8::MAX)];
        let parts = [&[kind as u8], &length[..], hook.as_bytes(), &once];
        let mut id = [0; 16];
        id.copy_from_slice(&tagged_hash(ID, &parts)[..16]);
        let text = text[..text.floor_char_boundary(MAX_TEXT)].to_owned();
        Notice { id, kind, time_ms, group, session, seat, text }
    }
}

impl Hooks {
    /// Whether any hook is told of this.
    pub(in crate::service) fn are_told_of(&self, kind: NoticeKind) -> bool {
        self.told_of(kind).next().is_some()
    }

    /// Puts this into the outbox of each hook that is told of it.
    ///
    /// # Errors
    ///
    /// An error of the disk. An outbox that is damaged keeps nothing else from being written.
    pub(in crate::service) fn put(
        &self,
        change: &mut Transaction<'_>,
        told: &Told,
        metrics: &Metrics,
    ) -> Result<(), StoreError> {
        for hook in self.told_of(told.kind) {
            self.put_for(hook, change, &told.notice(hook.name()), metrics)?;
        }
        Ok(())
    }

    pub(in crate::service) fn put_for(
        &self,
        hook: &HookHere,
        change: &mut Transaction<'_>,
        notice: &Notice,
        metrics: &Metrics,
    ) -> Result<(), StoreError> {
        let name = hook.name();
        match change.put_notice(name, notice) {
            Ok(dropped) => {
                metrics.notified(name, HookOutcome::Dropped, dropped);
                hook.recent().lost += dropped;
                self.put.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error @ (StoreError::Damaged(_) | StoreError::Content(_))) => {
                tracing::error!(hook = name, event = event_of(notice.kind), %error, "a notice is lost");
                metrics.notified(name, HookOutcome::Dropped, 1);
                hook.recent().lost += 1;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The same, once for each request.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub(in crate::service) fn put_once(
        &self,
        change: &mut Transaction<'_>,
        told: &Told,
        metrics: &Metrics,
    ) -> Result<(), StoreError> {
        let Some(session) = told.session.filter(|_| self.are_told_of(told.kind)) else {
            return Ok(());
        };
        match change.tell_once(told.kind, session) {
            Ok(true) => self.put(change, told, metrics),
            Ok(false) => Ok(()),
            Err(error @ StoreError::Damaged(_)) => {
                tracing::error!(%session, %error, "a notice is lost");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
    use roastery_store::{Durability, Passphrase, PassphraseCost, Store};

    use super::*;
    use crate::{config::Config, files::Folder};

    fn hooks(folder: &Folder) -> Hooks {
        let text = "[[hooks]]\nname = \"phone\"\non = [\"signed\"]\ncommand = [\"tell\"]\n\
            [[hooks]]\nname = \"ops\"\non = [\"signed\", \"unhealthy\"]\ncommand = [\"tell\"]\n";
        Hooks::open(&Config::parse(text, |_| None).unwrap().hooks, folder).unwrap()
    }

    fn signed(session: u8) -> Told {
        let session = SessionId::from_bytes([session; 32]);
        Told::of(NoticeKind::Signed, GroupId::from_bytes([2; 32]), session)
    }

    #[test]
    fn what_is_told_of_a_request_has_one_id_for_each_hook_and_all_else_has_a_new_one() {
        let id = |told: &Told, hook: &str| told.notice(hook).id;
        assert_eq!(id(&signed(1), "phone"), id(&signed(1), "phone"));
        assert_ne!(id(&signed(1), "phone"), id(&signed(2), "phone"));
        assert_ne!(id(&signed(1), "phone"), id(&signed(1), "ops"));
        let waits = Told { kind: NoticeKind::RequestWaiting, ..signed(1) };
        assert_ne!(id(&signed(1), "phone"), id(&waits, "phone"));
        let sick = Told::here(NoticeKind::Unhealthy, "no room".to_owned());
        assert_ne!(id(&sick, "phone"), id(&sick, "phone"));
        let long = Told::here(NoticeKind::Unhealthy, "é".repeat(MAX_TEXT));
        assert_eq!(long.notice("phone").text.len(), MAX_TEXT);
    }

    #[test]
    fn an_outbox_that_is_damaged_loses_a_notice_and_nothing_else_that_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (path, words) = (folder.path().join("store"), Passphrase::new("words".to_owned()));
        let store = Store::create(&path, &words, PassphraseCost::new(8, 1, 1).unwrap()).unwrap();
        let hooks = hooks(&Folder::new(folder.path()));
        let metrics = Metrics::default();
        let put = |store: &Store, told: &Told| {
            store.write(Durability::Synced, |change| hooks.put(change, told, &metrics)).unwrap();
        };
        put(&store, &signed(1));
        assert_eq!(store.next_notice("phone").unwrap().unwrap().notice.kind, NoticeKind::Signed);
        drop(store);
        let rows: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("hooks");
        let database = Database::open(&path).unwrap();
        let reading = database.begin_read().unwrap().open_table(rows).unwrap();
        let all = reading.iter().unwrap().map(|row| row.unwrap().0.value().to_vec());
        let all: Vec<Vec<u8>> = all.collect();
        drop(reading);
        let writing = database.begin_write().unwrap();
        for row in &all {
            writing.open_table(rows).unwrap().insert(row.as_slice(), &[7; 60][..]).unwrap();
        }
        writing.commit().unwrap();
        drop(database);
        let store = Store::open(&path, &words).unwrap();
        put(&store, &signed(2));
        assert!(store.hooks().is_err());
        assert!(hooks.all.iter().all(|hook| hook.recent().lost == 1));
    }
}
