"""Changing a value of the codec and keeping it one: so that fuzzing gets past the codec, to what reads its values."""

import random

from openline.kernel.codec import Value, decode, encode
from openline.kernel.errors import Refused

NUMBERS = (
    0, 1, 2, 3, 7, 8, 16, 23, 24, 31, 32, 64, 255, 256, 512, 513, 1_024, 4_096, 65_535, 65_536, 2**31, 2**32 - 1, 2**32,
    2**48 - 1, 2**48, 2**53, 2**63, 2**64 - 1, -1, -2, -256, -(2**48) + 1, -(2**63), -(2**64),
)  # fmt: skip
SIZES = (0, 1, 7, 8, 16, 31, 32, 33, 63, 64, 65, 128, 1_168, 1_216, 2_420)


def mutated(data: bytes, largest: int, seed: int) -> bytes:
    """Another value; now and then, or where it is none, other bytes."""
    chance = random.Random(seed)
    try:
        value = decode(data)
    except Refused:
        return _bytes(data, chance)[:largest]
    if chance.random() < 0.05:
        return _bytes(data, chance)[:largest]
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        value = _value(value, chance, depth=0)
    try:
        changed = encode(value)
    except Refused:
        return data
    return changed if len(changed) <= largest else data


def _value(value: Value, chance: random.Random, *, depth: int) -> Value:
    """Change a value somewhere inside."""
    if isinstance(value, list) and value and chance.random() < 0.85:
        return _list(value, chance, depth=depth)
    if isinstance(value, dict) and value and chance.random() < 0.85:
        members = dict(value)
        key = chance.choice(list(members))
        match chance.randrange(4):
            case 0:
                del members[key]
            case 1:
                members[chance.choice((0, 1, 2, 5, 9, 12, 24, 99))] = members[key]
            case _:
                members[key] = _value(members[key], chance, depth=depth + 1)
        return members
    match value:
        case bool() | None:
            return chance.choice((True, False, None, 0, 1, b"", "", [], {}))
        case int():
            return chance.choice((value + 1, value - 1, value ^ 1 << chance.randrange(8), chance.choice(NUMBERS)))
        case bytes():
            return _bytes(value, chance)
        case str():
            return chance.choice((value[:-1], value + "a", value * 2, "", "\0", "é", "A" * 300, "\u202e", "en", "../x"))
        case _:
            return chance.choice(([], {}, 0, b"", "", None, [value]))


def _list(value: list[Value], chance: random.Random, *, depth: int) -> Value:
    items = list(value)
    place = chance.randrange(len(items))
    match chance.randrange(10):
        case 0:
            del items[place]
        case 1:
            items.insert(place, items[place])
        case 2:
            items.insert(place, chance.choice(items))
        case 3:
            items[place] = chance.choice(items)
        case 4 if depth:
            items *= chance.choice((2, 3, 40))
        case _:
            items[place] = _value(items[place], chance, depth=depth + 1)
    return items


def _bytes(value: bytes, chance: random.Random) -> bytes:
    changed = bytearray(value)
    match chance.randrange(6):
        case 0:
            return bytes(changed[: chance.randrange(len(changed) + 1)])
        case 1:
            size = chance.choice(SIZES)
            return bytes(changed[:size]).ljust(size, b"\0")
        case 2:
            return bytes(changed) + bytes(chance.randrange(4))
        case 3:
            return chance.randbytes(len(changed))
        case _ if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)
