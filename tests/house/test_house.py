"""The rules of the house hold for every file; and each rule is shown to be able to fail."""

import subprocess
import sys

import pytest

from tests.house import clauses, layout, rules

PYTHON_RULES: list[rules.Rule] = [
    rules.on_the_map, rules.layering, rules.libraries, rules.pure_calls, rules.errors, rules.dataclasses, rules.sizes,
    rules.names, rules.broad_excepts, rules.type_asserts, rules.sleeps, rules.mocks,
]  # fmt: skip
TEXT_RULES: list[rules.Rule] = [rules.places, rules.undone]


def keep(rule: rules.Rule, paths: list[str]) -> None:
    """Fail with what breaks the rule, one line each: file: what."""
    found = []
    for path in paths:
        try:
            text = (rules.ROOT / path).read_text()
        except UnicodeDecodeError:
            continue  # a picture, a binary vector
        except FileNotFoundError:
            continue  # another test's, which was gone before it was read
        found += [f"{path}: {what}" for what in rule(path, text)]
    if found:
        pytest.fail("\n".join([str(rule.__doc__), *found]), pytrace=False)


@pytest.mark.parametrize("rule", PYTHON_RULES, ids=lambda rule: rule.__name__)
def test_every_python_file_keeps_the_rule(rule: rules.Rule) -> None:
    keep(rule, rules.python_files())


@pytest.mark.parametrize("rule", TEXT_RULES, ids=lambda rule: rule.__name__)
def test_every_text_keeps_the_rule(rule: rules.Rule) -> None:
    keep(rule, rules.repository())


def test_the_map_is_made_of_known_layers() -> None:
    assert set(layout.MAP.values()) <= set(layout.SEES) == set(layout.LIBRARIES)


def test_the_kernel_can_be_read_in_a_day() -> None:
    kernel = [path for path in rules.python_files() if path.startswith("src/openline/kernel/")]
    assert kernel
    assert sum((rules.ROOT / path).read_text().count("\n") for path in kernel) <= layout.KERNEL_LINES


def loaded_by(modules: list[str]) -> list[str]:
    """Which of the worldly modules a fresh interpreter has after importing these."""
    script = f"import sys, {', '.join(modules)}; print(*sorted(set({layout.NEVER_LOADED!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=rules.ROOT)
    return done.stdout.split()


def test_the_pure_layers_load_no_world() -> None:
    pure = [path for path in rules.python_files() if rules.layer_of(path) in layout.PURE_LAYERS]
    names = [path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in pure]
    assert loaded_by(names) == []


def test_the_measurement_of_loaded_modules_can_fail() -> None:
    assert {"logging", "socket"} <= set(loaded_by(["logging", "socket"]))


def pinned(name: str) -> dict[str, str]:
    """Package -> version, of a lock; the markers may differ, since the tests' tools ask for less."""
    lines = (rules.ROOT / "requirements" / name).read_text().splitlines()
    pins = (line.split(" ")[0].partition("==") for line in lines if line[:1].isalpha())
    return {package: version for package, _, version in pins}


def test_the_stations_lock_is_a_part_of_the_tests_lock() -> None:
    base, bearers, dev = pinned("base.txt"), pinned("bearers.txt"), pinned("dev.txt")
    assert base
    assert base.items() < bearers.items() < dev.items()


def test_every_package_of_the_locks_has_a_hash() -> None:
    for name in ("base.txt", "bearers.txt", "dev.txt"):
        text = (rules.ROOT / "requirements" / name).read_text()
        entries = text.replace("\\\n", " ").splitlines()
        assert [line for line in entries if "==" in line and "--hash=sha256:" not in line] == []
        assert "://" not in text


def test_every_clause_of_the_specification_is_cited() -> None:
    if layout.CLAUSES_ENFORCED:
        assert clauses.uncited() == []


def test_a_citation_is_a_name_or_a_docstring() -> None:
    text = """
def test_3_4_a_thing_holds() -> None: ...
def test_it() -> None:
    "Clauses 5.1 and 10.12; over TLS 1.3; RFC 8949, 4.2."
"""
    assert clauses.cited_in(text) == {"3.4", "5.1", "10.12"}
    assert clauses.CLAUSE.findall("**3.4** A\ntext **3.5** no\n- **3.6** B\n**3.7.** C") == ["3.4", "3.6", "3.7"]


KERNEL, BEARER, STATION, TEST = (
    "src/openline/kernel/lane.py",
    "src/openline/bearers/tls/wire.py",
    "src/openline/station/api.py",
    "tests/test_x.py",
)
LONG = "def f():\n" + "    x = 1\n" * 60

# Each rule with a file that breaks it, and one beside it that does not.
PLANTED: list[tuple[rules.Rule, str, str, str]] = [
    (rules.on_the_map, "src/openline/kernel/extra.py", "", KERNEL),
    (rules.on_the_map, "src/openline/stray/__init__.py", "", "src/openline/kernel/__init__.py"),
    (rules.layering, KERNEL, "from openline.protocol import engine", STATION),
    (rules.layering, KERNEL, "def f():\n    import openline.station.api", STATION),
    (rules.layering, KERNEL, "from openline import ports", STATION),
    (rules.layering, KERNEL, "from . import keys", TEST),
    (rules.layering, BEARER, "from openline.bearers import mail", STATION),
    (rules.layering, BEARER, "from openline.stores.sqlite import Store", STATION),
    (rules.layering, "src/openline/cli/demo.py", "from openline.stores.sqlite import Store", STATION),
    (rules.layering, "src/openline/bearers/mail.py", "from openline.bearers.tls.wire import Wire", BEARER),
    (rules.libraries, KERNEL, "import time", STATION),
    (rules.libraries, KERNEL, "from os import urandom", STATION),
    (rules.libraries, KERNEL, "import cryptography.exceptions", "src/openline/kernel/crypto.py"),
    (rules.libraries, STATION, "import click", "src/openline/cli/demo.py"),
    (rules.pure_calls, KERNEL, "open('x')", STATION),
    (rules.pure_calls, KERNEL, "Ed25519PrivateKey.generate()", STATION),
    (rules.errors, KERNEL, "raise ValueError('no')", STATION),
    (rules.errors, STATION, "raise Refused(f'no {x}')", TEST),
    (rules.dataclasses, KERNEL, "@dataclass(frozen=True)\nclass A:\n    a: int", STATION),
    (rules.dataclasses, KERNEL, "@dataclass(frozen=True, slots=True)\nclass A:\n    a: int\n    b: int", STATION),
    (rules.sizes, KERNEL, "\n" * 401, TEST),
    (rules.sizes, TEST, "\n" * 701, ""),
    (rules.sizes, KERNEL, LONG, ""),
    (rules.names, KERNEL, "class LineManager: ...", ""),
    (rules.names, "src/openline/station/utils.py", "", KERNEL),
    (rules.broad_excepts, STATION, "try: f()\nexcept Exception: g()", "src/openline/station/runtime.py"),
    (rules.broad_excepts, STATION, "try: f()\nexcept: g()", "src/openline/station/runtime.py"),
    (rules.type_asserts, STATION, "assert isinstance(a, b)", TEST),
    (rules.sleeps, TEST, "time.sleep(1)", "tests/waiting.py"),
    (rules.mocks, TEST, "from unittest.mock import patch", STATION),
    (rules.mocks, TEST, "monkeypatch.setattr(a, 'b', c)", STATION),
    (rules.places, "README.md", "see /" + "home/me/line", ""),
    (rules.places, "README.md", "https://py" + "pi.org/simple", ""),
    (rules.undone, STATION, "# TO" + "DO: later", "README.md"),
]


@pytest.mark.parametrize("rule, path, text, elsewhere", PLANTED)
def test_the_rule_can_fail(rule: rules.Rule, path: str, text: str, elsewhere: str) -> None:
    assert list(rule(path, text))
    if elsewhere:
        assert not list(rule(elsewhere, text))


def test_what_the_rules_allow() -> None:
    """The lawful neighbours of what is forbidden."""
    assert not list(rules.broad_excepts(STATION, "try: f()\nexcept BaseException:\n    undo()\n    raise"))
    assert not list(rules.layering("src/openline/bearers/tls/wire.py", "from openline.ports import Bearer"))
    assert not list(rules.errors(KERNEL, "raise Refused('a constant')"))
    assert not list(rules.sleeps(TEST, "asyncio.sleep(0)"))
    assert not list(rules.pure_calls(KERNEL, "re.compile('x')"))
    assert not list(rules.undone(STATION, "# TO" + "DO (#12): later"))
    assert not list(rules.places("README.md", "network/root/file, ~/homework/x"))
