"""The tables about alarms: `[alarms]` of a station's config.toml, and the file of a dead-man's switch."""

from typing import Annotated

import msgspec

from openline.kernel.errors import Malformed
from openline.station.alarms.roster import WEEK, Duty, minute_of, zone_of
from openline.station.bearer_tables import Server, Table

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}\Z")]
Seconds = Annotated[int, msgspec.Meta(ge=5, le=86_400)]
Minutes = Annotated[int, msgspec.Meta(ge=0, le=10_080)]
KeyHex = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class WebhookPath(Table, frozen=True, kw_only=True):
    """Where signed calls are posted, over HTTPS alone."""

    url: Annotated[str, msgspec.Meta(max_length=1_024)]
    secret_file: str
    """At least 32 bytes that the receiver has too; readable for the station's user alone."""
    authorities_file: str = ""
    """PEM of the authorities that may have signed the receiver's certificate; empty: the system's."""
    pin: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?\Z")] = ""
    """SHA-256 of its certificate in hexadecimal: then that certificate and no other."""


class Path(Table, frozen=True, kw_only=True):
    """One way out: a webhook, or a mail address."""

    webhook: WebhookPath | None = None
    mail: Annotated[str, msgspec.Meta(max_length=254)] = ""


class Shift(Table, frozen=True, kw_only=True):
    """When a duty is whose."""

    duty: Name
    paths: tuple[Name, ...]
    days: tuple[str, ...] = WEEK
    """Of mon, tue, wed, thu, fri, sat, sun: the days on which it begins."""
    start: str = "00:00"
    end: str = "24:00"
    """Not after `start`: of the next day."""


class Step(Table, frozen=True, kw_only=True):
    """Who is called when nobody has acknowledged after so many minutes."""

    after_minutes: Minutes = 0
    to: tuple[Name, ...]
    """Duties of the roster, or paths."""
    kinds: tuple[Name, ...] = ()
    """Only for these kinds of alarm; empty: for all."""


class Calling(Table, frozen=True, kw_only=True):
    """Who is called, and how: the same for a station and for its dead-man's switch."""

    name_lines: bool = True
    """Whether a line's label leaves the building; else its number does."""
    zone: str = "UTC"
    """Of the roster: a name as Europe/Helsinki."""
    test_hours: Annotated[int, msgspec.Meta(ge=0, le=168)] = 8
    """Each path is tried so often by itself: once a watch; 0: never."""
    repeat_minutes: Minutes = 15
    """The last step is taken again so often, until somebody acknowledges; 0: never."""
    sender: Annotated[str, msgspec.Meta(max_length=254)] = ""
    """The mail address that alarms come from."""
    smtp: Server | None = None
    paths: dict[Name, Path] = msgspec.field(default_factory=dict)
    shifts: tuple[Shift, ...] = ()
    steps: tuple[Step, ...] = ()
    """Empty: every path, at once."""


class Beating(Table, frozen=True, kw_only=True):
    """Signs of life for a dead-man's switch."""

    every_seconds: Annotated[int, msgspec.Meta(ge=1, le=3_600)] = 10
    secret_file: str = ""
    """At least 32 bytes that the switch has too."""
    file: str = ""
    """Where to write them: a file that the switch reads."""
    webhook: WebhookPath | None = None
    """Where to post them: a switch that listens."""


class Alarms(Calling, frozen=True, kw_only=True):
    """`[alarms]`."""

    flash_seconds: Seconds = 60
    """A FLASH that no person has acknowledged for so long raises an alarm."""
    fault_minutes: Minutes = 5
    bearer_minutes: Minutes = 15
    disk_mib: Annotated[int, msgspec.Meta(ge=0, le=1 << 30)] = 512
    heartbeat: Beating | None = None


class Watched(Table, frozen=True, kw_only=True):
    """A station that a dead-man's switch watches."""

    after_seconds: Seconds = 60
    """Without a sign of life for so long it raises an alarm."""
    secret_file: str
    file: str = ""
    """Where the station writes its signs of life; empty: it posts them here."""


class Listening(Table, frozen=True, kw_only=True):
    """Where a dead-man's switch takes signs of life, over HTTPS."""

    address: str
    """Literal: "192.0.2.7:7650"."""
    certificate_file: str
    """PEM: its certificate, and those between it and the authority."""
    key_file: str


class Deadman(Table, frozen=True, kw_only=True):
    """The file of a dead-man's switch."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    log: str = ""
    listen: Listening | None = None
    stations: dict[str, Watched]
    alarms: Calling


def duties_of(table: Calling) -> tuple[Duty, ...]:
    """The roster. Raises Malformed for a day, a time or a zone that does not exist."""
    if not zone_of(table.zone):
        raise Malformed("alarms.zone: no zone of that name is known here")
    found = []
    for shift in table.shifts:
        if not shift.days or not set(shift.days) <= set(WEEK):
            raise Malformed("alarms.shifts.days: of mon, tue, wed, thu, fri, sat, sun")
        start, end = minute_of(shift.start), minute_of(shift.end)
        if start is None or end is None or start >= 24 * 60:
            raise Malformed("alarms.shifts: a time is written 07:30")
        days = frozenset(WEEK.index(day) for day in shift.days)
        found.append(Duty(name=shift.duty, paths=shift.paths, days=days, start=start, end=end))
    return tuple(found)


def check(table: Calling) -> None:
    """Pass tables that fit together. Raises Malformed, saying where."""
    duties = {duty.name for duty in duties_of(table)}
    if any(not set(shift.paths) <= set(table.paths) for shift in table.shifts):
        raise Malformed("alarms.shifts.paths: a path that has no table")
    if any(not set(step.to) <= duties | set(table.paths) or not step.to for step in table.steps):
        raise Malformed("alarms.steps.to: neither a duty of the roster nor a path")
    if [step.after_minutes for step in table.steps] != sorted(step.after_minutes for step in table.steps):
        raise Malformed("alarms.steps: the one that comes first must stand first")
    for path in table.paths.values():
        if (path.webhook is None) is (not path.mail):
            raise Malformed("alarms.paths: each has either webhook or mail")
        if path.mail and (table.smtp is None or not table.sender):
            raise Malformed("alarms: paths with mail need alarms.smtp and alarms.sender")
