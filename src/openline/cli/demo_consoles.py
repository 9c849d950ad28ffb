"""The consoles of the demonstration: both stations in the browser, and a link for whoever watches.

Each console has a certificate authority of its own, made an hour ago at most,
which no browser knows: it warns once, and a person lets it go on.
"""

import http.client
import json
import re
import select
import socket as sockets
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openline.cli import scenario as parts
from openline.cli.scenario import Scenario, StationKey
from openline.kernel.errors import Unavailable
from openline.station.client import Client

HOSTS: dict[StationKey, str] = {"alpha": "alpha.localhost", "bravo": "bravo.localhost"}
ROLES = ("watch-officer", "technician", "auditor", "administrator")
"""One visitor tries everything; on a real floor these are four people."""
LOCK_AFTER_S = 86_400
"""A visitor without a passkey could not unlock."""
LOOK_S = 0.3
CALL_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One console, and the one-time link by which its officer signs in."""

    key: StationKey
    sign: str
    link: str

    @property
    def address(self) -> str:
        """The console, without the link."""
        return self.link.partition("/#")[0]


def configure(home: Path, key: StationKey) -> None:
    """Give a station that does not run yet a console at a free port."""
    table = f'\n[console]\nlisten = "127.0.0.1:0"\nhost = "{HOSTS[key]}"\nlock_after_s = {LOCK_AFTER_S}\n'
    with (home / "config.toml").open("a", encoding="utf-8") as config:
        config.write(table)


def officer(scenario: Scenario, key: StationKey) -> str:
    """The sign of whoever watches at that console: the first on watch there in the scenario."""
    signs = (step.sign for step in scenario.steps if step.station == key and isinstance(step, parts.Watch))
    return next(signs, f"{key[0].upper()}1")


def words_for(sign: str) -> list[str]:
    """The command that makes a link for that officer, with the roles of a visitor."""
    return ["console", "link", sign, *(word for role in ROLES for word in ("--role", role))]


def link_in(printed: str) -> str:
    """The link in what the command printed; empty if there is none."""
    found = re.search(r"https://\S+", printed)
    return found[0] if found else ""


def speak(link: str, language: str, authority: str) -> None:
    """Use up a link to give its officer the visitor's language, and leave again.

    The station speaks its own side's language; who watches both sides need not
    read both. `authority` is the console's certificate, in PEM. Raises Unavailable.
    """
    url, _, token = link.partition("/#/enter/")
    host, _, port = url.removeprefix("https://").partition(":")
    context = ssl.create_default_context(cadata=authority)
    cookie = page = ""
    for method, path, body in (
        ("POST", "/console/enter", {"token": token}),
        ("PUT", "/console/me", {"language": language}),
        ("POST", "/console/leave", {}),
    ):
        caller = http.client.HTTPConnection(host, int(port), timeout=CALL_S)
        headers = {
            "Origin": url, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json", "Cookie": cookie,
            "openline-page": page,
        }  # fmt: skip
        try:
            # by number: not every machine's resolver knows the names below .localhost, every browser does
            plain = sockets.create_connection(("127.0.0.1", int(port)), timeout=CALL_S)
            caller.sock = context.wrap_socket(plain, server_hostname=host)
            caller.request(method, path, json.dumps(body), {name: value for name, value in headers.items() if value})
            answer = caller.getresponse()
            given = answer.getheader("Set-Cookie", "")
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            msg = "the console does not answer"
            raise Unavailable(msg) from error
        finally:
            caller.close()
        if answer.status != http.client.OK:
            msg = "the console does not take its own link"
            raise Unavailable(msg)
        cookie = given.partition(";")[0] or cookie
        if path == "/console/enter":
            page = str(json.loads(said)["page_key"])


def gathered(doors: dict[StationKey, Door], socket: Callable[[StationKey], Path]) -> bool:
    """Wait until somebody is signed in at each console (True), or presses Enter (False)."""
    while not all(_entered(door, socket(key)) for key, door in doors.items()):
        readable, _, _ = select.select([sys.stdin], [], [], LOOK_S)
        if readable:
            sys.stdin.readline()
            return False
    return True


def _entered(door: Door, socket: Path) -> bool:
    with Client(socket) as station:
        people = station.get("console/people")["people"]
    return any(person["sign"] == door.sign and person["sessions"] for person in people)
