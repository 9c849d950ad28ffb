"""Commands about the terms of a line: propose, assent."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from openline.cli.command import Desk, command
from openline.cli.entry_lines import medium_word
from openline.cli.failures import usage
from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.local import Json
from openline.kernel.errors import Malformed, Unknown
from openline.kernel.terms import Policy


def read_terms(path: Path) -> Policy:
    """The terms in a file. Raises Failure naming what is wrong."""
    from openline.station.terms_file import TermsRefused, read_terms_file

    try:
        return read_terms_file(path)
    except TermsRefused as wrong:
        raise usage(
            _("The terms in {file} are not right: {why}.").format(file=inert_line(str(path)), why=_(str(wrong))),
            _("Mend the file and try again; examples/terms.toml is a whole one."),
        ) from None
    except Unknown:
        raise usage(_("There is no file {file}.").format(file=inert_line(str(path)))) from None
    except Malformed:
        raise usage(
            _("{file} is not TOML.").format(file=inert_line(str(path))), _("Look for a missing quote or bracket.")
        ) from None


MEMBERS = (
    "title", "languages", "test_minutes", "handling_minutes", "urgent_per_hour", "traffic_per_hour",
    "attachment_mib_per_day", "release", "exercise",
)  # fmt: skip
"""Members of a policy as the local API shows and takes them."""


def members_of(policy: Policy) -> Json:
    """A policy as the local API takes it."""
    from msgspec import to_builtins

    from openline.station.contact_terms import contacts_of

    found = {name: getattr(policy, name) for name in MEMBERS}
    members: Json = {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
    return {**members, "contacts": [to_builtins(contact) for contact in contacts_of(policy)]}


def terms_lines(members: Mapping[str, Any]) -> list[str]:
    """The whole terms in words, before people sign them."""
    named = zip(("FLASH", "IMMEDIATE", "PRIORITY", "ROUTINE"), members["handling_minutes"], strict=True)
    every = _("every {minutes} min").format(minutes=members["test_minutes"])
    rows = [
        (_("title"), inert_line(str(members["title"])) or "-"),
        (_("languages"), ", ".join(inert_line(str(tag)) for tag in members["languages"])),
        (_("tests"), every if members["test_minutes"] else _("none")),
        (_("handled within"), ", ".join(f"{name} {minutes} min" for name, minutes in named)),
        (
            _("quota"),
            _("{urgent} urgent and {traffic} other entries an hour, {files} MiB of files a day, from each").format(
                urgent=members["urgent_per_hour"],
                traffic=members["traffic_per_hour"],
                files=members["attachment_mib_per_day"],
            ),
        ),
        (_("release"), _("a second person releases each message") if members["release"] else _("one person may send")),
    ]
    rows += [(_("contact"), _contact(contact)) for contact in members["contacts"]]
    if members["exercise"]:
        rows.append((_("EXERCISE"), _("everything on this line is an exercise")))
    return [f"  {label:<16} {value}" for label, value in rows]


def _contact(contact: Mapping[str, Any]) -> str:
    begins = str(contact.get("begins") or "")
    said = [
        inert_line(str(contact["name"])),
        medium_word(str(contact["medium"])),
        inert_line(str(contact["rule"])),
        _("from {start} {zone}").format(start=inert_line(str(contact["start"])), zone=inert_line(str(contact["zone"]))),
        _("{minutes} min before or after").format(minutes=contact["tolerance_minutes"]),
        *([_("{station} begins").format(station=inert_line(begins))] if begins else []),
    ]
    return ", ".join(said)


@command(
    "propose",
    _("Propose other terms for a line. They come into force when every member has assented; the line stays the same."),
    examples=("openline propose BRAVO --terms new-terms.toml",),
)
@click.argument("line")
@click.option("--terms", type=click.Path(path_type=Path), required=True, metavar="FILE", help=_("The proposed terms."))
@click.option("--yes", is_flag=True, help=_("Do not ask again."))
def propose_(desk: Desk, *, line: str, terms: Path, yes: bool) -> None:
    """Propose terms."""
    members = members_of(read_terms(terms))
    station = desk.station
    station.line(line)
    desk.out.note(_("Terms to propose:"), *terms_lines(members))
    if not yes:
        sign_by_word(_("Type yes to propose them"))
    answer = station.post(line, {"kind": "propose", "policy": members})
    desk.out.answer(answer, [_("Proposed. The others assent: openline assent LINE")])


@command(
    "assent",
    _("Agree to terms that were proposed. Without REF: the latest proposal of the others."),
    examples=("openline assent BRAVO", "openline assent BRAVO 3.0:41"),
)
@click.argument("line")
@click.argument("reference", metavar="[REF]", nargs=-1)
@click.option("--yes", is_flag=True, help=_("Do not ask again."))
def assent_(desk: Desk, *, line: str, reference: Sequence[str], yes: bool) -> None:
    """Assent to proposed terms."""
    from openline.cli.local import me_of

    station = desk.station
    me = me_of(station.line(line))
    if reference:
        entry = station.find(line, " ".join(reference), peer=True)
    else:
        theirs = (each for each in station.backwards(line, kind="propose", most=500) if each["author"] != me)
        found = next(theirs, None)
        if found is None:
            raise usage(_("The others have proposed nothing on this line."))
        entry = found
    if entry["kind"] != "propose":
        raise usage(_("That entry is not a proposal."))
    desk.out.note(_("Terms to agree to:"), *terms_lines(entry["body"]["policy"]))
    if not yes:
        sign_by_word(_("Type yes to agree to them"))
    answer = station.post(line, {"kind": "assent", "proposal": entry["ref"]})
    desk.out.answer(answer, [_("Agreed. They are in force when every member has said so.")])


def sign_by_word(question: str) -> bool:
    """The separate act by which people sign. Raises Failure unless the word is yes."""
    from openline.cli.failures import refused

    if not said_yes(question):
        raise refused(_("Not signed. Nothing changed."), name="not-confirmed")
    return True


def said_yes(question: str) -> bool:
    """Whether the word yes was typed in full, in any language of the program."""
    typed = str(click.prompt(question, default="", show_default=False, err=True))
    return typed.strip().lower() in {"yes", "oui", "да"}
