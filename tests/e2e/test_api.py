"""The local API: who may do what, what is answered, and what a caller can rely on."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from openline.archive.prove import verify_proof
from openline.archive.verify import verify
from openline.kernel.terms import Policy
from openline.station.api import all_routes
from openline.station.backup import check_backup
from openline.station.drafting import RELEASED, RELEASING, WAITING, settle
from openline.station.feed import QUEUE, Feed, Published
from openline.station.runtime import Station
from openline.station.unlock import Passphrase
from tests.e2e.homes import Home, in_service, pair, running
from tests.e2e.inside import Answer, call, eventually, linked, made, stations

ADMIN, WATCH_A, WATCH_B, AUDITOR, TECHNICIAN, PRINCIPAL, STRANGER = 1001, 1002, 1003, 1004, 1005, 1006, 4242
PEOPLE = f"""
[people.{ADMIN}]
sign = "A1"
roles = ["administrator"]
[people.{WATCH_A}]
sign = "W2"
roles = ["watch-officer"]
also = ["W7"]
[people.{WATCH_B}]
sign = "W3"
roles = ["watch-officer"]
[people.{AUDITOR}]
sign = "U1"
roles = ["auditor"]
[people.{TECHNICIAN}]
sign = "T1"
roles = ["technician"]
[people.{PRINCIPAL}]
sign = "P1"
roles = ["principal"]
"""
Ask = Callable[..., Awaitable[Answer]]
MESSAGE = {"kind": "message", "text": "Good morning."}


def staffed(folder: Path, policy: Policy | None = None) -> list[Home]:
    homes = made(folder, policy or Policy(title="Test line"))
    with (homes[0].folder / "config.toml").open("a") as config:
        config.write(PEOPLE)
    return homes


def scene(folder: Path, play: Callable[[Station, Ask], Awaitable[None]], policy: Policy | None = None) -> None:
    """Play at ALPHA, with BRAVO running."""

    async def whole() -> None:
        async with stations(staffed(folder, policy)) as (alpha, bravo):
            await linked(alpha, bravo)
            await play(alpha, partial(call, alpha))

    asyncio.run(whole())


# --- people ----------------------------------------------------------------------------------------------------


def test_every_call_has_an_actor_with_the_role_or_is_refused(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        for route in all_routes():
            path = route.path.lstrip("/").replace("{line}", "relay")
            answer = await ask(route.method, path, uid=STRANGER)
            assert (answer.status, answer.json["error"]) == (403, "forbidden"), route.summary
            if route.roles and "technician" not in route.roles:
                assert (await ask(route.method, path, uid=TECHNICIAN)).status == 403, route.summary

    scene(tmp_path, play)


SPEAKING: list[tuple[int, Mapping[str, object], int]] = [
    (WATCH_A, MESSAGE, 201),
    (TECHNICIAN, MESSAGE, 403),
    (ADMIN, MESSAGE, 403),
    (AUDITOR, MESSAGE, 403),
    (PRINCIPAL, MESSAGE, 403),
    (TECHNICIAN, {"kind": "service", "text": "Line noise gone."}, 201),
    (ADMIN, {"kind": "propose", "policy": {"test_minutes": 30}}, 201),
    (WATCH_A, {"kind": "propose", "policy": {"test_minutes": 30}}, 403),
    (WATCH_A, {"kind": "watch", "attended": True}, 201),
    (WATCH_A, {"kind": "watch", "attended": True, "sign": "W7"}, 201),
    (WATCH_A, {"kind": "watch", "attended": True, "sign": "W3"}, 403),
    (WATCH_A, {"kind": "watch", "attended": True, "role": "principal"}, 403),
    (WATCH_A, {"kind": "suspend", "reason": "Works."}, 201),
]


def test_roles_say_who_may_say_what(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        for uid, body, status in SPEAKING:
            assert (await ask("POST", "lines/relay/entries", body, uid=uid)).status == status, (uid, body)

    scene(tmp_path, play)


def test_the_sign_and_role_on_an_entry_are_the_actors(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        for sign in (None, "W7"):
            await ask("POST", "lines/relay/entries", {"kind": "watch", "attended": True, "sign": sign}, uid=WATCH_A)
        entries = (await ask("GET", "lines/relay/entries", uid=WATCH_A, kind="watch")).json["entries"]
        assert [(e["body"]["role"], e["body"]["sign"]) for e in entries] == [("watch-officer", s) for s in ("W2", "W7")]

    scene(tmp_path, play)


def test_every_act_is_in_the_audit_log_with_its_outcome_and_nothing_that_was_said(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        await ask("POST", "lines/relay/entries", MESSAGE, uid=WATCH_A)
        await ask("POST", "lines/relay/entries", MESSAGE, uid=AUDITOR)
        await ask("POST", "lines/relay/prove", {"lane": 0, "index": 0, "show": ["kind"]}, uid=AUDITOR)
        await ask("GET", "lines", uid=STRANGER)
        rows = (await ask("GET", "audit", uid=AUDITOR)).json["rows"]
        acts = [(act["uid"], act["act"], act["line"], act["outcome"]) for row in rows for act in row["acts"]]
        assert (WATCH_A, "submit", "relay", "done") in acts
        assert (AUDITOR, "submit", "", "forbidden") in acts
        assert (AUDITOR, "prove", "relay", "begun") in acts
        assert len({row["digest"] for row in rows}) == len(rows)
        assert "Good morning" not in str(rows)
        assert (await ask("GET", "audit", uid=WATCH_A)).status == 403

    scene(tmp_path, play)


# --- two persons -----------------------------------------------------------------------------------------------

RELEASE = Policy(title="Test line", release=True)
CONFIRMED = {"to": ["watch-officer"], "precedence": "routine"}


async def confirmed(ask: Ask, number: int) -> dict[str, Any]:
    """What whoever has read that draft says to release it."""
    return {**CONFIRMED, "digest": (await ask("GET", f"drafts/{number}", uid=WATCH_B)).json["digest"]}


def test_where_the_terms_ask_for_release_a_message_waits_for_a_second_person(tmp_path: Path) -> None:
    """Clause 6.18: drafter and releaser are two people with two signs."""

    async def play(_station: Station, ask: Ask) -> None:
        answer = await ask("POST", "lines/relay/entries", MESSAGE, uid=WATCH_A)
        assert answer.status == 202
        number = answer.json["draft"]
        (draft,) = (await ask("GET", "lines/relay/drafts", uid=WATCH_B)).json["drafts"]
        assert (draft["draft"], draft["drafter"], draft["message"]["text"]) == (number, "W2", "Good morning.")
        assert (await ask("GET", "lines/relay/entries", uid=WATCH_A, kind="message")).json["entries"] == []
        own = await ask("POST", f"drafts/{number}/release", CONFIRMED, uid=WATCH_A)
        assert (own.status, own.json["error"]) == (403, "forbidden")
        other_sign = await ask("POST", f"drafts/{number}/release", {**CONFIRMED, "sign": "W7"}, uid=WATCH_A)
        assert other_sign.status == 403
        unread = await ask("POST", f"drafts/{number}/release", CONFIRMED, uid=WATCH_B)
        assert unread.status == 400
        read = await confirmed(ask, number)
        released = await ask("POST", f"drafts/{number}/release", read, uid=WATCH_B)
        assert released.status == 201
        (entry,) = (await ask("GET", "lines/relay/entries", uid=WATCH_A, kind="message")).json["entries"]
        assert (entry["body"]["drafter"], entry["body"]["releaser"]) == ("W2", "W3")
        again = await ask("POST", f"drafts/{number}/release", read, uid=WATCH_B)
        assert again.status == 409

    scene(tmp_path, play, RELEASE)


def test_two_releases_at_once_say_it_once(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        number = (await ask("POST", "lines/relay/entries", MESSAGE, uid=WATCH_A)).json["draft"]
        read = await confirmed(ask, number)
        both = await asyncio.gather(*(ask("POST", f"drafts/{number}/release", read, uid=WATCH_B) for _ in range(2)))
        assert sorted(answer.status for answer in both) == [201, 409]
        assert len((await ask("GET", "lines/relay/entries", uid=WATCH_A, kind="message")).json["entries"]) == 1

    scene(tmp_path, play, RELEASE)


def test_a_discarded_draft_is_not_said(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        number = (await ask("POST", "lines/relay/drafts", MESSAGE, uid=WATCH_A)).json["draft"]
        assert (await ask("POST", f"drafts/{number}/discard", uid=WATCH_A)).status == 200
        assert (await ask("POST", f"drafts/{number}/release", CONFIRMED, uid=WATCH_B)).status == 409
        found = (await ask("GET", "lines/relay/drafts", uid=WATCH_A, state="discarded")).json["drafts"]
        assert [draft["draft"] for draft in found] == [number]
        assert (await ask("POST", "drafts/999/release", CONFIRMED, uid=WATCH_B)).status == 404

    scene(tmp_path, play)


def test_past_drafts_are_asked_for_a_page_at_a_time(tmp_path: Path) -> None:
    """All that a line ever released were read and opened at once, on the loop of every line."""

    async def play(_station: Station, ask: Ask) -> None:
        numbers = [(await ask("POST", "lines/relay/drafts", MESSAGE, uid=WATCH_A)).json["draft"] for _ in range(4)]
        for number in numbers[:3]:
            await ask("POST", f"drafts/{number}/discard", uid=WATCH_A)
        page = (await ask("GET", "lines/relay/drafts", uid=WATCH_A, state="discarded", limit=2)).json
        assert ([draft["draft"] for draft in page["drafts"]], page["before"]) == (numbers[2:0:-1], numbers[1])
        rest = await ask("GET", "lines/relay/drafts", uid=WATCH_A, state="discarded", limit=2, before=page["before"])
        assert ([draft["draft"] for draft in rest.json["drafts"]], rest.json["before"]) == (numbers[:1], 0)
        waiting = (await ask("GET", "lines/relay/drafts", uid=WATCH_A, limit=1)).json
        assert ([draft["draft"] for draft in waiting["drafts"]], waiting["before"]) == (numbers[3:], 0)
        assert (await ask("GET", "lines/relay/drafts", uid=WATCH_A, limit=0)).status == 400

    scene(tmp_path, play)


def test_a_release_that_a_crash_cut_in_two_is_neither_lost_nor_said_twice(tmp_path: Path) -> None:
    async def play(station: Station, ask: Ask) -> None:
        store = station.store
        said, unsaid = [
            (await ask("POST", "lines/relay/drafts", {**MESSAGE, "text": text}, uid=WATCH_A)).json["draft"]
            for text in ("Said.", "Not said.")
        ]
        await ask("POST", f"drafts/{said}/release", await confirmed(ask, said), uid=WATCH_B)
        for number, state in ((said, RELEASED), (unsaid, WAITING)):
            store.move_draft(number, state, RELEASING)  # as a crash leaves it
        settle(station)
        states = [store.draft(number).state for number in (said, unsaid)]
        assert states == [RELEASED, WAITING]

    scene(tmp_path, play)


# --- saying and reading ----------------------------------------------------------------------------------------


WRONG: list[tuple[bytes | str, int, str]] = [
    (b"", 400, "malformed"),
    (b"{", 400, "malformed"),
    (b"[" * 100_000, 400, "malformed"),
    (b'{"kind":"message"}', 400, "malformed"),
    (b'{"kind":"message","text":"a","odd":1}', 400, "malformed"),
    (b'{"kind":"ack"}', 400, "malformed"),
    (b'{"kind":"message","text":"\xff"}', 400, "malformed"),
    (b'{"kind":"message","text":"a","precedence":"urgent"}', 400, "malformed"),
    (b'{"kind":"message","text":"a","lang":"not a language"}', 400, "malformed"),
    (b'{"kind":"message","text":"a","to":["nobody"]}', 400, "malformed"),
    (b'{"kind":"message","text":"a","answers":"ALPHA 0099"}', 404, "unknown"),
    (b'{"kind":"message","text":"a","answers":"CHARLIE 0001"}', 404, "unknown"),
    (b'{"kind":"message","text":"a","answers":{"lane":0,"index":99}}', 404, "unknown"),
    (b'{"kind":"message","text":"a","answers":{"lane":31,"index":0}}', 404, "unknown"),
    (b'{"kind":"message","text":"a","answers":{"lane":0,"index":0,"leaf":"%s"}}' % (b"00" * 32), 400, "foreign"),
    ('{"kind":"message","text":"%s"}' % ("я" * 5_000), 413, "too-large"),
    (b'{"kind":"receipt","of":{"lane":0,"index":0},"step":"eaten"}', 400, "malformed"),
]


def test_what_is_wrong_is_refused_with_its_code_and_what_to_do(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        for raw, status, code in WRONG:
            data = raw.encode() if isinstance(raw, str) else raw
            answer = await ask("POST", "lines/relay/entries", uid=WATCH_A, raw=data)
            assert (answer.status, answer.json["error"]) == (status, code), data[:60]
            assert answer.json["message"]
            assert answer.json["do"]

    scene(tmp_path, play)


def test_a_refusal_says_whether_what_to_do_was_written_for_it(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        usual = await ask("POST", "lines/relay/entries", uid=WATCH_A, raw=b"{")
        assert (usual.json["do"], usual.json["own"]) == ("compare the call with /v1/openapi.json", False)
        its_own = await ask("GET", "lines/relay/contacts", uid=WATCH_A, **{"from": 0, "to": 10**11})
        assert (its_own.json["do"], its_own.json["own"]) == ("ask for less at a time", True)

    scene(tmp_path, play)


def test_unknown_paths_and_methods_are_refused_in_the_same_form(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        assert (await ask("GET", "nothing", uid=WATCH_A)).json["error"] == "unknown"
        answer = await ask("PUT", "lines", uid=WATCH_A)
        assert (answer.status, answer.json["error"]) == (405, "method-not-allowed")
        assert (await ask("GET", "lines/nowhere", uid=WATCH_A)).status == 404
        assert (await ask("GET", "lines/relay/entries", uid=WATCH_A, odd="1")).status == 400
        assert (await ask("GET", "lines/relay/entries", uid=WATCH_A, limit="-1")).status == 400

    scene(tmp_path, play)


def test_a_batch_is_taken_together_and_read_in_pages_both_ways(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        words = [f"number {place}" for place in range(250)]
        entries = [{"kind": "message", "text": text} for text in words]
        answer = await ask("POST", "lines/relay/entries:batch", {"entries": entries}, uid=WATCH_A)
        assert answer.status == 201
        refs = answer.json["refs"]
        assert [ref["index"] for ref in refs] == list(range(refs[0]["index"], refs[0]["index"] + 250))
        assert [ref["reference"].split()[1] for ref in refs[:2]] == ["0001", "0002"]
        read: list[str] = []
        after = 0
        while page := (
            await ask("GET", "lines/relay/entries", uid=WATCH_A, after=after, limit=40, kind="message")
        ).json["entries"]:
            read += [entry["body"]["text"] for entry in page]
            after = page[-1]["seq"]
        assert read == words
        back: list[str] = []
        before = 10**6
        while page := (
            await ask("GET", "lines/relay/entries", uid=WATCH_A, before=before, limit=40, kind="message")
        ).json["entries"]:
            back = [entry["body"]["text"] for entry in page] + back
            before = page[0]["seq"]
        assert back == words

    scene(tmp_path, play)


def test_people_name_messages_as_they_do_and_get_the_entry(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        ref = (await ask("POST", "lines/relay/entries", MESSAGE, uid=WATCH_A)).json["ref"]
        found = await ask("GET", "lines/relay/find", uid=WATCH_A, reference=ref["reference"].lower())
        assert [entry["ref"] for entry in found.json["entries"]] == [ref]
        place = f"lines/relay/entries/{ref['lane']}/{ref['generation']}/{ref['index']}"
        assert (await ask("GET", place, uid=WATCH_A)).json["ref"] == ref
        assert (await ask("GET", "lines/relay/entries/1/0/99", uid=WATCH_A)).status == 404
        more = {**MESSAGE, "supersedes": ref, "precedence": "flash"}
        later = (await ask("POST", "lines/relay/entries", more, uid=WATCH_A)).json["ref"]
        assert later["reference"].startswith("ALPHA Z001 ")
        assert (await ask("GET", place, uid=WATCH_A)).json["superseded"]

    scene(tmp_path, play)


def test_while_suspended_only_flash_is_taken(tmp_path: Path) -> None:
    """Clause 6.11."""

    async def play(_station: Station, ask: Ask) -> None:
        await ask("POST", "lines/relay/entries", {"kind": "suspend", "reason": "Works."}, uid=WATCH_A)
        assert (await ask("GET", "lines/relay", uid=WATCH_A)).json["state"] == "suspended"
        assert (await ask("POST", "lines/relay/entries", MESSAGE, uid=WATCH_A)).status == 403
        flash = {**MESSAGE, "precedence": "flash"}
        assert (await ask("POST", "lines/relay/entries", flash, uid=WATCH_A)).status == 201
        await ask("POST", "lines/relay/entries", {"kind": "lift", "reason": "Done."}, uid=WATCH_A)
        assert (await ask("POST", "lines/relay/entries", MESSAGE, uid=WATCH_A)).status == 201

    scene(tmp_path, play)


def test_a_wait_that_is_not_reached_says_what_was(tmp_path: Path) -> None:
    async def whole() -> None:
        homes = staffed(tmp_path)
        async with stations(homes[:1]) as (alpha,):
            ref = (await call(alpha, "POST", "lines/relay/entries", MESSAGE, uid=WATCH_A)).json["ref"]
            answer = await call(
                alpha, "GET", "lines/relay/wait", uid=WATCH_A, lane=ref["lane"], index=ref["index"], timeout_ms=1
            )
            assert (answer.json["done"], answer.json["reached"]) == (False, "sent")
            assert answer.json["parties"]["BRAVO"]["held"] is False

    asyncio.run(whole())


# --- files -----------------------------------------------------------------------------------------------------


def test_an_attachment_comes_through_whole_and_is_receipted(tmp_path: Path) -> None:
    data = os.urandom(100_000)

    async def whole() -> None:
        homes = staffed(tmp_path)
        async with stations(homes) as (alpha, bravo):
            await linked(alpha, bravo)
            ref = (await call(alpha, "POST", "lines/relay/entries", MESSAGE, uid=WATCH_A)).json["ref"]
            of = f"{ref['lane']}/{ref['generation']}/{ref['index']}"
            query = {"name": "chart.bin", "media_type": "image/png", "of": of}
            posted = await call(alpha, "POST", "lines/relay/attachments", uid=WATCH_A, raw=data, **query)
            assert posted.status == 201
            line, uid = bravo.find("relay"), os.getuid()

            async def receipt() -> dict[str, Any] | None:
                answer = await call(bravo, "GET", "lines/relay/entries", uid=uid, kind="attachment-receipt")
                return answer.json["entries"][0] if answer.json["entries"] else None

            found = await eventually(receipt)
            assert found["body"]["state"] == "held"
            entries = (await call(bravo, "GET", "lines/relay/entries", uid=uid, kind="attachment")).json["entries"]
            body = entries[0]["body"]
            assert (body["name"], body["size"], body["of"]["index"]) == ("chart.bin", len(data), ref["index"])
            got = await call(bravo, "GET", f"lines/relay/attachments/{body['digest']}", uid=uid)
            assert got.data == data
            assert (await call(bravo, "GET", f"lines/relay/attachments/{'00' * 32}", uid=uid)).status == 404
            assert line.engine is not None

    asyncio.run(whole())


def test_an_export_and_a_proof_are_what_the_verifier_accepts(tmp_path: Path) -> None:
    async def play(station: Station, ask: Ask) -> None:
        ref = (await ask("POST", "lines/relay/entries", MESSAGE, uid=WATCH_A)).json["ref"]
        folder = tmp_path / "export"
        answer = await ask("POST", "lines/relay/export", {"directory": str(folder)}, uid=AUDITOR)
        report = answer.data.splitlines()[-1]
        assert b'"stage":"report"' in report
        verdict = await asyncio.to_thread(verify, folder, {station.card.fingerprint})
        assert verdict.ok
        again = await ask("POST", "lines/relay/export", {"directory": str(folder)}, uid=AUDITOR)
        assert (again.status, again.json["error"]) == (409, "conflict")
        relative = await ask("POST", "lines/relay/export", {"directory": "export"}, uid=AUDITOR)
        assert relative.status == 400
        asked = {"lane": ref["lane"], "index": ref["index"], "show": ["kind", "time"]}
        proof = (await ask("POST", "lines/relay/prove", asked, uid=AUDITOR)).json["proof"]
        assert verify_proof(proof.encode()).ok
        assert "Good morning" not in proof

    scene(tmp_path, play)


def test_a_backup_is_written_while_the_station_runs(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        await ask("POST", "lines/relay/entries", MESSAGE, uid=WATCH_A)
        path = tmp_path / "backup"
        asked = {"path": str(path), "passphrase": "a long enough one"}
        assert (await ask("POST", "backup", asked, uid=TECHNICIAN)).json["lines"] == 1
        assert check_backup(path, Passphrase("a long enough one")) > 0
        assert (await ask("POST", "backup", {"path": str(path)}, uid=TECHNICIAN)).status == 400
        assert (await ask("POST", "backup", asked, uid=TECHNICIAN)).status == 409

    scene(tmp_path, play)


# --- streams ---------------------------------------------------------------------------------------------------


def test_a_stream_resumes_where_it_was_left_also_after_a_restart(tmp_path: Path) -> None:
    alpha, bravo = pair(tmp_path)
    with running(alpha, bravo) as (first, _):
        in_service(alpha, bravo)
        with alpha.client() as here:
            for number in range(5):
                here.post("lines/relay/entries", {"kind": "message", "text": f"{number}"})
            seen, ids = [], []
            for event in here.events("events", after=""):
                if event.name == "entry":
                    ids.append(event.id)
                    if event.data["kind"] == "message":
                        seen.append(event.data["body"]["text"])
                if len(seen) == 3:
                    break
        first.kill()
    with running(alpha), alpha.client() as here:
        for event in here.events("events", after=ids[-1]):
            if event.name == "entry" and event.data["kind"] == "message":
                seen.append(event.data["body"]["text"])
            if len(seen) == 5:
                break
        assert seen == ["0", "1", "2", "3", "4"]
        past = here.events("lines/relay/events", after=0)
        kinds = [next(past).data["kind"] for _ in range(3)]
        assert kinds[0] == "terms"


def test_a_slow_listener_is_cut_and_never_waited_for() -> None:
    async def play() -> None:
        feed = Feed()
        slow, quick = feed.subscribe(None), feed.subscribe(b"other")
        for seq in range(QUEUE + 1):
            feed.publish(Published(line=b"line", name="entry", seq=seq, data=b"{}"))
        assert slow.ended
        assert feed.cut == 1
        assert not quick.ended
        assert quick.take() == []
        feed.close()
        assert [each.ended for each in (slow, quick)] == [True, True]
        assert feed.subscribe(None).ended

    asyncio.run(play())


# --- terms -----------------------------------------------------------------------------------------------------


def test_a_proposal_and_an_assent_change_the_policy_on_both_sides(tmp_path: Path) -> None:
    async def whole() -> None:
        async with stations(staffed(tmp_path)) as (alpha, bravo):
            await linked(alpha, bravo)
            uid = os.getuid()
            asked = {"kind": "propose", "policy": {"title": "Renamed", "test_minutes": 5}}
            await call(alpha, "POST", "lines/relay/entries", asked, uid=ADMIN)

            async def proposal() -> Any:
                found = (await call(bravo, "GET", "lines/relay/entries", uid=uid, kind="propose")).json["entries"]
                return found[0]["ref"] if found else None

            ref = await eventually(proposal)
            voted = await call(bravo, "POST", "lines/relay/entries", {"kind": "assent", "proposal": ref}, uid=uid)
            assert voted.status == 201, voted.data

            async def renamed() -> bool | None:
                line = (await call(alpha, "GET", "lines/relay", uid=WATCH_A)).json
                return True if line["title"] == "Renamed" else None

            await eventually(renamed)
            for station, who in ((alpha, WATCH_A), (bravo, uid)):
                assert (await call(station, "GET", "lines/relay", uid=who)).json["policy"]["test_minutes"] == 5

    asyncio.run(whole())
