"""Envelopes as attachments of a mail, there and back: pure, and bounded in every direction.

What is written is what any mail program writes: a multipart of a sentence and
files. What is read may come from anybody, and through gateways that wrap,
rename types and fold anew: only the attachments' names are relied on. The
standard library's parser is not used, as it recurses without bound and takes
quadratic time over long fields.

Spec: spec/09-envelopes.md, 9.40 to 9.42.
"""

import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Final

from openline.bearers.mail.limits import (
    LARGEST_ENVELOPE,
    MAX_ATTACHMENTS,
    MAX_DEPTH,
    MAX_FIELD,
    MAX_HEAD,
    MAX_MAIL,
    MAX_PARTS,
)
from openline.kernel.errors import Malformed, TooLarge

SUBJECT: Final = "Files"
SENTENCE: Final = (
    "The attached files were sent by one automatic system to another.\r\nNobody needs to read or answer this mail.\r\n"
)
PEEKED: Final = "FROM RETURN-PATH AUTO-SUBMITTED CONTENT-TYPE IN-REPLY-TO"
"""The fields that decide whether a mail is looked into."""

_BOUNDARY: Final = "=_files_="
"""Not in base64 and not in the sentence, so it cannot occur inside; always the same, it tells nothing."""
_NAME: Final = re.compile(r"envelope-[0-9]{1,4}\.bin", re.ASCII | re.IGNORECASE)
_PARAMETER: Final = re.compile(r';\s*([A-Za-z0-9*-]{1,40})\s*=\s*(?:"([^"\\]*)"|([^\s;"]*))', re.ASCII)
_SENDER: Final = re.compile(r"(?:[^<>]*<\s*)?([^\s<>(),;:\"]{1,64}@[^\s<>(),;\"]{1,189})\s*(?:>\s*)?", re.ASCII)
_FIELD: Final = re.compile(rb"([!-9;-~]{1,76})[ \t]*:(.*)", re.DOTALL)
_FOLD: Final = re.compile(rb"\r?\n(?=[ \t])")
_BLANK_LINE: Final = re.compile(rb"(?:\A|\n)\r?\n")
_SPACE: Final = b" \t\r\n"
_OVERHEAD: Final = 1_024
"""Bytes of a mail beside its attachments, at most; each attachment's own head has below 256."""


def written_size(envelopes: Sequence[bytes]) -> int:
    """At most so many bytes has the mail that carries these."""
    return _OVERHEAD + sum(256 + len(envelope) * 78 // 57 for envelope in envelopes)


def write_mail(envelopes: Sequence[bytes]) -> bytes:
    """Return a mail with these attached, in their order; `addressed` puts the address on it.

    Raises TooLarge for more or larger ones than a mail carries.
    """
    if not 1 <= len(envelopes) <= MAX_ATTACHMENTS or written_size(envelopes) > MAX_MAIL:
        raise TooLarge("more envelopes than a mail carries")
    if not all(1 <= len(envelope) <= LARGEST_ENVELOPE for envelope in envelopes):
        raise TooLarge("the envelope is larger than the bearer carries")
    # RFC 3834: a machine wrote it, so that no machine answers. The second line is what Exchange heeds.
    head = (
        f"Subject: {SUBJECT}\r\nAuto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n"
        f'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="{_BOUNDARY}"\r\n\r\n'
        f"--{_BOUNDARY}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n{SENTENCE}"
    )
    pieces = [head]
    for number, envelope in enumerate(envelopes, 1):
        name = f'"envelope-{number}.bin"'
        attached = (
            f"--{_BOUNDARY}\r\nContent-Type: application/octet-stream; name={name}\r\n"
            f"Content-Disposition: attachment; filename={name}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        )
        pieces += (attached, _base64(envelope))
    pieces.append(f"--{_BOUNDARY}--\r\n")
    return "".join(pieces).encode("ascii")


def addressed(mail: bytes, *, sender: str, recipient: str, sent_ms: int, name: str) -> bytes:
    """Put the address on a mail; `name` is its Message-ID without brackets, `sent_ms` the time of day."""
    head = (
        f"From: <{sender}>\r\nTo: <{recipient}>\r\nDate: {formatdate(sent_ms / 1_000, usegmt=True)}\r\n"
        f"Message-ID: <{name}>\r\n"
    )
    return head.encode("ascii") + mail


def read_mail(mail: bytes) -> list[bytes]:
    """Return the envelopes in a mail in their order; none where none is attached.

    Raises TooLarge beyond a bound, Malformed when an attachment of ours is broken.
    """
    if len(mail) > MAX_MAIL:
        raise TooLarge("the mail exceeds a bound")
    found: list[bytes] = []
    _Reading(found).entity(mail, depth=0)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Peek:
    """What a mail's head says of where it comes from; nothing of it is proof."""

    sender: str = field(repr=False)
    """Empty where there is not exactly one."""
    bounce: bool
    automatic: bool
    """An answer by a machine: out of office, received, read."""
    answers: str = field(repr=False)
    """The Message-ID that it answers, without brackets; empty if it names none."""


def read_peek(head: bytes) -> Peek:
    """Read the PEEKED fields of a mail. Total: whatever makes no sense is as if it were not there."""
    fields: dict[str, list[str]] = {}
    for name, value in _fields(head[:MAX_HEAD]):
        fields.setdefault(name, []).append(value)
    senders = fields.get("from", [])
    match = _SENDER.fullmatch(senders[0]) if len(senders) == 1 else None
    kind = _type_of(fields.get("content-type", [""])[0])
    sender = match[1] if match else ""
    returned = any(value.strip() == "<>" for value in fields.get("return-path", []))
    submitted = [value.strip().lower() for value in fields.get("auto-submitted", [])]
    answers = fields.get("in-reply-to", [""])[0].strip()
    return Peek(
        sender=sender,
        bounce=kind == "multipart/report" or returned or sender.lower().startswith(("mailer-daemon@", "postmaster@")),
        automatic=any(not value.startswith(("no", "auto-generated")) for value in submitted),
        answers=answers[1:-1] if answers.startswith("<") and answers.endswith(">") else "",
    )


def _base64(data: bytes) -> str:
    """Lines of 76 signs, as RFC 2045 asks."""
    return "".join(
        binascii.b2a_base64(data[at : at + 57], newline=False).decode("ascii") + "\r\n"
        for at in range(0, len(data), 57)
    )


class _Reading:
    """One pass over one mail."""

    def __init__(self, found: list[bytes]) -> None:
        self._found = found
        self._parts = 0

    def entity(self, data: bytes, *, depth: int) -> None:
        """Read a mail or a part of one."""
        blank = _BLANK_LINE.search(data, 0, MAX_HEAD)
        if blank is None and len(data) > MAX_HEAD:
            raise TooLarge("the mail exceeds a bound")
        head, body = (data[: blank.start()], data[blank.end() :]) if blank else (data, b"")
        fields = dict(_fields(head))
        content = fields.get("content-type", "")
        if _type_of(content).startswith("multipart/"):
            self._multipart(body, _parameters(content).get("boundary", ""), depth=depth + 1)
        elif _is_ours(fields):
            self._attachment(body, fields.get("content-transfer-encoding", ""))
        # Anything else is passed over, enclosed mails too: what is quoted or came back is not for us.

    def _multipart(self, body: bytes, boundary: str, *, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise TooLarge("the mail exceeds a bound")
        if not 1 <= len(boundary) <= 70:
            return
        line = re.compile(rb"^--" + re.escape(boundary.encode("ascii", "replace")) + rb"(--)?[ \t]*\r?$", re.MULTILINE)
        start = -1
        for match in line.finditer(body):
            if start >= 0:
                self._parts += 1
                if self._parts > MAX_PARTS:
                    raise TooLarge("the mail exceeds a bound")
                self.entity(body[start : match.start()], depth=depth)
            if match[1]:
                return
            start = match.end() + 1

    def _attachment(self, body: bytes, encoding: str) -> None:
        if len(self._found) >= MAX_ATTACHMENTS:
            raise TooLarge("the mail exceeds a bound")
        if encoding.strip().lower() != "base64":
            raise Malformed("an attached envelope is not in base64")
        packed = body.translate(None, _SPACE)
        if len(packed) > LARGEST_ENVELOPE * 4 // 3 + 4:
            raise TooLarge("an attached envelope is larger than the bearer carries")
        try:
            envelope = binascii.a2b_base64(packed, strict_mode=True)
        except binascii.Error:
            raise Malformed("an attached envelope is not in base64") from None
        if not envelope:
            raise Malformed("an attached envelope is empty")
        if len(envelope) > LARGEST_ENVELOPE:
            raise TooLarge("an attached envelope is larger than the bearer carries")
        self._found.append(envelope)


def _fields(head: bytes) -> Iterator[tuple[str, str]]:
    """Names in lower case and values unfolded; fields that are too long to be of interest are left out."""
    for line in _FOLD.sub(b"", head).split(b"\n"):
        if len(line) <= MAX_FIELD:
            match = _FIELD.fullmatch(line.rstrip(b"\r"))
            if match:
                yield match[1].decode("ascii").lower(), match[2].decode("latin-1").strip()


def _type_of(content: str) -> str:
    return content.partition(";")[0].strip().lower()


def _parameters(value: str) -> dict[str, str]:
    return {match[1].lower(): match[2] if match[2] is not None else match[3] for match in _PARAMETER.finditer(value)}


def _is_ours(fields: dict[str, str]) -> bool:
    named = _parameters(fields.get("content-disposition", "")).get("filename", "")
    named = named or _parameters(fields.get("content-type", "")).get("name", "")
    return bool(_NAME.fullmatch(named))
