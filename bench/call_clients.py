"""A client of the API in the place of a page in a call: it says what a page says, and has no sound."""

import hashlib
import json
import queue
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openline.station.client import Client, Event
from tests.waiting import until

SAID = Path(__file__).parent.parent / "tests" / "spec" / "browser_said" / "chromium_call.json"
CANDIDATES = 6
"""So many addresses a Chromium names."""
_PROTECTED = {"dtls": "1.3", "cipher": "TLS_AES_128_GCM_SHA256", "srtp": "SRTP_AEAD_AES_128_GCM", "path": "direct"}


class Caller:
    """One console, at a line's seat 0."""

    def __init__(self, station: Client, label: str) -> None:
        self.station, self.calls = station, f"lines/{label}/calls"
        self.console = secrets.token_hex(16)
        self.fingerprint = hashlib.sha256(self.console.encode()).hexdigest()
        self.place, self.party = "", -1
        self.signals: queue.Queue[dict[str, Any]] = queue.Queue()

    def read(self, events: Iterator[Event]) -> None:
        """Take what is pushed; in a thread of its own, until the stream ends."""
        for event in events:
            if event.name == "signal":
                self.signals.put(event.data)

    def call(self, callee: "Caller") -> str:
        """Ring, be picked up, and exchange what a path for sound needs; the call's place."""
        asked = {"precedence": "routine", "lang": "en", "to": ["watch-officer"]}
        rung = self.station.post(self.calls, {**asked, "console": self.console, "fingerprint": self.fingerprint})
        self.place = callee.place = rung["place"]
        until(lambda: callee.view().get("rings"), deadline_s=60)
        callee.act("pick-up", fingerprint=callee.fingerprint, lang="en")
        until(lambda: self.view().get("check") and callee.view().get("check"), deadline_s=60)
        for each in (self, callee):
            each.party = next(party["party"] for party in each.view()["parties"] if party["me"])
        first, second = (self, callee) if self.party < callee.party else (callee, self)
        first.describe(second, "offer")
        second.describe(first, "answer")
        for one, other in ((first, second), (second, first)):
            one.act("connected", peer={"party": other.party, "seat": 0}, **_PROTECTED)
        return self.place

    def describe(self, other: "Caller", kind: str) -> None:
        """A session description and its candidates; they have come when the other has them all."""
        text: str = json.loads(SAID.read_text())[kind]
        own = bytes.fromhex(self.fingerprint).hex(":").upper()
        named = f"a=fingerprint:sha-256 {own}"
        lines = [named if line.startswith("a=fingerprint:") else line for line in text.split("\r\n")]
        self.signal(other, kind, "\r\n".join(lines))
        for number in range(CANDIDATES):
            candidate = f"candidate:{number + 1} 1 udp 2122194687 192.0.2.{number + 1} 50000 typ host generation 0"
            self.signal(other, "candidate", json.dumps({"candidate": candidate, "sdpMid": "0", "sdpMLineIndex": 0}))
        for _ in range(CANDIDATES + 1):
            other.signals.get(timeout=60)

    def signal(self, other: "Caller", kind: str, data: str) -> None:
        """Say something to the other seat."""
        self.act("signal", to={"party": other.party, "seat": 0}, type=kind, data=data)

    def alive(self) -> None:
        """Report itself, as a page does each two seconds."""
        self.act("alive", sound=True)

    def hang_up(self) -> None:
        """End it."""
        self.act("hang-up", cause="ended")

    def over(self) -> None:
        """Wait until both have said that it ended."""
        until(lambda: len(self.view()["ends"]) == 2, deadline_s=60)

    def act(self, act: str, /, **more: object) -> dict[str, Any]:
        """One call of the API."""
        done: dict[str, Any] = self.station.post(f"{self.calls}/{self.place}/{act}", {"console": self.console, **more})
        return done

    def view(self) -> dict[str, Any]:
        """The call, or nothing where it has not come yet."""
        calls = [call for call in self.station.get(self.calls)["calls"] if call["place"] == self.place]
        return dict(calls[0]) if calls else {}
