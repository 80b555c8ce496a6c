//! A chain of this process, served as Bitcoin Core and Esplora serve theirs.
//!
//! No block has work: a source is not asked for it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, Network, OutPoint, ScriptBuf, Sequence, Transaction,
    TxIn, TxMerkleNode, TxOut, Witness, absolute,
    block::{Header, Version},
    consensus::encode,
    constants::genesis_block,
    hashes::{Hash as _, sha256},
    hex::{DisplayHex as _, FromHex as _},
    transaction,
};
use serde_json::{Value, json};

/// The blocks and the mempool of the double. No block has work: a source is not asked for it.
#[derive(Default)]
pub struct Chain {
    blocks: Vec<Block>,
    pub mempool: Vec<Transaction>,
    pub sent: Vec<Transaction>,
    /// What is answered in place of everything else.
    pub instead: Option<Vec<u8>>,
    pub asked: usize,
    /// Whether an Esplora server takes no transaction.
    pub refuses: bool,
}

impl Chain {
    fn new() -> Self {
        Self { blocks: vec![genesis_block(Network::Regtest)], ..Self::default() }
    }

    pub fn height(&self) -> u32 {
        self.blocks.len() as u32 - 1
    }

    /// Adds a block with these transactions, which leave the mempool.
    pub fn mine(&mut self, transactions: Vec<Transaction>) {
        let previous = self.blocks.last().unwrap().block_hash();
        self.mempool.retain(|held| !transactions.contains(held));
        let mut txdata = vec![coinbase(self.blocks.len() as u64)];
        txdata.extend(transactions);
        let header = Header {
            version: Version::TWO,
            prev_blockhash: previous,
            merkle_root: TxMerkleNode::all_zeros(),
            time: 1_800_000_000 + self.height() * 600,
            bits: CompactTarget::from_consensus(0x207f_ffff),
            nonce: 0,
        };
        let mut block = Block { header, txdata };
        block.header.merkle_root = block.compute_merkle_root().unwrap();
        self.blocks.push(block);
    }

    /// Adds a block whose reward this script has.
    pub fn mine_to(&mut self, script: ScriptBuf) {
        self.mine(Vec::new());
        let block = self.blocks.last_mut().unwrap();
        block.txdata[0].output[0] =
            TxOut { value: Amount::from_sat(5_000_000), script_pubkey: script };
        block.header.merkle_root = block.compute_merkle_root().unwrap();
    }

    /// Takes the last blocks off, as at the beginning of a reorganisation.
    pub fn unwind(&mut self, count: usize) {
        let left = self.blocks.len() - count;
        self.blocks.truncate(left);
    }

    fn find(&self, hash: &str) -> Option<&Block> {
        self.blocks.iter().find(|block| block.block_hash().to_string() == hash)
    }
}

/// Marks blocks of a fork: it makes their coinbases other ones.
pub static FORK: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

fn coinbase(height: u64) -> Transaction {
    let fork = FORK.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let text = [height.to_le_bytes(), fork.to_le_bytes()].concat();
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig: ScriptBuf::from_bytes(text),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut { value: Amount::from_sat(50), script_pubkey: ScriptBuf::new() }],
    }
}

/// The double, and how to reach it.
#[derive(Clone)]
pub struct Double {
    chain: Arc<Mutex<Chain>>,
    pub address: SocketAddr,
    cookie: Arc<tempdir::Cookie>,
}

mod tempdir {
    use std::path::PathBuf;

    /// A file with user and password, removed in the end.
    pub struct Cookie(pub PathBuf);

    impl Drop for Cookie {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

impl Double {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let file = format!("roastery-cookie-{}-{}", std::process::id(), address.port());
        let file = std::env::temp_dir().join(file);
        std::fs::write(&file, "__cookie__:secret").unwrap();
        let cookie = Arc::new(tempdir::Cookie(file));
        let double = Self { chain: Arc::new(Mutex::new(Chain::new())), address, cookie };
        let serving = double.chain.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let chain = serving.clone();
                thread::spawn(move || serve(stream.unwrap(), &chain));
            }
        });
        double
    }

    pub fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap()
    }

    pub fn cookie(&self) -> &std::path::Path {
        &self.cookie.0
    }
}

/// Answers requests of one connection, one after the other.
fn serve(stream: TcpStream, chain: &Mutex<Chain>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let (mut length, mut allowed) = (0, false);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                break;
            }
            let line = line.to_ascii_lowercase();
            if let Some(count) = line.strip_prefix("content-length:") {
                length = count.trim().parse().unwrap();
            }
            // Of "__cookie__:secret", in base64.
            allowed |= line.starts_with("authorization: basic x19jb29raw");
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let mut chain = chain.lock().unwrap();
        chain.asked += 1;
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let (status, answer) = match chain.instead.clone() {
            Some(answer) => (200, answer),
            None if path == "/" && !allowed => (401, Vec::new()),
            None if path == "/" => (200, rpc(&mut chain, &body)),
            None => esplora(&mut chain, path.trim_start_matches("/api"), &body),
        };
        drop(chain);
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", answer.len());
        if writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&answer)).is_err() {
            return;
        }
    }
}

fn rpc(chain: &mut Chain, body: &[u8]) -> Vec<u8> {
    let call: Value = serde_json::from_slice(body).unwrap();
    let params = call["params"].as_array().unwrap().clone();
    let text = |at: usize| params[at].as_str().unwrap().to_owned();
    let missing = |code: i64| json!({ "code": code, "message": "there is no such thing" });
    let (result, error) = match call["method"].as_str().unwrap() {
        "getblockcount" => (json!(chain.height()), Value::Null),
        "getblockhash" => match chain.blocks.get(params[0].as_u64().unwrap() as usize) {
            Some(block) => (json!(block.block_hash()), Value::Null),
            None => (Value::Null, missing(-8)),
        },
        "getblock" => match chain.find(&text(0)) {
            Some(block) => (json!(encode::serialize(block).to_lower_hex_string()), Value::Null),
            None => (Value::Null, missing(-5)),
        },
        "getrawmempool" => {
            let ids: Vec<_> = chain.mempool.iter().map(Transaction::compute_txid).collect();
            (json!(ids), Value::Null)
        }
        "getrawtransaction" => {
            let id = text(0);
            let found = chain.mempool.iter().find(|held| held.compute_txid().to_string() == id);
            match found {
                Some(held) => (json!(encode::serialize(held).to_lower_hex_string()), Value::Null),
                None => (Value::Null, missing(-5)),
            }
        }
        "estimatesmartfee" => {
            // A float would make another number of it.
            let answer = "{\"result\":{\"feerate\":0.00012345,\"blocks\":6},\"error\":null}";
            return answer.as_bytes().to_vec();
        }
        "sendrawtransaction" => {
            let bytes = Vec::<u8>::from_hex(&text(0)).unwrap();
            let sent: Transaction = encode::deserialize(&bytes).unwrap();
            let id = sent.compute_txid();
            chain.mempool.push(sent.clone());
            chain.sent.push(sent);
            (json!(id), Value::Null)
        }
        other => panic!("{other} is not asked for"),
    };
    json!({ "result": result, "error": error, "id": 1 }).to_string().into_bytes()
}

fn esplora(chain: &mut Chain, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let missing = (404, b"not found".to_vec());
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts[..] {
        ["blocks", "tip", "height"] => (200, chain.height().to_string().into_bytes()),
        ["block-height", height] => match chain.blocks.get(height.parse::<usize>().unwrap()) {
            Some(block) => (200, block.block_hash().to_string().into_bytes()),
            None => missing,
        },
        ["fee-estimates"] => (200, b"{\"1\":9.5,\"6\":12.345678,\"144\":1}".to_vec()),
        ["tx"] if chain.refuses => (400, b"sendrawtransaction RPC error: refused".to_vec()),
        ["tx", id, "status"] => {
            // An unknown id has the same answer as one in no block.
            let mined = chain.blocks.iter().flat_map(|block| &block.txdata);
            let confirmed = mined.into_iter().any(|held| held.compute_txid().to_string() == id);
            (200, json!({ "confirmed": confirmed }).to_string().into_bytes())
        }
        ["tx"] => {
            let bytes = Vec::<u8>::from_hex(std::str::from_utf8(body).unwrap()).unwrap();
            let sent: Transaction = encode::deserialize(&bytes).unwrap();
            chain.mempool.push(sent.clone());
            chain.sent.push(sent);
            (200, Vec::new())
        }
        ["tx", id, "raw"] => {
            let all = chain.blocks.iter().flat_map(|block| &block.txdata).chain(&chain.mempool);
            let found = all.into_iter().find(|held| held.compute_txid().to_string() == id);
            found.map_or(missing, |held| (200, encode::serialize(held)))
        }
        ["scripthash", name, "txs"] => (200, history(chain, name, None)),
        ["scripthash", name, "txs", "chain", after] => (200, history(chain, name, Some(after))),
        _ => panic!("{path} is not asked for"),
    }
}

/// The transactions that pay to or spend from a script: the mempool's, and 25 of blocks.
fn history(chain: &Chain, name: &str, after: Option<&str>) -> Vec<u8> {
    let all: Vec<&Transaction> =
        chain.blocks.iter().flat_map(|block| &block.txdata).chain(&chain.mempool).collect();
    let is_it = |output: &TxOut| {
        sha256::Hash::hash(output.script_pubkey.as_bytes()).to_byte_array().to_lower_hex_string()
            == name
    };
    let concerns = |held: &Transaction| {
        held.output.iter().any(is_it)
            || held.input.iter().any(|input| {
                let previous =
                    all.iter().find(|known| known.compute_txid() == input.previous_output.txid);
                previous.is_some_and(|known| {
                    known.output.get(input.previous_output.vout as usize).is_some_and(is_it)
                })
            })
    };
    let mut listed = Vec::new();
    if after.is_none() {
        for held in chain.mempool.iter().filter(|held| concerns(held)) {
            listed.push(json!({ "txid": held.compute_txid(), "status": { "confirmed": false } }));
        }
    }
    let mut confirmed: Vec<(u32, BlockHash, u32, String)> = Vec::new();
    for (height, block) in chain.blocks.iter().enumerate().rev() {
        for held in block.txdata.iter().filter(|held| concerns(held)) {
            let id = held.compute_txid().to_string();
            confirmed.push((height as u32, block.block_hash(), block.header.time, id));
        }
    }
    let from = match after {
        None => 0,
        Some(id) => confirmed.iter().position(|held| held.3 == id).unwrap() + 1,
    };
    for (height, hash, time, id) in confirmed.into_iter().skip(from).take(25) {
        listed.push(json!({ "txid": id, "status": {
            "confirmed": true, "block_height": height, "block_hash": hash, "block_time": time,
        } }));
    }
    json!(listed).to_string().into_bytes()
}
