"""Commands about the words of a message: a query, its answer, a translation; and search in all that was said."""

from collections.abc import Sequence

import click

from openline.cli.answering import ROLE, acting
from openline.cli.command import Desk, command
from openline.cli.entry_lines import kind_word, place_of
from openline.cli.failures import usage
from openline.cli.inert import inert_line
from openline.cli.language import _, _n
from openline.cli.local import Json
from openline.cli.moments import clock
from openline.cli.output import table
from openline.cli.sending import PRECEDENCES, moment_of, text_of

PART_MS = 1_000
"""At a terminal a search says so often how far it is."""
GRADES = ("sight", "rough", "official", "machine")


@command(
    "query",
    _("Ask the author about a message, or about some of its words. No clock stops but that of a demand."),
    examples=(
        "openline query BRAVO 'BRAVO 0012' --text 'Which bridge is meant?'",
        "openline query BRAVO 'BRAVO 0012' --passage 'the northern bridge' --text 'Which one?'",
    ),
)
@click.argument("line")
@click.argument("reference", metavar="REF", nargs=-1, required=True)
@click.option("--text", metavar="TEXT", help=_("The question (default: the standard input)."))
@click.option("--passage", metavar="WORDS", help=_("The words asked about, exactly as they stand there."))
@click.option("--lang", metavar="TAG", help=_("Language of the question (default: the station's)."))
@click.option("--role", type=ROLE, metavar="ROLE", help=_("Your role, if you have several."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def query_(
    desk: Desk,
    *,
    line: str,
    reference: Sequence[str],
    text: str | None,
    passage: str | None,
    lang: str | None,
    role: str | None,
    sign: str | None,
) -> None:
    """Ask about a message."""
    station = desk.station
    found = station.find(line, " ".join(reference), peer=True)
    entry: Json = {"kind": "query", "of": found["ref"], "text": text_of(text), **acting(role, sign)}
    if lang:
        entry["lang"] = lang
    if passage is not None:
        start = str(found["body"]["text"]).find(passage)
        if start < 0 or not passage:
            raise usage(_("These words do not stand in that message."), _("Copy them as they stand there."))
        entry["passage"] = {"start": start, "end": start + len(passage), "words": passage}
    answer = station.post(line, entry)
    asked = _("Asked about {reference}.").format(reference=inert_line(str(found["ref"]["reference"])))
    desk.out.answer(answer, [asked])


@command(
    "answer",
    _(
        "Answer a query of the other side about a message of yours. It is named by its place, as history --json shows it."
    ),
    examples=("openline answer BRAVO 2.0:17 --text 'The railway bridge.'",),
)
@click.argument("line")
@click.argument("place", metavar="PLACE")
@click.option("--text", metavar="TEXT", help=_("The answer (default: the standard input)."))
@click.option("--lang", metavar="TAG", help=_("Language of the answer (default: the station's)."))
@click.option("--role", type=ROLE, metavar="ROLE", help=_("Your role, if you have several."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def answer_(
    desk: Desk, *, line: str, place: str, text: str | None, lang: str | None, role: str | None, sign: str | None
) -> None:
    """Answer a query."""
    lane, _dot, rest = place.partition(".")
    generation, _colon, index = rest.partition(":")
    if not (lane.isdigit() and index.isdigit() and generation):
        raise usage(_("A query is named by its place, such as 2.0:17."))
    of: Json = {"lane": int(lane), "generation": generation, "index": int(index)}
    entry: Json = {"kind": "answer", "of": of, "text": text_of(text), **acting(role, sign)}
    if lang:
        entry["lang"] = lang
    desk.out.answer(desk.station.post(line, entry), [_("Answered: {place}").format(place=inert_line(place))])


@command(
    "translate",
    _("Put a translation beside a message, yours or theirs. What was said stays the message in its own language."),
    examples=("openline translate BRAVO 'BRAVO 0012' --lang fr --grade rough 'Le pont du nord est fermé.'",),
)
@click.argument("line")
@click.argument("words", metavar="REF TEXT", nargs=-1, required=True)
@click.option("--lang", metavar="TAG", required=True, help=_("The language that it is translated into."))
@click.option(
    "--grade",
    type=click.Choice(GRADES),
    default="rough",
    metavar="|".join(GRADES),
    help=_("What it is good for (default: rough); official: your party stands by it."),
)
@click.option("--subject", metavar="TEXT", help=_("The translated subject."))
@click.option("--role", type=ROLE, metavar="ROLE", help=_("Your role, if you have several."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def translate_(
    desk: Desk,
    *,
    line: str,
    words: Sequence[str],
    lang: str,
    grade: str,
    subject: str | None,
    role: str | None,
    sign: str | None,
) -> None:
    """Put a translation beside a message."""
    if len(words) < 2:
        raise usage(_("A translation needs the message's reference, and its text."))
    station = desk.station
    ref = station.find(line, " ".join(words[:-1]))["ref"]
    entry: Json = {"kind": "translation", "of": ref, "lang": lang, "grade": grade, "text": text_of(words[-1])}
    if subject:
        entry["subject"] = subject
    answer = station.post(line, {**entry, **acting(role, sign)})
    reference = inert_line(str(ref["reference"]))
    desk.out.answer(
        answer, [_("Beside {reference}: {language}").format(reference=reference, language=inert_line(lang))]
    )


@command(
    "search",
    _("Search in all that was said, whatever the case and accents: every word must occur. The latest is shown first."),
    examples=("openline search bridge", "openline search 'northern bridge' --line BRAVO --precedence flash"),
)
@click.argument("words", nargs=-1)
@click.option("--line", metavar="LINE", help=_("On this line alone."))
@click.option(
    "--precedence",
    type=click.Choice(PRECEDENCES, case_sensitive=False),
    metavar="|".join(PRECEDENCES),
    help=_("Messages of this precedence alone."),
)
@click.option("--since", metavar="MOMENT", help=_("Not before this moment."))
@click.option("--until", metavar="MOMENT", help=_("Not after this moment."))
@click.option("--limit", type=click.IntRange(1, 200), default=20, metavar="NUMBER", help=_("How many (default: 20)."))
def search_(
    desk: Desk,
    *,
    words: Sequence[str],
    line: str | None,
    precedence: str | None,
    since: str | None,
    until: str | None,
    limit: int,
) -> None:
    """Search the transcripts."""
    station, out = desk.station, desk.out
    asked: Json = {"q": " ".join(f'"{word}"' if " " in word else word for word in words), "limit": limit}
    now = station.now()
    asked |= {name: moment_of(text, now, past=True) for name, text in (("from", since), ("to", until)) if text}
    asked |= {name: text for name, text in (("line", line), ("precedence", precedence and precedence.lower())) if text}
    answer = _searched(desk, asked)
    rows = [
        [
            inert_line(str(each["line"])),
            clock(int(each["time"])),
            inert_line(str(each["author"])),
            place_of(each["ref"]) if each["kind"] == "message" else kind_word(str(each["kind"])),
            inert_line(str(each["before"]))[-24:]
            + inert_line(str(each["match"]))
            + inert_line(str(each["after"]))[:24],
        ]
        for each in answer["found"]
    ]
    if not rows:
        out.answer(answer, [_("Nothing was found.")])
        return
    said = _n("{number} entry.", "{number} entries.", len(rows))
    lines = [said if answer["complete"] else _("{said} There are more.").format(said=said), ""]
    headings = [_("line"), _("when"), _("author"), _("entry"), _("passage")]
    out.answer(answer, [*lines, *table(out, headings, rows)])


def _searched(desk: Desk, asked: Json) -> Json:
    """All that is found, of as many parts as it takes: a station answers a part before a long line is looked through."""
    out, client = desk.out, desk.station.client
    part_ms = {"within": PART_MS} if out.terminal else {}
    answer: Json = client.get("search", **asked, **part_ms)
    found, searched = list(answer["found"]), int(answer["searched"])
    while answer["next"] and len(found) < asked["limit"]:
        total = searched + int(answer["left"])
        out.passing(_("Looked at {number} of {total} entries.").format(number=searched, total=total))
        rest = {**asked, **part_ms, "limit": asked["limit"] - len(found), "at": answer["next"]}
        answer = client.get("search", **rest)
        out.passing()
        searched += int(answer["searched"])
        known = {(each["line"], each["seq"]) for each in found}
        found += [each for each in answer["found"] if (each["line"], each["seq"]) not in known]
    return {**answer, "found": found, "searched": searched}
