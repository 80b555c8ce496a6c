"""Payments of a group in other libraries: each makes a PSBT from the group's descriptor, the group
signs it, and the library takes it back. Prints a table."""

import base64
import sys
from pathlib import Path

from embit.script import address_to_scriptpubkey

from group import Group
from judge import Coin, judge
from makers import makers

# How many inputs; 200 take four sessions.
SIZES = [1, 2, 5, 64, 200]
COIN = 100_000
PAY = 20_000
FEE = 500
# A pay-to-witness-public-key-hash output of another.
ELSEWHERE = "0014" + "07" * 20

# What stands before a signature: the field of the key path, or a final witness.
BEFORE = {"partial": bytes.fromhex("011340"), "final": bytes.fromhex("0108420140")}


def altered(signed, kind):
    """The PSBT with another signature in its last input."""
    psbt = bytearray(base64.b64decode(signed))
    at = psbt.rindex(BEFORE[kind]) + len(BEFORE[kind])
    psbt[at + 40] ^= 1
    return base64.b64encode(psbt).decode()


def round_trip(group, folder, maker, count, version, kind):
    """Whether the library itself refuses a signature that is not valid. An error if it does not
    take the right ones, or if what it makes is not valid."""
    places = [(1 if number % 5 == 4 else 0, number) for number in range(count)]
    # Each transaction is another one, and signed anew.
    label = f"{maker.name} {version} {kind}"
    coins = [Coin.make(label, maker.script(*place), *place, COIN) for place in places]
    change = {"branch": 1, "index": 1000, "amount": count * (COIN - PAY - FEE)}
    pay = {"script": ELSEWHERE, "amount": count * PAY}
    made = maker.make(coins, pay, change, version)
    file = Path(folder) / "payment.psbt"
    file.write_text(made)
    options = ["--partial"] if kind == "partial" else []
    signed = group.signed("psbt", "sign", file, "--group", "local", "--yes", *options)
    if signed["left"]:
        raise ValueError(f"not complete: {signed['left']}")
    final = maker.finish(made, signed["psbt"], kind)
    judge(final, coins, pay, change, maker.script(1, change["index"]))
    try:
        maker.finish(made, altered(signed["psbt"], kind), kind)
    except Exception:
        return "yes"
    return "no"


def tried(group, folder, maker, version, kind):
    """The cells of a row, and the errors."""
    cells, errors, refuses = [], [], set()
    for count in SIZES:
        try:
            refuses.add(round_trip(group, folder, maker, count, version, kind))
            cells.append("yes")
        except Exception as error:
            cells.append("no")
            errors.append(f"{maker.name}, version {version}, {kind}, {count}: {error!r}"[:600])
    return [*cells, "/".join(sorted(refuses)) or "-"], errors


def other_addresses(wallet, maker):
    """Addresses that the library derives otherwise than roastery."""
    return [
        f"{maker.name}: {branch}/{entry['index']} is not {entry['address']}"
        for branch, name in enumerate(["receive", "change"]) for entry in wallet[name]
        if maker.script(branch, entry["index"])
        != address_to_scriptpubkey(entry["address"]).data.hex()
    ]


def main(program, libraries):
    unexpected = []
    with Group(program, libraries) as group:
        wallet = group.wallet("main", "--count", "100")
        print(f"| library | PSBT | signatures | {' | '.join(map(str, SIZES))} | checks them |")
        print("|---|---|---|" + "---|" * (len(SIZES) + 1))
        for maker in makers(libraries, wallet["descriptor"]):
            unexpected += other_addresses(wallet, maker)
            for version in maker.versions:
                for kind in ("final", "partial"):
                    cells, errors = tried(group, libraries, maker, version, kind)
                    print(f"| {maker.name} | {version} | {kind} | {' | '.join(cells)} |",
                          flush=True)
                    if kind not in maker.kinds and len(errors) == len(SIZES):
                        continue
                    unexpected += errors
    if unexpected:
        sys.exit("\n".join(unexpected))


if __name__ == "__main__":
    main(*sys.argv[1:])
