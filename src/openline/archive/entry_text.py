"""What one entry says, as inert lines of text.

Spec: spec/06-entries.md (6.7, 6.8).
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import assert_never

from openline.kernel.lane import Generation
from openline.kernel.units import Instant
from openline.protocol.acknowledgements import AckItem
from openline.protocol.call_entries import (
    CALL_ENTRIES,
    CallEntry,
    HangUp,
    Minutes,
    MinutesWord,
    PickUp,
    Protection,
    Refusal,
    Ring,
    Seat,
    TypedLine,
)
from openline.protocol.contact_entries import Contact, Countersign
from openline.protocol.entries import (
    Ack,
    Answer,
    AnyEntry,
    Assent,
    Attachment,
    AttachmentReceipt,
    Decline,
    EpochEntry,
    GenerationEntry,
    Interim,
    KeyNotice,
    Lift,
    Message,
    Propose,
    Query,
    Receipt,
    Role,
    Service,
    Suspend,
    TermsEntry,
    Test,
    Translation,
    Unknown,
    Watch,
)
from openline.protocol.fields import Ref

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def clean(text: str) -> str:
    """Text in which no character can move, hide or end a line: those are shown as their code."""
    return _UNSAFE.sub(lambda found: f"<U+{ord(found[0]):04X}>", text)


def quoted(text: str) -> list[str]:
    """A party's own words, line by line behind a bar."""
    return [f"| {clean(line)}" for line in text.split("\n")]


def civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a number of days since 1970-01-01, for all years that an instant can name."""
    # The calendar repeats every 146,097 days (400 years), counted from 1 March of a year divisible by 400.
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    of_year = day - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    return (
        year + era * 400 + (month >= 10),
        month + 3 if month < 10 else month - 9,
        of_year - (153 * month + 2) // 5 + 1,
    )


def moment(when: Instant | None) -> str:
    """An instant as people and machines read it: 2026-11-21 14:30:05.123 UTC."""
    if when is None:
        return "(no time)"
    seconds, thousandths = divmod(when, 1_000)
    minutes, seconds = divmod(seconds, 60)
    return f"{_minute(minutes)}:{seconds:02}.{thousandths:03} UTC"


@lru_cache(maxsize=256)
def _minute(minutes: int) -> str:
    days, within = divmod(minutes, 1_440)
    year, month, day = civil(days)
    return f"{year:04}-{month:02}-{day:02} {within // 60:02}:{within % 60:02}"


def lane_words(number: int) -> str:
    """Which of a party's two lanes it is."""
    return "traffic" if number & 1 else "urgent"


def place(name: str, number: int, generation: Generation, index: int) -> str:
    """Where an entry stands: ALPHA traffic 147, with the generation's counter if it is a later one: ALPHA traffic/1 3."""
    later = f"/{generation.counter}" if generation.counter else ""
    return f"{name} {lane_words(number)}{later} {index}"


def named(ref: Ref, names: Sequence[str]) -> str:
    """The entry that a reference names, with the beginning of its leaf hash."""
    party = ref.lane // 2
    name = names[party] if party < len(names) else f"party {party}"
    return f"{place(name, ref.lane, ref.generation, ref.index)} ({ref.leaf[:4].hex()})"


def _by(role: Role, sign: str) -> str:
    return f"by {role.title} {sign}"


def _ended(item: AckItem, names: Sequence[str]) -> str:
    party = item.lane // 2
    name = names[party] if party < len(names) else f"party {party}"
    return f"  also of {name} {lane_words(item.lane)}/{item.generation.counter}: {item.size} entries"


def describe(entry: AnyEntry, names: Sequence[str]) -> list[str]:
    """What an entry says; the first line names its kind."""
    match entry:
        case Message():
            return _message(entry, names)
        case Ack():
            return ["ACKNOWLEDGEMENT", *(_ended(item, names) for item in entry.ended)]
        case Receipt():
            to = f" to {entry.relayed_to.title}" if entry.relayed_to is not None else ""
            to += f" to acting unit {entry.unit}" if entry.unit else ""
            step = f"{entry.step.name}{to} at {moment(entry.at)}"
            return [f"RECEIPT {named(entry.of, names)} {step} {_by(entry.role, entry.sign)}"]
        case Interim():
            first = f"INTERIM {named(entry.of, names)} answer by {moment(entry.until)} {_by(entry.role, entry.sign)}"
            return [first, *(quoted(entry.text) if entry.text else [])]
        case Decline():
            return [f"DECLINE {named(entry.of, names)} {_by(entry.role, entry.sign)}", *quoted(entry.reason)]
        case Suspend():
            return [f"SUSPEND {_by(entry.role, entry.sign)}", *quoted(entry.reason)]
        case Lift():
            return [f"LIFT {_by(entry.role, entry.sign)}", *quoted(entry.reason)]
        case Service():
            return [f"SERVICE {entry.language} by {entry.sign}", *quoted(entry.text)]
        case Attachment():
            of = f" of {named(entry.of, names)}" if entry.of else ""
            what = f"{entry.media_type}, {entry.size} bytes, SHA-256 {entry.digest.hex()}"
            return [f"ATTACHMENT{of} {what}", *quoted(entry.name)]
        case Contact():
            which = f" {entry.occurrence}" if entry.occurrence else " outside the schedule"
            what = f"{entry.medium.name} {entry.outcome.name.replace('_', ' ')} at {moment(entry.at)}"
            first = f"CONTACT{which} {what} {_by(entry.role, entry.sign)}"
            return [first, *(quoted(entry.name) if entry.name else []), *(quoted(entry.text) if entry.text else [])]
        case Countersign():
            word = "AGREED" if entry.agreed else "NOT AGREED"
            first = f"COUNTERSIGN {named(entry.of, names)} {word} {_by(entry.role, entry.sign)}"
            return [first, *(quoted(entry.text) if entry.text else [])]
        case Query() | Answer() | Translation():
            return _asked(entry, names)
        case AttachmentReceipt():
            return [f"ATTACHMENT RECEIPT {named(entry.of, names)} {entry.state.name}"]
        case _ if isinstance(entry, CALL_ENTRIES):
            return _call(entry, names)
        case _:
            return _state(entry, names)


def _state(
    entry: TermsEntry | GenerationEntry | Propose | Assent | Test | EpochEntry | Watch | KeyNotice | Unknown,
    names: Sequence[str],
) -> list[str]:
    match entry:
        case TermsEntry():
            return ["TERMS of the line"]
        case GenerationEntry():
            keys = ", with new lane keys" if entry.statement else ""
            heads = [f"after {h.lane}.{h.generation} size {h.size} root {h.root.hex()}" for h in entry.heads]
            return [f"NEW GENERATION, cause {entry.cause.name}{keys}", *heads]
        case Propose():
            p = entry.policy
            numbers = f"tests every {p.test_minutes} min, handling {list(p.handling_minutes)} min"
            quota = f"quota {p.urgent_per_hour}, {p.traffic_per_hour}, {p.attachment_mib_per_day} MiB"
            flags = f"release {'yes' if p.release else 'no'}, exercise {'yes' if p.exercise else 'no'}"
            first = f"PROPOSAL to replace {entry.replaces.hex()}"
            return [first, f"{' '.join(p.languages)}; {numbers}; {quota}; {flags}", *quoted(p.title)]
        case Assent():
            return [f"ASSENT {named(entry.proposal, names)}"]
        case Test():
            return [f"{'DRILL' if entry.drill else 'TEST'} {entry.number} {entry.language}", *quoted(entry.text)]
        case EpochEntry():
            peer = names[entry.peer] if entry.peer < len(names) else f"party {entry.peer}"
            return [f"EPOCH {entry.attempt} with {peer}, {entry.mode.name}"]
        case KeyNotice():
            shared = names[entry.peer] if entry.peer is not None and entry.peer < len(names) else ""
            word = "HELD FOR STOLEN" if entry.stolen else "RENEWED"
            card = ", with a card" if entry.card else ""
            with_ = f" with {shared}" if shared else ""
            return [f"KEY {entry.role.name}{with_} {entry.key.hex()} {word}{card}"]
        case Watch():
            return [f"WATCH {'ATTENDED' if entry.attended else 'UNATTENDED'} {_by(entry.role, entry.sign)}"]
        case Unknown():
            return [f"UNKNOWN KIND {entry.kind}, {len(entry.raw)} bytes"]
        case _:
            assert_never(entry)


def _asked(entry: Query | Answer | Translation, names: Sequence[str]) -> list[str]:
    of, by = named(entry.of, names), f"{entry.language} {_by(entry.role, entry.sign)}"
    if isinstance(entry, Translation):
        subject = [f"Subject: {clean(entry.subject)}"] if entry.subject else []
        return [f"TRANSLATION {entry.grade.name} {of} {by}", *subject, *quoted(entry.text)]
    if isinstance(entry, Answer):
        return [f"ANSWER {of} {by}", *quoted(entry.text)]
    if entry.passage is None:
        return [f"QUERY {of} {by}", *quoted(entry.text)]
    part = entry.passage
    return [f"QUERY {of} characters {part.start} to {part.end} {by}", *quoted(part.words), "asks", *quoted(entry.text)]


def _call(entry: CallEntry, names: Sequence[str]) -> list[str]:
    by = _by(entry.role, entry.sign)
    match entry:
        case Ring():
            to = ", ".join(role.title for role in entry.roles)
            subject = [f"Subject: {clean(entry.subject)}"] if entry.subject else []
            committed = f"commits to key {entry.commitment.hex()}"
            return [f"RING {entry.precedence.name} to {to}, {entry.language} {by}", committed, *subject]
        case PickUp():
            return [f"PICK UP {named(entry.of, names)} {entry.language} {by}", f"key {entry.fingerprint.hex()}"]
        case Refusal():
            cause = entry.cause.name.replace("_", " ")
            return [
                f"NOT PICKED UP {named(entry.of, names)}, {cause} {by}",
                *(quoted(entry.text) if entry.text else []),
            ]
        case Seat():
            return _seat(entry, names)
        case HangUp():
            words = [f"HANG UP {named(entry.of, names)}, {entry.cause.name.replace('_', ' ')} {by}"]
            if entry.began is not None:
                words.append(f"sound from {moment(entry.began)}")
            if entry.ended is not None:
                words.append(f"ended {moment(entry.ended)}")
            seen = [_protected(entry.protection, names)] if entry.protection else []
            return ["; ".join(words), *seen, *(quoted(entry.text) if entry.text else [])]
        case TypedLine():
            return [f"TYPED IN CALL {named(entry.of, names)} {entry.language} {by}", *quoted(entry.text)]
        case Minutes():
            first = f"MINUTES of {named(entry.of, names)} {by}"
            first += f"; replaces {named(entry.replaces, names)}" if entry.replaces else ""
            clauses = [
                line
                for number, texts in enumerate(entry.clauses, 1)
                for language, text in texts
                for line in (f"clause {number}, {language}", *quoted(text))
            ]
            return [first, *clauses]
        case MinutesWord():
            said = [
                line
                for number, word in enumerate(entry.clauses, 1)
                for line in (
                    f"clause {number} {'AGREED' if word.agreed else 'DIFFERS'}",
                    *(quoted(word.text) if word.text else []),
                )
            ]
            return [f"WORD ON MINUTES {named(entry.of, names)} {by}", *said]
        case _:
            assert_never(entry)


def _seat(entry: Seat, names: Sequence[str]) -> list[str]:
    act = entry.act.name.replace("_", " ")
    words = [f"SEAT {entry.number} {act} in {named(entry.of, names)} {_by(entry.role, entry.sign)}"]
    if entry.pick_up is not None:
        words.append(f"to {named(entry.pick_up, names)}")
    keys = [f"key {entry.fingerprint.hex()}"] if entry.fingerprint else []
    keys += [f"with nonce {entry.nonce.hex()}"] if entry.nonce else []
    return ["; ".join(words), *keys, *([_protected(entry.protection, names)] if entry.protection else [])]


def _protected(seen: Protection, names: Sequence[str]) -> str:
    name = names[seen.party] if seen.party < len(names) else f"party {seen.party}"
    way = f"DTLS {clean(seen.dtls)}, {clean(seen.cipher)}, {clean(seen.srtp)}"
    return f"to {name} seat {seen.seat}: {way}, {seen.path.name.lower()} path"


def _message(entry: Message, names: Sequence[str]) -> list[str]:
    words = [f"MESSAGE {entry.precedence.name} to {', '.join(role.title for role in entry.roles)}, {entry.language}"]
    if entry.answer_by is not None:
        words.append(f"answer by {moment(entry.answer_by)}")
    if entry.acknowledge_by is not None:
        words.append(f"a person is to acknowledge by {moment(entry.acknowledge_by)}")
    if entry.answers:
        words.append(f"answers {named(entry.answers, names)}")
    if entry.supersedes:
        words.append(f"supersedes {named(entry.supersedes, names)}")
    if entry.drafter:
        words.append(f"drafted by {entry.drafter}")
    if entry.releaser:
        words.append(f"released by {entry.releaser}")
    subject = [f"Subject: {clean(entry.subject)}"] if entry.subject else []
    return ["; ".join(words), *subject, *quoted(entry.text)]
