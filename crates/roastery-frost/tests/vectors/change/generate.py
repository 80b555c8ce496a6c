#!/usr/bin/env python3
"""Makes change.json, the golden vectors of docs/keylife.md, with arithmetic of its own.

    generate.py            writes change.json beside this file
    generate.py --check    fails if change.json is another one

It needs nothing but Python 3, and is not constant time: the keys in it are for tests.
"""

import hashlib
import json
import pathlib
import sys

P = 2**256 - 2**32 - 977
Q = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
OUTPUT = pathlib.Path(__file__).with_name("change.json")


# The curve: points are (x, y), and None is infinity.


def add(a, b):
    if a is None:
        return b
    if b is None:
        return a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(scalar, point=G):
    scalar %= Q
    product = None
    while scalar:
        if scalar & 1:
            product = add(product, point)
        point = add(point, point)
        scalar >>= 1
    return product


def total(points):
    result = None
    for point in points:
        result = add(result, point)
    return result


def point_bytes(point):
    return bytes(33) if point is None else bytes([2 + point[1] % 2]) + scalar_bytes(point[0])


def scalar_bytes(scalar):
    return scalar.to_bytes(32, "big")


def u16(number):
    return number.to_bytes(2, "little")


def u32(number):
    return number.to_bytes(4, "little")


# Hashes and signatures of BIP-340, whose three tags have another beginning where it is given.


def tagged(tag, *parts):
    tag = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(tag + tag + b"".join(parts)).digest()


def hashed_scalar(tag, *parts):
    return int.from_bytes(tagged(tag, *parts), "big") % Q


def with_even_y(secret):
    point = multiply(secret)
    return (secret if point[1] % 2 == 0 else Q - secret), scalar_bytes(point[0])


def sign(secret, message, aux, tags="BIP0340"):
    d, x = with_even_y(secret)
    masked = d ^ int.from_bytes(tagged(f"{tags}/aux", aux), "big")
    k, r = with_even_y(hashed_scalar(f"{tags}/nonce", scalar_bytes(masked), x, message))
    challenge = hashed_scalar(f"{tags}/challenge", r, x, message)
    return r + scalar_bytes((k + challenge * d) % Q)


# Polynomials.


def value(coefficients, x):
    result = 0
    for coefficient in reversed(coefficients):
        result = (result * x + coefficient) % Q
    return result


def committed_value(commitments, x):
    result = None
    for commitment in reversed(commitments):
        result = add(multiply(x, result), commitment)
    return result


def weight(dealers, dealer):
    """The interpolating value of `dealer` at zero."""
    above = below = 1
    for other in dealers:
        if other != dealer:
            above = above * (other + 1) % Q
            below = below * (other - dealer) % Q
    return above * pow(below, -1, Q) % Q


# The change.


class Plan:
    def __init__(self, plan, old, t, host_secrets):
        self.id, self.old, self.t, self.n = plan, old, t, len(host_secrets)
        self.host_secrets = host_secrets
        self.host_points = [multiply(secret) for secret in host_secrets]

    def pad(self, shared, dealer, nonce, receiver):
        return hashed_scalar(
            "roastery/1/change/pad",
            point_bytes(shared),
            self.id,
            u16(dealer),
            point_bytes(nonce),
            point_bytes(self.host_points[receiver]),
            u16(receiver),
        )


def deal(plan, dealer, share, aux):
    seed = tagged("roastery/1/change/seed", scalar_bytes(share), plan.id, u16(dealer))
    above = [hashed_scalar("roastery/1/change/coefficient", seed, u16(k)) for k in range(1, plan.t)]
    secret_nonce = hashed_scalar("roastery/1/change/nonce", seed)
    nonce = multiply(secret_nonce)
    commitments = [multiply(coefficient) for coefficient in above]
    encrypted = []
    for receiver, key in enumerate(plan.host_points):
        pad = plan.pad(multiply(secret_nonce, key), dealer, nonce, receiver)
        encrypted.append((value([share, *above], receiver + 1) + pad) % Q)
    content = b"".join([*map(point_bytes, commitments), *map(scalar_bytes, encrypted)])
    digest = tagged("roastery/1/change/content", u32(len(content)), content)
    head = u16(dealer) + point_bytes(nonce) + digest
    head_hash = tagged("roastery/1/change/dealing", plan.id, head)
    signature = sign(share, head_hash, aux, "roastery/1/change/dealing")
    return {
        "dealer": dealer,
        "nonce": nonce,
        "commitments": commitments,
        "encrypted": encrypted,
        "head": head,
        "head_hash": head_hash,
        "signature": signature,
        "bytes": point_bytes(nonce) + content + signature,
    }


def combine(plan, dealings):
    dealings = sorted(dealings, key=lambda dealing: dealing["dealer"])
    dealers = [dealing["dealer"] for dealing in dealings]
    weighted = [(weight(dealers, dealing["dealer"]), dealing) for dealing in dealings]
    commitments = [
        total(multiply(w, dealing["commitments"][k]) for w, dealing in weighted)
        for k in range(plan.t - 1)
    ]
    encrypted = [
        sum(w * dealing["encrypted"][m] for w, dealing in weighted) % Q for m in range(plan.n)
    ]
    assert commitments[-1] is not None
    transcript = b"".join(
        [
            plan.id,
            *(dealing["head"] for dealing in dealings),
            *map(point_bytes, commitments),
            *map(scalar_bytes, encrypted),
        ]
    )
    pads = [
        sum(
            w * plan.pad(multiply(secret, d["nonce"]), d["dealer"], d["nonce"], j)
            for w, d in weighted
        )
        for j, secret in enumerate(plan.host_secrets)
    ]
    shares = [(e - pad) % Q for e, pad in zip(encrypted, pads)]
    key = plan.old["key"]
    public_shares = [committed_value([key, *commitments], m + 1) for m in range(plan.n)]
    assert [multiply(share) for share in shares] == public_shares
    return dealings, transcript, shares, public_shares


# The cases.


def secret(name, *numbers):
    return hashed_scalar("change vectors", name.encode(), *map(u32, numbers))


def random(name, *numbers):
    return tagged("change vectors", name.encode(), *map(u32, numbers))


def first_group(number, t, n):
    polynomial = [secret("coefficient", number, k) for k in range(t)]
    shares = [value(polynomial, i + 1) for i in range(n)]
    return {
        "t": t,
        "key": multiply(polynomial[0]),
        "shares": shares,
        "public_shares": [multiply(share) for share in shares],
    }


def case(number, comment, old, t, n, excluded, choice):
    host_secrets = [secret("host key", number, j) for j in range(n)]
    plan = Plan(random("plan", number), old, t, host_secrets)
    dealers = [i for i in range(len(old["shares"])) if i not in excluded]
    aux = {i: random("dealer's aux_rand", number, i) for i in dealers}
    dealings = {i: deal(plan, i, old["shares"][i], aux[i]) for i in dealers}
    chosen, transcript, shares, public_shares = combine(plan, [dealings[i] for i in choice])
    transcript_hash = tagged("roastery/1/change/transcript", transcript)
    member_aux = [random("member's aux_rand", number, j) for j in range(n)]
    signatures = [sign(s, transcript_hash, a) for s, a in zip(host_secrets, member_aux)]
    by_dealers = [dealing["signature"] for dealing in chosen]
    vector = {
        "comment": comment,
        "plan": plan.id.hex(),
        "old": {
            "t": old["t"],
            "threshold_public_key": point_bytes(old["key"]).hex(),
            "public_shares": [point_bytes(share).hex() for share in old["public_shares"]],
            "shares": [scalar_bytes(share).hex() for share in old["shares"]],
        },
        "excluded": excluded,
        "t": t,
        "host_secret_keys": [scalar_bytes(key).hex() for key in host_secrets],
        "host_public_keys": [point_bytes(key).hex() for key in plan.host_points],
        "dealings": [
            {
                "dealer": i,
                "aux_rand": aux[i].hex(),
                "head": dealings[i]["head"].hex(),
                "head_hash": dealings[i]["head_hash"].hex(),
                "bytes": dealings[i]["bytes"].hex(),
            }
            for i in dealers
        ],
        "choice": choice,
        "transcript": transcript.hex(),
        "transcript_hash": transcript_hash.hex(),
        "member_aux_rand": [aux.hex() for aux in member_aux],
        "signatures": [signature.hex() for signature in signatures],
        "certificate": b"".join([transcript, *by_dealers, *signatures]).hex(),
        "new_public_shares": [point_bytes(share).hex() for share in public_shares],
        "new_shares": [scalar_bytes(share).hex() for share in shares],
    }
    new = {"t": t, "key": old["key"], "shares": shares, "public_shares": public_shares}
    return vector, new


def cases():
    one = first_group(1, 3, 5)
    first, two = case(1, "more members and a higher threshold", one, 4, 7, [], [0, 2, 4])
    second, three = case(2, "a refresh that follows on it", two, 4, 7, [], [1, 3, 5, 6])
    third, _ = case(3, "a removal, and a lower threshold", three, 2, 3, [0, 4, 6], [5, 1, 2, 3])
    small = next(
        group
        for group in (first_group(number, 2, 2) for number in range(2, 100))
        if group["key"][1] % 2 != one["key"][1] % 2
    )
    fourth, _ = case(4, "a key of the other parity, the smallest sizes", small, 2, 2, [], [0, 1])
    alone = first_group(100, 1, 3)
    fifth, _ = case(5, "from a threshold of one", alone, 3, 4, [1], [2])
    return [first, second, third, fourth, fifth]


def main():
    text = json.dumps(cases(), indent=1) + "\n"
    if sys.argv[1:] == ["--check"]:
        if OUTPUT.read_text() != text:
            sys.exit(f"{OUTPUT.name} is not what generate.py makes")
        print(f"{OUTPUT.name} is what generate.py makes")
    else:
        OUTPUT.write_text(text)


main()
