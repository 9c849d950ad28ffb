"""The demonstration, as a newcomer runs it: from the command to two verified exports."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from openline.archive.verify import verify
from openline.kernel.keys import read_card
from openline.station.cards import unarmoured
from openline.station.unlock import KeyFile
from tests.e2e.browser import floor
from tests.e2e.homes import Home, hang_up
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
RUN = [sys.executable, "-m", "openline.cli.demo"]
SCENARIOS = sorted((ROOT / "examples" / "scenarios").glob("*.toml"))
LINK = re.compile(r"https://\S+/#/enter/[\w-]+")
SMALL = """
format = 1
name = "small"
title.en = "A question and its receipt"
clock.note.en = "Simulated clock."
stations.alpha = {name = "NORTH", languages = ["en"]}
stations.bravo = {name = "SOUTH", languages = ["ru"]}

[[step]]
at = 2026-01-10T06:00:00Z
station = "bravo"
do = "watch"
attended = true
sign = "S4"

[[step]]
at = 2026-01-10T07:00:00Z
station = "alpha"
do = "message"
label = "question"
precedence = "priority"
to = "principal"
subject = "A question"
lang = "en"
text = "Will you speak with us?"

[[step]]
at = 2026-01-10T07:01:00Z
station = "bravo"
do = "presented"
of = "question"
role = "watch-officer"
sign = "S4"

[[step]]
at = 2026-01-10T07:02:00Z
station = "bravo"
do = "read"
of = "question"
role = "watch-officer"
sign = "S4"
"""


def demo(*words: str, timeout: float = 240) -> "subprocess.CompletedProcess[str]":
    environment = dict(os.environ, LANG="C.UTF-8", OPENLINE_LANG="en", NO_COLOR="1")
    return subprocess.run(
        [*RUN, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


class Shown:
    """The demonstration at a terminal."""

    def __init__(self, process: "subprocess.Popen[bytes]", ours: int) -> None:
        self.process, self._ours = process, ours
        self._pieces: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(self._ours, 65_536):
                self._pieces.append(piece)

    def text(self) -> str:
        """What stands there by now."""
        return b"".join(self._pieces).decode(errors="replace")

    def ended(self) -> bool:
        """Whether it is over."""
        return self.process.poll() is not None

    def interrupted(self) -> int:
        """Press Ctrl-C; the exit code."""
        assert not self.ended(), self.text()
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@contextlib.contextmanager
def terminal(folder: Path, *words: str) -> Iterator[Shown]:
    """Run it at a terminal, with everything in `folder`/line."""
    ours, theirs = pty.openpty()
    environment = dict(os.environ, LANG="C.UTF-8", NO_COLOR="1", TERM="xterm")
    environment.pop("OPENLINE_LANG", None)  # as on a machine without any language
    process = subprocess.Popen(
        [*RUN, "--dir", str(folder / "line"), *words],
        cwd=ROOT,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Shown(process, ours)
    finally:
        if process.poll() is None:
            process.terminate()  # it ends its stations itself
            process.wait(60)
        os.close(ours)


def home_at(folder: Path, key: str) -> Home:
    """A station of the demonstration, for a browser before its console."""
    card = read_card(unarmoured((folder / f"{key}.card").read_text()))
    return Home(name=key.upper(), folder=folder / key, unlock=KeyFile(folder / f"{key}.key"), card=card, port=0)


@pytest.mark.full
@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_a_scenario_is_played_held_exported_and_verified_on_both_sides(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "line"
    done = demo("--once", "--fast", "--dir", str(folder), "--scenario", str(file))
    assert done.returncode == 0, done.stderr
    assert "SIMULATED CLOCK" in done.stdout
    assert "sent, unknown" not in done.stdout
    assert done.stdout.count("PROVED: consistent, identity proved") == 2
    assert "Both fold their logs to the same state" in done.stdout
    for side in ("alpha", "bravo"):
        assert (folder / side / "config.toml").exists()
        assert verify(folder / f"export-{side}").ok
    for verifier in ([sys.executable, str(ROOT / "verifiers" / "openline_verify.py")],):
        checked = subprocess.run(
            [*verifier, str(folder / "export-alpha")], capture_output=True, text=True, timeout=120, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.full
def test_without_a_terminal_it_prints_both_links_plays_and_ends(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    done = demo("--dir", str(tmp_path / "line"), "--scenario", str(tmp_path / "small.toml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(LINK.findall(done.stdout)) == 2
    assert "or when you press Enter" not in done.stdout
    assert "Both fold their logs to the same state" in done.stdout
    assert not list((tmp_path / "line").glob("*/run/api.sock"))


@pytest.mark.full
def test_ctrl_c_before_the_end_ends_both_stations_and_says_so_to_the_shell(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    with terminal(tmp_path, "--scenario", str(tmp_path / "small.toml")) as shown:
        until(lambda: "or when you press Enter" in shown.text() or shown.ended(), deadline_s=200)
        assert shown.interrupted() == 130, shown.text()
        assert "Traceback" not in shown.text()
    assert not list((tmp_path / "line").glob("*/run/api.sock"))


@pytest.mark.full
def test_it_is_watched_in_two_browsers_and_stays_until_ctrl_c(tmp_path: Path) -> None:
    """Begins when both links were opened; what is played appears on both floors; Ctrl-C leaves nothing behind."""
    (tmp_path / "small.toml").write_text(SMALL)
    with terminal(tmp_path, "--scenario", str(tmp_path / "small.toml")) as shown:
        until(lambda: "or when you press Enter" in shown.text() or shown.ended(), deadline_s=200)
        links = LINK.findall(shown.text())
        assert [link.partition(":")[2].partition(":")[0] for link in links] == [
            "//alpha.localhost",
            "//bravo.localhost",
        ]
        homes = [home_at(tmp_path / "line", key) for key in ("alpha", "bravo")]
        with floor(*homes) as room:
            seats = [room.stranger(home) for home in homes]
            for seat, link, other in zip(seats, links, ("SOUTH", "NORTH"), strict=True):
                seat.enter(link)
                seat.page.get_by_role("button", name="Not now").click()  # in the language of who watches, at both
                seat.open(f"#/line/{other}")
            for seat in seats:
                seat.shows("Will you speak with us?")
                seat.until("document.querySelector('.transcript')?.innerText.includes('S4')")
            until(lambda: "stay up until Ctrl-C" in shown.text() or shown.ended(), deadline_s=200)
            for seat in seats:
                seat.allow("Failed to (load resource|fetch)|ERR_")  # the stations leave before the browsers do
            assert shown.interrupted() == 0, shown.text()
    assert not list((tmp_path / "line").glob("*/run/api.sock"))


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    done = demo("--once", "--fast", "--dir", str(tmp_path))
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = demo("--once", "--fast", "--dir", str(tmp_path / "file" / "line"))
    assert done.returncode == 1
    assert "cannot be made" in done.stderr
    assert "Traceback" not in done.stderr


def test_when_the_terminal_is_closed_nothing_is_left_behind(tmp_path: Path) -> None:
    environment = dict(os.environ, TMPDIR=str(tmp_path), OPENLINE_LANG="en", PYTHONUNBUFFERED="1")
    with hang_up(signal.SIG_DFL):
        process = subprocess.Popen([*RUN, "--fast"], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        until(lambda: any(tmp_path.iterdir()))
        process.send_signal(signal.SIGHUP)
        process.stdout.read()
        assert process.wait(60) == 130
    assert not list(tmp_path.iterdir())


def test_a_scenario_that_is_none_is_refused_with_its_reason(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('format = 1\nname = "x"\n')
    done = demo("--once", "--fast", "--scenario", str(bad))
    assert done.returncode == 1
    assert re.search(r"header.*missing", done.stderr), done.stderr
    assert "Traceback" not in done.stderr
