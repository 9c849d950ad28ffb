"""The console as an ASGI application: whose host it is, the headers on every answer, and where a path leads.

    /               the page
    /static/...     its files
    /console/...    who is there: sign-in, sessions, people
    /v1/...         the local API, for whoever is signed in

Headers: CSP 3, Trusted Types, Fetch Metadata, RFC 6797.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from openline.console.pages import INDEX, Page
from openline.kernel.errors import Refused, Unavailable, Unknown
from openline.station.calls import NotAllowed, Receive, Reply, Scope, Send, failure

App = Callable[[Scope, Receive, Send], Awaitable[None]]

_POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "media-src 'self' blob:",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
_FEATURES: Final = ("camera", "display-capture", "geolocation", "midi", "payment", "serial", "usb")
_OWN_FEATURES: Final = ("microphone", "publickey-credentials-create", "publickey-credentials-get")
"""What the page may ask the browser for; the microphone is for calls."""
_PERMISSIONS: Final = ", ".join([f"{name}=()" for name in _FEATURES] + [f"{name}=(self)" for name in _OWN_FEATURES])
HEADERS: Final = (
    (b"content-security-policy", "; ".join(_POLICY).encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-embedder-policy", b"require-corp"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", _PERMISSIONS.encode()),
)
"""Of every answer."""
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")
"""Not on .localhost, where other programs of the workstation answer too."""
LOOPBACK_NAME: Final = ".localhost"


class Misdirected(Refused):
    """The call names another host: a page of somebody else leads here (DNS rebinding), or the address is old."""

    code = "misdirected"
    do = "use the address that `openline status` shows"


class Application:
    """The outermost layer: nothing below it is reached under another name."""

    def __init__(self, pages: Mapping[str, Page], inner: Mapping[str, App]) -> None:
        """`inner`: first part of the path -> application."""
        self._pages, self._inner = pages, inner
        self._hosts: frozenset[bytes] = frozenset()
        self._headers: tuple[tuple[bytes, bytes], ...] = HEADERS

    def named(self, host: str, port: int) -> None:
        """Answer to that name from now on."""
        names = {f"{host}:{port}"} | ({host} if port == 443 else set())
        self._hosts = frozenset(name.encode() for name in names)
        self._headers = HEADERS if host.endswith(LOOPBACK_NAME) else (*HEADERS, _HSTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        send = self._strict(send)
        try:
            if [value.lower() for key, value in scope["headers"] if key == b"host"] not in [
                [each] for each in self._hosts
            ]:
                raise Misdirected("this station's console has another address")
            path: str = scope["path"]
            first = path.split("/", 2)[1] if path.startswith("/") else ""
            inner = self._inner.get(first)
            if inner is not None:
                await inner(scope, receive, send)
                return
            await self._page(scope, path, send)
        except (Refused, Unavailable) as error:
            await answer(send, failure(error))

    async def _page(self, scope: Scope, path: str, send: Send) -> None:
        name = INDEX if path == "/" else path.removeprefix("/static/") if path.startswith("/static/") else ""
        page = self._pages.get(name)
        if page is None:
            raise Unknown("there is no such path")
        if scope["method"] not in {"GET", "HEAD"}:
            raise NotAllowed("the path has no such method")
        given = {key: value for key, value in scope["headers"] if key in {b"if-none-match", b"accept-encoding"}}
        headers = [(b"etag", page.tag.encode()), (b"cache-control", b"no-cache"), (b"vary", b"accept-encoding")]
        if page.tag.encode() in given.get(b"if-none-match", b""):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        data = page.data
        if page.squeezed and b"gzip" in given.get(b"accept-encoding", b""):
            headers.append((b"content-encoding", b"gzip"))
            data = page.squeezed
        headers += [(b"content-type", page.media.encode()), (b"content-length", b"%d" % len(data))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else data})

    def _strict(self, send: Send) -> Send:
        async def sent(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], *self._headers]
                if not any(key == b"cache-control" for key, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                message = {**message, "headers": headers}
            await send(message)

        return sent


async def answer(send: Send, made: Reply, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Send a whole answer."""
    head = [(b"content-type", made.media.encode()), (b"content-length", b"%d" % len(made.data)), *headers]
    await send({"type": "http.response.start", "status": made.status, "headers": head})
    await send({"type": "http.response.body", "body": made.data})
