"""Targets in the mail bearer: mails that anybody may have written, and a hostile IMAP server."""

import imaplib
import random
import socket

from fuzz.target import Run
from openline.bearers.mail import imap, message
from openline.bearers.mail.config import MailServer
from openline.bearers.mail.limits import Pace as MailPace
from openline.bearers.mail.limits import Security


def make_mail() -> Run:
    """Spec 9.40 to 9.42: a mail, and the head of one."""

    def run(data: bytes) -> None:
        peek = message.read_peek(data)
        assert len(peek.sender) <= 254
        found = message.read_mail(data)
        assert all(found), "an empty envelope"
        if found:
            assert message.read_mail(message.write_mail(found)) == found, "what was read cannot be written"

    return run


def seeds_mail() -> dict[str, bytes]:
    written = message.write_mail([b"first", bytes(range(256))])
    whole = message.addressed(
        written, sender="a@example.org", recipient="b@example.org", sent_ms=1_700_000_000_000, name="1@example.org"
    )
    nested = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + whole + b"\r\n--x--\r\n"
    quoted = whole.replace(b"base64", b"quoted-printable")
    bounce = b"From: MAILER-DAEMON@example.org\r\nReturn-Path: <>\r\nContent-Type: multipart/report\r\n\r\n"
    reply = b"From: B <b@example.org>\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: <1@example.org>\r\n\r\nAway."
    return {"whole": whole, "nested": nested, "quoted": quoted, "bounce": bounce, "reply": reply, "text": b"Hello."}


_SERVER = MailServer(host="127.0.0.1", port=143, user="alpha", password="secret", security=Security.NONE)


random.seed(1)
_TAG = imaplib.Int2AP(random.randint(4_096, 65_535))


def _mailbox(server: socket.socket, client: socket.socket, data: bytes) -> None:
    """Hold a whole conversation with a server that says exactly this."""
    random.seed(1)  # imaplib draws its tags from here
    server.sendall(data.replace(b"TAG", _TAG))
    server.shutdown(socket.SHUT_WR)
    conversation = imap.ImapConversation(client, _SERVER, MailPace(command_s=20.0))
    try:
        found = conversation.enter("INBOX")
        numbers = conversation.numbers(0, found.mails)
        assert numbers == sorted(set(numbers))
        for listed in conversation.listed(numbers[:20]):
            assert listed.number in numbers
        if numbers:
            assert len(conversation.mail(numbers[0], 5_000)) <= 100_000
            conversation.remove(numbers[:2])
        conversation.wait(0.0)
    finally:
        conversation.close()


def make_imap() -> Run:
    """RFC 9051, a hostile server; `TAG` stands for the tag that our commands have."""

    def run(data: bytes) -> None:
        server, client = socket.socketpair()
        with server, client:
            server.settimeout(5)
            _mailbox(server, client, data)

    return run


def seeds_imap() -> dict[str, bytes]:
    login = (
        b"* OK ready\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN IDLE UIDPLUS\r\nTAG0 OK done\r\n"
        b"* CAPABILITY IMAP4rev1 AUTH=PLAIN IDLE UIDPLUS\r\nTAG1 OK done\r\n+ \r\nTAG2 OK in\r\n"
        b"* CAPABILITY IMAP4rev1 IDLE UIDPLUS\r\nTAG3 OK done\r\n"
        b"* 2 EXISTS\r\n* OK [UIDVALIDITY 7]\r\nTAG4 OK [READ-WRITE]\r\n"
    )
    look = (
        b"* SEARCH 4 9\r\nTAG5 OK done\r\n* 1 FETCH (UID 4 RFC822.SIZE 70 BODY[HEADER.FIELDS (FROM)]<0> {6}\r\nFrom:a)\r\n"
        b"TAG6 OK done\r\n* 1 FETCH (UID 4 BODY[]<0> {5}\r\nHello)\r\nTAG7 OK done\r\nTAG8 OK done\r\nTAG9 OK done\r\n+ idling\r\n* 3 EXISTS\r\n"
        b"IDLE1 OK done\r\n"
    )
    return {
        "whole": login + look,
        "refused": login[: login.index(b"+ ")] + b"TAG2 NO [AUTHENTICATIONFAILED]\r\n",
        "bye": b"* BYE later\r\n",
        "preauth": b"* PREAUTH hello\r\n* CAPABILITY IMAP4rev1\r\nTAG0 OK done\r\n* CAPABILITY\r\nTAG1 OK done\r\n",
        "read-only": login.replace(b"READ-WRITE", b"READ-ONLY"),
        "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    }
