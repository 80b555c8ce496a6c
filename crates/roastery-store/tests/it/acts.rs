//! Acts: who has asked for what, in one chain with the shares that have left.

use roastery_store::{
    ContentError, Durability, KeptToken, MAX_TEXT, MAX_TOKENS, Part, Store, StoreError,
};

use crate::{fixture::*, new_store, support::*};

#[test]
fn acts_and_shares_make_one_chain_over_restarts_cuts_and_backups() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    store.append_audit(&[entry(&kept, 0), entry(&kept, 1)]).unwrap();
    store.append_act(&asked(2, "first")).unwrap();
    let before = store.check_chain().unwrap();
    store.append_audit(&[entry(&kept, 3)]).unwrap();
    // A share changes the chain, as an act does.
    assert_ne!(store.check_chain().unwrap().hash, before.hash);
    drop(store);
    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    store.append_act(&asked(4, "second")).unwrap();
    let head = store.check_chain().unwrap();
    assert_eq!((head.acts, head.begun), (2, 0));
    let acts = store.acts(0, 9).unwrap();
    assert_eq!(
        acts.iter().map(|(number, kept)| (*number, kept.shares)).collect::<Vec<_>>(),
        [(0, 2), (1, 3)]
    );
    assert_eq!(acts[1].1.act, asked(4, "second"));
    assert_eq!(store.acts(1, 9).unwrap(), acts[1..]);
    // What is cut is passed over, and what follows is checked.
    store.cut_audit(&cut(0, 1)).unwrap();
    store.append_audit(&[entry(&kept, 5)]).unwrap();
    let head = store.check_chain().unwrap();
    store.backup(folder.file("backup")).unwrap();
    let restored = Store::restore(folder.file("backup"), folder.file("other"), &passphrase());
    assert_eq!(restored.unwrap().check_chain().unwrap(), head);
}

#[test]
fn an_act_is_kept_with_what_it_causes_or_not_at_all() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let failed = store.write(Durability::Synced, |transaction| {
        transaction.append_act(&asked(1, "first"))?;
        transaction
            .append_audit(&[roastery_store::AuditEntry { messages: Vec::new(), ..entry(&kept, 2) }])
    });
    refusal(failed.unwrap_err());
    assert_eq!(store.acts(0, 9).unwrap(), []);
    let wordy = store.append_act(&asked(1, &"a".repeat(MAX_TEXT + 1)));
    let expected = ContentError::TextTooLong { length: MAX_TEXT + 1, most: MAX_TEXT };
    assert_eq!(refusal(wordy.unwrap_err()).to_string(), expected.to_string());
    assert_eq!(store.check_chain().unwrap().acts, 0);
}

#[test]
fn a_store_from_before_there_was_a_chain_is_whole_and_its_backup_is_restored() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    store.append_audit(&[entry(&kept, 0), entry(&kept, 1)]).unwrap();
    drop(store);
    crate::damage::alter(&folder, "acts-head", Vec::clear);
    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    store.check().unwrap();
    let head = store.check_chain().unwrap();
    assert_eq!((head.acts, head.begun, head.hash), (0, 2, [0; 32]));
    store.backup(folder.file("backup")).unwrap();
    let into = folder.file("other");
    let restored = Store::restore(folder.file("backup"), into, &passphrase()).unwrap();
    assert_eq!(restored.check_chain().unwrap(), head);
    // The chain begins with what comes next.
    restored.append_act(&asked(3, "first")).unwrap();
    restored.append_audit(&[entry(&kept, 4)]).unwrap();
    let head = restored.check_chain().unwrap();
    assert_eq!((head.acts, head.begun), (1, 2));
    drop((store, restored));
    // An act without an end of the chain is damage.
    std::fs::rename(folder.file("other"), folder.file("store")).unwrap();
    crate::damage::alter(&folder, "acts-head", Vec::clear);
    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    let broken = store.check().unwrap_err();
    assert!(matches!(broken, StoreError::Damaged(Part::Chain { act: 0 })), "{broken}");
}

#[test]
fn a_missing_act_is_found() {
    for missing in [0, 1] {
        let folder = Folder::new();
        let store = new_store(&folder);
        store.append_act(&asked(1, "first")).unwrap();
        store.append_act(&asked(2, "second")).unwrap();
        drop(store);
        crate::damage::alter(&folder, "acts", |rows| drop(rows.remove(missing)));
        let store = Store::open(folder.file("store"), &passphrase()).unwrap();
        let broken = store.check().unwrap_err();
        assert!(matches!(broken, StoreError::Damaged(Part::Chain { .. })), "{broken}");
    }
}

#[test]
fn tokens_are_kept_by_name_up_to_a_bound_and_are_in_no_backup() {
    let folder = Folder::new();
    let store = new_store(&folder);
    let token =
        |name: String| KeptToken { name, sha256: [7; 32], acts: false, made: 8, expires: Some(9) };
    let keep = |name: String| {
        store.write(Durability::Synced, |transaction| transaction.keep_token(&token(name)))
    };
    for number in 0..MAX_TOKENS {
        assert!(keep(number.to_string()).unwrap());
    }
    assert!(!keep("7".to_owned()).unwrap(), "there is one of this name");
    refusal(keep("more".to_owned()).unwrap_err());
    let remove = |name: &str| {
        store.write(Durability::Synced, |transaction| transaction.remove_token(name)).unwrap()
    };
    assert!(remove("7") && !remove("7"));
    assert!(keep("more".to_owned()).unwrap());
    let all = store.tokens().unwrap();
    assert_eq!((all.len(), all.last()), (MAX_TOKENS, Some(&token("more".to_owned()))));
    store.backup(folder.file("backup")).unwrap();
    drop(store);
    // Neither in a backup nor in a copy of the file that is restored: one may be revoked since.
    std::fs::copy(folder.file("store"), folder.file("copied")).unwrap();
    for backup in ["backup", "copied"] {
        let into = folder.file(&format!("{backup}-restored"));
        let restored = Store::restore(folder.file(backup), into, &passphrase()).unwrap();
        assert_eq!(restored.tokens().unwrap(), []);
    }
}
