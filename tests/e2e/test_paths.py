"""Folders of every name: with spaces, in any script, or refused in words before anything is made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openline.cli.failures import Exit
from openline.station.files import MAX_PATH
from tests.e2e.cli_rig import process
from tests.ports import free_port

REFUSED = {
    "not UTF-8": b"caf\xe9",
    "a line end": b"a\nb",
    "an escape": b"a\x1b[31mz",
    "too long": b"/".join([b"d" * 200] * (MAX_PATH // 200 + 1)),
}


def typed(*words: str | bytes) -> "subprocess.CompletedProcess[bytes]":
    """A command whose words are bytes, as a shell hands them over; the program's own words are English."""
    own = {"OPENLINE_LANG": "en", "LC_ALL": "C"}
    given = [sys.executable, "-m", "openline", *words]
    return subprocess.run(given, env={**os.environ, **own}, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("why", REFUSED)
def test_a_folder_that_the_store_could_not_name_is_refused_before_anything_is_made(tmp_path: Path, why: str) -> None:
    home, key = os.fsencode(tmp_path) + b"/" + REFUSED[why], str(tmp_path / "k")
    done = typed("init", "ALPHA", "--home", home, "--key-file", key)
    assert done.returncode == Exit.REFUSED, done.stderr
    assert b"hoose a" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("why", REFUSED)
def test_a_backup_and_a_restore_refuse_it_too(tmp_path: Path, why: str) -> None:
    here, key = str(tmp_path / "alpha"), str(tmp_path / "k")
    place = os.fsencode(tmp_path) + b"/" + REFUSED[why]
    assert process("init", "ALPHA", "--home", here, "--key-file", key).code == 0
    done = typed("backup", place, "--home", here, "--key-file", str(tmp_path / "b"))
    assert done.returncode == Exit.REFUSED, done.stderr
    assert b"hoose a" in done.stderr
    good = str(tmp_path / "good.backup")
    assert process("backup", good, "--home", here, "--key-file", str(tmp_path / "b")).code == 0
    done = typed("restore", good, "--home", place, "--key-file", str(tmp_path / "b"), "--unlock-file", key)
    assert done.returncode == Exit.REFUSED, done.stderr
    assert not Path(os.fsdecode(place)).exists()


@pytest.mark.parametrize("name", ["a b  c", "пост ☎", "a\"b'c$x;`", "-x"])
def test_any_other_name_makes_a_station(tmp_path: Path, name: str) -> None:
    home, key = tmp_path / name, tmp_path / f"{name}.key"
    made = typed("init", "ALPHA", "--home", str(home), "--key-file", str(key), "--listen", f"127.0.0.1:{free_port()}")
    assert made.returncode == 0, made.stderr
    assert typed("doctor", "--home", str(home)).returncode == Exit.ATTENTION, (
        "the root key lies there, and nothing else"
    )
    backup = typed("backup", str(tmp_path / f"{name}.b"), "--home", str(home), "--key-file", str(tmp_path / "b"))
    assert backup.returncode == 0, backup.stderr
