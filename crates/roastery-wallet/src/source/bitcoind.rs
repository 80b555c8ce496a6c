//! Bitcoin Core, by its JSON-RPC.

use std::{collections::BTreeSet, fs::File, io::Read as _};

use bdk_wallet::{
    bitcoin::{
        Amount, Block, BlockHash, Denomination, FeeRate, Transaction, Txid,
        consensus::encode,
        hex::{DisplayHex as _, FromHex as _},
    },
    chain::BlockId,
};
use bitcoin::base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use zeroize::Zeroizing;

use super::{
    Deadline, Found, FoundBlock, Login, MOST_AT_ONCE, Patience, Question, SourceError, TARGET,
    http::Http,
};

/// The longest answer that has a block: of 4,000,000 weight units, in hexadecimal digits.
const MOST_BLOCK: u64 = 8_100_000;

/// The longest list of what is in no block yet: about 900,000 transactions.
const MOST_LIST: u64 = 64 * 1024 * 1024;

/// The longest answer to any other question.
const MOST_OTHER: u64 = 1024 * 1024;

/// The most blocks, and the most transactions in no block yet, that are asked for at once.
const MOST_ASKED: usize = 500;

/// The longest file with user and password.
const MOST_LOGIN: u64 = 1024;

/// The code by which Core says that a transaction is in a block already.
const IN_CHAIN: i64 = -27;

/// Codes by which Core says that there is no such thing.
const NO_SUCH: [i64; 2] = [-5, -8];

#[derive(Debug)]
pub(super) struct Bitcoind {
    http: Http,
    login: Login,
    start_height: u32,
    /// What is in no block yet and was looked at.
    seen: BTreeSet<Txid>,
    mempool_read: bool,
}

#[derive(Deserialize)]
struct RpcAnswer<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<RpcError>,
}

#[derive(Deserialize)]
struct RpcError {
    code: i64,
    message: String,
}

enum Failure {
    Source(SourceError),
    Rpc(RpcError),
}

impl From<Failure> for SourceError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Source(error) => error,
            Failure::Rpc(error) => SourceError::says(&error.message),
        }
    }
}

impl Bitcoind {
    pub(super) fn new(url: &str, login: Login, start_height: u32, patience: Patience) -> Self {
        let http = Http::new(url, patience.answer);
        Self { http, login, start_height, seen: BTreeSet::new(), mempool_read: false }
    }

    pub(super) fn begin(&mut self) {
        self.mempool_read = false;
    }

    pub(super) fn next(
        &mut self,
        question: &Question,
        deadline: Deadline,
    ) -> Result<Option<Found>, SourceError> {
        if let Some(found) = self.blocks(question, deadline)? {
            return Ok(Some(found));
        }
        if self.mempool_read {
            return Ok(None);
        }
        self.mempool(deadline).map(Some)
    }

    /// The blocks after the last one that the wallet and Core have in common. A wallet that knows
    /// all of them gets an empty list once, to know that it does.
    fn blocks(
        &mut self,
        question: &Question,
        deadline: Deadline,
    ) -> Result<Option<Found>, SourceError> {
        let count: u32 = self.ask("getblockcount", json!([]), MOST_OTHER, deadline)?;
        let mut base = None;
        for known in question.tip.iter().filter(|known| known.height() <= count) {
            if self.hash_at(known.height(), deadline)? == known.hash() {
                base = Some(known.block_id());
                break;
            }
        }
        let Some(mut after) = base else {
            return Err(SourceError::OtherChain(question.network.to_string()));
        };
        let mut height = match after.height {
            0 => self.start_height.clamp(1, count.max(1)),
            height => height + 1,
        };
        if height > count {
            return Ok(None);
        }
        let (mut blocks, mut size) = (Vec::new(), 0);
        while height <= count && blocks.len() < MOST_ASKED && size < MOST_AT_ONCE {
            let hash = self.hash_at(height, deadline)?;
            let digits: String = self.ask("getblock", json!([hash, 0]), MOST_BLOCK, deadline)?;
            size += digits.len() / 2;
            let block: Block = decoded(&digits)?;
            if block.block_hash() != hash {
                return Err(SourceError::answer("a block has another hash than was asked for"));
            }
            if after.height + 1 == height && block.header.prev_blockhash != after.hash {
                // The chain has changed meanwhile: what fits is taken, the rest is asked for anew.
                break;
            }
            blocks.push(FoundBlock { block, height, after });
            after = BlockId { height, hash };
            height += 1;
        }
        Ok(Some(Found::Blocks { last: height > count, blocks }))
    }

    /// What is in no block yet, as far as it was not looked at before.
    fn mempool(&mut self, deadline: Deadline) -> Result<Found, SourceError> {
        let listed: BTreeSet<Txid> = self.ask("getrawmempool", json!([]), MOST_LIST, deadline)?;
        self.seen.retain(|txid| listed.contains(txid));
        let unseen: Vec<Txid> = listed.difference(&self.seen).copied().collect();
        let (mut new, mut size) = (Vec::new(), 0);
        let mut asked = 0;
        for txid in unseen.iter().take(MOST_ASKED) {
            if size >= MOST_AT_ONCE {
                break;
            }
            asked += 1;
            self.seen.insert(*txid);
            let digits: String =
                match self.call("getrawtransaction", json!([txid, 0]), MOST_BLOCK, deadline) {
                    Ok(digits) => digits,
                    // It has left meanwhile.
                    Err(Failure::Rpc(error)) if NO_SUCH.contains(&error.code) => continue,
                    Err(error) => return Err(error.into()),
                };
            size += digits.len() / 2;
            let transaction: Transaction = decoded(&digits)?;
            if transaction.compute_txid() != *txid {
                return Err(SourceError::answer("a transaction has another id than was asked for"));
            }
            new.push(transaction);
        }
        let whole = asked == unseen.len();
        self.mempool_read = whole;
        Ok(Found::Mempool { listed, new, whole })
    }

    pub(super) fn broadcast(
        &self,
        transaction: &Transaction,
        deadline: Deadline,
    ) -> Result<(), SourceError> {
        let digits = encode::serialize(transaction).to_lower_hex_string();
        let sent: Result<Txid, Failure> =
            self.call("sendrawtransaction", json!([digits]), MOST_OTHER, deadline);
        match sent {
            Ok(_) => Ok(()),
            Err(Failure::Rpc(error)) if error.code == IN_CHAIN => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn fee_rate(&self, deadline: Deadline) -> Result<Option<FeeRate>, SourceError> {
        #[derive(Deserialize)]
        struct Estimate {
            feerate: Option<Box<RawValue>>,
        }
        let estimate: Estimate =
            self.ask("estimatesmartfee", json!([TARGET]), MOST_OTHER, deadline)?;
        let Some(rate) = estimate.feerate else { return Ok(None) };
        // BTC for 1000 virtual bytes, which are 4000 weight units.
        let rate = Amount::from_str_in(rate.get(), Denomination::Bitcoin);
        let rate = rate.map_err(SourceError::answer)?;
        Ok(Some(FeeRate::from_sat_per_kwu(rate.to_sat().div_ceil(4))))
    }

    fn hash_at(&self, height: u32, deadline: Deadline) -> Result<BlockHash, SourceError> {
        self.ask("getblockhash", json!([height]), MOST_OTHER, deadline)
    }

    fn ask<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        params: serde_json::Value,
        most: u64,
        deadline: Deadline,
    ) -> Result<T, SourceError> {
        self.call(method, params, most, deadline).map_err(SourceError::from)
    }

    fn call<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        params: serde_json::Value,
        most: u64,
        deadline: Deadline,
    ) -> Result<T, Failure> {
        let body = json!({ "jsonrpc": "1.0", "id": 1, "method": method, "params": params });
        let login = self.login().map_err(Failure::Source)?;
        let answer = self
            .http
            .post("/", body.to_string().as_bytes(), Some(&login), most, deadline)
            .map_err(Failure::Source)?;
        if [401, 403].contains(&answer.status.as_u16()) {
            return Err(Failure::Source(SourceError::Login));
        }
        let wrong = |error: serde_json::Error| Failure::Source(SourceError::answer(error));
        let RpcAnswer { result, error } = serde_json::from_slice(&answer.body).map_err(wrong)?;
        if let Some(error) = error {
            return Err(Failure::Rpc(error));
        }
        let none = || Failure::Source(SourceError::answer("it has no result"));
        serde_json::from_str(result.ok_or_else(none)?.get()).map_err(wrong)
    }

    /// The value of the header `Authorization`.
    fn login(&self) -> Result<Zeroizing<String>, SourceError> {
        let Login::File(file) = &self.login;
        let error = |reason: String| SourceError::LoginFile { file: file.clone(), reason };
        let mut text = Zeroizing::new(String::new());
        File::open(file)
            .and_then(|opened| opened.take(MOST_LOGIN + 1).read_to_string(&mut text))
            .map_err(|failed| error(failed.to_string()))?;
        let line = text.trim_end_matches(['\r', '\n']);
        let printable = line.chars().all(|shown| !shown.is_control());
        if text.len() as u64 > MOST_LOGIN || !line.contains(':') || !printable {
            let reason = "allowed is one line, USER:PASSWORD, of 1024 bytes at most";
            return Err(error(reason.to_owned()));
        }
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(line));
        Ok(Zeroizing::new(format!("Basic {}", *encoded)))
    }
}

/// What hexadecimal digits encode, all of them.
pub(super) fn decoded<T: encode::Decodable>(digits: &str) -> Result<T, SourceError> {
    let bytes = Vec::<u8>::from_hex(digits).map_err(SourceError::answer)?;
    encode::deserialize(&bytes).map_err(SourceError::answer)
}
