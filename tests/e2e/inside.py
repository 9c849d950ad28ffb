"""Stations inside the test's own loop, with an API that is called as any user, without a socket."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlencode

from openline.kernel.terms import Policy
from openline.station.api import Api
from openline.station.config import Config, load_config
from openline.station.runtime import Parts, Station
from openline.station.server import UID
from tests.e2e.homes import POLICY, Home, join, new_home

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a call gave."""

    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)


async def call(
    station: Station,
    method: str,
    path: str,
    body: object = None,
    *,
    uid: int,
    raw: bytes | None = None,
    **query: object,
) -> Answer:
    """Call the API as that user."""
    sent = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    messages: list[dict[str, Any]] = []
    given = [{"type": "http.request", "body": sent, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not given:
            await asyncio.Event().wait()  # whoever called waits for the answer
        return given.pop()

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": "/v1/" + path,
        "root_path": "",
        "query_string": urlencode(query).encode(),
        "headers": [],
        "state": {UID: uid},
    }
    await Api(station)(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    data = b"".join(message.get("body", b"") for message in messages[1:])
    return Answer(status=messages[0]["status"], headers=headers, data=data)


@contextlib.asynccontextmanager
async def stations(homes: list[Home], *parts: Parts, config: Config | None = None) -> AsyncIterator[list[Station]]:
    """These stations, running."""
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                Station.running(
                    home.folder,
                    home.unlock,
                    config=config or load_config(home.folder),
                    parts=parts[place] if place < len(parts) else None,
                )
            )
            for place, home in enumerate(homes)
        ]


def made(folder: Any, policy: Policy = POLICY, *, lines: int = 1) -> list[Home]:
    """ALPHA and BRAVO with that many lines: relay, relay-2, ..."""
    homes = [new_home(folder, name) for name in ("ALPHA", "BRAVO")]
    for number in range(1, lines + 1):
        join(homes, policy, "relay" if number == 1 else f"relay-{number}")
    return homes


async def eventually(look: Callable[[], Awaitable[T | None]]) -> T:
    """The first value that `look` gives that is not None."""
    async with asyncio.timeout(60):
        while (found := await look()) is None:  # noqa: ASYNC110 - through the API, which has no event for it
            await asyncio.sleep(0)
    return found


async def linked(*running: Station) -> None:
    """Wait until every line of them has keys with every party, and the first entries of every lane."""
    for station in running:
        for line in station.lines.values():
            ready = await line.when(partial(_open, line), 60)
            assert ready, "no epoch was opened in time"


def _open(line: Any) -> bool | None:
    engine = line.engine
    if engine is None or any(peer.epoch is None for peer in engine.peers.values()):
        return None
    return True if len(engine.fold.lanes) >= 2 * len(line.names) else None
