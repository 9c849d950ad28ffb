"""A relay's streams, by requests over a connection, as much of JetStream as a bearer needs.

One inbox is one stream with one subject for each envelope, and one durable
consumer, which its station asks for messages and tells which ones it has.
What is told is deleted, and the same bytes lie there once.

API: https://docs.nats.io/reference/reference-protocols/nats_api_reference
"""

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping

from openline.bearers.nats.limits import DURABLE, LARGEST_ENVELOPE, Event, Pace, inbox, subject
from openline.bearers.nats.wire import Lost, Message, Wire
from openline.kernel.errors import Unavailable
from openline.kernel.units import Entropy

Members = dict[str, object]

_API = "$JS.API."
_ACKS = "$JS.ACK."
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
"""Names of streams that we repeat in subjects."""
_NOBODY = 503
_ANSWERS, _FETCHED = 1, 2
"""Our subscriptions on a connection."""
_HEADROOM = 1_024
"""Headers beside an envelope: a hash and a few names."""


class NotThere(Unavailable):
    """The stream or consumer asked for is not there, or JetStream is not."""

    def __init__(self) -> None:
        super().__init__("the relay has no such inbox")


class JetStream:
    """The streams behind one connection."""

    def __init__(self, wire: Wire, entropy: Entropy, pace: Pace) -> None:
        self._wire, self._pace = wire, pace
        self._prefix = f"_INBOX.{entropy(12).hex()}"
        self._number = 0
        self._answers: dict[str, asyncio.Future[Message]] = {}
        self.fetched: asyncio.Queue[Message] = asyncio.Queue(maxsize=2 * pace.fetch)
        """Messages of our inbox, and the relay's words about a fetch; what exceeds what was asked for is dropped."""
        wire.subscribe(f"{self._prefix}.a.*", _ANSWERS, self._on_answer)
        wire.subscribe(f"{self._prefix}.f", _FETCHED, self._on_fetched)

    # -- publishing --------------------------------------------------------

    async def publish(self, station: str, envelope: bytes) -> bool:
        """Put an envelope into a station's inbox; whether the relay says that it lies there.

        Raises NotThere when there is no such inbox. It is believed about nothing more: this is not delivery.
        """
        place = subject(station, envelope)
        try:
            message = await self._request(place, envelope, {"Nats-Msg-Id": place.rpartition(".")[2]})
        except TimeoutError:
            return False
        if message.status == _NOBODY:
            raise NotThere
        said = _members(message.data)
        return "error" not in said and isinstance(said.get("stream"), str)

    async def find(self, station: str) -> str | None:
        """The name of the stream that is a station's inbox; None if there is none. Raises NotThere without JetStream."""
        said = await self._ask("STREAM.NAMES", {"subject": subject(station)})
        names = said.get("streams")
        found = names[0] if isinstance(names, list) and names else None
        return found if isinstance(found, str) and _NAME.fullmatch(found) else None

    # -- our inbox ---------------------------------------------------------

    async def open_inbox(self, station: str) -> str:
        """See to it that our inbox and its consumer are there; the stream's name. Raises NotThere.

        An inbox that somebody else has set up (the relay's administrator) is used as it is.
        """
        stream = await self.find(station)
        if stream is None:
            stream = f"OPENLINE-{inbox(station)[:16]}"
            await self._ask(f"STREAM.CREATE.{stream}", self._stream(stream, station))
        consumer: Members = {
            "durable_name": DURABLE,
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": 30 * 10**9,
            "max_ack_pending": 4 * self._pace.fetch,
            "replay_policy": "instant",
        }
        # Made anew each time: a relay that was killed may know less of its stream than its consumer remembers, and
        # then passes over what comes next. What was not acknowledged is still there, and comes again.
        with contextlib.suppress(NotThere):
            await self._ask(f"CONSUMER.DELETE.{stream}.{DURABLE}", {})
        asked: Members = {"stream_name": stream, "config": consumer}
        await self._ask(f"CONSUMER.DURABLE.CREATE.{stream}.{DURABLE}", asked)
        return stream

    def _stream(self, name: str, station: str) -> Members:
        return {
            "name": name,
            "subjects": [subject(station)],
            "retention": "workqueue",
            "storage": "file",
            "discard": "old",
            "num_replicas": 1,
            "max_bytes": self._pace.inbox_bytes,
            "max_age": int(self._pace.inbox_age_s * 1e9),
            "max_msg_size": LARGEST_ENVELOPE + _HEADROOM,
            "max_msgs_per_subject": 1,
            "duplicate_window": int(self._pace.twice_s * 1e9),
        }

    def ask_for_messages(self, stream: str) -> None:
        """Ask for the next messages of our inbox; they come into `fetched`."""
        asked = {"batch": self._pace.fetch, "expires": int(self._pace.fetch_s * 1e9)}
        place = f"{_API}CONSUMER.MSG.NEXT.{stream}.{DURABLE}"
        self._wire.publish(place, json.dumps(asked).encode(), reply=f"{self._prefix}.f")

    async def tell_taken(self, message: Message) -> None:
        """Tell the relay that it may delete a message of our inbox, as soon as it reads what it was told before."""
        if message.reply.startswith(_ACKS):
            self._wire.publish(message.reply, b"+ACK")
            await self._wire.drained()

    # -- inside ------------------------------------------------------------

    async def _ask(self, what: str, members: Members) -> Members:
        """A request to the relay itself. Raises NotThere if it says no or nothing."""
        try:
            message = await self._request(_API + what, json.dumps(members).encode())
        except TimeoutError:
            raise NotThere from None
        said = _members(message.data)
        if message.status or not said or "error" in said:
            raise NotThere
        return said

    async def _request(self, place: str, data: bytes, headers: Mapping[str, str] | None = None) -> Message:
        """Publish, and wait for the one answer. Raises TimeoutError."""
        self._number += 1
        token = str(self._number)
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[token] = future
        try:
            self._wire.publish(place, data, reply=f"{self._prefix}.a.{token}", headers=headers)
            await self._wire.drained()
            async with asyncio.timeout(self._pace.answer_s):
                return await future
        finally:
            del self._answers[token]

    def _on_answer(self, message: Message) -> None:
        future = self._answers.get(message.subject.rpartition(".")[2])
        if future is not None and not future.done():
            future.set_result(message)

    def _on_fetched(self, message: Message) -> None:
        if self.fetched.full():
            raise Lost(Event.GARBLED)  # far more than was asked for
        self.fetched.put_nowait(message)


def _members(data: bytes) -> Members:
    """An answer's JSON; empty if it is none."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
