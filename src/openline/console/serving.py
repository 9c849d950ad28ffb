"""The console's coming and going: its certificate, its socket, and who is signed in."""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator

from openline.console import authority, entering, own, people
from openline.console.app import App, Application
from openline.console.authority import Pair
from openline.console.calendars import Calendars
from openline.console.desk import Desk
from openline.console.listening import HttpsServer, new_context
from openline.console.local import LocalApi
from openline.console.pages import load_pages
from openline.console.visits import Visits
from openline.kernel.errors import Refused, Unavailable
from openline.station.api import Api
from openline.station.config import console_host, console_place
from openline.station.console_check import AUTHORITY
from openline.station.runtime import Station

_RETRY_S = 5.0
"""Until it is tried again to listen: a port may be held for a while."""
_LOOK_S = 43_200.0
"""How often it is looked whether the certificate is to be renewed."""
OPERATIONS = (*entering.ROUTES, *own.ROUTES, *people.ROUTES)
_LEAF = "console.certificate"


@contextlib.asynccontextmanager
async def serving(station: Station) -> AsyncIterator[None]:
    """Serve the console of that station until the block ends."""
    console = Console(station)
    try:
        console.start()
        yield
    finally:
        await console.stop()


class Console:
    """One station's console. What keeps it from being served is told, and keeps no line from working."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self.host = console_host(station.config)
        self._context = new_context()
        self._server: HttpsServer | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Listen, now or as soon as it is possible."""
        trouble = self._open()
        if trouble:
            self._station.log.event("console.failed", code=trouble)
            self._tasks.append(asyncio.create_task(self._retry()))

    async def stop(self) -> None:
        """End every stream and connection."""
        self._station.console = None
        for task in self._tasks:
            task.cancel()
        if self._server is not None:
            await self._server.stop()

    def _open(self) -> str:
        """Listen; the code of what is in the way, empty if nothing is."""
        station = self._station
        try:
            self._certify()
            desk = Desk(station, self.certificate)
            inner: dict[str, App] = {"console": Visits(desk, OPERATIONS), "v1": LocalApi(desk, Api(station)),
                                     "calendar": Calendars(station)}  # fmt: skip
            app = Application(load_pages(), inner)
            server = HttpsServer(app, self._context)
            address, port = console_place(station.config)
            port = server.start(address, port)
        except (Refused, Unavailable) as trouble:
            return trouble.code
        app.named(self.host, port)
        desk.passkeys.origin = f"https://{self.host}:{port}" if port != 443 else f"https://{self.host}"
        self._server = server
        self._tasks += [asyncio.create_task(self._renew()), asyncio.create_task(desk.sessions.run())]
        station.console = desk
        station.log.event("console.started", port=port)
        return ""

    async def _retry(self) -> None:
        trouble = "untried"
        while trouble:
            await asyncio.sleep(_RETRY_S)
            trouble = self._open()

    def certificate(self) -> bytes:
        """The authority's certificate (PEM), for installing on workstations."""
        return self._authority().certificate

    def _authority(self) -> Pair:
        """The one that is kept, or a new one."""
        store, now = self._station.store, _now()
        kept = store.setting(AUTHORITY)
        if kept is not None:
            found = Pair.read(kept)
            if authority.vouches(found, self.host, now):
                return found
        made = authority.new_authority(self.host, now)
        store.put_setting(AUTHORITY, made.kept)
        self._station.log.event("console.authority", made=True)
        return made

    def _certify(self) -> None:
        """Use the certificate that is kept, or a new one if it expires or is another host's."""
        store, now = self._station.store, _now()
        above = self._authority()
        kept = store.setting(_LEAF)
        leaf = Pair.read(kept) if kept is not None else None
        if leaf is None or not authority.is_current(leaf, above, self.host, now):
            leaf = authority.new_leaf(above, self.host, now)
            store.put_setting(_LEAF, leaf.kept)
            self._station.log.event("console.certificate", days=authority.LEAF_DAYS)
        authority.load(self._context, leaf)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                self._certify()
            except (Refused, Unavailable):
                self._station.log.event("console.certificate", days=-1)


def _now() -> datetime.datetime:
    """The real time of day, even where the station's clock is simulated: browsers go by theirs."""
    return datetime.datetime.now(datetime.UTC)
