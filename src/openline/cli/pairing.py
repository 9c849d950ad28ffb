"""Commands that bring two stations together: card, pair."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from openline.cli.command import Desk, command, read_stdin_text
from openline.cli.comparing import follow, give_up, somebody_answers
from openline.cli.failures import refused, unavailable, usage
from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.local import Json, Local
from openline.cli.output import Output
from openline.cli.record import fingerprint_of
from openline.cli.terms import members_of, read_terms, terms_lines
from openline.kernel.errors import Conflict, Refused

if TYPE_CHECKING:
    from openline.kernel.keys import Card
    from openline.kernel.terms import Policy


@command(
    "card",
    _("Show this station's card, to hand to the other floor: text that survives e-mail, paper and a USB stick."
      " Nothing in it is secret."),
    more=(
        _("--fingerprint shows what people compare, as digits, words and QR code. CARD is another station's card, to"
          " look at before pairing. --new makes a new card, with the root key."),
    ),
    examples=(
        "openline card > alpha.card",
        "openline card --fingerprint",
        "openline card bravo.card",
        "openline card --new --address alpha.example:7601",
    ),
)  # fmt: skip
@click.argument("card", required=False, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--fingerprint", "only", is_flag=True, help=_("Show the fingerprint in all its forms."))
@click.option("--new", is_flag=True, help=_("Make a new card; needs the root key."))
@click.option("--address", "addresses", multiple=True, metavar="ADDRESS", help=_("With --new: where we are reached."))
@click.option(
    "--root-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=_("With --new: the file that opens the root key (default: a passphrase)."),
)
def card_(
    desk: Desk,
    *,
    card: Path | None,
    only: bool,
    new: bool,
    addresses: tuple[str, ...],
    root_key_file: Path | None,
) -> None:
    """Show or make a card."""
    from openline.station.cards import armoured

    if new:
        shown = _new_card(desk.home, addresses, root_key_file)
    elif card is not None:
        shown = _read_card(desk.home, card)
    else:
        shown = _own(desk.home)
    lines = armoured(shown).splitlines()
    if only or card is not None:
        lines = card_lines(desk.out, shown)
    desk.out.answer(card_object(shown), lines)


def _own(home: Path) -> "Card":
    from openline.station.card import own_card

    return own_card(home)


def _new_card(home: Path, addresses: tuple[str, ...], root_key_file: Path | None) -> "Card":
    import os

    from openline.cli.moments import now_ms
    from openline.cli.unlocking import existing, unlock_of
    from openline.station.card import make_own_card
    from openline.station.config import load_config
    from openline.station.keystore import Keystore

    config = load_config(home)
    unlock = unlock_of(home, config)
    keystore = Keystore.open(home / "keys", unlock, os.urandom)
    root = unlock if root_key_file is None else existing(root_key_file, _("Passphrase of the root key"))
    places = tuple(f"tls:{place}" for place in (addresses or config.tls.listen))
    return make_own_card(home, keystore, root, name=config.name, addresses=places, now=now_ms())


def _card_text(file: Path) -> str:
    try:
        raw = read_stdin_text() if str(file) == "-" else file.read_bytes()
    except FileNotFoundError:
        raise usage(_("There is no file {file}.").format(file=inert_line(str(file)))) from None
    except OSError:
        raise unavailable(
            _("The file {file} cannot be read.").format(file=inert_line(str(file))), _("Check who may read it.")
        ) from None
    return raw.decode("utf-8", errors="replace")


def _read_card(home: Path, file: Path) -> "Card":
    """The other station's card, judged as pairing would. Raises Failure with the reason."""
    from openline.cli.moments import now_ms
    from openline.station.cards import CardRefused, accept_card, unarmoured

    text = _card_text(file)
    try:
        own = _own(home)
    except Refused:
        # Anybody may look at a card; whether it is one's own cannot be said without a station.
        from openline.kernel.keys import read_card

        return read_card(unarmoured(text))
    try:
        return accept_card(text, own=own, now=now_ms())
    except CardRefused as flaw:
        raise refused(
            inert_line(_(str(flaw))[:1].upper() + _(str(flaw))[1:]) + ".",
            inert_line(_(flaw.do)[:1].upper() + _(flaw.do)[1:]) + ".",
            name=flaw.code,
        ) from None


def card_object(card: "Card") -> Json:
    """A card for programs."""
    from openline.station.cards import armoured, as_digits, as_words

    return {
        "name": card.name,
        "fingerprint": {
            "hex": card.fingerprint.hex(),
            "digits": as_digits(card.fingerprint),
            "words": as_words(card.fingerprint),
        },
        "addresses": list(card.addresses),
        "made": card.made,
        "expires": card.expires,
        "card": armoured(card),
    }


def card_lines(out: Output, card: "Card") -> list[str]:
    """A card for people: whose it is, and its fingerprint in every form."""
    from openline.cli.moments import clock
    from openline.station.cards import as_digits, as_terminal_qr, as_words

    digits, words = as_digits(card.fingerprint).split(), as_words(card.fingerprint).split()
    lines = [
        f"{_('station'):<12} {inert_line(card.name)}",
        f"{_('reached at'):<12} {', '.join(inert_line(place) for place in card.addresses) or _('nowhere: it calls')}",
        f"{_('expires'):<12} {clock(card.expires)}",
        "",
        _("Fingerprint, to compare in person or over a channel you trust:"),
        *(f"  {' '.join(digits[at : at + 6])}" for at in range(0, len(digits), 6)),
        *(f"  {' '.join(words[at : at + 6])}" for at in range(0, len(words), 6)),
    ]
    if out.unicode:
        lines += ["", *as_terminal_qr(card.fingerprint).splitlines()]
    return lines


@command(
    "pair",
    _("Open a line with another station: both floors enter each other's card and the same terms, within an hour."),
    more=(
        _("Then either compare the whole fingerprint (--fingerprint, got in person), or read the two halves of a short"
          " code to each other by voice: your half aloud, theirs typed here. Your people sign the terms as shown."),
        _("If the station does not run, it is started here for as long as the pairing takes."),
        _("For scripts: with --fingerprint and --yes nothing is asked. It waits for the other floor, says so each minute,"
          " and ends with 1 after an hour."),
    ),
    examples=(
        "openline pair bravo.card --terms terms.toml",
        "openline pair bravo.card --terms terms.toml --label RELAY --fingerprint '26302 60150 ... 41688' --yes",
        "openline pair --again BRAVO",
        "openline pair --end BRAVO",
    ),
)  # fmt: skip
@click.argument("card", required=False, type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--again",
    metavar="LINE",
    help=_("A new pairing key for a line that stands; CARD only if the other station has a new one."),
)
@click.option("--end", metavar="NAME", help=_("End the pairing with that station that somebody left."))
@click.option(
    "--terms",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=_("The terms, as in examples/terms.toml."),
)
@click.option("--label", metavar="NAME", help=_("What the line is called here (default: the other station's name)."))
@click.option("--fingerprint", metavar="FP", help=_("The other's whole fingerprint, instead of the spoken code."))
@click.option("--yes", is_flag=True, help=_("Sign the terms without asking again."))
def pair_(
    desk: Desk,
    *,
    card: Path | None,
    again: str | None,
    end: str | None,
    terms: Path | None,
    label: str | None,
    fingerprint: str | None,
    yes: bool,
) -> None:
    """Pair with another station."""
    if end is not None:
        _end(desk, end)
        return
    if again is not None:
        pair_again(desk, again, card, fingerprint)
        return
    if card is None or terms is None:
        raise usage(
            _("To pair, a card and terms are needed."), _("Type: openline pair CARD --terms FILE, or --again LINE")
        )

    somebody_answers(fingerprint is None or not yes)
    policy = read_terms(terms)
    theirs = _read_card(desk.home, card)
    if fingerprint is not None:
        _compare(fingerprint, theirs)
    out = desk.out
    out.note(_("Terms of the line with {name}:").format(name=inert_line(theirs.name)), *terms_lines(members_of(policy)))
    from openline.cli.running import with_station

    body = _proposed(theirs, policy, label)

    def work(station: Local) -> None:
        begun = _begin(station, body, theirs)
        place = f"pairings/{begun['pairing']}"
        try:
            out.note(
                _("Waiting for {name}. Its people must pair with our card now.").format(name=inert_line(theirs.name))
            )
            done = follow(out, station, place, begun, fingerprint=fingerprint, signed=yes)
        except BaseException:
            give_up(station, place)
            raise
        named = inert_line(label or theirs.name)
        out.answer(
            done,
            [
                _("The line is open: {label}.").format(label=named),
                _("Send a first word: openline send {label} TEXT").format(label=named),
            ],
        )

    with_station(desk, work)


def _proposed(theirs: "Card", policy: "Policy", label: str | None) -> Json:
    """With whom, and about what."""
    import msgspec

    from openline.station.cards import armoured
    from openline.station.terms_file import proposal_of

    terms = msgspec.json.decode(msgspec.json.encode(proposal_of(policy)))
    return {"card": armoured(theirs), "terms": terms, "label": label or theirs.name}


def pair_again(desk: Desk, line: str, card: Path | None, fingerprint: str | None) -> None:
    """A new pairing key for a line that stands, by the spoken code or a fingerprint."""
    from openline.cli.running import with_station

    somebody_answers(fingerprint is None)
    out, text = desk.out, "" if card is None else _card_text(card)

    def work(station: Local) -> None:
        label = str(station.line(line)["label"])
        begun: Json = station.client.post("pairings", {"again": label, "card": text})
        name, place = inert_line(str(begun["peer"]["name"])), f"pairings/{begun['pairing']}"
        out.note(_("Waiting for {name}. Its people must do the same now: openline pair --again LINE").format(name=name))
        try:
            done = follow(out, station, place, begun, fingerprint=fingerprint, signed=True)
        except BaseException:
            give_up(station, place)
            raise
        out.answer(
            done,
            [
                _("The new pairing key is kept. It replaces the one before when the other floor has accepted too."),
                _("See: openline keys"),
            ],
        )

    with_station(desk, work)


def _compare(fingerprint: str, theirs: "Card") -> None:
    from openline.station.cards import fits

    if not fits(fingerprint_of(fingerprint), theirs.fingerprint):
        raise refused(
            _("The fingerprint is not that of this card. Somebody may be between you."),
            _("Do not pair. Ask the other floor, in person or by voice, for its fingerprint and its card."),
            name="fingerprint",
        )


def _begin(station: Local, body: Json, theirs: "Card") -> Json:
    """A new pairing; or the one under way that somebody left, if it is about the same terms. Raises Conflict."""
    try:
        begun: Json = station.client.post("pairings", body)
    except Conflict:
        for each in station.client.get("pairings")["pairings"]:
            same = each["peer"]["fingerprint"]["hex"] == theirs.fingerprint.hex() and each["terms"] == body["terms"]
            if same and each["state"] not in {"open", "refused"}:
                return dict(each)
        raise
    return begun


def _end(desk: Desk, name: str) -> None:
    """End what is under way with the station of that name. Raises Failure if nothing is."""
    client = desk.station.client
    found = [
        str(each["pairing"])
        for each in client.get("pairings")["pairings"]
        if each["state"] not in {"open", "refused"} and name.upper() in {each["peer"]["name"], each["label"].upper()}
    ]
    if not found:
        raise refused(_("No pairing is under way with {name}.").format(name=inert_line(name)))
    for pairing in found:
        client.delete(f"pairings/{pairing}")
    desk.out.answer({"ended": found}, [_("Ended: the pairing with {name}.").format(name=inert_line(name))])
