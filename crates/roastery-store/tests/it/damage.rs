//! A file that was altered, or cannot be read.

use std::fs;

use redb::{Database, ReadableTable, TableDefinition};
use roastery_store::{Part, Store, StoreError};

use crate::{fixture::*, new_store, support::*};

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// The tables of sealed values, as `docs/store.md` names them.
const TABLES: [&str; 22] = [
    "keys",
    "groups",
    "shares",
    "names",
    "ceremonies",
    "requests",
    "changes",
    "changes-length",
    "messages",
    "evidence",
    "bars",
    "wallets",
    "incarnations",
    "audit",
    "audit-length",
    "audit-begin",
    "audit-cuts",
    "acts",
    "acts-head",
    "outbox",
    "hooks",
    "told",
];

/// A closed store with a row in each table, and its content.
fn filled() -> (Folder, String) {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    store.append_audit(&[entry(&kept, 3)]).unwrap();
    store.cut_audit(&cut(0, 1)).unwrap();
    let all = everything(&store);
    (folder, all)
}

fn open(folder: &Folder) -> Result<Store, StoreError> {
    Store::open(folder.file("store"), &passphrase())
}

/// Changes the rows of a table without the store.
pub fn alter(
    folder: &Folder,
    table: &'static str,
    change: impl FnOnce(&mut Vec<(Vec<u8>, Vec<u8>)>),
) {
    let database = Database::open(folder.file("store")).unwrap();
    let writing = database.begin_write().unwrap();
    {
        let mut table = writing.open_table(Rows::new(table)).unwrap();
        let mut rows = Vec::new();
        for entry in table.iter().unwrap() {
            let (row, value) = entry.unwrap();
            rows.push((row.value().to_vec(), value.value().to_vec()));
        }
        for (row, _) in &rows {
            table.remove(row.as_slice()).unwrap();
        }
        change(&mut rows);
        for (row, value) in &rows {
            table.insert(row.as_slice(), value.as_slice()).unwrap();
        }
    }
    writing.commit().unwrap();
}

/// Changes the header without the store.
fn alter_header(folder: &Folder, change: impl FnOnce(&mut Vec<u8>)) {
    const HEADER: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("header");
    let database = Database::open(folder.file("store")).unwrap();
    let writing = database.begin_write().unwrap();
    {
        let mut table = writing.open_table(HEADER).unwrap();
        let mut header = table.get("header").unwrap().unwrap().value().to_vec();
        change(&mut header);
        table.insert("header", header.as_slice()).unwrap();
    }
    writing.commit().unwrap();
}

fn damaged(error: &StoreError) -> &Part {
    let StoreError::Damaged(part) = error else { panic!("{error}") };
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    part
}

/// Opens an altered file: it must be refused, or reading it must be an error, or its content must
/// be unchanged.
fn never_lies(folder: &Folder, bytes: &[u8], before: &str, what: &str) -> bool {
    fs::write(folder.file("store"), bytes).unwrap();
    let checked = open(folder).and_then(|store| store.check().map(|()| store));
    match checked {
        Ok(store) => {
            assert_eq!(everything(&store), before, "{what}");
            false
        }
        Err(error) => {
            assert_eq!(error.to_string().lines().count(), 1, "{what}: {error}");
            true
        }
    }
}

#[test]
fn a_flipped_byte_anywhere_gives_an_error_or_changes_nothing_that_is_read() {
    let (folder, before) = filled();
    let whole = fs::read(folder.file("store")).unwrap();
    // The database's own header whole, and some of each page that has anything in it.
    let pages = whole.chunks(4096).enumerate().filter(|(_, page)| page.iter().any(|b| *b != 0));
    let inner = pages.flat_map(|(page, bytes)| {
        let used = bytes.iter().enumerate().filter(|(_, byte)| **byte != 0);
        used.map(move |(at, _)| page * 4096 + at).step_by(331)
    });
    let mut noticed = 0;
    for at in (0..320).chain(inner) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        noticed += usize::from(never_lies(&folder, &bytes, &before, &format!("byte {at}")));
    }
    assert!(noticed > 100, "{noticed}");
}

#[test]
fn a_file_that_was_cut_off_is_damaged() {
    let (folder, _) = filled();
    let whole = fs::read(folder.file("store")).unwrap();
    for part in 0..64 {
        let length = whole.len() * part / 64;
        fs::write(folder.file("store"), &whole[..length]).unwrap();
        damaged(&open(&folder).unwrap_err());
    }
    fs::write(folder.file("store"), &whole[..whole.len() - 1]).unwrap();
    damaged(&open(&folder).unwrap_err());
}

#[test]
fn what_is_no_store_is_refused() {
    let folder = Folder::new();
    let error = open(&folder).unwrap_err();
    assert!(matches!(error, StoreError::NotFound(_)), "{error}");
    for content in [&b""[..], b"#!/bin/sh\n", &[0; 9000], &[0xff; 5000]] {
        fs::write(folder.file("store"), content).unwrap();
        damaged(&open(&folder).unwrap_err());
    }
    fs::remove_file(folder.file("store")).unwrap();
    drop(Database::create(folder.file("store")).unwrap());
    damaged(&open(&folder).unwrap_err());
}

#[test]
fn a_store_of_a_newer_format_says_so() {
    let (folder, _) = filled();
    alter_header(&folder, |header| header[..4].copy_from_slice(&3_u32.to_le_bytes()));
    let error = open(&folder).unwrap_err();
    assert!(matches!(error, StoreError::NewerFormat { found: 3 }), "{error}");
    assert_eq!(error.to_string(), "a store of format 3; this program reads format 2");
    // The rest of such a header does not matter.
    alter_header(&folder, |header| header.extend([7; 100]));
    assert!(matches!(open(&folder).unwrap_err(), StoreError::NewerFormat { found: 3 }));
    alter_header(&folder, |header| header[..4].copy_from_slice(&1_u32.to_le_bytes()));
    let error = open(&folder).unwrap_err();
    assert!(matches!(error, StoreError::OlderFormat { found: 1 }), "{error}");
    assert_eq!(error.to_string().lines().count(), 1);
    alter_header(&folder, |header| header[..4].copy_from_slice(&0_u32.to_le_bytes()));
    assert_eq!(*damaged(&open(&folder).unwrap_err()), Part::Header);
}

#[test]
fn every_byte_of_the_header_counts() {
    let folder = Folder::new();
    drop(new_store(&folder));
    let mut length = 0;
    alter_header(&folder, |header| length = header.len());
    assert_eq!(length, 136);
    for at in 4..length {
        alter_header(&folder, |header| header[at] ^= 1);
        let error = open(&folder).unwrap_err();
        match at {
            // Parameters that are out of range, and others that make another key.
            4..16 => assert!(
                matches!(error, StoreError::Damaged(Part::Header) | StoreError::WrongPassphrase),
                "byte {at}: {error}"
            ),
            _ => assert!(matches!(error, StoreError::WrongPassphrase), "byte {at}: {error}"),
        }
        alter_header(&folder, |header| header[at] ^= 1);
    }
    open(&folder).unwrap();
    alter_header(&folder, |header| header.push(0));
    assert_eq!(*damaged(&open(&folder).unwrap_err()), Part::Header);
}

#[test]
fn a_header_cannot_ask_for_all_memory_or_all_time() {
    let folder = Folder::new();
    drop(new_store(&folder));
    for field in [4, 8, 12] {
        alter_header(&folder, |header| header[field..field + 4].fill(0xff));
        assert_eq!(*damaged(&open(&folder).unwrap_err()), Part::Header);
        alter_header(&folder, |header| header[field..field + 4].copy_from_slice(&[8, 0, 0, 0]));
    }
}

#[test]
fn a_value_that_was_altered_is_noticed_in_every_table() {
    for table in TABLES {
        for position in [0, 24, usize::MAX] {
            let (folder, _) = filled();
            alter(&folder, table, |rows| {
                let value = &mut rows[0].1;
                let at = position.min(value.len() - 1);
                value[at] ^= 1;
            });
            let error = open(&folder).unwrap().check().unwrap_err();
            assert_eq!(*damaged(&error), Part::Value { table });
        }
        let (folder, _) = filled();
        alter(&folder, table, |rows| rows[0].1.truncate(39));
        let error = open(&folder).unwrap().check().unwrap_err();
        assert_eq!(*damaged(&error), Part::Value { table });
    }
}

#[test]
fn values_that_were_put_into_each_others_place_are_noticed() {
    for table in ["ceremonies", "requests", "audit"] {
        let (folder, _) = filled();
        alter(&folder, table, |rows| {
            let first = rows[0].1.clone();
            rows[0].1 = std::mem::replace(&mut rows[1].1, first);
        });
        let store = open(&folder).unwrap();
        assert_eq!(*damaged(&store.check().unwrap_err()), Part::Value { table });
    }
    // From another table, and from another store with the same passphrase.
    let (folder, _) = filled();
    let (other, _) = filled();
    let mut taken = Vec::new();
    alter(&folder, "groups", |rows| taken.push(rows[0].1.clone()));
    alter(&other, "keys", |rows| taken.push(rows[0].1.clone()));
    for value in taken {
        alter(&folder, "keys", |rows| rows[0].1 = value);
        let error = open(&folder).unwrap().keys().unwrap_err();
        assert_eq!(*damaged(&error), Part::Value { table: "keys" });
    }
}

#[test]
fn an_audit_log_that_lacks_an_entry_is_noticed() {
    for gone in [0, 1] {
        let (folder, _) = filled();
        alter(&folder, "audit", |rows| drop(rows.remove(gone)));
        let store = open(&folder).unwrap();
        for error in [store.audit(0, 9).unwrap_err(), store.check().unwrap_err()] {
            assert_eq!(*damaged(&error), Part::Audit { found: 1, expected: 2 });
        }
    }
    let (folder, _) = filled();
    alter(&folder, "audit-length", Vec::clear);
    let error = open(&folder).unwrap().audit(0, 9).unwrap_err();
    assert_eq!(*damaged(&error), Part::Audit { found: 2, expected: 0 });
}

#[test]
fn a_cut_does_not_hide_that_an_entry_or_the_record_of_a_cut_is_missing() {
    // The row of an entry that was cut and the row of one that was not are exchanged.
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    store.append_audit(&[entry(&kept, 1), entry(&kept, 2), entry(&kept, 3)]).unwrap();
    drop(store);
    let mut first = Vec::new();
    alter(&folder, "audit", |rows| first.push(rows[0].clone()));
    open(&folder).unwrap().cut_audit(&cut(0, 1)).unwrap();
    alter(&folder, "audit", |rows| {
        rows.remove(1);
        rows.append(&mut first);
    });
    let error = open(&folder).unwrap().check().unwrap_err();
    assert_eq!(*damaged(&error), Part::Audit { found: 1, expected: 2 });

    let (folder, _) = filled();
    alter(&folder, "audit-begin", Vec::clear);
    let error = open(&folder).unwrap().audit(0, 9).unwrap_err();
    assert_eq!(*damaged(&error), Part::Audit { found: 2, expected: 3 });
    for gone in [0, 1] {
        let (folder, _) = filled();
        open(&folder).unwrap().cut_audit(&cut(1, 2)).unwrap();
        alter(&folder, "audit-cuts", |rows| drop(rows.remove(gone)));
        let store = open(&folder).unwrap();
        for error in [store.audit_cuts().unwrap_err(), store.check().unwrap_err()] {
            assert_eq!(*damaged(&error), Part::AuditCuts);
        }
    }
}

#[test]
fn a_store_that_an_older_program_made_gets_the_tables_that_it_lacks() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    store.append_audit(&[entry(&kept, 1)]).unwrap();
    drop(store);
    let database = Database::open(folder.file("store")).unwrap();
    let writing = database.begin_write().unwrap();
    for table in ["audit-begin", "audit-cuts"] {
        assert!(writing.delete_table(Rows::new(table)).unwrap());
    }
    writing.commit().unwrap();
    drop(database);
    let store = open(&folder).unwrap();
    store.check().unwrap();
    assert_eq!(store.audit(0, 9).unwrap().len(), 1);
    store.cut_audit(&cut(0, 1)).unwrap();
    assert_eq!(store.audit_cuts().unwrap(), [cut(0, 1)]);
}

#[test]
fn requests_of_an_older_program_are_found_by_their_messages_and_forgotten_ones_are_not() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    store.backup(folder.file("backup")).unwrap();
    drop(store);
    // Both are for the same messages; this one has changed last.
    let request = kept.request(1);
    let find = |store: &Store| {
        store.check().unwrap();
        let found = store.request_for(request.group(), request.messages(), |_| true).unwrap();
        found.map(|kept| kept.request)
    };
    // A program without the table has added requests, and another one has removed some.
    for name in ["store", "backup"] {
        let database = Database::open(folder.file(name)).unwrap();
        let writing = database.begin_write().unwrap();
        assert!(writing.delete_table(Rows::new("messages")).unwrap());
        writing.commit().unwrap();
    }
    assert_eq!(find(&open(&folder).unwrap()).as_ref(), Some(&request));
    let (backup, restored) = (folder.file("backup"), folder.file("restored"));
    let restored = Store::restore(backup, restored, &passphrase()).unwrap();
    assert_eq!(find(&restored).as_ref(), Some(&request));
    alter(&folder, "requests", Vec::clear);
    alter(&folder, "changes", Vec::clear);
    assert_eq!(find(&open(&folder).unwrap()), None);
}

#[test]
fn a_request_that_its_messages_do_not_lead_to_is_noticed() {
    let (folder, _) = filled();
    alter(&folder, "messages", |rows| rows[0].0[31] ^= 1);
    assert_eq!(*damaged(&open(&folder).unwrap().check().unwrap_err()), Part::Index);
}

#[test]
fn a_second_opener_is_told_that_the_store_is_in_use() {
    let folder = Folder::new();
    let store = new_store(&folder);
    let error = open(&folder).unwrap_err();
    assert!(matches!(error, StoreError::Locked), "{error}");
    assert_eq!(error.to_string().lines().count(), 1);
    drop(store);
    open(&folder).unwrap();
}

#[test]
fn a_new_store_overwrites_nothing_and_leaves_nothing_else_behind() {
    let (folder, before) = filled();
    let error = Store::create(folder.file("store"), &passphrase(), cheap()).unwrap_err();
    assert!(matches!(error, StoreError::Exists(_)), "{error}");
    assert_eq!(everything(&open(&folder).unwrap()), before);
    assert_eq!(folder.files(), 1);
    let error = Store::create(folder.file("no/such/folder"), &passphrase(), cheap()).unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error}");
}
