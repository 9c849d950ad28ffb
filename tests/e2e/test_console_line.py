"""What an officer does about a message on the line view, and a line that is cut and comes back, in real Chromium."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import floor
from tests.e2e.console_rig import with_console
from tests.e2e.homes import Home, in_service, join, new_home, running
from tests.e2e.test_console_pages import on_watch, say, status
from tests.waiting import until

pytestmark = pytest.mark.full


def test_a_message_is_queried_relayed_and_declined_and_a_cut_is_said_on_the_line_and_healed(tmp_path: Path) -> None:
    homes = [with_console(new_home(tmp_path, name)) for name in ("ALPHA", "BRAVO")]
    join(homes)
    with running(*homes) as (_, far):
        in_service(*homes, deadline_s=60)
        for home in homes:
            say(home, kind="watch", attended=True)
        with floor(homes[0]) as room:
            seat = on_watch(room, homes[0], "D4", "#/line/relay")
            seat.shows("IN SERVICE")
            ref = say(homes[1], kind="message", text="Lift the blockade by noon.", precedence="priority")
            seat.shows("Lift the blockade by noon.")
            message = seat.page.locator(".message", has_text="Lift the blockade").first
            message.click()
            seat.page.keyboard.press("q")
            seat.page.get_by_label("Your question").fill("Whose noon?")
            seat.page.get_by_role("button", name="Ask").click()
            seat.shows("Whose noon?")
            message.click()
            seat.page.keyboard.press("y")
            seat.page.get_by_role("button", name="It was relayed").click()
            seat.page.locator("dialog[open]").wait_for(state="detached")
            message.click()
            seat.page.keyboard.press("d")
            seat.page.get_by_label("Reason").fill("There is no blockade.")
            seat.page.get_by_role("button", name="Decline").last.click()
            seat.shows("There is no blockade.")
            until(lambda: declined(homes[1], ref), deadline_s=60)
            far.kill()
            seat.shows("FAULT")
            with running(homes[1]):
                seat.shows("IN SERVICE")


def declined(home: Home, ref: dict[str, Any]) -> bool:
    """Whether the author's own station has the refusal, with what came before it."""
    found = status(home, ref, "ALPHA")
    return bool(found["declined"] and found["relayed"] and found["queried"])
