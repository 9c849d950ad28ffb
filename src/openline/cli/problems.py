"""What the station says is wrong with it, in the language of the interface.

It says so in English: a constant, or a name with a constant behind it (`BRAVO: no link to any party`). The constants stand
in the catalogues; what stands in none, such as the name of a failure, is shown as it came.
"""

from openline.cli.inert import inert_line
from openline.cli.language import _

NAMED = (
    "bearer {name}",
    "alarm path {name}",
    "the roster has hours without {name}",
    "the heartbeat for the dead-man's switch",
)
"""What stands before the constant, where it is not the label of a line."""


def in_words(problem: str) -> str:
    """A problem as a sentence."""
    whole = _(problem)
    if whole == problem:
        about, colon, what = problem.partition(": ")
        whole = f"{_about(about)}: {_what(what)}" if colon else problem
    shown = inert_line(whole)
    return shown[:1].upper() + shown[1:] + "."


def _about(text: str) -> str:
    for form in NAMED:
        before = form.removesuffix("{name}")
        if text.startswith(before):
            return _(form).format(name=text.removeprefix(before))
    return text


def _what(text: str) -> str:
    """A constant, or two of them: a line is at fault, and suspended besides."""
    found = _(text)
    return found if found != text else "; ".join(_(part) for part in text.split("; "))
