"""A target: something of ours that takes bytes from outside, and the oracle that it must stand.

The oracle is one for all: accepted, or Refused (Unavailable where the world is
involved). Any other exception, a hang or a heap of memory is a finding. What
else must be true of what was accepted or refused (read again it is the same;
a refusal has changed nothing) is asserted by each target itself.

Deterministic: the same bytes give the same result, or a finding could not be replayed.
"""

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from openline.kernel.errors import Refused, Unavailable

FOLDER = Path(__file__).resolve().parent
CORPUS, REGRESSIONS = FOLDER / "corpus", FOLDER / "regressions"

Run = Callable[[bytes], None]
"""Takes one input; raises Refused or Unavailable as what is tested does, and AssertionError for what must not be."""
Mutate = Callable[[bytes, int, int], bytes]
"""(input, largest size, seed) -> another input; for targets whose inputs have a shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One target. Nothing of it is imported before it runs, so that what it imports can be instrumented."""

    name: str
    about: str
    """What is read, and the clause about it."""
    module: str
    """A module of this package with `make_NAME() -> Run` and `seeds_NAME() -> {label: input}`."""
    largest: int = 4_096
    """Bytes of an input."""
    shaped: bool = False
    """The module has a `mutate_NAME`."""
    known_bug: bool = False
    """A canary: it has a bug that a run must find."""

    def _member(self, what: str) -> Callable[..., object]:
        member: Callable[..., object] = getattr(
            import_module(f"fuzz.{self.module}"), f"{what}_{self.name.replace('-', '_')}"
        )
        return member

    def make(self) -> Run:
        """The function that takes an input."""
        made: Run = self._member("make")()  # type: ignore[assignment]
        return made

    def seeds(self) -> Mapping[str, bytes]:
        """Inputs to begin from, by label."""
        found: Mapping[str, bytes] = self._member("seeds")()  # type: ignore[assignment]
        return found

    def mutator(self) -> Mutate | None:
        """How inputs of a shape are changed."""
        return self._member("mutate") if self.shaped else None  # type: ignore[return-value]

    def inputs(self) -> Iterator[Path]:
        """The files of the corpus, then the inputs that once were findings."""
        for folder in (CORPUS / self.name, REGRESSIONS / self.name):
            if folder.is_dir():
                yield from sorted(folder.iterdir())


def accepted(run: Run, data: bytes) -> bool:
    """Whether an input was accepted. Raises what is neither that nor a refusal: a finding."""
    try:
        run(data)
    except (Refused, Unavailable):
        return False
    return True


def scratch() -> Path:
    """A folder for as long as the process lives."""
    folder = Path(tempfile.mkdtemp(prefix="openline-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop for as long as the process lives."""
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop


class Input:
    """Takes bytes apart: what is missing reads as zero."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def number(self, size: int = 1) -> int:
        """An unsigned number of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        """So many bytes, or what is left."""
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def part(self) -> bytes:
        """Bytes after their u16 length."""
        return self.take(self.number(2))

    def parts(self) -> "Iterator[bytes]":
        """All that is left, as parts."""
        while self:
            yield self.part()

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data))


def part(data: bytes) -> bytes:
    """What `Input.part` reads."""
    return len(data).to_bytes(2, "big") + data


def vector_inputs(folder: str, *keys: str) -> dict[str, bytes]:
    """The inputs of vectors/FOLDER that stand under one of these names, as bytes."""
    import base64
    import json

    found: dict[str, bytes] = {}
    for path in sorted((FOLDER.parent / "vectors" / folder).glob("*.json")):
        given = json.loads(path.read_text())["input"]
        text = next((given[key] for key in keys if isinstance(given.get(key), str)), None)
        if text is None:
            continue
        try:
            found[path.stem] = bytes.fromhex(text)
        except ValueError:
            try:
                found[path.stem] = base64.b64decode(text, validate=True)
            except ValueError:
                found[path.stem] = text.encode()
    return found
