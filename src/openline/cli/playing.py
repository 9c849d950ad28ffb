"""Playing a scenario through two real stations: every act goes through the stations' own APIs.

The clock is simulated and set before each step; nothing else is. An act is
shown only once the other station has what it is about.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from openline.cli import scenario as parts
from openline.cli.moments import clock
from openline.cli.scenario import Scenario, StationKey, Step, instant
from openline.kernel.errors import Unavailable, Unknown
from openline.station.client import Client

Json = dict[str, Any]
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One step as it was played."""

    number: int
    of: int
    step: Step
    reference: str
    """How people name the message, if the step made one."""
    held: bool
    """Whether the other station's signed log covers it."""


@dataclass(slots=True)
class Player:
    """Plays one scenario on one line between two stations."""

    scenario: Scenario
    stations: Mapping[StationKey, Client]
    line: str
    """The line's name at both stations: its id."""
    places: dict[str, Json] = field(default_factory=dict)
    """What a label names, as soon as it was said."""

    def play(self, pause: Callable[[Step], None]) -> Iterator[Played]:
        """Play step by step; `pause` waits as long as people need to read."""
        steps = self.scenario.steps
        for number, step in enumerate(steps, 1):
            at = instant(step.at)
            for station in self.stations.values():
                station.post("clock", {"at": at})
            place = self.act(step, at)
            held = self._held(step, place) if place else False
            yield Played(
                number=number, of=len(steps), step=step, reference=str((place or {}).get("reference") or ""), held=held
            )
            pause(step)

    def act(self, step: Step, at: int) -> Json | None:
        """Do what the step says; the place of the entry that it made."""
        if isinstance(step, parts.Narrate):
            return None
        here = self.stations[step.station]
        if isinstance(step, parts.LineTest):
            return self._ref(here.post(f"lines/{self.line}/test", {"drill": False}))
        if isinstance(step, parts.Attach):
            return self._attach(here, step)
        place = self._ref(here.post(f"lines/{self.line}/entries", {**self._request(step), "time": at}))
        if isinstance(step, parts.Message):
            self.places[step.label] = place
        return place

    def _ref(self, answer: Json) -> Json:
        place = answer.get("ref", answer)
        return place if isinstance(place, dict) else {}

    def _attach(self, here: Client, step: parts.Attach) -> Json:
        about = self.places[step.about]
        place = self._ref(
            here.post_bytes(
                f"lines/{self.line}/attachments",
                step.text.encode(),
                name=step.name,
                media_type=step.media_type,
                of=about["reference"],
            )
        )
        self.places[step.label] = place
        return place

    def _named(self, here: Client, label: str) -> Json:
        """The place of what a label names, as soon as this station holds it."""
        place = self.places[label]
        path = f"lines/{self.line}/entries/{place['lane']}/{place['generation']}/{place['index']}"
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                here.get(path)
            except Unknown:
                if time.monotonic() > deadline:
                    raise Unavailable("the other station did not get what was sent") from None
                time.sleep(0.02)
            else:
                return {name: place[name] for name in ("lane", "generation", "index", "leaf") if name in place}

    def _request(self, step: Step) -> Json:
        """The step as the API's request."""
        here = self.stations[step.station]
        match step:
            case parts.Message():
                return self._message(here, step)
            case parts.Presented() | parts.Read():
                what = "presented" if isinstance(step, parts.Presented) else "read"
                return {"kind": "receipt", "of": self._named(here, step.of), "step": what, "sign": step.sign}
            case parts.Relayed():
                of = self._named(here, step.of)
                return {"kind": "receipt", "of": of, "step": "relayed", "relayed_to": step.role, "sign": step.sign}
            case parts.Interim():
                of = self._named(here, step.of)
                until = instant(step.answer_by)
                return {"kind": "interim", "of": of, "until": until, "text": step.text or "", "sign": step.sign}
            case parts.Decline():
                return {"kind": "decline", "of": self._named(here, step.of), "reason": step.text, "sign": step.sign}
            case parts.Watch():
                return {"kind": "watch", "attended": step.attended, "sign": step.sign}
            case parts.Service():
                return {"kind": "service", "text": step.text, "lang": step.lang}
            case parts.Suspend():
                return {"kind": "suspend", "reason": step.text}
            case parts.Lift():
                return {"kind": "lift", "reason": step.text}
            case _:
                raise Unavailable("a step that makes no entry")

    def _message(self, here: Client, step: parts.Message) -> Json:
        request: Json = {
            "kind": "message",
            "precedence": step.precedence,
            "subject": step.shown_subject,
            "lang": step.lang,
            "text": step.text,
            "to": [step.to],
        }
        if step.answer_by is not None:
            request["answer_by"] = instant(step.answer_by)
        if step.answers is not None:
            request["answers"] = self._named(here, step.answers)
        if step.supersedes is not None:
            request["supersedes"] = self._named(here, step.supersedes)
        return request

    def _held(self, step: Step, place: Json) -> bool:
        """Wait until the other side's signed acknowledgement covers the entry."""
        answer = self.stations[step.station].get(
            f"lines/{self.line}/wait",
            lane=place["lane"],
            generation=place["generation"],
            index=place["index"],
            timeout_ms=int(1_000 * PATIENCE_S),
            **{"for": "held"},
        )
        return bool(answer.get("reached") == "held")


def when(step: Step) -> str:
    """The step's moment on the simulated clock."""
    return clock(instant(step.at))
