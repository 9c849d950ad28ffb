"""Commands about keys: keys (list, rotate, compromised), and for a lost station papers and rebuild."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openline.cli.command import Desk, command
from openline.cli.entry_lines import key_word
from openline.cli.failures import Failure, refused, usage
from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.local import Json, Local
from openline.cli.moments import clock
from openline.cli.output import Cell, table
from openline.cli.terms import said_yes

if TYPE_CHECKING:
    from openline.kernel.crypto import Signer

_ROTATE = ("lane", "tls", "psk", "data", "passphrase")
_STOLEN = ("lane", "tls", "psk", "data", "root")


@command(
    "keys",
    _("List the keys of this station and of its lines; or put a new one in the place of another: keys rotate, keys"
      " compromised."),
    more=(
        _("keys rotate lane | tls: a new lane key or TLS certificate, certified by the root key; the others accept it by"
          " themselves. keys rotate psk LINE: a new pairing key, by a spoken code on both floors. keys rotate"
          " data: what seals the store; the station must not run. keys rotate passphrase: what opens this station."),
        _("keys card LINE FILE: take a newer card of the other side, brought by hand, where it could not come over the"
          " line."),
        _("keys compromised lane | tls | psk LINE | data | root: the same when a key is held for stolen. It is said on the"
          " line, and nothing is rescued by a stolen pairing key. You are asked to type yes."),
    ),
    examples=(
        "openline keys",
        "openline keys rotate lane --root /media/usb/root.key",
        "openline keys rotate psk BRAVO",
        "openline keys compromised lane --root /media/usb/root.key --root-key-file /media/usb/root.unlock",
    ),
)  # fmt: skip
@click.argument("words", metavar="[rotate|compromised KEY [LINE] | card LINE FILE]", nargs=-1)
@click.option(
    "--root",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=_("The root key (default: keys/root.key of the station)."),
)
@click.option(
    "--root-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=_("The file that opens the root key (default: a passphrase)."),
)
@click.option("--yes", is_flag=True, help=_("Do not ask again."))
def keys_(desk: Desk, *, words: tuple[str, ...], root: Path | None, root_key_file: Path | None, yes: bool) -> None:
    """List or change keys."""
    if not words:
        _list(desk)
        return
    if words[0] == "card" and len(words) == 3:
        _take_card(desk, words[1], Path(words[2]))
        return
    act, role, line = words[0], (words[1] if len(words) > 1 else ""), (words[2] if len(words) > 2 else "")
    allowed = {"rotate": _ROTATE, "compromised": _STOLEN}.get(act)
    if allowed is None or role not in allowed or len(words) > 3 or bool(line) is not (role == "psk"):
        raise usage(
            _("That is not a way to change keys."),
            _(
                "Type: keys rotate {rotate} | keys compromised {stolen}; LINE after psk alone; keys card LINE FILE"
            ).format(rotate=" | ".join(_ROTATE), stolen=" | ".join(_STOLEN)),
        )
    stolen = act == "compromised"
    if stolen and not yes:
        _ask_stolen(role)
    if role == "passphrase":
        _passphrase(desk)
    elif role == "data" and not stolen:
        _data(desk)
    elif role in {"lane", "tls"}:
        _certified(desk, "lane" if role == "lane" else "certificate", root, root_key_file, stolen=stolen)
    elif stolen:
        _say_stolen(desk, role, line)
    else:
        from openline.cli.pairing import pair_again

        pair_again(desk, line, None, None)


# --- the list ------------------------------------------------------------------------------------------------


def _list(desk: Desk) -> None:
    out, found = desk.out, desk.station.client.get("keys")
    rows: list[list[Cell | str]] = []
    for key in found["keys"]:
        state = str(key["state"])
        sign = {"stolen": "act", "missing": "act", "waiting": "look"}.get(state, "")
        rows.append(
            [
                key_word(str(key["role"])),
                inert_line(str(key["line"])),
                inert_line(str(key["party"])),
                str(key["name"])[:16],
                clock(int(key["since"])) if key["since"] else "",
                Cell(_state(state), sign),
                inert_line(str(key["note"])),
            ]
        )
    heads = (_("key"), _("line"), _("party"), _("name"), _("since"), _("state"), "")
    lines = table(out, heads, rows)
    if found["contradictions"]:
        lines += ["", _("A root signed two lane keys for one generation. Export the line; the evidence is in it.")]
    out.answer(found, lines)


def _state(state: str) -> str:
    words = {
        "in-use": _("in use"), "retired": _("kept for what it signed"), "waiting": _("waits"),
        "replaced": _("replaced"), "stolen": _("HELD FOR STOLEN"), "missing": _("missing: pair again"),
        "here": _("lies here: take it offline"), "offline": _("offline"),
    }  # fmt: skip
    return words.get(state, state)


# --- changes -------------------------------------------------------------------------------------------------


def _ask_stolen(role: str) -> None:
    said = {
        "lane": _("A new lane key replaces the one that is held for stolen. What the thief signed later is disputed."),
        "tls": _("A new certificate replaces it, as soon as the other sides have acknowledged it."),
        "psk": _("Nothing is rescued by this pairing key any more: pair again soon, keys rotate psk LINE."),
        "data": _("Everything in this station is held for stolen. Nothing is rescued until you have paired again."),
        "root": _("The root key cannot be replaced on a line that stands: a new station and new lines must follow."),
    }
    if not said_yes(said[role] + "\n" + _("To say so on the line, type yes")):
        raise refused(_("Nothing was changed."), "", name="not-confirmed")


def _root(home: Path, root: Path | None, key_file: Path | None) -> "Signer":
    from openline.cli.unlocking import existing, unlock_of
    from openline.station.config import FILE, load_config
    from openline.station.keystore import ROOT, open_root

    path = root or home / "keys" / ROOT
    if not path.exists():
        raise refused(
            _("The root key is not here."), _("Bring it: --root FILE, or lay root.key into keys/."), name="no-root-key"
        )
    if key_file is None and root is None and (home / FILE).exists():
        unlock = unlock_of(home, load_config(home))
    else:
        unlock = existing(key_file, _("Passphrase of the root key"))
    return open_root(path, unlock)


def _certified(desk: Desk, role: str, root: Path | None, key_file: Path | None, *, stolen: bool) -> None:
    """A new lane key or certificate, signed by the root here; the station never sees the root key."""
    from openline.cli.running import with_station

    signer = _root(desk.home, root, key_file)

    def work(station: Local) -> None:
        plan: Json = station.client.post("keys/plan", {"role": role})
        body = _signed(plan, signer)
        if role == "certificate":
            body.pop("statements")
        done = station.client.post("keys/rotate", {"role": role, "stolen": stolen, **body})
        labels = ", ".join(inert_line(str(label)) for label in done["lines"]) or _("no line")
        what = key_word(role)
        lines = [_("New: {key}. Said on: {lines}.").format(key=what, lines=labels)]
        if done["waits_for"]:
            names = ", ".join(inert_line(str(name)) for name in done["waits_for"])
            lines.append(_("It is used once these have acknowledged it: {names}.").format(names=names))
        if role == "lane":
            lines.append(_("Write a new backup now: one of before cannot speak on these lines any more."))
        if stolen:
            lines.append(
                _("Tell the other floor by voice, and agree on the last message that you both hold for genuine.")
            )
        desk.out.answer(done, lines)

    with_station(desk, work)


def _signed(plan: Json, root: "Signer") -> Json:
    """What the root signs of a plan: a card, and a statement for each line."""
    from openline.kernel.crypto import Verifier
    from openline.kernel.keys import make_card, make_statement
    from openline.kernel.lane import parse_generation
    from openline.kernel.units import Instant
    from openline.station.card import DAYS
    from openline.station.cards import armoured

    lane = Verifier(base64.b64decode(plan["lane_ed25519"]), base64.b64decode(plan["lane_mldsa"]))
    made = Instant(int(plan["now"]))
    card = make_card(
        name=str(plan["name"]), root=root, lane=lane, certificate=base64.b64decode(plan["certificate"]),
        addresses=tuple(map(str, plan["addresses"])), made=made, expires=Instant(made + DAYS * 86_400_000),
    )  # fmt: skip
    statements = []
    for place in plan["places"]:
        generation = parse_generation(str(place["generation"]))
        signed = make_statement(bytes.fromhex(place["line"]), int(place["party"]), generation, lane, root)
        statements.append(
            {
                "line": place["line"],
                "generation": place["generation"],
                "statement": base64.b64encode(signed).decode(),
            }
        )
    return {"card": armoured(card), "statements": statements}


def _say_stolen(desk: Desk, role: str, line: str) -> None:
    body: Json = {"role": role}
    if line:
        body["line"] = str(desk.station.line(line)["label"])
    done = desk.station.client.post("keys/stolen", body)
    labels = ", ".join(inert_line(str(label)) for label in done["lines"]) or _("no line")
    after = {
        "psk": _("Now pair again, on both floors: openline keys rotate psk LINE"),
        "data": _(
            "Now: keys compromised lane, keys compromised tls, keys rotate psk LINE on each line; then stop the station, keys"
            " rotate data, and best a new machine."
        ),
        "root": _("Now begin a new station and new lines. These lines go on; believe no new card of ours."),
    }
    desk.out.answer(done, [_("Said on: {lines}.").format(lines=labels), after[role]])


def _passphrase(desk: Desk) -> None:
    """What opens this station, changed; the station may run meanwhile."""
    import os

    from openline.cli.unlocking import chosen, unlock_of
    from openline.station.config import load_config
    from openline.station.keystore import Keystore
    from openline.station.unlock import KeyFile

    unlock = unlock_of(desk.home, load_config(desk.home))
    if isinstance(unlock, KeyFile):
        raise refused(
            _("This station is opened by a key file."),
            _("Write a backup and restore it with another key file: openline restore --unlock-file FILE"),
        )
    keystore = Keystore.open(desk.home / "keys", unlock, os.urandom)
    keystore.change_unlock(unlock, chosen(None, _("A new passphrase for this station")))
    desk.out.answer({"changed": "passphrase"}, [_("The station opens by the new passphrase from its next start on.")])


def _data(desk: Desk) -> None:
    """What seals the store, changed; the station must not run."""
    import os

    from openline.cli.unlocking import unlock_of
    from openline.station.config import load_config
    from openline.station.data_key import rotate_data_key

    lines = rotate_data_key(desk.home, unlock_of(desk.home, load_config(desk.home)), os.urandom)
    desk.out.answer(
        {"changed": "data", "lines": lines},
        [
            _("The store has a new key. What is written from now on opens by no key of before."),
            _("What was written before stays under its own key. Write a new backup, then: openline up"),
        ],
    )


def _take_card(desk: Desk, line: str, file: Path) -> None:
    done = desk.station.client.post(desk.station.about_line(line) + "/cards", {"card": _text(file)})
    desk.out.answer(done, [_("Taken: the newest card known of that station.")])


# --- a lost station ------------------------------------------------------------------------------------------


@command(
    "papers",
    _("Write the papers of a line, for the other side when its station is lost: with its root key it comes back by"
      " them."),
    more=(_("Nothing in them is secret. Hand them over on a stick or by mail."),),
    examples=("openline papers ALPHA > alpha.papers",),
)  # fmt: skip
@click.argument("line")
def papers_(desk: Desk, *, line: str) -> None:
    """Write line papers."""
    text = desk.station.client.text(desk.station.about_line(line) + "/papers")
    desk.out.answer({"papers": text}, text.splitlines())


@command(
    "rebuild",
    _("Make a lost station anew: from its root key and the papers that the other sides give."),
    more=(
        _("It gets new keys under the same root, hence the same fingerprint. Then: openline up, hand over the new card, and"
          " openline pair --again LINE on both sides. What was said before comes back from the others, verified."),
        _("The old station must never start again. With a backup, restore it instead: openline restore"),
    ),
    examples=("openline rebuild alpha.papers --root /media/usb/root.key --listen 192.0.2.1:7601 --home /srv/openline",),
)  # fmt: skip
@click.argument("papers", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--root", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE", help=_("The root key.")
)
@click.option(
    "--root-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=_("The file that opens the root key (default: a passphrase)."),
)
@click.option("--listen", multiple=True, metavar="ADDRESS", help=_("Where to listen, as 192.0.2.1:7601; repeatable."))
@click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="ADDRESS",
    help=_("Where the others reach us, for the card (default: where we listen); repeatable."),
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=_("Open the keys by this file instead of a passphrase; made if it is not there."),
)
def rebuild_(
    desk: Desk,
    *,
    papers: Sequence[Path],
    root: Path,
    root_key_file: Path | None,
    listen: Sequence[str],
    addresses: Sequence[str],
    key_file: Path | None,
) -> None:
    """Rebuild a station."""
    from openline.cli.language import language
    from openline.cli.moments import now_ms
    from openline.cli.unlocking import chosen
    from openline.station.config import FILE
    from openline.station.files import check_path
    from openline.station.line_papers import read_papers
    from openline.station.rebuilding import Wanted, rebuild_home

    home = desk.home.absolute()
    if (home / FILE).exists():
        raise refused(
            _("There is a station in {home} already.").format(home=inert_line(str(home))),
            _("Name another folder: --home DIR"),
            name="conflict",
        )
    read = [read_papers(_text(file)) for file in papers]
    signer = _root(home, root.absolute(), root_key_file)
    check_path(home).mkdir(mode=0o700, parents=True, exist_ok=True)
    unlock = chosen(key_file, _("A passphrase for this station"))
    wanted = Wanted(listen=tuple(listen), addresses=tuple(addresses) or None, language=language())
    made = rebuild_home(home, read, root=signer, unlock=unlock, wanted=wanted, now=now_ms())
    desk.out.answer(
        {"home": str(home), "name": made.card.name, "lines": len(read)},
        [
            _("The station {name} is made in {home}.").format(name=made.card.name, home=inert_line(str(home))),
            _("Make sure that the old station never starts again."),
            _("Next: openline up; hand your new card to the other floor; then on both sides:"),
            "  openline pair --again LINE",
        ],
    )


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("ascii", errors="replace")
    except OSError:
        raise _unreadable(file) from None


def _unreadable(file: Path) -> Failure:
    return usage(_("There is no file {file}.").format(file=inert_line(str(file))))
