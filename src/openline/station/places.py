"""Where a station keeps what: one folder, 0700, with a folder for each thing that must not travel with the others.

keys/              see keystore.py
store/store.db     see stores/sqlite; copied by `openline backup`, together with keys
marks/             see marks.py; never copied, and best on a disk that no snapshot covers
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """The places below one data folder; `marks_folder` where they lie elsewhere."""

    folder: Path
    marks_folder: Path | None = None

    @property
    def keys(self) -> Path:
        """The keystore's folder."""
        return self.folder / "keys"

    @property
    def store(self) -> Path:
        """The store's file."""
        return self.folder / "store" / "store.db"

    @property
    def marks(self) -> Path:
        """The marks' folder."""
        return self.marks_folder or self.folder / "marks"
