"""A station that may open no more files, or has no more memory: it says so in few words, loses nothing, and goes on by itself."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openline.cli.failures import Exit
from tests.e2e.chaos.checker import check_all
from tests.e2e.chaos.load import CANARY, Record, Sent
from tests.e2e.chaos.rig import Rig, Station, paired_template, rig
from tests.waiting import until

pytestmark = pytest.mark.full
FILES = 32


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Rig]:
    with rig(paired_template(), tmp_path) as made:
        made.alpha.inside = ["prlimit", f"--nofile={FILES}"]
        yield made


@contextlib.contextmanager
def crowd(station: Station) -> Iterator[None]:
    """More callers of the local API than the station can take."""
    with contextlib.ExitStack() as open_:
        for _ in range(2 * FILES):
            caller = open_.enter_context(socket.socket(socket.AF_UNIX))
            caller.settimeout(60)
            caller.connect(str(station.home / "run" / "api.sock"))
            caller.sendall(b"GET /v1/status HTTP/1.1\r\n")
        yield


def test_no_open_files_left_costs_neither_messages_nor_the_log(two: Rig) -> None:
    record = Record()
    two.start()
    size = two.alpha.log.stat().st_size
    with crowd(two.alpha):
        until(lambda: two.alpha.events("loop.exhausted"))
        texts = [f"{CANARY} into the crowd {number}" for number in range(20)]
        refs = two.bravo.send_many(texts, "flash")
        record.add([Sent("BRAVO", -1, text, "flash", ref) for text, ref in zip(texts, refs, strict=True)])
        assert two.bravo.held(refs[-1]), "the line itself needs no more files"
    until(two.alpha.answers, deadline_s=120)
    assert two.alpha.log.stat().st_size - size < 16_384, two.alpha.log_tail()
    assert not two.alpha.events("loop.fault")
    check_all(two, record)


def test_too_few_files_to_start_is_told_and_tried_again(two: Rig) -> None:
    """By whatever it needs first: what it says is the machine's state, and no mistake of the program."""
    ends = set()
    for files in range(9, 20):
        done = subprocess.run(
            ["prlimit", f"--nofile={files}", sys.executable, "-m", "openline", "export", "BRAVO", "/nonexistent/x"],
            env={"OPENLINE_HOME": str(two.alpha.home), "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
        )
        ends.add(done.returncode)
        assert "mistake in Openline" not in done.stderr, (files, done.stderr)
    assert ends <= {Exit.UNAVAILABLE, Exit.REFUSED}


@pytest.mark.parametrize("raised", ["MemoryError()", "OSError(24, 'x')", "OSError(28, 'x')"])
def test_what_the_machine_has_not_is_no_mistake_of_ours(raised: str) -> None:
    script = f"import sys; from openline.cli.entrance import own_mistake; sys.excepthook = own_mistake; raise {raised}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == Exit.UNAVAILABLE
    assert "raise the limits" in done.stderr
    assert "Traceback" not in done.stderr
