//! Requests that are put into the store of a stopped node as signed: signing so many takes minutes.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use roastery_bitcoin::wallet::Wallet;
use roastery_protocol::request::{SigningRequest, Subject};
use roastery_store::{Durability, Listing, Passphrase, RequestState, StateKind, Store};

use crate::Failure;

/// The number of requests in one change.
const AT_ONCE: usize = 1000;

/// Puts so many signed requests into a store, with the signatures of one that is there.
pub(crate) fn fill(store: &Path, passphrase: &str, count: usize) -> Result<(), Failure> {
    let store = Store::open(store, &Passphrase::new(passphrase.to_owned()))?;
    let wallet = Wallet::new(store.groups()?.first().ok_or("no group")?.group.clone())?;
    let group = wallet.group().id();
    let (groups, states) = (vec![group], vec![StateKind::Signed]);
    let signed = store.list(&Listing { groups, states, before: u64::MAX, limit: 1 })?;
    let outcome = match signed.first().map(|kept| &kept.state) {
        Some(RequestState::Signed(outcome)) => RequestState::Signed(outcome.clone()),
        _ => return Err("nothing is signed".into()),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    for first in (0..count).step_by(AT_ONCE) {
        store.write(Durability::Deferred, |change| {
            for number in first..count.min(first + AT_ONCE) {
                let text = format!("text {number}, signed before");
                let message =
                    wallet.text_message(&[], &text).expect("the group's own address signs texts");
                let mut id = [0xff; 32];
                id[..8].copy_from_slice(&number.to_le_bytes());
                // A life of an hour, as requests have.
                let request = SigningRequest::new(group, id, now + 3600, vec![message])
                    .expect("one message is a request");
                change.add_request(&request, &Subject::Text(text), None, now)?;
                change.set_request(&request, &outcome, now)?;
            }
            Ok(())
        })?;
    }
    store.sync()?;
    Ok(())
}
