"""Commands as a person types them, and two real stations for them to speak to.

Commands run inside the test's process (that is twenty times faster), stations in processes of their own.
"""

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openline.cli import main
from tests.ports import free_port
from tests.waiting import until

COMMAND = (sys.executable, "-c", "import sys; from openline.cli import main; sys.exit(main())")
TERMS = """
title = "A line for tests"
languages = ["en", "ru"]
test_minutes = 0
"""


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its answer, if it was asked for JSON."""
        return json.loads(self.out)

    @property
    def objects(self) -> list[Any]:
        """One answer a line."""
        return [json.loads(line) for line in self.out.splitlines()]


def type_(*words: str, stdin: bytes = b"") -> Done:
    """Run one command; nobody sits at a terminal."""
    kept = sys.stdin, sys.stdout, sys.stderr
    streams = [io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") for data in (stdin, b"", b"")]
    sys.stdin, sys.stdout, sys.stderr = streams
    try:
        code = main(words)
        streams[1].flush()
        streams[2].flush()
        out, err = (stream.buffer.getvalue().decode() for stream in streams[1:])
    finally:
        sys.stdin, sys.stdout, sys.stderr = kept
    return Done(int(code), out, err)


def process(*words: str, env: dict[str, str] | None = None, stdin: bytes = b"") -> Done:
    """Run one command in a process of its own."""
    done = subprocess.run(
        [*COMMAND, *words],
        input=stdin,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **(env or {})},
        timeout=120,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def at_terminal(*words: str, typed: bytes) -> Done:
    """Run one command at a terminal, where somebody types that once something is asked for (it ends in a colon)."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *words], stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    ) as command:
        os.close(theirs)
        shown, asked = b"", False
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
            if not asked and shown.rstrip().endswith(b":"):
                asked = True
                os.write(ours, typed)
        os.close(ours)
        return Done(command.wait(timeout=120), shown.decode(), "")


@dataclass(frozen=True)
class Floor:
    """One station's folder, and who types there."""

    name: str
    home: Path

    def __call__(self, command: str, *words: str, stdin: bytes = b"") -> Done:
        return type_(command, "--home", str(self.home), *words, stdin=stdin)

    def good(self, command: str, *words: str, stdin: bytes = b"") -> Any:
        """A command that must succeed; its JSON."""
        done = self(command, "--json", *words, stdin=stdin)
        assert done.code == 0, (done.out, done.err)
        return done.json

    @contextmanager
    def up(self) -> Iterator[None]:
        """Run the station in its own process."""
        log = self.home / "up.log"
        with log.open("wb") as file:
            station = subprocess.Popen(
                [*COMMAND, "up"],
                env={**os.environ, "OPENLINE_HOME": str(self.home)},
                stdout=file,
                stderr=file,
            )
        try:
            until(lambda: self("status").code == 0 or station.poll() is not None, deadline_s=120)
            assert station.poll() is None, log.read_text()
            yield
        finally:
            station.terminate()
            assert station.wait(timeout=120) == 0


def founded(folder: Path, name: str, *words: str) -> Floor:
    """A new station, by the command that makes one."""
    floor = Floor(name, folder / name.lower())
    port = free_port()
    key = ("--key-file", str(floor.home / "unlock.key"))
    floor.good("init", name, "--listen", f"127.0.0.1:{port}", *key, *words)
    (folder / f"{name}.card").write_text(floor("card").out)
    return floor


def pairing_words(folder: Path, peer: Floor, terms: str = TERMS) -> Sequence[str]:
    """How one side pairs with the other, fingerprints compared in person."""
    file = folder / "terms.toml"
    file.write_text(terms)
    fingerprint = peer.good("card")["fingerprint"]["digits"]
    return (str(folder / f"{peer.name}.card"), "--terms", str(file), "--fingerprint", fingerprint, "--yes")


def paired(folder: Path, alpha: Floor, bravo: Floor, terms: str = TERMS) -> None:
    """Open a line between two running stations, by the command of each."""
    words = ["pair", "--home", str(bravo.home), *pairing_words(folder, alpha, terms)]
    there = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    here = alpha("pair", *pairing_words(folder, bravo, terms))
    said, _ = there.communicate(timeout=120)
    assert (here.code, there.returncode) == (0, 0), (here, said)
    for floor, line in ((alpha, bravo.name), (bravo, alpha.name)):
        until(lambda floor=floor, line=line: floor.good("lines", line)["lines"][0]["state"] == "in service")  # type: ignore[misc]
