"""The console's server, by a plain HTTPS client that does what a page would, and what no page of ours would."""

import contextlib
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from openline.console.visits import MAX_BODY
from openline.station.people import ROLES
from tests.e2e.console_rig import Browser, console_home, entered, link_for, token_of, with_console
from tests.e2e.homes import Home, Running, in_service, pair, running
from tests.ports import free_port
from tests.waiting import until

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; media-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


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
def officer(home: Home) -> Browser:
    return entered(home, "W1")


# --- pages and headers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/static/index.html", "/static/nothing.js", "/v1/status", "/console/me", "/x"])
def test_every_answer_carries_the_strict_headers(stranger: Browser, path: str) -> None:
    got = stranger.get(path)
    assert got.headers["content-security-policy"] == POLICY
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["referrer-policy"] == "no-referrer"
    assert got.headers["cross-origin-opener-policy"] == got.headers["cross-origin-resource-policy"] == "same-origin"
    assert got.headers["x-frame-options"] == "DENY"
    assert "microphone=(self)" in got.headers["permissions-policy"]
    assert "strict-transport-security" not in got.headers, "not on .localhost: other programs answer there too"
    assert got.headers["cache-control"] == ("no-cache" if got.status == 200 else "no-store")
    assert "server" not in got.headers


def test_the_page_is_served_and_not_sent_again(stranger: Browser) -> None:
    page = stranger.get("/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"<!doctype html>" in page.data
    again = stranger.call("GET", "/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status, again.data) == (304, b"")
    head = stranger.call("HEAD", "/")
    assert (head.status, head.data, head.headers["etag"]) == (200, b"", page.headers["etag"])
    squeezed = stranger.call("GET", "/static/index.html", headers={"Accept-Encoding": "gzip"})
    assert len(squeezed.data) <= len(page.data)
    assert stranger.post("/").error == "method-not-allowed"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py", "/static/../../station/api.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py",
        "/static//etc/passwd", "/static/", "/static", "/static/css", "/static/.", "/static/index.html/",
        "/static/%00", "//static/index.html", "/static/fonts/OFL.txt", "/app.py",
    ],
)  # fmt: skip
def test_nothing_but_the_pages_is_served(stranger: Browser, path: str) -> None:
    assert stranger.get(path).error == "unknown"


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example", "alpha.localhost", "alpha.localhost:1", "", None])
@pytest.mark.parametrize("path", ["/", "/v1/status", "/console/me"])
def test_another_host_name_is_refused(officer: Browser, host: str | None, path: str) -> None:
    got = officer.call("GET", path, headers={"Host": host})
    assert (got.status, got.error) == (421, "misdirected") or (host is None and got.status == 400)


def test_the_certificate_is_the_authoritys_and_for_this_host_alone(home: Home, stranger: Browser) -> None:
    with stranger.connect() as connection:
        assert connection.version() == "TLSv1.3"
        assert connection.getpeercert()["subjectAltName"] == (("DNS", "alpha.localhost"),)  # type: ignore[index]
    with (
        socket.create_connection(("127.0.0.1", stranger.port), timeout=60) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        stranger.context.wrap_socket(plain, server_hostname="bravo.localhost")
    with (
        socket.create_connection(("127.0.0.1", stranger.port), timeout=60) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(plain, server_hostname="alpha.localhost")
    assert not list(home.folder.rglob("*.pem")), "the keys lie sealed in the store"


def test_a_station_without_a_console_loads_none_of_it() -> None:
    script = "import openline.station.main, sys; print(*[m for m in sys.modules if m.startswith(('openline.console', 'webauthn'))])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# --- who calls ---------------------------------------------------------------------------------------------------


def test_whoever_is_not_signed_in_gets_nothing(stranger: Browser) -> None:
    for path in ("/console/me", "/console/people", "/console/sessions", "/console/passkeys"):
        assert (stranger.get(path).status, stranger.get(path).error) == (401, "signed-out")
    for path in ("/v1/status", "/v1/lines", "/v1/events", "/v1/openapi.json", "/v1/nothing"):
        assert stranger.get(path).error == "signed-out"
    for path in ("/console/lock", "/console/unlock", "/console/leave", "/console/people", "/v1/backup"):
        assert stranger.post(path).error == "signed-out"
    stranger.cookie = "A" * 43
    assert stranger.get("/v1/status").error == "signed-out"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": None}, {"Sec-Fetch-Site": None}, {"Origin": "https://evil.example"}, {"Origin": "null"},
        {"Origin": "https://alpha.localhost"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)  # fmt: skip
def test_an_act_must_come_from_the_consoles_own_page(officer: Browser, headers: dict[str, str | None]) -> None:
    for method, path in (("PUT", "/console/me"), ("POST", "/console/lock"), ("POST", "/v1/lines/x/entries")):
        assert officer.call(method, path, {}, headers=headers).error == "forbidden"
    assert officer.get("/console/me").json["locked"] is False


def test_another_page_cannot_even_read(officer: Browser) -> None:
    for site in ("cross-site", "same-site"):
        assert officer.call("GET", "/v1/status", headers={"Sec-Fetch-Site": site}).error == "forbidden"
        assert officer.call("GET", "/console/me", headers={"Sec-Fetch-Site": site}).error == "forbidden"
    assert officer.call("GET", "/v1/status", headers={"Sec-Fetch-Site": None}).status == 200


def test_a_link_is_good_once(home: Home) -> None:
    token = token_of(link_for(home, "L1", "auditor"))
    first, second = Browser(home), Browser(home)
    got = first.post("/console/enter", {"token": token})
    assert (got.status, got.json["sign"], got.json["roles"]) == (200, "L1", ["auditor"])
    cookie = got.headers["set-cookie"]
    assert cookie.startswith("__Host-openline=")
    assert cookie.endswith("; Path=/; Secure; HttpOnly; SameSite=Strict")
    assert second.post("/console/enter", {"token": token}).error == "forbidden"
    assert second.cookie == ""
    older, newer = token_of(link_for(home, "L1")), token_of(link_for(home, "L1"))
    assert second.post("/console/enter", {"token": older}).error == "forbidden", "a newer link voids the older"
    assert second.post("/console/enter", {"token": newer}).status == 200


def test_the_roles_of_a_new_officer_are_given_or_configured(home: Home) -> None:
    with home.client() as station:
        for body in ({"sign": "N1"}, {"sign": "N1", "roles": ["captain"]}, {"sign": "n1", "roles": ["auditor"]}):
            with pytest.raises(Exception, match=r"sign|role|field"):
                station.post("console/links", body)
        station.post("console/links", {"sign": "N1", "roles": ["auditor"]})
        with pytest.raises(Exception, match="other roles"):
            station.post("console/links", {"sign": "N1", "roles": ["administrator"]})
    assert entered(home, "W1").get("/console/me").json["roles"] == list(ROLES), "as [people] says of this sign"


# --- what they may -----------------------------------------------------------------------------------------------


def test_the_same_api_under_the_same_roles(home: Home) -> None:
    watch, auditor = entered(home, "R1", "watch-officer"), entered(home, "R2", "auditor")
    assert watch.get("/v1/status").json["actor"]["signs"] == ["R1"]
    assert watch.get("/v1/status").json["actor"]["uid"] < 0, "a number that no Unix user has"
    assert (watch.get("/v1/audit").error, auditor.get("/v1/audit").status) == ("forbidden", 200)
    assert auditor.post("/v1/backup", {"path": "x", "passphrase": "y"}).error == "forbidden"
    assert watch.get("/v1/nothing").error == "unknown"
    technician = entered(home, "R3", "technician")
    assert technician.get("/v1/lines/x/events").error == "forbidden"
    with technician.open("GET", "/v1/events") as stream:
        assert stream.readline() == b": states\n", "states and alarms, as on a locked page"
    assert watch.call("DELETE", "/v1/status").error == "method-not-allowed"


def test_only_an_administrator_has_to_do_with_people(home: Home, officer: Browser) -> None:
    watch = entered(home, "P1", "watch-officer")
    assert watch.get("/console/people").error == "forbidden"
    assert watch.post("/console/people", {"sign": "P9", "roles": ["administrator"]}).error == "forbidden"
    assert watch.post("/console/people/P1", {"roles": ["administrator"]}).error == "forbidden"
    assert watch.post("/console/people/W1/link").error == "forbidden"
    made = officer.post("/console/people", {"sign": "P2", "roles": ["interpreter", "auditor"]})
    assert (made.status, made.json["roles"]) == (201, ["interpreter", "auditor"])
    assert officer.post("/console/people", {"sign": "P2", "roles": ["auditor"]}).error == "conflict"
    for sign in ("p 3", "P3\n", "\u0420\u0421", "P3\u200b"):
        assert officer.post("/console/people", {"sign": sign, "roles": ["auditor"]}).error == "malformed"
    assert officer.post("/console/people/P2", {"roles": ["king"]}).error == "malformed"
    assert officer.post("/console/people/NOBODY", {"disabled": True}).error == "unknown"
    link = officer.post("/console/people/P2/link")
    other = Browser(home)
    assert other.post("/console/enter", {"token": token_of(link.json["url"])}).json["sign"] == "P2"
    shown = {each["sign"]: each for each in officer.get("/console/people").json["people"]}
    assert (shown["P2"]["sessions"], shown["P2"]["passkeys"], shown["P2"]["disabled"]) == (1, 0, False)


def test_a_lost_role_is_lost_in_open_sessions(home: Home, officer: Browser) -> None:
    someone = entered(home, "Q1", "watch-officer", "auditor")
    assert someone.get("/v1/audit").status == 200
    with someone.open("GET", "/v1/events") as stream:
        assert stream.readline() == b": openline\n"
        assert officer.post("/console/people/Q1", {"roles": ["watch-officer"]}).status == 200
        assert ended(stream), "a stream of the roles of before"
    assert someone.get("/v1/audit").error == "forbidden"
    assert officer.post("/console/people/Q1", {"disabled": True}).json["disabled"]
    assert someone.get("/console/me").error == "signed-out"
    assert officer.post("/console/people/Q1/link").error == "conflict"
    with home.client() as station, pytest.raises(Exception, match="disabled"):
        station.post("console/links", {"sign": "Q1"})


def test_a_role_that_is_taken_away_while_a_call_trickles_in_stays_away(home: Home, officer: Browser) -> None:
    someone = entered(home, "Q2", "watch-officer", "administrator")
    body = b'{"theme":"dark"}'
    with someone.connect() as connection:
        head = f"PUT /console/me HTTP/1.1\r\nHost: {someone.host}:{someone.port}\r\nOrigin: {someone.url}\r\nSec-Fetch-Site: same-origin\r\n"
        head += f"Cookie: __Host-openline={someone.cookie}\r\nOpenline-Page: {someone.page}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[:4])
        assert officer.post("/console/people/Q2", {"roles": ["watch-officer"]}).status == 200
        connection.sendall(body[4:])
        answer = HTTPResponse(connection)
        answer.begin()
        assert json.loads(answer.read())["roles"] == ["watch-officer"]
    assert someone.get("/console/people").error == "forbidden"


def test_the_last_administrator_stays_one(tmp_path: Path) -> None:
    home = console_home(tmp_path)
    with running(home):
        officer = entered(home, "W1")
        assert officer.post("/console/people/W1", {"roles": ["auditor"]}).error == "conflict"
        assert officer.post("/console/people/W1", {"disabled": True}).error == "conflict"
        officer.post("/console/people", {"sign": "W2", "roles": ["administrator"]})
        assert officer.post("/console/people/W1", {"roles": ["auditor"]}).json["roles"] == ["auditor"]
        assert officer.get("/console/people").error == "forbidden"


def test_from_the_console_nobody_chooses_a_path_on_the_machine(home: Home, officer: Browser) -> None:
    for path in ("/tmp/out", "../out", ".out", "a/b", ""):
        got = officer.post("/v1/backup", {"path": path, "passphrase": "a long enough passphrase"})
        assert got.error == "malformed"
    sealed = {"path": "out.backup", "key_file": str(home.folder / "k")}
    assert officer.post("/v1/backup", sealed).error == "forbidden"
    assert officer.post("/v1/backup", {"path": "out.backup", "passphrase": "a long enough passphrase"}).status == 200
    assert (home.folder / "exports" / "out.backup").stat().st_size > 0


# --- sessions ----------------------------------------------------------------------------------------------------


def test_sessions_and_preferences_outlive_a_restart(tmp_path: Path) -> None:
    home = console_home(tmp_path)
    with running(home) as [station]:
        officer, left = entered(home, "W1"), entered(home, "W2", "auditor")
        wanted = {"language": "fr", "theme": "dark", "times": "utc", "sounds": False}
        assert officer.put("/console/me", wanted).json | wanted == officer.get("/console/me").json
        assert left.post("/console/leave").status == 200
        assert left.cookie == ""
        certificate = officer.context.get_ca_certs(binary_form=True)
        link = link_for(home, "W3", "auditor")
        assert station.stop() == 0
    with running(home):
        again = Browser(home)
        assert again.context.get_ca_certs(binary_form=True) == certificate, "installed once"
        again.take(officer)
        assert again.get("/console/me").json | wanted == again.get("/console/me").json
        assert again.get("/v1/status").json["actor"]["signs"] == ["W1"]
        assert Browser(home).post("/console/enter", {"token": token_of(link)}).status == 200
        assert again.call("PUT", "/console/me", {"theme": "a b"}).error == "malformed"


def test_sessions_are_listed_and_ended(home: Home, officer: Browser) -> None:
    one, two = entered(home, "S1", "auditor"), entered(home, "S1")
    listed = one.get("/console/sessions").json["sessions"]
    assert [each["sign"] for each in listed] == ["S1", "S1"]
    [other] = [each["id"] for each in listed if not each["this"]]
    [foreign, *_] = [each["id"] for each in officer.get("/console/sessions").json["sessions"] if each["sign"] == "W1"]
    assert one.post(f"/console/sessions/{foreign}/end").error == "unknown", "nobody else's"
    assert one.post(f"/console/sessions/{other}/end").status == 200
    assert two.get("/console/me").error == "signed-out"
    [mine] = [each["id"] for each in listed if each["this"]]
    assert officer.post(f"/console/sessions/{mine}/end").status == 200, "an administrator ends anybody's"
    assert one.get("/console/me").error == "signed-out"


def test_a_stream_ends_with_its_session(home: Home) -> None:
    officer = entered(home, "S2", "watch-officer")
    with officer.open("GET", "/v1/events") as stream:
        assert stream.readline() == b": openline\n"
        assert officer.post("/console/leave").status == 200
        assert ended(stream)


def test_the_station_ends_at_once_although_streams_are_open(tmp_path: Path) -> None:
    home = console_home(tmp_path)
    with running(home) as [station]:
        officer, locked = entered(home, "W1"), entered(home, "W1")
        locked.post("/console/lock")
        with officer.open("GET", "/v1/events") as open_one, locked.open("GET", "/v1/events") as locked_one:
            assert (open_one.readline(), locked_one.readline()) == (b": openline\n", b": states\n")
            assert station.stop() == 0
            assert ended(open_one)
            assert ended(locked_one)
        assert "library" not in home.log.read_text()


# --- locked ------------------------------------------------------------------------------------------------------


@pytest.fixture
def line(tmp_path: Path) -> Iterator[list[Home]]:
    """ALPHA with a console, BRAVO, and a line in service."""
    homes = pair(tmp_path)
    with_console(homes[0])
    with running(*homes):
        in_service(*homes, deadline_s=60)
        yield homes


def test_a_locked_page_sees_states_and_that_a_flash_came(line: list[Home]) -> None:
    alpha, bravo = line
    officer = entered(alpha, "W1")
    with officer.open("GET", "/v1/events") as stream:
        assert officer.post("/console/lock").json["locked"] is True
        assert ended(stream), "the stream of the page that was open"
    assert officer.get("/v1/status").status == 200
    assert [each["label"] for each in officer.get("/v1/lines").json["lines"]] == ["relay"]
    for path in (
        "/v1/lines/relay/entries",
        "/v1/lines/relay/events",
        "/v1/audit",
        "/console/people",
        "/v1/openapi.json",
    ):
        assert (officer.get(path).status, officer.get(path).error) == (423, "locked")
    for path in ("/v1/lines/relay/entries", "/console/recovery/codes", "/console/passkey/register/begin", "/v1/backup"):
        assert officer.post(path).error == "locked"
    assert officer.put("/console/me", {"theme": "dark"}).error == "locked"
    with officer.open("GET", "/v1/events") as stream, bravo.client() as peer:
        assert stream.readline() == b": states\n"
        for precedence in ("routine", "flash"):
            said = {"kind": "message", "precedence": precedence, "text": "MARKED-CONTENT"}
            peer.post("lines/relay/entries", said)
        seen = b""
        while b"event: flash\n" not in seen:
            piece = stream.readline()
            assert piece, "the stream ended"
            seen += piece
        told = json.loads(stream.readline().removeprefix(b"data: "))
        assert told["line"] == "relay"
        assert set(told) == {"line", "seq", "place"}
        assert b'event: flashes\ndata: {"line":"relay","places":[]}\n' in seen
        with officer.open("GET", "/v1/events") as later:  # what came before a stream stood is told at its beginning
            said_first = [later.readline() for _ in range(4)]
        assert said_first[2:] == [
            b"event: flashes\n",
            b'data: {"line":"relay","places":["%b"]}\n' % told["place"].encode(),
        ]
        lane, generation, index = told["place"].split("/")
        with alpha.client() as here:
            of = {"lane": int(lane), "generation": generation, "index": int(index)}
            here.post("lines/relay/entries", {"kind": "receipt", "of": of, "step": "read"})
        while b"event: answered" not in seen:
            piece = stream.readline()
            assert piece, "the stream ended"
            seen += piece
        assert json.loads(stream.readline().removeprefix(b"data: ")) == {"line": "relay", "of": told["place"]}
        assert b"MARKED" not in seen
        assert b"event: entry" not in seen


def test_an_idle_page_locks_itself_and_a_code_opens_it(tmp_path: Path) -> None:
    home = console_home(tmp_path)
    with running(home):
        before = entered(home, "W1")
        codes = before.post("/console/recovery/codes").json["codes"]
        assert len(set(codes)) == 10
    home.change("lock_after_s = 900", "lock_after_s = 1")  # not before: making them may take longer
    with running(home):
        officer = Browser(home)
        officer.take(before)
        until(lambda: officer.get("/console/me").json["locked"])
        assert officer.post("/console/unlock", {"code": "AAAAA-AAAAA"}).error == "forbidden"
        assert officer.post("/console/unlock", {}).error == "malformed"
        opened = officer.post("/console/unlock", {"code": codes[0].lower().replace("-", " ")})
        assert opened.json["locked"] is False
        assert opened.json["codes"] == 9
        until(lambda: officer.get("/console/me").json["locked"])  # reading is no act
        assert officer.post("/console/lock").json["locked"] is True
        assert officer.post("/console/unlock", {"code": codes[0]}).error == "forbidden", "every code is good once"


def test_recovery_codes_sign_in_once_each(home: Home) -> None:
    officer, other = entered(home, "C1", "auditor"), Browser(home)
    codes = officer.post("/console/recovery/codes").json["codes"]
    got = other.post("/console/recovery", {"sign": "C1", "code": codes[3]})
    assert (got.status, got.json["sign"], got.json["codes"]) == (200, "C1", 9)
    refusals = [
        Browser(home).post("/console/recovery", {"sign": sign, "code": code}).data
        for sign, code in (("C1", codes[3]), ("C1", "WRONG"), ("NOBODY", codes[4]), ("W1", codes[4]))
    ]
    assert len(set(refusals)) == 1, "what is wrong is not told"
    officer.post("/console/recovery/codes")
    assert other.post("/console/recovery", {"sign": "C1", "code": codes[5]}).error == "forbidden", (
        "newer codes void them"
    )


# --- attackers ---------------------------------------------------------------------------------------------------


def test_no_answer_tells_whether_a_sign_exists(home: Home, stranger: Browser, officer: Browser) -> None:
    def begun(sign: str) -> Any:
        got = stranger.post("/console/passkey/enter/begin", {"sign": sign})
        assert got.status == 200
        return {**got.json, "challenge": ""}

    assert begun("W1") == begun("NOBODY")
    assert begun("W1")["allowCredentials"] == []
    assert begun("W1")["userVerification"] == "required"
    first, second = (stranger.post("/console/passkey/enter/begin", {"sign": "W1"}).json for _ in range(2))
    assert first["challenge"] != second["challenge"]
    assert officer.post("/console/passkey/enter/begin", {"sign": "NOBODY"}).json["allowCredentials"] == []


def test_tries_are_counted(tmp_path: Path) -> None:
    home = console_home(tmp_path)
    with running(home):
        stranger = Browser(home)
        outcomes = [stranger.post("/console/enter", {"token": f"wrong{number}"}).error for number in range(25)]
        assert outcomes == ["forbidden"] * 20 + ["quota"] * 5
        assert stranger.post("/console/recovery", {"sign": "W1", "code": "x"}).error == "quota"
        with home.client() as station:
            acts = [act["act"] for row in station.get("audit", limit=1000)["rows"] for act in row["acts"]]
        assert acts.count("sign-in") == 20, "nobody fills the audit log"
        assert stranger.post("/console/enter", {"token": token_of(link_for(home, "W1"))}).status == 200, "nor locks out"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b"null", b"\xff", b'{"id":1}', b'{"credential":{"id":"AA","response":{}}}', b'{"credential":[]}',
        b'{"credential":{"response":{"clientDataJSON":"e30"}}}', b'{"credential":{"response":[]}}', b"[" * 60_000,
        b'{"credential":{"response":{"clientDataJSON":"WzFd"},"id":{}}}', b'{"credential":' * 4_000,
    ],
)  # fmt: skip
def test_hostile_passkey_answers_are_refused(home: Home, officer: Browser, body: bytes) -> None:
    browser = Browser(home)
    assert browser.call("POST", "/console/passkey/enter/finish", body).error in {"malformed", "forbidden", "quota"}
    assert officer.call("POST", "/console/passkey/register/finish", body).error in {"malformed", "forbidden"}


def test_a_large_body_is_not_read(officer: Browser) -> None:
    """Answered at the first octet too many: what was announced besides never comes."""
    announced = {"Content-Length": "200000"}
    assert officer.call("POST", "/console/people", b" " * (MAX_BODY + 1), headers=announced).error == "too-large"


def test_a_head_without_end_is_cut(home: Home, stranger: Browser) -> None:
    with stranger.connect() as connection, contextlib.suppress(OSError):
        connection.sendall(b"GET / HTTP/1.1\r\n")
        for number in range(10_000):
            connection.sendall(b"X-%d: %s\r\n" % (number, b"a" * 1_000))
        pytest.fail("ten megabytes of a head were taken")
    assert stranger.get("/").status == 200


def test_silent_callers_are_cut_and_hold_up_nobody(tmp_path: Path) -> None:
    """256 connections that say nothing: the oldest makes room for whoever comes next, and all are cut in time."""
    home = console_home(tmp_path)
    with running(home), contextlib.ExitStack() as stack:
        stranger = Browser(home)
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", stranger.port), timeout=60)) for _ in range(256)
        ]
        with home.client() as station:
            assert station.get("status")["name"] == "ALPHA"
        assert stranger.get("/").status == 200
        assert [each.recv(1) for each in held] == [b""] * 256, "no handshake within its time"
        until(lambda: answers(stranger), deadline_s=60)


def test_garbage_instead_of_tls_is_no_event(home: Home, stranger: Browser) -> None:
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 4_096, b"\x16\x03\x01"):
        with socket.create_connection(("127.0.0.1", stranger.port), timeout=60) as plain:
            plain.sendall(data)
    threads = [threading.Thread(target=stranger.get, args=("/",)) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert stranger.get("/").status == 200
    assert "loop.fault" not in home.log.read_text()


def test_every_act_is_in_the_audit_log(tmp_path: Path) -> None:
    home = console_home(tmp_path)
    with running(home):
        officer, stranger = entered(home, "W1"), Browser(home)
        officer.post("/console/people", {"sign": "W2", "roles": ["auditor"]})
        officer.post("/console/people/W2", {"disabled": True})
        stranger.post("/console/enter", {"token": "MARKED-TOKEN"})
        officer.post("/console/recovery/codes")
        officer.post("/console/lock")
        with home.client() as station:
            rows = station.get("audit", limit=1000)["rows"]
    acts = [(act["act"], act["sign"], act["line"], act["outcome"]) for row in rows for act in row["acts"]]
    assert acts[-9:] == [
        ("sign-in", "W1", "W1", "done"),
        ("officer-add", "W1", "", "begun"),
        ("officer-add", "W1", "W2", "done"),
        ("officer-change", "W1", "W2", "begun"),
        ("officer-change", "W1", "W2", "done"),
        ("sign-in", "", "", "forbidden"),
        ("recovery-codes", "W1", "", "begun"),
        ("recovery-codes", "W1", "", "done"),
        ("lock", "W1", "", "done"),
    ]
    assert "officer-link" in {act for act, *_ in acts}
    everything = json.dumps(rows) + home.log.read_text()
    assert "MARKED" not in everything
    assert officer.cookie not in everything
    assert officer.page not in everything


def answers(browser: Browser) -> bool:
    """Whether the console answers."""
    try:
        return browser.get("/").status == 200
    except OSError:
        return False


def ended(stream: HTTPResponse) -> bool:
    """Read to the end of a stream."""
    while stream.readline():
        pass
    return True


def test_a_port_that_is_taken_stops_no_line(tmp_path: Path) -> None:
    """The console comes as soon as the port is free; the station says what is wrong meanwhile."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        home = console_home(tmp_path)
        home.change("127.0.0.1:0", f"127.0.0.1:{port}")
        started = Running(home)
        with home.client() as station:
            told = station.get("status")
        assert told["console"] == ""
        assert any("console" in problem for problem in told["problems"])
    try:
        with home.client() as station:
            url = until(lambda: station.get("status")["console"], deadline_s=60)
            assert not any("console" in problem for problem in station.get("status")["problems"])
        assert url == f"https://alpha.localhost:{port}"
        assert Browser(home).get("/").status == 200
    finally:
        started.kill()


def test_a_killed_station_comes_back_with_its_officers(tmp_path: Path) -> None:
    home = console_home(tmp_path)
    with running(home) as [station]:
        officer = entered(home, "W1")
        officer.post("/console/people", {"sign": "W2", "roles": ["auditor"]})
        officer.post("/console/lock")
        station.kill()
    again = Running(home)
    try:
        browser = Browser(home)
        browser.take(officer)
        assert browser.get("/console/me").json["locked"] is True, "a lock outlives the process"
        with home.client() as local:
            assert "W2" in {each["sign"] for each in local.get("console/people")["people"]}
    finally:
        again.kill()


# --- the calendar of regular contacts ----------------------------------------------------------------------------


def test_a_calendar_is_read_without_signing_in_by_its_token_alone(home: Home, stranger: Browser) -> None:
    with home.client() as station:
        made = station.post("calendars", {"note": "telephone"})
    got = stranger.get(made["path"])
    assert (got.status, got.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert got.data.startswith(b"BEGIN:VCALENDAR\r\n")
    assert got.headers["cache-control"] == "no-store"
    assert stranger.call("HEAD", made["path"]).data == b""
    for path in ("/calendar/", "/calendar/x.ics", f"/calendar/{'0' * 64}.ics", made["path"] + "/..", "/calendar"):
        assert stranger.get(path).error == "unknown"
    assert stranger.call("POST", made["path"], {}).error == "method-not-allowed"
    with home.client() as station:
        station.post(f"calendars/{made['calendar']}/revoke")
    assert stranger.get(made["path"]).error == "unknown"
