"""A station of which nothing is left but its root key comes back by the other side's papers, with everything said. Spec 13.15, 15.27."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.cli_rig import Floor, founded, paired
from tests.e2e.test_keys import history, pairing_again, proved, said, speak
from tests.ports import free_port
from tests.waiting import until

pytestmark = pytest.mark.full


@pytest.fixture
def bravo(tmp_path: Path) -> Iterator[tuple[Floor, Path]]:
    """BRAVO runs; ALPHA spoke with it, sent a file, changed its lane key, and is gone but for its root key."""
    alpha, bravo = founded(tmp_path, "ALPHA"), founded(tmp_path, "BRAVO")
    stick = tmp_path / "stick"
    stick.mkdir(mode=0o700)
    file = tmp_path / "map.png"
    file.write_bytes(bytes(range(256)) * 200)
    with ExitStack() as running:
        running.enter_context(bravo.up())
        with alpha.up():
            paired(tmp_path, alpha, bravo)
            speak(alpha, bravo, "before the fire")
            speak(bravo, alpha, "answered before the fire")
            sent = alpha.good("attach", "BRAVO", str(file))["ref"]
            root = ("--root", str(alpha.home / "keys" / "root.key"), "--root-key-file", str(alpha.home / "unlock.key"))
            alpha.good("keys", "rotate", "lane", *root)
            speak(alpha, bravo, "under a second key")
            place = f"{sent['lane']}.{sent['generation']}:{sent['index']}"
            until(lambda: bravo("save", "ALPHA", place, str(tmp_path / "at-bravo.png")).code == 0)
        for name in ("keys/root.key", "unlock.key"):
            shutil.copy(alpha.home / name, stick)
        shutil.rmtree(alpha.home)
        yield bravo, stick


def rebuilt(folder: Path, bravo: Floor, stick: Path) -> Floor:
    """ALPHA anew, by the commands of both floors."""
    alpha = Floor("ALPHA", folder / "alpha-again")
    papers = folder / "alpha.papers"
    papers.write_text(bravo("papers", "ALPHA").out)
    alpha.good(
        "rebuild", str(papers), "--root", str(stick / "root.key"), "--root-key-file", str(stick / "unlock.key"),
        "--listen", f"127.0.0.1:{free_port()}", "--key-file", str(folder / "new.key"),
    )  # fmt: skip
    (folder / "alpha-new.card").write_text(alpha("card").out)
    return alpha


def texts(floor: Floor, line: str) -> set[str]:
    wanted = ("before the fire", "answered before the fire", "under a second key", "after the fire", "answered after")
    return {text for text in wanted if said(floor, line, text)}


def digest_of(floor: Floor, line: str) -> str:
    return str(floor.good("lines", line)["lines"][0]["digest"])


def saved(floor: Floor, target: Path) -> bool:
    """Whether the file that this floor had sent lies here again, and can be saved."""
    found = next(entry for entry in history(floor, "BRAVO") if entry["kind"] == "attachment")
    place = "{lane}.{generation}:{index}".format(**found["ref"])
    return floor("save", "BRAVO", place, str(target)).code == 0


def test_13_15_a_lost_station_comes_back_from_its_root_key(bravo: tuple[Floor, Path], tmp_path: Path) -> None:
    other, stick = bravo
    alpha = rebuilt(tmp_path, other, stick)
    with alpha.up():
        there = pairing_again(other, alpha, str(tmp_path / "alpha-new.card"))
        here = alpha("pair", "--again", "BRAVO", "--fingerprint", other.good("card")["fingerprint"]["digits"])
        out, _ = there.communicate(timeout=120)
        assert (here.code, there.returncode) == (0, 0), (here, out)
        until(lambda: alpha.good("lines", "BRAVO")["lines"][0]["state"] == "in service", deadline_s=120)
        speak(alpha, other, "after the fire")
        speak(other, alpha, "answered after")
        until(lambda: len(texts(alpha, "BRAVO")) == 5, deadline_s=120)
        until(lambda: digest_of(alpha, "BRAVO") == digest_of(other, "ALPHA"), deadline_s=120)
        back = tmp_path / "back.png"
        until(lambda: saved(alpha, back), deadline_s=120)
        assert back.read_bytes() == bytes(range(256)) * 200
        for number, (floor, line) in enumerate(((alpha, "BRAVO"), (other, "ALPHA"))):
            for by in (alpha, other):
                proved(floor, line, tmp_path / f"export-{number}-{by.name}", by)


def test_15_27_papers_of_another_line_or_root_make_no_station(bravo: tuple[Floor, Path], tmp_path: Path) -> None:
    other, stick = bravo
    papers = tmp_path / "papers"
    text = other("papers", "ALPHA").out
    wrong = tmp_path / "wrong"
    root = ("--root", str(other.home / "keys" / "root.key"), "--root-key-file", str(other.home / "unlock.key"))
    for said_, with_root in (
        (
            text.replace("\nA", "\nB", 1),
            ("--root", str(stick / "root.key"), "--root-key-file", str(stick / "unlock.key")),
        ),
        ("no papers at all", ("--root", str(stick / "root.key"), "--root-key-file", str(stick / "unlock.key"))),
        (text, ("--root", str(wrong), *root[2:])),
    ):
        papers.write_text(said_)
        floor = Floor("ALPHA", tmp_path / "nothing")
        done = floor("rebuild", str(papers), *with_root, "--key-file", str(tmp_path / "k"))
        assert done.code != 0
        assert not (floor.home / "config.toml").exists()
