#!/usr/bin/env python3
"""Prepare the project's own environment in .venv, from the lock with hashes.

    tools/prepare.py                       what a station and ./demo need
    tools/prepare.py --bearers             the same, and what the mail bearer needs
    tools/prepare.py --dev                 what ./check needs as well
    tools/prepare.py --offline DIR         the same, from a folder of wheels, without a network
    tools/prepare.py --fill DIR            make such a folder, on a machine that has a network
                                           (for another machine: --python 3.12 --machine aarch64)

Standard library only. Run again it does nothing, and takes no time doing so: a stamp in .venv holds the
hash of the lock. Every failure is one line that says what to do; the long story is in .venv/prepare.log.
"""

from __future__ import annotations  # so that an old Python reads far enough to be told that it is too old

import argparse
import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "prepared"
LOG = VENV / "prepare.log"
BASE_PYTHON = str(getattr(sys, "_base_executable", sys.executable))  # the same, even when run from .venv itself
PROFILES = {
    name: ROOT / "requirements" / f"{name}.txt" for name in ("base", "bearers", "dev")
}  # each holds those before

# What the wheels of our dependencies are built for, oldest first (glibc of Debian 9 to 13).
GLIBC = ("manylinux1", "manylinux2010", "manylinux2014", *(f"manylinux_2_{minor}" for minor in range(5, 42)))

NO_NETWORK = (
    "no network to fetch packages from; where there is one: tools/prepare.py --fill DIR (with --dev for ./check);"
    " carry DIR here: tools/prepare.py --offline DIR; then run this again"
)

# What pip says -> what it means. The first that fits is shown.
CAUSES = (
    (
        "DO NOT MATCH THE HASHES",
        "a package is not the one in the lock (damaged or forged); nothing of it was installed",
    ),
    ("No space left on device", "the disk is full"),
    ("CERTIFICATE_VERIFY_FAILED", "the package index shows a certificate this machine does not trust"),
    ("Failed to establish a new connection", NO_NETWORK),
    ("Temporary failure in name resolution", NO_NETWORK),
    ("Connection to", NO_NETWORK),
    ("Cannot connect to proxy", "the proxy does not answer"),
    ("No matching distribution found", "a package of the lock is missing from the index or the folder"),
    ("Failed building wheel", "a package has no wheel for this machine, and building it failed"),
)

LAUNCHER = """\
#!{python}
import sys

from openline.cli import main

sys.exit(main())
"""


class Failed(Exception):
    """One line for people: what is wrong, and what to do."""


def say(text: str) -> None:
    """One line of progress."""
    print(f"prepare: {text}", file=sys.stderr, flush=True)


# --- the stamp ---------------------------------------------------------------------------------------------


def fingerprint(profile: str, lock: Path) -> str:
    """What the environment must have been made from: this lock, this script, this place."""
    made_from = hashlib.sha256(lock.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    return f"{profile} {made_from} {ROOT}"


def prepared(profile: str) -> bool:
    """Whether .venv holds that profile already; a larger profile holds the smaller ones too."""
    try:
        stamps = STAMP.read_text().splitlines()
    except OSError:
        return False
    return standing() and fingerprint(profile, PROFILES[profile]) in stamps


def standing() -> bool:
    """Whether .venv's Python is still the one it was made with; a system upgrade takes it away or replaces it."""
    real = PYTHON.resolve()
    return real.exists() and ("." not in real.name or (VENV / "lib" / real.name).exists())


def reusable() -> bool:
    """Whether .venv was finished once, in this place: then an install brings it up to date."""
    try:
        stamp = STAMP.read_text()
    except OSError:
        return False
    return standing() and stamp.endswith(f" {ROOT}\n")


# --- making it ---------------------------------------------------------------------------------------------


def pip_command(folder: Path | None) -> list[str]:
    """How to call a pip that installs into .venv; makes .venv anew where it must."""
    if not reusable():
        make_venv(folder)
    if (VENV / "bin" / "pip").exists():
        return [str(PYTHON), "-m", "pip"]
    if has("pip"):
        return [BASE_PYTHON, "-m", "pip", "--python", str(PYTHON)]
    return [str(PYTHON), f"{pip_wheels(folder)[-1].resolve()}/pip"]


def has(module: str) -> bool:
    """Whether this Python has that module, and not only an empty folder of its name."""
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.loader is not None


def make_venv(folder: Path | None) -> None:
    """An empty environment, with pip in it where this Python can give it one. Raises Failed."""
    if not os.access(VENV if VENV.exists() else ROOT, os.W_OK):
        raise Failed(f"nothing can be written in {ROOT}; copy that folder to a place of yours, and run it there")
    if not has("venv") or not (has("ensurepip") or pip_elsewhere(folder)):
        install_venv()
    pip = [] if has("ensurepip") else ["--without-pip"]
    say(f"making .venv with Python {platform.python_version()}")
    done = subprocess.run(
        [BASE_PYTHON, "-m", "venv", "--clear", *pip, str(VENV)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = (done.stdout + done.stderr).strip().splitlines() or ["no reason given"]
        raise Failed(f"could not make .venv: {words[-1]}")


def pip_elsewhere(folder: Path | None) -> bool:
    """Whether a pip can be had without ensurepip: the system's, or a wheel in the offline folder."""
    return has("pip") or bool(pip_wheels(folder))


def pip_wheels(folder: Path | None) -> list[Path]:
    """The pip wheels in the folder, by name: a wheel of pip can be run as it is."""
    return sorted(folder.glob("pip-*.whl")) if folder else []


def install_venv() -> None:
    """Debian splits venv off; as root we may fetch it. Raises Failed where we may not, or it did not help."""
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    debian = BASE_PYTHON.startswith("/usr/bin/python3") and shutil.which("apt-get")
    if debian and os.geteuid() == 0:
        say(f"installing the Debian package {package}")
        if apt_get([package]):
            importlib.invalidate_caches()
            return
    way = f"as root: apt-get install {package}" if debian else "install a complete Python 3.11 or newer"
    raise Failed(f"this Python cannot make environments (no venv or ensurepip); {way}, then run this again")


def apt_get(packages: list[str]) -> bool:
    """Install Debian packages; root only. Returns whether it worked."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for command in (install, ["apt-get", "update", "-qq"], install):
        done = subprocess.run(command, env=env, capture_output=True, check=False)
        if done.returncode == 0 and command is install:
            return True
    return False


def run_pip(command: list[str], packages: int) -> None:
    """Run pip quietly, with a count on a terminal. Raises Failed with the cause in one line."""
    lines: list[str] = []
    shows = sys.stderr.isatty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            lines.append(line)
            if shows and line.startswith(("Collecting", "Installing")):
                count = sum(1 for each in lines if each.startswith("Collecting"))
                step = f"{count} of {packages} fetched" if line.startswith("Collecting") else "installing"
                print(f"\rprepare:   {step:<40}", end="", file=sys.stderr, flush=True)
    if shows:
        print(f"\r{'':<60}\r", end="", file=sys.stderr, flush=True)
    text = "".join(lines)
    if VENV.exists():
        LOG.write_text(text)
    if pip.returncode:
        raise Failed(cause(text))


def cause(text: str) -> str:
    """The one line behind a page of pip."""
    for sign, meaning in CAUSES:
        if sign in text:
            return meaning
    errors = [line for line in text.splitlines() if line.startswith("ERROR")] or ["pip failed"]
    return f"{errors[-1]} (see .venv/prepare.log)"


def packages_in(lock: Path) -> int:
    """How many packages a lock pins."""
    return sum(1 for line in lock.read_text().splitlines() if "==" in line and not line.startswith(("#", " ")))


def prepare(profile: str, folder: Path | None = None) -> None:
    """Bring .venv to that profile. Raises Failed."""
    if prepared(profile):
        return
    # Two commands at once must not install into one another. The lock file itself is the lock.
    with PROFILES["base"].open() as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        if not prepared(profile):
            install(profile, folder)


def install(profile: str, folder: Path | None) -> None:
    """The work itself, one holder of the gate at a time."""
    began = time.monotonic()
    if folder is not None and not folder.is_dir():
        raise Failed(f"no such folder of wheels: {folder}")
    lock = PROFILES[profile]
    before = fingerprint(profile, lock)
    pip = pip_command(folder)
    STAMP.unlink(missing_ok=True)
    packages = packages_in(lock)
    say(f"installing {packages} packages from requirements/{lock.name}, each checked against its hash")
    source = ["--no-index", "--find-links", str(folder.resolve())] if folder else []
    quiet = ["--no-input", "--retries=2", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    run_pip([*pip, "install", *quiet, *source, "--requirement", str(lock)], packages)
    link_project()
    stamps = [before]
    for smaller, held in PROFILES.items():
        if smaller == profile:
            break
        stamps.append(fingerprint(smaller, held))
    STAMP.write_text("\n".join(stamps) + "\n")
    say(f"ready in {time.monotonic() - began:.0f} s")


def link_project() -> None:
    """Put src/ on the environment's path, and `openline` beside its python: no build, nothing to fetch."""
    (site,) = (VENV / "lib").glob("python3*/site-packages")
    (site / "openline-source.pth").write_text(f"{ROOT / 'src'}\n")
    launcher = VENV / "bin" / "openline"
    launcher.write_text(LAUNCHER.format(python=PYTHON))
    launcher.chmod(0o755)


# --- the folder of wheels ----------------------------------------------------------------------------------


def fill(folder: Path, profile: str, python: str, machine: str) -> None:
    """Fetch the wheels of the lock, for a station that has no network; and a pip, should it have none."""
    prepare("dev")
    folder.mkdir(parents=True, exist_ok=True)
    lock = PROFILES[profile]
    packages = packages_in(lock)
    say(f"fetching {packages} wheels for Python {python} on {machine} into {folder}")
    target = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", python]
    target += [word for each in GLIBC for word in ("--platform", f"{each}_{machine}")]
    pip = [str(PYTHON), "-m", "pip", "download", "--no-input", "--disable-pip-version-check", "--dest", str(folder)]
    run_pip([*pip, *target, "--no-deps", "--require-hashes", "--requirement", str(lock)], packages)
    run_pip([*pip, "--no-deps", "pip"], 1)
    say("building openline's own wheel")
    run_pip([str(PYTHON), "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder.resolve())], 1)
    say(f"ready: carry {folder} and this folder over, then run there: tools/prepare.py --offline {folder.name}")


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="tools/prepare.py"
    )
    parser.add_argument("--bearers", action="store_true", help="with what the mail bearer needs")
    parser.add_argument("--dev", action="store_true", help="with what the tests need")
    parser.add_argument("--offline", metavar="DIR", type=Path, help="install from this folder of wheels only")
    parser.add_argument("--fill", metavar="DIR", type=Path, help="fetch the wheels of the lock into this folder")
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    parser.add_argument("--python", default=here, help="with --fill: the station's Python (default: %(default)s)")
    parser.add_argument("--machine", default=platform.machine(), help="with --fill: x86_64 or aarch64")
    return parser.parse_args()


def main() -> int:
    """Returns 0, or 1 after one line that says why not."""
    asked = arguments()
    profile = "dev" if asked.dev else "bearers" if asked.bearers else "base"
    try:
        if asked.fill:
            fill(asked.fill, profile, asked.python, asked.machine)
        else:
            prepare(profile, asked.offline)
    except Failed as failure:
        say(str(failure))
        return 1
    except OSError as failure:
        say(f"{failure.strerror}: {failure.filename}")
        return 1
    except KeyboardInterrupt:
        say("stopped; run it again to go on")
        return 130
    return 0


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - the point is to say so
        sys.exit("prepare: Python 3.11 or newer is needed, this is " + platform.python_version())
    sys.exit(main())
