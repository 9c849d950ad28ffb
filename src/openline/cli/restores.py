"""What people read of a new generation: who was restored, from what, what came back and what did not.

Spec: spec/13-restart.md (13.9, 13.14).
"""

from collections.abc import Mapping
from typing import Any

from openline.cli.inert import inert_line
from openline.cli.language import _, _n
from openline.cli.moments import clock

SHOWN_MS = 7 * 86_400_000
"""How long the first screen tells of it: a watch that was away over a long weekend still reads it."""


def headword(told: Mapping[str, Any]) -> str:
    """What an opening says, on the line of a history."""
    parts = [_cause(told), *_knew(told), *_back(told), *_missing(told)]
    return "; ".join(parts)


def sentences(line: Mapping[str, Any], now: int | None = None) -> list[str]:
    """All restores of a line in plain words; with `now` only those of the last days."""
    said: list[str] = []
    for told in line.get("generations") or ():
        if now is None or now - int(told["time"]) < SHOWN_MS:
            said += _sentences(line, told)
    return said


def _sentences(line: Mapping[str, Any], told: Mapping[str, Any]) -> list[str]:
    form = _("This station, line {line}, {moment}: {what}.") if told["own"] else _("{party}, {moment}: {what}.")
    what = "; ".join([_cause(told), *_knew(told)])
    label, party = inert_line(str(line["label"])), inert_line(str(told["party"]))
    said = [form.format(line=label, party=party, moment=clock(int(told["time"])), what=what)]
    more = "; ".join([*_back(told), *_missing(told)])
    if more:
        said.append(f"{more[:1].upper()}{more[1:]}.")
    if told["own"] and told["back"] and told["known_until"] is not None:
        since = clock(int(told["known_until"]))
        said.append(
            _("Read what came back: openline history {line} --since '{moment}'").format(line=label, moment=since)
        )
    return said


def _cause(told: Mapping[str, Any]) -> str:
    words = {
        "restored": _("restored from an old copy"),
        "rotation": _("the keys of its lanes were changed"),
        "superseded": _(
            "it was shown a generation of its own that it did not know: it was restored before, or a copy of it runs"
        ),
        "compromised": _("its lane key was held for stolen"),
    }
    return words.get(str(told["cause"]), inert_line(str(told["cause"])))


def _knew(told: Mapping[str, Any]) -> list[str]:
    """Up to where its store knew its own lanes."""
    if told["cause"] in {"rotation", "superseded"}:
        return []
    if known := [inert_line(str(reference)) for reference in told["known"]]:
        return [_("its store knew its own messages up to {known}").format(known=", ".join(known))]
    if told["known_until"] is None:
        return [_("its store knew nothing of its own")]
    return [_("its store knew up to {moment}, and no message").format(moment=clock(int(told["known_until"])))]


def _back(told: Mapping[str, Any]) -> list[str]:
    if not told["back"]:
        return []
    if told["own"]:
        said = _n(
            "{number} entry that it had lost came back", "{number} entries that it had lost came back", told["back"]
        )
    else:
        said = _n(
            "{number} entry that it had lost is held here and goes back to it",
            "{number} entries that it had lost are held here and go back to it",
            told["back"],
        )
    return [said, _("messages among them: {messages}").format(messages=told["back_messages"])]


def _missing(told: Mapping[str, Any]) -> list[str]:
    """What nobody gave back; only the restored station itself can know."""
    if not told["own"] or told["cause"] != "restored":
        return []
    if told["missing"] is None:
        return [_("its high-water mark was lost too: what nobody else held is gone, and how much cannot be known")]
    if not told["missing"]:
        return [_("nothing that it had is missing")]
    number = sum(each["last"] - each["first"] + 1 for each in told["missing"])
    places = ", ".join(_place(each) for each in told["missing"])
    said = _n("{number} entry has not come back", "{number} entries have not come back", number)
    return [f"{said}: {places}"]


def _place(missing: Mapping[str, Any]) -> str:
    lane = f"{missing['lane']}.{inert_line(str(missing['generation']))}"
    first, last = missing["first"], missing["last"]
    return f"{lane}:{first}" if first == last else f"{lane}:{first}-{last}"
