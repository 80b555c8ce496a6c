use borsh::{BorshDeserialize, BorshSerialize};
use roastery_protocol::{GroupId, group::Name};

use super::{
    ContentError, Durability, Entry, Store, StoreError, Transaction,
    groups::GroupRecord,
    table::{Record, Table},
};

/// A name and the group that it means. Each name of a group has a row, and the group has a row with
/// its current name.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct NameRecord {
    name: String,
    group: GroupId,
}

impl Record for NameRecord {
    const TABLE: Table = Table::Names;
}

impl NameRecord {
    /// The group that it means.
    pub(super) fn group(&self) -> GroupId {
        self.group
    }
}

/// Names that differ in case only are one name.
fn key_of_name(name: &str) -> Vec<u8> {
    [b"n", name.to_ascii_lowercase().as_bytes()].concat()
}

fn key_of_group(group: GroupId) -> Vec<u8> {
    [b"g", group.as_bytes().as_slice()].concat()
}

impl Store {
    /// Binds a name to a group. The binding is final: policies and operators mean the same group by
    /// it after each restart, and no other group gets it, even when this one has another current
    /// name. The name becomes the group's current name.
    ///
    /// # Errors
    ///
    /// [`ContentError::NameTaken`] if the name is bound to another group; [`ContentError::Missing`]
    /// if the group is not there.
    pub fn bind_name(&self, name: &Name, group: GroupId) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| transaction.bind_name(name, group))
    }

    /// The current name of this group.
    pub fn name_of(&self, group: GroupId) -> Result<Option<String>, StoreError> {
        let record: Option<NameRecord> = self.vault.snapshot()?.get(&key_of_group(group))?;
        Ok(record.map(|record| record.name))
    }

    /// The group to which this name is bound, whether it is its current name or an earlier one.
    pub fn group_named(&self, name: &Name) -> Result<Option<GroupId>, StoreError> {
        let record: Option<NameRecord> = self.vault.snapshot()?.get(&key_of_name(name.as_str()))?;
        Ok(record.map(|record| record.group))
    }
}

impl Transaction<'_> {
    /// See [`Store::bind_name`].
    pub fn bind_name(&mut self, name: &Name, group: GroupId) -> Result<(), StoreError> {
        if self.get::<GroupRecord>(group.as_bytes())?.is_none() {
            return Err(ContentError::Missing(Entry::Group).into());
        }
        let of_name = key_of_name(name.as_str());
        if let Some(known) = self.get::<NameRecord>(&of_name)?
            && known.group != group
        {
            let (name, group) = (known.name, known.group);
            return Err(ContentError::NameTaken { name, group }.into());
        }
        let record = NameRecord { name: name.to_string(), group };
        self.put(&of_name, &record)?;
        self.put(&key_of_group(group), &record)
    }

    /// Gives a name of an epoch to the next one of the same key. The epoch before keeps the name
    /// that it goes by.
    pub(super) fn move_name(
        &mut self,
        record: &NameRecord,
        group: GroupId,
    ) -> Result<(), StoreError> {
        let goes_by = self.get::<NameRecord>(&key_of_group(record.group))?;
        let moved = NameRecord { name: record.name.clone(), group };
        if goes_by.is_some_and(|current| current.name == record.name) {
            self.put(&key_of_group(group), &moved)?;
        }
        self.put(&key_of_name(&record.name), &moved)
    }
}
