"""This station as its command line sees it: the local API, with the questions that several commands ask."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from openline import __version__
from openline.cli.failures import Exit, Failure, refused, unavailable
from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.moments import now_ms
from openline.kernel.errors import Malformed, Refused, TooLarge, Unavailable, Unknown
from openline.kernel.units import MAX_SEQ, Instant
from openline.station.client import Client

Json = dict[str, Any]
Place = tuple[int, str, int]
"""Lane, generation, index."""

PAGE = 500
"""Entries asked for at a time."""
_WAIT_SLICE_MS = 20_000
"""One long poll; below the client's own limit."""
_NAMING = ("of", "answers", "supersedes")
"""Fields by which an entry names a message."""
_NOT_KNOWN = (
    "there is no such path",
    "the path has no such method",
    "a field is unknown, missing or not allowed",
    "a parameter is unknown, missing or not allowed",
)
"""How a station refuses an operation, or a member of one, that its release does not have."""
_POSITION = re.compile(r"(\d{1,2})\.([0-9a-f-]{1,27}):(\d{1,15})", re.ASCII)
_SERIAL = re.compile(r"Z?\s?[0-9]{1,15}(?:/[0-9]{1,10})?", re.ASCII | re.IGNORECASE)


def of_house(error: Refused | Unavailable) -> Failure:
    """A refusal of the station in words: what happened, then what to do."""
    whole = _(str(error))
    if whole != str(error):
        said, _colon, do = whole.replace(" : ", ": ").partition(": ")
        message, step = _sentence(said), _sentence(do)
        return (unavailable if isinstance(error, Unavailable) else refused)(message, step, name=error.code)
    said, _colon, do = str(error).partition(": ")
    do = "" if "openapi" in do else do  # the API's document is for programs
    message, step = _sentence(_(said)), _sentence(_(do))
    if said == "config.toml":  # what follows is where it is wrong, not what to do
        message, step = inert_line(str(error)) + ".", _("Mend config.toml.")
    if isinstance(error, Unavailable):
        return unavailable(message, step or _("Try again; if it stays so: openline doctor"), name=error.code)
    return refused(message, step, name=error.code)


def _sentence(text: str) -> str:
    clean = inert_line(text)
    if not clean:
        return ""
    return clean[:1].upper() + clean[1:] + ("" if clean[-1] in ".!?" else ".")


class Local:
    """A running station. Every question raises what `of_house` turns into words, or a Failure."""

    def __init__(self, home: Path) -> None:
        """Raises Failure if there is no station in that folder."""
        self.home = home
        try:
            there = home.is_dir()
        except OSError:
            there = True  # not ours to see: the socket will say what it lets us
        if not there:
            raise unavailable(
                _("There is no station in {home}.").format(home=inert_line(str(home))),
                _("Make one: openline init, or name its folder: --home DIR"),
                name="no-station",
            )
        self.client = Client(home / "run" / "api.sock")
        self._status: Json | None = None

    def status(self) -> Json:
        """How the station is."""
        if self._status is None:
            self._status = self.client.get("status")
        return self._status

    def judge_version(self, error: Exception) -> None:
        """Raise Failure if that may have come of the station being of another version than this command.

        A station refuses what its release does not know; what it does not say is missed here, as a mistake of ours.
        """
        if isinstance(error, Refused) and not str(error).startswith(_NOT_KNOWN):
            return
        try:
            there = str(self.client.get("status")["version"])
        except (Refused, Unavailable, LookupError, TypeError, ValueError):
            return
        if there == __version__:
            return
        raise unavailable(
            _(
                "The station that runs is of version {there}, this command of version {here}: one lacks what the other asks for."
            ).format(there=inert_line(there), here=__version__),
            _(
                "Stop the station and start it again with the newer program: openline up (as a service: systemctl restart openline)."
            ),
            name="station-version",
        ) from None

    def now(self) -> Instant:
        """The station's clock: the machine's, or the simulated one."""
        return Instant(self.status()["now"])

    def lines(self) -> list[Json]:
        """All lines."""
        return list(self.client.get("lines")["lines"])

    def line(self, name: str) -> Json:
        """One line by its label, or the beginning of its id. Raises Failure naming those that there are."""
        try:
            found: Json = self.client.get(f"lines/{name}")
        except (Unknown, Malformed):
            raise self._no_line(name) from None
        return found

    def about_line(self, name: str) -> str:
        """The path of a line that is there. Raises Failure naming those that there are."""
        self.line(name)
        return f"lines/{name}"

    def _no_line(self, name: str) -> Failure:
        labels = [str(line["label"]) for line in self.lines()]
        there = _("Lines here: {labels}.").format(labels=", ".join(labels)) if labels else _("No line is open yet.")
        return refused(
            _("There is no line {name} here.").format(name=inert_line(name)),
            there + ("" if labels else " " + _("Open one: openline pair CARD --terms FILE")),
            name="unknown",
        )

    def post(self, name: str, entry: Json) -> Json:
        """Post an entry on a line; what became of it. Raises Failure if there is no such line."""
        try:
            answer: Json = self.client.post(f"lines/{name}/entries", entry)
        except Unknown:
            self.line(name)
            raise
        return answer

    def find(self, name: str, reference: str, *, peer: bool = False) -> Json:
        """The entry that somebody names: a reference, or lane.generation:index.

        With `peer` a bare serial is the other party's. Raises Failure.
        """
        typed = " ".join(reference.split())
        if found := _POSITION.fullmatch(typed):
            path = f"lines/{name}/entries/{found[1]}/{found[2]}/{found[3]}"
            return self._found(name, typed, lambda: [self.client.get(path)])
        if _SERIAL.fullmatch(typed):
            typed = f"{self._author(name, peer=peer)} {typed}"
        return self._found(name, typed, lambda: self.client.get(f"lines/{name}/find", reference=typed)["entries"])

    def _author(self, name: str, *, peer: bool) -> str:
        parties = self.line(name)["parties"]
        named = [str(party["name"]) for party in parties if bool(party["me"]) is not peer]
        if len(named) != 1:
            raise Failure(
                Exit.USAGE,
                _("Several parties are on this line; a serial alone does not say whose it is."),
                _("Write the station before the serial, as in ALPHA 0147."),
            )
        return named[0]

    def _found(self, name: str, typed: str, ask: Callable[[], list[Json]]) -> Json:
        try:
            found = ask()
        except (Malformed, TooLarge):
            self.line(name)
            raise Failure(
                Exit.USAGE,
                _("{text} is not a reference.").format(text=inert_line(typed)),
                _("Write station and serial, as in ALPHA 0147; Z before the serial of a FLASH, as in ALPHA Z012."),
            ) from None
        except Unknown:
            self.line(name)
            raise refused(
                _("There is no message {text} on this line.").format(text=inert_line(typed)),
                _("Look for it: openline history {line} --kind message").format(line=inert_line(name)),
                name="unknown",
            ) from None
        if len(found) > 1:
            places = ", ".join("{}.{}:{}".format(*place_key(entry["ref"])) for entry in found)
            raise Failure(
                Exit.USAGE,
                _("Several messages have that name: {places}.").format(places=places),
                _("Name one of them by its place."),
            )
        return found[0]

    def backwards(self, name: str, *, kind: str | None = None, most: int | None = None) -> Iterator[Json]:
        """Entries from the newest to the oldest."""
        before: int | None = None
        left = most
        while left is None or left > 0:
            limit = PAGE if left is None else min(PAGE, left)
            page = self.client.get(f"lines/{name}/entries", before=before or MAX_SEQ, limit=limit, kind=kind)["entries"]
            newest_first = sorted(page, key=lambda entry: -int(entry["seq"]))
            yield from newest_first
            if not page:
                return
            before = int(newest_first[-1]["seq"])
            left = None if left is None else left - len(page)

    def names(self, name: str, entries: Iterable[Json], known: dict[Place, str]) -> dict[Place, str]:
        """Add to `known` the references of these messages, and of those that these entries name."""
        wanted: dict[Place, None] = {}
        for entry in entries:
            if entry["ref"].get("reference"):
                known[place_key(entry["ref"])] = str(entry["ref"]["reference"])
            body = entry.get("body") or {}
            wanted |= {place_key(body[field]): None for field in _NAMING if isinstance(body.get(field), dict)}
        for place in wanted:
            if place not in known:
                found: Json = self.client.get("lines/{}/entries/{}/{}/{}".format(name, *place))
                known[place] = str(found["ref"].get("reference") or "")
        return known

    def wait(self, name: str, ref: Mapping[str, Any], state: str, timeout_ms: int) -> Json:
        """Wait until a message is in that state; the last answer, whether it came or not."""
        place = {key: ref[key] for key in ("lane", "generation", "index")}
        end = now_ms() + timeout_ms
        while True:
            left = max(0, min(_WAIT_SLICE_MS, end - now_ms()))
            query = {**place, "for": state, "timeout_ms": left}
            answer: Json = self.client.get(f"lines/{name}/wait", **query)
            if answer["done"] or now_ms() >= end:
                return answer


def place_key(ref: Mapping[str, Any]) -> Place:
    """The place of an entry, as a key."""
    return int(ref["lane"]), str(ref["generation"]), int(ref["index"])


def me_of(line: Mapping[str, Any]) -> str:
    """Our own name on a line."""
    return next((str(party["name"]) for party in line["parties"] if party["me"]), "")


def peers_of(line: Mapping[str, Any]) -> list[str]:
    """The others."""
    return [str(party["name"]) for party in line["parties"] if not party["me"]]
