"""The two commands of the README keep their promises: ./demo and ./check, and what stands behind them."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SKIPPED
from tests.house.rules import ROOT
from tests.ports import FIRST, LAST, free_port

sys.path.insert(0, str(ROOT / "tools"))

import check
import prepare
import unsteady


@pytest.mark.parametrize("name", ["demo", "check", "tools/launch.py"])
def test_an_old_python_can_read_what_tells_it_that_it_is_too_old(name: str) -> None:
    ast.parse((ROOT / name).read_text(), feature_version=(3, 6))


@pytest.mark.parametrize("name", ["demo", "check", ".ci/run", "tools/prepare.py", "tools/lock.py"])
def test_the_commands_can_be_run(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)


def test_another_lock_is_another_environment(tmp_path: Path) -> None:
    lock = tmp_path / "base.txt"
    lock.write_text("a==1\n")
    before = prepare.fingerprint("base", lock)
    lock.write_text("a==2\n")
    assert prepare.fingerprint("base", lock) != before
    assert prepare.fingerprint("dev", lock) != before


@pytest.mark.parametrize(
    "said, told",
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "damaged or forged"),
        ("Failed to establish a new connection: [Errno 101]\nERROR: No matching distribution found", "no network"),
        ("ERROR: No matching distribution found for segno==1", "missing from the index or the folder"),
        ("ERROR: Could not install packages: [Errno 28] No space left on device", "disk is full"),
        ("Collecting a\nERROR: something new", "ERROR: something new"),
        ("", "pip failed"),
    ],
)
def test_a_page_of_pip_becomes_one_line(said: str, told: str) -> None:
    line = prepare.cause(said)
    assert told in line
    assert "\n" not in line


def test_the_debian_packages_stand_in_one_list() -> None:
    """Each with what shows that it is there."""
    lines = [line.partition("#")[0].split() for line in check.PACKAGES.read_text().splitlines()]
    assert [line for line in lines if len(line) not in {0, 2}] == []
    names = {line[0] for line in lines if line}
    assert names
    assert set(check.missing_packages()) <= names


def test_a_package_that_the_tests_need_starts_no_service(tmp_path: Path) -> None:
    """Debian's packages ask policy-rc.d, and 101 is no (Debian policy 9.3.3.2)."""
    policy = tmp_path / "policy-rc.d"
    with check.no_services(policy):
        assert subprocess.run([str(policy), "coturn", "start"], check=False).returncode == 101
    assert not policy.exists()
    policy.write_text("the machine's own")
    with check.no_services(policy):
        pass
    assert policy.read_text() == "the machine's own"


def test_no_port_is_handed_to_two_tests() -> None:
    """Neither of one process nor of another beside it, and none that the system would give out."""
    ours = [free_port() for _ in range(100)]
    others = "from tests.ports import free_port; print(*[free_port() for _ in range(100)])"
    done = subprocess.run([sys.executable, "-c", others], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len({*ours, *map(int, done.stdout.split())}) == 200
    assert FIRST <= min(ours) <= max(ours) < LAST + 64 <= 32_768


SKIPPING = """
import pytest

def test_plain():
    pass

def test_with_a_real_part():
    pytest.skip("no such server here")

@pytest.mark.full
def test_only_in_full():
    pass
"""


def outcome(folder: Path, *options: str, ci: str) -> tuple[int, str]:
    """Exit status and output of a run over one file of which one test skips."""
    (folder / "test_skipping.py").write_text(SKIPPING)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", *options]
    command += ["-c", str(ROOT / "pyproject.toml"), f"--rootdir={folder}", str(folder)]
    environment = {**os.environ, "CI": ci, "OPENLINE_CHECK_STAGES": ""}  # that summary is of the whole run alone
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "options, ci, status",
    [
        (["--full"], "true", SKIPPED),
        (["--full", "--numprocesses=1"], "true", SKIPPED),
        (["--full"], "", 0),
        ([], "true", 0),
    ],
)
def test_a_missing_real_part_is_loud_and_fails_continuous_integration(
    tmp_path: Path, options: list[str], ci: str, status: int
) -> None:
    code, said = outcome(tmp_path, *options, ci=ci)
    assert code == status
    assert "1 SKIPPED: A REAL PART IS MISSING" in said
    assert "no such server here" in said
    last = said.strip().splitlines()[-1]
    assert re.match(r"[12] passed, 1 skipped(, 1 deselected)? in", last)
    assert ("deselected" in last) == ("--full" not in options)


FAILING = """
from pathlib import Path

import pytest

@pytest.mark.xdist_group("some")
@pytest.mark.parametrize("address", ["a@b", "c"])
def test_that_fails_at_its_first_play(address):
    mark = Path(__file__).with_name(f"{address}.played")
    played = mark.exists()
    mark.touch()
    assert played

def test_that_always_fails():
    assert ALWAYS
"""


@pytest.mark.parametrize(
    "folder, always, steady",
    [("tests/e2e", "True", True), ("tests/e2e", "False", False), ("tests/spec", "True", False)],
)
def test_what_failed_beside_others_may_pass_alone_and_is_told_of(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], folder: str, always: str, steady: bool
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / folder / "test_once.py").write_text(FAILING.replace("ALWAYS", always))
    command = [sys.executable, "-m", "pytest", "-q", "--numprocesses=2", "--dist=loadgroup", f"--rootdir={tmp_path}"]
    unsteady.forget(tmp_path)
    done = subprocess.run([*command, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == check.TESTS_FAILED, done.stdout
    assert f"{folder}/test_once.py::test_that_fails_at_its_first_play[a@b]" in unsteady.failed(tmp_path)
    assert check.steadied([], tmp_path) == steady
    said = capfd.readouterr().out
    assert said.count("UNSTEADY: ") == (2 if folder == "tests/e2e" else 0)
    assert ("UNSTEADY: tests/e2e/test_once.py::test_that_always_fails" in said) is False


@pytest.mark.parametrize(
    "failed, repeated",
    [
        (["tests/e2e/test_a.py::test_b", "tests/contract/test_c.py::test_d[1]"], True),
        ([f"tests/e2e/test_a.py::test_{number}" for number in range(unsteady.MOST + 1)], False),
        (["tests/e2e/test_a.py::test_b", "tests/sim/test_simulation.py::test_c"], False),
        (["tests/e2e/test_a.py"], False),
        ([], False),
    ],
)
def test_many_failures_and_those_of_what_is_computed_are_no_accident(failed: list[str], repeated: bool) -> None:
    assert unsteady.may_be_repeated(failed) == repeated
