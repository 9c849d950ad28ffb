"""Envelopes in mails: what is written is ordinary, what is read is bounded. Spec: 9.40 to 9.42."""

import email
import email.policy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openline.bearers.mail.limits import (
    LARGEST_ENVELOPE,
    MAX_ATTACHMENTS,
    MAX_BATCH,
    MAX_DEPTH,
    MAX_HEAD,
    MAX_MAIL,
    MAX_PARTS,
    Pace,
)
from openline.bearers.mail.message import addressed, read_mail, read_peek, write_mail, written_size
from openline.bearers.mail.outbox import Outbox
from openline.kernel.errors import Malformed, Refused, TooLarge

ENVELOPES = st.lists(st.binary(min_size=1, max_size=600), min_size=1, max_size=12)


def sent(envelopes: list[bytes]) -> bytes:
    """A mail on its way."""
    sender, recipient = "alpha@mail.example", "bravo@[192.0.2.7]"
    return addressed(write_mail(envelopes), sender=sender, recipient=recipient, sent_ms=1_795_000_000_000, name="1@x")


def part(
    body: bytes, *, name: str = "envelope-1.bin", encoding: str = "base64", kind: str = "application/octet-stream"
) -> bytes:
    head = f"Content-Type: {kind}\r\nContent-Disposition: attachment; filename={name}\r\n"
    return f"{head}Content-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body


def multipart(*parts: bytes, boundary: str = "b") -> bytes:
    line = f"--{boundary}".encode()
    inside = b"".join(line + b"\r\n" + each + b"\r\n" for each in parts)
    return f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode() + inside + line + b"--\r\n"


@given(ENVELOPES)
def test_9_40_what_is_written_is_read(envelopes: list[bytes]) -> None:
    mail = sent(envelopes)
    assert read_mail(mail) == envelopes
    assert len(write_mail(envelopes)) <= written_size(envelopes)


@given(ENVELOPES)
def test_9_40_any_mail_program_finds_the_attachments(envelopes: list[bytes]) -> None:
    parsed = email.message_from_bytes(sent(envelopes), policy=email.policy.default)
    assert not parsed.defects
    attached = list(parsed.iter_attachments())
    assert [each.get_content() for each in attached] == envelopes
    assert {each.get_content_type() for each in attached} == {"application/octet-stream"}
    assert parsed["From"].addresses[0].addr_spec == "alpha@mail.example"
    assert all(len(line) <= 78 for line in bytes(parsed).splitlines())


def test_9_40_a_mail_tells_nothing_but_the_sizes() -> None:
    two = [write_mail([bytes([value]) * 1_024, bytes([value + 1]) * 256]) for value in (3, 200)]
    assert re.sub(rb"\r\n[A-Za-z0-9+/=]{2,76}(?=\r\n)", b"", two[0]) == re.sub(
        rb"\r\n[A-Za-z0-9+/=]{2,76}(?=\r\n)", b"", two[1]
    )
    assert not re.search(rb"openline|station|flash|urgent|\bline\b", two[0], re.IGNORECASE)


@pytest.mark.parametrize("envelopes", [[], [b""], [b"x"] * (MAX_ATTACHMENTS + 1), [bytes(LARGEST_ENVELOPE + 1)]])
def test_9_41_nothing_is_written_that_would_not_be_read(envelopes: list[bytes]) -> None:
    with pytest.raises(TooLarge):
        write_mail(envelopes)


def test_9_41_the_fullest_mail_of_a_station_is_read() -> None:
    outbox = Outbox(Pace())
    for number in range(16):
        assert outbox.add(number.to_bytes(2, "big") * (LARGEST_ENVELOPE // 2), urgent=False)
    batch = outbox.batch()
    assert sum(map(len, batch)) == MAX_BATCH
    mail = sent(batch)
    assert len(mail) <= MAX_MAIL
    assert read_mail(mail) == batch


def test_9_41_gateways_may_wrap_retype_and_fold() -> None:
    mail = sent([b"one", b"two"])
    unix = mail.replace(b"\r\n", b"\n")
    retyped = mail.replace(b"application/octet-stream", b"application/x-unknown")
    folded = mail.replace(b"attachment; filename=", b"attachment;\r\n\tfilename=")
    tagged = mail.replace(b"Subject: ", b"Subject: [EXTERNAL] ")
    wrapped = multipart(mail, b"Content-Type: text/plain\r\n\r\nNo viruses were found.\r\n", boundary="outer")
    for each in (unix, retyped, folded, tagged, wrapped):
        assert each != mail
        assert read_mail(each) == [b"one", b"two"]


def test_9_41_other_attachments_and_enclosed_mails_are_passed_over() -> None:
    mail = write_mail([b"inside"])
    assert read_mail(multipart(part(b"aGVsbG8=", name="minutes.bin"))) == []
    assert read_mail(multipart(b"Content-Type: message/rfc822\r\n\r\n" + mail)) == []
    assert read_mail(b"Subject: hello\r\n\r\nno attachment\r\n") == []
    assert read_mail(b"") == []


def test_9_41_bounds_are_kept_at_and_beyond() -> None:
    one = part(b"AAAA")
    assert len(read_mail(multipart(*[one] * MAX_ATTACHMENTS))) == MAX_ATTACHMENTS
    text = b"Content-Type: text/plain\r\n\r\nx"
    assert read_mail(multipart(*[text] * MAX_PARTS)) == []
    deep = one
    for level in range(MAX_DEPTH):
        deep = multipart(deep, boundary=f"b{level}")
    assert read_mail(deep) == [b"\0\0\0"]
    largest = part(b"A" * (LARGEST_ENVELOPE // 3 * 4) + b"AA==")
    assert [len(each) for each in read_mail(multipart(largest))] == [LARGEST_ENVELOPE]
    for beyond in (
        multipart(*[one] * (MAX_ATTACHMENTS + 1)),
        multipart(*[text] * (MAX_PARTS + 1)),
        multipart(deep, boundary="outer"),
        multipart(part(b"A" * (LARGEST_ENVELOPE // 3 * 4) + b"AAA=")),
        multipart(part(b"A" * MAX_MAIL)),
        b"X: y\r\n" * MAX_HEAD,
    ):
        with pytest.raises(TooLarge):
            read_mail(beyond)


@pytest.mark.parametrize(
    "broken",
    [part(b"A"), part(b"=A=="), part(b"not base64!"), part(b""), part(b"AAAA", encoding="7bit"), part(b"AA=A")],
)
def test_9_41_a_broken_attachment_refuses_the_mail(broken: bytes) -> None:
    with pytest.raises(Malformed):
        read_mail(multipart(part(b"AAAA"), broken))


@given(st.data())
def test_9_41_damaged_mails_are_read_or_refused(data: st.DataObject) -> None:
    mail = bytearray(sent([b"one" * 40, b"two"]))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(mail) - 1))
        mail[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
    _bounded(bytes(mail))


@given(st.lists(st.sampled_from([b"--b", b"--b--", b"\r\n", b"\n", b"Content-Type: multipart/mixed; boundary=b", b";",
                                 b"Content-Type: x; name=envelope-1.bin", b"AAAA", b"<", b'"', b"From: ", b"a@b", b" "]),
                max_size=60))  # fmt: skip
def test_9_41_strange_mails_are_read_or_refused(pieces: list[bytes]) -> None:
    _bounded(b"".join(pieces))


def _bounded(mail: bytes) -> None:
    read_peek(mail)
    try:
        found = read_mail(mail)
    except Refused:
        return
    assert len(found) <= MAX_ATTACHMENTS
    assert all(1 <= len(envelope) <= LARGEST_ENVELOPE for envelope in found)


@pytest.mark.parametrize(
    "field, sender",
    [
        (b"From: a@b.example", "a@b.example"),
        (b"From: <a@b.example>", "a@b.example"),
        (b'FROM:\r\n "Watch, floor" <A@b.example> ', "A@b.example"),
        (b"From: a@b.example\r\nFrom: c@d.example", ""),
        (b"From: a@b.example, c@d.example", ""),
        (b'From: "x <c@d.example>" <a@b.example>', ""),
        (b"From: nobody", ""),
        (b"From: <" + b"a" * 65 + b"@b.example>", ""),
        (b"Subject: a@b.example", ""),
    ],
)  # fmt: skip
def test_9_43_there_is_one_sender_or_none(field: bytes, sender: str) -> None:
    peek = read_peek(field + b"\r\n\r\n")
    assert (peek.sender, peek.bounce, peek.automatic) == (sender, False, False)


def test_9_42_what_machines_answer_is_told_apart() -> None:
    ours = read_peek(sent([b"x"]))
    assert not ours.bounce
    assert not ours.automatic
    for field in (b"Return-Path: <>", b"From: MAILER-DAEMON@mail.example", b"From: postmaster@mail.example",
                  b'Content-Type: multipart/report; report-type="delivery-status"; boundary=x'):  # fmt: skip
        assert read_peek(field + b"\r\n").bounce
    for value in (b"auto-replied", b"auto-replied (vacation)", b"auto-notified"):
        peek = read_peek(b"From: a@b.example\r\nIn-Reply-To: <1@x>\r\nAuto-Submitted: " + value + b"\r\n")
        assert peek.automatic
        assert peek.answers == "1@x"
    assert not read_peek(b"Auto-Submitted: no\r\n").automatic
