"""A scenario: what two stations say to each other, as data that the demonstration plays.

A scenario file is TOML: a header, then one `[[step]]` after the other, in the
order in which they are played. A step names a station, an act (`do`) and the
moment of the simulated clock (`at`) at which that act is said to happen. This
module turns the text into frozen values and refuses what the demonstration
could not play: unknown fields and acts, times that run backwards, references
to something that has not been said yet, a receipt for one's own message.

A refusal is one line, `step 12: precedence: not one of the allowed values`.
It names the step (from 1, in file order) and the field, never a value.

Nothing here knows a station, a socket or a clock; `load` reads one file.
The format for authors: examples/scenarios/README.md.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from openline.kernel.errors import Malformed, TooLarge, Unavailable
from openline.kernel.units import Instant

MAX_FILE_BYTES = 262_144
"""256 KiB: the longer of the bundled scenarios is 27 KiB, and tomllib reads all at once."""

MAX_STEPS = 1_000
"""At two seconds a step, a demonstration of half an hour; nobody watches longer."""

MAX_SUBJECT_CHARACTERS = 120
"""One line of a console with the tag in front; counted with the tag."""

StationKey = Literal["alpha", "bravo"]
Precedence = Literal["flash", "immediate", "priority", "routine"]
Role = Literal["watch-officer", "principal", "interpreter", "technician", "auditor", "administrator"]

Label = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}\Z")]
"""The name of a message or an attachment inside its file; never sent."""
Language = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2,3}\Z")]
Sign = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{1,8}\Z")]
"""The call-sign that the peer sees instead of a person."""
StationName = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9-]{1,16}\Z")]
FileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
Line = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f\[\]]{1,120}\Z")]
"""One printable line without brackets, which are kept for the tag."""
Text = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]{1,8000}\Z")]
"""Printable text and line feeds: nothing that could move a terminal's cursor."""


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of a scenario is: immutable, by keyword, without unknown fields."""


class Words(_Data, frozen=True, kw_only=True):
    """One text in the languages of the narration; English is always there."""

    en: Text
    fr: Text | None = None
    ru: Text | None = None

    def spoken(self, language: str) -> str:
        """Return the text in `language`, or in English where there is none."""
        return {"fr": self.fr, "ru": self.ru}.get(language) or self.en


class Station(_Data, frozen=True, kw_only=True):
    """A station as the scenario presents it: display name and languages, its own first."""

    name: StationName
    languages: Annotated[tuple[Language, ...], msgspec.Meta(min_length=1, max_length=8)]


class Stations(_Data, frozen=True, kw_only=True):
    """The two stations of the demonstration; the keys are their data folders."""

    alpha: Station
    bravo: Station


class Clock(_Data, frozen=True, kw_only=True):
    """The simulated clock: how it is labelled, and how far a step may lie before an earlier one."""

    note: Words
    back_s: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 0


class Header(_Data, frozen=True, kw_only=True):
    """Everything before the first step."""

    format: Literal[1]
    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}\Z")]
    title: Words
    clock: Clock
    stations: Stations


class _Step(_Data, frozen=True, kw_only=True, tag_field="do"):
    """What all steps have: the moment on the simulated clock (UTC) and the acting station."""

    at: datetime
    station: StationKey


class _Act(_Step, frozen=True, kw_only=True):
    """A step that leaves an entry on the line; `say` is the narrator's one sentence about it."""

    say: Words | None = None


class Message(_Act, frozen=True, kw_only=True, tag="message"):
    """A message. `tag` labels what has no kind of entry yet; `about` names what it renders."""

    label: Label
    precedence: Precedence
    to: Role
    subject: Line
    lang: Language
    text: Text
    answer_by: datetime | None = None
    answers: Label | None = None
    supersedes: Label | None = None
    about: Label | None = None
    tag: Line | None = None
    approved: datetime | None = None

    @property
    def shown_subject(self) -> str:
        """The subject as it is sent: `[TAG] subject`, or the subject alone."""
        return self.subject if self.tag is None else f"[{self.tag.upper()}] {self.subject}"


class _Receipt(_Act, frozen=True, kw_only=True):
    """A receipt for the peer's message: on an attended screen, read, or put before `role`."""

    of: Label
    role: Role
    sign: Sign


class Presented(_Receipt, frozen=True, kw_only=True, tag="presented"):
    """The message is on an attended screen."""


class Read(_Receipt, frozen=True, kw_only=True, tag="read"):
    """A watch officer read it."""


class Relayed(_Receipt, frozen=True, kw_only=True, tag="relayed"):
    """It was put before `role`."""


class Interim(_Act, frozen=True, kw_only=True, tag="interim"):
    """A signed holding reply to the peer's message: answer by `answer_by`."""

    of: Label
    answer_by: datetime
    sign: Sign
    lang: Language | None = None
    text: Text | None = None


class Decline(_Act, frozen=True, kw_only=True, tag="decline"):
    """A signed refusal to answer the peer's message, with its reason."""

    of: Label
    sign: Sign
    lang: Language
    text: Text


class LineTest(_Act, frozen=True, kw_only=True, tag="test"):
    """The regular test of the line."""


class Watch(_Act, frozen=True, kw_only=True, tag="watch"):
    """The floor is attended, by the officer of that sign, or not attended."""

    attended: bool
    sign: Sign


class Service(_Act, frozen=True, kw_only=True, tag="service"):
    """Operators' chatter, apart from the principals' messages."""

    lang: Language
    text: Text


class Suspend(_Act, frozen=True, kw_only=True, tag="suspend"):
    """The station suspends the line for itself; FLASH still passes."""

    lang: Language
    text: Text


class Lift(_Act, frozen=True, kw_only=True, tag="lift"):
    """The station lifts its own suspension."""

    lang: Language
    text: Text


class Attach(_Act, frozen=True, kw_only=True, tag="attach"):
    """A file that goes with one of the station's own messages; its content stands here."""

    label: Label
    about: Label
    name: FileName
    media_type: Annotated[str, msgspec.Meta(pattern=r"^[a-z]+/[a-z0-9.+-]{1,64}\Z")]
    text: Text


class Narrate(_Step, frozen=True, kw_only=True, tag="narrate"):
    """Text for the terminal alone: nothing of it goes over the line."""

    text: Words


Receipt = Presented | Read | Relayed
Step = Message | Receipt | Interim | Decline | LineTest | Watch | Service | Suspend | Lift | Attach | Narrate


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario that can be played from its first step to its last."""

    header: Header
    steps: tuple[Step, ...]


def load(path: Path) -> Scenario:
    """Read and check the scenario at `path`.

    Raises Unavailable when the file cannot be read, Malformed or TooLarge when it is no scenario.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        msg = "the scenario file cannot be read"
        raise Unavailable(msg) from error
    if len(raw) > MAX_FILE_BYTES:
        msg = "the scenario file is larger than 256 KiB"
        raise TooLarge(msg)
    try:
        return parse(raw.decode())
    except UnicodeDecodeError as error:
        msg = "the scenario file is not UTF-8"
        raise Malformed(msg) from error


def parse(text: str) -> Scenario:
    """Return the scenario that `text` spells. Raises Malformed, naming the step and the field."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\(at (line \d+, column \d+|end of document)\)\Z", str(error))
        raise _refusal("file", where[1] if where else "", "this is not TOML") from error
    except RecursionError as error:
        raise _refusal("file", "", "nested too deeply") from error
    tables = raw.pop("step", None)
    header = _convert(raw, Header, "header")
    if not isinstance(tables, list) or not tables:
        raise _refusal("header", "step", "at least one [[step]] is needed")
    if len(tables) > MAX_STEPS:
        raise _refusal("header", "step", "more than 1,000 steps")
    steps = tuple(_step(table, number) for number, table in enumerate(tables, 1))
    _check(header, steps)
    return Scenario(header=header, steps=steps)


def instant(moment: datetime) -> Instant:
    """Return a moment of the simulated clock in milliseconds since 1970 (negative before it)."""
    return Instant((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1))


def _refusal(where: str, field: str, why: str) -> Malformed:
    return Malformed(": ".join(part for part in (where, field, why) if part))


_Shape = TypeVar("_Shape")

_REASONS = (
    ("unknown field", "unknown field"),
    ("missing required field", "missing"),
    ("Invalid enum value", "not one of the allowed values"),
    ("Invalid value", "not one of the allowed values"),
    ("matching regex", "not of the form that README.md gives"),
    ("RFC3339", "not a time such as 2025-03-11T12:00:00Z"),
    ("`datetime`", "not a time such as 2025-03-11T12:00:00Z"),
    ("`bool`", "must be true or false"),
    ("`array`", "must be a list, not empty and not long"),
    ("`object`", "must be a table"),
    ("`str`", "must be text"),
    ("`int`", "not a number in the allowed range"),
)
"""From a phrase of msgspec's message to ours, which never holds a value; the first that fits."""


def _convert(raw: object, shape: type[_Shape], where: str) -> _Shape:
    try:
        return msgspec.convert(raw, shape)
    except msgspec.ValidationError as error:
        complaint, _, path = str(error).partition(" - at `")
        fields = re.findall(r"\.([a-z_]+)", path)
        # Only a plain name is repeated: a quoted TOML key may hold anything, escapes too.
        named = re.search(r"field `([a-z_]{1,32})`\Z", complaint)
        field = ".".join([*fields, named[1]] if named else fields)
        why = next((ours for theirs, ours in _REASONS if theirs in complaint), "not allowed here")
        raise _refusal(where, field, why) from error


def _step(table: object, number: int) -> Step:
    where = f"step {number}"
    if not isinstance(table, Mapping):
        raise _refusal(where, "", "must be a table")
    # `Step` is a union, which type[...] cannot spell; msgspec picks the member by `do`.
    step: Step = _convert(table, Step, where)  # type: ignore[arg-type]
    return step


def _check(header: Header, steps: tuple[Step, ...]) -> None:
    languages = {None, *header.stations.alpha.languages, *header.stations.bravo.languages}
    latest = steps[0].at
    said: dict[str, Message | Attach] = {}
    suspended: set[str] = set()
    for number, step in enumerate(steps, 1):
        where = f"step {number}"
        _check_times(step, latest, header.clock.back_s, where)
        latest = max(latest, step.at)
        _check_references(step, said, where)
        if getattr(step, "lang", None) not in languages:
            raise _refusal(where, "lang", "not a language of this line")
        if isinstance(step, Message) and len(step.shown_subject) > MAX_SUBJECT_CHARACTERS:
            raise _refusal(where, "subject", "longer than 120 characters with its tag")
        if isinstance(step, Message | Attach):
            if step.label in said:
                raise _refusal(where, "label", "used before")
            said[step.label] = step
        _check_suspension(step, suspended, where)


def _check_times(step: Step, latest: datetime, back_s: int, where: str) -> None:
    for field in ("at", "answer_by", "approved"):
        moment: datetime | None = getattr(step, field, None)
        if moment is not None and moment.utcoffset() != timedelta(0):
            raise _refusal(where, field, "must be UTC, with a Z at its end")
    if latest - step.at > timedelta(seconds=back_s):
        raise _refusal(where, "at", "lies further before an earlier step than clock.back_s allows")
    answer_by: datetime | None = getattr(step, "answer_by", None)
    if answer_by is not None and answer_by <= step.at:
        raise _refusal(where, "answer_by", "must lie after at")
    if isinstance(step, Message) and step.approved is not None and step.approved > step.at:
        raise _refusal(where, "approved", "must not lie after at")


def _check_references(step: Step, said: Mapping[str, Message | Attach], where: str) -> None:
    """Check that each label named was said before, and by the station that it must be."""
    for field, by_peer in (("of", True), ("answers", True), ("supersedes", False), ("about", None)):
        label: str | None = getattr(step, field, None)
        if label is None:
            continue
        target = said.get(label)
        if target is None:
            raise _refusal(where, field, "no earlier step has this label")
        if isinstance(target, Attach) and not isinstance(step, _Receipt):
            raise _refusal(where, field, "must name a message")
        own = target.station == step.station
        if by_peer and own:
            raise _refusal(where, field, "must name a message of the other station")
        if not own and (by_peer is False or isinstance(step, Attach)):
            raise _refusal(where, field, "must name a message of the same station")


def _check_suspension(step: Step, suspended: set[str], where: str) -> None:
    if isinstance(step, Suspend):
        if step.station in suspended:
            raise _refusal(where, "do", "this station has suspended already")
        suspended.add(step.station)
    elif isinstance(step, Lift):
        if step.station not in suspended:
            raise _refusal(where, "do", "this station has suspended nothing")
        suspended.remove(step.station)
    elif suspended and isinstance(step, Message) and step.precedence != "flash":
        raise _refusal(where, "precedence", "only flash passes while the line is suspended")
