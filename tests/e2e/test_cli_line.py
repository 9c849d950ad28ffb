"""Every command against two real stations, as two floors type them."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from openline.cli.contents import CONTENTS
from openline.station.client import Client
from tests.e2e.cli_rig import COMMAND, Floor, at_terminal, founded, paired, process
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("cli-line")  # one pair of stations for all of this file

HOSTILE = "Look\u202e here\x1b[2J\nсрочно, раypal"


@pytest.fixture(scope="module")
def floors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Floor, Floor]]:
    """ALPHA and BRAVO with a line between them."""
    folder = tmp_path_factory.mktemp("floors")
    alpha, bravo = founded(folder, "ALPHA"), founded(folder, "BRAVO")
    with alpha.up(), bravo.up():
        paired(folder, alpha, bravo)
        yield alpha, bravo


@pytest.fixture
def alpha(floors: tuple[Floor, Floor]) -> Floor:
    return floors[0]


@pytest.fixture
def bravo(floors: tuple[Floor, Floor]) -> Floor:
    return floors[1]


def said(author: Floor, text: str, *words: str) -> str:
    """Send a message and wait until the other floor's station holds it; its reference."""
    line = "BRAVO" if author.name == "ALPHA" else "ALPHA"
    done = author.good("send", line, text, "--wait", "held", "--timeout", "90s", *words)
    assert done["in_time"]
    return str(done["ref"]["reference"])


# --- messages ----------------------------------------------------------------------------------------------------


def test_send_prints_the_reference_and_nothing_else(alpha: Floor) -> None:
    done = alpha("send", "BRAVO", "A word.")
    assert done.code == 0
    assert done.err == ""
    assert done.out.startswith("ALPHA 00")


def test_send_takes_its_text_from_the_standard_input(alpha: Floor, bravo: Floor) -> None:
    answer = alpha.good("send", "BRAVO", "--lang", "ru", "--wait", "held", stdin="Первая\nвторая\n".encode())
    entry = bravo.good("find", "ALPHA", answer["ref"]["reference"])
    assert entry["body"]["text"] == "Первая\nвторая"
    assert entry["body"]["language"] == "ru"


def test_send_carries_everything_that_was_typed(alpha: Floor, bravo: Floor) -> None:
    first = said(bravo, "A question.")
    words = ("--precedence", "immediate", "--subject", "Course", "--to", "principal", "--to", "interpreter")
    mine = said(alpha, "An answer.", *words, "--answer-by", "+30m", "--answers", first)
    entry = bravo.good("find", "ALPHA", mine)
    body = entry["body"]
    assert (body["precedence"], body["subject"], body["roles"]) == ("immediate", "Course", ["principal", "interpreter"])
    assert abs(body["answer_by"] - entry["time"] - 30 * 60_000) < 60_000
    assert body["answers"]["leaf"] == bravo.good("find", "ALPHA", first)["ref"]["leaf"]
    said(alpha, "A better answer.", "--supersedes", mine)
    assert bravo.good("find", "ALPHA", mine)["superseded"] is True


def test_wait_says_which_state_was_reached(alpha: Floor, bravo: Floor) -> None:
    done = alpha("send", "BRAVO", "Wait for it.", "--wait", "read", "--timeout", "1s", "--json")
    assert done.code == 4
    told = done.json
    assert (told["reached"], told["in_time"]) == ("held", False)
    bravo.good("read", "ALPHA", told["ref"]["reference"])
    until(lambda: alpha.good("find", "BRAVO", told["ref"]["reference"])["status"]["BRAVO"]["read"])


def test_a_flash_needs_a_second_act(alpha: Floor, bravo: Floor) -> None:
    before = len(alpha("history", "BRAVO", "--json").objects)
    done = alpha("send", "BRAVO", "STOP.", "--precedence", "flash")
    assert done.code == 2
    assert "deliberate second act" in done.err
    assert len(alpha("history", "BRAVO", "--json").objects) == before
    assert "Z001" in said(alpha, "STOP.", "--precedence", "flash", "--yes")
    assert bravo("read", "ALPHA", "Z001").out.startswith("⬢ FLASH   ALPHA Z001 ")  # the first of this line


def test_at_a_terminal_a_flash_is_confirmed_by_the_lines_label(alpha: Floor, bravo: Floor) -> None:
    words = ("send", "--home", str(alpha.home), "BRAVO", "STOP now.", "--precedence", "flash")
    slip = at_terminal(*words, typed=b"BRVAO\n")
    assert slip.code == 1
    assert "Nothing was sent." in slip.out
    meant = at_terminal(*words, typed=b"bravo\n")
    assert meant.code == 0
    assert "sounds the alarm at BRAVO" in meant.out
    until(lambda: "STOP now." in bravo("history", "ALPHA").out)


def test_a_terminal_has_colours_beside_the_words_and_may_refuse_them(
    alpha: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(alpha, HOSTILE)
    said(alpha, "STOP in colour.", "--precedence", "flash", "--yes")
    words = ("history", "--home", str(alpha.home), "BRAVO")
    coloured = at_terminal(*words, typed=b"").out
    assert re.search(r"\x1b\[[0-9;]+m⬢ FLASH\x1b\[0m", coloured)
    assert set(re.findall(r"\x1b.", coloured)) == {"\x1b["}
    assert {found[-1] for found in re.findall(r"\x1b\[[0-9;]*.", coloured)} == {"m"}  # colours, and nothing else
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in at_terminal(*words, typed=b"").out


def test_a_pipe_that_is_read_no_further_ends_a_command_quietly(alpha: Floor) -> None:
    said(alpha, "Long. " * 1_000)
    words = [*COMMAND, "history", "--home", str(alpha.home), "BRAVO", "--json", "--limit", "1000"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as history:
        assert history.stdout is not None
        assert history.stderr is not None
        history.stdout.read(1)
        history.stdout.close()
        assert history.wait(timeout=120) == 0
        assert history.stderr.read() == b""


def test_ctrl_c_is_said_and_has_its_code(alpha: Floor) -> None:
    words = [*COMMAND, "tail", "-f", "--home", str(alpha.home), "BRAVO"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background are begun deaf to it
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tail:
        signal.signal(signal.SIGINT, before)
        assert tail.stdout is not None
        assert tail.stderr is not None
        tail.stdout.readline()
        tail.send_signal(signal.SIGINT)
        assert tail.wait(timeout=120) == 130
        assert tail.stderr.read().decode().strip() == "Stopped."


def test_6_8_read_shows_hostile_text_inert_and_tells_its_author(alpha: Floor, bravo: Floor) -> None:
    reference = said(alpha, HOSTILE, "--subject", "A\u200bB")
    shown = bravo("read", "ALPHA", reference)
    assert shown.code == 0
    assert "\x1b" not in shown.out
    assert "\u202e" not in shown.out
    for expected in ("│ Look⟦U+202E⟧ here⟦U+001B⟧[2J", "A⟦U+200B⟧B", "3 hidden characters", "раypal"):
        assert expected in shown.out
    until(lambda: alpha.good("find", "BRAVO", reference)["status"]["BRAVO"]["read"])
    before = len(bravo("history", "ALPHA", "--kind", "receipt", "--json").objects)
    assert bravo.good("read", "ALPHA", reference)["receipt"] is None
    assert len(bravo("history", "ALPHA", "--kind", "receipt", "--json").objects) == before


def test_to_look_without_a_receipt_tells_nobody(alpha: Floor, bravo: Floor) -> None:
    reference = said(alpha, "Only look.")
    assert bravo.good("read", "ALPHA", "--no-receipt", reference)["receipt"] is None
    assert not bravo.good("find", "ALPHA", reference)["status"]["BRAVO"]["read"]


def test_the_inbox_shows_the_first_clock_first(alpha: Floor, bravo: Floor) -> None:
    late = said(alpha, "By tomorrow.", "--answer-by", "+20h")
    soon = said(alpha, "In five minutes.", "--answer-by", "+5m")
    waiting = bravo.good("inbox")["waiting"]
    places = [one["entry"]["ref"]["reference"] for one in waiting]
    assert places.index(soon) < places.index(late)
    assert all(one["line"] == "ALPHA" for one in waiting)
    text = bravo("inbox").out
    assert "messages wait for you" in text
    assert f"First: openline read ALPHA {' '.join(places[0].split()[:2])}\n" in text
    assert soon in [one["entry"]["ref"]["reference"] for one in alpha.good("inbox")["theirs"]]
    assert bravo.good("read", "ALPHA")["entry"]["ref"]["reference"] == places[0]


def test_receipt_interim_and_decline_reach_the_author(alpha: Floor, bravo: Floor) -> None:
    reference = said(alpha, "What do you say?", "--answer-by", "+30m")
    bravo.good("receipt", "ALPHA", reference, "presented")
    bravo.good("receipt", "ALPHA", reference, "relayed", "--relayed-to", "principal")
    bravo.good("interim", "ALPHA", reference, "+2h", "--text", "The principal is being told.")
    until(lambda: alpha.good("find", "BRAVO", reference)["status"]["BRAVO"]["interim_until"])
    bravo.good("decline", "ALPHA", reference, "--reason", "Not for this line.")

    def come() -> bool:
        status = alpha.good("find", "BRAVO", reference)["status"]["BRAVO"]
        return all(status[step] for step in ("presented", "relayed", "declined"))

    until(come)
    text = alpha("history", "BRAVO").out
    for expected in (
        f"RECEIPT {reference} relayed to principal by watch officer W1",
        f"INTERIM {reference} answer by",
        "“The principal is being told.”",
        f"DECLINED {reference} by watch officer W1 “Not for this line.”",
    ):
        assert expected in text


def test_a_file_arrives_whole(alpha: Floor, bravo: Floor, tmp_path: Path) -> None:
    data = bytes(range(256)) * 200
    (tmp_path / "map.png").write_bytes(data)
    reference = said(alpha, "See the map.")
    ref = alpha.good("attach", "BRAVO", str(tmp_path / "map.png"), "--of", reference)["ref"]
    place = f"{ref['lane']}.{ref['generation']}:{ref['index']}"
    until(lambda: place in bravo("history", "ALPHA", "--kind", "attachment").out)
    until(lambda: bravo("save", "ALPHA", place, str(tmp_path / "copy.png")).code == 0)
    assert (tmp_path / "copy.png").read_bytes() == data
    again = bravo("save", "ALPHA", place, str(tmp_path / "copy.png"))
    assert (again.code, "already" in again.err) == (1, True)


# --- the watch ---------------------------------------------------------------------------------------------------


def test_status_says_in_one_sentence_how_things_stand(alpha: Floor) -> None:
    done = alpha("status")
    assert done.code == 0
    assert done.out.splitlines()[0] == "The line is in service."
    assert "════  BRAVO  in service" in done.out
    told = alpha.good("status")
    assert set(told) == {"station", "lines", "waiting", "drafts"}


def test_watch_suspend_lift_service_test_and_renew(alpha: Floor, bravo: Floor) -> None:
    alpha.good("watch", "BRAVO", "on")
    until(lambda: bravo.good("lines", "ALPHA")["lines"][0]["attended"]["ALPHA"] is True)
    assert "attended" in bravo("status").out
    alpha.good("watch", "--all", "off")
    alpha.good("suspend", "BRAVO", "--reason", "Consultations.")
    refusal = alpha("send", "BRAVO", "Routine.")
    assert (refusal.code, refusal.err) == (1, "The line is suspended.\nOnly FLASH passes.\n")
    said(alpha, "Flash passes.", "--precedence", "flash", "--yes")
    alpha.good("lift", "BRAVO")
    alpha.good("service", "BRAVO", "We change our address.")
    assert alpha.good("test", "BRAVO", "--drill", "--wait", "held", "--timeout", "90s")["in_time"]
    alpha.good("renew", "BRAVO")
    for expected in (
        "SERVICE by W1 “We change our address.”",
        "SUSPENDED by watch officer W1 “Consultations.”",
        "TEST DRILL",
    ):
        until(lambda expected=expected: expected in bravo("history", "ALPHA").out)  # type: ignore[misc]


def test_lines_shows_a_line_in_full(alpha: Floor) -> None:
    assert "ALPHA (this station)" in alpha("lines", "BRAVO").out
    until(lambda: "tls to BRAVO: up" in alpha("lines", "BRAVO").out)  # of two connections that cross, one is closed


def test_tail_follows(alpha: Floor, bravo: Floor) -> None:
    said(alpha, "Before.")
    words = ["tail", "-f", "ALPHA", "--json", "-n", "1", "--home", str(bravo.home)]
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE) as tail:
        assert tail.stdout is not None
        assert json.loads(tail.stdout.readline())["kind"]
        reference = said(alpha, "After.")
        seen = json.loads(tail.stdout.readline())
        while seen["ref"].get("reference") != reference:
            seen = json.loads(tail.stdout.readline())
        assert seen["body"]["text"] == "After."
        tail.terminate()


def test_a_pairing_that_somebody_left_is_said_and_can_be_ended(alpha: Floor) -> None:
    with Client(alpha.home / "run" / "api.sock") as station:
        left = station.post("pairings", {"again": "BRAVO", "card": ""})["pairing"]
    done = alpha("pair", "--again", "BRAVO")
    assert (done.code, "openline pair --end NAME" in done.err) == (1, True)
    assert alpha("pair", "--end", "bravo", "--json").objects == [{"ended": [left]}]
    done = alpha("pair", "--end", "bravo")
    assert (done.code, done.err) == (1, "No pairing is under way with bravo.\n")


def test_history_knows_since_kind_and_limit(alpha: Floor) -> None:
    said(alpha, "One.")
    said(alpha, "Two.")
    found = alpha("history", "BRAVO", "--kind", "message", "--limit", "2", "--json").objects
    assert [entry["body"]["text"] for entry in found] == ["One.", "Two."]
    assert alpha("history", "BRAVO", "--since", "2090-01-01T00:00Z", "--json").objects == []
    assert "Nothing was said" in alpha("history", "BRAVO", "--since", "2090-01-01T00:00Z").out


# --- terms -------------------------------------------------------------------------------------------------------


def test_other_terms_are_proposed_and_agreed(alpha: Floor, bravo: Floor, tmp_path: Path) -> None:
    terms = tmp_path / "other.toml"
    terms.write_text('title = "Another title"\nlanguages = ["en", "ru"]\ntest_minutes = 0\n')
    alpha.good("propose", "BRAVO", "--terms", str(terms), "--yes")
    until(lambda: bravo("history", "ALPHA", "--kind", "propose", "--json").objects)
    refused = bravo("assent", "ALPHA", stdin=b"no\n")
    assert refused.code == 1
    assert "Another title" in refused.err
    bravo.good("assent", "ALPHA", "--yes")
    until(lambda: alpha.good("lines", "BRAVO")["lines"][0]["title"] == "Another title")


# --- record and proof --------------------------------------------------------------------------------------------


def test_export_verify_and_prove(alpha: Floor, bravo: Floor, tmp_path: Path) -> None:
    reference = said(alpha, "On the record.")
    folder = tmp_path / "export"
    assert alpha.good("export", "BRAVO", str(folder))["entries"] > 0
    fingerprint = alpha.good("card")["fingerprint"]["words"]
    verified = alpha("verify", str(folder), "--expect", fingerprint)
    assert verified.code == 0
    assert verified.out.startswith("PROVED")
    assert alpha("verify", str(folder)).out.startswith("CONSISTENT, IDENTITY NOT PROVED")
    stranger = alpha("verify", str(folder), "--expect", "00000 " * 12)
    assert (stranger.code, stranger.out.startswith("FOREIGN")) == (5, True)
    proof = tmp_path / "entry.proof"
    alpha.good("prove", "BRAVO", reference, "--show", "kind,time", "--out", str(proof))
    told = alpha("verify", str(proof), "--json")
    assert told.code == 0
    assert "On the record." not in told.out
    again = alpha("prove", "BRAVO", reference).out
    assert again.partition("\n\n")[0] == proof.read_text().partition("\n\n")[0]  # signatures differ
    transcript = folder / "transcript.txt"
    transcript.write_bytes(transcript.read_bytes()[:-1] + b"?")
    broken = alpha("verify", str(folder))
    assert (broken.code, broken.out.startswith("BROKEN")) == (5, True)


def test_doctor_and_backup_work_beside_a_running_station(alpha: Floor, tmp_path: Path) -> None:
    findings = {one["code"] for one in alpha("doctor", "--json").json["findings"]}
    assert {"running", "keys"} <= findings
    backup = tmp_path / "alpha.backup"
    assert alpha.good("backup", str(backup), "--key-file", str(tmp_path / "backup.key"))["lines"] == 1
    assert alpha("backup", str(backup), "--key-file", str(tmp_path / "backup.key")).code == 1


# --- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, code, first",
    [
        (["send", "CHARLIE", "x"], 1, "There is no line CHARLIE here."),
        (["send", "BRAVO", "x", "--precedence", "flahs"], 2, "What stands after --precedence is none of its values."),
        (["send", "BRAVO", "x", "--answer-by", "soon"], 2, "soon is not a moment."),
        (["send", "BRAVO", "x", "--answer-by", "2026-11-21T14:30"], 2, "2026-11-21T14:30 has no time zone."),
        (["send", "BRAVO", "x", "--at", "+1m"], 2, "--at is for stations with a simulated clock; this one is live."),
        (["send", "BRAVO", "x", "--answers", "BRAVO 9999"], 1, "There is no message BRAVO 9999 on this line."),
        (["send", "BRAVO", "x", "--timeout", "5"], 2, "5 is not a span of time."),
        (["send", "BRAVO", "x" * 8_193], 2, "The text is too long: 8193 bytes of at most 8192."),
        (["send", "BRAVO"], 2, "The text is empty."),
        (["send"], 2, "LINE is missing."),
        (["sned", "BRAVO", "x"], 2, "There is no command sned.\nDid you mean send?"),
        (["read", "BRAVO", "what"], 2, "what is not a reference."),
        (["read", "BRAVO", "9.0:9"], 1, "There is no message 9.0:9 on this line."),
        (["read", "BRAVO", "BRAVO 9999"], 1, "There is no message BRAVO 9999 on this line."),
        (["find", "BRAVO", "CHARLIE 1"], 1, "There is no message CHARLIE 1 on this line."),
        (["receipt", "BRAVO", "BRAVO 1", "seen"], 2, "What stands after step is none of its values."),
        (["watch", "BRAVO"], 2, "Say which line, and on or off."),
        (["release", "77"], 1, "No such draft."),
        (["discard", "77"], 1, "No such draft."),
        (["prove", "BRAVO", "0.0:0", "--show", "all"], 2, "An entry has the fields kind, time, ack and body."),
        (["verify", "/nowhere"], 2, "There is nothing at /nowhere."),
        (["attach", "BRAVO", "/nowhere"], 2, "There is no file /nowhere."),
        (["history", "BRAVO", "--limit", "0"], 2, "--limit: "),
        (["status", "--frobnicate"], 2, "There is no option --frobnicate."),
        (["archive", "BRAVO", "/nowhere"], 1, "The station is running."),
        (["interim", "BRAVO", "BRAVO 1", "+x"], 2, "+x is not a moment."),
    ],
)
def test_an_error_says_what_happened_then_what_to_do(alpha: Floor, words: list[str], code: int, first: str) -> None:
    done = alpha(*words)
    assert done.code == code
    assert done.err.startswith(first)
    assert done.out == ""
    assert "Traceback" not in done.err
    told = alpha(words[0], "--json", *words[1:])
    assert (told.code, told.err) == (code, "")
    assert set(told.json) == {"error", "message", "do", "exit"}
    assert told.json["exit"] == code


def test_an_error_never_passes_on_what_acts_on_a_screen(alpha: Floor) -> None:
    done = alpha("send", "\x1b[2JBRAVO", "x")
    assert done.code == 1
    assert "\x1b" not in done.err


def test_a_text_that_is_not_utf_8_is_refused_and_nothing_is_sent(alpha: Floor) -> None:
    before = len(alpha("history", "BRAVO", "--json").objects)
    done = alpha("send", "BRAVO", stdin=b"caf\xe9")
    assert (done.code, done.err.splitlines()[0]) == (2, "The text is not UTF-8.")
    assert len(alpha("history", "BRAVO", "--json").objects) == before


def test_without_colour_there_are_no_escapes_and_without_unicode_there_are_signs(alpha: Floor) -> None:
    said(alpha, "Plain.")
    home = str(alpha.home)
    for env in ({"NO_COLOR": "1"}, {"PYTHONIOENCODING": "ascii"}):
        for words in (["status"], ["lines"], ["history", "BRAVO"]):
            done = process(words[0], "--home", home, *words[1:], env=env)
            assert done.code == 0
            assert "\x1b" not in done.out
    assert "====" in process("status", "--home", home, env={"PYTHONIOENCODING": "ascii"}).out


def test_every_command_was_tried(request: pytest.FixtureRequest) -> None:
    """Each name of the table of contents stands in a test of the command line."""
    here = Path(str(request.path)).parent
    text = "\n".join(path.read_text() for path in sorted(here.glob("*.py")))
    assert [entry.name for entry in CONTENTS if f'"{entry.name}"' not in text] == []
