"""Parties that lie with their own keys."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sim.world import World


def place_liars(world: "World") -> None:
    """Let a liar take a place on the line, if the profile has one."""
