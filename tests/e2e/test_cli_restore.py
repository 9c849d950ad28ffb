"""A backup put back: a whole station, opened by its new key file, and nothing where something stands."""

import subprocess
from pathlib import Path

from tests.e2e.cli_rig import COMMAND, type_


def test_a_backup_becomes_a_station_in_a_new_folder(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    backup, seal, unlock = tmp_path / "alpha.backup", tmp_path / "seal.key", tmp_path / "unlock.key"
    type_("init", "ALPHA", "--home", str(old), "--key-file", str(tmp_path / "old.key"))
    assert type_("backup", str(backup), "--key-file", str(seal), "--home", str(old)).code == 0
    words = ("restore", str(backup), "--key-file", str(seal), "--unlock-file", str(unlock), "--home", str(new))
    assert type_(*words).code == 0
    assert f'key_file = "{unlock}"' in (new / "config.toml").read_text()
    examined = type_("doctor", "--home", str(new), "--json").json
    codes = {finding["code"] for finding in examined["findings"]}
    assert examined["healthy"]
    assert {"keys", "root-away", "store"} <= codes
    again = type_(*words)
    assert (again.code, "not empty" in again.err) == (1, True)


def test_a_restore_for_which_there_is_no_room_leaves_nothing_and_is_begun_again(tmp_path: Path) -> None:
    old, new, backup, seal = (tmp_path / name for name in ("old", "new", "alpha.backup", "seal.key"))
    type_("init", "ALPHA", "--home", str(old), "--key-file", str(tmp_path / "old.key"))
    type_("backup", str(backup), "--key-file", str(seal), "--home", str(old))
    words = ("restore", str(backup), "--key-file", str(seal), "--unlock-file", str(new / "u.key"), "--home", str(new))
    small = ["prlimit", f"--fsize={backup.stat().st_size // 2}", *COMMAND, *words]
    full = subprocess.run(small, capture_output=True, text=True, check=False)
    assert (full.returncode, "begin again" in full.stderr, new.exists()) == (3, True, False), full.stderr
    new.mkdir(mode=0o700)
    assert subprocess.run(small, capture_output=True, check=False).returncode == 3
    assert list(new.iterdir()) == []
    assert type_(*words).code == 0


def test_half_a_station_sends_nobody_to_make_other_keys(tmp_path: Path) -> None:
    home = tmp_path / "alpha"
    type_("init", "ALPHA", "--home", str(home), "--key-file", str(tmp_path / "old.key"))
    (home / "config.toml").unlink()
    said = type_("up", "--home", str(home))
    assert (said.code, "config.toml is missing" in said.err.lower(), "init makes" in said.err) == (1, True, False)
    assert "in a new folder" in type_("doctor", "--home", str(home)).out


def test_a_backup_that_does_not_open_leaves_nothing(tmp_path: Path) -> None:
    old, new, backup, wrong = (tmp_path / name for name in ("old", "new", "alpha.backup", "wrong.key"))
    type_("init", "ALPHA", "--home", str(old), "--key-file", str(wrong))
    type_("backup", str(backup), "--key-file", str(tmp_path / "seal.key"), "--home", str(old))
    refused = type_("restore", str(backup), "--key-file", str(wrong), "--home", str(new))
    assert refused.code == 1
    assert not new.exists()
