"""Training for one officer alone: a second station on this machine, an exercise line with it, and a script that it plays.

The other station is a real one, in a process and a folder of its own; only its
officer is a script. What the officer here is to do is said, and how long it
took. Nothing of it is live: the line is an exercise for good.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from openline.cli import scenario as parts
from openline.cli.command import Desk, command
from openline.cli.failures import refused, unavailable
from openline.cli.inert import inert_line
from openline.cli.language import _, language
from openline.cli.local import Json, me_of, place_key
from openline.cli.moments import span
from openline.cli.output import Output
from openline.cli.playing import Player
from openline.cli.scenario import Scenario, Step, instant, load
from openline.kernel.errors import Refused, Unavailable
from openline.station.client import Client

SCRIPT = Path(__file__).with_name("training.toml")
NAME = "TRAINER"
START_S = 60.0
LOOK_S = 0.25
READ_MS = 3_000
"""So long the scripted officer takes to read."""
TERMS = 'title = "Training"\nlanguages = ["en", "fr", "ru", "ar"]\ntest_minutes = 60\nexercise = true\n'


@dataclass(slots=True)
class Training:
    """One session."""

    home: Path
    """The officer's station."""
    folder: Path
    """The scripted station's."""
    scenario: Scenario
    pace: float
    out: Output
    process: "subprocess.Popen[bytes] | None" = None
    line: str = ""
    label: str = ""
    me: str = ""
    done: list[tuple[str, int | None]] = field(default_factory=list)
    """What was asked of the officer, and after how many milliseconds it was done."""
    _entries: list[Json] = field(default_factory=list)
    _to_read: dict[tuple[int, str, int], int] = field(default_factory=dict)
    _attended: bool = False
    _after: int = 0
    _refs: dict[str, str] = field(default_factory=dict)
    _skipped: int = 0
    """By so many ms the script is ahead, as the officer was quick."""

    # --- the scripted station ----------------------------------------------------------------------------------

    def openline(self, home: Path, *words: str) -> str:
        """Run a command as a person would; what it printed. Raises Failure."""
        with self._begin(home, words) as process:
            out, err = process.communicate(timeout=90)
        if process.returncode:
            raise refused(
                _("The training station cannot be made ready."), inert_line(err.decode().strip().splitlines()[0])
            )
        return out.decode()

    def _begin(self, home: Path, words: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        environment = dict(os.environ, OPENLINE_HOME=str(home), NO_COLOR="1")
        return subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-m", "openline", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    @property
    def station(self) -> Path:
        """The scripted station's home."""
        return self.folder / "station"

    def found(self) -> None:
        """Make the scripted station, if there is none from an earlier session."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self.station / "config.toml").exists():
            key = ("--key-file", str(self.folder / "unlock.key"))
            self.openline(self.station, "init", NAME, "--listen", f"127.0.0.1:{_free_port()}", *key)

    def start(self) -> None:
        """Run it in a process of its own. Raises Failure."""
        with (self.folder / "station.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "openline", "up"],
                env=dict(os.environ, OPENLINE_HOME=str(self.station)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours to pass on, so that it ends in order
            )
        deadline = time.monotonic() + START_S
        while self._lines() is None:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise unavailable(
                    _("The training station did not start."), inert_line(str(self.folder / "station.log"))
                )
            time.sleep(LOOK_S)

    def _client(self) -> Client:
        return Client(self.station / "run" / "api.sock")

    def _lines(self) -> list[Json] | None:
        try:
            with self._client() as client:
                found: list[Json] = client.get("lines")["lines"]
        except (Refused, Unavailable):
            return None
        return found

    def join(self) -> None:
        """The exercise line between the two: that of an earlier session, or a new one. Raises Failure."""
        own = _json(self.openline(self.home, "card", "--json"))["fingerprint"]["hex"]
        if not self._joined(own):
            self._pair()
        deadline = time.monotonic() + START_S
        while not self._joined(own) or self._state() != "in service":
            if time.monotonic() > deadline:
                raise unavailable(_("The training line did not come into service."), _("Look at it: openline status"))
            time.sleep(LOOK_S)
        with Client(self.home / "run" / "api.sock") as here:
            found = here.get(f"lines/{self.line}")
        self.label, self.me = str(found["label"]), me_of(found)

    def _joined(self, own: str) -> bool:
        for line in self._lines() or []:
            if any(party["fingerprint"] == own for party in line["parties"]):
                self.line = str(line["line"])
                return True
        return False

    def _state(self) -> str:
        return next((str(line["state"]) for line in self._lines() or [] if line["line"] == self.line), "")

    def _pair(self) -> None:
        """Both sides accept the same terms, each with the other's fingerprint in hand."""
        terms = self.folder / "terms.toml"
        terms.write_text(TERMS)
        sides = ((self.home, self.station, "trainer"), (self.station, self.home, "officer"))
        pairing = []
        for here, there, name in sides:
            card = self.folder / f"{name}.card"
            card.write_text(self.openline(there, "card"))
            digits = str(_json(self.openline(there, "card", "--json"))["fingerprint"]["digits"])
            words = ("pair", str(card), "--terms", str(terms), "--fingerprint", digits, "--yes")
            pairing.append((here, words))
        running = [self._begin(here, words) for here, words in pairing]
        for process in running:
            _said, err = process.communicate(timeout=90)
            if process.returncode:
                raise refused(
                    _("The training line cannot be agreed."), inert_line(err.decode().strip().splitlines()[0])
                )

    def stop(self) -> None:
        """End the scripted station in order; kill it if it does not end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    # --- the session -------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Play every step. Raises Unavailable if a station ends."""
        first, began = instant(self.scenario.steps[0].at), _now()
        with self._client() as client:
            self._after = int(client.get(f"lines/{self.line}")["last_seq"])
            player = Player(scenario=self.scenario, stations={"bravo": client}, line=self.line)
            self._propose(client, began)
            for step in self.scenario.steps:
                if isinstance(
                    step, parts.Narrate
                ):  # it tells of what the clock of a contact does: that waits for nobody
                    self._skipped = 0
                due = began + int((instant(step.at) - first) / self.pace) - self._skipped
                if step.station == "bravo":
                    self._until(client, due)
                    self._perform(player, step, began, first)
                else:
                    self._expect(client, player, step, due)

    def _propose(self, client: Client, began: int) -> None:
        """Two contacts of this session: letters each way, and a call that the scripted floor will not make."""
        letters, call = (began + int(minutes * 60_000 / self.pace) + 59_999 for minutes in (3, 10))
        shared: Json = {"rule": "FREQ=DAILY;COUNT=1", "zone": "UTC", "duration_minutes": 5}
        contacts = [
            {"name": "Training letters", "start": _start(letters), "medium": "message", "tolerance_minutes": 10, **shared},
            {"name": "Training call", "start": _start(call), "medium": "call", "tolerance_minutes": 1,
             "begins": NAME, **shared},
        ]  # fmt: skip
        client.post(f"lines/{self.line}/entries", {"kind": "propose", "policy": {"contacts": contacts}})
        self._say(_("They propose two regular contacts. Agree to them: openline assent {line}").format(line=self.label))

    def _perform(self, player: Player, step: Step, began: int, first: int) -> None:
        if isinstance(step, parts.Narrate):
            self._say(step.text.spoken(language()))
            return
        made = self._possible(step, player, began, first)
        player.act(made, _now())
        self._refs = {label: str(place.get("reference") or "") for label, place in player.places.items()}
        if isinstance(made, parts.Watch):
            self._attended = made.attended
        if made.say is not None:
            self._say(made.say.spoken(language()))

    def _possible(self, step: Step, player: Player, began: int, first: int) -> Any:
        """The step at this session's clock; without what it answers, if the officer did not say that."""
        changes: dict[str, Any] = {}
        if isinstance(step, parts.Message):
            if step.answer_by is not None:
                at = began + (instant(step.answer_by) - first) / self.pace
                changes["answer_by"] = datetime.fromtimestamp(at / 1_000, UTC)
            if step.answers is not None and step.answers not in player.places:
                changes["answers"] = None
        return msgspec.structs.replace(step, **changes)

    def _expect(self, client: Client, player: Player, step: Step, due: int) -> None:
        """Ask something of the officer, and wait until it is done or its moment is over."""
        asked = step.say.spoken(language()) if not isinstance(step, parts.Narrate) and step.say is not None else ""
        asked = self._told(asked)
        self._say(asked)
        began = _now()
        while True:
            self._look(client)
            found = next((each for each in self._entries if _does(step, each, player.places)), None)
            if found is not None:
                self._entries.remove(found)
                if isinstance(step, parts.Message):
                    player.places[step.label] = found["ref"]
                took = max(0, _now() - began)
                self._skipped += max(0, due - _now())  # who is quick does not wait
                self.done.append((asked, took))
                self._say(_("Done after {span}.").format(span=span(took)))
                return
            if _now() >= due:
                self.done.append((asked, None))
                self._say(_("Not done in time. It goes on."))
                return
            time.sleep(LOOK_S)

    def _until(self, client: Client, due: int) -> None:
        while _now() < due:
            self._look(client)
            time.sleep(LOOK_S)

    def _look(self, client: Client) -> None:
        """See what the officer did; the scripted one receives it as people do."""
        page = client.get(f"lines/{self.line}/entries", after=self._after, limit=200)["entries"]
        for entry in page:
            self._after = int(entry["seq"])
            if entry["author"] == NAME:
                continue
            self._entries.append(entry)
            if entry["kind"] == "message":
                self._to_read[place_key(entry["ref"])] = _now() + int(READ_MS / self.pace)
                if self._attended:
                    self._receipt(client, place_key(entry["ref"]), "presented")
        for place in [place for place, at in self._to_read.items() if self._attended and _now() >= at]:
            del self._to_read[place]
            self._receipt(client, place, "read")

    def _receipt(self, client: Client, place: tuple[int, str, int], step: str) -> None:
        of = dict(zip(("lane", "generation", "index"), place, strict=True))
        client.post(f"lines/{self.line}/entries", {"kind": "receipt", "of": of, "step": step})

    def _say(self, text: str) -> None:
        if text:
            self.out.note("", f"[{_('EXERCISE')}] {self._told(text)}")

    def _told(self, text: str) -> str:
        """A text of the script with the names of this session: the line's, and what messages are called."""
        for label, reference in self._refs.items():
            text = text.replace("{" + label + "}", " ".join(reference.split()[:2]))
        return text.replace("{line}", self.label)


def _does(step: Step, entry: Mapping[str, Any], places: Mapping[str, Json]) -> bool:
    """Whether that is what the step asks of the officer."""
    body: Mapping[str, Any] = entry.get("body") or {}
    match step:
        case parts.Message():
            asked = step.answers is None or _names(body.get("answers"), places.get(step.answers))
            return entry["kind"] == "message" and body.get("precedence") == step.precedence and asked
        case parts.Read():
            return (
                entry["kind"] == "receipt"
                and body.get("step") in {"read", "relayed"}
                and _names(body["of"], places.get(step.of))
            )
        case parts.Interim() | parts.Decline():
            kind = "interim" if isinstance(step, parts.Interim) else "decline"
            return entry["kind"] == kind and _names(body["of"], places.get(step.of))
        case parts.Watch():
            return entry["kind"] == "watch" and bool(body.get("attended")) is step.attended
        case _:
            return False


def _names(ref: Mapping[str, Any] | None, place: Mapping[str, Any] | None) -> bool:
    return ref is not None and place is not None and place_key(ref) == place_key(place)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _start(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%dT%H:%M")


def _json(text: str) -> Json:
    found: Json = msgspec.json.decode(text)
    return found


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@command(
    "train",
    _("Train alone: a scripted station on this machine, an exercise line with it, and a quarter of an hour of traffic."),
    more=(
        _("Your station must be running. You are told what to do, in another terminal or at the console; and how long you took."),
        _("Its folder is kept for the next session; the line stays, and shows a fault while the training station is off."),
    ),
    examples=("openline train", "openline train --pace 2"),
)  # fmt: skip
@click.option(
    "--pace", type=click.FloatRange(0.2, 100), default=1.0, metavar="N", help=_("So many times as fast (default: 1).")
)
@click.option("--scenario", "file", type=click.Path(path_type=Path), metavar="FILE", help=_("Another script to play."))
@click.option(
    "--dir",
    "chosen",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help=_("Folder of the training station (default: beside yours)."),
)
def train_(desk: Desk, *, pace: float, file: Path | None, chosen: Path | None) -> None:
    """Train one officer alone."""
    desk.station.status()
    home = desk.home.absolute()
    folder = (chosen or home.with_name(home.name + "-training")).absolute()
    training = Training(home=home, folder=folder, scenario=load(file or SCRIPT), pace=pace, out=desk.out)
    desk.out.note(_("A training station is made ready; its line is an exercise for good."))
    try:
        training.found()
        training.start()
        training.join()
        training.play()
    finally:
        training.stop()
    results = [{"asked": asked, "took_ms": took} for asked, took in training.done]
    shown = [
        _("The training is over. The line stays; to destroy it: openline archive {line} FOLDER").format(
            line=training.label
        )
    ]
    for asked, took in training.done:
        word = (
            _("Done after {span}.").format(span=span(took)) if took is not None else _("Not done in time. It goes on.")
        )
        shown.append(f"  {word}  {asked}")
    desk.out.answer({"line": training.label, "tasks": results}, shown)
