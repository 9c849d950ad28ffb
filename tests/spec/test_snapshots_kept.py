"""Snapshots of the fold are caches; but a station that never stops in order must not start slower and slower."""

from openline.protocol.folding import SNAPSHOT_EVERY
from openline.protocol.transcript import FOLD_VERSION
from tests.spec.line import Line, message


def test_a_station_that_is_killed_again_and_again_still_leaves_a_snapshot() -> None:
    line = Line(2)
    alpha = line.hosts[0]
    said = 0
    while said < SNAPSHOT_EVERY + 512:
        for _ in range(512):
            alpha.say(message("one of many"))
        said += 512
        line.settle()
        alpha.boot()  # as after kill -9: never a clean stop
    alpha.say(message("one more"))
    line.link_all()
    line.settle()
    kept = alpha.store.snapshot(FOLD_VERSION)
    assert kept is not None
    assert sum(size for _, _, size in kept.sizes) >= SNAPSHOT_EVERY
