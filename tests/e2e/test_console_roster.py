"""The roster in the settings, in real Chromium: an administrator changes it shift by shift, and goes back to the file's."""

from pathlib import Path

import pytest

from tests.e2e.alarm_rig import secret_file
from tests.e2e.browser import floor
from tests.e2e.console_rig import console_home
from tests.e2e.homes import running

pytestmark = pytest.mark.full

TABLES = """
[alarms]
test_hours = 0
[alarms.paths.ivanova.webhook]
url = "https://127.0.0.1:9/"
secret_file = "pager.secret"
[[alarms.shifts]]
duty = "officer"
paths = ["ivanova"]
[[alarms.steps]]
to = ["officer"]
"""
GAP = "At some hours nobody has the duty"


def test_an_administrator_changes_the_roster_and_others_only_see_it(tmp_path: Path) -> None:
    home = console_home(tmp_path)
    secret_file(home.folder)
    path = home.folder / "config.toml"
    path.write_text(path.read_text() + TABLES)
    with running(home), floor(home) as room:
        seat = room.seat(home, "A1", "administrator")
        seat.page.get_by_role("button", name="Not now").click()
        seat.open("#/settings/alarms")
        form = seat.page.get_by_role("dialog")
        seat.page.get_by_role("button", name="Change the shift of officer from 00:00").click()
        form.get_by_label("Until").fill("late")
        seat.allow("status of 400")
        form.get_by_role("button", name="Keep").click()
        form.get_by_text("Something in this does not fit.").wait_for()
        form.get_by_label("Until").fill("20:00")
        form.get_by_role("button", name="Keep").click()
        seat.shows(GAP)
        seat.page.get_by_role("button", name="Add a shift").click()
        form.get_by_label("From").fill("20:00")
        form.get_by_label("Until").fill("24:00")
        form.get_by_label("ivanova").check()
        form.get_by_role("button", name="Keep").click()
        seat.until(f"!document.body.innerText.includes({GAP!r})")
        seat.shows("It was set here, and not in the configuration.")
        with home.client() as station:
            kept = [(each["start"], each["end"]) for each in station.get("alarms")["roster"]]
        assert kept == [("00:00", "20:00"), ("20:00", "24:00")]
        seat.page.get_by_role("button", name="As in the configuration").click()
        form.get_by_role("button", name="Give it up").click()
        seat.until("!document.body.innerText.includes('It was set here')")
        watch = room.seat(home, "W2", "watch-officer")
        watch.page.get_by_role("button", name="Not now").click()
        watch.open("#/settings/alarms")
        watch.shows("The roster, on the clock of UTC")
        assert watch.page.get_by_role("button", name="Add a shift").count() == 0
