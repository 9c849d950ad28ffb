"""Commands that say something new: send, service, attach."""

from collections.abc import Sequence
from pathlib import Path

import click

from openline.cli.command import Desk, command, read_stdin_text
from openline.cli.failures import Exit, leave, new_file, refused, unavailable, usage
from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.local import Json, Local, place_key
from openline.cli.moments import now_ms, parse_moment, parse_span
from openline.cli.signs import ladder, step_word
from openline.kernel.errors import Malformed
from openline.kernel.units import Instant

PRECEDENCES = ("flash", "immediate", "priority", "routine")
ROLES = ("watch-officer", "principal", "interpreter", "technician", "auditor", "administrator")
DEFAULT_WAIT = "10m"
MAX_TEXT, MAX_ATTACHMENT = 8_192, 64 * 2**20
"""As protocol.entries has them; written again, because importing it costs a quarter of this command's time."""


@command(
    "send",
    _("Send a message. It is safely kept before this command returns, and goes on by itself until the others hold it."),
    more=(
        _("TEXT may also come from the standard input. FLASH asks you to type the line's label, unless --yes."),
        _("Moments: +30m, 1430Z, '211430Z NOV 26', 2026-11-21T14:30Z."),
    ),
    examples=(
        'openline send BRAVO "We see your aircraft. Please confirm its course."',
        'openline send BRAVO --precedence immediate --answer-by +30m --to principal "Will you speak today?"',
        "openline send BRAVO --lang ru --answers 'BRAVO 0012' < answer.txt",
        'openline send BRAVO --precedence flash --yes --wait read --timeout 10m "STOP. Our convoy is on your road."',
    ),
)
@click.argument("line")
@click.argument("text", required=False)
@click.option(
    "--precedence",
    type=click.Choice(PRECEDENCES, case_sensitive=False),
    default="routine",
    metavar="|".join(PRECEDENCES),
    help=_("How fast it must be served (default: routine)."),
)
@click.option("--subject", metavar="TEXT", help=_("One line above the text."))
@click.option(
    "--to",
    "roles",
    multiple=True,
    type=click.Choice(ROLES, case_sensitive=False),
    metavar="ROLE",
    help=_("Whom it is for (default: watch-officer); may be repeated."),
)
@click.option("--lang", metavar="TAG", help=_("Language of the text, such as en, fr, ru (default: the station's)."))
@click.option("--answer-by", metavar="MOMENT", help=_("By when you ask for an answer; both sides see the clock."))
@click.option(
    "--acknowledge-by", metavar="MOMENT", help=_("By when a person of theirs must have it; else both floors alarm.")
)
@click.option("--answers", metavar="REF", help=_("The message that this one answers."))
@click.option("--supersedes", metavar="REF", help=_("Your own message that this one replaces."))
@click.option("--at", metavar="MOMENT", help=_("The moment it is said to be sent; only with a simulated clock."))
@click.option(
    "--wait",
    type=click.Choice(("held", "presented", "read", "relayed", "answered")),
    metavar="held|presented|read|relayed|answered",
    help=_("Wait until the others have come so far."),
)
@click.option("--timeout", default=DEFAULT_WAIT, metavar="SPAN", help=_("How long to wait (default: 10m)."))
@click.option("--yes", is_flag=True, help=_("Send a FLASH without asking again."))
@click.option("--minimize-considered", is_flag=True, help=_("Although MINIMIZE stands: you answer for it."))
def send_(
    desk: Desk,
    *,
    line: str,
    text: str | None,
    precedence: str,
    subject: str | None,
    roles: Sequence[str],
    lang: str | None,
    answer_by: str | None,
    acknowledge_by: str | None,
    answers: str | None,
    supersedes: str | None,
    at: str | None,
    wait: str | None,
    timeout: str,
    yes: bool,
    minimize_considered: bool,
) -> None:
    """Send a message."""
    for_ms = span_of(timeout)
    words = text_of(text)
    entry: Json = {"kind": "message", "precedence": precedence.lower(), "text": words}
    station = desk.station
    now = _said_at(station, at, entry)
    if answer_by is not None:
        entry["answer_by"] = moment_of(answer_by, now if now is not None else _now(station, answer_by))
    if acknowledge_by is not None:
        entry["acknowledge_by"] = moment_of(acknowledge_by, now if now is not None else _now(station, acknowledge_by))
    if roles:
        entry["to"] = [role.lower() for role in roles]
    entry |= {name: value for name, value in (("subject", subject), ("lang", lang)) if value}
    for name, reference, peer in (("answers", answers, True), ("supersedes", supersedes, False)):
        if reference is not None:
            entry[name] = station.find(line, reference, peer=peer)["ref"]
    if precedence.lower() == "flash" and not yes:
        _confirm_flash(desk, station, line)
    if minimize_considered:
        entry["minimize_considered"] = True
    _tell(desk, line, station.post(line, entry), wait, for_ms)


def _tell(desk: Desk, line: str, answer: Json, wait: str | None, for_ms: int) -> None:
    out = desk.out
    if "draft" in answer:
        number = answer["draft"]
        if answer.get("held"):
            out.answer(
                answer,
                [
                    _("Not sent yet: MINIMIZE stands on this line. Your text is held as draft {number}.").format(
                        number=number
                    ),
                    _("It goes out by itself when MINIMIZE ends; at once: openline release {number} {option}").format(
                        number=number, option="--minimize-considered"
                    ),
                ],
            )
            leave(Exit.DRAFT)
        out.answer(
            answer,
            [
                _("Not sent yet: this line asks for a second person. Your text waits as draft {number}.").format(
                    number=number
                ),
                _("Somebody else sends it: openline release {number}").format(number=number),
            ],
        )
        leave(Exit.DRAFT)
    ref = answer["ref"]
    if wait is None:
        out.answer(answer, [str(ref["reference"])])
        return
    out.note(str(ref["reference"]), _("Kept here. Waiting until it is {state}.").format(state=step_word(wait)))
    last = desk.station.wait(line, ref, wait, for_ms)
    come = bool(last["done"])
    state = str(last.get("reached") or "durable")
    parties = last.get("parties") or {}
    lines = [f"{ref['reference']}  {step_word(state) if state != 'durable' else _('sent, unknown')}"]
    lines += [f"{inert_line(name):<10} {ladder(out, status)}" for name, status in parties.items()]
    if not come:
        lines.append(
            _("The time is over and it is not {state} yet. It goes on by itself.").format(state=step_word(wait))
        )
    out.answer({**answer, "reached": state, "parties": parties, "in_time": come}, lines)
    if not come:
        leave(Exit.TIMEOUT)


def _confirm_flash(desk: Desk, station: Local, line: str) -> None:
    """The deliberate second act: type the line's label."""
    found = station.line(line)
    label = str(found["label"])
    if not desk.out.terminal:
        raise usage(
            _("A FLASH needs a deliberate second act, and nobody can be asked here."),
            _("If it is meant, add --yes."),
        )
    peers = ", ".join(inert_line(str(party["name"])) for party in found["parties"] if not party["me"])
    desk.out.note(_("FLASH sounds the alarm at {peers} and fills their screens until it is read.").format(peers=peers))
    typed = click.prompt(_("To send it, type the line's label ({label})").format(label=label), default="", err=True)
    if typed.strip().upper() != label.upper():
        raise refused(_("That is not this line's label. Nothing was sent."), name="not-confirmed")


def text_of(text: str | None) -> str:
    """The text of a message: the argument, or the standard input."""
    if text is None:
        import sys

        if sys.stdin.isatty():
            raise usage(
                _("TEXT is missing."),
                _("Write it after the line, in quotes, or send a file: openline send LINE < FILE"),
            )
        try:
            text = read_stdin_text().decode("utf-8").removesuffix("\n")
        except UnicodeDecodeError:
            raise usage(
                _("The text is not UTF-8."), _("Save it as UTF-8 and send it again. Nothing was sent.")
            ) from None
    if not text.strip():
        raise usage(_("The text is empty."), _("Nothing was sent."))
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise usage(_("The text is not UTF-8."), _("Save it as UTF-8 and send it again. Nothing was sent.")) from None
    if size > MAX_TEXT:
        raise usage(
            _("The text is too long: {size} bytes of at most {most}.").format(size=size, most=MAX_TEXT),
            _("Shorten it, or attach it as a file: openline attach LINE FILE"),
        )
    return text


def moment_of(text: str, now: Instant, *, past: bool = False) -> Instant:
    """A moment as typed; `past` where it is about what was. Raises Failure saying how one is written."""
    try:
        return parse_moment(text, now, past=past)
    except Malformed as error:
        zone = str(error) == "a moment without its zone"
        said = _("{text} has no time zone.") if zone else _("{text} is not a moment.")
        written = (
            _("Write -30m, 1430Z, 211430Z NOV 26 or 2026-11-21T14:30Z (Z is UTC).")
            if past
            else _("Write +30m, 1430Z, 211430Z NOV 26 or 2026-11-21T14:30Z (Z is UTC).")
        )
        raise usage(said.format(text=inert_line(text)), written) from None


def happened(text: str, now: Instant) -> Instant:
    """When something took place, as typed. Raises Failure for what is no moment, or has not come yet."""
    moment = moment_of(text, now, past=True)
    if moment > now:
        raise usage(_("That moment has not come yet."), _("Say when it took place, as -20m, 1430Z or 211430Z NOV 26."))
    return moment


def span_of(text: str) -> int:
    """A span of time as typed, in milliseconds. Raises Failure saying how one is written."""
    try:
        return parse_span(text)
    except Malformed:
        raise usage(
            _("{text} is not a span of time.").format(text=inert_line(text)), _("Write 30s, 10m, 2h or 1h30m.")
        ) from None


def _said_at(station: Local, at: str | None, entry: Json) -> Instant | None:
    if at is None:
        return None
    if not station.status().get("simulated_clock"):
        raise usage(
            _("--at is for stations with a simulated clock; this one is live."),
            _("Leave it away: a message is sent at the moment it is sent."),
        )
    entry["time"] = moment_of(at, station.now())
    return Instant(entry["time"])


def _now(station: Local, typed: str) -> Instant:
    """The clock that a relative moment counts from; a whole moment needs none asked."""
    relative = typed.lstrip().startswith("+") or len(typed.strip()) <= len("14:30Z")
    return station.now() if relative else now_ms()


@command(
    "service",
    _("Send a word to the other operators: about the line, never about the matter. It stays apart from the messages."),
    examples=('openline service BRAVO "We change our address at 0900Z."',),
)
@click.argument("line")
@click.argument("text", required=False)
@click.option("--lang", metavar="TAG", help=_("Language of the text, such as en, fr, ru (default: the station's)."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def service_(desk: Desk, *, line: str, text: str | None, lang: str | None, sign: str | None) -> None:
    """Send a service message."""
    entry: Json = {"kind": "service", "text": text_of(text)}
    entry |= {name: value for name, value in (("lang", lang), ("sign", sign)) if value}
    answer = desk.station.post(line, entry)
    desk.out.answer(answer, [_("Kept here and on its way.")])


@command(
    "attach",
    _("Send a file, up to 64 MiB. It goes in pieces beside the messages; the other side checks the whole."),
    examples=(
        "openline attach BRAVO map.png --of 'ALPHA 0147'",
        "openline attach BRAVO note.pdf --media-type application/pdf",
    ),
)
@click.argument("line")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--of", "of", metavar="REF", help=_("Your message that it belongs to."))
@click.option("--name", metavar="NAME", help=_("The name that the other side sees (default: the file's)."))
@click.option("--media-type", metavar="TYPE", help=_("What it is, such as image/png (default: by its name)."))
def attach_(desk: Desk, *, line: str, file: Path, of: str | None, name: str | None, media_type: str | None) -> None:
    """Send a file."""
    data = _file_bytes(file)
    station = desk.station
    path = station.about_line(line) + "/attachments"
    shown = name or file.name
    belongs = None
    if of is not None:
        belongs = "{}/{}/{}".format(*place_key(station.find(line, of)["ref"]))
    answer = station.client.post_bytes(path, data, name=shown, media_type=media_type or _guess(shown), of=belongs)
    ref = answer.get("ref", answer)
    place = f"{ref['lane']}.{ref['generation']}:{ref['index']}"
    desk.out.answer(
        answer, [_("Kept here and on its way: {name} ({place}).").format(name=inert_line(shown), place=place)]
    )


def _file_bytes(file: Path) -> bytes:
    try:
        size = file.stat().st_size
        if size > MAX_ATTACHMENT:
            raise usage(
                _("{file} is too large: {size} bytes of at most {most}.").format(
                    file=inert_line(str(file)), size=size, most=MAX_ATTACHMENT
                ),
                _("Cut it into parts, or carry it by hand."),
            )
        return file.read_bytes()
    except FileNotFoundError:
        raise usage(_("There is no file {file}.").format(file=inert_line(str(file)))) from None
    except OSError:
        raise unavailable(
            _("The file {file} cannot be read.").format(file=inert_line(str(file))), _("Check who may read it.")
        ) from None


def _guess(name: str) -> str:
    import mimetypes

    return mimetypes.guess_type(name, strict=True)[0] or "application/octet-stream"


@command(
    "save",
    _("Save a file that the other side sent, under a name that you choose. Its hash was checked."),
    more=(_("ENTRY is lane.generation:index as history --kind attachment shows it. Open such files with care."),),
    examples=("openline history BRAVO --kind attachment", "openline save BRAVO 3.0:12 map.png"),
)
@click.argument("line")
@click.argument("entry")
@click.argument("file", type=click.Path(path_type=Path))
def save_(desk: Desk, *, line: str, entry: str, file: Path) -> None:
    """Save an attachment."""
    station = desk.station
    found = station.find(line, entry)
    if found["kind"] != "attachment":
        raise usage(
            _("That entry is not a file."),
            _("Look for files: openline history {line} --kind attachment").format(line=inert_line(line)),
        )
    data = station.client.raw(f"lines/{line}/attachments/{found['body']['digest']}")
    with new_file(file), file.open("xb") as target:
        target.write(data)
    desk.out.answer(
        {"file": str(file), "size": len(data), "sha256": found["body"]["digest"]},
        [_("Written: {folder}").format(folder=inert_line(str(file)))],
    )
