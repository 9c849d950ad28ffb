"""How people name messages (spec 6.80)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openline.kernel.errors import Malformed, Refused, TooLarge
from openline.kernel.units import MAX_GENERATION, MAX_INSTANT, MAX_SEQ, MIN_INSTANT, Instant
from openline.protocol.references import MONTHS, Reference, dtg, format_reference, parse_reference

MOMENT = Instant(int(datetime(2026, 11, 21, 14, 30, 59, tzinfo=UTC).timestamp() * 1000))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_6_80_a_reference_is_station_serial_and_group() -> None:
    assert format_reference(station="ALPHA", urgent=False, serial=147, counter=0, time=MOMENT) == (
        "ALPHA 0147 211430Z NOV 26"
    )
    assert format_reference(station="ALPHA", urgent=True, serial=12, counter=3, time=MOMENT) == (
        "ALPHA Z012/3 211430Z NOV 26"
    )


@pytest.mark.parametrize(
    "text",
    [
        "ALPHA 0147 211430Z NOV 26",
        "alpha 147",
        "  Alpha\t0147  211430z nov 26 ",
        "ALPHA 0147 211430ZNOV26",
        "ALPHA 000147 211430 Z NOV 26",
    ],
)
def test_6_80_typing_is_read_with_patience(text: str) -> None:
    found = parse_reference(text)
    assert (found.station, found.urgent, found.serial, found.counter) == ("ALPHA", False, 147, 0)
    assert found.group in {"", "211430Z NOV 26"}


def test_6_80_urgent_serials_and_generations_are_read() -> None:
    assert parse_reference("b-2 z 012 / 4") == Reference(station="B-2", urgent=True, serial=12, counter=4, group="")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ALPHA",
        "0147",
        "ALPHA 0",
        "ALPHA Z000",
        "ALPHA 12 AND MORE",
        "ALPHA 12 321430Z NOV 26",
        "ALPHA 12 212430Z NOV 26",
        "ALPHA 12 211460Z NOV 26",
        "ALPHA 12 211430Z NUV 26",
        "-A 12",
        "ABCDEFGHIJKLMNOPQ 1",
        "АЛЬФА 0147",
        "ALPHA ٠١٤٧",
    ],
)
def test_6_80_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_reference(text)


def test_6_80_numbers_beyond_their_bound_are_refused() -> None:
    for text in ("ALPHA 999999999999999", "ALPHA 1/9999999999", "A" * 81):
        with pytest.raises(TooLarge):
            parse_reference(text)


@given(st.integers(0, 10**14).map(lambda ms: ms - 5 * 10**13))
def test_6_80_the_group_is_the_calendars(ms: int) -> None:
    when = EPOCH + timedelta(milliseconds=ms)
    assert dtg(Instant(ms)) == f"{when:%d%H%M}Z {MONTHS[when.month - 1]} {when.year % 100:02}"


@given(st.integers(MIN_INSTANT, MAX_INSTANT), st.booleans(), st.integers(1, MAX_SEQ), st.integers(0, MAX_GENERATION))
def test_6_80_what_is_shown_can_be_typed(ms: int, urgent: bool, serial: int, counter: int) -> None:
    shown = format_reference(station="B-2", urgent=urgent, serial=serial, counter=counter, time=Instant(ms))
    found = parse_reference(shown)
    assert found == Reference(station="B-2", urgent=urgent, serial=serial, counter=counter, group=dtg(Instant(ms)))


@given(st.text(max_size=90))
def test_6_80_any_typing_is_read_or_refused(text: str) -> None:
    try:
        parse_reference(text)
    except Refused:
        pass
