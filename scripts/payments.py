"""Payments of a group as PSBTs, for scripts that play people."""


def script(address):
    """The output script of a Taproot address."""
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    values = [letters.index(letter) for letter in address.rsplit("1", 1)[1][1:-6]]
    number = 0
    for value in values:
        number = number << 5 | value
    spare = len(values) * 5 % 8
    return b"\x51\x20" + (number >> spare).to_bytes(len(values) * 5 // 8, "big")


def psbt(coins, outputs):
    """A payment of coins, as (amount, script, number of an invented transaction), to outputs."""
    def sized(data):
        size = len(data)
        return (bytes([size]) if size < 253 else b"\xfd" + size.to_bytes(2, "little")) + data

    inputs = b"".join(bytes([7 + at]) * 32 + bytes(4) + b"\0" + b"\xfd\xff\xff\xff"
                      for _, _, at in coins)

    def output(sat, to):
        return sat.to_bytes(8, "little") + sized(to)
    paid = b"".join(output(*one) for one in outputs)
    tx = (2).to_bytes(4, "little") + bytes([len(coins)]) + inputs + bytes([len(outputs)]) + paid + bytes(4)
    maps = b"".join(b"\x01\x01" + sized(output(sat, to)) + b"\0" for sat, to, _ in coins)
    return b"psbt\xff\x01\x00" + sized(tx) + b"\0" + maps + b"\0" * len(outputs)
