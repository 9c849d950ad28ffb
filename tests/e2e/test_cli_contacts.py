"""Regular contacts as two floors type them, on an exercise line: EXERCISE stands on everything (spec 6.47, 6.90 to 6.96)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.cli_rig import TERMS, Floor, founded, paired
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("cli-contacts")


@pytest.fixture(scope="module")
def floors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Floor, Floor]]:
    """ALPHA and BRAVO with an exercise line between them and a call due in an hour, every day."""
    folder = tmp_path_factory.mktemp("contacts")
    alpha, bravo = founded(folder, "ALPHA"), founded(folder, "BRAVO")
    start = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    contact = (
        f'\n[[contacts]]\nname = "Morning call"\nrule = "FREQ=DAILY"\nstart = {start}:00\nzone = "UTC"\nmedium = "call"\n'
        'begins = "ALPHA"\nalso = ["Asia/Seoul"]\n'
    )
    with alpha.up(), bravo.up():
        paired(folder, alpha, bravo, TERMS + "exercise = true\n" + contact)
        yield alpha, bravo


@pytest.fixture
def alpha(floors: tuple[Floor, Floor]) -> Floor:
    return floors[0]


@pytest.fixture
def bravo(floors: tuple[Floor, Floor]) -> Floor:
    return floors[1]


def test_contacts_shows_what_is_due_in_utc_and_in_local_times(alpha: Floor) -> None:
    for words in ((), ("BRAVO",)):
        shown = alpha("contacts", *words, "--days", "3")
        assert shown.code == 0, shown.err
        assert shown.out.count("Morning call") in {3, 4}
        for text in ("to come", "Asia/Seoul", "[EXERCISE]", "in 5"):
            assert text in shown.out, shown.out
    found = alpha.good("contacts", "BRAVO")
    assert found["schedule"][0]["begins"] == "ALPHA"
    assert found["exercise"]


def test_a_contact_is_declined_in_advance_and_the_other_floor_sees_why(alpha: Floor, bravo: Floor) -> None:
    alpha.good("contact", "BRAVO", "declined", "morning call", "--text", "A holiday.")
    until(lambda: "MISSED: declined" in bravo("contacts", "ALPHA").out)
    assert "A holiday." in bravo("contacts", "ALPHA").out
    assert bravo("contact", "ALPHA", "kept", "Evening call").code == 1
    assert bravo("contact", "ALPHA", "kept", "Morning call", "--on", "2026-01-01T09:00").code == 1


def test_a_telephone_call_is_recorded_and_signed_by_both(alpha: Floor, bravo: Floor) -> None:
    assert alpha("contact", "BRAVO", "declined").code == 2
    placed = alpha.good("contact", "BRAVO", "kept", "--medium", "call", "--text", "By telephone.")
    leaf = placed["ref"]["leaf"]
    until(lambda: "By telephone." in bravo("contacts", "ALPHA").out)
    bravo.good("countersign", "ALPHA")
    until(lambda: any(word["ref"]["leaf"] == leaf and word["agreed"] == ["BRAVO"]
                      for word in alpha.good("contacts", "BRAVO")["outside"]))  # fmt: skip
    rest = [bravo("countersign", "ALPHA").code for _ in range(3)]  # what else waits from the tests before, then nothing
    assert rest[-1] == 1
    place = f"{placed['ref']['lane']}.{placed['ref']['generation']}:{placed['ref']['index']}"
    bravo.good("countersign", "ALPHA", place, "--differs", "--text", "It was by radio.")
    for kind, words in (("countersign", "it was not so"), ("contact", "outside the schedule")):
        shown = bravo("history", "ALPHA", "--kind", kind).out
        assert words in shown
        assert shown.count("[EXERCISE]") == len(shown.splitlines())
    figures = alpha.good("figures", "BRAVO")
    assert figures["last_contact"] is not None
    assert "last contact signed by all" in alpha("figures", "BRAVO").out


def test_a_calendar_address_is_made_listed_and_revoked(alpha: Floor) -> None:
    made = alpha.good("calendar", "new", "--note", "Duty telephone")
    assert made["path"].startswith("/calendar/")
    listed = alpha("calendar").out
    assert "Duty telephone" in listed
    assert made["path"] not in listed
    assert alpha("calendar", "revoke", made["calendar"]).out == "Revoked.\n"
    assert alpha("calendar", "revoke", made["calendar"]).code == 1
    assert "No calendar address" in alpha("calendar").out
    assert alpha("calendar", "what").code == 2


def test_6_47_exercise_stands_on_every_view_and_on_every_entry_of_an_export(
    alpha: Floor, bravo: Floor, tmp_path: Path
) -> None:
    sent = alpha.good("send", "BRAVO", "Only played.", "--wait", "held", "--timeout", "90s")
    serial = " ".join(sent["ref"]["reference"].split()[:2])
    assert "[EXERCISE]" in bravo("read", "ALPHA", serial).out.splitlines()[0]
    for command in (("status",), ("lines",), ("tail", "ALPHA"), ("history", "ALPHA")):
        assert "EXERCISE" in bravo(*command).out, command
    answer_by = alpha.good("send", "BRAVO", "And this?", "--answer-by", "+1h", "--wait", "held", "--timeout", "90s")
    assert answer_by["in_time"]
    assert "[EXERCISE]" in bravo("inbox").out
    folder = tmp_path / "export"
    alpha.good("export", "BRAVO", str(folder))
    blocks = (folder / "transcript.txt").read_text().split("\n\n")
    entries = [block for block in blocks if block.startswith(("ALPHA ", "BRAVO ", "\nALPHA ", "\nBRAVO "))]
    assert len(entries) > 10
    assert all(block.strip().splitlines()[0].endswith("EXERCISE") for block in entries)
    assert alpha("verify", str(folder)).code == 0


def test_6_46_terms_that_make_an_exercise_live_are_refused(alpha: Floor, tmp_path: Path) -> None:
    terms = tmp_path / "live.toml"
    terms.write_text('title = "Live"\nexercise = false\n')
    refused = alpha("propose", "BRAVO", "--terms", str(terms), "--yes")
    assert refused.code == 1
    assert "exercise for good" in refused.err
