"""The two independent verifiers (clauses 14.2, 14.5, 14.8 and 14.10 for one lane, and what they rest on: 1.8, 1.9, 4.9, 4.10, 5.1 to 5.7).

They share no code with the kernel; the lanes here are written by `exported.py`. Node's half needs Node.
"""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from hashlib import sha512
from pathlib import Path
from types import ModuleType

import pytest

from openline.archive.export import export
from openline.kernel.crypto import Signer
from openline.kernel.lane import Generation, Head, key_id, note, sign_head, vkeys
from openline.kernel.units import Instant
from tests.spec.archive_line import LineUnderTest, message, talk
from tests.spec.exported import lane_files, write
from tests.spec.parties import LANES, OWNER, entry, lane, secret

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / "verifiers" / "openline_verify.py"
NODE = ROOT / "verifiers" / "openline_verify.mjs"

PROGRAMS = [
    pytest.param([sys.executable, str(PYTHON)], id="python"),
    pytest.param(["node", str(NODE)], id="node", marks=pytest.mark.full),
]


def run(program: list[str], *words: str | Path) -> subprocess.CompletedProcess[str]:
    if program[0] == "node" and shutil.which("node") is None:
        pytest.skip("node is not installed (Debian: nodejs)")
    return subprocess.run([*program, *map(str, words)], capture_output=True, text=True)


def plain_python() -> ModuleType:
    """The Python verifier, to be called in this process."""
    spec = importlib.util.spec_from_file_location("openline_verify", PYTHON)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


VERIFIER = plain_python()


def make(
    folder: Path, size: int, *, number: int = 0, milestone: bool = False, closed: frozenset[int] = frozenset()
) -> Path:
    of = lane(number)
    entries = [entry(of, index) for index in range(size)]
    return write(folder, lane_files(of, entries, OWNER, milestone=milestone, closed=closed))


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("size", [1, 2, 7, 255, 256, 257, 600])
def test_14_2_an_exported_lane_verifies(program: list[str], size: int, tmp_path: Path) -> None:
    done = run(program, make(tmp_path / "0.0", size, milestone=size % 2 == 0, closed=frozenset({1})))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("RIGHT ")
    assert f"{size} entries" in done.stdout
    assert "NOT checked: ML-DSA-44" in done.stdout
    assert "identity NOT proved" in done.stdout


@pytest.mark.full
@pytest.mark.parametrize("program", PROGRAMS)
def test_14_2_a_tree_of_three_levels_verifies(program: list[str], tmp_path: Path) -> None:
    done = run(program, make(tmp_path / "1.0", 65_537, number=1))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_4_3_a_lane_of_a_later_generation_verifies(program: list[str], tmp_path: Path) -> None:
    of = lane(31, Generation(2**32 - 1, bytes.fromhex("00ff00ff00ff00ff")))
    files = lane_files(of, [entry(of, index) for index in range(30)], OWNER)
    assert run(program, write(tmp_path / "lane", files)).returncode == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_14_2_a_whole_export_is_checked_lane_by_lane(program: list[str], tmp_path: Path) -> None:
    make(tmp_path / "lanes" / "0.0", 3)
    broken = make(tmp_path / "lanes" / "1.0", 3, number=1)
    assert run(program, tmp_path).returncode == 0
    (broken / "tile" / "0" / "000.p" / "3").write_bytes(bytes(96))
    done = run(program, tmp_path)
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines() if "lanes" in line] == ["RIGHT", "WRONG"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_14_10_what_a_station_exports_verifies(program: list[str], tmp_path: Path) -> None:
    """The archive's own writer, with a rotated key, a later generation and earlier milestones."""
    line = talk(LineUnderTest(), rounds=100)
    line.rotate(1)
    line.write(3, message("under the new key"))
    made = Instant(line.clock)
    export(reader=line.store, record=line.record(0), signer=line.stations[0].lane, folder=tmp_path / "out", made=made)
    done = run(program, tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        len(re.findall("^RIGHT", done.stdout, re.MULTILINE)) == len(list((tmp_path / "out" / "lanes").iterdir())) >= 5
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_14_9_exit_statuses_and_usage(program: list[str], tmp_path: Path) -> None:
    folder = make(tmp_path / "0.0", 2)
    right = vkeys(lane().origin, OWNER.public)[0]
    other = vkeys(lane().origin, LANES["BRAVO"].public)[0]
    assert run(program, "--vkey", right, folder).returncode == 0
    assert "identity" not in run(program, "--vkey", right, folder).stdout
    assert run(program, "--vkey", other, folder).returncode == 1
    assert run(program).returncode == 2
    assert run(program, tmp_path / "nothing").returncode == 2
    (tmp_path / "empty" / "lanes").mkdir(parents=True)
    assert run(program, tmp_path / "empty").returncode == 1
    assert run(program, "--nonsense", folder).returncode == 2
    told = run(program, "--help")
    assert (told.returncode, "usage:" in told.stdout) == (0, True)


def wrong(name: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """One way to damage the files of a lane of five entries."""
    bundle, tile = "tile/entries/000.p/5", "tile/0/000.p/5"
    leaves = [files[bundle][at : at + 186] for at in range(0, len(files[bundle]), 186)]
    lines = files["opened.jsonl"].splitlines(keepends=True)
    changes: dict[str, dict[str, bytes]] = {
        "a missing bundle": {bundle: b""},
        "a missing tile": {tile: b""},
        "a missing checkpoint": {"checkpoint": b""},
        "a missing key": {"vkey": b""},
        "an added file": {"tile/0/000.p/4": bytes(128)},
        "an added tile": {"tile/1/000.p/1": bytes(32)},
        "an added entry": {bundle: files[bundle] + leaves[0]},
        "a bundle cut short": {bundle: files[bundle][:-1]},
        "an entry too few": {bundle: b"".join(leaves[:4])},
        "two entries in the other order": {bundle: b"".join([leaves[1], leaves[0], *leaves[2:]])},
        "an entry twice": {bundle: b"".join([leaves[0], leaves[0], *leaves[2:]])},
        "opened entries in the other order": {"opened.jsonl": b"".join([lines[1], lines[0], *lines[2:]])},
        "an opened entry too few": {"opened.jsonl": b"".join(lines[:4])},
        "an opened entry too many": {"opened.jsonl": b"".join([*lines, lines[0]])},
        "opened without its last newline": {"opened.jsonl": files["opened.jsonl"][:-1]},
        "opened with a space": {"opened.jsonl": files["opened.jsonl"].replace(b":", b": ", 1)},
        "a carriage return": {"checkpoint": files["checkpoint"].replace(b"\n", b"\r\n")},
        "an extension line": {"checkpoint": files["checkpoint"].replace(b"\n\n", b"\nmore\n\n")},
        "a checkpoint without signature": {"checkpoint": files["checkpoint"].split(b"\n\n")[0] + b"\n"},
        "a signature twice": {"checkpoint": files["checkpoint"] + files["checkpoint"].split(b"\n\n")[1]},
        "an earlier size under the signature": {"checkpoint": files["checkpoint"].replace(b"\n5\n", b"\n4\n")},
    }
    changed = {**files, **changes[name]}
    return {path: data for path, data in changed.items() if data}


WRONGS = [
    "a missing bundle", "a missing tile", "a missing checkpoint", "a missing key", "an added file", "an added tile",
    "an added entry", "a bundle cut short", "an entry too few", "two entries in the other order", "an entry twice",
    "opened entries in the other order", "an opened entry too few", "an opened entry too many",
    "opened without its last newline", "opened with a space", "a carriage return", "an extension line",
    "a checkpoint without signature", "a signature twice", "an earlier size under the signature",
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", WRONGS)
def test_14_8_what_is_wrong_is_found(program: list[str], name: str, tmp_path: Path) -> None:
    of = lane()
    files = lane_files(of, [entry(of, index) for index in range(5)], OWNER)
    done = run(program, write(tmp_path / "0.0", wrong(name, files)))
    assert done.returncode == 1, done.stdout
    assert done.stdout.startswith("WRONG ")


@pytest.mark.parametrize("program", PROGRAMS)
def test_5_13_a_witness_beside_the_owner_is_ignored(program: list[str], tmp_path: Path) -> None:
    folder = make(tmp_path / "0.0", 2)
    with (folder / "checkpoint").open("ab") as file:
        file.write("— witness.example/w AAAAAAAAAAAAAAAA\n".encode())
    assert run(program, folder).returncode == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_5_11_an_earlier_milestone_must_be_of_the_same_tree(program: list[str], tmp_path: Path) -> None:
    of = lane()
    entries = [entry(of, index) for index in range(9)]
    files = lane_files(of, entries, OWNER)
    earlier = lane_files(of, entries[:4], OWNER, milestone=True)["checkpoint"]
    done = run(program, write(tmp_path / "a", {**files, "milestone": earlier}))
    assert (done.returncode, "covers 4 entries" in done.stdout) == (0, True)
    stray = lane_files(of, [entry(of, index, kind=8) for index in range(4)], OWNER, milestone=True)["checkpoint"]
    unsigned = lane_files(of, entries[:4], OWNER)["checkpoint"]
    later = lane_files(of, [*entries, entry(of, 9)], OWNER, milestone=True)["checkpoint"]
    for milestone in (stray, unsigned, later):
        assert run(program, write(tmp_path / "b", {**files, "milestone": milestone})).returncode == 1


# --- every bit -------------------------------------------------------------------------------------------------------

# One entry is enough: every byte of every kind of file is there. With an ML-DSA-44 signature beside the Ed25519 one,
# what these verifiers cannot see are changes inside that signature line; so they say that they did not check it.


@pytest.mark.parametrize("name", ["vkey", "checkpoint", "opened.jsonl", "tile/entries/000.p/1", "tile/0/000.p/1"])
def test_14_9_python_finds_every_single_flipped_bit(name: str, tmp_path: Path) -> None:
    folder = make(tmp_path, 1)
    assert VERIFIER.verify(folder)
    place = folder / name
    original = place.read_bytes()
    missed = []
    for bit in range(8 * len(original)):
        changed = bytearray(original)
        changed[bit >> 3] ^= 1 << (bit & 7)
        place.write_bytes(changed)
        try:
            VERIFIER.verify(folder)
            missed.append(bit)
        except VERIFIER.Wrong:
            pass
    assert missed == []


@pytest.mark.full
def test_14_9_node_finds_every_single_flipped_bit(tmp_path: Path) -> None:
    folder = make(tmp_path, 1)
    size = sum(place.stat().st_size for place in folder.rglob("*") if place.is_file())
    done = run(["node", str(ROOT / "tests" / "spec" / "every_bit.mjs")], NODE, folder)
    assert json.loads(done.stdout or "{}") == {"flips": 8 * size, "missed": []}, done.stderr


@pytest.mark.full
def test_5_6_with_both_signatures_only_the_unchecked_one_can_hide_a_flip(tmp_path: Path) -> None:
    folder = make(tmp_path, 1, milestone=True)
    until = (folder / "checkpoint").read_bytes().rindex("— ".encode())
    # The second signature is of the checkpoint and of the keys; of the files below it every bit is flipped above.
    below = [f"{name}:0" for name in ("opened.jsonl", "tile/entries/000.p/1", "tile/0/000.p/1")]
    done = run(["node", str(ROOT / "tests" / "spec" / "every_bit.mjs")], NODE, folder, f"checkpoint:{until}", *below)
    flips = 8 * (until + (folder / "vkey").stat().st_size)
    assert json.loads(done.stdout or "{}") == {"flips": flips, "missed": []}, done.stderr


# --- keys and signatures that must not pass ---------------------------------------------------------------------------

P, ORDER = VERIFIER.P, VERIFIER.ORDER
SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]
"""All encodings of the eight points of small order (C2SP CCTV lists them)."""


def weak_lane(key: bytes) -> dict[str, bytes]:
    """A lane whose note is "signed" under a key of small order, by nobody who holds a secret."""
    of = lane()
    files = lane_files(of, [entry(of, 0)], OWNER)
    text = files["checkpoint"].split(b"\n\n")[0] + b"\n"
    one = (1).to_bytes(32, "little")
    signature = VERIFIER.compress(VERIFIER.BASE) + one
    name = of.origin
    identity = key_id(name, 1, key)
    line = f"— {name} {b64encode(identity + signature).decode()}\n".encode()
    vkey = f"{name}+{identity.hex()}+{b64encode(bytes([1]) + key).decode()}\n".encode()
    return {**files, "checkpoint": text + b"\n" + line, "vkey": vkey}


@pytest.mark.parametrize("program", PROGRAMS)
def test_1_8_a_key_of_small_order_is_refused(program: list[str], tmp_path: Path) -> None:
    for number, key in enumerate(SMALL_ORDER):
        folder = write(tmp_path / str(number), weak_lane(bytes.fromhex(key)))
        done = run(program, folder)
        assert (done.returncode, "Ed25519 signature is wrong" in done.stdout) == (1, True), key


def test_1_8_the_forgery_for_the_neutral_key_would_pass_a_lax_verifier() -> None:
    """So the test above refuses the key, and not merely a bad signature: S B = R + k 0 holds for every message."""
    neutral = VERIFIER.decompress(bytes.fromhex(SMALL_ORDER[2]))
    for k in (1, 2, 12345):
        assert VERIFIER.compress(VERIFIER.add(VERIFIER.BASE, VERIFIER.multiply(k, neutral))) == VERIFIER.compress(
            VERIFIER.BASE
        )


def test_1_8_an_r_of_small_order_is_refused() -> None:
    """The owner of a key can sign with R neutral: S = k a. Strict verifiers refuse what lax ones take."""
    seed = secret("owner of an R")
    signer = Signer(seed, seed)
    key = signer.public.ed25519_key
    scalar = int.from_bytes(sha512(seed).digest()[:32], "little") & (2**254 - 8) | 2**254
    neutral = bytes.fromhex(SMALL_ORDER[2])
    k = int.from_bytes(sha512(neutral + key + b"text").digest(), "little") % ORDER
    signature = neutral + (k * scalar % ORDER).to_bytes(32, "little")
    assert VERIFIER.compress(VERIFIER.multiply(k * scalar % ORDER, VERIFIER.BASE)) == VERIFIER.compress(
        VERIFIER.multiply(k, VERIFIER.decompress(key))
    )
    assert not VERIFIER.ed25519(key, signature, b"text")


def test_1_9_s_at_or_above_the_group_order_is_refused() -> None:
    signature = OWNER.ed25519(b"text")
    s = int.from_bytes(signature[32:], "little")
    key = OWNER.public.ed25519_key
    assert VERIFIER.ed25519(key, signature, b"text")
    assert not VERIFIER.ed25519(key, signature[:32] + (s + ORDER).to_bytes(32, "little"), b"text")
    assert not VERIFIER.ed25519(key, signature, b"another")
    assert not VERIFIER.ed25519(key, signature[:-1], b"text")
    assert not VERIFIER.ed25519(key[:-1], signature, b"text")


def test_14_8_a_size_that_is_a_lie_costs_nothing(tmp_path: Path) -> None:
    files = lane_files(lane(), [entry(lane(), 0)], OWNER)
    lie = Head(lane=lane(), size=2**48 - 1, root=bytes(32))
    folder = write(tmp_path, {**files, "checkpoint": note(sign_head(OWNER, lie), OWNER.public)})
    with pytest.raises(VERIFIER.Wrong, match="missing"):
        VERIFIER.verify(folder)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", ["checkpoint", "vkey", "opened.jsonl", "tile/0/000.p/2", "tile/entries/000.p/2"])
def test_14_8_a_file_without_end_is_wrong_and_is_not_read(program: list[str], name: str, tmp_path: Path) -> None:
    """Four gigabytes of nothing cost a disk no room, and a reader all its memory."""
    folder = make(tmp_path / "0.0", 2)
    with (folder / name).open("r+b") as file:
        file.truncate(4 << 30)
    done = run(program, folder)
    assert (done.returncode, "larger than it may be" in done.stdout) == (1, True), (done.stdout, done.stderr)


@pytest.mark.full
def test_14_8_a_device_in_the_place_of_a_file_is_not_read_by_node_either(tmp_path: Path) -> None:
    folder = make(tmp_path / "0.0", 2)
    (folder / "checkpoint").unlink()
    (folder / "checkpoint").symlink_to("/dev/zero")
    for program in (["node", str(NODE)], [sys.executable, str(PYTHON)]):
        done = run(program, folder)
        assert (done.returncode, "missing" in done.stdout) == (1, True), (done.stdout, done.stderr)
