"""The roster as an administrator sets it: checked, in force at once, audited, kept, and left aside where it does not fit."""

import asyncio

from tests.e2e.homes import Home
from tests.e2e.inside import Answer, call, stations
from tests.e2e.test_alarms import PACE, UID, Scene, scene, shown, until

__all__ = ["scene"]

STEPS = '[[alarms.steps]]\nto = ["officer"]\n'
SHIFTS = '[[alarms.shifts]]\nduty = "officer"\npaths = ["pager"]\n'
ALWAYS = {"duty": "officer", "paths": ["supervisor"], "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
          "start": "00:00", "end": "24:00"}  # fmt: skip
ADMINISTRATOR, AUDITOR = 4243, 4244


def staffed(home: Home) -> None:
    path = home.folder / "config.toml"
    path.write_text(
        path.read_text()
        + f'\n[people.{ADMINISTRATOR}]\nsign = "A1"\nroles = ["administrator"]\n'
        + f'\n[people.{AUDITOR}]\nsign = "A2"\nroles = ["auditor"]\n'
    )


def test_a_roster_that_is_set_holds_at_once_is_audited_and_outlives_a_restart(scene: Scene) -> None:
    scene.configure(STEPS, SHIFTS, *scene.pagers())
    staffed(scene.homes[0])

    async def play() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):

            async def put(shifts: object, uid: int = ADMINISTRATOR) -> Answer:
                return await call(alpha, "PUT", "alarms/roster", {"shifts": shifts}, uid=uid)

            wrongs: tuple[dict[str, object], ...] = (
                {"paths": ["nobody"]},
                {"start": "8"},
                {"days": ["monday"]},
                {"duty": "another"},
                {"paths": []},
            )
            for wrong in wrongs:
                assert (await put([ALWAYS | wrong])).status == 400
            assert (await put([ALWAYS], AUDITOR)).status == 403
            assert [each["paths"] for each in (await shown(alpha))["roster"]] == [["pager"]]
            answer = await put([ALWAYS])
            assert (answer.status, answer.json["roster"], answer.json["roster_set"]) == (200, [ALWAYS], True)
            alpha.alarms.raise_alarm("restored")
            await until(lambda: scene.supervisor.of("restored"))
            rows = (await call(alpha, "GET", "audit", uid=AUDITOR)).json["rows"]
            acts = [(act["act"], act["sign"]) for row in rows for act in row["acts"]]
            assert ("alarm-roster", "A1") in acts

    async def again() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            view = await shown(alpha)
            assert (view["roster"], view["steps"][0]["paths"]) == ([ALWAYS], ["supervisor"])
            answer = await call(alpha, "PUT", "alarms/roster", {"shifts": None}, uid=ADMINISTRATOR)
            assert (answer.json["roster_set"], answer.json["roster"][0]["paths"]) == (False, ["pager"])

    asyncio.run(play())
    asyncio.run(again())
    assert not scene.pager.got


def test_a_roster_that_does_not_fit_the_file_any_more_is_left_aside_and_said(scene: Scene) -> None:
    scene.configure(STEPS, SHIFTS, *scene.pagers())
    home = scene.homes[0]
    staffed(home)

    async def play(*, before: bool) -> None:
        async with stations([home], PACE) as (alpha,):
            if before:
                await call(alpha, "PUT", "alarms/roster", {"shifts": [ALWAYS]}, uid=ADMINISTRATOR)
                return
            problems = (await call(alpha, "GET", "status", uid=UID)).json["problems"]
            assert "the roster that was set does not fit config.toml any more: the one of config.toml holds" in problems
            assert [each["paths"] for each in (await shown(alpha))["roster"]] == [["pager"]]

    asyncio.run(play(before=True))
    path = home.folder / "config.toml"
    path.write_text(path.read_text().replace("[alarms.paths.supervisor.webhook]", "[alarms.paths.other.webhook]"))
    asyncio.run(play(before=False))
