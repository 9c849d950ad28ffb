"""Targets with a known bug each: a run that does not find it finds nothing else either.

Both are readers of a little format of their own; their bugs are of the kinds that a fuzzer is for.
"""

from fuzz.target import Input, Run
from openline.kernel.errors import Malformed

MAGIC = b"OLC1"


class _Frame:
    """`OLC1`, a length, so many bytes, and the sum of the bytes."""

    def __init__(self, data: bytes) -> None:
        if data[:4] != MAGIC:
            raise Malformed("not a frame")
        self.length = data[4] if len(data) > 4 else 0
        self.body = data[5 : 5 + self.length]


def make_canary() -> Run:
    """Believes the length: IndexError where the body is shorter."""

    def run(data: bytes) -> None:
        frame = _Frame(data)
        if frame.length > 3 and frame.body[0] == 7:
            frame.body[frame.length - 1]

    return run


def seeds_canary() -> dict[str, bytes]:
    return {"empty": MAGIC + b"\0", "two": MAGIC + b"\2ab"}


def make_canary_state() -> Run:
    """Refuses, and has changed something before: the oracle of state must see it."""
    state: list[int] = []

    def run(data: bytes) -> None:
        given, before = Input(data), len(state)
        kind, value = given.number(), given.number()
        try:
            if kind == 0x42:
                state.append(value)
            _bounded(value)
        except Malformed:
            if len(state) != before:
                raise AssertionError("a refused input changed something") from None
            raise

    return run


def _bounded(value: int) -> None:
    if value > 200:
        raise Malformed("a value beyond its bound")


def seeds_canary_state() -> dict[str, bytes]:
    return {"one": b"\1\1", "two": b"\2\xff"}
