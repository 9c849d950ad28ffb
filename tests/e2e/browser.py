"""Debian's Chromium before a station's console: signed in as an officer, and every fault of the page fails the test.

    with running(*homes), floor(*homes) as room:
        alpha = room.seat(homes[0], "W1", "all")
        alpha.page.get_by_role(...).click()
        alpha.until("document.title === 'ALPHA'")

A fault is: an error on the page's console, an exception that nobody caught, a
violation of the Content-Security-Policy, a request to any other host. What a
test provokes on purpose it allows first: `seat.allow(r"status of 409")`.
Chromium reaches no other host here, whatever a page asks for.
"""

import base64
import contextlib
import hashlib
import re
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import (
    Browser,
    BrowserContext,
    CDPSession,
    ConsoleMessage,
    Page,
    Playwright,
    ViewportSize,
    sync_playwright,
)
from playwright.sync_api import Error as PlaywrightError

from tests.e2e.console_rig import Browser as PlainBrowser
from tests.e2e.console_rig import link_for
from tests.e2e.homes import Home
from tests.waiting import until

CHROMIUM = "/usr/bin/chromium"
DEADLINE_S = 60.0
"""For whatever is waited for: the machine may be slow and loaded."""
WIDE: ViewportSize = {"width": 1366, "height": 768}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
    "--autoplay-policy=no-user-gesture-required",
]
_EXPECTED = [r"^Failed to load resource: the server responded with a status of (401|423)"]
"""Chromium says so of every call that is refused; these two are how a page learns who is there."""
SIGNED_IN = """fetch("/console/me", {headers: {"openline-page": localStorage.getItem("openline.page") ?? ""}})
  .then((answer) => answer.ok)"""
"""Whether the page's officer is signed in, as a promise."""
_LISTEN = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP violation: ${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


class Seat:
    """One officer's page, in a browser profile of its own."""

    def __init__(self, home: Home, context: BrowserContext, url: str) -> None:
        self.home, self.context, self.url = home, context, url
        self.faults: list[str] = []
        self.device = ""
        """The id of the virtual passkey device, for the CDP session that `authenticator` returns."""
        self._allowed = [re.compile(each) for each in _EXPECTED]
        context.add_init_script(_LISTEN)
        context.on("page", self._watch)
        self.page: Page = context.new_page()

    def allow(self, pattern: str) -> None:
        """Let faults pass in which that is found: the test provokes them."""
        self._allowed.append(re.compile(pattern))

    def open(self, fragment: str = "#/") -> None:
        """Show a view."""
        self.page.goto(f"{self.url}/{fragment}", wait_until="load")

    def enter(self, link: str) -> None:
        """Follow a one-time link, and wait until somebody is signed in."""
        self.page.goto(link, wait_until="load")
        self.until(SIGNED_IN)

    def until(self, condition: str, deadline_s: float = DEADLINE_S) -> Any:
        """Wait for a JavaScript expression; its value. It may be a promise."""
        return until(lambda: self._evaluated(condition), deadline_s=deadline_s)

    def text(self) -> str:
        """What the page shows."""
        return self.page.locator("body").inner_text()

    def shows(self, words: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until the page shows these words."""
        until(lambda: words in self.text(), deadline_s=deadline_s)

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Call the station as the page does: {status, answer}."""
        script = """async ([method, path, body]) => {
            const headers = {"openline-page": localStorage.getItem("openline.page") ?? ""};
            const answer = await fetch(path, {method, headers, body: body === null ? undefined : JSON.stringify(body)});
            const said = await answer.json();
            if (said.page_key) localStorage.setItem("openline.page", said.page_key);
            return {status: answer.status, answer: said};
        }"""
        made: dict[str, Any] = self.page.evaluate(script, [method, path, body])
        return made

    def authenticator(self) -> CDPSession:
        """Put a virtual passkey device into this browser: its finger is always there."""
        devices = self.context.new_cdp_session(self.page)
        devices.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "ctap2Version": "ctap2_1",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made = devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self.device = str(made["authenticatorId"])
        return devices

    def unexpected(self) -> list[str]:
        """Faults that no test allowed."""
        return [fault for fault in self.faults if not any(each.search(fault) for each in self._allowed)]

    def _evaluated(self, condition: str) -> Any:
        try:
            return self.page.evaluate(condition)
        except PlaywrightError as error:
            if "Execution context was destroyed" in str(error) or "Failed to fetch" in str(error):
                return None  # the page loads anew, or the station is away
            raise

    def _watch(self, page: Page) -> None:
        page.set_default_timeout(DEADLINE_S * 1_000)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"not caught: {error}"))
        page.on("crash", lambda _: self.faults.append("the page crashed"))
        page.on("request", lambda request: self._asked(request.url))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.faults.append(f"{message.text} {urlsplit(message.location.get('url', '')).path}".rstrip())

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        own = urlsplit(self.url)
        if parts.scheme not in {"data", "blob", "about"} and (parts.scheme, parts.netloc) != (own.scheme, own.netloc):
            self.faults.append(f"a request to another host: {parts.scheme}://{parts.netloc}")


class Room:
    """One Chromium or some, and the seats in them."""

    def __init__(self, browser: Browser, *more: Browser) -> None:
        self.browser = browser
        self.browsers = [browser, *more]
        self.seats: list[Seat] = []

    def stranger(self, home: Home, *, viewport: ViewportSize | None = None, at: int = 0, **more: Any) -> Seat:
        """A page of that console where nobody is signed in. `at`: in which Chromium; `more`: what Browser.new_context takes."""
        with home.client() as station:
            url: str = station.get("status")["console"]
        context = self.browsers[at].new_context(viewport=viewport or WIDE, **more)
        context.set_default_timeout(DEADLINE_S * 1_000)
        seat = Seat(home, context, url)
        self.seats.append(seat)
        return seat

    def seat(self, home: Home, sign: str = "W1", *roles: str, **more: Any) -> Seat:
        """A page where that officer is signed in by a one-time link; `roles` make a new officer."""
        seat = self.stranger(home, **more)
        seat.enter(link_for(home, sign, *roles))
        return seat

    def check(self) -> None:
        """Fail with every fault that no test allowed."""
        found = [f"{seat.home.name}: {fault}" for seat in self.seats for fault in seat.unexpected()]
        assert found == [], found


@contextlib.contextmanager
def floor(*homes: Home, headless: bool = True, flags: Sequence[Sequence[str]] = ((),)) -> Iterator[Room]:
    """Chromium, trusting the consoles of these running stations; at the end every seat must be without fault.

    `flags`: for each Chromium that is wanted, what it is started with besides.
    """
    trust = f"--ignore-certificate-errors-spki-list={','.join(_pin(home) for home in homes)}"
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play, contextlib.ExitStack() as open_ones:
        browsers = []
        for more in flags:
            browsers.append(_chromium(play, Path(folder), headless=headless, flags=[trust, *more]))
            open_ones.callback(browsers[-1].close)
        room = Room(*browsers)
        yield room
        room.check()


def _chromium(play: Playwright, folder: Path, *, headless: bool, flags: Sequence[str]) -> Browser:
    """One process of it."""
    return play.chromium.launch(
        executable_path=CHROMIUM,
        headless=headless,
        args=[*FLAGS, *flags],
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
    )


def _pin(home: Home) -> str:
    """What Chromium is told to trust: the certificate's key, so that it is no certificate error and passkeys work."""
    plain = PlainBrowser(home)
    with plain.connect() as connection:
        der = connection.getpeercert(binary_form=True)
    assert der is not None
    certificate = x509.load_pem_x509_certificate(ssl.DER_cert_to_PEM_cert(der).encode())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()
