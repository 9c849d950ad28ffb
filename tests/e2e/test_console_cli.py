"""The console from the command line: the first administrator's link, links for officers, the certificate, the doctor."""

import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.cli_rig import COMMAND, type_
from tests.e2e.console_rig import Browser, console_home, token_of
from tests.e2e.homes import Home, new_home, running


@contextmanager
def up(home: Home, **env: str) -> Iterator[dict[str, str]]:
    """`openline up` with that station; what it said."""
    home.change('key_file = ""', f'key_file = "{home.folder.parent / "ALPHA.key"}"')
    words = [*COMMAND, "up", "--json", "--home", str(home.folder)]
    clean = {key: value for key, value in os.environ.items() if key != "JOURNAL_STREAM"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean | env) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = console_home(tmp_path)
    made.change(f'key_file = "{tmp_path / "ALPHA.key"}"', 'key_file = ""')
    return made


def test_up_prints_a_link_as_long_as_no_administrator_can_sign_in(home: Home) -> None:
    with up(home) as said:
        assert said["link"].startswith(said["console"] + "/#/enter/")
        browser = Browser(home)
        got = browser.post("/console/enter", {"token": token_of(said["link"])})
        assert (got.json["sign"], "administrator" in got.json["roles"]) == ("W1", True)
    home.change(f'key_file = "{home.folder.parent / "ALPHA.key"}"', 'key_file = ""')
    with up(home) as said:
        assert "link" not in said, "somebody is signed in"


def test_a_service_prints_no_link_into_its_journal(home: Home) -> None:
    with up(home, JOURNAL_STREAM="8:1") as said:
        assert said["console"]
        assert "link" not in said


def test_links_officers_and_the_certificate(tmp_path: Path) -> None:
    home = console_home(tmp_path)
    at = ("--home", str(home.folder))
    with running(home):
        made = type_("console", "link", "w7", "--role", "auditor", "--role", "technician", "--json", *at)
        assert (made.code, made.json["sign"]) == (0, "W7")
        browser = Browser(home)
        assert browser.post("/console/enter", {"token": token_of(made.json["url"])}).json["roles"] == [
            "technician",
            "auditor",
        ]
        shown = type_("console", *at)
        assert "W7" in shown.out
        assert "technician, auditor" in shown.out
        assert "Nobody has a passkey yet." in shown.out
        assert type_("console", "link", "NOBODY", *at).code == 1
        assert type_("console", "link", *at).code == 2
        file = tmp_path / "ca.pem"
        assert type_("console", "ca", str(file), *at).code == 0
        context = ssl.create_default_context(cafile=str(file))
        browser.context = context
        assert browser.get("/").status == 200
        assert type_("console", "ca", str(tmp_path / "none" / "ca.pem"), *at).code == 3
        assert browser.url in type_("status", "--json", *at).out
    codes = {each["code"] for each in type_("doctor", "--json", *at).json["findings"]}
    assert "console-nobody" in codes


def test_without_a_console_the_commands_say_what_to_do(tmp_path: Path) -> None:
    home = new_home(tmp_path, "ALPHA")
    with running(home):
        got = type_("console", "--home", str(home.folder))
        assert got.code == 1
        assert "[console]" in got.err
