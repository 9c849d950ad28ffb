"""Several Unix users at one station that runs without privilege: each may do what its roles say, and nothing else."""

import grp
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.chaos.rig import TERMS, Rig, make_template, rig
from tests.e2e.everyones_python import everyones_python
from tests.waiting import until

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as several Unix users"),
]

STATION, OFFICER, SECOND, AUDITOR, TECHNICIAN, STRANGER, OUTSIDER = range(61_001, 61_008)
PEOPLE = f"""
[people.{OFFICER}]
sign = "W2"
also = ["W3"]
roles = ["watch-officer"]

[people.{SECOND}]
sign = "W4"
roles = ["watch-officer", "principal"]

[people.{AUDITOR}]
sign = "A1"
roles = ["auditor"]

[people.{TECHNICIAN}]
sign = "T1"
roles = ["technician"]
"""
CALLS = """
import json, sys
from pathlib import Path
from openline.kernel.errors import Refused, Unavailable
from openline.station.client import Client
answers = []
with Client(Path(sys.argv[1]), timeout_s=60) as station:
    for method, path, body in json.load(sys.stdin):
        try:
            call = station.raw(path, body, method=method)
            answers.append(["ok", call.decode(errors="replace")])
        except (Refused, Unavailable) as error:
            answers.append([error.code, str(error)])
print(json.dumps(answers))
"""
Call = tuple[str, str, object]
MESSAGE = {"kind": "message", "text": "For two of us.", "precedence": "flash"}


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="openline-users-"))
    yield make_template(folder / "pair", TERMS.replace("[quota]", "release = true\n[quota]"))
    shutil.rmtree(folder)


@pytest.fixture
def two(template: Path) -> Iterator[Rig]:
    """ALPHA runs as a user of its own; a group may reach its API."""
    group = grp.getgrgid(60)
    with tempfile.TemporaryDirectory(prefix="openline-users-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with rig(template, folder) as made:
            alpha = made.alpha
            config = alpha.home / "config.toml"
            text = config.read_text().replace('group = ""', f'group = "{group.gr_name}"')
            config.write_text(text.replace('[people."0"]', f"[people.{STATION}]") + PEOPLE)
            for path in (alpha.home, *alpha.home.rglob("*")):
                os.chown(path, STATION, STATION)
            alpha.user, alpha.groups = STATION, [group.gr_gid]
            yield made


def start(two: Rig) -> None:
    """Start both; root itself is nobody at ALPHA, so its own users ask."""
    two.alpha.spawn()
    two.bravo.start()
    until(lambda: ask(two, STATION, [("GET", "status", None)])[0][0] == "ok", deadline_s=120)
    until(lambda: two.bravo.line()["state"] == "in service", deadline_s=120)


def ask(two: Rig, user: int, calls: list[Call], *, member: bool = True) -> list[tuple[str, str]]:
    """Make calls as a user; for each its error's code, or "ok", and what was said."""
    done = subprocess.run(
        [everyones_python(), "-c", CALLS, two.alpha.home / "run" / "api.sock"],
        input=json.dumps(calls), capture_output=True, text=True, cwd="/", timeout=180,
        user=user, group=user, extra_groups=[60] if member else [],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [(code, said) for code, said in json.loads(done.stdout)]


def test_each_role_does_its_own_and_no_more(two: Rig) -> None:
    start(two)
    backup = {"path": "/proc/none/x.backup", "passphrase": "correct horse"}
    calls: dict[str, Call] = {
        "say": ("POST", "lines/BRAVO/entries", MESSAGE),
        "batch": ("POST", "lines/BRAVO/entries:batch", {"entries": [{"kind": "watch", "attended": True}]}),
        "read": ("GET", "lines/BRAVO/entries", None),
        "audit": ("GET", "audit", None),
        "metrics": ("GET", "metrics", None),
        "test": ("POST", "lines/BRAVO/test", {"drill": False}),
        "backup": ("POST", "backup", backup),
        "export": ("POST", "lines/BRAVO/export", {"directory": "/proc/none/x"}),
        "propose": ("POST", "lines/BRAVO/entries", {"kind": "propose", "policy": {"release": False}}),
        "pair": ("POST", "pairings", {"card": "x", "terms": None, "label": "X"}),
    }
    may = {
        OFFICER: {"say", "batch", "read", "test"},
        SECOND: {"say", "batch", "read", "test"},
        AUDITOR: {"read", "audit", "export"},
        TECHNICIAN: {"metrics", "test", "backup"},
        STRANGER: set[str](),
    }
    for user, allowed in may.items():
        answers = dict(zip(calls, ask(two, user, list(calls.values())), strict=True))
        passed = {name for name, (code, _) in answers.items() if code != "forbidden"}
        assert passed == allowed, (user, answers)
    outside = ask(two, OUTSIDER, [("GET", "status", None)], member=False)
    assert outside[0][0] in {"forbidden", "unavailable"}, outside
    assert ask(two, STATION, [calls["audit"]])[0][0] == "ok"


def test_nobody_but_the_station_reads_its_files(two: Rig) -> None:
    start(two)
    script = """
import os, sys
from pathlib import Path
home = Path(sys.argv[1])
for name in ("keys/station.key", "keys/lane.key", "keys/root.key", "store/store.db", "marks", "unlock.key", "config.toml", "keys", "."):
    try:
        (list(os.scandir(home / name)) if (home / name).is_dir() else open(home / name, "rb"))
        print(name)
    except PermissionError:
        pass
"""
    for user, groups in ((OFFICER, [60]), (OUTSIDER, [])):
        done = subprocess.run(
            [everyones_python(), "-W", "ignore", "-c", script, two.alpha.home],
            capture_output=True, text=True, cwd="/", user=user, group=user, extra_groups=groups,
        )  # fmt: skip
        assert (done.stdout, done.stderr) == ("", "")
    assert two.alpha.running is not None
    status = Path(f"/proc/{two.alpha.running.pid}/status").read_text()
    assert f"Uid:\t{STATION}\t{STATION}" in status


def test_one_drafts_and_another_releases_and_signs_cannot_be_borrowed(two: Rig) -> None:
    start(two)
    ((code, said),) = ask(two, OFFICER, [("POST", "lines/BRAVO/entries", MESSAGE)])
    assert code == "ok", said
    draft = json.loads(said)["draft"]
    release = f"drafts/{draft}/release"
    own = ask(
        two, OFFICER, [("POST", release, {}), ("POST", release, {"sign": "W3"}), ("POST", release, {"sign": "W4"})]
    )
    assert [code for code, _ in own] == ["forbidden"] * 3, own
    for user in (AUDITOR, TECHNICIAN, STRANGER):
        assert ask(two, user, [("POST", release, {})])[0][0] == "forbidden"
    assert two.bravo.entries() == []
    borrowed = ask(two, SECOND, [("POST", release, {"sign": "W2"})])
    assert borrowed[0][0] == "forbidden", borrowed
    assert ask(two, SECOND, [("POST", release, {})])[0][0] == "malformed"
    shown = json.loads(ask(two, SECOND, [("GET", f"drafts/{draft}", None)])[0][1])
    confirmed = {**{name: shown["message"][name] for name in ("to", "precedence")}, "digest": shown["digest"]}
    assert ask(two, SECOND, [("POST", release, confirmed)])[0][0] == "ok"
    assert ask(two, SECOND, [("POST", release, confirmed)])[0][0] in {"conflict", "unknown"}
    (entry,) = until(two.bravo.entries)
    assert (entry["body"]["drafter"], entry["body"]["releaser"]) == ("W2", "W4")
    ((_, said),) = ask(two, AUDITOR, [("GET", "audit", None)])
    acts = [act for row in json.loads(said)["rows"] for act in row["acts"]]
    assert {(act["uid"], act["outcome"]) for act in acts if act["act"] == "release"} >= {
        (SECOND, "done"),
        (OFFICER, "forbidden"),
    }
    assert "For two of us" not in said


def test_a_draft_outlives_kill_9_and_is_sent_once(two: Rig) -> None:
    start(two)
    drafts = []
    for _ in range(3):
        ((_, said),) = ask(two, OFFICER, [("POST", "lines/BRAVO/entries", MESSAGE)])
        drafts.append(json.loads(said)["draft"])
    for draft in drafts:
        two.alpha.kill()
        two.alpha.spawn()
        until(lambda: ask(two, STATION, [("GET", "status", None)])[0][0] == "ok", deadline_s=120)
        releasing = subprocess.Popen(
            [everyones_python(), "-m", "openline", "release", str(draft), "--home", str(two.alpha.home)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", user=SECOND, group=SECOND, extra_groups=[60],
        )  # fmt: skip
        until(lambda: releasing.poll() is not None, deadline_s=120)  # noqa: B023
        two.alpha.kill()
        two.alpha.spawn()
        until(lambda: ask(two, STATION, [("GET", "status", None)])[0][0] == "ok", deadline_s=120)
        ask(two, SECOND, [("POST", f"drafts/{draft}/release", {})])
    until(lambda: len(two.bravo.entries()) >= 3)
    until(lambda: two.bravo.line()["state"] == "in service")
    assert len(two.bravo.entries()) == 3
