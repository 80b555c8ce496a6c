//! An Esplora server.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
    sync::Arc,
};

use bdk_wallet::{
    KeychainKind,
    bitcoin::{
        BlockHash, FeeRate, ScriptBuf, Transaction, Txid,
        consensus::encode,
        hashes::{Hash as _, sha256},
        hex::DisplayHex as _,
    },
    chain::{BlockId, CheckPoint, ConfirmationBlockTime, TxUpdate},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Deadline, Found, GAP, MOST_AT_ONCE, MOST_TRANSACTIONS, Patience, Question, SourceError, TARGET,
    http::Http, update_of,
};
use crate::amount;

/// The longest answer that has a page of transactions.
const MOST_PAGE: u64 = 32 * 1024 * 1024;

/// The longest answer with one transaction.
const MOST_TRANSACTION: u64 = 4_000_000;

/// The longest answer to any other question.
const MOST_OTHER: u64 = 64 * 1024;

/// How many transactions of blocks a whole page has.
const PAGE: usize = 25;

#[derive(Debug)]
pub(super) struct Esplora {
    http: Http,
    read: bool,
}

#[derive(Deserialize)]
struct Listed {
    txid: Txid,
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    confirmed: bool,
    block_height: Option<u32>,
    block_hash: Option<BlockHash>,
    block_time: Option<u64>,
}

/// One reading of all addresses.
struct Reading<'a> {
    source: &'a Esplora,
    question: &'a Question,
    deadline: Deadline,
    update: TxUpdate<ConfirmationBlockTime>,
    found: BTreeSet<Txid>,
    size: usize,
    at: u64,
}

impl Esplora {
    pub(super) fn new(url: &str, patience: Patience) -> Self {
        Self { http: Http::new(url, patience.answer), read: false }
    }

    pub(super) fn begin(&mut self) {
        self.read = false;
    }

    pub(super) fn next(
        &mut self,
        question: &Question,
        deadline: Deadline,
    ) -> Result<Option<Found>, SourceError> {
        if self.read {
            return Ok(None);
        }
        let tip: u32 = self.number("/blocks/tip/height", deadline)?;
        let base = self.common(question, tip, deadline)?;
        let at = question.at;
        let (update, found) = (TxUpdate::default(), BTreeSet::new());
        let mut reading = Reading { source: self, question, deadline, update, found, size: 0, at };
        let mut active = BTreeMap::new();
        for (branch, revealed) in question.branches() {
            if let Some(last) = reading.branch(branch, revealed)? {
                active.insert(branch, last);
            }
        }
        let update = reading.update;
        let chain = self.chain(question, base, tip, &update, deadline)?;
        self.read = true;
        Ok(Some(Found::History { update: update_of(update, active, chain), last: true }))
    }

    /// The last block that the wallet knows and the server has.
    fn common(
        &self,
        question: &Question,
        tip: u32,
        deadline: Deadline,
    ) -> Result<CheckPoint, SourceError> {
        for known in question.tip.iter().filter(|known| known.height() <= tip) {
            if self.hash_at(known.height(), deadline)? == known.hash() {
                return Ok(known);
            }
        }
        Err(SourceError::OtherChain(question.network.to_string()))
    }

    /// The blocks from what both have to the server's last one, with those of transactions. A block
    /// that is another by now than when its transaction was looked up is left out, and so the
    /// transaction is in no block until it is read again.
    fn chain(
        &self,
        question: &Question,
        base: CheckPoint,
        tip: u32,
        update: &TxUpdate<ConfirmationBlockTime>,
        deadline: Deadline,
    ) -> Result<CheckPoint, SourceError> {
        let anchors = update.anchors.iter().map(|(anchor, _)| anchor.block_id.height);
        // What the wallet knows above is replaced, block by block.
        let replaced = question.tip.iter().map(|known| known.height());
        let replaced = replaced.take_while(|height| *height > base.height());
        let heights: BTreeSet<u32> = anchors.chain(replaced).chain([tip]).collect();
        let mut chain = base;
        for height in heights.into_iter().filter(|height| *height <= tip) {
            if chain.get(height).is_none() {
                let hash = self.hash_at(height, deadline)?;
                chain = chain.insert(BlockId { height, hash });
            }
        }
        Ok(chain)
    }

    pub(super) fn broadcast(
        &self,
        transaction: &Transaction,
        deadline: Deadline,
    ) -> Result<(), SourceError> {
        let digits = encode::serialize(transaction).to_lower_hex_string();
        let answer = self.http.post("/tx", digits.as_bytes(), None, MOST_OTHER, deadline)?;
        if answer.status.is_success() {
            return Ok(());
        }
        // One that is there already is sent. Only its bytes show that: the status of an unknown id
        // is answered like that of one in no block.
        let txid = transaction.compute_txid();
        let there = self.http.get(&format!("/tx/{txid}/raw"), MOST_TRANSACTION, deadline);
        let there = there.is_ok_and(|known| {
            let read = encode::deserialize::<Transaction>(&known.body);
            known.status.is_success() && read.is_ok_and(|read| read.compute_txid() == txid)
        });
        if there { Ok(()) } else { Err(SourceError::says(answer.text()?)) }
    }

    pub(super) fn fee_rate(&self, deadline: Deadline) -> Result<Option<FeeRate>, SourceError> {
        let rates: BTreeMap<String, Box<RawValue>> =
            self.json("/fee-estimates", MOST_OTHER, deadline)?;
        let Some(rate) = rates.get(&TARGET.to_string()) else { return Ok(None) };
        // More digits than a rate has are of no use.
        let text = rate.get();
        let end = text.find('.').map_or(text.len(), |point| (point + 3).min(text.len()));
        let text = text.get(..end).unwrap_or(text).trim_end_matches('.');
        Ok(amount::fee_rate(text).ok())
    }

    fn hash_at(&self, height: u32, deadline: Deadline) -> Result<BlockHash, SourceError> {
        self.number(&format!("/block-height/{height}"), deadline)
    }

    fn number<T: FromStr<Err: std::fmt::Display>>(
        &self,
        path: &str,
        deadline: Deadline,
    ) -> Result<T, SourceError> {
        let answer = self.http.get(path, MOST_OTHER, deadline)?;
        match answer.status.is_success() {
            true => answer.text()?.parse().map_err(SourceError::answer),
            false => Err(SourceError::says(answer.text()?)),
        }
    }

    fn json<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        most: u64,
        deadline: Deadline,
    ) -> Result<T, SourceError> {
        let answer = self.http.get(path, most, deadline)?;
        match answer.status.is_success() {
            true => serde_json::from_slice(&answer.body).map_err(SourceError::answer),
            false => Err(SourceError::says(answer.text()?)),
        }
    }
}

impl Reading<'_> {
    /// Looks up the addresses of a branch: those that were given out, and as many beyond the last
    /// one that was paid to as members may have given out. Returns the last one that was paid to.
    fn branch(&mut self, branch: KeychainKind, revealed: u32) -> Result<Option<u32>, SourceError> {
        let mut last = None;
        let scripts = self.question.scripts_of(branch);
        for (index, script) in scripts {
            let until = last.map_or(0, |last: u32| last + 1).max(revealed).saturating_add(GAP);
            if index >= until {
                break;
            }
            if self.address(&script)? {
                last = Some(index);
            }
        }
        Ok(last)
    }

    /// Looks up the transactions of one address. Returns whether there are any.
    fn address(&mut self, script: &ScriptBuf) -> Result<bool, SourceError> {
        let name = sha256::Hash::hash(script.as_bytes()).to_byte_array().to_lower_hex_string();
        let mut path = format!("/scripthash/{name}/txs");
        let mut any = false;
        loop {
            let page: Vec<Listed> = self.source.json(&path, MOST_PAGE, self.deadline)?;
            let in_blocks = page.iter().filter(|listed| listed.status.confirmed).count();
            let last = page.iter().rfind(|listed| listed.status.confirmed).map(|last| last.txid);
            any |= !page.is_empty();
            let before = self.found.len();
            for listed in page {
                self.transaction(listed)?;
            }
            // A page that has nothing new is the last one, whatever the server says.
            let Some(last) = last.filter(|_| in_blocks >= PAGE && self.found.len() > before) else {
                return Ok(any);
            };
            path = format!("/scripthash/{name}/txs/chain/{last}");
        }
    }

    fn transaction(&mut self, listed: Listed) -> Result<(), SourceError> {
        let Listed { txid, status } = listed;
        if !self.found.insert(txid) {
            return Ok(());
        }
        if self.found.len() > MOST_TRANSACTIONS {
            return Err(SourceError::answer(format!("more than {MOST_TRANSACTIONS} transactions")));
        }
        match status {
            Status {
                confirmed: true,
                block_height: Some(height),
                block_hash: Some(hash),
                block_time: Some(time),
            } => {
                let block_id = BlockId { height, hash };
                let anchor = ConfirmationBlockTime { block_id, confirmation_time: time };
                self.update.anchors.insert((anchor, txid));
            }
            _ => {
                self.update.seen_ats.insert((txid, self.at));
            }
        }
        if self.question.known.contains(&txid) {
            return Ok(());
        }
        let path = format!("/tx/{txid}/raw");
        let answer = self.source.http.get(&path, MOST_TRANSACTION, self.deadline)?;
        if !answer.status.is_success() {
            return Err(SourceError::says(answer.text()?));
        }
        self.size += answer.body.len();
        if self.size > 4 * MOST_AT_ONCE {
            return Err(SourceError::answer("more transactions than are taken at once"));
        }
        let transaction: Transaction =
            encode::deserialize(&answer.body).map_err(SourceError::answer)?;
        if transaction.compute_txid() != txid {
            return Err(SourceError::answer("a transaction has another id than was asked for"));
        }
        self.update.txs.push(Arc::new(transaction));
        Ok(())
    }
}
