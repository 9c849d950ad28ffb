"""Keys changed by command on a line between two real stations: what both sides see, and what their exports prove. Spec 3, 9, 10, 11."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from openline.kernel.units import Instant
from openline.station.card import certify
from openline.station.keystore import Keystore
from openline.station.unlock import KeyFile
from tests.e2e.cli_rig import COMMAND, Floor, founded, paired
from tests.waiting import until

pytestmark = pytest.mark.full
VERIFIERS = Path(__file__).resolve().parents[2] / "verifiers"


@pytest.fixture
def floors(tmp_path: Path) -> Iterator[tuple[Floor, Floor]]:
    alpha, bravo = founded(tmp_path, "ALPHA"), founded(tmp_path, "BRAVO")
    with ExitStack() as running:
        running.enter_context(alpha.up())
        running.enter_context(bravo.up())
        paired(tmp_path, alpha, bravo)
        yield alpha, bravo


def with_root(floor: Floor) -> tuple[str, ...]:
    return ("--root", str(floor.home / "keys" / "root.key"), "--root-key-file", str(floor.home / "unlock.key"))


def keys(floor: Floor, role: str, **where: str) -> list[dict[str, Any]]:
    found = floor.good("keys")["keys"]
    return [key for key in found if key["role"] == role and all(key[name] == value for name, value in where.items())]


def said(floor: Floor, line: str, text: str) -> bool:
    return any(text in str(entry.get("body", {}).get("text", "")) for entry in history(floor, line))


def history(floor: Floor, line: str) -> list[dict[str, Any]]:
    done = floor("history", line, "--json", "--limit", "200")
    assert done.code == 0, done.err
    return [
        entry for page in done.objects for entry in (page if isinstance(page, list) else page.get("entries", [page]))
    ]


def speak(one: Floor, other: Floor, text: str) -> None:
    """A message that the other side signs to hold."""
    one.good("send", other.name, text)
    until(lambda: said(other, one.name, text), deadline_s=120)


def again(one: Floor, other: Floor, *words: str) -> None:
    """Both floors agree on a new pairing key, fingerprints compared in person."""
    there = pairing_again(other, one)
    here = one("pair", "--again", other.name, *words, "--fingerprint", other.good("card")["fingerprint"]["digits"])
    out, _ = there.communicate(timeout=120)
    assert (here.code, there.returncode) == (0, 0), (here, out)


def pairing_again(floor: Floor, peer: Floor, *words: str) -> "subprocess.Popen[bytes]":
    fingerprint = peer.good("card")["fingerprint"]["digits"]
    typed = ["pair", "--home", str(floor.home), "--again", peer.name, *words, "--fingerprint", fingerprint]
    return subprocess.Popen([*COMMAND, *typed], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def proved(floor: Floor, line: str, folder: Path, by: Floor) -> Any:
    """An export that verifies by the fingerprint of a party."""
    floor.good("export", line, str(folder))
    verdict = floor("verify", "--json", str(folder), "--expect", by.good("card")["fingerprint"]["hex"])
    assert verdict.code == 0, (verdict.out, verdict.err)
    for verifier in (
        [sys.executable, str(VERIFIERS / "openline_verify.py")],
        ["node", str(VERIFIERS / "openline_verify.mjs")],
    ):
        if shutil.which(verifier[0]):
            checked = subprocess.run([*verifier, str(folder)], capture_output=True, timeout=120)
            assert checked.returncode == 0, checked.stdout + checked.stderr
    return verdict.json


def test_3_10_a_new_lane_key_by_command_and_the_line_goes_on(floors: tuple[Floor, Floor], tmp_path: Path) -> None:
    alpha, bravo = floors
    speak(alpha, bravo, "before the change")
    before = keys(alpha, "lane", line="", state="in-use")[0]["name"]
    alpha.good("keys", "rotate", "lane", *with_root(alpha))
    speak(alpha, bravo, "after the change")
    speak(bravo, alpha, "heard you")
    now = keys(alpha, "lane", line="", state="in-use")[0]["name"]
    assert now != before
    assert [key["name"] for key in keys(alpha, "lane", line="", state="retired")] == [before]
    assert keys(bravo, "lane", line="ALPHA", party="ALPHA", state="in-use")[0]["name"] == now
    for number, (floor, line, by) in enumerate(
        ((alpha, "BRAVO", alpha), (alpha, "BRAVO", bravo), (bravo, "ALPHA", alpha), (bravo, "ALPHA", bravo))
    ):
        proved(floor, line, tmp_path / f"export-{number}", by)

    def digests() -> set[str]:
        both = ((alpha, "BRAVO"), (bravo, "ALPHA"))
        return {floor.good("lines", line)["lines"][0]["digest"] for floor, line in both}

    until(lambda: len(digests()) == 1)  # the last acknowledgements are on their way


def test_3_10_the_new_key_outlives_a_restart_and_a_renewal(floors: tuple[Floor, Floor], tmp_path: Path) -> None:
    alpha, bravo = floors
    alpha.good("keys", "rotate", "lane", *with_root(alpha))
    alpha.good("keys", "rotate", "lane", *with_root(alpha))
    alpha.good("renew", "BRAVO")
    speak(alpha, bravo, "twice changed")
    assert len(keys(alpha, "lane", line="", state="retired")) == 2
    proved(bravo, "ALPHA", tmp_path / "export", alpha)


@pytest.mark.parametrize("kept", [False, True], ids=["before its card is kept", "before the lines have heard"])
def test_3_10_a_change_that_was_killed_halfway_leaves_a_line_that_speaks_and_is_made_again(
    tmp_path: Path, *, kept: bool
) -> None:
    """kill -9 between the steps of it: what lies on the disk then is made here, step by step."""
    alpha, bravo = founded(tmp_path, "ALPHA"), founded(tmp_path, "BRAVO")
    with bravo.up():
        with alpha.up():
            paired(tmp_path, alpha, bravo)
            speak(alpha, bravo, "before the change")
        unlock = KeyFile(alpha.home / "unlock.key")
        store = Keystore.open(alpha.home / "keys", unlock, os.urandom)
        store.next_lane(Instant(time.time_ns() // 1_000_000))
        store.use_next_lane()
        if kept:
            now = Instant(time.time_ns() // 1_000_000)
            certify(alpha.home, store, store.root(unlock), name="ALPHA", addresses=(), now=now)
        with alpha.up():
            speak(alpha, bravo, "halfway")
            speak(bravo, alpha, "heard you")
            alpha.good("keys", "rotate", "lane", *with_root(alpha))
            speak(alpha, bravo, "after the change")
            now_used = keys(alpha, "lane", line="", state="in-use")[0]["name"]
            assert keys(bravo, "lane", line="ALPHA", party="ALPHA", state="in-use")[0]["name"] == now_used
            proved(bravo, "ALPHA", tmp_path / "export", alpha)


def test_3_14_another_root_key_changes_nothing(floors: tuple[Floor, Floor]) -> None:
    alpha, bravo = floors
    before = keys(alpha, "lane", line="", state="in-use")
    wrong = alpha("keys", "rotate", "lane", *with_root(bravo))
    assert wrong.code != 0
    missing = alpha("keys", "rotate", "lane", "--root", str(alpha.home / "nowhere"))
    assert missing.code != 0
    assert keys(alpha, "lane", line="", state="in-use") == before
    speak(alpha, bravo, "as before")


def test_9_38_a_new_certificate_reaches_the_other_side_over_the_line(floors: tuple[Floor, Floor]) -> None:
    """And 3.20: the card that carries it is the newest one known."""
    alpha, bravo = floors
    before = keys(alpha, "certificate", state="in-use")[0]["name"]
    alpha.good("keys", "rotate", "tls", *with_root(alpha))
    until(lambda: not keys(alpha, "certificate", state="waiting"), deadline_s=120)
    assert keys(alpha, "certificate", state="in-use")[0]["name"] != before
    until(lambda: alpha.good("lines", "BRAVO")["lines"][0]["state"] == "in service", deadline_s=120)
    speak(alpha, bravo, "over the new certificate")
    speak(bravo, alpha, "and back")


def test_15_22_a_new_pairing_key_by_command(floors: tuple[Floor, Floor]) -> None:
    alpha, bravo = floors
    before = keys(alpha, "psk")[0]["name"]
    again(alpha, bravo)
    until(lambda: [key["state"] for key in keys(alpha, "psk") + keys(bravo, "psk")] == ["in-use"] * 2, deadline_s=120)
    assert keys(alpha, "psk")[0]["name"] == keys(bravo, "psk")[0]["name"] != before
    speak(alpha, bravo, "under the new pairing key")


def test_10_22_a_stolen_pairing_key_is_said_on_the_line_and_replaced(floors: tuple[Floor, Floor]) -> None:
    alpha, bravo = floors
    unsure = alpha("keys", "compromised", "psk", "BRAVO", stdin=b"no\n")
    assert unsure.code != 0
    alpha.good("keys", "compromised", "psk", "BRAVO", "--yes")
    until(lambda: [key["state"] for key in keys(bravo, "psk")] == ["stolen"], deadline_s=120)
    again(alpha, bravo)
    until(lambda: [key["state"] for key in keys(alpha, "psk") + keys(bravo, "psk")] == ["in-use"] * 2, deadline_s=120)
    speak(bravo, alpha, "paired again")


def test_11_12_a_stolen_lane_key_is_replaced_and_the_evidence_stays(
    floors: tuple[Floor, Floor], tmp_path: Path
) -> None:
    alpha, bravo = floors
    speak(alpha, bravo, "vouched for")
    alpha.good("keys", "compromised", "lane", *with_root(alpha), "--yes")
    speak(alpha, bravo, "under the new key")
    # What was said of the key is in another lane than what was said under the new one: either may come first.
    until(lambda: "held for stolen" in bravo("history", "ALPHA", "--limit", "50").out)
    proved(bravo, "ALPHA", tmp_path / "export", alpha)


def test_9_38_a_stolen_certificate_is_replaced_and_said(floors: tuple[Floor, Floor]) -> None:
    alpha, bravo = floors
    before = keys(alpha, "certificate", state="in-use")[0]["name"]
    alpha.good("keys", "compromised", "tls", *with_root(alpha), "--yes")
    until(lambda: not keys(alpha, "certificate", state="waiting"), deadline_s=120)
    assert keys(alpha, "certificate", state="in-use")[0]["name"] != before
    until(lambda: alpha.good("lines", "BRAVO")["lines"][0]["state"] == "in service", deadline_s=120)
    speak(bravo, alpha, "heard of it")
    until(lambda: "TLS certificate held for stolen" in bravo("history", "ALPHA", "--limit", "50").out)


def test_3_20_a_card_by_hand_is_newer_and_of_that_party_or_refused(floors: tuple[Floor, Floor], tmp_path: Path) -> None:
    alpha, bravo = floors
    own, first = tmp_path / "own.card", tmp_path / "ALPHA.card"
    own.write_text(bravo("card").out)
    assert bravo("keys", "card", "ALPHA", str(own)).code != 0
    alpha.good("keys", "rotate", "lane", *with_root(alpha))
    speak(alpha, bravo, "with a card")
    until(lambda: bravo("keys", "card", "ALPHA", str(first)).code != 0, deadline_s=120)
    newest = tmp_path / "newest.card"
    newest.write_text(alpha("card").out)
    assert bravo("keys", "card", "ALPHA", str(newest)).code == 0
    speak(bravo, alpha, "still heard")


def test_10_22_everything_stolen_is_said_on_the_line(floors: tuple[Floor, Floor]) -> None:
    alpha, bravo = floors
    alpha.good("keys", "compromised", "data", "--yes")
    alpha.good("keys", "compromised", "root", "--yes")
    until(lambda: {key["role"] for key in keys(bravo, "root") + keys(bravo, "data") + keys(bravo, "psk")
                   if key["state"] == "stolen"} == {"root", "data", "psk"}, deadline_s=120)  # fmt: skip
    speak(alpha, bravo, "a line never closes")
