"""Signs of life: what a station says all the time, so that its silence is heard by a dead-man's switch.

    {"station": "ALPHA", "boot": "<random, of this start>", "count": 17, "at": <ms>, "open": 0, "undelivered": 0}

in a line of its own after "openline/1 beat <signature>", where the signature is that of a webhook (webhook.py), over the
JSON, with `at` in seconds; or posted as a webhook. It is made on the station's loop: a loop that hangs says nothing.

A switch takes a beat only if it is signed, fresh by its own clock, and later than every one of the same start that it
took; so a beat that somebody recorded, or held back, keeps nobody quiet for longer than a fresh one would have.
"""

import asyncio
import hmac
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from openline.kernel.errors import Forged, Malformed, Refused, Replayed, Unavailable
from openline.kernel.units import Entropy, Instant
from openline.station.alarms.makers import MOST_SECRET, make_endpoint
from openline.station.alarms.tables import Beating
from openline.station.alarms.webhook import MIN_SECRET, CallFailed, Endpoint, post, signature
from openline.station.clock import StationClock
from openline.station.files import read_private, write_private

MOST_BEAT = 2_048
BOOTS = 64
"""Starts of a station that a switch remembers."""
_MAGIC = b"openline/1 beat "
_LINE = re.compile(rb"openline/1 beat (v1=[0-9a-f]{64})\n(\{[^\n]{1,1500}\})\n?")


class Beat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sign of life."""

    station: Annotated[str, msgspec.Meta(max_length=64)]
    boot: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{32})?\Z")] = ""
    count: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)] = 0
    at: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)] = 0
    open: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)] = 0
    """Alarms that nobody has acknowledged."""
    undelivered: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)] = 0
    """Of these, such as no path has taken: the station cannot call for help itself."""


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Beat)


def secret_of(home: Path, name: str) -> bytes:
    """The secret that station and switch share. Raises Malformed (short), and as `read_private`."""
    found = read_private(home / name, MOST_SECRET).strip()
    if len(found) < MIN_SECRET:
        raise Malformed("the secret of the heartbeat has at least 32 bytes")
    return found


def as_file(beat: Beat, secret: bytes) -> bytes:
    """A beat as it stands in a file."""
    body = _ENCODER.encode(beat)
    return _MAGIC + signature(secret, beat.at // 1_000, body).encode() + b"\n" + body + b"\n"


def from_file(data: bytes, secret: bytes) -> Beat:
    """The beat that stands in a file. Raises Malformed or Forged."""
    found = _LINE.fullmatch(data)
    if found is None:
        raise Malformed("not a beat")
    return from_body(found[2], secret, found[1].decode())


def from_body(body: bytes, secret: bytes, given: str) -> Beat:
    """The beat in a signed body. Raises Malformed or Forged."""
    try:
        beat = _DECODER.decode(body)
    except msgspec.MsgspecError:
        raise Malformed("not a beat") from None
    if not hmac.compare_digest(signature(secret, beat.at // 1_000, body).encode(), given.encode()):
        raise Forged("the signature of a beat does not check")
    return beat


class Pulse:
    """What a switch has taken of one station: which beats are new."""

    def __init__(self, station: str, fresh_ms: int) -> None:
        self._station, self._fresh_ms = station, fresh_ms
        self._boots: OrderedDict[str, int] = OrderedDict()
        """Start -> the last count."""

    def take(self, beat: Beat, now: Instant) -> None:
        """Pass a beat that is a new sign of life. Raises Refused (another station's, not fresh) or Replayed."""
        if beat.station != self._station:
            raise Refused("a beat of another station")
        if abs(beat.at - now) > self._fresh_ms:
            raise Refused("a beat that is not fresh: compare the clocks of both machines")
        if self._boots.get(beat.boot, -1) >= beat.count:
            raise Replayed("a beat that came before")
        self._boots[beat.boot] = beat.count
        while len(self._boots) > BOOTS:
            self._boots.popitem(last=False)

    def kept(self) -> dict[str, int]:
        """For the next start."""
        return dict(self._boots)

    def recall(self, boots: dict[str, int]) -> None:
        """Take up what was kept."""
        self._boots = OrderedDict(list(boots.items())[-BOOTS:])


@dataclass(frozen=True, slots=True, kw_only=True)
class _To:
    """Where beats go."""

    secret: bytes
    file: Path | None
    place: Endpoint | None


class Heart:
    """Beats in a running station."""

    def __init__(
        self, home: Path, table: Beating, clock: StationClock, entropy: Entropy, beat: Callable[[], Beat]
    ) -> None:
        self._home, self._table, self._clock, self._beat = home, table, clock, beat
        self._boot, self._count = entropy(16).hex(), 0
        self.failure = ""
        """Why the last beat did not go out; empty if it did."""

    def _to(self) -> _To:
        table = self._table
        return _To(
            secret=secret_of(self._home, table.secret_file) if table.secret_file else b"",
            file=self._home / table.file if table.file else None,
            place=make_endpoint(self._home, table.webhook) if table.webhook is not None else None,
        )

    async def run(self) -> None:
        """Beat until cancelled."""
        to: _To | None = None
        while True:
            began = self._clock.steady()
            try:
                to = to or self._to()
                await self._once(to)
                self.failure = ""
            except CallFailed as failed:
                self.failure = failed.how
            except (Refused, Unavailable) as trouble:
                self.failure, to = trouble.code, None
            spent = (self._clock.steady() - began) / 1_000
            await asyncio.sleep(max(0.1, self._table.every_seconds - spent))

    async def _once(self, to: _To) -> None:
        self._count += 1
        beat = msgspec.structs.replace(self._beat(), boot=self._boot, count=self._count, at=int(self._clock.machine()))
        ways: list[Awaitable[None]] = []
        if to.file is not None:
            ways.append(asyncio.to_thread(write_private, to.file, as_file(beat, to.secret)))
        if to.place is not None:
            name = f"{self._boot}.{self._count}"
            ways.append(post(to.place, name, _ENCODER.encode(beat), lambda: Instant(beat.at)))
        for outcome in await asyncio.gather(*ways, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
