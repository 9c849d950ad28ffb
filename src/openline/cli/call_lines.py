"""What entries about calls say, on one line; and the words for states and causes that lists of calls share."""

from collections.abc import Mapping
from typing import Any

from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.signs import role_word

_COLUMNS = 48


def call_state(state: str) -> str:
    """Where a call stands, in words."""
    words = {
        "ringing": _("ringing"),
        "open": _("open"),
        "ended": _("ended"),
        "refused": _("refused"),
        "missed": _("MISSED"),
        "withdrawn": _("withdrawn"),
        "yielded": _("yielded to another"),
    }
    return words.get(state, inert_line(state))


def call_cause(cause: str) -> str:
    """Why a call ended or was not answered, in words; empty where the state says it."""
    words = {
        "declined": _("declined"),
        "not-answered": _("nobody answered"),
        "unattended": _("the floor is unattended"),
        "busy": _("another call is open on the line"),
        "suspended": _("the line is suspended"),
        "no-console": _("no console was open"),
        "console-lost": _("a console was lost, and nobody took the call over"),
        "not-protected": _("the sound was not protected as the consoles had signed"),
        "check-failed": _("the spoken check did not match"),
        "wrong-key": _("the caller's key is not the one that the ring committed to"),
        "yields": _("two calls crossed, and the other one stands"),
    }
    return words.get(cause, "")


def _act(act: str) -> str:
    words = {
        "opens": _("opens"),
        "joins": _("joins"),
        "takes-over": _("takes over"),
        "leaves": _("leaves"),
        "lost": _("lost"),
        "connected": _("connected"),
        "matched": _("the spoken check matched"),
        "differed": _("the spoken check did not match"),
    }
    return words.get(act, inert_line(act))


def call_gist(entry: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """What an entry about a call says."""
    who = f"{role_word(str(body['role']))} {inert_line(str(body['sign']))}"
    by = _("by {who}").format(who=who)
    match str(entry["kind"]):
        case "ring":
            place = entry["ref"]
            named = f"{place['lane']}.{place['generation']}:{place['index']}"
            return " ".join(
                filter(None, (named, inert_line(str(body["precedence"]).upper()), by, _said(body, "subject")))
            )
        case "refusal":
            return " ".join(filter(None, (call_cause(str(body["cause"])), by, _said(body, "text"))))
        case "seat":
            return f"{_act(str(body['act']))} ({body['number']}) {by}"
        case "hang-up":
            return " ".join(filter(None, (call_cause(str(body["cause"])), by, _said(body, "text"))))
        case "typed-line":
            return f"{by} {_said(body, 'text')}"
        case "minutes":
            return _("{number} clauses").format(number=len(body["clauses"])) + f" {by}"
        case "minutes-word":
            agreed = sum(bool(each["agreed"]) for each in body["clauses"])
            return (
                _("agreed to {agreed} of {number} clauses").format(agreed=agreed, number=len(body["clauses"]))
                + f" {by}"
            )
        case _:
            return by


def _said(body: Mapping[str, Any], name: str) -> str:
    text = inert_line(str(body.get(name) or ""))
    return f"“{text[:_COLUMNS]}{'…' if len(text) > _COLUMNS else ''}”" if text else ""
