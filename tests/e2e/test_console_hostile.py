"""Attacks on the console, run against real stations: by strangers, by officers who want more, and by who has the disk."""

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openline.console.visits import MAX_BODY
from openline.station.backup import restore_backup, write_backup
from openline.station.card import FILE as CARD
from openline.station.config import FILE as CONFIG
from openline.station.integrity import check_store
from openline.station.keystore import Keystore
from openline.station.people import ROLES
from openline.station.places import Places
from openline.station.unlock import Passphrase
from openline.stores.sqlite import SqliteStore
from tests.e2e.console_rig import Browser, console_home, entered, link_for, token_of, with_console
from tests.e2e.homes import Home, in_service, pair, running
from tests.waiting import until


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A running station with a console."""
    made = console_home(tmp_path_factory.mktemp("console"))
    with running(made):
        yield made


@pytest.fixture
def stranger(home: Home) -> Browser:
    return Browser(home)


@pytest.fixture
def administrator(home: Home) -> Browser:
    return entered(home, "W1")


def acts(home: Home) -> list[dict[str, Any]]:
    """All of the audit log."""
    found: list[dict[str, Any]] = []
    with home.client() as station:
        while rows := station.get("audit", after=found[-1]["number"] if found else 0, limit=1000)["rows"]:
            found += [act for row in rows for act in row["acts"]]
    return found


# --- strangers ---------------------------------------------------------------------------------------------------


def test_a_stranger_does_not_fill_the_audit_log_by_any_kind_of_refusal(tmp_path: Path) -> None:
    home = console_home(tmp_path)
    with running(home):
        stranger = Browser(home)
        before = len(acts(home))
        for number in range(12):
            stranger.call("POST", "/console/enter", {"token": "x"}, headers={"Origin": "https://evil.example"})
            stranger.post("/console/enter", {"number": number})
            stranger.call("POST", "/console/recovery", b"{")
            stranger.post("/console/passkey/enter/finish", {"credential": 1})
            stranger.call("POST", "/console/people", {}, headers={"Sec-Fetch-Site": "cross-site"})
            stranger.call("POST", "/console/enter", b" " * (MAX_BODY + 1))
        assert len(acts(home)) - before == 20, "what is past the bound of a minute is not noted"
        assert entered(home, "W1").get("/console/me").status == 200


def test_one_link_and_one_code_let_one_in_however_many_come_at_once(home: Home, administrator: Browser) -> None:
    token = token_of(link_for(home, "RACE", "auditor"))
    owner = Browser(home)
    assert owner.post("/console/enter", {"token": token_of(link_for(home, "RACER", "auditor"))}).status == 200
    code = owner.post("/console/recovery/codes").json["codes"][0]
    for path, body in (("/console/enter", {"token": token}), ("/console/recovery", {"sign": "RACER", "code": code})):
        outcomes: list[int] = []
        together = threading.Barrier(8)

        def come(path: str = path, body: Any = body, together: threading.Barrier = together) -> None:
            browser = Browser(home)
            together.wait()
            outcomes.append(browser.post(path, body).status)  # noqa: B023 - joined below

        threads = [threading.Thread(target=come) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(60)
        assert min(outcomes) == 200
        assert set(sorted(outcomes)[1:]) <= {403, 429}, outcomes
    mine = [each for each in administrator.get("/console/sessions").json["sessions"] if each["sign"] == "RACE"]
    assert len(mine) == 1


def test_nobody_chooses_the_session_of_another(home: Home) -> None:
    victim, given = Browser(home), "A" * 43
    victim.cookie = given
    assert victim.post("/console/enter", {"token": token_of(link_for(home, "FIX", "auditor"))}).status == 200
    assert victim.cookie != given
    old = Browser(home)
    old.take(victim)
    assert old.get("/console/me").status == 200
    assert victim.post("/console/enter", {"token": token_of(link_for(home, "FIX"))}).status == 200
    assert old.get("/console/me").error == "signed-out", "signing in again ends the session of before"


def test_a_stolen_cookie_alone_is_worth_nothing(home: Home) -> None:
    """Other ports of the console's host name get its cookie from the browser; the page's half they do not get."""
    officer, thief = entered(home, "THEFT", "watch-officer"), Browser(home)
    thief.cookie = officer.cookie
    for page in ("", "A" * 43, officer.cookie, entered(home, "THIEF", "auditor").page):
        thief.page = page
        for path in ("/console/me", "/v1/status", "/v1/events", f"/v1/events?page={page}", "/v1/lines?page=x"):
            assert thief.get(path).error == "signed-out"
        assert thief.post("/console/lock").error == "signed-out"
    assert thief.get(f"/v1/status?page={officer.page}").error == "signed-out", (
        "by address only where a browser needs it"
    )
    assert officer.get("/console/me").json["locked"] is False
    officer.page, kept = "", officer.page
    with officer.open("GET", f"/v1/events?page={kept}") as stream:
        assert stream.readline() == b": openline\n"


def test_silent_connections_make_room_for_an_officer(home: Home) -> None:
    """A flooder takes every connection and holds it; whoever comes next is served, and who is signed in is never cut."""
    officer = entered(home, "ROOM", "watch-officer")
    with officer.open("GET", "/v1/events") as stream, contextlib.ExitStack() as stack:
        assert stream.readline() == b": openline\n"
        for _ in range(300):
            stack.enter_context(socket.create_connection(("127.0.0.1", officer.port), timeout=60))
        for _ in range(3):
            assert officer.get("/console/me").json["sign"] == "ROOM"
        assert officer.put("/console/me", {"theme": "dark"}).status == 200
        assert officer.post("/console/lock").status == 200, "and so its stream ends, which was not cut before"
        while stream.readline():
            pass


def test_a_range_is_answered_with_the_whole_and_a_tunnel_with_nothing(stranger: Browser) -> None:
    whole = stranger.get("/static/js/main.js")
    for given in ("bytes=0-1", "bytes=0-0,1-1,2-2", "bytes=-1", "bytes=5-2"):
        again = stranger.call("GET", "/static/js/main.js", headers={"Range": given})
        assert (again.status, again.data) == (200, whole.data)
    assert stranger.call("GET", "https://evil.example/v1/status").error == "signed-out", "a foreign target is a path"
    assert stranger.call("GET", "/v1/status", headers={"X-Forwarded-Host": "evil.example"}).error == "signed-out"
    assert stranger.call("GET", "/v1/events", headers={"Upgrade": "websocket", "Connection": "Upgrade"}).status == 401


# --- officers ----------------------------------------------------------------------------------------------------


def test_a_link_ends_with_the_officers_ways_in(home: Home, administrator: Browser) -> None:
    for change in ({"forget": True}, {"disabled": True}):
        administrator.post("/console/people", {"sign": "F1", "roles": ["auditor"]})
        token = token_of(administrator.post("/console/people/F1/link").json["url"])
        assert administrator.post("/console/people/F1", change).status == 200
        assert administrator.post("/console/people/F1", {"disabled": False}).status == 200
        assert Browser(home).post("/console/enter", {"token": token}).error == "forbidden", change


PUBLIC = {"/status", "/lines", "/alarms", "/openapi.json", "/console/authority", "/drop"}


def test_no_role_reaches_more_than_its_routes(home: Home) -> None:
    """Every operation of the API's document, called by each role alone and by one without any session."""
    one = entered(home, "W1")
    document = one.get("/v1/openapi.json").json
    allowed: dict[str, set[str]] = {}
    for role in ROLES:
        officer = entered(home, f"ONLY{list(ROLES).index(role)}", role)
        for path, operations in document["paths"].items():
            for method in operations:
                got = called(officer, method.upper(), path)
                if got != "forbidden":
                    allowed.setdefault(f"{method.upper()} {path.removeprefix('/v1')}", set()).add(role)
    for path, operations in document["paths"].items():
        for method in operations:
            assert called(Browser(home), method.upper(), path) == "signed-out"
    for operation, roles in allowed.items():
        method, path = operation.split(" ")
        if any(word in path for word in ("/keys", "/pairings", "/papers", "/clock", "/cards", "/console/links")):
            assert roles <= {"administrator", "technician"}, operation
        if path.endswith(("/entries", "/find", "/events", "/search")) and method == "GET" and path != "/events":
            assert not roles & {"technician", "administrator"}, operation
        if method != "GET" and any(word in path for word in ("/compose", "/drafts", "/presented", "/watch/")):
            assert roles == {"watch-officer"}, operation
        if path.endswith(("/export", "/prove")) or path == "/audit":
            assert roles == {"auditor"}, operation
    assert allowed["GET /keys"] == {"administrator", "technician"}
    assert allowed["POST /keys/rotate"] == {"administrator"}
    assert allowed["POST /backup"] == {"administrator", "technician"}


def called(browser: Browser, method: str, path: str) -> str:
    """The code of the answer to an empty call; empty if it was done."""
    for name in ("line", "number", "lane", "generation", "index", "sha256", "pairing", "id", "calendar"):
        path = path.replace(f"{{{name}}}", "0")
    with browser.open(method, path, b"{}" if method != "GET" else None) as answer:
        if answer.status < 400:
            return ""
        code: str = json.loads(answer.read())["error"]
    return code


def test_an_officer_does_not_fill_the_memory_by_large_calls(administrator: Browser) -> None:
    for path in ("/v1/lines/x/entries", "/v1/lines/x/entries:batch", "/v1/pairings", "/v1/drop/read"):
        assert administrator.call("POST", path, b" " * (2**20 + 1)).error == "too-large", path
    assert administrator.call("POST", "/v1/pairings", b" " * 2**20).error == "malformed"


def test_what_an_officer_names_is_not_written_into_the_audit_log(home: Home) -> None:
    auditor = entered(home, "QUOTE", "auditor")
    body = {"lane": 0, "index": 0, "show": ["kind"]}
    assert auditor.post("/v1/lines/MARKED%0AW1%20done/prove", body).error == "unknown"
    assert "MARKED" not in json.dumps(acts(home))
    assert [act["line"] for act in acts(home) if act["sign"] == "QUOTE" and act["act"] == "prove"] == ["", ""]


def test_a_locked_page_gets_nothing_that_anybody_wrote(tmp_path: Path) -> None:
    homes = pair(tmp_path)
    with_console(homes[0])
    with running(*homes):
        in_service(*homes, deadline_s=60)
        officer = entered(homes[0], "W1")
        with homes[1].client() as peer:
            peer.post("lines/relay/minimize", {"on": True, "reason": "MARKED-REASON"})
        until(lambda: b"MARKED-REASON" in officer.get("/v1/lines").data, deadline_s=60)
        assert officer.post("/console/lock").status == 200
        for path in ("/v1/lines", "/v1/status", "/v1/alarms", "/console/me"):
            got = officer.get(path)
            assert got.status == 200
            assert b"MARKED" not in got.data, path
        [shown] = officer.get("/v1/lines").json["lines"][0]["minimize"]
        assert (shown["party"], shown["text"]) == ("BRAVO", ""), "that it stands is shown"


def test_a_file_of_a_party_is_saved_and_never_shown(tmp_path: Path) -> None:
    homes = pair(tmp_path)
    with_console(homes[0])
    with running(*homes):
        in_service(*homes, deadline_s=60)
        officer = entered(homes[0], "W1")
        page = b"<script>document.title = 'MARKED'</script>"
        sent = "/v1/lines/relay/attachments?name=page.html&media_type=text%2Fhtml"
        assert officer.call("POST", sent, page).status == 201
        [entry] = officer.get("/v1/lines/relay/entries?kind=attachment").json["entries"]
        got = officer.get(f"/v1/lines/relay/attachments/{entry['body']['digest']}")
        assert got.data == page
        assert got.headers["content-type"] == "application/octet-stream"
        assert got.headers["content-disposition"] == "attachment"
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["cache-control"] == "no-store"
        site = {"Sec-Fetch-Site": "cross-site"}
        assert officer.call("GET", f"/v1/lines/relay/attachments/{entry['body']['digest']}", headers=site).status == 403


# --- who has the disk --------------------------------------------------------------------------------------------


def test_a_restored_station_signs_nobody_in_by_what_was_ended_since(tmp_path: Path) -> None:
    home, seal = console_home(tmp_path), Passphrase("a long enough passphrase")
    with running(home) as [station]:
        officer = entered(home, "W1")
        officer.post("/console/people", {"sign": "W2", "roles": ["auditor"]})
        token = token_of(link_for(home, "W3", "auditor"))
        assert officer.post("/v1/calendars", {}).status == 201
        assert station.stop() == 0
    old, back = Places(home.folder), home.folder.with_name("back")
    written = write_backup(tmp_path / "b", old, home.unlock, seal, os.urandom, files={})
    restore_backup(tmp_path / "b", Places(back), seal, home.unlock, os.urandom)
    assert written.lines == 0
    for name in (CONFIG, CARD):
        shutil.copy(home.folder / name, back / name)
    restored = Home(name=home.name, folder=back, unlock=home.unlock, card=home.card, port=home.port)
    with running(restored):
        browser = Browser(restored)
        assert browser.post("/console/enter", {"token": token}).error == "forbidden"
        browser.take(officer)
        assert browser.get("/console/me").error == "signed-out"
        people = {
            each["sign"]: each["sessions"] for each in entered(restored, "W1").get("/console/people").json["people"]
        }
        assert people == {"W1": 1, "W2": 0, "W3": 0}, "the officers are there"
        with restored.client() as client:
            assert client.get("calendars")["calendars"] == [], "one may have been revoked since"


def test_the_disk_tells_nothing_of_officers_sessions_codes_and_drafts(tmp_path: Path) -> None:
    homes = pair(tmp_path)
    home = with_console(homes[0])
    with running(home) as [station]:
        officer = entered(home, "MARKED1", "watch-officer", "administrator")
        codes = officer.post("/console/recovery/codes").json["codes"]
        officer.post("/v1/lines/relay/compose", {"text": "MARKED-DRAFT", "subject": "MARKED-SUBJECT"})
        officer.post("/v1/log", {"text": "MARKED-NOTE"})
        token = token_of(officer.post("/console/people/MARKED1/link").json["url"])
        calendar = officer.post("/v1/calendars", {"note": "MARKED-CALENDAR"}).json["path"]
        station.kill()
    secrets = [
        b"MARKED",
        officer.cookie.encode(),
        officer.page.encode(),
        token.encode(),
        b"PRIVATE KEY",
        b"BEGIN CERTIFICATE",
        codes[0].encode(),
    ]
    secrets += [codes[0].replace("-", "").encode(), calendar[10:40].encode(), b"MARKED1".lower()]
    files = [each for each in home.folder.rglob("*") if each.is_file()]
    assert any(each.name.startswith("store.db") for each in files)
    for each in files:
        data = each.read_bytes()
        assert not [secret for secret in secrets if secret in data], each.name
        assert each.stat().st_mode & 0o077 == 0, each.name


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A station that has stopped, with some acts in its audit log."""
    home = console_home(tmp_path_factory.mktemp("audited"))
    with running(home) as [station]:
        for sign in ("A1", "A2", "A3"):
            entered(home, sign, "auditor")
            acts(home)
        assert station.stop() == 0
    return home


@pytest.mark.parametrize(
    "sql",
    [
        ["DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)"],
        ["DELETE FROM audit WHERE number > 2"],
        ["DELETE FROM audit"],
        ["DELETE FROM audit WHERE number > 2", "DELETE FROM settings WHERE name = 'audit-end'"],
        ["DELETE FROM settings WHERE name = 'audit-end'"],
        ["DELETE FROM audit WHERE number = 2"],
        ["UPDATE audit SET digest = randomblob(32) WHERE number = 2"],
        ["UPDATE audit SET sealed = randomblob(200) WHERE number = 2"],
        ["DELETE FROM audit WHERE number = 2", "UPDATE audit SET number = number - 1 WHERE number > 2"],
    ],
)
def test_acts_that_are_taken_out_of_the_audit_log_are_missed_for_good(
    audited: Home, tmp_path: Path, sql: list[str]
) -> None:
    """By somebody with the file and without its key; what is appended afterwards does not heal it."""
    shutil.copytree(audited.folder, tmp_path / "copy")
    places = Places(tmp_path / "copy")
    key = Keystore.open(places.keys, audited.unlock, os.urandom).data_key
    with contextlib.closing(SqliteStore.open(places.store, key)) as store:
        assert list(check_store(store)) == []
        assert len(store.audit(0, 99)) > 3
    with contextlib.closing(sqlite3.connect(places.store)) as file, file:
        for each in sql:
            file.execute(each)
    with contextlib.closing(SqliteStore.open(places.store, key)) as store:
        before = list(check_store(store))
        assert before in (["audit"], ["row"])
        store.append_audit(b"[]")
        store.append_audit(b"[]")
        assert list(check_store(store)) == before
