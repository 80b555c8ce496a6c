"""One member's cryptography by btclib-ecc: reads a question and prints an answer, a line of JSON
each. crates/roastery-frost/examples/btclib_ecc.rs asks."""

import json
import sys

from btclib_ecc.ecc import frost


def nonce(question):
    secret, public = frost.nonce_gen_(
        question["rand"], question["secshare"], question["id"], question["pubshare"],
        question["key"], question["msg"], question["extra_in"],
    )
    return {"secnonce": secret.hex(), "pubnonce": public.hex()}


def context(question):
    aggregate = frost.nonce_agg(question["pubnonces"])
    return aggregate, frost.SessionContext(
        question["n"], question["t"], question["ids"], question["pubshares"],
        question["thresh_pk"], aggregate, question["tweaks"], question["is_xonly"],
        question["msg"],
    )


def wrong(question):
    """The positions of the signers whose partial signature is not valid."""
    return [
        at for at, psig in enumerate(question["psigs"])
        if not frost.partial_sig_verify(
            psig, question["pubnonces"], question["n"], question["t"], question["ids"],
            question["pubshares"], question["thresh_pk"], question["tweaks"],
            question["is_xonly"], question["msg"], at,
        )
    ]


def sign(question):
    aggregate, session = context(question)
    secret = bytearray.fromhex(question["secnonce"])
    psig = frost.sign(secret, question["secshare"], question["ids"][0], session)
    psigs = [psig.hex(), *question["psigs"][1:]]
    signature = frost.partial_sig_agg(psigs, session)
    key = frost.thresh_pubkey_and_tweak(
        question["thresh_pk"], question["tweaks"], question["is_xonly"]
    )
    return {
        "aggnonce": aggregate.hex(),
        "key": key.x_only_pub_key.hex(),
        "psig": psig.hex(),
        "signature": signature.r.to_bytes(32, "big").hex() + signature.s.to_bytes(32, "big").hex(),
        "wrong": wrong(question),
    }


ANSWERS = {"nonce": nonce, "sign": sign, "judge": lambda question: {"wrong": wrong(question)}}

for line in sys.stdin:
    question = json.loads(line)
    print(json.dumps(ANSWERS[question["do"]](question)), flush=True)
