// Payments by bitcoinjs-lib and @scure/btc-signer, asked by payments.py: each makes a PSBT of the
// group's coins, and takes it back signed.
import * as ecc from "@bitcoinerlab/secp256k1";
import { HDKey } from "@scure/bip32";
import * as scure from "@scure/btc-signer";
import { BIP32Factory } from "bip32";
import * as bitcoin from "bitcoinjs-lib";
import { answer } from "./answer.mjs";

bitcoin.initEccLib(ecc);
const bip32 = BIP32Factory(ecc);
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (data) => Buffer.from(data).toString("hex");
const base64 = (data) => Buffer.from(data).toString("base64");

// tr([FINGERPRINT]XPUB/<0;1>/*), as roastery wallet prints it.
function read(descriptor) {
  const found = /^tr\(\[([0-9a-f]{8})\]([0-9A-Za-z]+)\/<0;1>\/\*\)#[a-z0-9]{8}$/.exec(descriptor);
  if (!found) throw new Error(`not the descriptor of a key: ${descriptor}`);
  return { fingerprint: found[1], xpub: found[2] };
}

const bitcoinjs = {
  key({ descriptor, branch, index }) {
    const { fingerprint, xpub } = read(descriptor);
    const pubkey = bip32.fromBase58(xpub).derive(branch).derive(index).publicKey.slice(1, 33);
    const masterFingerprint = bytes(fingerprint);
    return { pubkey, masterFingerprint, path: `m/${branch}/${index}`, leafHashes: [] };
  },
  script(where) {
    return bitcoin.payments.p2tr({ internalPubkey: this.key(where).pubkey }).output;
  },
  make({ descriptor, coins, pay, change }) {
    const psbt = new bitcoin.Psbt();
    for (const coin of coins) {
      const derivation = this.key({ descriptor, ...coin });
      const previous = bitcoin.Transaction.fromHex(coin.transaction);
      psbt.addInput({
        hash: previous.getId(),
        index: coin.output,
        nonWitnessUtxo: bytes(coin.transaction),
        witnessUtxo: { script: bytes(coin.script), value: BigInt(coin.amount) },
        tapInternalKey: derivation.pubkey,
        tapBip32Derivation: [derivation],
      });
    }
    psbt.addOutput({ script: bytes(pay.script), value: BigInt(pay.amount) });
    const derivation = this.key({ descriptor, ...change });
    psbt.addOutput({
      script: this.script({ descriptor, ...change }),
      value: BigInt(change.amount),
      tapInternalKey: derivation.pubkey,
      tapBip32Derivation: [derivation],
    });
    return psbt.toBase64();
  },
  finish({ signed, kind }) {
    const psbt = bitcoin.Psbt.fromBase64(signed);
    if (kind === "partial") {
      const verify = (key, hash, signature) => ecc.verifySchnorr(hash, key, signature);
      if (!psbt.validateSignaturesOfAllInputs(verify)) throw new Error("a signature is not valid");
      psbt.finalizeAllInputs();
    }
    return psbt.extractTransaction().toHex();
  },
};

const btcSigner = {
  payment({ descriptor, branch, index }) {
    const { fingerprint, xpub } = read(descriptor);
    const key = HDKey.fromExtendedKey(xpub).deriveChild(branch).deriveChild(index);
    const payment = scure.p2tr(key.publicKey.slice(1), undefined, scure.NETWORK);
    const der = { fingerprint: parseInt(fingerprint, 16), path: [branch, index] };
    const tapBip32Derivation = [[payment.tapInternalKey, { hashes: [], der }]];
    return { ...payment, tapBip32Derivation };
  },
  script(where) {
    return this.payment(where).script;
  },
  make({ descriptor, coins, pay, change, version }) {
    const transaction = new scure.Transaction({ PSBTVersion: version });
    for (const coin of coins) {
      const { tapInternalKey, tapBip32Derivation } = this.payment({ descriptor, ...coin });
      transaction.addInput({
        txid: coin.id,
        index: coin.output,
        nonWitnessUtxo: bytes(coin.transaction),
        witnessUtxo: { script: bytes(coin.script), amount: BigInt(coin.amount) },
        tapInternalKey,
        tapBip32Derivation,
      });
    }
    transaction.addOutput({ script: bytes(pay.script), amount: BigInt(pay.amount) });
    const { script, tapInternalKey, tapBip32Derivation } = this.payment({ descriptor, ...change });
    const amount = BigInt(change.amount);
    transaction.addOutput({ script, amount, tapInternalKey, tapBip32Derivation });
    return base64(transaction.toPSBT(version));
  },
  finish({ signed, kind }) {
    const transaction = scure.Transaction.fromPSBT(Uint8Array.from(Buffer.from(signed, "base64")));
    if (kind === "partial") transaction.finalize();
    return hex(transaction.extract());
  },
};

const libraries = { "bitcoinjs-lib": bitcoinjs, "@scure/btc-signer": btcSigner };

await answer({
  script: (question) => hex(libraries[question.library].script(question)),
  make: (question) => libraries[question.library].make(question),
  finish: (question) => libraries[question.library].finish(question),
});
