"""Two real stations over other bearers than TLS, one at a time, and over several at once."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openline.station.client import Client
from openline.station.runtime import Station
from tests.contract.nats_rig import server
from tests.e2e.homes import Home, in_service, pair, running
from tests.e2e.inside import call, eventually, linked, made, stations
from tests.e2e.serial_cable import cable, plugged
from tests.waiting import until

Json = dict[str, Any]


def without_tls(*homes: Home) -> None:
    """Nobody listens any more, so nobody is reached by TLS."""
    for home in homes:
        home.change(f'listen = ["127.0.0.1:{home.port}"]', "listen = []")


def table(home: Home, text: str) -> None:
    """Add a table to the configuration."""
    with (home.folder / "config.toml").open("a") as file:
        file.write("\n" + text + "\n")


def say(station: Client, text: str, precedence: str = "routine") -> Json:
    """Post a message, also where MINIMIZE stands by itself after a minute on a thin bearer; its place."""
    message = {"kind": "message", "text": text, "precedence": precedence, "minimize_considered": True}
    answer = station.post("lines/relay/entries", message)
    return {"lane": answer["ref"]["lane"], "index": answer["ref"]["index"]}


def held(station: Client, place: Json, deadline_s: float = 120.0) -> bool:
    """Whether the peer signs for it in time."""
    left = deadline_s
    while left > 0:
        waited = station.get("lines/relay/wait", **place, timeout_ms=10_000)
        if waited["done"]:
            return True
        left -= 10
    return False


def texts(station: Client) -> list[str]:
    return [e["body"]["text"] for e in station.get("lines/relay/entries", kind="message", limit=1000)["entries"]]


def bearer(station: Client, name: str) -> Json:
    """What a station says of one bearer to the peer."""
    found: list[Json] = [each for each in station.get("lines/relay")["bearers"] if each["bearer"] == name]
    assert found, "no such bearer"
    return found[0]


def both_ways(alpha: Home, bravo: Home) -> None:
    """Every precedence goes both ways, and is acknowledged."""
    with alpha.client() as here, bravo.client() as there:
        sent = [say(here, f"{precedence} from here", precedence) for precedence in ("routine", "immediate", "flash")]
        back = say(there, "and back", "priority")
        assert all(held(here, place) for place in sent)
        assert held(there, back)
        until(lambda: len(texts(here)) == len(texts(there)) == 4)
        assert sorted(texts(here)) == sorted(texts(there))


@pytest.fixture
def homes(tmp_path: Path) -> list[Home]:
    return pair(tmp_path)


def shared_folder(folder: Path, *homes: Home) -> Path:
    """Both on one folder."""
    share = folder / "share"
    share.mkdir()
    for home in homes:
        table(home, f'[drop]\nout = "{share}"\ninto = "{share}"')
    return share


def test_a_line_over_a_drop_folder_alone(homes: list[Home], tmp_path: Path) -> None:
    without_tls(*homes)
    shared_folder(tmp_path, *homes)
    with running(*homes):
        in_service(*homes)
        both_ways(*homes)


def test_two_bearers_at_once_and_either_may_go(homes: list[Home], tmp_path: Path) -> None:
    """FLASH goes over both; what is said while the folder is gone or the other side has no TLS arrives."""
    alpha, bravo = homes
    share = shared_folder(tmp_path, *homes)
    with running(*homes), alpha.client() as here, bravo.client() as there:
        in_service(*homes)
        until(lambda: bearer(here, "drop")["up"] and bearer(here, "tls")["up"])
        assert any(alone(here, "drop", f"over the wire alone {number}") for number in range(5))
        before = bearer(here, "drop")["sent"]
        assert held(here, say(here, "over both", "flash"))
        until(lambda: bearer(here, "drop")["sent"] > before)
        share.rename(tmp_path / "pulled")
        until(lambda: not bearer(here, "drop")["up"])
        assert held(here, say(here, "without the folder", "flash"))
        until(lambda: texts(here) == texts(there))


def alone(station: Client, name: str, text: str) -> bool:
    """Say something that goes without this bearer; false if that was used, as it is where the other one is slow to answer."""
    before = bearer(station, name)["sent"]
    assert held(station, say(station, text))
    return bool(bearer(station, name)["sent"] == before)


def test_a_bearer_that_cannot_start_stops_nobody(homes: list[Home], tmp_path: Path) -> None:
    """A port that is taken, a device that is missing, a relay that is not there: the drop folder goes on."""
    alpha, bravo = homes
    shared_folder(tmp_path, *homes)
    table(alpha, '[[serial]]\nname = "serial-x"\ndevice = "/nonexistent/ttyS9"')
    table(alpha, '[nats]\nservers = ["127.0.0.1:9"]')
    bravo.change(f'listen = ["127.0.0.1:{bravo.port}"]', "listen = []")
    with taken(alpha.port), running(*homes):
        in_service(*homes)
        both_ways(*homes)
        with alpha.client() as here:
            until(lambda: any("tls" in each and "cannot listen" in each for each in problems(here)))
            until(lambda: any("serial-x" in each for each in problems(here)))
            assert not any("drop" in each for each in problems(here))
            assert not bearer(here, "serial-x")["up"]
            until(lambda: "cannot be opened" in bearer(here, "serial-x")["trouble"])
            assert not bearer(here, "nats")["up"]
            until(lambda: bearer(here, "tls")["trouble"])
        doctor = subprocess.run(
            [sys.executable, "-m", "openline", "doctor", "--json", "--home", str(alpha.folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "bearer-down" in doctor.stdout
    with running(*homes), alpha.client() as here:
        until(lambda: not bearer(here, "tls")["trouble"])


def problems(station: Client) -> list[str]:
    found: list[str] = station.get("status")["problems"]
    return found


@contextlib.contextmanager
def taken(port: int) -> Iterator[None]:
    """Somebody else listens at a port."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


def test_a_line_over_a_serial_line_alone(homes: list[Home]) -> None:
    """At 9,600 bit/s; at 2,400 and 1,200 by serial_long.py."""
    opens_over_a_serial_line(homes, 9_600)


def opens_over_a_serial_line(homes: list[Home], rate: int) -> None:
    """A new line, which agrees on its first epoch, with nothing else; then a message each way."""
    with plugged() as plugs, cable(homes, plugs, rate), running(*homes):
        in_service(*homes, deadline_s=600)
        both_ways(*homes)


@pytest.mark.full
def test_a_line_over_a_relay_alone(homes: list[Home]) -> None:
    without_tls(*homes)
    with server() as relay:
        for home in homes:
            table(home, f'[nats]\nservers = ["{relay.address}"]')
        with running(*homes):
            in_service(*homes)
            both_ways(*homes)


def test_a_relays_credentials_that_others_may_read_are_not_used(homes: list[Home]) -> None:
    alpha, _ = homes
    credentials = alpha.folder / "nats.credentials"
    credentials.write_text("user:password")
    table(alpha, '[nats]\nservers = ["127.0.0.1:9"]\ncredentials_file = "nats.credentials"')

    async def trouble() -> str:
        async with stations([alpha]) as [station]:
            return station.bearers.trouble("nats")

    credentials.chmod(0o640)
    assert "open to others" in asyncio.run(trouble())
    credentials.chmod(0o600)
    assert asyncio.run(trouble()) == ""
    credentials.unlink()
    assert "missing" in asyncio.run(trouble())


def test_the_last_day_of_a_bearer_is_told_as_it_was_seen_and_outlives_a_restart(tmp_path: Path) -> None:
    alpha, bravo = made(tmp_path)

    async def past(station: Station) -> list[str]:
        found = (await call(station, "GET", "lines/relay", uid=os.getuid())).json["bearers"]
        return [span["was"] for each in found if each["bearer"] == "tls" for span in each["past"]]

    async def ends(station: Station, *words: str) -> None:
        async def so() -> bool | None:
            return (await past(station))[-len(words) :] == list(words) or None

        await eventually(so)

    async def first() -> None:
        async with stations([alpha]) as [station]:
            async with stations([bravo]) as [other]:
                await linked(station, other)
                await ends(station, "up")
            await ends(station, "up", "down")

    async def again() -> None:
        async with stations([alpha]) as [station]:
            await ends(station, "up", "down", "unseen", "down")

    asyncio.run(first())
    asyncio.run(again())


def probe(station: Client, name: str) -> Json:
    """Probe one bearer."""
    answer: Json = station.post("lines/relay/bearers/test", {"bearer": name})["tests"][0]
    return answer


def test_9_28_each_bearer_is_probed_by_itself_and_shown_at_both_ends(homes: list[Home], tmp_path: Path) -> None:
    alpha, bravo = homes
    share = shared_folder(tmp_path, *homes)
    with running(*homes) as (station, _), alpha.client() as here, bravo.client() as there:
        in_service(*homes)
        until(lambda: bearer(here, "drop")["up"] and bearer(there, "drop")["up"])
        size = here.get("lines/relay")["last_seq"]
        before = bearer(there, "drop")["received"]
        assert probe(here, "drop")["why"] == ""
        assert bearer(there, "drop")["received"] > before
        assert probe(here, "tls")["why"] == ""
        assert bearer(here, "tls")["delay_ms"] is not None
        until(lambda: (bearer(here, "drop")["there"] or {}).get("up"))
        added = here.get("lines/relay/entries", after=size, limit=100)["entries"]
        assert {entry["kind"] for entry in added} <= {
            "ack",
            "epoch",
            "terms",
            "test",
        }  # a probe leaves nothing in the transcript
        share.rename(tmp_path / "pulled")
        until(lambda: not bearer(here, "drop")["up"] and not bearer(there, "drop")["up"])
        assert "down" in probe(here, "drop")["why"]
        until(lambda: not (bearer(here, "drop")["there"] or {}).get("up", True))
        assert probe(here, "tls")["why"] == ""
        heard = bearer(here, "drop")["last_heard"]
        assert heard is not None
        station.stop()
    with running(alpha), alpha.client() as here:
        assert bearer(here, "drop")["last_heard"] >= heard  # a restart does not forget


def test_6_78_five_silences_are_told_apart(homes: list[Home], tmp_path: Path) -> None:
    """Declined, considered, unattended, a silent station, bearers down: with real stations, one after the other."""
    alpha, bravo = homes
    share = shared_folder(tmp_path, *homes)
    with running(*homes) as (_, station), alpha.client() as here, bravo.client() as there:
        in_service(*homes)
        until(lambda: bearer(here, "drop")["up"])
        first, second, third = (say(here, text) for text in ("first", "second", "third"))
        assert all(held(here, place) for place in (first, second, third))
        there.post("lines/relay/entries", {"kind": "watch", "attended": True})
        until(lambda: meaning(here, first) == "not-read")
        there.post("lines/relay/entries", {"kind": "decline", "of": {**second, "generation": "0"}, "reason": "No."})
        until(lambda: meaning(here, second) == "declined")
        there.post("lines/relay/entries", {"kind": "interim", "of": {**third, "generation": "0"}, "until": 2**41})
        until(lambda: meaning(here, third) == "considering")
        assert status_of(here, third)["interim_until"] == 2**41
        there.post("lines/relay/entries", {"kind": "watch", "attended": False})
        until(lambda: meaning(here, first) == "unattended")
        station.kill()
        fourth = say(here, "fourth")
        until(lambda: meaning(here, fourth) == "station-silent", deadline_s=180)
        assert status_of(here, fourth)["silent_since"] is not None
        until(lambda: (reach(here)["reach"], reach(here)["bearers_down"]) == ("station-silent", ["tls"]))
        share.rename(tmp_path / "pulled")
        until(lambda: meaning(here, fourth) == "bearers-down")
        until(lambda: reach(here)["bearers_down"] == ["drop", "tls"])
        assert meaning(here, second) == "declined"
        (tmp_path / "pulled").rename(share)
        with running(bravo):
            assert held(here, fourth)
            until(lambda: reach(here)["reach"] == "reached")


def status_of(station: Client, place: Json) -> Json:
    """Where a message stands with BRAVO."""
    entries = station.get("lines/relay/entries", kind="message", limit=100)["entries"]
    found: Json = next(e for e in entries if (e["ref"]["lane"], e["ref"]["index"]) == (place["lane"], place["index"]))
    status: Json = found["status"]["BRAVO"]
    return status


def meaning(station: Client, place: Json) -> str:
    return str(status_of(station, place)["meaning"])


def reach(station: Client) -> Json:
    """How BRAVO is reached."""
    return next(party for party in station.get("lines/relay")["parties"] if party["name"] == "BRAVO")


def test_7_28_what_goes_one_way_is_sent_unknown(homes: list[Home], tmp_path: Path) -> None:
    """The end of a diode: FLASH and the rest arrive, nothing comes back, and nobody claims that it is held."""
    alpha, bravo = homes
    with running(*homes) as stations, alpha.client() as here, bravo.client() as there:
        in_service(*homes)
        assert held(here, say(here, "both ways"))
        assert held(there, say(there, "and back"))
        for station in stations:
            station.stop()  # in order: the epoch that stands is what the diode will use
    diode = tmp_path / "diode"
    diode.mkdir()
    table(alpha, f'[drop]\nout = "{diode}"')
    table(bravo, f'[drop]\ninto = "{diode}"')
    without_tls(*homes)
    with running(*homes), alpha.client() as here, bravo.client() as there:
        place = say(here, "one way", "flash")
        until(lambda: texts(there) == ["both ways", "and back", "one way"])
        until(lambda: meaning(here, place) == "sent-unknown")
        until(lambda: reach(here)["reach"] == "sent-unknown")
        routine = say(here, "and routine")
        until(lambda: texts(there) == ["both ways", "and back", "one way", "and routine"])
        until(lambda: meaning(here, routine) == "sent-unknown")
