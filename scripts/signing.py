"""A payment of a group that people have founded, at their terminals: anna asks for it and leaves,
bert approves it, anna fetches the signed transaction."""

import json
import os
import re
import time

from founders import PATIENCE, fail
from payments import psbt, script

MOST_COMMANDS = 3
MOST_SECONDS = 30
# From the approval until every node says that it is signed.
MOST_SECONDS_OF_SIGNING = 2
TO = bytes.fromhex("512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")


def has_payment(person, group):
    """A wallet makes a payment of two coins of the group."""
    status, said = person.tell("wallet", "--group", f"{group}.roastery", "--json")
    if status != 0:
        fail(f"{person.name} has no wallet: {said}")
    wallet = json.loads(said)
    own = [script(one["address"]) for one in wallet["receive"]]
    change = script(wallet["change"][0]["address"])
    coins = [(50_000_000, own[0], 0), (12_340_000, own[1], 1)]
    outputs = [(12_000_000, TO), (50_338_150, change)]
    with open(os.path.join(person.home, "pay.psbt"), "wb") as file:
        file.write(psbt(coins, outputs))


def waits_for(person, request):
    """The request has come to this person's node."""
    begun = time.monotonic()
    while request not in person.tell("requests", "--state", "waiting")[1]:
        if time.monotonic() - begun > PATIENCE:
            fail(f"{request} does not come to {person.name}")
        time.sleep(0.02)


def all_say_signed(people, request):
    """Each node says that it is signed, and those that have signed say by whom: the others learn
    the signatures alone. How long this takes."""
    begun = time.monotonic()
    for person in people:
        by = "" if person.name == "cleo" else ": anna, bert"
        while True:
            said = person.tell("requests", "--all")[1]
            if re.search(rf"{request} .* signed{by}\n", said):
                break
            if time.monotonic() - begun > PATIENCE:
                fail(f"{person.name} does not say that {request} is signed{by}: {said}")
    return time.monotonic() - begun


def signs(people):
    """What is printed of it; whether a bound is exceeded."""
    anna, bert, _ = people
    for person in people:
        person.forget_costs()
    has_payment(anna, "treasury")
    begun = time.monotonic()
    asking = anna.types_command("psbt", "sign", "pay.psbt")
    asking.sees("PAYMENT from treasury, not proposed yet")
    asking.sees(r"propose it to the others\? .*\[y/N\]: ")
    asking.types("y")
    request = asking.sees(r"Request ([0-9a-f]{8})\. Ctrl-C ends nothing")
    asking.leaves()
    waits_for(bert, request)
    reviewing = bert.types_command("review")
    reviewing.sees("PAYMENT from treasury, proposed by anna")
    reviewing.sees(r"q quit : ")
    reviewing.types("y")
    signing = all_say_signed(people, request)
    reviewing.sees("Approved, and signed")
    reviewing.ends_well()
    fetching = anna.types_command("fetch", "--out", "signed.psbt")
    fetching.sees("Written: signed.psbt")
    fetching.ends_well()
    taken = time.monotonic() - begun
    status, said = anna.tell("psbt", "check", "signed.psbt")
    if status != 0 or not said.startswith("valid: Bitcoin Core's consensus code"):
        fail(f"what anna has fetched is not valid: {said}")
    return report(people, taken, signing)


def report(people, taken, signing):
    busy = os.getloadavg()[0] > os.cpu_count()
    commands = sum(person.commands for person in people)
    rows = [("commands of all", MOST_COMMANDS, commands, True),
            ("seconds without people", MOST_SECONDS, taken, not busy),
            ("until all say signed", MOST_SECONDS_OF_SIGNING, signing, not busy)]
    print(f"{'':26}{'at most':>9}")
    exceeded = []
    for what, most, measured, judged in rows:
        shown = measured if isinstance(measured, int) else f"{measured:.1f}"
        note = "" if judged else "   not judged: this machine is busy"
        print(f"{what:26}{most:>9}{shown:>9}{note}")
        if measured > most and judged:
            exceeded.append(what)
    for person in people[:2]:
        print(f"{person.name + ', seconds':26}{'':9}{person.seconds():>9.0f}")
    return exceeded
