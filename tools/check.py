"""The body of ./check: style, types and tests, in that order; pytest has the last word.

    ./check               all tests that need no privilege, mypy strict, ruff: some minutes
    ./check --fast        style and the house rules only: under 10 seconds
    ./check --full        all of it, with real servers, namespaces, other Unix users, Node and Go
    ./check ... ARGS      what is left goes to pytest, e.g. ./check -k merkle -x
    ./check --full --steady    a test of real processes that fails is not played once more
    ./check --fix         let ruff repair and reformat what it can

A stage that fails does not stop the next one. The exit status is 0 only if all passed. With CI=true,
`--full` also fails when a test was skipped. Up to three tests of real processes that failed beside others
are played once more, alone; if they pass then, they are told of as UNSTEADY.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import unsteady
from prepare import apt_get

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PACKAGES = ROOT / "requirements" / "debian.txt"
SERVICES = Path("/usr/sbin/policy-rc.d")
"""What Debian's packages ask before they start a service; without it they start."""
TESTS_FAILED = 1
"""What pytest ends with then; all else (a broken collection, no test, Ctrl-C) is never repeated."""
TYPED = ("src", "tests", "tools", "bench", "fuzz", "vectors")


def say(text: str) -> None:
    """One line of progress."""
    print(f"check: {text}", flush=True)


def missing_packages() -> list[str]:
    """The Debian packages of the list whose sign is not there."""
    missing = []
    for line in PACKAGES.read_text().splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        package, sign = words
        if not (Path(sign).exists() if sign.startswith("/") else shutil.which(sign)):
            missing.append(package)
    return missing


@contextlib.contextmanager
def no_services(policy: Path = SERVICES) -> Iterator[None]:
    """While packages are installed, none starts its service: the tests start servers of their own, where they want them."""
    if policy.exists():
        yield  # this machine has its own rule
        return
    try:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        yield
    finally:
        policy.unlink(missing_ok=True)


def install_packages() -> None:
    """Fetch what is missing where we may, else say in one line what to install. Never an error: tests skip."""
    missing = missing_packages()
    if not missing:
        return
    names = " ".join(missing)
    if shutil.which("apt-get") and os.geteuid() == 0:
        say(f"installing Debian packages: {names}")
        with no_services():
            apt_get(missing)
        names = " ".join(missing_packages())
    if names:
        say(f"some tests will be skipped; to have them, as root: apt-get install {names}")


def stage(name: str, *command: str) -> str:
    """Run one checker quietly; returns its line for the summary, and shows its words only if it fails."""
    began = time.monotonic()
    done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True)
    seconds = time.monotonic() - began
    verdict = "ok" if done.returncode == 0 else "FAILED"
    line = f"{name}: {verdict} ({seconds:.1f} s)"
    say(line)
    if done.returncode:
        print(done.stdout + done.stderr, flush=True)
    return line


def pytest(options: list[str], before: list[str]) -> int:
    """Run the tests; its own terminal summary repeats the earlier stages (tests/conftest.py)."""
    environment = {**os.environ, "OPENLINE_CHECK_STAGES": "\n".join(before)}
    command = [sys.executable, "-m", "pytest", "--no-header", "--tb=short", *options]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


def steadied(options: list[str], root: Path = ROOT) -> bool:
    """Whether all that failed passes alone; says which tests are unsteady."""
    failed = unsteady.failed(root)
    if not unsteady.may_be_repeated(failed):
        return False
    say(f"{len(failed)} failed beside others; once more, alone: {' '.join(failed)}")
    passed = unsteady.pass_alone(root, failed, options)
    for test in passed:
        say(f"UNSTEADY: {test} failed beside others and passed alone; its failure stands above, and wants mending")
    return passed == failed


def main() -> int:
    """Returns 0 if every stage passed."""
    words = sys.argv[1:]
    if "-h" in words or "--help" in words:
        print(__doc__)
        return 0
    modes = {"--fast", "--full", "--fix", "--steady"} & set(words)
    rest = [word for word in words if word not in modes]
    if "--fix" in modes:
        stage("ruff format", "ruff", "format", ".")
        return int("FAILED" in stage("ruff check", "ruff", "check", "--fix", "."))
    lines = [
        stage("ruff check", "ruff", "check", "--output-format=concise", "."),
        stage("ruff format", "ruff", "format", "--check", "."),
    ]
    if "--fast" in modes:
        options = ["-q", "tests/house/test_house.py"]
    else:
        typed = [name for name in TYPED if next((ROOT / name).rglob("*.py"), None)]
        lines.append(stage("mypy", "mypy", *typed))
        options = ["--numprocesses=2", "--dist=loadgroup"]
    if "--full" in modes:
        install_packages()
        options.append("--full")
    unsteady.forget(ROOT)
    code = pytest([*options, *rest], lines)
    repeated = code == TESTS_FAILED and "--full" in modes and "--steady" not in modes
    failed = code != 0 and not (repeated and steadied(["--full"]))
    return int(failed or any("FAILED" in line for line in lines))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
