"""Signatures of texts (BIP-322): those of a group in other programs, and theirs in roastery."""

import sys
from collections import Counter
from importlib.metadata import version

import bip322
from btclib.key import PrvKeyData
from btclib_wallet import bip322 as btclib
from embit import ec, script
from embit.networks import NETWORKS

from group import Group
from node import Node, node_version

# An address of the group, of its wallet, of its change, and of an account.
PATHS = ["", "0/7", "1/3", "5/0/2"]
TEXTS = ["We, the treasury", " two\nlines \U0001f600 \u00e9 ", "x" * 4096]
# The exit status of roastery verify; it judges nothing where --network and the address disagree.
ANSWERS = ["accepted", "refused", "not judged"]
ACCEPTED, REFUSED, NOT_JUDGED = range(3)
NETWORK_KINDS = {"main": "mainnet", "signet": "testnet"}
KINDS = ["P2TR", "P2WPKH", "P2SH-P2WPKH", "P2PKH"]


class Counted:
    """What was tried, and what came out otherwise than it must."""

    def __init__(self, title):
        self.title = title
        self.tried = {}
        self.wrong = []

    def expect(self, row, what, expected, seen):
        self.tried.setdefault(row, Counter())[expected] += 1
        if seen != expected:
            self.wrong.append(f"{row}: {what}: {ANSWERS[seen]} in place of {ANSWERS[expected]}")

    def report(self):
        print(f"{self.title:68}" + "".join(f"{answer:>13}" for answer in ANSWERS))
        for row, count in self.tried.items():
            print(f"  {row:66}" + "".join(f"{count[number]:13}" for number in range(len(ANSWERS))))
        print()
        if self.wrong or not self.tried:
            sys.exit("\n".join(self.wrong[:20]) or "nothing was tried")


def answer(verify, *arguments):
    """What a program's verification says; an error is a refusal."""
    try:
        return REFUSED if verify(*arguments) is False else ACCEPTED
    except (ValueError, RuntimeError, bip322.VerificationError):
        return REFUSED


def other_signature(signature):
    """The signature with another character in it."""
    at = len(signature) // 2
    return signature[:at] + ("A" if signature[at] != "A" else "B") + signature[at + 1:]


def signed_by_the_group(group, verifiers, counted):
    elsewhere = group.wallet("main", "--count", "1")["receive"][0]["address"]
    for path in PATHS:
        for text in TEXTS:
            made = group.signed("sign", "--group", "local", "--text", text, "--path", path)
            address = made["subject"]["address"]
            on_signet = script.address_to_scriptpubkey(address).address(NETWORKS["signet"])
            for name, (verify, taken) in verifiers.items():
                for form, signature in made["text_signature"].items():
                    if form not in taken:
                        counted.expect(f"{name}: {form}, which it does not know", path, REFUSED,
                                       answer(verify, address, text, signature))
                        continue
                    row = f"{name}: {form}"
                    counted.expect(row, path, ACCEPTED, answer(verify, address, text, signature))
                    # The same script: BIP-322 signs scripts, and names no network.
                    counted.expect(f"{row}, the key's address on signet", path, ACCEPTED,
                                   answer(verify, on_signet, text, signature))
                    for what, wrong in {
                        "another text": (address, text + " ", signature),
                        "another address": (elsewhere, text, signature),
                        "another signature": (address, text, other_signature(signature)),
                    }.items():
                        counted.expect(row, f"{path} {what}", REFUSED, answer(verify, *wrong))


def others_address(kind, key, network):
    public = key.get_public_key()
    scripts = {
        "P2TR": script.p2tr(public),
        "P2WPKH": script.p2wpkh(public),
        "P2SH-P2WPKH": script.p2sh(script.p2wpkh(public)),
        "P2PKH": script.p2pkh(public),
    }
    return scripts[kind].address(NETWORKS[network])


def signed_by_others(group, signers, counted):
    def verified(*options):
        return group.call("verify", *options).returncode

    for number in range(1, 9):
        for network in NETWORK_KINDS:
            # The key is a number: nothing is kept by it.
            key = ec.PrivateKey(number.to_bytes(32, "big"), network=NETWORKS[network])
            another = ec.PrivateKey((number + 1).to_bytes(32, "big"))
            other_network = "signet" if network == "main" else "main"
            for name, (sign, kinds) in signers.items():
                for kind, valid in kinds.items():
                    address = others_address(kind, key, network)
                    text = f"{TEXTS[1]}{number}"
                    signature = sign(key, network, address, text)
                    said = ["--text", text, "--signature", signature]
                    here, row = ["--address", address], f"{name}: {kind}"
                    if not valid:
                        counted.expect(f"{row}, by a form that BIP-322 has not", network, REFUSED,
                                       verified(*here, *said))
                        continue
                    elsewhere = others_address(kind, another, network)
                    altered = other_signature(signature)
                    for expected, what in [
                        (ACCEPTED, [*here, *said]),
                        (ACCEPTED, [*here, "--network", network, *said]),
                        (REFUSED, [*here, "--text", text + " ", "--signature", signature]),
                        (REFUSED, ["--address", elsewhere, *said]),
                        (REFUSED, [*here, "--text", text, "--signature", altered]),
                        (NOT_JUDGED, [*here, "--network", other_network, *said]),
                    ]:
                        counted.expect(row, " ".join(what), expected, verified(*what))


def main(program, libraries):
    node = Node(libraries, "texts.mjs")
    names = {name: f"{name} {version(name)}" for name in ("btclib-wallet", "bip322")}
    names["bip322-js"] = f"bip322-js {node_version(libraries, 'bip322-js')}"

    def by_btclib(key, network, address, text):
        key = PrvKeyData(int.from_bytes(key.secret, "big"), NETWORK_KINDS[network], True)
        return btclib.sign(text.encode(), key, address).b64encode()

    def by_bip322_js(key, network, address, text):
        return node.ask(do="sign", key=key.wif(), address=address, text=text)

    verifiers = {
        names["btclib-wallet"]: (
            lambda address, text, signature: btclib.verify(text.encode(), address, signature),
            ("simple", "unprefixed", "full")),
        names["bip322"]: (bip322.verify_simple_encoded, ("unprefixed",)),
        names["bip322-js"]: (
            lambda address, text, signature: node.ask(
                do="verify", address=address, text=text, signature=signature),
            ("unprefixed",)),
    }
    signers = {
        names["btclib-wallet"]: (by_btclib, dict.fromkeys(KINDS, True)),
        # For the last two it makes what BIP-322 has not: the form simple of an address that is not
        # native SegWit, and a signature of BIP-137.
        names["bip322-js"]: (by_bip322_js, {
            "P2TR": True, "P2WPKH": True, "P2SH-P2WPKH": False, "P2PKH": False}),
    }
    with Group(program, libraries) as group:
        counted = Counted("what others say about the group's signatures")
        signed_by_the_group(group, verifiers, counted)
        counted.report()
        counted = Counted("what roastery verify says about others' signatures")
        signed_by_others(group, signers, counted)
        counted.report()


main(*sys.argv[1:])
