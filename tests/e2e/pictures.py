"""Pictures of every view of the console, in every language and size, dark and light, for looking at and for the documents.

.venv/bin/python -m tests.e2e.pictures FOLDER [VIEW ...] [LANGUAGE ...] [WIDTH ...] [dark] [light]

All, or these; dark unless `light` is named. They are FOLDER/VIEW-LANGUAGE-WIDTH.png, and of light ones VIEW-LANGUAGE-WIDTH-light.png.
390 is a telephone. What is said on the lines is invented (tests/e2e/stage.py). Of a call there is a picture for each of its states:
those are views too, by the names in tests/e2e/pictures_calls.py, or all of them as "call".
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.e2e.browser import Seat
from tests.e2e.fits import misfits
from tests.e2e.pictures_calls import SCENES, Camera, take_calls
from tests.e2e.stage import LANGUAGES, PHONE, SIZES, VIEWS, Stage, staged

THEMES = ("dark", "light")


def take(stage: Stage, view: str, language: str, theme: str, widths: Sequence[int], folder: Path) -> None:
    """One view in one language, in these sizes."""
    for size in (*SIZES, PHONE):
        width = size["width"]
        if width not in widths:
            continue
        seat = stage.show(view, language, phone=size is PHONE, theme=theme)
        if size is not PHONE:
            seat.page.set_viewport_size(size)
        _shoot(seat, folder / f"{view}-{language}-{width}{'-light' if theme == 'light' else ''}.png", width)


def _shoot(seat: Seat, path: Path, width: int) -> None:
    seat.page.wait_for_timeout(400)  # the view arranges itself: nothing tells when it has
    for each in misfits(seat, width):
        print(f"{path.stem}: {each}")
    seat.page.screenshot(path=str(path))


def main(folder: Path, chosen: Sequence[str]) -> None:
    """Take them."""
    scenes = SCENES if "call" in chosen else [scene for scene in SCENES if scene in chosen]
    views = [view for view in VIEWS if view in chosen] or ([] if scenes else list(VIEWS))
    languages = [language for language in LANGUAGES if language in chosen] or LANGUAGES
    themes = [theme for theme in THEMES if theme in chosen] or ["dark"]
    widths = [int(each) for each in chosen if each.isdigit()] or [size["width"] for size in (*SIZES, PHONE)]
    folder.mkdir(parents=True, exist_ok=True)
    if scenes:
        camera = Camera(folder=folder, scenes=scenes, languages=languages, themes=themes, widths=widths)
        with tempfile.TemporaryDirectory() as data:
            take_calls(camera, Path(data))
    if not views:
        return
    with tempfile.TemporaryDirectory() as data, staged(Path(data)) as stage:
        for view in views:
            for theme in themes:
                for language in languages:
                    take(stage, view, language, theme, widths, folder)


if __name__ == "__main__":
    os.umask(0o022)
    main(Path(sys.argv[1]), sys.argv[2:])
