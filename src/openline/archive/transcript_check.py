"""Make the transcript again from the opened entries, and compare: the text says what was signed, and nothing else.

Spec: spec/14-export.md (14.6).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from openline.archive.files import open_file
from openline.archive.lane_checks import Archive, opened_entries
from openline.archive.layout import TRANSCRIPT
from openline.archive.transcript_text import transcript
from openline.archive.verdict import Problem
from openline.kernel.errors import Forged, Refused
from openline.kernel.terms import parse_terms

_BATCH = 256
"""Pieces compared at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptTask:
    """The archive, and the hash that the manifest has of the text."""

    archive: Archive
    digest: str

    @staticmethod
    def of(archive: Archive, files: Mapping[str, str]) -> "TranscriptTask":
        """The task for an archive."""
        return TranscriptTask(archive=archive, digest=files[TRANSCRIPT])


def check_transcript(task: TranscriptTask) -> list[Problem]:
    """The text is the one that the entries make."""
    archive, hashing = task.archive, sha256()
    try:
        terms = parse_terms(archive.terms)
        lanes = {lane: opened_entries(archive.root, lane, 0, 0) for lane in archive.lanes}
        pieces = transcript(terms, lanes)
        with open_file(archive.root, TRANSCRIPT) as file:
            while batch := "".join(piece for _, piece in zip(range(_BATCH), pieces, strict=False)).encode():
                found = file.read(len(batch))
                if found != batch:
                    raise Forged("not the text that the entries make")
                hashing.update(found)
            if file.read(1):
                raise Forged("not the text that the entries make")
        if hashing.hexdigest() != task.digest:
            raise Forged("not the file that the manifest names")
    except Refused as refusal:
        return [Problem(file=TRANSCRIPT, reason=str(refusal))]
    return []
