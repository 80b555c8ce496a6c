//! A group with all its shares, which signs without a protocol, and Bitcoin Core's consensus code
//! as the judge.

use std::sync::Arc;

use bitcoin::{
    Amount, OutPoint, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute,
    hashes::Hash as _, hex::FromHex as _, psbt::raw, transaction::Version,
};
use getrandom::SysRng;
use roastery_bitcoin::{
    consensus::check_input,
    message::{to_sign, to_spend},
    psbt::read,
    spend::Spend,
    wallet::{Branch, Wallet},
};
use roastery_frost::{
    GroupKeys, NonceGenInputs, Point, SecretShare, SessionContext, Signature, SigningKey,
    chilldkg::{HostSecretKey, RecoveryData, recover},
    danger_trusted_dealer, decode_point, nonce_agg, nonce_gen, sign,
};
use roastery_protocol::{
    group::{Group, Member, PeerId},
    keys::{HostKey, IdentityKey},
    request::MessageToSign,
};
use zeroize::Zeroizing;

pub struct TestGroup {
    pub group: Arc<Group>,
    shares: Vec<SecretShare>,
}

impl TestGroup {
    /// Any t of n share this key.
    pub fn of(secret: [u8; 32], chain_code: [u8; 32], t: usize, n: usize) -> Self {
        let secret = Zeroizing::new(secret);
        let (keys, shares) =
            danger_trusted_dealer::deal_secret(&secret, t, n, &mut SysRng).unwrap();
        let group = Arc::new(Group::new(keys, chain_code, members(n)).unwrap());
        Self { group, shares }
    }

    /// A group with the shares that ChillDKG's recovery data give all its host keys, of 64
    /// hexadecimal digits each, in the order of the seats.
    pub fn recovered(data: &[u8], chain_code: [u8; 32], host_keys: &[&str]) -> Self {
        let data = RecoveryData::parse(data).unwrap();
        let keys = data.group().clone();
        let share = |key: &&str| {
            let key = Zeroizing::new(<[u8; 32]>::from_hex(key.trim()).unwrap());
            let (output, _) = recover(&HostSecretKey::from_bytes(key).unwrap(), &data).unwrap();
            output.into_parts().0
        };
        let shares: Vec<SecretShare> = host_keys.iter().map(share).collect();
        let group = Group::new(keys, chain_code, members(shares.len())).unwrap();
        Self { group: Arc::new(group), shares }
    }

    /// 3 of 5, with fixed keys.
    pub fn three_of_five() -> Self {
        Self::of([0x11; 32], [0x22; 32], 3, 5)
    }

    pub fn wallet(&self) -> Wallet {
        Wallet::new(self.group.clone()).unwrap()
    }

    pub fn wallet_with(&self, tree: &str) -> Wallet {
        Wallet::with_scripts(self.group.clone(), tree).unwrap()
    }

    /// The last t members sign, each message on its own.
    pub fn sign(&self, messages: &[MessageToSign]) -> Vec<Signature> {
        messages.iter().map(|message| self.sign_one(message)).collect()
    }

    fn sign_one(&self, message: &MessageToSign) -> Signature {
        let seats: Vec<_> =
            self.group.seats().skip(self.group.size() - self.group.threshold()).collect();
        let inputs =
            NonceGenInputs { message: Some(&message.message), ..NonceGenInputs::default() };
        let (secrets, publics): (Vec<_>, Vec<_>) =
            seats.iter().map(|_| nonce_gen(&mut SysRng, &inputs).unwrap()).unzip();
        let signers = self.group.keys().signers(&seats).unwrap();
        let tweaks = message.derivation.tweaks(&self.group).unwrap();
        let aggregate = nonce_agg(&publics);
        let session = SessionContext::new(&signers, &aggregate, &tweaks, &message.message).unwrap();
        let shares: Vec<_> = secrets
            .into_iter()
            .zip(&seats)
            .map(|(nonce, seat)| sign(nonce, &self.shares[seat.index()], *seat, &session).unwrap())
            .collect();
        session.aggregate_verified(&shares).unwrap()
    }
}

fn members(n: usize) -> Vec<Member> {
    let member = |seat| {
        let host = HostKey::new(SigningKey::generate(&mut SysRng).unwrap());
        let identity_key =
            IdentityKey::new(SigningKey::generate(&mut SysRng).unwrap()).public_key();
        let peer = PeerId::new(format!("node {seat}")).unwrap();
        let binding = host.bind(&identity_key, &peer, 0);
        Member { host_key: host.public_key(), identity_key, peer, sequence: 0, binding }
    };
    (0..n).map(member).collect()
}

/// A 2-of-2 of a public key whose secret is unknown here: the shares are points of a line through
/// it.
pub fn public_group(x_only: &[u8; 32]) -> Arc<Group> {
    group_of_key(&[&[2], &x_only[..]].concat().try_into().unwrap(), [0; 32])
}

/// The same of a key of 33 bytes, with a chain code.
pub fn group_of_key(key: &[u8; 33], chain_code: [u8; 32]) -> Arc<Group> {
    let key = decode_point(key).unwrap();
    let first = Point::generator();
    let second = (first + first - key).into_option().unwrap();
    let keys = GroupKeys::new(2, key, vec![first, second]).unwrap();
    Arc::new(Group::new(keys, chain_code, members(2)).unwrap())
}

/// A transaction with an invented input that pays these, numbered so that no two are the same.
pub fn funding(number: u32, outputs: Vec<TxOut>) -> Transaction {
    let elsewhere = OutPoint { txid: Txid::from_byte_array([7; 32]), vout: number };
    Transaction {
        version: Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![input(elsewhere)],
        output: outputs,
    }
}

pub fn input(previous_output: OutPoint) -> TxIn {
    TxIn {
        previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    }
}

pub fn pay(sat: u64, script_pubkey: ScriptBuf) -> TxOut {
    TxOut { value: Amount::from_sat(sat), script_pubkey }
}

/// Another party's output.
pub fn elsewhere() -> ScriptBuf {
    ScriptBuf::from_hex("0014000102030405060708090a0b0c0d0e0f10111213").unwrap()
}

/// A PSBT as this wallet sees it.
pub fn spend_of(psbt: Psbt, wallet: &Wallet) -> Spend {
    Spend::of(read(&psbt.serialize()).unwrap(), wallet)
}

/// A PSBT that spends these outputs, each from a funding transaction of its own, which is there.
pub fn spending(spent: &[TxOut], paid: Vec<TxOut>) -> Psbt {
    let fundings: Vec<Transaction> =
        (0..).zip(spent).map(|(number, output)| funding(number, vec![output.clone()])).collect();
    let inputs =
        fundings.iter().map(|funding| input(OutPoint { txid: funding.compute_txid(), vout: 0 }));
    let mut psbt = Psbt::from_unsigned_tx(Transaction {
        version: Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: inputs.collect(),
        output: paid,
    })
    .unwrap();
    for (fields, (funding, output)) in psbt.inputs.iter_mut().zip(fundings.into_iter().zip(spent)) {
        fields.non_witness_utxo = Some(funding);
        fields.witness_utxo = Some(output.clone());
    }
    psbt
}

/// 100 000 sat at the wallet's first address: 60 000 to another party, 39 000 back, 1000 fee.
pub fn ordinary(wallet: &Wallet) -> Psbt {
    let ours = |branch, index| wallet.script(branch, index).unwrap();
    let paid = vec![pay(60_000, elsewhere()), pay(39_000, ours(Branch::Change, 0))];
    spending(&[pay(100_000, ours(Branch::Receive, 0))], paid)
}

/// A proof of funds (BIP-322): this text, signed as the wallet's address `0/3`, with these outputs
/// of it, in satoshi.
pub fn proof_of_funds(wallet: &Wallet, text: &str, coins: &[u64]) -> Psbt {
    let script = |index| wallet.script(Branch::Receive, index).unwrap();
    let spent = to_spend(script(3), text.as_bytes());
    let outputs: Vec<TxOut> = (10..).zip(coins).map(|(at, sat)| pay(*sat, script(at))).collect();
    let all: Vec<TxOut> = spent.output.iter().cloned().chain(outputs).collect();
    let mut psbt = spending(&all, to_sign(&spent).output);
    psbt.unsigned_tx.version = Version(0);
    psbt.unsigned_tx.input[0].previous_output = OutPoint { txid: spent.compute_txid(), vout: 0 };
    psbt.inputs[0].non_witness_utxo = Some(spent);
    let field = raw::Key { type_value: 0x09, key: Vec::new() };
    psbt.unknown.insert(field, text.as_bytes().to_vec());
    psbt
}

/// Asks Bitcoin Core's consensus code about all inputs.
pub fn judge_all(transaction: &Transaction, spent: &[TxOut]) {
    for input in 0..transaction.input.len() {
        check_input(transaction, input, spent).unwrap();
    }
}
