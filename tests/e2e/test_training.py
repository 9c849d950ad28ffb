"""One officer trains alone: the scripted station is made, paired on an exercise line, and plays its part (spec 6.46, 6.47)."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openline.cli.scenario import load
from openline.cli.training import SCRIPT
from tests.e2e.cli_rig import COMMAND, Floor, founded
from tests.waiting import until

SHORT = """
format = 1
name = "short"
title.en = "Short"

[clock]
note.en = "Real."

[stations.alpha]
name = "YOU"
languages = ["en"]

[stations.bravo]
name = "TRAINER"
languages = ["en"]

[[step]]
at = 2026-01-01T00:00:00Z
station = "bravo"
do = "watch"
attended = true
sign = "W1"

[[step]]
at = 2026-01-01T00:02:00Z
station = "bravo"
do = "message"
label = "first"
precedence = "flash"
to = "watch-officer"
subject = "Stop"
lang = "en"
answer_by = 2026-01-01T02:00:00Z
text = "Exercise. Please answer."

[[step]]
at = 2026-01-01T01:00:00Z
station = "alpha"
do = "read"
of = "first"
role = "watch-officer"
sign = "W1"
say.en = "Read it: openline read {line}"

[[step]]
at = 2026-01-01T02:00:00Z
station = "alpha"
do = "message"
label = "answer"
answers = "first"
precedence = "flash"
to = "watch-officer"
subject = "Yours"
lang = "en"
text = "Yours."
say.en = "Answer it."

[[step]]
at = 2026-01-01T02:00:01Z
station = "alpha"
do = "interim"
of = "first"
answer_by = 2026-01-01T03:00:00Z
sign = "W1"
say.en = "Promise something."

[[step]]
at = 2026-01-01T02:00:02Z
station = "bravo"
do = "message"
label = "thanks"
answers = "answer"
precedence = "routine"
to = "watch-officer"
subject = "Thanks"
lang = "en"
text = "Thank you."
"""


@pytest.fixture
def officer(tmp_path: Path) -> Iterator[Floor]:
    floor = founded(tmp_path, "ALPHA")
    with floor.up():
        yield floor


def started(officer: Floor, script: Path, *more: str) -> "subprocess.Popen[bytes]":
    words = ["train", "--home", str(officer.home), "--scenario", str(script), "--pace", "100", "--lang-ui", "en", *more]
    return subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def entries(officer: Floor, kind: str) -> list[Any]:
    found = officer("history", "TRAINER", "--kind", kind, "--json")
    return found.objects if found.code == 0 else []


@pytest.mark.full
def test_one_officer_trains_alone_and_again_on_the_same_line(officer: Floor, tmp_path: Path) -> None:
    script = tmp_path / "short.toml"
    script.write_text(SHORT)
    for session in (1, 2):
        with started(officer, script, *(("--json",) if session == 1 else ())) as training:
            until(lambda session=session: len(entries(officer, "message")) == 3 * session - 2, deadline_s=90)  # type: ignore[misc]
            flash = entries(officer, "message")[-1]
            assert flash["exercise"]
            assert flash["body"]["precedence"] == "flash"
            reference = " ".join(flash["ref"]["reference"].split()[:2])
            until(lambda session=session: len(entries(officer, "propose")) == session)  # type: ignore[misc]
            officer.good("assent", "TRAINER", "--yes")
            officer.good("read", "TRAINER", reference)
            officer.good("send", "TRAINER", "It has turned.", "--precedence", "flash", "--yes", "--answers", reference)
            until(lambda session=session: any(  # the scripted officer reads it
                each["status"]["TRAINER"]["read"] for each in entries(officer, "message")[3 * session - 2:]
                if each["author"] == "ALPHA"), deadline_s=60)  # type: ignore[misc]  # fmt: skip
            out, err = training.communicate(timeout=120)
        assert training.returncode == 0, err.decode()
        if session == 1:
            tasks = json.loads(out)["tasks"]
            assert [task["took_ms"] is not None for task in tasks] == [True, True, False]
            assert tasks[0]["asked"] == "Read it: openline read TRAINER"
        else:
            assert "[EXERCISE] Answer it." in err.decode()
            assert out.decode().count("Done after") == 2
            assert out.decode().count("Not done in time") == 1
        until(lambda session=session: len(entries(officer, "message")) == 3 * session)  # type: ignore[misc]
        assert len(officer.good("lines")["lines"]) == 1
    contacts = officer.good("contacts", "TRAINER")
    assert contacts["exercise"]
    assert {each["name"] for each in contacts["schedule"]} == {"Training letters", "Training call"}


def test_the_bundled_script_can_be_played(tmp_path: Path) -> None:
    script = load(SCRIPT)
    assert {step.station for step in script.steps} == {"alpha", "bravo"}
    told = [step.say for step in script.steps if step.station == "alpha" and hasattr(step, "say")]
    assert all(words is not None and words.fr and words.ru for words in told)
    minutes = (script.steps[-1].at - script.steps[0].at).total_seconds() / 60
    assert 10 < minutes < 20


def test_without_a_running_station_nothing_is_made(tmp_path: Path) -> None:
    floor = founded(tmp_path, "ALPHA")
    assert floor("train").code != 0
    assert not (tmp_path / "alpha-training").exists()
