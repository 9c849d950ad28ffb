"""The target of the local API: calls by a user of the station, as bytes: `METHOD /v1/path?query`, a newline, the body.

What touches places on the machine that the caller names (exports, backups, files, couriers), the station's keys, and
what waits is left out: those arguments are paths and seconds, which are read by the same decoders as the rest.
"""

import asyncio
import atexit
import contextlib
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from typing import Any

from fuzz.target import Run, new_loop, scratch
from openline.kernel.errors import Malformed, Refused
from openline.station.api import Api, all_routes
from openline.station.config import load_config
from openline.station.runtime import Station
from openline.station.server import UID
from tests.e2e.homes import Home, join, new_home

_LEFT_OUT = re.compile(r"export|backup|drop|keys|papers|proof|attach|file|event|stream|wait|log|stop|clock")
_CALL = re.compile(rb"([A-Z]{1,10}) (/[!-~]{0,400})(?:\n(.*))?", re.DOTALL)
_LOOP = new_loop()
_FRESH_AFTER = 400
"""Calls after which the station begins anew, so that what it has stored does not grow with the run."""


class _Running:
    """A station with a line whose other party is not there."""

    def __init__(self) -> None:
        self._folder = scratch()
        atexit.register(self._end)
        homes = [new_home(self._folder, name) for name in ("ALPHA", "BRAVO")]
        join(homes)
        self._kept, self._calls = homes[0], 0
        self._stack = contextlib.AsyncExitStack()
        self.station: Station
        shutil.copytree(self._kept.folder, self._folder / "first", symlinks=True)

    def _end(self) -> None:
        _LOOP.run_until_complete(self._stack.aclose())

    async def fresh(self) -> Station:
        """The station, begun anew now and then."""
        if self._calls % _FRESH_AFTER == 0:
            await self._stack.aclose()
            shutil.rmtree(self._kept.folder)
            shutil.copytree(self._folder / "first", self._kept.folder, symlinks=True)
            self.station = await self._stack.enter_async_context(_station(self._kept))
        self._calls += 1
        return self.station


@contextlib.asynccontextmanager
async def _station(home: Home) -> AsyncIterator[Station]:
    async with Station.running(home.folder, home.unlock, config=load_config(home.folder)) as station:
        yield station


async def _call(station: Station, method: str, target: str, body: bytes) -> int:
    """The status of the answer."""
    path, _, query = target.partition("?")
    given = [{"type": "http.request", "body": body, "more_body": False}]
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return given.pop() if given else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": "",
        "query_string": query.encode(),
        "headers": [],
        "state": {UID: os.getuid()},
    }
    async with asyncio.timeout(20):
        await Api(station)(scope, receive, send)
    status: int = said[0]["status"]
    data = b"".join(message.get("body", b"") for message in said[1:])
    if status >= 400:
        json.loads(data)
    assert status < 500 or status == 503, "the API has a fault"
    return status


def make_api() -> Run:
    """Every call is answered, with what was meant or with a refusal."""
    running = _Running()

    def run(data: bytes) -> None:
        call = _CALL.fullmatch(data)
        if call is None or _LEFT_OUT.search(call[2].decode()):
            raise Malformed("not a call")
        status = _LOOP.run_until_complete(_one(running, call[1].decode(), call[2].decode(), call[3] or b""))
        if status >= 400:
            raise Refused("the call was refused")

    return run


async def _one(running: _Running, method: str, target: str, body: bytes) -> int:
    return await _call(await running.fresh(), method, target, body)


_BODIES = {
    "message": {"kind": "message", "text": "Good evening.", "precedence": "routine", "to": ["principal"], "lang": "en"},
    "answer": {"kind": "message", "text": "Yes.", "answers": {"lane": 0, "generation": "0", "index": 0}},
    "named": {"kind": "message", "text": "Yes.", "supersedes": "ALPHA 0001 211430Z NOV 26"},
    "service": {"kind": "service", "text": "QRU"},
    "read": {"kind": "receipt", "message": {"lane": 2, "index": 1}, "step": "read"},
    "interim": {"kind": "interim", "message": "BRAVO 0001", "until": 1_800_000_000_000},
    "watch": {"kind": "watch", "attended": True},
    "suspend": {"kind": "suspend", "reason": "A drill."},
}


def seeds_api() -> dict[str, bytes]:
    made: dict[str, bytes] = {}
    for route in all_routes():
        path = re.sub(r"{line}", "relay", route.path)
        path = re.sub(r"{(lane|index|number|party)}", "0", path)
        path = re.sub(r"{generation}", "0", path)
        path = re.sub(r"{\w+}", "BRAVO", path)
        target = f"{route.method} /v1{path}"
        if not _LEFT_OUT.search(target):
            label = re.sub(r"\W+", "-", target.lower())
            made[label] = target.encode() + (b"\n{}" if route.method in {"POST", "PUT"} else b"?first=0&count=5")
    for name, body in _BODIES.items():
        made[f"say-{name}"] = b"POST /v1/lines/relay/entries\n" + json.dumps(body).encode()
    made["say-batch"] = (
        b"POST /v1/lines/relay/entries:batch\n" + json.dumps({"entries": list(_BODIES.values())}).encode()
    )
    made["nowhere"] = b"DELETE /v1/lines/nowhere\n[[[["
    return made
