"""Alarms as they are set up: who is on duty by the clock of one zone, gaps, tables that are refused; and how a webhook is signed."""

import hashlib
import hmac
from pathlib import Path as Path_

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openline.kernel.errors import Malformed
from openline.kernel.units import Instant
from openline.station.alarms.book import Plan
from openline.station.alarms.deadman import load_deadman
from openline.station.alarms.roster import WEEK, Duty, gaps, minute_of, on_duty
from openline.station.alarms.tables import Alarms, Path, Shift, Step, check
from openline.station.alarms.webhook import endpoint, is_signed, signature
from openline.station.config import parse_config

MONDAY = 1_795_392_000_000  # 2026-11-23T00:00:00Z
HOUR, DAY = 3_600_000, 86_400_000


def duty(start: str, end: str, *days: str, who: str = "ivanova", name: str = "officer") -> Duty:
    begin, last = minute_of(start), minute_of(end)
    assert begin is not None
    assert last is not None
    place = frozenset(WEEK.index(day) for day in days or WEEK)
    return Duty(name=name, paths=(who,), days=place, start=begin, end=last)


@pytest.mark.parametrize(
    "start, end, hour, served",
    [
        ("08:00", "20:00", 8, True),
        ("08:00", "20:00", 20, False),
        ("20:00", "08:00", 20, True),
        ("20:00", "08:00", 24 + 7, True),
        ("20:00", "08:00", 24 + 8, False),
        ("20:00", "08:00", 7, False),  # that night began on Sunday
        ("00:00", "24:00", 23, True),
        ("00:00", "24:00", 24, False),
    ],
)
def test_a_shift_is_served_from_its_start_to_its_end(start: str, end: str, hour: int, served: bool) -> None:
    found = on_duty([duty(start, end, "mon")], "officer", Instant(MONDAY + hour * HOUR), "UTC")
    assert bool(found) is served


def test_the_clock_of_the_zone_counts_also_on_the_day_it_is_set() -> None:
    night = [duty("03:30", "04:30", "sun")]
    helsinki = "Europe/Helsinki"
    back = 1_792_890_000_000  # 2026-10-25T03:00 there, the second time: 03:00 to 04:00 comes twice
    served = [bool(on_duty(night, "officer", Instant(back - HOUR + n * HOUR // 2), helsinki)) for n in range(6)]
    assert served == [False, True, False, True, True, False]
    forward = 1_774_746_000_000  # 2026-03-29T01:00Z, when 03:00 there is followed by 04:00
    assert on_duty(night, "officer", Instant(forward), helsinki)
    assert not on_duty(night, "officer", Instant(forward - 1), helsinki)


@given(
    st.lists(
        st.tuples(st.integers(0, 1_439), st.integers(1, 1_440), st.sets(st.integers(0, 6), min_size=1)), max_size=4
    )
)
def test_a_gap_is_told_if_and_only_if_some_minute_has_nobody(shifts: list[tuple[int, int, set[int]]]) -> None:
    duties = tuple(
        Duty(name="officer", paths=("x",), days=frozenset(days), start=start, end=end) for start, end, days in shifts
    )
    empty = any(not any(each.holds(day, minute) for each in duties) for day in range(7) for minute in range(1_440))
    assert bool(gaps(duties)) is (bool(duties) and empty)


def plan(*steps: Step, shifts: tuple[Shift, ...] = ()) -> Plan:
    paths = {name: Path(mail=f"{name}@example.org") for name in ("ivanova", "meyer", "pager")}
    return Plan(Alarms(paths=paths, shifts=shifts, steps=steps))


def test_nobody_on_duty_means_everybody() -> None:
    made = plan(Step(to=("officer",)), shifts=(Shift(duty="officer", paths=("ivanova",), days=("mon",)),))
    (step,) = made.steps("flash")
    assert made.paths(step, Instant(MONDAY)) == ("ivanova",)
    assert made.paths(step, Instant(MONDAY + DAY)) == ("ivanova", "meyer", "pager")


def test_without_steps_everybody_is_called_at_once_and_no_kind_goes_nowhere() -> None:
    (step,) = plan().steps("anything")
    assert plan().paths(step, Instant(MONDAY)) == ("ivanova", "meyer", "pager")
    made = plan(Step(to=("meyer",), kinds=("flash",)), Step(to=("pager",), after_minutes=3, kinds=("flash",)))
    assert len(made.steps("flash")) == len(made.steps("contact-missed")) == 2


GOOD = """
name = "ALPHA"
[alarms]
sender = "station@example.org"
smtp = {host = "192.0.2.25", port = 465}
[alarms.paths.ivanova]
mail = "ivanova@example.org"
[[alarms.shifts]]
duty = "officer"
paths = ["ivanova"]
[[alarms.steps]]
to = ["officer"]
"""


@pytest.mark.parametrize(
    "old, new, where",
    [
        ('to = ["officer"]', 'to = ["nobody"]', "steps.to"),
        ('to = ["officer"]', "to = []", "steps.to"),
        ('paths = ["ivanova"]', 'paths = ["ivanov"]', "shifts.paths"),
        ('duty = "officer"', 'duty = "officer"\ndays = ["monday"]', "shifts.days"),
        ('duty = "officer"', 'duty = "officer"\nstart = "8:00"', "07:30"),
        ('duty = "officer"', 'duty = "officer"\nstart = "24:00"', "07:30"),
        ("[alarms]", '[alarms]\nzone = "Europe/Atlantis"', "zone"),
        ("[alarms]", '[alarms]\nzone = "../../etc/passwd"', "zone"),
        ('sender = "station@example.org"', "", "sender"),
        ('mail = "ivanova@example.org"', "", "either webhook or mail"),
        (
            "[[alarms.steps]]",
            '[[alarms.steps]]\nto = ["officer"]\nafter_minutes = 9\n[[alarms.steps]]',
            "must stand first",
        ),
    ],
)
def test_tables_that_do_not_fit_together_are_refused_at_the_start(old: str, new: str, where: str) -> None:
    check(parse_config(GOOD).alarms)
    with pytest.raises(Malformed, match=where):
        parse_config(GOOD.replace(old, new, 1))


def blocks(page: Path_) -> list[str]:
    """The indented blocks of a page, without their indent."""
    found, now = [], ""
    for line in [*page.read_text().splitlines(), "end"]:
        if line.startswith("    ") or (now and not line):
            now += line[4:] + "\n"
        elif now:
            found.append(now)
            now = ""
    return found


def test_the_files_that_the_page_of_alarms_shows_are_accepted(tmp_path: Path_) -> None:
    page = Path_(__file__).resolve().parents[2] / "docs" / "operators" / "alarms.md"
    shown = blocks(page)
    (station,) = [text for text in shown if "[[alarms.shifts]]" in text]
    (heartbeat,) = [text for text in shown if text.startswith("[alarms.heartbeat]")]
    (switch,) = [text for text in shown if text.startswith('name = "guard"')]
    config = parse_config('name = "ALPHA"\n' + station + heartbeat)
    assert config.alarms.heartbeat is not None
    assert len(config.alarms.steps) == 2
    file = tmp_path / "deadman.toml"
    file.write_text(switch)
    assert list(load_deadman(file).stations) == ["ALPHA"]


def test_the_signature_is_what_the_page_tells_a_receiver_to_compute() -> None:
    secret, body = b"0123456789abcdef0123456789abcdef", b'{"id":"1"}'
    right = "v1=" + hmac.new(secret, b"1795335973." + body, hashlib.sha256).hexdigest()
    assert signature(secret, 1_795_335_973, body) == right
    now = Instant(1_795_335_973_000)
    assert is_signed(secret, "1795335973", body, right, now)
    for said, told, moment in (
        ("1795335974", right, now),
        ("1795335973", right[:-1] + "x", now),
        ("1795335973", right, Instant(now + 300_001)),
        ("1795335973", right, Instant(now - 300_001)),
        ("-5", right, now),
    ):
        assert not is_signed(secret, said, body, told, moment)


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.80/openline",
        "https://",
        "https://user:word@192.0.2.80/",
        "https://192.0.2.80/a#b",
        "https://192.0.2.80/a b",
        "https://192.0.2.80/a\r\nHost: elsewhere",
        "https://192.0.2.80:99999/",
        "ftp://192.0.2.80/",
        "//192.0.2.80/",
    ],
)
def test_a_webhook_is_https_and_nothing_that_could_be_another_request(url: str) -> None:
    with pytest.raises(Malformed):
        endpoint(url, b"0123456789abcdef0123456789abcdef")


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(Malformed):
        endpoint("https://192.0.2.80/openline", b"0123456789abcdef")
