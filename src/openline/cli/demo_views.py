"""How the demonstration looks in a terminal: calm, in order, nothing that blinks.

Each side has its margin: the first station's words stand at the left, the
second's are set in; the simulated clock stands before both.
"""

import shlex
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openline.cli import scenario as parts
from openline.cli.demo_consoles import Door
from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.output import Cell, Output, table
from openline.cli.playing import Played, when
from openline.cli.scenario import StationKey
from openline.cli.signs import precedence

INDENT: Mapping[StationKey, str] = {"alpha": "  ", "bravo": "          "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrator:
    """Tells a person what happens."""

    out: Output
    language: str

    def chapter(self, text: str) -> None:
        """A new part begins."""
        rule = self.out.sign("─", "-")
        self.out.say("", self.out.paint(f"{rule * 2} {text} ", "chosen") + self.out.paint(rule * 3, "quiet"))

    def command(self, station: str, words: Sequence[str], folder: Path) -> None:
        """What is being run, as somebody would type it."""
        shown = shlex.join(words).replace(f"{folder}/", "")
        prompt = f"{station} $" if station else "$"
        self.out.say(
            "  " + self.out.paint(prompt, "quiet") + " " + (shown if len(shown) < 150 else shown[:147] + "...")
        )

    def fact(self, name: str, value: str) -> None:
        """A fact worth seeing."""
        self.out.say(f"    {name}", f"    {self.out.paint(value, 'peer')}")

    def good(self, text: str) -> None:
        """Something is as it should be."""
        self.out.say("  " + self.out.paint(self.out.sign("✓ ", "+ ") + text, "work"))

    def clock_note(self, text: str) -> None:
        """That the clock is simulated, before anything else."""
        label = self.out.paint(_("SIMULATED CLOCK"), "look")
        self.out.say(*self._wrapped(f"{label}. {text}", "  "))

    def hint(self, text: str) -> None:
        """Something to try."""
        self.out.say(f"  {text}")

    def note(self, text: str) -> None:
        """Something to know."""
        self.out.say("", *self._wrapped(text, "  "))

    def ask(self, text: str) -> None:
        """Something that is waited for."""
        self.out.say("", f"  {self.out.paint(text, 'look')}")

    def door(self, name: str, door: Door) -> None:
        """Where a console is, and the link that opens it: on a line of its own, never broken."""
        self.out.say("", f"  {self.out.paint(name, 'chosen')}  {_('signs in as {sign}').format(sign=door.sign)}")
        self.out.say(f"    {self.out.paint(door.link, 'peer')}")

    def quote(self, text: str) -> None:
        """What a command printed."""
        self.out.say(*(f"    {line}" for line in text.rstrip().splitlines()))

    def step(self, played: Played, names: Mapping[StationKey, str]) -> None:
        """One step of the scenario."""
        step = played.step
        margin = INDENT[step.station]
        head = self.out.paint(f"{when(step)}  [{played.number}/{played.of}]", "quiet")
        if isinstance(step, parts.Narrate):
            self.out.say("", head, *self._wrapped(step.text.spoken(self.language), "  "))
            return
        name = names[step.station]
        self.out.say("", head)
        if step.say is not None:
            self.out.say(*self._wrapped(self.out.paint(step.say.spoken(self.language), "quiet"), "  "))
        self.out.say(*(margin + line for line in self._act(played, name)))

    def _act(self, played: Played, name: str) -> list[str]:
        step = played.step
        held = self.out.sign("■□□□ ", "#--- ") + _("held by the other side") if played.held else _("sent, unknown")
        state = self.out.paint(held, "work" if played.held else "look")
        if isinstance(step, parts.Message):
            sign = precedence(self.out, step.precedence)
            title = f"{sign} {self.out.paint(inert_line(played.reference), 'peer')}"
            lines = [title, self.out.paint(step.shown_subject, "chosen") if step.tag else step.shown_subject]
            lines += self._wrapped(step.text, self.out.sign("│ ", "| "))
            if step.answer_by is not None:
                lines.append(self.out.paint(_("answer by {time}").format(time=_moment(step.answer_by)), "look"))
            return [*lines, state]
        return [f"{name}: {self._deed(step)}", state]

    def _deed(self, step: parts.Step) -> str:
        match step:
            case parts.Presented():
                return _("it is on an attended screen ({sign})").format(sign=step.sign)
            case parts.Read():
                return _("read by the watch officer ({sign})").format(sign=step.sign)
            case parts.Relayed():
                return _("put before: {role} ({sign})").format(role=step.role, sign=step.sign)
            case parts.Interim():
                until = _moment(step.answer_by)
                return _("answer by {time}").format(time=until) + (f": {step.text}" if step.text else "")
            case parts.Decline():
                return _("declined: {text}").format(text=step.text)
            case parts.Watch():
                word = _("on watch") if step.attended else _("the floor is unattended")
                return f"{word} ({step.sign})"
            case parts.Service():
                return _("operators: {text}").format(text=step.text)
            case parts.Suspend():
                return _("suspends the line; FLASH still passes: {text}").format(text=step.text)
            case parts.Lift():
                return _("lifts its suspension: {text}").format(text=step.text)
            case parts.Attach():
                return _("attaches {name}").format(name=step.name)
            case _:
                return _("tests the line")

    def both(self, views: Mapping[str, list[dict[str, Any]]], digests: Mapping[str, str]) -> None:
        """Every message with its state as each side sees it; both columns say the same, or something is wrong."""
        places: dict[tuple[int, str, int], dict[str, dict[str, Any]]] = {}
        for name, entries in views.items():
            for entry in entries:
                ref = entry["ref"]
                places.setdefault((ref["lane"], ref["generation"], ref["index"]), {})[name] = entry
        rows: list[list[Cell | str]] = []
        for seen in sorted(places.values(), key=lambda seen: min(int(e["time"]) for e in seen.values())):
            any_entry = next(iter(seen.values()))
            row: list[Cell | str] = [str(any_entry["ref"].get("reference") or any_entry["author"])]
            row += [self._standing(seen.get(name)) for name in views]
            rows.append(row)
        headings = [_("message"), *(_("as {name} sees it").format(name=name) for name in views)]
        self.out.say(*(f"  {line}" for line in table(self.out, headings, rows)))
        if len(set(digests.values())) == 1:
            same = _("Both fold their logs to the same state: {digest}").format(
                digest=next(iter(digests.values()))[:16]
            )
            self.good(same)
        else:
            self.out.say("  " + self.out.paint(_("The two sides do not fold to the same state."), "act"))

    def _standing(self, entry: dict[str, Any] | None) -> Cell:
        if entry is None:
            return Cell(_("not here"), "act")
        for party, status in (entry.get("status") or {}).items():
            ladder = [bool(status.get(step)) for step in ("held", "presented", "read", "relayed")]
            full, empty = self.out.sign("■", "#"), self.out.sign("□", "-")
            words = [_("answered")] if status.get("answered") else []
            words += [_("declined")] if status.get("declined") else []
            words += [_("superseded")] if entry.get("superseded") else []
            squares = "".join(full if reached else empty for reached in ladder)
            return Cell(f"{squares} {party} {', '.join(words)}".rstrip(), "work" if ladder[0] else "look")
        return Cell(_("held"))

    def ended(self, seconds: float, folder: Path | None) -> None:
        """The scenario is over."""
        self.out.say("")
        self.good(_("Played, exported and verified in {seconds} s.").format(seconds=round(seconds)))
        if folder is not None:
            self.out.say(f"  {_('Everything is kept in {folder}.').format(folder=folder)}")

    def _wrapped(self, text: str, margin: str) -> list[str]:
        wide = max(self.out.columns - 14, 40)
        lines: list[str] = []
        for paragraph in text.splitlines() or [""]:
            lines += [margin + line for line in textwrap.wrap(paragraph, wide) or [""]]
        return lines


def _moment(moment: object) -> str:
    return f"{moment:%d %b %H:%MZ}"
