"""Go's checksum database code verifies our checkpoints, tiles and bundles (clauses 4.10, 5.1, 5.2 and 14.2)."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.spec.exported import lane_files, write
from tests.spec.parties import OWNER, entry, lane

SOURCES = Path("/usr/share/gocode")
PROGRAM = Path(__file__).parent / "gosumdb" / "main.go"

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("gosumdb")]

Verify = Callable[[Path], subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def verify(tmp_path_factory: pytest.TempPathFactory) -> Verify:
    if shutil.which("go") is None or not (SOURCES / "src" / "golang.org" / "x" / "mod" / "sumdb" / "tlog").is_dir():
        pytest.skip("Go or its sumdb sources are not installed (Debian: golang-go golang-golang-x-mod-dev)")
    folder = tmp_path_factory.mktemp("gosumdb")
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": str(SOURCES),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
    }
    built = subprocess.run(
        ["go", "build", "-o", str(folder / "gosumdb"), str(PROGRAM)], env=environment, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    return lambda place: subprocess.run([str(folder / "gosumdb"), str(place)], capture_output=True, text=True)


def files(size: int, *, milestone: bool = False) -> dict[str, bytes]:
    return lane_files(lane(), [entry(lane(), index) for index in range(size)], OWNER, milestone=milestone)


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 1_000, 65_537])
def test_14_2_gos_sumdb_verifies_a_lane(verify: Verify, size: int, tmp_path: Path) -> None:
    done = verify(write(tmp_path, files(size)))
    assert (done.returncode, done.stdout) == (0, f"RIGHT: {size} entries\n")


def test_5_5_an_mldsa_signature_beside_ed25519_does_not_disturb_others(verify: Verify, tmp_path: Path) -> None:
    assert verify(write(tmp_path, files(300, milestone=True))).returncode == 0


@pytest.mark.parametrize("name", ["checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000"])
def test_14_2_the_measurement_can_fail(verify: Verify, name: str, tmp_path: Path) -> None:
    damaged = files(300)
    data = bytearray(damaged[name])
    data[-20] ^= 1
    done = verify(write(tmp_path, {**damaged, name: bytes(data)}))
    assert (done.returncode, done.stdout[:6]) == (1, "WRONG:")
