"""MINIMIZE between two real stations: what is held, what passes, and that both floors see it. Spec 6.75 to 6.77."""

from pathlib import Path
from typing import Any

import pytest

from openline.kernel.errors import Conflict, Forbidden
from openline.station.client import Client
from tests.e2e.homes import Home, in_service, pair, running
from tests.waiting import until

Json = dict[str, Any]


@pytest.fixture
def homes(tmp_path: Path) -> list[Home]:
    return pair(tmp_path)


def post(station: Client, text: str, precedence: str, **more: object) -> Json:
    answer: Json = station.post(
        "lines/relay/entries", {"kind": "message", "text": text, "precedence": precedence, **more}
    )
    return answer


def texts(station: Client) -> list[str]:
    return [e["body"]["text"] for e in station.get("lines/relay/entries", kind="message", limit=100)["entries"]]


def imposed(station: Client) -> list[Json]:
    found: list[Json] = station.get("lines/relay")["minimize"]
    return found


def test_6_76_minimize_holds_what_is_below_immediate_on_both_floors_until_it_is_lifted(homes: list[Home]) -> None:
    alpha, bravo = homes
    with running(*homes), alpha.client() as here, bravo.client() as there:
        in_service(*homes)
        here.post("lines/relay/minimize", {"on": True, "reason": "One modem is left."})
        until(lambda: imposed(there))
        assert imposed(there)[0]["party"] == "ALPHA"
        assert imposed(there)[0]["text"] == "MINIMIZE. One modem is left."
        for station in (here, there):
            assert post(station, "later", "routine")["held"]
            assert post(station, "later too", "priority")["held"]
            assert "ref" in post(station, "now", "immediate")
            assert "ref" in post(station, "at once", "flash")
            assert "ref" in post(station, "considered", "routine", minimize_considered=True)
        until(lambda: len(texts(here)) == len(texts(there)) == 6)
        assert here.get("lines/relay")["held"] == 2
        held = here.get("lines/relay/drafts")["drafts"]
        assert [(draft["state"], draft["message"]["text"]) for draft in held] == [
            ("held", "later"),
            ("held", "later too"),
        ]
        with pytest.raises(Conflict):
            here.post(f"drafts/{held[0]['draft']}/release", {})
        here.post(f"drafts/{held[0]['draft']}/release", {"minimize_considered": True})
        here.post(f"drafts/{held[1]['draft']}/discard")
        here.post("lines/relay/minimize", {"on": False, "reason": "Both modems work."})
        until(lambda: not imposed(there) and texts(here).count("later too") == 1, deadline_s=60)
        # What BRAVO had held goes one by one: both have the same also before the last of it.
        until(lambda: sorted(texts(here)) == sorted(texts(there)) and texts(there).count("later") == 2)
        said = [e["body"]["text"] for e in there.get("lines/relay/entries", kind="service", limit=100)["entries"]]
        assert said == ["MINIMIZE. One modem is left.", "MINIMIZE lifted. Both modems work."]


def test_6_18_what_minimize_held_needs_a_second_person_where_the_terms_came_to_ask_for_one(homes: list[Home]) -> None:
    alpha, bravo = homes
    with running(*homes), alpha.client() as here, bravo.client() as there:
        in_service(*homes)
        here.post("lines/relay/minimize", {"on": True})
        number = post(here, "written by one alone", "routine")["draft"]
        here.post("lines/relay/entries", {"kind": "propose", "policy": {"release": True}})
        until(lambda: there.get("lines/relay/entries", kind="propose")["entries"])
        ref = there.get("lines/relay/entries", kind="propose")["entries"][0]["ref"]
        there.post("lines/relay/entries", {"kind": "assent", "proposal": ref})
        until(lambda: here.get("lines/relay")["policy"]["release"], deadline_s=60)
        here.post("lines/relay/minimize", {"on": False})
        until(lambda: not imposed(there) and not imposed(here), deadline_s=60)
        draft = here.get(f"drafts/{number}")
        assert draft["state"] == "held"
        with pytest.raises(Forbidden):
            here.post(f"drafts/{number}/release", {"to": draft["message"]["to"], "precedence": "routine"})
        assert texts(here) == texts(there) == []


def test_6_77_what_is_held_and_that_it_is_held_outlive_a_kill(homes: list[Home]) -> None:
    alpha, bravo = homes
    with running(*homes) as (station, _), alpha.client() as here:
        in_service(*homes)
        here.post("lines/relay/minimize", {"on": True})
        assert post(here, "kept", "routine")["held"]
        station.kill()
    with running(*homes), alpha.client() as here, bravo.client() as there:
        in_service(*homes)
        assert imposed(here)
        assert here.get("lines/relay")["held"] == 1
        assert texts(there) == []
        here.post("lines/relay/minimize", {"on": False})
        until(lambda: texts(there) == ["kept"], deadline_s=60)
        assert here.get("lines/relay")["held"] == 0
