"""python -m tests.e2e.call_sound.lying_station HOME: a station that lies about the keys of its calls.

The file HOME/lie says how: `fingerprint`: its consoles' session descriptions
name another certificate on their way out, as somebody in the middle would
have it; `key`: what opens its ring is not what the ring was bound to; `replay`:
everything that ever came over the bearers comes once more, as somebody who kept
it would send it (then the file is gone). Without that file it is honest.
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any

from openline.protocol.call_entries import Seat, SeatAct
from openline.protocol.call_signals import SignalType
from openline.protocol.events import Signal
from openline.station import __main__ as station
from openline.station.line_runner import LineRunner

LIE = "lie"


def told(home: Path) -> str:
    """Which lie is to be told now."""
    try:
        return (home / LIE).read_text()
    except FileNotFoundError:
        return ""


def lying(home: Path) -> None:
    """Put the lies in the way of what this process sends."""
    feed, submit, envelope = LineRunner.feed, LineRunner.submit, LineRunner.envelope
    kept: list[tuple[bytes, str]] = []

    def fed(self: LineRunner, given: Any, *more: Any, **named: Any) -> Any:
        if isinstance(given, Signal) and told(home) == "fingerprint":
            given = dataclasses.replace(given, signal=_altered(given.signal))
        return feed(self, given, *more, **named)

    def submitted(self: LineRunner, entry: Any, *more: Any, **named: Any) -> Any:
        if isinstance(entry, Seat) and entry.act is SeatAct.OPENS and told(home) == "key":
            entry = dataclasses.replace(entry, nonce=bytes(32))
        return submit(self, entry, *more, **named)

    def came(self: LineRunner, data: bytes, bearer: str, *more: Any, **named: Any) -> None:
        kept.append((data, bearer))
        envelope(self, data, bearer, *more, **named)
        if told(home) == "replay":
            for each in kept:
                envelope(self, *each)
            (home / LIE).unlink()

    setattr(LineRunner, "envelope", came)  # noqa: B010
    setattr(LineRunner, "feed", fed)  # noqa: B010 - a planted lie, in this process alone
    setattr(LineRunner, "submit", submitted)  # noqa: B010


def _altered(signal: Any) -> Any:
    """The same with another fingerprint in it, if it has one."""
    if signal.type not in {SignalType.OFFER, SignalType.ANSWER}:
        return signal
    lines = signal.data.split("\r\n")
    other = ":".join(["AB"] * 32)
    lines = [f"a=fingerprint:sha-256 {other}" if line.startswith("a=fingerprint:") else line for line in lines]
    return dataclasses.replace(signal, data="\r\n".join(lines))


if __name__ == "__main__":
    lying(Path(sys.argv[1]))
    sys.exit(station.run(sys.argv[1:]))
