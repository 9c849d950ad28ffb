"""Each path of the configuration, made: a webhook, or a mail address. The mail library is imported only where one needs it.

A path that cannot be made (a secret that is missing, a package that is not installed) stops neither the others nor the
station: it is shown as broken until it is mended.
"""

from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path as File
from typing import TYPE_CHECKING

import msgspec

from openline.kernel.errors import Refused, Unavailable
from openline.kernel.units import Instant
from openline.ports import Alarm, AlarmCall
from openline.station.alarms import tables
from openline.station.alarms.mail_words import words_in
from openline.station.alarms.records import State
from openline.station.alarms.webhook import CallFailed, Endpoint, endpoint, post
from openline.station.files import read_private

if TYPE_CHECKING:
    from openline.bearers.mail import MailServer

MOST_SECRET = 4_096
MOST_FILE = 262_144
_ENCODER = msgspec.json.Encoder()
_TODO, _TESTS = "Go to the station. Acknowledge there", "TEST of the alarm path"
_DONE = {
    State.ACKNOWLEDGED.value: "A person at the station has taken this alarm. Nobody else needs to come for it.",
    State.OVER.value: "What this alarm was about is over. Nobody needs to come for it any more.",
}


class Webhook:
    """An Alarm: a signed POST."""

    def __init__(self, place: Endpoint, now: Callable[[], Instant]) -> None:
        """`now` is the machine's true time, which the receiver compares with its own."""
        self._place, self._now = place, now

    async def send(self, call: AlarmCall) -> None:
        """See ports.Alarm. Raises CallFailed."""
        await post(self._place, call.id, body_of(call), self._now)


class Post:
    """An Alarm: a mail, handed to one SMTP server."""

    def __init__(self, server: "MailServer", sender: str, address: str, language: str) -> None:
        self._server, self._sender, self._address, self._language = server, sender, address, language

    async def send(self, call: AlarmCall) -> None:
        """See ports.Alarm. Raises CallFailed."""
        from openline.bearers.mail.limits import MailFault, Pace
        from openline.bearers.mail.smtp import SmtpConversation

        pace = Pace(connect_s=10.0, command_s=10.0)  # paths.CALL_S ends the whole
        try:
            conversation = await SmtpConversation.begin(self._server, pace)
            try:
                mail = mail_of(call, self._sender, self._address, self._language)
                await conversation.send(self._sender, self._address, mail)
            finally:
                conversation.close()
        except MailFault as fault:
            raise CallFailed(str(fault.event)) from None


class Broken:
    """An Alarm that cannot be made as it is configured."""

    def __init__(self, how: str) -> None:
        self._how = how

    async def send(self, call: AlarmCall) -> None:
        """Raises CallFailed."""
        del call
        raise CallFailed(self._how)


def body_of(call: AlarmCall) -> bytes:
    """A call as JSON."""
    return _ENCODER.encode(call)


def mail_of(call: AlarmCall, sender: str, address: str, language: str = "en") -> bytes:
    """A call as a mail: it repeats what a webhook says, in words."""
    words = words_in(language)
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = sender, address
    mark = f"{words.get('EXERCISE', 'EXERCISE')} " if call.exercise else ""
    mail["Subject"] = mark + _subject(call, words)
    mail["Message-ID"] = f"<{call.id}@openline.invalid>"
    is_over = call.state != State.OPEN
    if is_over:
        mail["References"] = f"<{call.alarm}.{call.step}@openline.invalid>"
    mail["Auto-Submitted"] = "auto-generated"
    rows = {
        "station": call.station,
        "alarm": f"{words[call.kind]} ({call.kind})" if call.kind in words else call.kind,
        "state": words.get(call.state, call.state) if is_over else "",
        "line": call.line,
        "precedence": call.precedence,
        "clock": words.get(call.clock, call.clock),
        "since": _moment(call.since),
        "step": str(call.step) if call.step else "",
        "id": call.alarm,
    }
    colon = words.get(": ", ": ")
    text = "\n".join(f"{words.get(name, name)}{colon}{value}" for name, value in rows.items() if value)
    todo = f"{words.get(_TODO, _TODO)}{colon}openline alarms acknowledge {call.alarm}"
    text = f"{mark}{text}\n\n{words.get(_DONE[call.state], _DONE[call.state]) if is_over else todo}\n"
    mail.set_content(text, cte="7bit" if text.isascii() else "base64")  # no server on the way needs 8BITMIME
    return mail.as_bytes()


def _subject(call: AlarmCall, words: Mapping[str, str]) -> str:
    if not call.step:
        return f"{words.get(_TESTS, _TESTS)}, {call.station}"
    word = call.state.upper() if call.state != State.OPEN else "ALARM"
    about = " ".join(part for part in (call.precedence, words.get(call.kind, call.kind), call.line) if part)
    return f"{words.get(word, word)} {call.station}{words.get(': ', ': ')}{about}"


def _moment(moment: int) -> str:
    from openline.protocol.references import dtg

    return dtg(Instant(moment))


def make_path(
    home: File, table: tables.Calling, name: str, now: Callable[[], Instant], *, language: str = "en"
) -> Alarm:
    """The path of that name; its mails are in that language, where there are words in it."""
    path = table.paths[name]
    try:
        if path.webhook is not None:
            return Webhook(make_endpoint(home, path.webhook), now)
        return _post(home, table, path.mail, language)
    except (Refused, Unavailable) as trouble:
        return Broken("not-configured" if isinstance(trouble, Refused) else "file-missing")
    except ImportError:
        return Broken("not-installed")


def make_endpoint(home: File, table: tables.WebhookPath) -> Endpoint:
    """Where a webhook is, with its files read. Raises Refused or Unavailable."""
    secret = read_private(home / table.secret_file, MOST_SECRET).strip()
    return endpoint(table.url, secret, authorities=read_text(home, table.authorities_file), pin=table.pin)


def read_text(home: File, name: str) -> str:
    """A file of PEM that the configuration names; empty without a name. Raises Unavailable."""
    if not name:
        return ""
    try:
        with (home / name).open("rb") as file:
            return file.read(MOST_FILE).decode("ascii")
    except (OSError, UnicodeDecodeError):
        raise Unavailable("a file of certificates cannot be read") from None


def _post(home: File, table: tables.Calling, address: str, language: str) -> Post:
    from openline.bearers.mail.config import check_server, parse_mail_address
    from openline.bearers.mail.smtp import SmtpConversation
    from openline.station.bearer_makers import mail_server

    del SmtpConversation  # imported so that a missing package is known at the start, and not in the night
    if table.smtp is None:
        raise Unavailable("no mail server is configured")
    sender = parse_mail_address(table.sender)
    server = mail_server(home, table.smtp)
    check_server(server)
    return Post(server, sender, parse_mail_address(address), language)
