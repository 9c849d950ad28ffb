"""Entries as people read them: one line in a list, or a message in full."""

from collections.abc import Mapping
from typing import Any

from openline.cli.inert import flags, inert, inert_line, wrapped
from openline.cli.language import _, _n
from openline.cli.local import Json, Place, place_key
from openline.cli.moments import clock, until
from openline.cli.output import Output
from openline.cli.restores import headword
from openline.cli.signs import ladder, precedence, role_word, step_word

_SUBJECT_COLUMNS = 48

Names = Mapping[Place, str]
"""References of messages by place: entries name each other by place alone."""


def kind_word(kind: str) -> str:
    """The name of a kind, in words."""
    words = {
        "terms": _("TERMS"),
        "generation": _("NEW GENERATION"),
        "ack": _("ACKNOWLEDGEMENT"),
        "propose": _("PROPOSAL"),
        "assent": _("ASSENT"),
        "suspend": _("SUSPENDED"),
        "lift": _("LIFTED"),
        "test": _("TEST"),
        "epoch": _("NEW KEYS"),
        "keys": _("KEY"),
        "contact": _("CONTACT"),
        "countersign": _("COUNTERSIGNED"),
        "watch": _("WATCH"),
        "service": _("SERVICE"),
        "message": _("MESSAGE"),
        "receipt": _("RECEIPT"),
        "interim": _("INTERIM"),
        "decline": _("DECLINED"),
        "attachment": _("FILE"),
        "attachment-receipt": _("FILE RECEIPT"),
        "query": _("QUERY"),
        "answer": _("ANSWER"),
        "translation": _("TRANSLATION"),
        "ring": _("CALL"),
        "pick-up": _("PICKED UP"),
        "refusal": _("CALL NOT PICKED UP"),
        "seat": _("SEAT IN A CALL"),
        "hang-up": _("HUNG UP"),
        "typed-line": _("TYPED IN A CALL"),
        "minutes": _("MINUTES"),
        "minutes-word": _("WORD ON MINUTES"),
    }
    if kind.startswith("unknown"):
        return _("UNKNOWN KIND {number}").format(number=inert_line(kind.partition(":")[2]))
    return words.get(kind.replace("_", "-"), inert_line(kind.upper()))


def place_of(ref: Mapping[str, Any]) -> str:
    """How an entry is named: its reference, else lane.generation:index."""
    reference = ref.get("reference")
    return inert_line(str(reference)) if reference else f"{ref['lane']}.{ref['generation']}:{ref['index']}"


def named(ref: Mapping[str, Any], names: Names) -> str:
    """How people name the entry at a place, if it is known; else the place."""
    return inert_line(names.get(place_key(ref), "")) or place_of(ref)


def headline(out: Output, entry: Json, names: Names) -> str:
    """One line: when, who, what, and how it stands; on an exercise line, EXERCISE in front."""
    mark = exercise_mark(out) + "  " if entry.get("exercise") else ""
    return mark + _headline(out, entry, names)


def exercise_mark(out: Output) -> str:
    """What stands on everything of an exercise line: never colour alone."""
    return out.paint(f"[{_('EXERCISE')}]", "act")


def _headline(out: Output, entry: Json, names: Names) -> str:
    author = f"{inert_line(str(entry['author'])):<10}"
    when = clock(int(entry["time"]))
    body: Mapping[str, Any] = entry.get("body") or {}
    if entry["refused"]:
        # Its time could not be read either.
        return f"{'':19}{author}  {_('AN ENTRY THAT CANNOT BE OPENED OR BREAKS THE RULES')}  {place_of(entry['ref'])}"
    if entry["kind"] == "message":
        ladders = [ladder(out, status) for status in _others(entry).values()]
        marks = [*ladders, *([_("superseded")] if entry.get("superseded") else [])]
        marks += [out.paint(_("DISPUTED"), "act")] if entry.get("disputed") else []
        subject = heading(body)[:_SUBJECT_COLUMNS]
        said = f"{precedence(out, str(body.get('precedence')))}  {place_of(entry['ref'])}  {subject}"
        return "  ".join([when, author, said, *marks]).rstrip()
    disputed = " " + out.paint(_("DISPUTED"), "act") if entry.get("disputed") else ""
    return f"{when}  {author}  {kind_word(str(entry['kind']))} {_gist(entry, body, names)}".rstrip() + disputed


def key_word(role: str) -> str:
    """What a key is for, in words."""
    words = {
        "root": _("root key"),
        "lane": _("lane key"),
        "certificate": _("TLS certificate"),
        "data": _("keys of the whole station"),
        "psk": _("pairing key"),
        "epoch": _("line keys"),
    }
    return words.get(role, role)


def grade_word(grade: str) -> str:
    """What a translation is good for, in words."""
    words = {"sight": _("at sight"), "rough": _("rough"), "official": _("official"), "machine": _("by machine")}
    return words.get(grade, inert_line(grade))


def heading(body: Mapping[str, Any]) -> str:
    """The subject of a message, or the first line of its text."""
    return inert_line(str(body.get("subject") or str(body.get("text", "")).partition("\n")[0]))


def _others(entry: Json) -> Mapping[str, Mapping[str, Any]]:
    statuses: Mapping[str, Mapping[str, Any]] = entry.get("status") or {}
    return {name: status for name, status in statuses.items() if name != entry["author"]}


def _gist(entry: Json, body: Mapping[str, Any], names: Names) -> str:
    """What an entry that is no message says, on one line."""
    ref = entry["ref"]
    match str(entry["kind"]):
        case "receipt":
            to = role_word(str(body["relayed_to"])) if body.get("relayed_to") else ""
            to = ", ".join(filter(None, (to, inert_line(str(body.get("unit", ""))))))
            words = [named(body["of"], names), step_word(str(body["step"])), to and _("to {role}").format(role=to)]
            return " ".join([*(word for word in words if word), _by(body)])
        case "interim":
            promise = _("answer by {moment}").format(moment=clock(int(body["until"])))
            return f"{named(body['of'], names)} {promise} {_by(body)} {_words(body, 'text')}"
        case "decline":
            return f"{named(body['of'], names)} {_by(body)} {_words(body, 'reason')}"
        case "query":
            part = body.get("passage") or {}
            about = f"[{inert_line(str(part['words']))}] " if part else ""
            return f"{named(body['of'], names)} {about}{_by(body)} {_words(body, 'text')}"
        case "answer":
            return f"{named(body['of'], names)} {_by(body)} {_words(body, 'text')}"
        case "translation":
            said = f"{inert_line(str(body['language']))} {grade_word(str(body['grade']))}"
            return f"{named(body['of'], names)} {said} {_by(body)} {_words(body, 'text')}"
        case "keys":
            return f"{key_word(str(body['role']))} {_('held for stolen') if body['stolen'] else _('renewed')}"
        case "generation" if body.get("cause") == "compromised":
            return _("the lane key before is held for stolen: what stands beyond the heads named is disputed")
        case "generation" if body.get("statement"):
            return _("under a new lane key")
        case "contact":
            return _contact(body)
        case "countersign":
            word = _("it was so") if body["agreed"] else _("it was not so")
            return f"{named(body['of'], names)} {word} {_by(body)} {_words(body, 'text')}"
        case "watch":
            return f"{_('attended') if body['attended'] else _('unattended')} {_by(body)}"
        case "suspend" | "lift":
            return f"{_by(body)} {_words(body, 'reason')}"
        case "service":
            return f"{_by(body)} {_words(body, 'text')}"
        case "test":
            drill = _("DRILL") + " " if body.get("drill") else ""
            return f"{drill}{body.get('number', '')}"
        case "generation":
            return headword(body["told"]) if body.get("told") else ""
        case "attachment":
            what = inert_line(str(body.get("media_type", "")))
            return f"{place_of(ref)} {_words(body, 'name')} {what} {body.get('size', '')} B"
        case "ring" | "pick-up" | "refusal" | "seat" | "hang-up" | "typed-line" | "minutes" | "minutes-word":
            from openline.cli.call_lines import call_gist  # it needs these words itself

            return call_gist(entry, body)
        case _:
            return ""


def _contact(body: Mapping[str, Any]) -> str:
    which = (
        f"{_words(body, 'name')} {local_time(str(body['occurrence']))}" if body["name"] else _("outside the schedule")
    )
    what = f"{medium_word(str(body['medium']))}: {outcome_word(str(body['outcome']))}"
    return f"{which}, {what}, {clock(int(body['at']))} {_by(body)} {_words(body, 'text')}"


def local_time(occurrence: str) -> str:
    """20261124T090000 as people write it."""
    at = inert_line(occurrence)
    return f"{at[:4]}-{at[4:6]}-{at[6:8]} {at[9:11]}:{at[11:13]}"


def medium_word(medium: str) -> str:
    """By what a contact is kept, in words."""
    words = {"test": _("line test"), "message": _("message"), "call": _("call"), "meeting": _("meeting")}
    return words.get(medium, inert_line(medium))


def outcome_word(outcome: str) -> str:
    """What became of a contact, in words."""
    words = {"kept": _("kept"), "declined": _("declined"), "no-call": _("nobody came"), "account": _("account")}
    return words.get(outcome, inert_line(outcome))


def _by(body: Mapping[str, Any]) -> str:
    role, sign = body.get("role"), inert_line(str(body.get("sign", "")))
    return _("by {who}").format(who=f"{role_word(str(role))} {sign}" if role else sign)


def _words(body: Mapping[str, Any], name: str) -> str:
    text = inert_line(str(body.get(name) or ""))
    return f"“{text[:_SUBJECT_COLUMNS]}{'…' if len(text) > _SUBJECT_COLUMNS else ''}”" if text else ""


def message_lines(out: Output, entry: Json, names: Names, *, me: str, now: int) -> list[str]:
    """A message in full: heading, text behind a bar, what to know about the text, and how it stands."""
    body: Mapping[str, Any] = entry["body"]
    reference = place_of(entry["ref"])
    mark = [f"{exercise_mark(out)}  {_('everything on this line is an exercise')}"] if entry.get("exercise") else []
    lines = [*mark, f"{precedence(out, str(body['precedence']))}   {reference}", ""]
    lines += _field(_("from"), inert_line(str(entry["author"])) + _signs(body))
    lines += _field(_("to"), ", ".join(role_word(str(role)) for role in body.get("roles", ())))
    lines += _field(_("language"), inert_line(str(body.get("language", ""))))
    if body.get("answer_by") is not None:
        due = int(body["answer_by"])
        lines += _field(_("answer by"), f"{clock(due)} ({until(due, now)})")
    for name, label in (("answers", _("answers")), ("supersedes", _("supersedes"))):
        if body.get(name):
            lines += _field(label, named(body[name], names))
    if body.get("subject"):
        lines += _field(_("subject"), inert_line(str(body["subject"])))
    lines += ["", *text_lines(out, str(body["text"])), ""]
    lines += warnings(str(body.get("subject", "")) + "\n" + str(body["text"]))
    if entry.get("superseded"):
        lines.append(_("Its author has replaced this message by a later one."))
    others = {name: status for name, status in _others(entry).items() if name != me}
    lines += [f"{inert_line(name):<10} {ladder(out, status)}" for name, status in others.items()]
    return lines


def text_lines(out: Output, text: str) -> list[str]:
    """A party's own words behind a bar, inert and wrapped."""
    bar = out.paint(out.sign("│", "|"), "peer")
    return [f"{bar} {line}" for line in wrapped(inert(text), out.columns - 2)]


def warnings(text: str) -> list[str]:
    """What a reader must know about a text beside the text."""
    found = flags(text)
    lines: list[str] = []
    if found.hidden:
        lines.append(
            _n(
                "{number} hidden character of this text is shown as its code.",
                "{number} hidden characters of this text are shown as their codes.",
                found.hidden,
            )
        )
    if found.mixed:
        words = ", ".join(found.mixed)
        lines.append(_("Letters that look alike are mixed in: {words}. Compare them with care.").format(words=words))
    return lines


def _signs(body: Mapping[str, Any]) -> str:
    told = [
        (_("drafted by {sign}"), body.get("drafter")),
        (_("released by {sign}"), body.get("releaser")),
    ]
    words = [form.format(sign=inert_line(str(sign))) for form, sign in told if sign]
    return f" ({', '.join(words)})" if words else ""


def _field(label: str, value: str) -> list[str]:
    return [f"{label:<12} {value}"] if value else []
