"""The demonstration: two stations on this machine, paired, and a scenario played through the line between them.

Everything is real but the clock and the people: two processes, two folders of
keys, TLS between them, signed logs, receipts. What is run is shown as the
commands that anybody would type, and both consoles stand open in the browser
while it happens.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import click

from openline.cli import demo_consoles as consoles
from openline.cli import scenario as parts
from openline.cli.command import Helped
from openline.cli.demo_consoles import Door
from openline.cli.demo_views import Narrator
from openline.cli.language import LANGUAGES, _, choose, language, wanted
from openline.cli.output import output_for
from openline.cli.playing import Played, Player
from openline.cli.scenario import Scenario, StationKey, Step, load
from openline.kernel.errors import Refused, Unavailable
from openline.station.client import Client

SCENARIOS = Path(__file__).resolve().parents[3] / "examples" / "scenarios"
INTERRUPTED = 130
"""Exit code: Ctrl-C or SIGTERM before the scenario had ended (128 and SIGINT, as shells tell it)."""
KEYS: tuple[StationKey, StationKey] = ("alpha", "bravo")
READING_S = 2.0
"""How long a step stands before the next: time to look at a terminal and two windows; a long text, longer."""
MOST_READING_S = 4.0
CHARACTERS_PER_S = 80
START_S = 60.0
END_S = 30.0
"""A station ends within two seconds; on a machine that does much else, later. One that is killed leaves its socket behind."""
REST_S = 3.0
"""A line at rest is signed with both keys after a second and a half; twice that for slow machines."""


class Failed(click.ClickException):
    """The demonstration cannot go on; says what happened and what to do."""


@dataclass(slots=True)
class Demo:
    """One run of the demonstration."""

    folder: Path
    scenario: Scenario
    fast: bool
    narrator: Narrator
    running: dict[StationKey, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    fingerprints: dict[StationKey, str] = field(default_factory=dict)
    doors: dict[StationKey, Door] = field(default_factory=dict)

    def name(self, key: StationKey) -> str:
        """The station's name in this scenario."""
        return getattr(self.scenario.header.stations, key).name  # type: ignore[no-any-return]

    def home(self, key: StationKey) -> Path:
        """The station's data folder."""
        return self.folder / key

    def socket(self, key: StationKey) -> Path:
        """Its local API."""
        return self.home(key) / "run" / "api.sock"

    def openline(self, key: StationKey | None, *words: str, shown: bool = True) -> str:
        """Run a command of `openline` as a person would; return what it printed. Raises Failed."""
        if shown:
            self.narrator.command(self.name(key) if key else "", ["openline", *words], self.folder)
        environment = dict(os.environ, OPENLINE_LANG=self.narrator.language, NO_COLOR="1")
        if key is not None:
            environment["OPENLINE_HOME"] = str(self.home(key))
        done = subprocess.run(  # noqa: S603 - our own command line
            [sys.executable, "-m", "openline", *words], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Failed((done.stderr or done.stdout).strip() or _("A command failed without saying why."))
        return done.stdout

    # --- before the scenario ---

    def found(self) -> None:
        """Make both stations: keys, store, configuration."""
        self.narrator.chapter(_("Two stations, each with its own keys and its own store"))
        for key in KEYS:
            language = getattr(self.scenario.header.stations, key).languages[0]
            words = ["init", self.name(key), "--listen", f"127.0.0.1:{_free_port()}"]
            words += ["--key-file", str(self.folder / f"{key}.key"), "--lang", language, "--simulated-clock"]
            self.openline(key, *words)
            consoles.configure(self.home(key), key)
            card = self.openline(key, "card")
            (self.folder / f"{key}.card").write_text(card)
            shown = self.openline(key, "card", "--fingerprint", shown=False)
            digits = re.findall(r"(?:\d{5} ?){6,12}", shown)
            self.fingerprints[key] = " ".join(" ".join(digits).split())
            self.narrator.fact(_("fingerprint of {name}").format(name=self.name(key)), self.fingerprints[key])

    def start(self) -> None:
        """Start both stations as processes of their own."""
        self.narrator.chapter(_("Both stations start"))
        for key in KEYS:
            self.narrator.command(self.name(key), ["openline", "up"], self.folder)
            log = (self.folder / f"{key}.log").open("wb")
            environment = dict(os.environ, OPENLINE_HOME=str(self.home(key)))
            self.running[key] = subprocess.Popen(
                [sys.executable, "-m", "openline", "up"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours to pass on, so that both end in order
            )
            log.close()
        for key in KEYS:
            self._await_api(key)

    def _await_api(self, key: StationKey) -> None:
        deadline = time.monotonic() + START_S
        while True:
            if self.running[key].poll() is not None:
                raise Failed(_("The station {name} did not start; see {file}.").format(
                    name=self.name(key), file=self.folder / f"{key}.log"))  # fmt: skip
            try:
                with Client(self.socket(key), timeout_s=5.0) as station:
                    station.get("status")
            except (Refused, Unavailable):
                if time.monotonic() > deadline:
                    raise Failed(_("The station {name} does not answer.").format(name=self.name(key))) from None
                time.sleep(0.05)
            else:
                return

    def pair(self) -> None:
        """Pair the two, each with the other's fingerprint in hand, and wait until the line is open."""
        self.narrator.chapter(_("They exchange cards, compare fingerprints and sign the same terms"))
        terms = self.folder / "terms.toml"
        languages = sorted({tag for key in KEYS for tag in getattr(self.scenario.header.stations, key).languages})
        title = self.scenario.header.title.en.replace('"', "'")
        listed = ", ".join(f'"{tag}"' for tag in languages)
        terms.write_text(f'title = "{title}"\nlanguages = [{listed}]\ntest_minutes = 0\nexercise = true\n')
        pairing = []
        for key, other in zip(KEYS, reversed(KEYS), strict=True):
            words = ["pair", str(self.folder / f"{other}.card"), "--terms", str(terms)]
            words += ["--fingerprint", self.fingerprints[other], "--yes"]
            self.narrator.command(self.name(key), ["openline", *words], self.folder)
            pairing.append(self._begin(key, words))
        for key, process in zip(KEYS, pairing, strict=True):
            _out, err = process.communicate(timeout=60)
            if process.returncode:
                raise Failed(f"{self.name(key)}: {err.decode().strip()}")
        deadline = time.monotonic() + START_S
        while any(self._state(key) != "in service" for key in KEYS):
            if time.monotonic() > deadline:
                raise Failed(_("The line did not come into service."))
            time.sleep(0.05)
        self.narrator.good(_("The line is open: both have signed the same terms."))

    def _begin(self, key: StationKey, words: Sequence[str]) -> "subprocess.Popen[bytes]":
        environment = dict(os.environ, OPENLINE_HOME=str(self.home(key)), OPENLINE_LANG=self.narrator.language)
        return subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-m", "openline", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def line(self, key: StationKey) -> dict[str, Any]:
        """The line as that station shows it."""
        with Client(self.socket(key)) as station:
            lines = station.get("lines")["lines"]
        found: dict[str, Any] = lines[0] if lines else {}
        return found

    def _state(self, key: StationKey) -> str:
        return str(self.line(key).get("state", ""))

    def open_consoles(self) -> None:
        """Make a one-time link to each console, and wait for the visitor, if one can be waited for."""
        self.narrator.chapter(_("Both consoles wait at these addresses"))
        for key in KEYS:
            self.doors[key] = self._door(key, consoles.officer(self.scenario, key))
        for key, door in self.doors.items():
            self.narrator.door(self.name(key), door)
        self.narrator.note(
            _(
                "Each link signs in once, within 15 minutes. The browser will warn: it does not know these stations'"
                " own authorities, made a moment ago. Let it go on, for this address alone."
            )
        )
        if self.narrator.out.terminal and not self.fast:
            self.narrator.ask(_("The scenario begins when both are open, or when you press Enter."))
            consoles.gathered(self.doors, self.socket)

    def _door(self, key: StationKey, sign: str) -> Door:
        words = consoles.words_for(sign)
        if getattr(self.scenario.header.stations, key).languages[0] != self.narrator.language:
            used = self.openline(key, *words, shown=False)
            with Client(self.socket(key)) as station:
                authority = str(station.get("console/authority")["certificate"])
            consoles.speak(consoles.link_in(used), self.narrator.language, authority)
        return Door(key=key, sign=sign, link=consoles.link_in(self.openline(key, *words)))

    # --- the scenario, and after it ---

    def play(self) -> None:
        """Play every step."""
        header = self.scenario.header
        self.narrator.chapter(header.title.spoken(self.narrator.language))
        self.narrator.clock_note(header.clock.note.spoken(self.narrator.language))
        line = str(self.line("alpha")["line"])
        names = {key: self.name(key) for key in KEYS}
        with Client(self.socket("alpha")) as alpha, Client(self.socket("bravo")) as bravo:
            player = Player(scenario=self.scenario, stations={"alpha": alpha, "bravo": bravo}, line=line)
            for played in player.play(self._pause):
                self.narrator.step(played, names)

    def _pause(self, step: Step) -> None:
        if self.fast:
            return
        text = step.text if isinstance(step, parts.Message | parts.Service) else ""
        time.sleep(READING_S + min(len(text) / CHARACTERS_PER_S, MOST_READING_S))

    def record(self) -> None:
        """Export on both sides, verify each export with the other's fingerprint, and show what both see."""
        self.narrator.chapter(_("The record: each side exports, and verifies without any key"))
        self.narrator.hint(_("A pause: after one, each side signs what it said last with its post-quantum key too."))
        time.sleep(REST_S)
        for key, other in zip(KEYS, reversed(KEYS), strict=True):
            folder = self.folder / f"export-{key}"
            label = str(self.line(key)["label"])
            self.openline(key, "export", label, str(folder))
            verdict = self.openline(None, "verify", str(folder), "--expect", self.fingerprints[other])
            self.narrator.quote(verdict)
        self.narrator.chapter(_("The transcript, as both sides see it"))
        views = {}
        for key in KEYS:
            with Client(self.socket(key)) as station:
                entries = station.get(f"lines/{self.line(key)['line']}/entries", limit=1_000, kind="message")
                views[self.name(key)] = entries["entries"] if isinstance(entries, dict) else entries
        self.narrator.both(views, {self.name(key): str(self.line(key)["digest"]) for key in KEYS})

    def stay(self) -> None:
        """Leave both stations up until Ctrl-C."""
        self.narrator.chapter(_("Both stations stay up until Ctrl-C"))
        for key, door in self.doors.items():
            self.narrator.fact(self.name(key), door.address)
        self.narrator.hint(_("In another terminal:"))
        activate = Path(sys.executable).parent / "openline"
        for key in KEYS:
            self.narrator.hint(f"OPENLINE_HOME={self.home(key)} {activate} inbox")
        for key, door in self.doors.items():  # without --role: the officer is there
            self.narrator.hint(f"OPENLINE_HOME={self.home(key)} {activate} console link {door.sign}")
        label = str(self.line("alpha")["label"])
        self.narrator.hint(f"OPENLINE_HOME={self.home('alpha')} {activate} send {label} --wait held 'Good evening.'")
        while all(process.poll() is None for process in self.running.values()):
            time.sleep(0.2)
        raise Failed(_("A station has ended; see the logs in {folder}.").format(folder=self.folder))

    def stop(self) -> None:
        """End both stations in order; kill one that does not end."""
        for process in self.running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(timeout=END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _folder(chosen: Path | None) -> Path:
    """The folder for everything; a chosen one must be empty. Raises Failed."""
    if chosen is None:
        return Path(tempfile.mkdtemp(prefix="openline-demo-"))
    chosen = chosen.absolute()
    try:
        chosen.mkdir(parents=True, exist_ok=True)
        empty = not any(chosen.iterdir())
    except OSError:
        raise Failed(
            _("{folder} cannot be made or read. Name a folder of yours with --dir.").format(folder=chosen)
        ) from None
    if not empty:
        raise Failed(_("{folder} is not empty. Name another folder with --dir, or empty it.").format(folder=chosen))
    return chosen


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def command() -> Helped:
    """./demo, its help in the chosen language."""
    path = click.Path(path_type=Path)
    made = Helped(
        "demo",
        callback=run,
        params=[
            click.Option(
                ["--scenario", "file"], type=path, metavar="FILE", help=_("Play this file (default: 2025-contact).")
            ),
            click.Option(
                ["--once"],
                is_flag=True,
                help=_("End when the scenario is over, instead of leaving both stations up."),
            ),
            click.Option(
                ["--fast"],
                is_flag=True,
                help=_("Do not wait for people to look, and end when the scenario is over."),
            ),
            click.Option(
                ["--dir", "chosen"],
                type=path,
                metavar="DIR",
                help=_("Keep everything in this folder; it must be empty."),
            ),
            click.Option(["--lang"], type=click.Choice(LANGUAGES), help=_("Language of the narration.")),
        ],
        help=_(
            "Open a demonstration line between two stations on this machine, with both consoles in the browser, and"
            " play a scenario through it. At a terminal both stay open until Ctrl-C."
        ),
    )
    made.examples = ("./demo --fast", "./demo --scenario examples/scenarios/1967-hotline.toml")
    return made


def run(*, file: Path | None, once: bool, fast: bool, chosen: Path | None, lang: str | None) -> None:
    """Run the demonstration."""
    choose(lang or wanted([]))
    for stop in (signal.SIGTERM, signal.SIGINT):  # also where a shell started us with Ctrl-C ignored
        signal.signal(stop, _interrupted)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # a closed terminal; nohup has it ignored
        signal.signal(signal.SIGHUP, _interrupted)
    try:
        scenario = load(file or SCENARIOS / "2025-contact.toml")
    except (Refused, Unavailable) as flaw:
        raise Failed(f"{file or 'scenario'}: {flaw}") from None
    folder = _folder(chosen)
    narrator = Narrator(out=output_for(as_json=False), language=language())
    demo = Demo(folder=folder, scenario=scenario, fast=fast, narrator=narrator)
    began, played = time.monotonic(), False
    try:
        demo.found()
        demo.start()
        demo.pair()
        demo.open_consoles()
        demo.play()
        demo.record()
        narrator.ended(time.monotonic() - began, folder if chosen else None)
        played = True
        if narrator.out.terminal and not fast and not once:
            demo.stay()
    except KeyboardInterrupt:
        narrator.chapter(_("Ending both stations"))
        if not played:
            raise SystemExit(INTERRUPTED) from None
    except (Refused, Unavailable) as flaw:
        raise Failed(f"{flaw}\n" + _("The stations' logs are in {folder}.").format(folder=folder)) from None
    finally:
        demo.stop()
        if chosen is None:
            shutil.rmtree(folder, ignore_errors=True)


__all__ = ["Demo", "Played", "command", "run"]

if __name__ == "__main__":
    choose(wanted(sys.argv[1:]))
    command().main(prog_name="./demo")
