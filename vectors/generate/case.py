"""A case: one file, one fact. Everything in it is hexadecimal, decimal or plain text, so any language can run it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`expect` is {"refused": code} or the outputs by name."""

    group: str
    name: str
    clause: str
    shows: str
    operation: str
    input: dict[str, Any] = field(repr=False)
    expect: dict[str, Any] = field(repr=False)
    pinned: bool = False
    """Made with fresh randomness (an ML-DSA-44 signature, an encapsulation): made once and kept."""

    @property
    def path(self) -> str:
        """Its file, within vectors/."""
        return f"{self.group}/{self.name}.json"

    def text(self) -> str:
        """The file's content."""
        members = {
            "shows": self.shows, "clause": self.clause, "operation": self.operation, "pinned": self.pinned,
            "input": self.input, "expect": self.expect,
        }  # fmt: skip
        return json.dumps(members, indent=1, ensure_ascii=True) + "\n"


def refused(code: str) -> dict[str, str]:
    """What a negative case expects."""
    return {"refused": code}


def secret(name: str) -> bytes:
    """32 bytes that stand for randomness."""
    return sha256(b"openline vector " + name.encode()).digest()


def tagged(value: object) -> object:
    """A codec value in JSON: numbers as decimal text, bytes as hexadecimal, each under its type."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return {"int": str(value)}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, dict):
        return {"map": [[tagged(key), tagged(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return {"array": [tagged(item) for item in value]}
    raise TypeError("no codec value")


def write(cases: Iterator[Case], folder: Path = FOLDER) -> list[str]:
    """Write the cases; a pinned one that is there stays. Returns the paths."""
    written = []
    for case in cases:
        place = folder / case.path
        if not (case.pinned and place.exists()):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(case.text())
        if case.path in written:
            raise SystemExit(f"two cases are named {case.path}")
        written.append(case.path)
    return written
