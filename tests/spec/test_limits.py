"""The tables of spec 12 against the program, row by row."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import openline.kernel
import openline.protocol
from openline.bearers.tls.limits import LARGEST_PAIR_FRAME
from openline.kernel.codec import encode
from openline.kernel.errors import Malformed
from openline.protocol import (
    attachments,
    call_entries,
    call_rooms,
    calls,
    delivery,
    early,
    engine,
    epochs,
    fragments,
    gathering,
    pacing,
    rekeying,
    sending,
    under_way,
)
from openline.protocol.frames import decode_content, encode_content
from openline.station import bearer_state, meeting, minimize, probing, ways
from openline.station.calling import descriptions
from tests.spec.parties import LINE

TEXT = (Path(__file__).resolve().parents[2] / "spec/12-limits.md").read_text()
FORM, PACE = TEXT.partition("## Bounds of form")[2].partition("## Quotas")[0].split("## Pace")
ROW = re.compile(r"^\| ([A-Z][A-Z_, A-Za-z]+) \| ([^|]+) \|", re.MULTILINE)
UNITS = {"KiB": 2**10, "MiB": 2**20}


def numbers(text: str) -> list[int]:
    """The numbers of a cell: `2^48 - 1`, `64 MiB`, `65,535 bytes`, `1,000; 60,000`."""
    found = []
    for base, exponent, less, unit in re.findall(r"(\d[\d,]*\d|\d)(?:\^(\d+))?( - 1)?(?: (KiB|MiB))?", text):
        number = int(base.replace(",", ""))
        number = number ** int(exponent) if exponent else number * UNITS.get(unit, 1)
        found.append(number - 1 if less else number)
    return found


def rows(table: str) -> Iterator[tuple[str, int]]:
    """(name, value), where a row names several of them one by one."""
    for names, cell in ROW.findall(table):
        values = numbers(cell)
        yield from zip(names.split(", "), values, strict=False)


def constants() -> dict[str, int]:
    """Every constant of the pure layers by its name."""
    found: dict[str, int] = {}
    for package in (openline.kernel, openline.protocol):
        for module in pkgutil.iter_modules(package.__path__):
            names = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
            found.update({name: value for name, value in names.items() if name.isupper() and isinstance(value, int)})
    return found


ELSEWHERE = {"MAX_INSTANT": 2**48 - 1, "MIN_INSTANT": 1 - 2**48, "PAIR_MESSAGE": LARGEST_PAIR_FRAME}
BY_TEST = {"BUCKETS", "MAX_FRAMES"}
"""Rows whose value is no single constant; the tests below and of 9.2 look at them."""


def test_12_1_every_bound_of_form_is_that_of_the_table() -> None:
    kept = {**constants(), **ELSEWHERE}
    found = dict(rows(FORM))
    found["MIN_INSTANT"] = -found["MAX_INSTANT"]  # the cell says: its negative
    assert len(found) > 35
    assert {name: kept.get(name) for name in found if name not in BY_TEST} == {
        name: value for name, value in found.items() if name not in BY_TEST
    }


def test_12_1_an_envelope_has_at_most_253_frames() -> None:
    assert dict(rows(FORM))["MAX_FRAMES"] == 253
    frame = encode([200])
    assert decode_content(LINE, encode_content(0, 0, [frame] * 253)).unknown == 253
    with pytest.raises(Malformed):
        encode_content(0, 0, [frame] * 254)


TIMES = {
    "ACK_REPEAT_MS": sending.ECHO_MS,
    "WANT_AFTER_MS": delivery.GAP_MS,
    "WANT_RETRY_MS": gathering.WANT_AGAIN_MS,
    "WANT_RETRY_MOST_MS": gathering.WANT_MOST_MS,
    "WANT_ANSWER_MS": under_way.WANT_ANSWER_MS,
    "WANT_ANSWER_MOST_MS": under_way.WANT_ANSWER_MOST_MS,
    "HAND_ON_MS": sending.HAND_ON_MS,
    "RESEAL_MS": delivery.RESEAL_MS,
    "ECHO_MOST_MS": sending.ECHO_MOST_MS,
    "RESEAL_MOST_MS": delivery.RESEAL_MOST_MS,
    "RENEW_THIN_MS": rekeying.RENEW_THIN_MS,
    "SLOW_MS": ways.QUICK_MS,
    "BUSY_MS": ways.LONGEST_MS,
    "PROBE_MS": int(1_000 * probing.Rate().every_s),
    "ONE_WAY_MS": bearer_state.ONE_WAY_MS,
    "ONE_WAY_MOST_MS": bearer_state.ONE_WAY_MOST_MS,
    "MINIMIZE_MS": minimize.PATIENCE_MS,
    "HANDSHAKE_RETRY_MS": epochs.RESEND_MS[0],
    "HANDSHAKE_RETRY_MOST_MS": epochs.RESEND_MS[-1],
    "NO_EVERY_MS": rekeying.NO_EVERY_MS,
    "NO_AT_ONCE": rekeying.NO_AT_ONCE,
    "OLD_EPOCH_MS": delivery.OVERLAP_MS,
    "RENEW_MS": rekeying.RENEW_MS,
    "RENEW_STAGGER_MS": rekeying.RENEW_LATER_MS,
    "RING_MS": call_entries.RING_MS,
    "SIGNAL_MS": call_rooms.SIGNAL_MS,
    "PAIR_MS": int(1_000 * meeting.Pace().pair_s),
}
COUNTS = {
    "FRAGMENT_SETS": fragments.FRAGMENT_SETS,
    "CHUNKS_OPEN": attachments.IN_FLIGHT,
    "CHUNKS_TRIP": attachments.IN_TRIP,
    "WANTS": gathering.MAX_WANTED,
    "REORDER_FRAMES": early.MAX_EARLY,
    "REORDER_BYTES": early.MAX_EARLY_BYTES,
    "BULK_BITS": pacing.BULK_BITS,
    "SILENT_AFTER": bearer_state.SILENT_AFTER,
    "UNKNOWN_ENVELOPES": engine.MAX_UNKNOWN,
    "RENEW_ENVELOPES": rekeying.RENEW_ENVELOPES,
    "MAX_JUMP": epochs.MAX_JUMP,
    "FREE_JUMP": epochs.FREE_JUMP,
    "MAX_SIGNALS": call_rooms.MAX_SIGNALS,
    "SIGNALS_PER_HOUR": call_rooms.SIGNALS_PER_HOUR,
    "MAX_CANDIDATES": descriptions.MAX_CANDIDATES,
    "MAX_SEAT_ACTS": calls.MAX_SEAT_ACTS,
    "MAX_TYPED": calls.MAX_TYPED,
    "MAX_VOICE": calls.MAX_VOICE,
    "MAX_DRAFTS": calls.MAX_DRAFTS,
    "PAIR_ATTEMPTS": meeting.PAIR_ATTEMPTS,
}


@pytest.mark.parametrize("name", [*TIMES, *COUNTS])
def test_12_2_the_pace_is_within_a_factor_of_four_of_the_table(name: str) -> None:
    told = dict(rows(PACE))[name]
    taken = {**TIMES, **COUNTS}[name]
    assert told <= 4 * taken
    assert taken <= 4 * told


def test_12_2_repetitions_are_those_of_the_table() -> None:
    cells = dict(ROW.findall(PACE))
    assert list(delivery.FLASH_RETRY_MS) == numbers(cells["REPEAT_MS, FLASH"])
    assert [delivery.RETRY_MS[0], delivery.RETRY_MS[-1]] == numbers(cells["REPEAT_MS, others"])
