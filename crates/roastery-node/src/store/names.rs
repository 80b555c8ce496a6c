use borsh::{BorshDeserialize, BorshSerialize};
use roastery_protocol::GroupId;

use super::{
    ContentError, Durability, Entry, MAX_NAME, Store, StoreError, Transaction, check_text,
    rows::{Record, Table},
};

/// A name and the group that it means. Has two rows: that of the name and that of the group.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct NameRecord {
    name: String,
    group: GroupId,
}

impl Record for NameRecord {
    const TABLE: Table = Table::Names;
}

fn key_of_name(name: &str) -> Vec<u8> {
    [b"n", name.as_bytes()].concat()
}

fn key_of_group(group: GroupId) -> Vec<u8> {
    [b"g", group.as_bytes().as_slice()].concat()
}

impl Store {
    /// Binds a name to a group, once for good: policies and people mean the same group by it after
    /// each restart. The same binding again changes nothing.
    ///
    /// # Errors
    ///
    /// [`ContentError::NameTaken`] if the name is another group's; [`ContentError::AlreadyThere`]
    /// if the group has another name; [`ContentError::TextTooLong`] if the name has more than
    /// [`MAX_NAME`] bytes.
    pub fn bind_name(&self, name: &str, group: GroupId) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| transaction.bind_name(name, group))
    }

    /// The name that is bound to this group.
    pub fn name_of(&self, group: GroupId) -> Result<Option<String>, StoreError> {
        let record: Option<NameRecord> = self.vault.snapshot()?.get(&key_of_group(group))?;
        Ok(record.map(|record| record.name))
    }

    /// The group to which this name is bound.
    pub fn group_named(&self, name: &str) -> Result<Option<GroupId>, StoreError> {
        let record: Option<NameRecord> = self.vault.snapshot()?.get(&key_of_name(name))?;
        Ok(record.map(|record| record.group))
    }
}

impl Transaction<'_> {
    /// See [`Store::bind_name`].
    pub fn bind_name(&mut self, name: &str, group: GroupId) -> Result<(), StoreError> {
        check_text(name, MAX_NAME)?;
        let (of_name, of_group) = (key_of_name(name), key_of_group(group));
        if let Some(known) = self.get::<NameRecord>(&of_name)?
            && known.group != group
        {
            let (name, group) = (known.name, known.group);
            return Err(ContentError::NameTaken { name, group }.into());
        }
        match self.get::<NameRecord>(&of_group)? {
            Some(known) if known.name == name => Ok(()),
            Some(_) => Err(ContentError::AlreadyThere(Entry::Name).into()),
            None => {
                let record = NameRecord { name: name.to_owned(), group };
                self.put(&of_name, &record)?;
                self.put(&of_group, &record)
            }
        }
    }
}
