"""Queries, translations, search, the operators' log and the handover, as two floors type them."""

from collections.abc import Iterator

import pytest

from tests.e2e.cli_rig import Floor, at_terminal, founded, paired
from tests.e2e.test_cli_line import said
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("cli-desk")


@pytest.fixture(scope="module")
def floors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Floor, Floor]]:
    folder = tmp_path_factory.mktemp("desks")
    alpha, bravo = founded(folder, "ALPHA"), founded(folder, "BRAVO")
    with alpha.up(), bravo.up():
        paired(folder, alpha, bravo)
        yield alpha, bravo


def test_6_101_a_query_its_answer_and_a_translation_are_typed_and_read(floors: tuple[Floor, Floor]) -> None:
    alpha, bravo = floors
    mine = said(alpha, "The northern bridge is closed.")
    wrong = bravo("query", "ALPHA", mine, "--passage", "southern bridge", "--text", "Which?")
    assert wrong.code == 2
    asked = bravo.good("query", "ALPHA", mine, "--passage", "northern bridge", "--text", "Road or railway?")["ref"]
    place = f"{asked['lane']}.{asked['generation']}:{asked['index']}"

    def answered() -> bool:
        return alpha("answer", "BRAVO", place, "--text", "Railway.").code == 0

    until(answered)
    done = alpha("translate", "BRAVO", mine, "--lang", "fr", "--grade", "official", "Le pont du nord est fermé.")
    assert (done.code, done.out.startswith("Beside ALPHA 00")) == (0, True)
    for expected in ("TRANSLATION", "[northern bridge]", "Railway.", "fr official"):
        until(lambda expected=expected: expected in bravo("history", "ALPHA").out)  # type: ignore[misc]
    assert alpha("answer", "BRAVO", "nowhere", "--text", "x").code == 2


def test_6_100_a_demand_and_the_acting_unit_are_typed(floors: tuple[Floor, Floor]) -> None:
    alpha, bravo = floors
    mine = said(alpha, "Stop your convoy.", "--acknowledge-by", "+15m")
    found = bravo.good("find", "ALPHA", mine)
    assert found["body"]["acknowledge_by"] - found["time"] > 14 * 60_000
    assert "ECHO3" not in bravo("receipt", "ALPHA", mine, "read", "--unit", "ECHO3").out
    bravo.good("receipt", "ALPHA", mine, "relayed", "--unit", "echo3")
    entry = until(lambda: (found := alpha.good("find", "BRAVO", mine))["status"]["BRAVO"]["acknowledged"] and found)
    assert entry["status"]["BRAVO"]["standing"] == "relayed"


def test_what_was_said_is_found_again(floors: tuple[Floor, Floor]) -> None:
    alpha, _bravo = floors
    said(alpha, "Le café est prêt.")
    assert "Le café est prêt." in alpha("search", "CAFE").out
    assert alpha.good("search", "cafe", "--precedence", "flash")["found"] == []
    assert "Nothing was found." in alpha("search", "zzz").out


def test_the_log_is_written_and_read(floors: tuple[Floor, Floor]) -> None:
    alpha, _bravo = floors
    alpha.good("log", "They telephoned.", "--line", "BRAVO")
    assert "They telephoned." in alpha("log").out
    assert [row["text"] for row in alpha.good("log", "--line", "BRAVO")["entries"]] == ["They telephoned."]


def test_the_watch_is_offered_and_taken_by_somebody_else(floors: tuple[Floor, Floor]) -> None:
    alpha, _bravo = floors
    assert alpha("handover", "--offer", "Ask again at six.").code == 0
    assert "Ask again at six." in alpha("handover").out
    own = alpha("handover", "--accept", "--yes")
    assert own.code == 1
    assert alpha("handover", "--withdraw").code == 0
    typed = at_terminal("handover", "--accept", "--home", str(alpha.home), typed=b"n\n")
    assert typed.code == 1 or not alpha.good("handover")["clocks"]
    assert alpha("handover", "--accept", "--yes").code == 0
    assert alpha.good("handover")["handover"]["state"] == "taken"
    assert alpha("handover", "--leave", "Fire alarm.").code == 0
    assert alpha.good("handover")["lines"][0]["attended"] is False
