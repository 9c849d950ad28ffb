"""A page of the console without a browser: it calls the API as the page does, and reads what is pushed to it."""

import hashlib
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openline.kernel.lane import parse_generation
from openline.protocol.call_states import Call
from openline.protocol.facts import Place
from openline.station.feed import Subscriber
from openline.station.runtime import Station
from tests.e2e.inside import Answer, call, eventually

Json = dict[str, Any]
RECORDED: Json = json.loads((Path(__file__).parents[1] / "spec" / "browser_said" / "chromium_call.json").read_text())


class Page:
    """One console of one officer."""

    def __init__(self, station: Station, line: str = "relay") -> None:
        self.station, self.line = station, line
        self.console = secrets.token_hex(16)
        self.fingerprint = hashlib.sha256(self.console.encode()).hexdigest()
        self.stream: Subscriber = station.feed.subscribe(None)
        self.events: list[tuple[str, Json]] = []

    @property
    def party(self) -> int:
        return self.station.find(self.line).party

    async def api(self, method: str, path: str, body: object = None, **query: Any) -> Answer:
        uid = next(iter(self.station.people._actors))
        return await call(self.station, method, f"lines/{self.line}/{path}", body, uid=uid, **query)

    async def done(self, method: str, path: str, body: object = None, **query: Any) -> Json:
        answer = await self.api(method, path, body, **query)
        assert answer.status in {200, 201}, answer.data
        found: Json = answer.json
        return found

    async def ring(self, precedence: str = "routine", **more: Any) -> Json:
        asked = {"precedence": precedence, "fingerprint": self.fingerprint, "console": self.console, **more}
        return await self.done("POST", "calls", asked)

    async def act(self, place: str, act: str, /, **more: Any) -> Json:
        return await self.done("POST", f"calls/{place}/{act}", more)

    async def refused(self, place: str, act: str, /, **more: Any) -> tuple[int, str]:
        answer = await self.api("POST", f"calls/{place}/{act}", more)
        assert answer.status >= 400, answer.data
        return answer.status, answer.json["message"]

    async def pick_up(self, place: str) -> Json:
        return await self.act(place, "pick-up", console=self.console, fingerprint=self.fingerprint)

    async def sit(self, place: str, act: str, **more: Any) -> Json:
        return await self.act(place, "seat", act=act, console=self.console, fingerprint=self.fingerprint, **more)

    async def alive(self, place: str, *, sound: bool = False) -> Json:
        return await self.act(place, "alive", console=self.console, sound=sound)

    async def signal(self, place: str, to: tuple[int, int], kind: str, data: str = "") -> Json:
        named = {"party": to[0], "seat": to[1]}
        return await self.act(place, "signal", console=self.console, to=named, type=kind, data=data)

    def held(self, place: str) -> Call:
        """The call as the station holds it."""
        lane, generation, index = place.split("/")
        named = Place(lane=int(lane), generation=parse_generation(generation), index=int(index))
        return self.station.calling.held(self.station.find(self.line), named)

    def description(self, kind: str = "offer") -> str:
        """What Chromium would write, with this page's fingerprint."""
        text: str = RECORDED[kind]
        found = next(part for part in text.split("\r\n") if part.startswith("a=fingerprint:"))
        own = ":".join(self.fingerprint[place : place + 2] for place in range(0, 64, 2)).upper()
        return text.replace(found, f"a=fingerprint:sha-256 {own}")

    def heard(self, name: str) -> list[Json]:
        """All events of that name so far."""
        self.events += [(each.name, json.loads(each.data)) for each in self.stream.take()]
        return [data for kind, data in self.events if kind == name]

    async def sees(self, place: str, fits: Callable[[Json], Any]) -> Json:
        """The call, once it is so."""

        async def look() -> Json | None:
            answer = await self.api("GET", f"calls/{place}")
            return answer.json if answer.status == 200 and fits(answer.json) else None

        return await eventually(look)

    async def told(self, name: str, fits: Callable[[Json], Any]) -> Json:
        """The first event of that name that is so."""

        async def look() -> Json | None:
            return next((event for event in self.heard(name) if fits(event)), None)

        return await eventually(look)

    async def hears(self, kind: str, sender: tuple[int, int], to: tuple[int, int]) -> Json:
        """A signal of that kind from seat to seat."""
        named = [{"party": party, "seat": seat} for party, seat in (sender, to)]
        return await self.told("signal", lambda event: event["type"] == kind and [event["from"], event["to"]] == named)


def is_state(state: str) -> Callable[[Json], bool]:
    return lambda call: bool(call["state"] == state)


def opened(call: Json) -> bool:
    return call["state"] == "open" and call["check"] is not None
