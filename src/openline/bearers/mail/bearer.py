"""The bearer over e-mail: envelopes as attachments, out by SMTP and in by IMAP.

Its link to a station is up while our mailbox is open, the server that takes
our mails let us in at the last try, and the station's own address was not
refused lately. Whether the other side reads its mailbox nobody knows before
it answers. A mail's sender can be written by anybody, so what arrives is
handed on as nobody's: the envelope itself tells whose it is. That only mails
from peers' addresses are read keeps other people's mail safe from us, and is
no protection.

Addresses, passwords and servers' words appear in no log, counter or error.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from openline.bearers.mail.config import MailConfig, check_config, parse_mail_address, same_address
from openline.bearers.mail.incoming import Incoming
from openline.bearers.mail.limits import LARGEST_ENVELOPE, Event
from openline.bearers.mail.outgoing import Outgoing
from openline.kernel.errors import Conflict, Malformed, TooLarge
from openline.kernel.units import Entropy
from openline.ports import BearerTraits, Intake

TRAITS: Final = BearerTraits(name="mail", largest=LARGEST_ENVELOPE, cost=30, one_way=False, delay_ms=5_000)


class MailBearer:
    """A Bearer; besides the port, peers come and go."""

    def __init__(self, config: MailConfig, intake: Intake, entropy: Entropy, wall: Callable[[], int]) -> None:
        """`wall` is the time of day in ms, for the mails' Date. Raises Malformed or Forbidden: see `check_config`."""
        check_config(config)
        self._own = same_address(config.address)
        self._intake = intake
        self._running = False
        self._up: set[str] = set()
        self._addresses: dict[str, str] = {}
        """What mails from peers' stations say they are from -> station."""
        self._outgoing = Outgoing(config, entropy, wall, counted=self.counted, changed=self.changed)
        self._incoming = Incoming(config, entropy, self)

    # -- the port ----------------------------------------------------------

    @property
    def traits(self) -> BearerTraits:
        """What it can do."""
        return TRAITS

    async def run(self) -> None:
        """Send and read mails until cancelled."""
        self._running = True
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._incoming.run())
                group.create_task(self._outgoing.run())
        finally:
            self._running = False
            self._outgoing.reachable = self._incoming.reachable = False
            self.changed()

    def offer(self, station: str, envelope: bytes, *, urgent: bool = False) -> bool:
        """Queue one envelope; False when down or full. Raises TooLarge above `traits.largest`, Malformed if empty."""
        if len(envelope) > LARGEST_ENVELOPE:
            raise TooLarge("the envelope is larger than the bearer carries")
        if not envelope:
            raise Malformed("an envelope is not empty")
        if station not in self._up:
            return False
        taken = self._outgoing.recipients[station].outbox.add(envelope, urgent=urgent)
        self._outgoing.stir()
        return taken

    def up(self, station: str) -> bool:
        """Whether mails can be sent there and read here, as far as the servers say."""
        return station in self._up

    # -- peers ---------------------------------------------------------------

    def set_peer(self, station: str, address: str) -> None:
        """Say where a station's mails go and come from. Raises Malformed, or Conflict for our own or another's address."""
        parsed = parse_mail_address(address)
        known = same_address(parsed)
        if known == self._own or self._addresses.get(known, station) != station:
            raise Conflict("the mail address is another station's")
        self._forget_address(station)
        self._addresses[known] = station
        self._outgoing.set_recipient(station, parsed)
        self.changed()

    def drop_peer(self, station: str) -> None:
        """Forget a station and what waits for it. Harmless when it is not there."""
        self._forget_address(station)
        self._outgoing.recipients.pop(station, None)
        self.changed()

    # -- what the two ways report ------------------------------------------

    def arrived(self, envelope: bytes) -> None:
        """Hand an envelope on, as nobody's."""
        self._intake.arrived(TRAITS.name, None, envelope)

    def counted(self, event: Event) -> None:
        """Pass a counter on."""
        self._intake.counted(TRAITS.name, event)

    def knows(self, address: str) -> bool:
        """Whether this is a peer's address."""
        return same_address(address) in self._addresses

    def wrote(self, name: str) -> bool:
        """Whether a Message-ID is that of a mail we sent lately."""
        return self._outgoing.wrote(name)

    def changed(self) -> None:
        """Report the links that came up or went down."""
        works = self._running and self._outgoing.reachable and self._incoming.reachable
        recipients = self._outgoing.recipients
        now = {station for station, recipient in recipients.items() if works and not recipient.held}
        before, self._up = self._up, now
        for station in sorted(before - now):
            self._intake.link(TRAITS.name, station, up=False)
        for station in sorted(now - before):
            self._intake.link(TRAITS.name, station, up=True)

    def _forget_address(self, station: str) -> None:
        for address in [address for address, known in self._addresses.items() if known == station]:
            del self._addresses[address]
