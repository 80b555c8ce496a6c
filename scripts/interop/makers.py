"""Libraries that make PSBTs from a descriptor and take them back signed."""

from importlib.metadata import version

import bdkpython as bdk
from btclib.fee import FeeRate
from btclib.tx import Tx, TxOut
from btclib_wallet.psbt import Psbt, assert_signatures_only, assert_signed, extract_tx, finalize
from btclib_wallet.psbt.psbt_in import PsbtIn
from btclib_wallet.tx_builder import build_psbt
from btclib_wallet.wallet.descriptor_wallet import DescriptorWallet
from embit.descriptor import Descriptor
from embit.finalizer import finalize_psbt
from embit.psbt import PSBT, DerivationPath
from embit.script import Script
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from node import Node, node_version


# What a library takes back: final witnesses, or signatures in their fields.
BOTH = ("final", "partial")


class Bdk:
    versions = [0]
    kinds = BOTH

    def __init__(self, descriptor):
        self.name = f"bdkpython {version('bdkpython')}"
        self.wallet = bdk.Wallet.create_from_two_path_descriptor(
            bdk.Descriptor(descriptor, bdk.NetworkKind.MAIN), bdk.Network.BITCOIN,
            bdk.Persister.new_in_memory())

    @staticmethod
    def kind(branch):
        return [bdk.KeychainKind.EXTERNAL, bdk.KeychainKind.INTERNAL][branch]

    def derived(self, branch, index):
        return self.wallet.peek_address(self.kind(branch), index).address.script_pubkey()

    def script(self, branch, index):
        return self.derived(branch, index).to_bytes().hex()

    def make(self, coins, pay, change, _version):
        for coin in coins:
            self.wallet.reveal_addresses_to(self.kind(coin.branch), coin.index)
        made = [bdk.Transaction(bytes.fromhex(coin.transaction)) for coin in coins]
        self.wallet.apply_unconfirmed_txs([bdk.UnconfirmedTx(tx=tx, last_seen=1) for tx in made])
        points = [bdk.OutPoint(txid=tx.compute_txid(), vout=coin.output)
                  for tx, coin in zip(made, coins, strict=True)]
        paid = [(bdk.Script(bytes.fromhex(pay["script"])), pay["amount"]),
                (self.derived(1, change["index"]), change["amount"])]
        fee = sum(coin.amount for coin in coins) - pay["amount"] - change["amount"]
        builder = bdk.TxBuilder().add_utxos(points).manually_selected_only()
        builder = builder.ordering(bdk.TxOrdering.UNTOUCHED)
        for script, amount in paid:
            builder = builder.add_recipient(script, bdk.Amount.from_sat(amount))
        builder = builder.fee_absolute(bdk.Amount.from_sat(fee))
        return builder.finish(self.wallet).serialize()

    def finish(self, _made, signed, _kind):
        result = bdk.Psbt(signed).finalize()
        if not result.could_finalize:
            raise ValueError(f"not finalized: {result.errors}")
        return bytes(result.psbt.extract_tx().serialize()).hex()


class Embit:
    versions = [0, 2]
    # It does not read the field of a key path's signature.
    kinds = ("final",)

    def __init__(self, descriptor):
        self.name = f"embit {version('embit')}"
        self.descriptor = Descriptor.from_string(descriptor)

    def derived(self, branch, index):
        return self.descriptor.derive(index, branch_index=branch)

    def script(self, branch, index):
        return self.derived(branch, index).script_pubkey().data.hex()

    def mark(self, scope, branch, index):
        key = self.derived(branch, index).keys[0]
        origin = key.origin
        scope.taproot_internal_key = key.get_public_key()
        scope.taproot_bip32_derivations[key.get_public_key()] = (
            [], DerivationPath(origin.fingerprint, origin.derivation))

    def make(self, coins, pay, change, version):
        script = Script(bytes.fromhex(self.script(1, change["index"])))
        psbt = PSBT(Transaction(
            vin=[TransactionInput(bytes.fromhex(coin.id), coin.output) for coin in coins],
            vout=[TransactionOutput(pay["amount"], Script(bytes.fromhex(pay["script"]))),
                  TransactionOutput(change["amount"], script)]), version=version or None)
        for scope, coin in zip(psbt.inputs, coins, strict=True):
            scope.non_witness_utxo = Transaction.parse(bytes.fromhex(coin.transaction))
            scope.witness_utxo = scope.non_witness_utxo.vout[coin.output]
            self.mark(scope, coin.branch, coin.index)
        self.mark(psbt.outputs[1], 1, change["index"])
        return psbt.to_string()

    def finish(self, _made, signed, _kind):
        final = finalize_psbt(PSBT.from_string(signed))
        if final is None:
            raise ValueError("not finalized")
        return final.serialize().hex()


class Btclib:
    versions = [0, 2]
    kinds = BOTH

    def __init__(self, descriptor):
        self.name = f"btclib-wallet {version('btclib-wallet')}"
        self.wallet = DescriptorWallet.from_descriptor(descriptor)

    def script(self, branch, index):
        return self.wallet.script_pub_key(branch, index).script.hex()

    def make(self, coins, pay, change, version):
        inputs = []
        for coin in coins:
            previous = Tx.parse(coin.transaction)
            inputs.append(PsbtIn(
                non_witness_utxo=previous, witness_utxo=previous.vout[coin.output],
                previous_tx_id=coin.id, output_index=coin.output))
        outputs = [TxOut(pay["amount"], pay["script"]),
                   TxOut(change["amount"], self.script(1, change["index"]))]
        psbt = build_psbt(inputs, outputs, FeeRate.from_sats_per_vbyte(1), None).psbt
        for number, coin in enumerate(coins):
            psbt = self.wallet.update_psbt_input(psbt, number, coin.branch, coin.index)
        psbt = self.wallet.update_psbt_output(psbt, 1, 1, change["index"])
        return (psbt.to_v2() if version == 2 else psbt).b64encode()

    def finish(self, made, signed, kind):
        signed = Psbt.b64decode(signed)
        if kind == "partial":
            assert_signatures_only(Psbt.b64decode(made), signed)
            assert_signed(signed)
            signed = finalize(signed)
        return extract_tx(signed).serialize(include_witness=True).hex()


class InNode:
    kinds = BOTH

    def __init__(self, node, libraries, library, versions, descriptor):
        self.name = f"{library} {node_version(libraries, library)}"
        self.versions = versions
        self.asked = {"library": library, "descriptor": descriptor}
        self.node = node

    def script(self, branch, index):
        return self.node.ask(do="script", branch=branch, index=index, **self.asked)

    def make(self, coins, pay, change, version):
        coins = [vars(coin) for coin in coins]
        return self.node.ask(do="make", coins=coins, pay=pay, change=change, version=version,
                             **self.asked)

    def finish(self, _made, signed, kind):
        return self.node.ask(do="finish", signed=signed, kind=kind, **self.asked)


def makers(libraries, descriptor):
    node = Node(libraries, "payments.mjs")
    yield from (maker(descriptor) for maker in (Bdk, Embit, Btclib))
    yield InNode(node, libraries, "bitcoinjs-lib", [0], descriptor)
    yield InNode(node, libraries, "@scure/btc-signer", [0, 2], descriptor)
