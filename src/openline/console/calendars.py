"""The calendar feed: regular contacts at `/calendar/TOKEN.ics`, for calendar programs, which cannot sign in.

The token in the path is the right to it; nothing else of the station is reached from here.
"""

from openline.console.app import answer
from openline.kernel.errors import Unknown
from openline.station.calendar_feed import MEDIA, Last, feed
from openline.station.calls import NotAllowed, Receive, Reply, Scope, Send
from openline.station.runtime import Station


class Calendars:
    """The feed of one station, as an ASGI application."""

    def __init__(self, station: Station) -> None:
        self._station, self._last = station, Last()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. Raises Unknown for a path without a token that is in force, as for any that does not exist."""
        del receive
        if scope["method"] not in {"GET", "HEAD"}:
            raise NotAllowed("the path has no such method")
        data = feed(self._station, scope["path"], self._last)
        if data is None:
            raise Unknown("there is no such path")
        head = scope["method"] == "HEAD"
        await answer(send, Reply(media=MEDIA, data=b"" if head else data))
