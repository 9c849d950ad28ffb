"""The signs of the watch floor on a terminal: shape and word, colour only beside them."""

from collections.abc import Mapping
from typing import Any

from openline.cli.language import _
from openline.cli.moments import clock
from openline.cli.output import Output

# name -> (shape, stand-in, colour). More corners, more haste.
_PRECEDENCE = {
    "flash": ("⬢", "Z", "act"),
    "immediate": ("◆", "O", "look"),
    "priority": ("△", "P", ""),
    "routine": ("○", "R", "quiet"),
}
# state -> (wire, stand-in, colour): two strands, one broken, a cross, two bars.
_WIRES = {
    "in service": ("════", "====", "work"),
    "degraded": ("═╌═╌", "=-=-", "look"),
    "fault": ("══✕ ", "==X ", "act"),
    "suspended": ("═‖═ ", "=II ", "chosen"),
    "opening": ("╌╌  ", "--  ", "absent"),
    "stopped": ("  ✕ ", "  X ", "act"),
}
STEPS = ("held", "presented", "read", "relayed")


def precedence(out: Output, name: str) -> str:
    """◆ IMMEDIATE."""
    shape, plain, colour = _PRECEDENCE.get(name, ("?", "?", ""))
    text = f"{out.sign(shape, plain)} {name.upper()}"
    return out.paint(text, colour) if colour else text


def wire(out: Output, state: str) -> tuple[str, str]:
    """The drawing of a line's state, and its colour."""
    shape, plain, colour = _WIRES.get(state, ("?   ", "?   ", "look"))
    return out.sign(shape, plain), colour


def state_word(state: str) -> str:
    """The state of a line in one or two words."""
    words = {
        "in service": _("in service"),
        "degraded": _("degraded"),
        "fault": _("fault"),
        "suspended": _("suspended"),
        "opening": _("opening"),
        "stopped": _("out of service"),
    }
    return words.get(state, state)


def ladder(out: Output, status: Mapping[str, Any]) -> str:
    """The four receipts of one party up to the highest, and where it stands in words: ■■□□ presented."""
    highest = max((rung for rung, step in enumerate(STEPS, 1) if status.get(step)), default=0)
    drawn = out.sign("■", "#") * highest + out.sign("□", ".") * (len(STEPS) - highest)
    return f"{drawn} {standing(status)}"


def standing(status: Mapping[str, Any]) -> str:
    """How far a message came at one party, in words."""
    if status.get("answered"):
        return _("answered")
    if status.get("declined"):
        return _("declined")
    if status.get("interim_until"):
        return _("considering until {moment}").format(moment=clock(int(status["interim_until"])))
    for step, words in (
        ("relayed", _("relayed")),
        ("read", _("read")),
        ("presented", _("presented")),
        ("held", _("held")),
    ):
        if status.get(step):
            return words + _("; nobody on watch there") if status.get("meaning") == "unattended" else words
    since = clock(int(status["silent_since"])) if status.get("silent_since") is not None else "-"
    told = {
        "bearers-down": _("sent, unknown: no bearer to them is up"),
        "station-silent": _("sent, unknown: their station is silent since {moment}").format(moment=since),
        "sent-unknown": _("sent one way, unknown"),
    }
    return told.get(str(status.get("meaning")), _("sent, unknown"))


def role_word(role: str) -> str:
    """A role in words."""
    words = {
        "watch-officer": _("watch officer"),
        "principal": _("principal"),
        "interpreter": _("interpreter"),
        "technician": _("technician"),
        "auditor": _("auditor"),
        "administrator": _("administrator"),
    }
    return words.get(role, role)


def step_word(step: str) -> str:
    """A receipt in words."""
    words = {
        "held": _("held"),
        "presented": _("presented"),
        "read": _("read"),
        "relayed": _("relayed"),
        "answered": _("answered"),
    }
    return words.get(step, step)
