"""Two real stations over a real relay alone, which is killed while they speak (spec 9.54)."""

from pathlib import Path

import pytest

from tests.contract.nats_rig import needs_nats, server
from tests.e2e.homes import in_service, pair, running
from tests.e2e.test_bearers import bearer, held, say, table, texts, without_tls
from tests.waiting import until


@needs_nats
@pytest.mark.full
def test_9_54_a_relay_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    homes = pair(tmp_path)
    without_tls(*homes)
    with server() as relay:
        for home in homes:
            table(home, f'[nats]\nservers = ["{relay.address}"]')
        with running(*homes), homes[0].client() as here, homes[1].client() as there:
            in_service(*homes)
            sent = []
            for round_ in range(4):
                sent += [say(here, f"{round_} {number}") for number in range(10)]
                back = say(there, f"back {round_}", "flash")
                relay.kill()
                until(lambda: not bearer(here, "nats")["up"], deadline_s=120)
                sent.append(say(here, f"{round_} while it was down", "immediate"))
                relay.start()
                assert held(there, back)
            assert all(held(here, place) for place in sent)
            until(lambda: len(texts(here)) == len(texts(there)) == 48, deadline_s=120)
            assert sorted(texts(here)) == sorted(texts(there))
            assert len(set(texts(there))) == 48


@needs_nats
@pytest.mark.full
def test_9_52_a_station_that_was_off_fetches_what_waited(tmp_path: Path) -> None:
    homes = pair(tmp_path)
    without_tls(*homes)
    with server() as relay:
        for home in homes:
            table(home, f'[nats]\nservers = ["{relay.address}"]')
        with running(*homes):
            in_service(*homes)
        with running(homes[0]), homes[0].client() as here:
            until(lambda: bearer(here, "nats")["up"])
            places = [say(here, f"for the morning {number}") for number in range(5)]
            with running(homes[1]), homes[1].client() as there:
                assert all(held(here, place) for place in places)
                until(lambda: len(texts(there)) >= 5)
                assert sorted(texts(there)) == [f"for the morning {number}" for number in range(5)]
