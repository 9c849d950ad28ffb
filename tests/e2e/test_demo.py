"""The demonstration, as a newcomer runs it: from the command to two verified exports."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openline.archive.verify import verify
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
RUN = [sys.executable, "-m", "openline.cli.demo"]
SCENARIOS = sorted((ROOT / "examples" / "scenarios").glob("*.toml"))


def demo(*words: str, timeout: float = 240) -> "subprocess.CompletedProcess[str]":
    environment = dict(os.environ, LANG="C.UTF-8", OPENLINE_LANG="en", NO_COLOR="1")
    return subprocess.run(
        [*RUN, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


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
def test_both_stations_stay_up_until_ctrl_c_and_leave_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "line"
    log = tmp_path / "out"
    environment = dict(os.environ, LANG="C.UTF-8", OPENLINE_LANG="en")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*RUN, "--fast", "--dir", str(folder)],
            cwd=ROOT,
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        until(lambda: "stay up until Ctrl-C" in log.read_text() or process.poll() is not None, deadline_s=200)
        assert process.poll() is None, log.read_text()[-2_000:]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0, log.read_text()[-2_000:]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert not list(folder.glob("*/run/api.sock"))


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    done = demo("--once", "--fast", "--dir", str(tmp_path))
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_a_scenario_that_is_none_is_refused_with_its_reason(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('format = 1\nname = "x"\n')
    done = demo("--once", "--fast", "--scenario", str(bad))
    assert done.returncode == 1
    assert re.search(r"header.*missing", done.stderr), done.stderr
    assert "Traceback" not in done.stderr
