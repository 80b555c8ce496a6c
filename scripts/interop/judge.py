"""Coins of the group, and whether a transaction that spends them is valid."""

import hashlib
from dataclasses import dataclass

from btclib.script.engine import verify_transaction
from btclib.script.witness import Witness
from btclib.tx import Tx
from embit.script import Script
from embit.transaction import Transaction, TransactionInput, TransactionOutput


@dataclass
class Coin:
    """An output of the group's and the transaction that made it."""

    id: str
    output: int
    transaction: str
    script: str
    amount: int
    branch: int
    index: int

    @classmethod
    def make(cls, label, script, branch, index, amount):
        """A coin of a transaction that no chain has, another one for each label. Another output
        stands before it."""
        source = hashlib.sha256(f"{label} {branch}/{index}".encode()).digest()
        made = Transaction(
            vin=[TransactionInput(source, 0)],
            vout=[TransactionOutput(1_000, Script(bytes([0, 20, *[9] * 20]))),
                  TransactionOutput(amount, Script(bytes.fromhex(script)))])
        return cls(made.txid().hex(), 1, made.serialize().hex(), script, amount, branch, index)


def judge(transaction, coins, pay, change, change_script):
    """Refuses a transaction that is not the payment, or that btclib's script interpreter refuses,
    and one that passes with a signature that was changed."""
    tx = Tx.parse(transaction)
    if [(vin.prev_out.tx_id.hex(), vin.prev_out.vout) for vin in tx.vin] != [
            (coin.id, coin.output) for coin in coins]:
        raise ValueError("the transaction spends other coins")
    paid = sorted((out.value, out.script_pub_key.script.hex()) for out in tx.vout)
    if paid != sorted([(pay["amount"], pay["script"]), (change["amount"], change_script)]):
        raise ValueError("the transaction pays otherwise")
    spent = [Tx.parse(coin.transaction).vout[coin.output] for coin in coins]
    verify_transaction(spent, tx)
    signature = bytearray(tx.vin[-1].script_witness.stack[0])
    signature[40] ^= 1
    tx.vin[-1].script_witness = Witness([bytes(signature)])
    try:
        verify_transaction(spent, tx)
    except Exception:
        return
    raise ValueError("a changed signature passes")
