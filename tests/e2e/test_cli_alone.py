"""Commands without a line: making a station, cards, a passphrase, pairing by voice, release, archive, and no station at all."""

import grp
import json
import os
import pwd
import socketserver
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qsl

import pytest

from openline import __version__
from openline.cli.comparing import follow
from openline.cli.local import Local
from openline.cli.output import Output
from openline.cli.terms import members_of, read_terms, terms_lines
from openline.kernel.terms import Policy
from openline.station.terms_file import read_terms_file
from tests.e2e.cli_rig import COMMAND, TERMS, Floor, at_terminal, founded, paired, pairing_words, type_
from tests.e2e.everyones_python import everyones_python
from tests.waiting import until


def test_init_makes_a_station_once(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "alpha"
    words = ("init", "ALPHA", "--home", str(home), "--key-file", str(home / "unlock.key"))
    done = type_(*words)
    assert done.code == 0
    assert done.out.endswith(f"openline up --home {home}\n"), "what comes next can be typed as it stands"
    assert home.stat().st_mode & 0o777 == 0o700
    again = type_(*words)
    assert (again.code, "already" in again.err) == (1, True)


def test_init_refuses_a_name_that_is_none(tmp_path: Path) -> None:
    done = type_("init", "alpha!", "--home", str(tmp_path / "a"), "--key-file", str(tmp_path / "k"))
    assert (done.code, done.err.splitlines()[0]) == (1, "alpha! cannot be a station's name.")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "added, where", [("[tls]\n", "config.toml: line 2: "), ("x = " + "[" * 9_000, "config.toml: ")]
)
def test_a_configuration_that_is_no_toml_is_told_with_its_line(tmp_path: Path, added: str, where: str) -> None:
    """A table that stands twice is the usual one. Nothing of what stands in the file is shown: it may be a password."""
    home = tmp_path / "alpha"
    type_("init", "ALPHA", "--home", str(home), "--key-file", str(home / "unlock.key"))
    config = home / "config.toml"
    config.write_text(config.read_text() if "=" in added else "[tls]\n[tls]\nsecret = 'x'\n")
    with config.open("a") as file:
        file.write(added)
    done = type_("up", "--home", str(home))
    assert (done.code, done.err.startswith(where), "stands twice" in done.err) == (1, True, True), done.err
    assert "secret" not in done.err


def test_a_passphrase_is_typed_twice_and_opens_the_station(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path / "a"))
    for typed, first in ((b"short\n", "A passphrase needs"), (b"correct horse\ncorrect cow\n", "The two were not")):
        done = type_("init", "ALPHA", *home, stdin=typed)
        assert (done.code, first in done.err) == (1, True), done
    assert type_("init", "ALPHA", *home, stdin=b"correct horse\n" * 2).code == 0
    assert "The keys open." in type_("doctor", *home, stdin=b"correct horse\n").out
    wrong = type_("doctor", *home, stdin=b"incorrect\n")
    assert (wrong.code, "passphrase" in wrong.out) == (7, True)
    assert type_("doctor", *home).code == 2


def test_card_shows_the_fingerprint_in_every_form(tmp_path: Path) -> None:
    alpha, bravo = founded(tmp_path, "ALPHA"), founded(tmp_path, "BRAVO")
    card = alpha("card").out
    assert card.startswith("-----BEGIN OPENLINE CARD-----\n")
    told = alpha.good("card")
    looked = bravo("card", str(tmp_path / "ALPHA.card"))
    assert looked.code == 0
    assert "ALPHA" in looked.out
    assert " ".join(told["fingerprint"]["digits"].split()[:6]) in looked.out
    assert bravo("card", "-", stdin=card.encode()).out == looked.out
    assert alpha("card", "--fingerprint").out == looked.out
    own = alpha("card", str(tmp_path / "ALPHA.card"))
    assert (own.code, own.err.splitlines()[0]) == (1, "This is our own card.")
    (tmp_path / "bad.card").write_text(card.replace("A", "B", 5))
    assert bravo("card", str(tmp_path / "bad.card")).code == 1
    new = ("card", "--new", "--address", "203.0.113.9:7601")
    key = str(alpha.home / "unlock.key")
    assert "tls:203.0.113.9:7601" in alpha.good(*new, "--root-key-file", key)["addresses"]


@pytest.mark.parametrize(
    "words",
    [
        ["status"], ["lines"], ["inbox"], ["send", "BRAVO", "x"], ["read", "BRAVO"], ["tail", "BRAVO"],
        ["history", "BRAVO"], ["drafts"], ["watch", "BRAVO", "on"], ["export", "BRAVO", "x"], ["test", "BRAVO"],
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_without_a_station_a_command_says_so(tmp_path: Path, words: list[str]) -> None:
    nowhere = Floor("ALPHA", tmp_path / "nowhere")
    done = nowhere(*words)
    assert done.code == 3
    assert done.err.startswith("There is no station in ")
    stopped = Floor("ALPHA", tmp_path)
    done = stopped(*words)
    assert done.code == 3
    assert done.err.splitlines() == ["The station is not running.", "Start it with openline up."]


@contextmanager
def answering(home: Path, answers: Mapping[str, object]) -> Iterator[None]:
    """A station of another release: it answers these paths, and knows no other. A function is asked with the query."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # a connection is kept, as a station keeps it

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            found = answers.get(path)
            found = found(dict(parse_qsl(query))) if callable(found) else found
            none = {"error": "unknown", "message": "there is no such path", "do": "list what there is", "own": False}
            data = json.dumps(none if found is None else found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"] or 0))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    (home / "run").mkdir()
    with socketserver.ThreadingUnixStreamServer(str(home / "run" / "api.sock"), Answers) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("words", [("calendar",), ("log",), ("log", "a note")], ids=["path", "member", "posted"])
def test_a_station_of_another_release_is_named_with_both_versions(words: tuple[str, ...]) -> None:
    """Whether it knows no such operation, or leaves out a member that the command shows: restart it."""
    with tempfile.TemporaryDirectory() as folder:  # short enough for the name of a socket
        home = Floor("ALPHA", Path(folder))
        answers = {"/v1/status": {"version": "0.0.7"}} | ({"/v1/log": {}} if words == ("log",) else {})
        with answering(home.home, answers):
            done, told = home(*words), home(*words, "--json")
    assert done.code == 3, done
    what, to_do = done.err.splitlines()
    assert what.startswith(
        f"The station that runs is of version 0.0.7, this command of version {__version__}: one lacks"
    )
    assert to_do.startswith("Stop the station and start it again with the newer program: openline up")
    assert told.json["error"] == "station-version"


def test_what_a_station_of_the_same_version_does_not_know_is_no_matter_of_versions() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Floor("ALPHA", Path(folder))
        with answering(home.home, {"/v1/status": {"version": __version__}, "/v1/log": {}}):
            done = home("calendar")
            assert (done.code, done.err.splitlines()[0]) == (1, "There is no such path.")
            with pytest.raises(KeyError):
                home("log")


def searched(query: Mapping[str, str]) -> object:
    """A long line, of which 40 of 90 entries are looked at a time: what is sought stands in the first and in the last part."""
    begin = int(query.get("at") or "90")
    end = max(0, begin - 40)
    one = {
        "line": "BRAVO", "time": 1_795_271_400_000, "author": "BRAVO", "kind": "service", "before": "the ", "match": "bridge",
        "after": "", "ref": {"lane": 0, "generation": "0", "index": 1, "leaf": "00"},
    }  # fmt: skip
    found = [{**one, "seq": seq} for seq in (85, 84, 3, 2, 1) if end <= seq < begin][: int(query["limit"])]
    shown = {"found": found, "searched": begin - end, "complete": end == 0, "left": end}
    return {**shown, "next": str(end) if end else ""}


@pytest.mark.parametrize("limit, seqs", [("20", [85, 84, 3, 2, 1]), ("4", [85, 84, 3, 2]), ("1", [85])])
def test_a_search_goes_on_to_the_beginning_of_a_long_line_and_says_nothing_of_it_to_a_pipe(
    limit: str, seqs: list[int]
) -> None:
    """It ended where the time of one call was over, and said that nothing was found."""
    with tempfile.TemporaryDirectory() as folder:
        alpha = Floor("ALPHA", Path(folder))
        with answering(alpha.home, {"/v1/status": {"version": __version__, "now": 1}, "/v1/search": searched}):
            told = alpha("search", "bridge", "--limit", limit, "--json")
            piped = alpha("search", "bridge", "--limit", limit)
            seen = at_terminal("search", "bridge", "--home", folder, "--limit", limit, typed=b"")
    assert [each["seq"] for each in told.json["found"]] == seqs
    assert (told.err, piped.err, piped.out.count("bridge")) == ("", "", len(seqs))
    parts = ["Looked at 40 of 90 entries.", "Looked at 80 of 90 entries."] if len(seqs) > 1 else []
    assert [part for part in parts if part not in seen.out] == []
    assert ("Looked at" in seen.out) == bool(parts)
    assert seen.out.count("bridge") == len(seqs)


def test_the_version(tmp_path: Path) -> None:
    done = Floor("ALPHA", tmp_path)("version", "--json")
    assert set(done.json) == {"version", "suite", "python"}


def test_a_sealed_doctor_needs_no_key(tmp_path: Path) -> None:
    alpha = founded(tmp_path, "ALPHA")
    done = alpha("doctor", "--sealed", "--json")
    assert done.code == 7  # the root key still lies beside the others
    assert "root-here" in {one["code"] for one in done.json["findings"]}


def test_terms_that_are_not_right_are_named(tmp_path: Path) -> None:
    alpha = founded(tmp_path, "ALPHA")
    for text, first in (
        ("titel = 1", "The terms in "),
        ("= 1", f"{tmp_path}/t.toml is not TOML."),
        (None, "There is no file"),
    ):
        if text is None:
            (tmp_path / "t.toml").unlink()
        else:
            (tmp_path / "t.toml").write_text(text)
        done = alpha("pair", str(tmp_path / "ALPHA.card"), "--terms", str(tmp_path / "t.toml"))
        assert (done.code, done.err.startswith(first)) == (2, True), done


def test_a_fingerprint_that_does_not_fit_the_card_ends_the_pairing(tmp_path: Path) -> None:
    alpha = founded(tmp_path, "ALPHA")
    founded(tmp_path, "BRAVO")
    (tmp_path / "t.toml").write_text(TERMS)
    words = (str(tmp_path / "BRAVO.card"), "--terms", str(tmp_path / "t.toml"), "--fingerprint", "00001 " * 12)
    done = alpha("pair", *words, "--yes")
    assert done.code == 1
    assert "Somebody may be between you." in done.err


@pytest.mark.parametrize("given", ["nothing", "fingerprint", "yes", "again"])
def test_a_pairing_that_nobody_can_answer_is_refused_before_it_begins(tmp_path: Path, given: str) -> None:
    """It waited an hour for the other floor, and then for nobody. Closed or at its end, it is the same."""
    alpha, bravo = founded(tmp_path, "ALPHA"), founded(tmp_path, "BRAVO")
    *card, _, fingerprint, _ = pairing_words(tmp_path, bravo)
    words = {
        "nothing": card,
        "fingerprint": [*card, "--fingerprint", fingerprint],
        "yes": [*card, "--yes"],
        "again": ["--again", "BRAVO"],
    }[given]
    for close in (False, True):
        done = subprocess.run(
            [*COMMAND, "pair", "--home", str(alpha.home), *words],
            stdin=subprocess.DEVNULL,
            preexec_fn=(lambda: os.close(0)) if close else None,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode, done.stderr.splitlines()) == (
            1,
            [
                "To compare and to sign, somebody must be at a terminal, and the standard input has ended.",
                "Type it at a terminal. For scripts: --fingerprint FP, got in person, and --yes.",
            ],
        )


def test_whoever_waits_in_a_pairing_is_told_that_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    states = ("waiting", "waiting", "comparing", "confirming", "confirming", "open")
    told = [{"state": state, "sas": "", "peer": {"name": "BRAVO"}} for state in states]
    later = iter(told[1:])
    answers = {"/v1/pairings/1": lambda _: next(later), "/v1/pairings/1/confirm": {}}
    with tempfile.TemporaryDirectory() as folder, answering(Path(folder), answers):
        station = Local(Path(folder))
        done = follow(Output(), station, "pairings/1", told[0], fingerprint="00001", signed=True, say_every_ms=0)
        station.client.close()
    assert done["state"] == "open"
    assert [line.partition(",")[0] for line in capsys.readouterr().err.splitlines()] == [
        "Still waiting for BRAVO",
        "This floor has signed. Waiting until BRAVO has compared and signed too.",
        "Still waiting for BRAVO",
    ]


def test_two_floors_pair_by_voice_while_no_station_runs(tmp_path: Path) -> None:
    """Each reads its digits aloud and types what it hears; the stations run only for the pairing.

    The whole terms stand above the digits: people have read them before they enter anything (15.17).
    """
    floors = founded(tmp_path, "ALPHA"), founded(tmp_path, "BRAVO")
    terms = tmp_path / "terms.toml"
    terms.write_text(TERMS)
    talks = []
    for floor, peer in zip(floors, floors[::-1], strict=True):
        words = ["pair", "--home", str(floor.home), str(tmp_path / f"{peer.name}.card"), "--terms", str(terms)]
        with (tmp_path / f"{floor.name}.log").open("wb") as file:
            talk = subprocess.Popen([*COMMAND, *words], stdin=subprocess.PIPE, stdout=file, stderr=file)
        talks.append((talk, tmp_path / f"{floor.name}.log"))

    def aloud(log: Path) -> str:
        half, end, _rest = log.read_text().partition("other floor:   ")[2].partition("\n")
        return half if end else ""

    halves = [until(lambda log=log: aloud(log), deadline_s=120) for _talk, log in talks]  # type: ignore[misc]
    for (talk, _log), heard in zip(talks, halves[::-1], strict=True):
        assert talk.stdin is not None
        talk.stdin.write(f"{heard}\nyes\n".encode())
        talk.stdin.close()
    for talk, log in talks:
        assert talk.wait(timeout=120) == 0, log.read_text()
        assert "The line is open" in log.read_text()
        above = log.read_text().partition("other floor:")[0].splitlines()
        assert set(terms_lines(members_of(read_terms(terms)))) <= set(above)


def test_where_the_terms_ask_for_it_a_second_person_sends(tmp_path: Path) -> None:
    alpha, bravo = founded(tmp_path, "ALPHA"), founded(tmp_path, "BRAVO")
    with alpha.up(), bravo.up():
        paired(tmp_path, alpha, bravo, TERMS + "release = true\n")
        done = alpha("send", "BRAVO", "Draft me.")
        assert done.code == 6
        assert "a second person" in done.out
        assert "Draft me." in alpha("drafts").out
        number = str(alpha.good("drafts", "BRAVO")["drafts"][0]["draft"])
        own = alpha("release", number)
        assert (own.code, own.err.splitlines()[0]) == (1, "A second person releases.")
        alpha.good("discard", number)
        assert alpha.good("drafts")["drafts"] == []
        assert bravo("history", "ALPHA", "--kind", "message", "--json").objects == []


@pytest.mark.full
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another Unix user")
def test_a_second_person_is_another_user_of_the_machine() -> None:
    """Whoever drafted cannot release; another user, whom the configuration knows, can."""
    nobody = pwd.getpwnam("nobody")
    group = grp.getgrgid(nobody.pw_gid).gr_name
    with tempfile.TemporaryDirectory(prefix="openline-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        alpha, bravo = founded(folder, "ALPHA"), founded(folder, "BRAVO")
        config = alpha.home / "config.toml"
        people = f'\n[people.{nobody.pw_uid}]\nsign = "W2"\nroles = ["watch-officer"]\n'
        config.write_text(config.read_text().replace('group = ""', f'group = "{group}"') + people)
        for each in (alpha.home, alpha.home / "run"):
            os.chown(each, -1, nobody.pw_gid)
            each.chmod(0o710)
        with alpha.up(), bravo.up():
            paired(folder, alpha, bravo, TERMS + "release = true\n")
            assert alpha("send", "BRAVO", "Two of us.").code == 6
            released = subprocess.run(
                [everyones_python(), *COMMAND[1:], "release", "1", "--home", str(alpha.home)],
                capture_output=True, text=True, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], cwd="/",
            )  # fmt: skip
            assert (released.returncode, released.stderr) == (0, "")
            found = until(lambda: bravo("history", "ALPHA", "--kind", "message", "--json").objects)
            assert (found[0]["body"]["drafter"], found[0]["body"]["releaser"]) == ("W1", "W2")


def test_archive_exports_verifies_and_then_destroys(tmp_path: Path) -> None:
    alpha, bravo = founded(tmp_path, "ALPHA"), founded(tmp_path, "BRAVO")
    with bravo.up():
        with alpha.up():
            paired(tmp_path, alpha, bravo)
            alpha.good("send", "BRAVO", "Keep this.", "--wait", "held")
        kept = tmp_path / "archive-1"
        no = alpha("archive", "BRAVO", str(kept), stdin=b"no\n")
        assert (no.code, "Nothing was destroyed." in no.err) == (1, True)
        assert alpha("verify", str(kept)).code == 0
        done = alpha("archive", "BRAVO", str(tmp_path / "archive-2"), "--yes", "BRAVO")
        assert done.code == 0, done
        assert "Keep this." in (tmp_path / "archive-2" / "transcript.txt").read_text()
        with alpha.up():
            assert alpha.good("lines")["lines"] == []
        assert not list((alpha.home / "keys" / "psk").iterdir())


def test_the_example_of_terms_says_the_defaults() -> None:
    example = Path(__file__).resolve().parents[2] / "examples" / "terms.toml"
    assert read_terms_file(example) == Policy()


def test_with_a_simulated_clock_a_message_has_the_moment_that_was_typed(tmp_path: Path) -> None:
    alpha, bravo = founded(tmp_path, "ALPHA", "--simulated-clock"), founded(tmp_path, "BRAVO", "--simulated-clock")
    with alpha.up(), bravo.up():
        paired(tmp_path, alpha, bravo)
        moment = "2026-06-05T12:47Z"
        words = ("BRAVO", "Then.", "--at", moment, "--answer-by", "+1h", "--wait", "held")
        assert alpha.good("send", *words)["ref"]["reference"] == "ALPHA 0001 051247Z JUN 26"
        (entry,) = bravo("history", "ALPHA", "--kind", "message", "--json").objects
        assert entry["body"]["answer_by"] - entry["time"] == 3_600_000
        assert "simulated" in alpha("status").out
