"""Two real stations with nothing but e-mail between them: real mailboxes, a real SMTP server, both of which may die (spec 9.40 to 9.46)."""

import re
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.contract.mail_rig import address_of, new_user
from tests.contract.mail_servers import PASSWORD, Dovecot, PostOffice, dovecot
from tests.e2e.homes import Home, in_service, pair, running
from tests.e2e.test_bearers import bearer, both_ways, held, say, table, texts, without_tls
from tests.waiting import until

pytestmark = pytest.mark.full

TABLE = """[mail]
address = "{address}"
smtp = {{host = "127.0.0.1", port = {smtp}, user = "{user}", password_file = "{password}", security = "none"}}
imap = {{host = "127.0.0.1", port = {imap}, user = "{user}", password_file = "{password}", security = "tls", pin = "{pin}"}}

[peers.{peer}]
mail = "{theirs}"
"""


@pytest.fixture
def server() -> Iterator[Dovecot]:
    dovecot()  # skips where there is none
    own = Dovecot()
    try:
        own.start()
        yield own
    finally:
        own.stop()


@pytest.fixture
def office(server: Dovecot) -> Iterator[PostOffice]:
    made = PostOffice(server)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def homes(tmp_path: Path, server: Dovecot, office: PostOffice) -> list[Home]:
    """ALPHA and BRAVO, each with a mailbox, and no other bearer."""
    found = pair(tmp_path)
    without_tls(*found)
    users = {home.name: new_user(home.name.lower()) for home in found}
    for home, other in (found, reversed(found)):
        password = home.folder / "mail.password"
        password.touch(mode=0o600)
        password.write_text(PASSWORD + "\n")
        text = TABLE.format(
            address=address_of(users[home.name]), user=users[home.name], theirs=address_of(users[other.name]),
            smtp=office.port, imap=server.imaps, pin=server.certificate.digest.hex(), password=password,
            peer=other.card.fingerprint.hex(),
        )  # fmt: skip
        table(home, text)
    return found


def plain(mail: bytes) -> bytes:
    """All that stands in a mail, as it is: in base64 four letters stand beside each other by chance, once in a while."""
    parts = list(message_from_bytes(mail).walk())
    bodies = [part.get_payload(decode=True) for part in parts if not part.is_multipart()]
    assert all(isinstance(body, bytes) for body in bodies)
    heads = [f"{name}: {value}".encode() for part in parts for name, value in part.items()]
    return b"\n".join([*heads, *(body for body in bodies if isinstance(body, bytes))])


def test_9_40_a_line_lives_on_mail_alone(homes: list[Home], office: PostOffice) -> None:
    alpha, bravo = homes
    with running(*homes):
        in_service(*homes, deadline_s=240)
        both_ways(alpha, bravo)
        with alpha.client() as here:
            until(lambda: bearer(here, "mail")["up"])
            secret = "THE ANSWER IS FORTY-TWO"
            assert held(here, say(here, secret, "flash"))
    # Neither what was said, nor who says it in which line, stands in any mail or log.
    for mail in office.mails:
        assert re.search(rb"relay|ALPHA|BRAVO|FORTY", plain(mail)) is None
    for home in homes:
        log = home.log.read_text()
        assert PASSWORD not in log
        assert "mail.example" not in log


def test_9_46_mail_servers_are_killed_in_turn_and_nothing_is_lost(
    homes: list[Home], server: Dovecot, office: PostOffice
) -> None:
    alpha, bravo = homes
    with running(*homes) as stations, alpha.client() as here:
        in_service(*homes, deadline_s=240)
        places = [say(here, "before", "priority")]
        server.kill()
        places.append(say(here, "no mailbox", "flash"))
        server.start()
        office.stop()
        places.append(say(here, "no way out", "flash"))
        places.append(say(here, "nor for this", "routine"))
        until(lambda: not bearer(here, "mail")["up"], deadline_s=180)
        office.start()
        stations[1].kill()
        places.append(say(here, "nobody there", "flash"))
        with running(bravo), bravo.client() as again:
            assert all(held(here, place, 120) for place in places)
            said = ["before", "no mailbox", "no way out", "nor for this", "nobody there"]
            until(lambda: len(texts(again)) >= len(said))
            assert sorted(texts(again)) == sorted(said)  # each once; a FLASH may overtake
