"""A station that is killed while somebody writes, and in the ten seconds before a message is signed: nothing is lost, nothing said twice."""

import json
from pathlib import Path
from typing import Any

import pytest

from openline.station.client import Client
from tests.e2e.homes import Running, in_service, pair, running
from tests.waiting import until

pytestmark = pytest.mark.full


def put(station: Client, path: str, body: object) -> Any:
    return json.loads(station.text(path, body, method="PUT"))


def texts(station: Client) -> list[str]:
    return [entry["body"]["text"] for entry in station.get("lines/relay/entries", kind="message")["entries"]]


def test_what_is_written_and_what_is_in_its_grace_outlive_kill_9(tmp_path: Path) -> None:
    alpha, bravo = pair(tmp_path)
    with running(alpha, bravo) as (first, _second):
        in_service(alpha, bravo)
        with alpha.client() as here:
            written = here.post("lines/relay/compose", {"text": "Half a"})
            put(here, f"compose/{written['compose']}", {"version": 1, "draft": {"text": "Half a sentence"}})
            sent = here.post("lines/relay/compose", {"text": "Said once."})
            answer = here.post(f"compose/{sent['compose']}/send", {"version": 1})
            assert (answer["state"], texts(here)) == ("grace", [])
        first.kill()
        again = Running(alpha)
        try:
            with alpha.client() as here:
                (found,) = here.get("lines/relay/compose")["drafts"]
                assert (found["compose"], found["version"], found["draft"]["text"]) == (
                    written["compose"],
                    2,
                    "Half a sentence",
                )
                until(lambda: texts(here) == ["Said once."], deadline_s=60)
                until(lambda: here.get(f"drafts/{sent['compose']}")["state"] == "released", deadline_s=60)
            again.kill()
            again = Running(alpha)
            in_service(alpha, bravo)
            with alpha.client() as here, bravo.client() as there:
                until(lambda: texts(there) == ["Said once."], deadline_s=30)
                assert texts(here) == ["Said once."]
        finally:
            if again.process.poll() is None:
                again.kill()


def test_what_was_taken_back_before_the_station_fell_is_not_said_after(tmp_path: Path) -> None:
    alpha, bravo = pair(tmp_path)
    with running(alpha, bravo) as (first, _second):
        in_service(alpha, bravo)
        with alpha.client() as here:
            sent = here.post("lines/relay/compose", {"text": "Never said."})
            due = here.post(f"compose/{sent['compose']}/send", {"version": 1})["due"]
            here.post(f"drafts/{sent['compose']}/withdraw")
        first.kill()
        again = Running(alpha)
        try:
            with alpha.client() as here:
                until(lambda: here.get("status")["now"] > due + 1_000, deadline_s=60)
                assert texts(here) == []
                assert here.get("lines/relay/compose")["drafts"][0]["draft"]["text"] == "Never said."
        finally:
            again.kill()
