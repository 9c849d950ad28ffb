"""Passkeys in real Chromium with a virtual authenticator: what the station takes, and what it does not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import SIGNED_IN, Room, Seat, floor
from tests.e2e.console_rig import Browser, console_home, entered, token_of
from tests.e2e.homes import Home, running
from tests.waiting import until

pytestmark = pytest.mark.full

_POST = """
const post = async (path, body) => {
  const headers = {"openline-page": localStorage.getItem("openline.page") ?? ""};
  const answer = await fetch(path, {method: "POST", headers, body: JSON.stringify(body ?? {})});
  return {status: answer.status, answer: await answer.json()};
};
const asked = (begun, kind) => kind === "create"
  ? PublicKeyCredential.parseCreationOptionsFromJSON(begun) : PublicKeyCredential.parseRequestOptionsFromJSON(begun);
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made = console_home(tmp_path_factory.mktemp("passkeys"))
    with running(made):
        yield made


@pytest.fixture
def room(home: Home) -> Iterator[Room]:
    with floor(home) as opened:
        yield opened


def made(seat: Seat, sign: str = "") -> dict[str, Any]:
    """An assertion of the seat's authenticator, not yet shown to the station."""
    script = "async (body) => {" + _POST + """
      const options = asked((await post("/console/passkey/enter/begin", body)).answer, "get");
      return (await navigator.credentials.get({publicKey: options})).toJSON();
    }"""  # fmt: skip
    found: dict[str, Any] = seat.page.evaluate(script, {"sign": sign} if sign else {})
    return found


def registered(seat: Seat) -> dict[str, Any]:
    """A new passkey for whoever is signed in; the station's answer."""
    script = "async () => {" + _POST + """
      const options = asked((await post("/console/passkey/register/begin")).answer, "create");
      const credential = await navigator.credentials.create({publicKey: options});
      return post("/console/passkey/register/finish", {credential: credential.toJSON(), name: "the desk's key"});
    }"""  # fmt: skip
    found: dict[str, Any] = seat.page.evaluate(script)
    return found


def shown(seat: Seat, credential: dict[str, Any], path: str = "/console/passkey/enter/finish") -> tuple[int, Any]:
    """What the station says to it."""
    said = seat.call("POST", path, {"credential": credential})
    return said["status"], said["answer"]


def test_a_passkey_is_made_and_signs_in_with_and_without_a_sign(room: Room, home: Home) -> None:
    seat = room.seat(home, "K1", "watch-officer")
    seat.authenticator()
    answer = registered(seat)
    assert (answer["status"], answer["answer"]["passkeys"], len(answer["answer"]["recovery_codes"])) == (200, 1, 10)
    assert [each["name"] for each in seat.call("GET", "/console/passkeys")["answer"]["passkeys"]] == ["the desk's key"]
    stranger = Browser(home)
    begun = stranger.post("/console/passkey/enter/begin", {"sign": "K1"}).json
    assert begun["allowCredentials"] == [], "which passkeys somebody has is told to nobody else"
    mine = seat.call("POST", "/console/passkey/enter/begin", {"sign": "K1"})["answer"]
    assert len(mine["allowCredentials"]) == 1
    for sign in ("", "K1"):
        assert seat.call("POST", "/console/leave", {})["status"] == 200
        assert seat.call("GET", "/console/me")["status"] == 401
        assert shown(seat, made(seat, sign))[0] == 200
        assert seat.call("GET", "/console/me")["answer"]["sign"] == "K1"


def test_an_answer_is_good_once_and_for_its_own_ceremony(room: Room, home: Home) -> None:
    seat = room.seat(home, "K2", "auditor")
    seat.authenticator()
    registered(seat)
    seat.allow(r"status of 40[03]")
    first = made(seat)
    assert shown(seat, first)[0] == 200
    assert shown(seat, first) == (403, {**shown(seat, first)[1], "error": "forbidden"}), "the challenge is used up"
    second = made(seat)
    second["response"]["signature"] = first["response"]["signature"]
    assert shown(seat, second)[0] == 403
    third = made(seat)
    assert shown(seat, third, "/console/passkey/register/finish")[0] == 403
    third["response"]["clientDataJSON"] = first["response"]["clientDataJSON"]
    assert shown(seat, third)[0] == 403


def test_the_user_is_verified_and_a_copied_key_is_noticed(room: Room, home: Home) -> None:
    seat = room.seat(home, "K3", "auditor")
    devices = seat.authenticator()
    registered(seat)
    seat.allow(r"status of 403")
    script = "async () => {" + _POST + """
      const options = asked((await post("/console/passkey/enter/begin")).answer, "get");
      options.userVerification = "discouraged";
      return (await navigator.credentials.get({publicKey: options})).toJSON();
    }"""  # fmt: skip
    device = {"authenticatorId": seat.device}
    devices.send("WebAuthn.setUserVerified", {**device, "isUserVerified": False})
    assert shown(seat, seat.page.evaluate(script))[0] == 403, "a finger was there, and nobody knows whose"
    devices.send("WebAuthn.setUserVerified", {**device, "isUserVerified": True})
    for _ in range(3):
        assert shown(seat, made(seat))[0] == 200
    [kept] = devices.send("WebAuthn.getCredentials", device)["credentials"]
    devices.send("WebAuthn.removeCredential", {**device, "credentialId": kept["credentialId"]})
    copy = {**kept, "signCount": 1}
    devices.send("WebAuthn.addCredential", {**device, "credential": copy})
    assert shown(seat, made(seat))[0] == 403, "the counter went back: two devices have this key"


def test_only_ones_own_passkey_unlocks(room: Room, home: Home) -> None:
    one, two = room.seat(home, "K4", "watch-officer"), room.seat(home, "K5", "watch-officer")
    for seat in (one, two):
        seat.authenticator()
        registered(seat)
        seat.allow(r"status of 403")
    assert one.call("POST", "/console/lock", {})["answer"]["locked"] is True
    assert shown(one, made(two), "/console/unlock")[0] == 403
    assert one.call("GET", "/console/me")["answer"]["locked"] is True
    assert one.call("GET", "/console/passkeys")["status"] == 423
    assert shown(one, made(one), "/console/unlock")[1]["locked"] is False
    assert one.call("GET", "/console/passkeys")["status"] == 200


def test_a_forgotten_passkey_and_a_disabled_officer_are_out(room: Room, home: Home) -> None:
    administrator = entered(home, "W1")
    seat = room.seat(home, "K6", "watch-officer")
    seat.authenticator()
    registered(seat)
    seat.allow(r"status of 403")
    assert administrator.post("/console/people/K6", {"disabled": True}).status == 200
    assert seat.call("GET", "/console/me")["status"] == 401
    assert shown(seat, made(seat))[0] == 403
    assert administrator.post("/console/people/K6", {"disabled": False}).status == 200
    assert shown(seat, made(seat))[0] == 200
    [key] = seat.call("GET", "/console/passkeys")["answer"]["passkeys"]
    assert seat.call("POST", f"/console/passkeys/{key['id']}/forget", {})["status"] == 200
    assert shown(seat, made(seat))[0] == 403
    assert administrator.post("/console/people/K6", {"forget": True}).json["codes"] == 0
    assert seat.call("GET", "/console/me")["status"] == 401, "signed out everywhere"


def test_a_passkey_of_another_console_is_worth_nothing(tmp_path: Path, home: Home) -> None:
    other = console_home(tmp_path, "BRAVO")
    with running(other), floor(home, other) as room:
        here, there = room.seat(home, "K7", "auditor"), room.seat(other, "K7", "auditor")
        for seat in (here, there):
            seat.authenticator()
            registered(seat)
            seat.allow(r"status of 403")
        assert shown(there, made(here))[0] == 403
        assert shown(there, made(there))[0] == 200


def test_the_page_itself_makes_a_passkey_and_signs_in_with_it(room: Room, home: Home) -> None:
    """The whole first sign-in as an officer does it: link, passkey, recovery codes, out, and in again."""
    administrator = entered(home, "W1")
    administrator.post("/console/people", {"sign": "K8", "roles": ["watch-officer"]})
    link = administrator.post("/console/people/K8/link").json["url"]
    seat = room.stranger(home)
    seat.authenticator()
    seat.enter(link)
    seat.shows("Welcome to ALPHA, K8.")
    assert token_of(link) not in seat.page.url, "not left in the address for whoever looks at the screen"
    seat.page.get_by_role("button", name="Make my passkey").click()
    seat.shows("Your recovery codes")
    assert seat.call("GET", "/console/me")["answer"]["passkeys"] == 1
    assert seat.call("POST", "/console/leave", {})["status"] == 200
    seat.open()
    seat.page.reload()
    seat.page.get_by_role("button", name="Sign in with your passkey").click()
    seat.until(SIGNED_IN)
    assert seat.call("GET", "/console/me")["answer"]["sign"] == "K8"


def test_a_page_that_begins_twice_shows_one_entrance_with_one_set_of_keys(room: Room, home: Home) -> None:
    """A second link while the first is being followed: the later one is, and Enter asks for one passkey."""
    seat = room.stranger(home)
    seat.page.goto(seat.url)
    seat.until("document.querySelector('.view-entrance button.main') !== null")
    seat.allow("status of 40")  # neither link is one
    asked: list[str] = []
    seat.page.on("request", lambda request: asked.append(request.url.rpartition("/console/")[2]))
    seat.page.evaluate("""async () => {
      const turned = new Promise((done) => addEventListener("hashchange", done, {once: true}));
      location.hash = "#/enter/first";
      await turned;
      location.hash = "#/enter/second";
    }""")
    until(lambda: seat.text() and "enter" in asked, deadline_s=60)
    seat.until("document.querySelector('.view-entrance .said') !== null")
    seat.page.keyboard.press("Enter")
    until(lambda: seat.text() and "passkey/enter/begin" in asked, deadline_s=60)
    seat.until("fetch('/console/me').then(() => true)")  # whatever the key did besides is asked by now
    assert (asked.count("enter"), asked.count("passkey/enter/begin")) == (1, 1), asked
