"""Whoever was called about an alarm is told that it is over: once, over real HTTPS, and nobody else is; mails in the station's language."""

import asyncio
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from openline.ports import AlarmCall
from openline.station.alarms.mail_words import WORDS
from openline.station.alarms.makers import mail_of
from openline.station.alarms.records import NOTICES, Kind, State
from tests.e2e.alarm_rig import Letterbox
from tests.e2e.inside import call, stations
from tests.e2e.test_alarms import PACE, UID, Scene, later, scene, shown, until

__all__ = ["scene"]


def test_whoever_was_called_is_told_once_that_it_is_over_and_nobody_else_is(scene: Scene) -> None:
    steps = '[[alarms.steps]]\nto = ["pager"]\n[[alarms.steps]]\nafter_minutes = 5\nto = ["supervisor"]\n'
    scene.configure(steps, *scene.pagers())

    async def play() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            alarms = alpha.alarms
            alarms.raise_alarm("restored", line="relay")  # a person takes it
            alarms.raise_alarm("contact-missed", stands=True)  # its cause will be gone
            await until(lambda: all(alarm.called for alarm in alarms.calls.book.live()))
            (taken,) = [each for each in (await shown(alpha))["open"] if each["kind"] == "restored"]
            await call(alpha, "POST", f"alarms/{taken['id']}/acknowledge", {}, uid=UID)
            alarms.settle("contact-missed")
            await until(lambda: not alarms.calls.book.owed())
            past = {each["kind"]: each for each in (await shown(alpha))["past"]}
            assert {kind: (each["state"], each["told"]) for kind, each in past.items()} == {
                "restored": ("acknowledged", ["pager"]),
                "contact-missed": ("over", ["pager"]),
            }
            alarms.look()

    asyncio.run(play())
    assert not scene.supervisor.got
    for kind, state in (("restored", "acknowledged"), ("contact-missed", "over")):
        (called,), (told,) = scene.pager.of(kind), scene.pager.over(kind)
        assert told.verified()
        assert told.headers["openline-id"] == told.json["id"] == called.json["alarm"] + ".over"
        assert told.json == called.json | {"state": state, "id": told.json["id"]}  # no sign, no word more


def test_an_alarm_that_is_taken_while_its_cause_stands_is_told_once_and_not_again_when_that_is_gone(
    scene: Scene,
) -> None:
    scene.configure(*scene.pagers()[:1])

    async def play() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            book = alpha.alarms.calls.book
            alpha.alarms.raise_alarm("contact-missed", line="relay", stands=True)
            await until(lambda: book.live()[0].called)
            alpha.alarms.acknowledge(book.live()[0].id, "W1")
            await until(lambda: book.live()[0].told)
            alpha.alarms.settle("contact-missed", line="relay")
            alpha.alarms.look()
            assert not book.owed()
            (past,) = (await shown(alpha))["past"]
            assert (past["state"], past["told"]) == ("acknowledged", ["pager"])

    asyncio.run(play())
    assert [got.json["state"] for got in scene.pager.got] == ["open", "acknowledged"]


def test_a_call_that_was_under_way_when_its_alarm_ended_is_told_too(scene: Scene) -> None:
    scene.configure(*scene.pagers()[:1])
    scene.pager.mode = "wait"

    async def play() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            book = alpha.alarms.calls.book
            alpha.alarms.raise_alarm("contact-missed", stands=True)
            await until(lambda: scene.pager.of("contact-missed"))
            alpha.alarms.settle("contact-missed")
            assert not book.live()
            assert not book.owed()
            scene.pager.let()
            await until(lambda: scene.pager.over("contact-missed"))

    asyncio.run(play())
    assert [got.json["state"] for got in scene.pager.got] == ["open", "over"]


def test_word_that_an_alarm_is_over_outlives_a_restart_and_is_given_up_after_a_day(scene: Scene) -> None:
    scene.configure(*scene.pagers())

    async def before() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            book = alpha.alarms.calls.book
            alpha.alarms.raise_alarm("contact-missed", stands=True)
            await until(lambda: len(book.live()[0].called) == 2)
            scene.pager.mode = scene.supervisor.mode = "fail"
            alpha.alarms.settle("contact-missed")
            await until(lambda: scene.pager.over("contact-missed") and scene.supervisor.over("contact-missed"))
            (past,) = (await shown(alpha))["past"]
            assert (past["state"], past["told"]) == ("over", [])

    asyncio.run(before())
    first = scene.pager.over("contact-missed")[0].json
    scene.pager.forget()
    scene.pager.mode = "take"

    async def after() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            book = alpha.alarms.calls.book
            await until(lambda: book.owed() and book.owed()[0].told == ("pager",))
            assert not book.live()
            later(alpha, 24 * 3_600_000)
            assert not book.owed()
            alpha.alarms.raise_alarm("contact-missed", stands=True)  # a new one, with calls of its own
            await until(lambda: scene.pager.of("contact-missed"))
            (past,) = (await shown(alpha))["past"]
            assert past["told"] == ["pager"]

    asyncio.run(after())
    (told,) = scene.pager.over("contact-missed")
    assert told.json == first

    async def once_more() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            assert not alpha.alarms.calls.book.owed()

    asyncio.run(once_more())


CALL = AlarmCall(
    id="9a0c.1", alarm="9a0c", station="ALPHA", kind="clock-ours", state="open", line="RELAY", precedence="FLASH",
    clock="answer by", since=1_795_335_912_848, step=1, exercise=True,
)  # fmt: skip
"""A call with every part."""


def read(raw: bytes) -> tuple[str, list[str]]:
    """A mail as its reader sees it: its subject, and the lines of its body."""
    assert raw.isascii(), "no server on the way needs to know 8BITMIME or SMTPUTF8"
    mail = message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    return str(mail["Subject"]), mail.get_content().splitlines()


@pytest.mark.parametrize(
    "language, subject, first, last",
    [
        ("en", "EXERCISE ALARM ALPHA: FLASH clock-ours RELAY", "alarm: clock-ours", "Go to the station. Acknowledge there: openline alarms acknowledge 9a0c"),
        ("de", "EXERCISE ALARM ALPHA: FLASH clock-ours RELAY", "alarm: clock-ours", "Go to the station. Acknowledge there: openline alarms acknowledge 9a0c"),
        ("fr-CA", "EXERCICE ALARME ALPHA : FLASH un de nos délais a expiré RELAY", "alarme : un de nos délais a expiré (clock-ours)", "Allez à la station. Prenez l’alarme en charge là-bas : openline alarms acknowledge 9a0c"),
        ("ru", "УЧЕНИЕ ТРЕВОГА ALPHA: FLASH истёк наш срок RELAY", "тревога: истёк наш срок (clock-ours)", "Прибудьте на станцию. Примите тревогу там: openline alarms acknowledge 9a0c"),
    ],
)  # fmt: skip
def test_a_mail_is_in_the_stations_language(language: str, subject: str, first: str, last: str) -> None:
    said, lines = read(mail_of(CALL, "station@example.org", "ivanova@example.org", language))
    assert (said, lines[1], lines[-1]) == (subject, first, last)


@pytest.mark.parametrize("language", WORDS)
def test_no_word_of_a_mail_is_missing_in_a_language(language: str) -> None:
    """Every kind, every state, and each word of English that is not a name."""
    words = WORDS[language]
    assert set(words) == set(WORDS["fr"])
    assert all(words.values())
    kinds = {str(kind) for kind in Kind} | set(NOTICES.values()) | {"acknowledgement-overdue"}
    assert kinds | {str(state) for state in State if state is not State.OPEN} <= set(words)
    for state in State:
        for step in (0, 1):
            for exercise in (False, True):
                made = replace(CALL, state=str(state), step=step, exercise=exercise)
                subject, lines = read(mail_of(made, "s@example.org", "i@example.org", language))
                english, of_english = read(mail_of(made, "s@example.org", "i@example.org"))
                same = {line for line in lines if line} & set(of_english)
                assert same <= {"station: ALPHA"}, same
                assert subject != english


@pytest.mark.full
def test_the_language_of_a_station_is_that_of_its_mails(scene: Scene) -> None:
    box = Letterbox(scene.authority)
    smtp = (
        'sender = "station@example.org"\n'
        f'smtp = {{host = "127.0.0.1", port = {box.port}, authorities_file = "{scene.authority.pem}"}}\n'
    )
    scene.configure('[alarms.paths.ivanova]\nmail = "ivanova@example.org"\n', at_top=smtp)
    scene.homes[0].change('language = "en"', 'language = "ru"')

    async def play() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            answer = await call(alpha, "POST", "alarms/test", {"path": "ivanova"}, uid=UID)
            assert answer.json["tests"] == [{"path": "ivanova", "taken": True, "why": ""}]

    try:
        asyncio.run(play())
    finally:
        box.stop()
    ((_, mail),) = box.mails
    assert read(mail.encode())[0] == "ПРОВЕРКА пути тревоги, ALPHA"
