//! Kits in the store: when a host key leaves it, and what is kept for others.

use std::fs;

use roastery_frost::SigningKey;
use roastery_protocol::{
    KeyId, Seat,
    kit::{Kit, SEALED_LENGTH},
};
use roastery_store::{
    Act, ContentError, Deed, KeptKit, Principal, ReturnNoted, SeatReturn, Store, StoreError,
};

use crate::{fixture::*, new_store, support::*};

fn kit_of(kept: &Kept, host: &SigningKey, sealed: u8) -> Kit {
    let of = (kept.group().id(), 0, kept.seats[0].0);
    Kit::new(of, &host.plain_public_key(), &[1; 24], &[sealed; SEALED_LENGTH])
}

fn is_here(store: &Store) -> bool {
    let host = host_key_of_group().plain_public_key();
    let here = store.has_host_key(&host).unwrap();
    assert_eq!(store.host_key(&host).unwrap().is_some(), here);
    here
}

fn key_files(folder: &Folder) -> usize {
    fs::read_dir(folder.file("store.epochs")).map_or(0, Iterator::count)
}

#[test]
fn a_host_key_leaves_the_store_when_its_paper_was_typed_back_and_its_share_is_here() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (host, key) = (host_key_of_group(), kept.group().key_id());
    let store = new_store(&folder);
    let (first, second) = (kit_of(&kept, &host, 1), kit_of(&kept, &host, 2));
    // Without the host key there is nothing that a kit could be of.
    let missing = store.keep_own_kit(key, &first).unwrap_err();
    assert!(matches!(missing, StoreError::Content(ContentError::Missing(_))), "{missing}");
    store.keep_pairing_host_key(&host, [1; 8]).unwrap();
    store.keep_own_kit(key, &first).unwrap();
    let unconfirmed = store.release_host_key(&first).unwrap_err();
    assert!(
        matches!(unconfirmed, StoreError::Content(ContentError::KitNotConfirmed)),
        "{unconfirmed}"
    );
    store.confirm_own_kit(&first).unwrap();
    // No certificate and no share is here yet: with them the host key is needed.
    let early = store.release_host_key(&first).unwrap_err();
    assert!(matches!(early, StoreError::Content(ContentError::Missing(_))), "{early}");
    fill(&store, &kept);
    // Fresh words: the paper before them counts no more, and these were not typed back.
    store.keep_own_kit(key, &second).unwrap();
    for old in [store.release_host_key(&first), store.confirm_own_kit(&first)] {
        let old = old.unwrap_err();
        assert!(matches!(old, StoreError::Content(ContentError::Missing(_))), "{old}");
    }
    assert!(store.release_host_key(&second).is_err() && is_here(&store));
    let held = [(kept.seats[0].0, 7)];
    store.keep_kit_holders(&second, &held).unwrap();
    store.confirm_own_kit(&second).unwrap();
    let files = key_files(&folder);
    store.release_host_key(&second).unwrap();
    assert!(!is_here(&store));
    assert_eq!(key_files(&folder), files - 1);
    // The share stays, and a further kit cannot be made.
    assert!(store.group(kept.group().id()).unwrap().is_some());
    assert!(store.keep_own_kit(key, &first).is_err());
    store.release_host_key(&second).unwrap();
    drop(store);
    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    store.check().unwrap();
    let [own] = store.own_kits().unwrap().try_into().unwrap();
    assert!(own.confirmed && own.kit == second && own.key == key);
    assert_eq!(own.held, held);
    // A backup of after it has the share and no host key.
    store.backup(folder.file("backup")).unwrap();
    let restored = Store::restore(folder.file("backup"), folder.file("restored"), &passphrase());
    let restored = restored.unwrap();
    assert!(!is_here(&restored) && restored.group(kept.group().id()).unwrap().is_some());
}

#[test]
fn of_each_host_key_of_another_member_sixteen_kits_are_kept_and_none_is_dropped() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (host, key) = (host_key_of_group(), kept.group().key_id());
    let store = new_store(&folder);
    let kits: Vec<Kit> = (1..=17).map(|sealed| kit_of(&kept, &host, sealed)).collect();
    for kit in &kits[..16] {
        assert_eq!(store.keep_kit(key, kit).unwrap(), KeptKit::New);
    }
    assert_eq!(store.keep_kit(key, &kits[16]).unwrap(), KeptKit::Refused);
    // What is kept already is no news, and comes to the front.
    assert_eq!(store.keep_kit(key, &kits[15]).unwrap(), KeptKit::Known);
    assert_eq!(store.keep_kit(key, &kits[0]).unwrap(), KeptKit::Known);
    let found = store.kept_kits_of(&host.plain_public_key()).unwrap();
    let newest_first = || [&kits[0]].into_iter().chain(kits[1..16].iter().rev()).cloned();
    assert_eq!(found, newest_first().collect::<Vec<_>>());
    let all = store.kept_kits().unwrap();
    assert_eq!(all, newest_first().map(|kit| (key, kit)).collect::<Vec<_>>());
    assert_eq!(store.kept_kits_of(&host_key_of_plan().plain_public_key()).unwrap(), []);
    store.check().unwrap();
}

#[test]
fn that_a_seat_came_back_is_written_down_once_and_again_after_an_hour_at_the_earliest() {
    const HOUR_MS: u64 = 60 * 60 * 1000;
    let folder = Folder::new();
    let store = new_store(&folder);
    let seat = |at| Seat::new(at).unwrap();
    let host = host_key_of_group().plain_public_key().serialize();
    let (key, told) = (KeyId::from_bytes([9; 32]), Vec::new());
    let news = |through, at_ms, noted_ms| SeatReturn {
        host,
        key,
        seat: seat(2),
        through: seat(through),
        at_ms,
        noted_ms,
        told: told.clone(),
    };
    let operation = "return".to_owned();
    let deed = Deed::Asked { operation, about: "cleo came back".to_owned() };
    let act = Act { time_ms: 1, by: Principal::Node, deed };
    let note = |news: &SeatReturn| store.note_return(news, &act).unwrap();
    let rows = || store.acts(0, 99).unwrap().len();
    assert_eq!(note(&news(1, 5, HOUR_MS)), ReturnNoted::New);
    // It is said again until it was answered.
    assert_eq!(note(&news(1, 5, HOUR_MS + 1)), ReturnNoted::Known);
    for other in [news(1, 6, 2 * HOUR_MS - 1), news(0, 5, 2 * HOUR_MS - 1)] {
        assert_eq!(note(&other), ReturnNoted::TooSoon);
    }
    assert_eq!((rows(), store.returns().unwrap()), (1, vec![news(1, 5, HOUR_MS)]));
    assert_eq!(note(&news(1, 6, 2 * HOUR_MS)), ReturnNoted::New);
    assert_eq!((rows(), store.returns().unwrap()), (2, vec![news(1, 6, 2 * HOUR_MS)]));
    // Who has answered is known after a restart, once each.
    for to in [0, 1, 0] {
        store.return_is_told(&host, seat(to)).unwrap();
    }
    assert_eq!(store.returns().unwrap()[0].told, [seat(0), seat(1)]);
}
